"""The support lead's workshop: what its tabs draw, as pure functions; and each tab in a real Chromium.

Vectors count a few words, and similarity alone decides (see tests/test_hittest.py): a question that names one
topic is answered, one that names two is asked back, any other is handed over.
"""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import openpyxl
import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, ViewportSize, expect

from chatbot import bundle
from chatbot.answer import Templates
from chatbot.assemble import load_bot
from chatbot.converse import Chatbot
from chatbot.corpus import BadRow
from chatbot.decide import Calibration
from chatbot.domain import Action, Conversation, HeldOutDialogue, HeldOutTurn, QAPair, Role
from chatbot.edit import LiveBot
from chatbot.editor import Editor
from chatbot.errors import CorpusError, UserError
from chatbot.held_out import read_dialogues
from chatbot.insight import hittest
from chatbot.insight.hittest import Outcome, Probe
from chatbot.insight.observe import observe
from chatbot.insight.traffic import Exchange, traffic
from chatbot.insight.whatif import Table, Thresholds, curve, moved
from chatbot.journal import SqlEdits, SqlJournal
from chatbot.learn.evaluate import evaluate, measures
from chatbot.retrieve import Retriever
from chatbot.settings import Retrieve, Settings
from chatbot.ui.figures import link, rate, sheets, table
from chatbot.ui.held_out import chosen
from chatbot.ui.hits import EVERYTHING, PAGE, Tried, candidates, hit_table, summed_up
from chatbot.ui.launch import NO_UPLOADS, UPLOADS, appearance, launch
from chatbot.ui.measured import SCORES, Measured, confused
from chatbot.ui.measured import measures as drawn_measures
from chatbot.ui.measured_words import ENGLISH_EVALUATION, EVALUATION_WORDS, INSIGHT_WORDS
from chatbot.ui.plots import Axis, Line, Mark, chart, upright
from chatbot.ui.sliders import NEVER, changed, curves, effect, positions, thresholds
from chatbot.ui.stubless import gr
from chatbot.ui.trends import days, most_often, often, totals
from chatbot.ui.workshop import build_workshop
from chatbot.ui.workshop_words import CHINESE, ENGLISH, WORKSHOP_WORDS
from tests.browsing import AXE, HOSTILE, offences
from tests.fakes import BY_SIMILARITY, ExactIndex, FakeEncoder, SharedWords, calibration, pair

PAIRS = {
    "en": (pair("where is my parcel", "parcel"), pair("refund when", "refund"), pair("invoice please", "invoice")),
    "zh": (pair("我的包裹在哪里", "parcel", language="zh"), pair("退款要多久", "refund", language="zh")),
}
FILES = Path(__file__).parents[1] / "data" / "demo"
SLIDE = "(input, to) => { input.value = to; input.dispatchEvent(new Event('input', {bubbles: true})) }"
WORDS_OF = {"en": ("parcel", "refund", "invoice"), "zh": ("包裹", "退款")}


def asked(name: str, language: str, text: str, *expected: str) -> HeldOutDialogue:
    return HeldOutDialogue(name, language, (HeldOutTurn(Role.USER, text, expected),))


DIALOGUES = (
    asked("d1", "en", "my parcel", "parcel"),
    asked("d2", "en", "parcel or refund", "parcel"),  # as close to either: parcel comes first by its id
    asked("d3", "en", "refund or parcel", "refund"),
    asked("d4", "en", "do you sell tea"),
    asked("d5", "en", "a refund", "invoice"),
    asked("d6", "zh", "包裹呢", "parcel"),
)


class Kept(LiveBot):
    """One whose models stay in memory: going back to a version brings its calibrations back."""

    def _load(self) -> str:
        _, self.manifest = bundle.load(self.folder)
        for language, line in self.bot.lines.items():
            line.calibration = Calibration.from_json(self.manifest.bot["languages"][language]["calibration"])
        return self.version


def served(folder: Path, pairs: dict[str, tuple[QAPair, ...]] = PAIRS) -> Kept:
    def line(language: str) -> Retriever:
        encoder = FakeEncoder(WORDS_OF[language])
        return Retriever.build(pairs[language], encoder, ExactIndex, SharedWords, None, BY_SIMILARITY, Retrieve())

    bot = Chatbot(
        {language: line(language) for language in pairs},
        Templates(),
        Settings.parse({"routes": {"*": {"encoder": "one"}}}, "test"),
    )
    with bundle.writing(folder) as draft:
        for language in pairs:
            (draft.path / language).mkdir()
            (draft.path / language / "pairs.jsonl").write_text("", "utf-8")
        languages = {language: {"calibration": BY_SIMILARITY.as_json()} for language in pairs}
        manifest = draft.commit({"languages": languages})
    return Kept(bot, folder, manifest)


def cells(drawn: str) -> list[list[str]]:
    """The texts of a drawn table's rows, its head first."""
    rows = re.findall(r"<tr>(.*?)</tr>", drawn)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows]


class TestWhatIsDrawn:
    def test_a_table_has_heads_of_columns_and_rows(self) -> None:
        assert table('a "caption"', ("x", "y"), [("1", "2")]) == (
            '<div class="scroll" role="region" aria-label="a &quot;caption&quot;" tabindex="0"><table><thead><tr>'
            '<th scope="col">x</th><th scope="col">y</th></tr></thead><tbody><tr><th scope="row">1</th>'
            "<td>2</td></tr></tbody></table></div>"
        )
        assert [rate(share) for share in (None, 0.0, 0.12345)] == ["–", "0.0%", "12.3%"]
        assert link('a"b.csv', b"x\n").count("&quot;") == 2
        assert ';base64,eAo="' in link("a.csv", b"x\n")
        assert sheets("s", ("a",), [("=1",)], ".csv", ".xlsx").count("download=") == 2

    @pytest.mark.parametrize(
        ("values", "shares", "labels"),
        [
            ([3.0, None], False, ["0", "1", "2", "3", "4"]),
            ([], False, ["0", "1", "2", "3", "4"]),
            ([930.0], False, ["0", "250", "500", "750", "1,000"]),
            ([9.0], False, ["0", "3", "6", "9", "12"]),
            ([1.0], True, ["0%", "25%", "50%", "75%", "100%"]),
            ([0.031], True, ["0%", "1%", "2%", "3%", "4%"]),
            ([], True, ["0.0%", "0.2%", "0.5%", "0.8%", "1.0%"]),
        ],
    )
    def test_an_axis_ends_at_a_round_number(
        self, values: Sequence[float | None], shares: bool, labels: list[str]
    ) -> None:
        assert [label for _, label in upright(values, shares).labels] == labels

    def test_a_line_breaks_where_there_is_nothing(self) -> None:
        up, across = Axis(0, 4, ()), Axis(0, 342, ())  # one unit across is one pixel
        drawn = chart(
            "<Title>",
            [Line("<b>", ((0, 0), (1, 4), (2, None), (3, 2), (4, None), (5, float("nan"))))],
            across,
            up,
            [Mark("now", 10, 4)],
        )
        assert 'd="M46.0 196.0L47.0 10.0M49.0 103.0"' in drawn
        assert '<circle class="line-0" cx="49.0" cy="103.0" r="2.5"/>' in drawn
        assert '<circle class="mark mark-0" cx="56.0" cy="10.0" r="6"/>' in drawn
        assert "<title>&lt;Title></title>" in drawn and "&lt;b></li>" in drawn and drawn.count("<li>") == 2

    def test_hits(self, tmp_path: Path) -> None:
        bot = served(tmp_path)
        probes = [
            Probe("my parcel", frozenset(("parcel", "gone"))),
            Probe("<b>tea</b>", frozenset()),
            Probe("refund or parcel", frozenset(("invoice",))),
            Probe("退款"),
        ]
        tried = Tried(hittest.ask(probes, bot, ("parcel",)), (BadRow("f", 7, "<empty>"),), chosen=0)
        assert cells(hit_table(tried, EVERYTHING, "en"))[1:] == [
            [
                *("my parcel", "gone, parcel", "Right", "Answered", "The best answer is confident enough."),
                *("parcel", "100%"),
            ],
            [
                *("&lt;b>tea&lt;/b>", "no answer", "Right", "Handed over to a person"),
                *("No stored answer seems to fit.", "", "0%"),
            ],
            [
                *("refund or parcel", "invoice", "Offered", "Asked back"),
                *("Several answers are possible, and none is confident enough alone.", "", "3%"),
            ],
            ["退款", "", "–", "Answered", "The best answer is confident enough.", "refund", "100%"],
        ]
        assert [row[0] for row in cells(hit_table(tried, "offered", "zh"))[1:]] == ["refund or parcel"]
        assert cells(candidates(tried, "en"))[1] == [
            *("parcel (expected)", "where is my parcel", "1.00", "–", "100%", "Answer parcel.")
        ]
        told = summed_up(tried, "en")
        assert "<dt>Right</dt><dd>2</dd>" in told and "<dt>Expected came first</dt><dd>50.0%</dd>" in told
        assert "row 7: &lt;empty>" in told and "expected id: gone, invoice." in told

    def test_more_questions_than_a_page_are_shown_when_asked_for(self, tmp_path: Path) -> None:
        hits = hittest.ask([Probe("tea")] * (PAGE + 5), served(tmp_path), ())
        drawn = hit_table(Tried(hits), EVERYTHING, "en")
        assert (len(cells(drawn)), "Show 5 more" in drawn) == (PAGE + 1, True)
        drawn = hit_table(Tried(hits, shown=2 * PAGE), EVERYTHING, "en")
        assert (len(cells(drawn)), "data-more" in drawn) == (PAGE + 6, False)

    def test_a_slider_stands_for_the_threshold_in_force_until_it_is_moved(self) -> None:
        level = calibration({}, answer_threshold=0.87654321, clarify_threshold=NEVER)
        there = positions(level)
        assert there == (0.877, 1.0, 0.877, 1.0)
        assert thresholds(there, level) == Thresholds.of(level)
        assert thresholds((0.5, 0.25, 1.0, 1.0), level) == Thresholds(0.5, 0.25, NEVER, NEVER)
        assert thresholds((0.0, 0.0, 0.0, 0.0), level) == Thresholds(0.0, 0.0, 0.0, 0.0)

    def test_what_other_thresholds_do(self, tmp_path: Path) -> None:
        turns = Table.of(observe(DIALOGUES, served(tmp_path).bot)["en"])
        lower = moved(BY_SIMILARITY, Thresholds(0.03, 0.5, 0.5, 0.5))
        assert cells(effect(turns, BY_SIMILARITY, lower, "en"))[1:] == [
            ["Answered", "2", "4"],
            ["Asked back", "2", "0"],
            ["Handed over to a person", "1", "1"],
            ["Replied without a stored answer", "0", "0"],
            ["Precision of answers", "50.0%", "50.0%"],
            ["Coverage", "50.0%", "100.0%"],
            ["Accuracy", "40.0%", "60.0%"],
        ]
        assert cells(changed(turns, BY_SIMILARITY, lower, "en"))[1:] == [
            ["parcel or refund", "parcel", "Asked back (wrong)", "Answered: parcel (right)"],
            ["refund or parcel", "refund", "Asked back (wrong)", "Answered: parcel (wrong)"],
        ]
        assert changed(turns, BY_SIMILARITY, BY_SIMILARITY, "zh") == '<p class="quiet">没有消息的处理会改变。</p>'
        drawn = curves(turns, BY_SIMILARITY, lower, curve(turns, BY_SIMILARITY), ENGLISH.thresholds)
        assert re.findall(r'mark-\d" cx="([\d.]+)" cy="([\d.]+)"', drawn) == [
            ("217.0", "79.8"),
            ("388.0", "79.8"),
        ]

    def test_the_measures_and_what_is_taken_for_what(self, tmp_path: Path) -> None:
        found = evaluate(DIALOGUES, served(tmp_path))
        wrong = replace(found.predictions[4], text="<i>money</i>", expected="", answer_id="<refund>")
        predictions = (*found.predictions, found.predictions[4], wrong)
        measured = Measured(found.metrics(), predictions)
        rows = {row[0]: row[1:4] for row in cells(drawn_measures(measured, ENGLISH_EVALUATION))}
        assert rows["Measure"] == ["All", "English", "中文"]
        assert rows["Turns"] == ["6", "5", "1"]
        assert rows["Accuracy"] == ["50.0%", "40.0%", "100.0%"]
        assert rows["AUROC"][2] == "–"  # one class only
        assert cells(confused(measured, ENGLISH_EVALUATION))[1:] == [
            ["invoice", "refund", "2", "a refund"],
            ["(no answer)", "&lt;refund>", "1", "&lt;i>money&lt;/i>"],
        ]
        assert ENGLISH_EVALUATION.no_confusions in confused(Measured(), ENGLISH_EVALUATION)

    def test_trends(self) -> None:
        noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
        asked = [
            Exchange(noon, "c1", "en", "<tea>", "hand_over", "unsure", None, 30.0),
            Exchange(noon.replace(day=4), "c2", "zh", "退款", "answer", "confident", "=refund", 10.0, True),
        ]
        found = traffic(asked, date(2026, 3, 2), date(2026, 3, 4))
        told = totals(found, INSIGHT_WORDS["en"])
        assert re.findall("<dd>(.*?)</dd>", told) == [
            *("2", "2", "50.0%", "0.0%", "50.0%", "0.0%", "1", "0", "20 ms", "29 ms")
        ]
        drawn = days(found, "en")
        assert drawn.count("<figure") == 4
        assert re.findall(r'anchor="\w+">([\d-]{5})<', drawn)[:3] == ["03-02", "03-03", "03-04"]
        assert ["退款", "中文", "1", "1 / 0"] in cells(most_often(found, "zh"))
        assert ["&lt;tea>", "English", "1", "0 / 0"] in cells(most_often(found, "en"))
        assert ["No stored answer seems to fit.", "English", "1", "0 / 0"] in cells(most_often(found, "en"))
        assert often(found) == [
            ("question", "<tea>", "en", 1, 0, 0),
            ("question", "退款", "zh", 1, 1, 0),
            ("answer", "=refund", "zh", 1, 1, 0),
            ("reason", "unsure", "en", 1, 0, 0),
        ]


class TestPage:
    def test_every_measure_outcome_and_tab_has_words(self) -> None:
        shares = {name for name, value in measures([]).items() if name not in SCORES}
        for words in EVALUATION_WORDS.values():
            assert set(words.measures) == shares | set(SCORES)
        for page in WORKSHOP_WORDS.values():
            assert set(page.hit_test.outcomes) == set(Outcome)
        assert WORKSHOP_WORDS.keys() == EVALUATION_WORDS.keys() == INSIGHT_WORDS.keys() == {"en", "zh"}

    def test_only_a_page_that_asks_for_a_file_takes_one(self) -> None:
        with gr.Blocks() as talks:
            gr.Textbox()
        with gr.Blocks() as asks:
            gr.UploadButton()
        assert appearance(talks)["max_file_size"] == NO_UPLOADS == "1kb"
        assert appearance(asks)["max_file_size"] == UPLOADS == "10mb"

    def test_dialogues_are_those_of_the_file_else_those_that_were_given(self, tmp_path: Path) -> None:
        file = tmp_path / "own.jsonl"
        file.write_text(
            '{"id": "d", "language": "en", "turns": [{"role": "user", "text": "tea", "expected": []}]}\n'
        )
        assert chosen(None, DIALOGUES, "none") is DIALOGUES
        assert chosen(str(file), DIALOGUES, "none") == (asked("d", "en", "tea"),)
        unscored = HeldOutDialogue("d", "en", (HeldOutTurn(Role.USER, "tea"),))
        for given in ((), (unscored,)):
            with pytest.raises(UserError, match="none"):
                chosen(None, given, "none")
        file.write_text("no json\n")
        with pytest.raises(CorpusError, match=r"own\.jsonl"):
            chosen(str(file), (), "none")


@dataclass
class Lead:
    """The workshop in a browser, what was asked of the network, and the dialogs that opened."""

    page: Page
    live: Kept
    journal: SqlJournal
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def upload(self, where: str, name: str, text: str) -> None:
        file = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
        with self.page.expect_file_chooser() as asked:
            self.page.click(where)
        asked.value.set_files(file)  # type: ignore[arg-type]

    def choose(self, where: str, name: str) -> None:
        self.page.locator(where).get_by_text(name, exact=True).click()

    def take(self, name: str) -> bytes:
        with self.page.expect_download() as taken:
            self.page.click(f'a[download="{name}"]')
        return Path(taken.value.path()).read_bytes()

    def slide(self, name: str, to: float) -> None:
        self.page.locator(f"#{name} input[type=range]").evaluate(SLIDE, to)

    def rows(self, where: str) -> list[list[str]]:
        found = self.page.locator(f"{where} tbody tr").all()
        return [row.locator("th, td").all_inner_texts() for row in found]


Arrive = Callable[..., Lead]


@pytest.fixture
def arrive(browser: Browser, tmp_path: Path) -> Iterator[Arrive]:
    live, journal = served(tmp_path / "bot"), SqlJournal.connect(tmp_path / "journal.sqlite")
    company = "Ada & Sons"
    sites = []

    def come(
        locale: str = "en-US",
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        dialogues: Sequence[HeldOutDialogue] = DIALOGUES,
    ) -> Lead:
        workshop = build_workshop(
            Editor(live, SqlEdits(journal.database)), journal, company=company, dialogues=dialogues
        )
        sites.append(launch({"/workshop": workshop}, port=0))
        address = sites[-1].address
        size: ViewportSize = {"width": width, "height": 900}
        lead = Lead(browser.new_page(locale=locale, viewport=size, color_scheme=scheme), live, journal)

        def heard(dialog: Dialog) -> None:
            lead.dialogs.append(dialog.message)
            dialog.dismiss()

        def requested(request: Request) -> None:
            if not request.url.startswith((address, "data:", "blob:")):
                lead.requests.append(request.url)

        lead.page.on("dialog", heard)
        lead.page.on("request", requested)
        lead.page.goto(f"{address}workshop")
        title = WORKSHOP_WORDS["zh" if locale.startswith("zh") else "en"].title
        expect(lead.page.locator("#company h1")).to_have_text(f"Ada & Sons · {title}")
        lead.page.locator("#agent").locator("input, textarea").press_sequentially("Lena")
        lead.open(WORKSHOP_WORDS["zh" if locale.startswith("zh") else "en"].tabs[1])
        return lead

    yield come
    for context in browser.contexts:
        context.close()
    for site in sites:
        site.close()
    journal.close()


def ask(lead: Lead, *texts: str) -> None:
    """Customers ask these, each in a conversation of its own; the first one likes the answer."""
    numbers = [
        lead.journal.record(lead.journal.open(), text, lead.live.reply(Conversation(), text)) for text in texts
    ]
    lead.journal.feedback(numbers[0], True)


@pytest.mark.browser
class TestInABrowser:
    def test_a_list_is_tried_looked_into_and_taken_along(self, arrive: Arrive) -> None:
        lead = arrive()
        page = lead.page
        page.click("#try")
        expect(page.locator("#hit-status [role=alert]")).to_have_text(ENGLISH.hit_test.nothing)
        page.fill("#probes textarea", "my parcel\n\n=1+1 refund\n退款 包裹")
        page.click("#try")
        expect(page.locator("#hits tbody tr")).to_have_count(3)
        assert [(row[0], row[3], row[5]) for row in lead.rows("#hits")] == [
            ("my parcel", "Answered", "parcel"),
            ("=1+1 refund", "Answered", "refund"),
            ("退款 包裹", "Asked back", ""),
        ]
        expect(page.locator("#hit-only")).to_be_hidden()  # nothing was expected
        expect(page.locator("#hit-candidates")).to_contain_text(ENGLISH.hit_test.choose)
        page.click("#hits tr:nth-child(3) button")
        expect(page.locator("#hit-candidates h2")).to_have_text("Compared for “退款 包裹”")
        assert [row[0] for row in lead.rows("#hit-candidates")] == ["parcel", "refund"]
        expect(page.locator("#hits tr:nth-child(3) button")).to_have_attribute("aria-pressed", "true")
        taken = list(csv.reader(io.StringIO(lead.take("hit-test.csv").decode("utf-8-sig"))))
        assert tuple(taken[0]) == hittest.COLUMNS
        assert [row[0] for row in taken[1:]] == ["my parcel", "'=1+1 refund", "退款 包裹"]
        book = openpyxl.load_workbook(io.BytesIO(lead.take("hit-test.xlsx"))).worksheets[0]
        assert [row[0] for row in book.iter_rows(values_only=True)][2] == "'=1+1 refund"
        lead.choose("#language", "中文")
        expect(page.locator("#hit-candidates h2")).to_have_text("“退款 包裹”的候选答案")
        assert lead.rows("#hits")[2][3] == "已反问"
        expect(page.locator("#try")).to_have_text(CHINESE.hit_test.run)
        assert (lead.requests, lead.dialogs) == ([], [])

    def test_a_file_with_expectations_is_tried_and_filtered(self, arrive: Arrive) -> None:
        lead = arrive()
        page = lead.page
        many = "".join(f"refund {n},invoice\n" for n in range(PAGE + 20))
        lead.upload("#probe-file", "test.csv", f"question,expected\nparcel,parcel\n,x\ntea,-\n{many}")
        expect(page.locator("#hits tbody tr")).to_have_count(PAGE)
        expect(page.locator("#hit-status [role=alert]")).to_contain_text("row 3: the question is empty")
        page.click("#hits button[data-more]")
        expect(page.locator("#hits tbody tr")).to_have_count(PAGE + 22)
        lead.choose("#hit-only", "Right")
        expect(page.locator("#hits tbody tr")).to_have_count(2)
        assert [row[:3] for row in lead.rows("#hits")] == [
            ["parcel", "parcel", "Right"],
            ["tea", "no answer", "Right"],
        ]

    def test_a_file_that_cannot_be_used_says_why(self, arrive: Arrive) -> None:
        lead = arrive()
        lead.upload("#probe-file", "test.csv", "text\n<img src=https://example.com/x.png>\n")
        expect(lead.page.locator("#hit-status [role=alert]")).to_contain_text("no column 'question'; found 'text'")
        lead.open("Evaluation")
        lead.upload("#evaluation-file", "own.jsonl", '{"<img src=https://example.com/y.png>": 1}\n')
        expect(lead.page.locator("#evaluation-status [role=alert]")).to_contain_text("Field required")
        assert lead.requests == []

    def test_as_many_questions_as_may_be_are_taken_along_and_a_larger_file_is_refused(
        self, arrive: Arrive
    ) -> None:
        lead = arrive()
        lead.upload("#probe-file", "test.csv", "question\n" + f"refund {'tea ' * 110}\n" * hittest.MOST)
        expect(lead.page.locator("#hits button[data-more]")).to_be_visible(timeout=120_000)
        taken = lead.take("hit-test.csv")
        assert len(taken) > 2_200_000 and len(taken.splitlines()) == hittest.MOST + 1
        lead.upload("#probe-file", "large.csv", "question\n" + "x" * 10_500_000)
        expect(lead.page.get_by_test_id("toast-text")).to_contain_text("10.0 Mb")
        expect(lead.page.locator("#hits tbody tr")).to_have_count(PAGE)

    def test_hostile_text_stays_text(self, arrive: Arrive) -> None:
        hostile = HOSTILE.replace("\n", " ")
        dialogues = (
            asked(hostile, "en", f"refund {hostile}", hostile),
            asked("d2", "en", f"refund or parcel {hostile}"),
        )
        lead = arrive(dialogues=dialogues)
        page = lead.page
        images = page.locator("img").count()
        ask(lead, f"refund {hostile}", f"tea {hostile}")
        page.fill("#probes textarea", f"refund {hostile}")
        page.click("#try")
        page.click("#hits button")
        expect(page.locator("#hit-candidates h2")).to_contain_text("<script>alert(1)</script> <img src=")
        lead.open("Thresholds")
        page.click("#observe")
        expect(page.locator("#effect table")).to_be_visible()
        lead.slide("answer", 0.03)
        expect(page.locator("#changes tbody tr")).to_have_count(1)
        lead.open("Insights")
        expect(page.locator("#most-often table").first).to_contain_text("<script>alert(1)</script>")
        lead.open("Evaluation")
        page.click("#evaluate")
        expect(page.locator("#evaluation table").last).to_contain_text("<script>alert(1)</script>")
        page.wait_for_timeout(300)
        assert (lead.requests, lead.dialogs) == ([], [])
        assert page.locator("img").count() == images + 1  # the curves
        assert page.locator("#workshop script, #workshop [onload], #workshop [onerror]").count() == 0

    def test_thresholds_are_tried_published_and_undone(self, arrive: Arrive) -> None:
        lead = arrive()
        page, live = lead.page, lead.live
        before = live.version
        lead.open("Thresholds")
        expect(page.locator("#workshop")).to_contain_text("6 held-out dialogues came with the service.")
        expect(page.locator("#publish")).to_be_hidden()
        page.click("#observe")
        expect(page.locator("#thresholds-status")).to_have_text(f"Turns asked of version {before}: 6.")
        expect(page.locator("#answer input[type=number]")).to_have_value("0.5")
        expect(page.locator("#changes")).to_have_text(ENGLISH.thresholds.unchanged)
        page.click("#publish")
        expect(page.locator("#thresholds-status [role=alert]")).to_have_text(ENGLISH.thresholds.unmoved)
        lead.slide("answer", 0.03)
        expect(page.locator("#changes h2")).to_have_text("Turns that change: 2")
        assert lead.rows("#effect")[0] == ["Answered", "2", "4"]
        assert lead.rows("#effect")[6] == ["Accuracy", "40.0%", "60.0%"]
        expect(page.locator("#risk-coverage .mark-1").first).to_have_attribute("cx", "388.0")
        page.click("#publish")
        expect(page.locator("#thresholds-status")).to_contain_text("Published for English: version ")
        assert live.version == bundle.in_use(live.folder) != before
        assert live.reply(Conversation(), "parcel or refund").decision.action is Action.ANSWER
        assert live.reply(Conversation(), "包裹 退款").decision.action is Action.CLARIFY
        expect(page.locator("#changes")).to_have_text(ENGLISH.thresholds.unchanged)
        page.click("#undo")
        expect(page.locator("#thresholds-status")).to_have_text(f"Version {before} answers again.")
        assert (live.version, bundle.in_use(live.folder)) == (before, before)
        assert live.reply(Conversation(), "parcel or refund").decision.action is Action.CLARIFY
        expect(page.locator("#undo")).to_be_hidden()
        lead.choose("#served", "中文")
        expect(page.locator("#effect tbody tr").first).to_have_text("Answered11")
        live.decide_by("zh", moved(BY_SIMILARITY, Thresholds(0.9, 0.5, 0.9, 0.5)))
        lead.slide("answer", 0.1)
        expect(page.locator("#thresholds-status [role=alert]")).to_have_text(ENGLISH.thresholds.stale)
        now = live.version
        page.click("#publish")
        page.wait_for_timeout(300)
        assert live.version == now

    def test_without_dialogues_a_file_of_them_is_asked_for(self, arrive: Arrive) -> None:
        lead = arrive(dialogues=())
        page = lead.page
        unscored = '{"id": "d", "language": "en", "turns": [{"role": "user", "text": "my parcel"}]}\n'
        scored = unscored.replace('"my parcel"', '"my parcel", "expected": ["parcel"]')
        lead.open("Thresholds")
        expect(page.locator("#observe")).to_be_hidden()
        lead.upload("#thresholds-file", "own.jsonl", unscored)
        expect(page.locator("#thresholds-status [role=alert]")).to_have_text(ENGLISH.thresholds.missing)
        lead.upload("#thresholds-file", "own.jsonl", scored)
        expect(page.locator("#effect tbody tr").first).to_have_text("Answered11")
        lead.choose("#served", "中文")
        expect(page.locator("#thresholds-status [role=alert]")).to_contain_text("served by 中文")
        lead.open("Evaluation")
        expect(page.locator("#evaluate")).to_be_hidden()
        lead.upload("#evaluation-file", "own.jsonl", scored)
        expect(page.locator("#evaluation-status")).to_contain_text(": 1.")

    def test_an_evaluation_is_shown_and_taken_along(self, arrive: Arrive) -> None:
        lead = arrive()
        page = lead.page
        lead.open("Evaluation")
        page.click("#evaluate")
        expect(page.locator("#evaluation-status")).to_have_text(f"Turns asked of version {lead.live.version}: 6.")
        rows = {row[0]: row[1:] for row in lead.rows("#evaluation")}
        assert rows["Precision"] == ["66.7%", "50.0%", "100.0%", "of the answers given, how many are right"]
        assert rows["invoice"] == ["refund", "1", "a refund"]
        assert page.locator("#evaluation img").count() == 2
        metrics = json.loads(lead.take("metrics.json"))
        assert (metrics["turns"], metrics["languages"]["zh"]["accuracy"]) == (6, 1.0)
        assert metrics["risk"]["en"]["answers"] == 2
        taken = list(csv.reader(io.StringIO(lead.take("predictions.csv").decode())))
        assert [row[0] for row in taken] == ["dialogue_id", "d1", "d2", "d3", "d4", "d5", "d6"]

    def test_insights_of_the_last_days(self, arrive: Arrive) -> None:
        lead = arrive()
        page = lead.page
        lead.open("Insights")
        expect(page.locator("#figures")).to_have_text(INSIGHT_WORDS["en"].empty)
        ask(lead, "my parcel", "my parcel", "tea", "退款")
        page.click("#show")
        expect(page.locator("#figures dd").first).to_have_text("4")
        assert page.locator("#figures dd").all_inner_texts()[:7] == [
            "4",
            "4",
            "75.0%",
            "0.0%",
            "25.0%",
            "0.0%",
            "1",
        ]
        expect(page.locator("#plots svg[role=img]")).to_have_count(4)
        assert lead.rows("#most-often")[0] == ["my parcel", "English", "2", "1 / 0"]
        lead.choose("#insights-language", "中文")
        expect(page.locator("#figures dd").first).to_have_text("1")
        assert [row[0] for row in lead.rows("#most-often")] == ["退款", "refund"]
        taken = list(csv.reader(io.StringIO(lead.take("days.csv").decode("utf-8-sig"))))
        assert (len(taken), taken[-1][1:4]) == (31, ["zh", "1", "1"])
        since = page.locator("#since input, #since textarea")
        month = since.input_value()
        lead.choose("#range", "Last 7")
        expect(since).not_to_have_value(month)
        expect(page.locator("#insights-files a")).to_have_count(2)
        assert len(list(csv.reader(io.StringIO(lead.take("days.csv").decode("utf-8-sig"))))) == 8
        for value, told in (("2999-13-01", "'2999-13-01' is no date"), ("2999-01-01", "is a range of")):
            since.fill(value)
            page.click("#show")
            expect(page.locator("#figures [role=alert]")).to_contain_text(told)

    @pytest.mark.skipif(not AXE.exists(), reason="no axe-core here: npm ci")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(("locale", "width"), [("en", 1280), ("zh-CN", 360)])
    def test_each_tab_is_accessible_and_fits(
        self, arrive: Arrive, scheme: Literal["light", "dark"], locale: str, width: int
    ) -> None:
        lead = arrive(locale, width, scheme)
        page, words = lead.page, WORKSHOP_WORDS[locale[:2]]
        ask(lead, "my parcel", "tea")

        def fine() -> None:
            assert offences(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") == width

        lead.upload("#probe-file", "test.csv", "question,expected\nparcel,parcel\nrefund,parcel\n")
        page.click("#hits button")
        expect(page.locator("#hit-candidates table")).to_be_visible()
        fine()
        lead.open(words.tabs[3])
        page.click("#observe")
        expect(page.locator("#effect table")).to_be_visible()
        lead.slide("answer", 0.03)
        expect(page.locator("#changes table")).to_be_visible()
        fine()
        lead.open(words.tabs[4])
        page.click("#evaluate")
        expect(page.locator("#evaluation table").last).to_be_visible()
        fine()
        lead.open(words.tabs[5])
        expect(page.locator("#plots svg").first).to_be_visible()
        fine()


@pytest.mark.demo
@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_thresholds_of_the_demo_bot_are_published_and_undone(
    index: Path, tmp_path: Path, browser: Browser
) -> None:
    ignored = shutil.ignore_patterns("*sqlite*")
    live = LiveBot.load(Path(shutil.copytree(index, tmp_path / "bot", ignore=ignored)))
    journal, before = SqlJournal.connect(tmp_path / "journal.sqlite"), live.version
    dialogues = [
        held_out for code in ("en", "zh") for held_out in read_dialogues([FILES / f"dialogues_{code}.jsonl"])[:4]
    ]
    site = launch(
        {
            "/workshop": build_workshop(
                Editor(live, SqlEdits(journal.database)), journal, company="Demo", dialogues=dialogues
            )
        },
        port=0,
    )
    page = browser.new_page(locale="zh-CN")
    page.goto(f"{site.address}workshop")
    page.locator("#agent").locator("input, textarea").fill("小李")
    page.get_by_role("tab", name="阈值").click()
    page.locator("#served label", has_text="中文").click()
    page.click("#observe")
    expect(page.locator("#effect table")).to_be_visible(timeout=120_000)
    inside = str(sum(turn.expected is not None for d in dialogues for turn in d.turns))
    expect(page.locator("#thresholds-status")).to_contain_text(f"{inside} 条消息")
    for slider in ("answer", "later-answer"):
        page.locator(f"#{slider} input[type=range]").evaluate(SLIDE, 1)
    expect(page.locator("#effect tbody tr").first.locator("td").nth(1)).to_have_text("0")
    page.click("#publish")
    expect(page.locator("#thresholds-status")).to_contain_text("已发布（中文）", timeout=60_000)
    assert load_bot(live.folder).reply(Conversation(), "我的快递到哪了").decision.action is Action.CLARIFY
    page.click("#undo")
    expect(page.locator("#thresholds-status")).to_contain_text(before, timeout=120_000)
    assert live.reply(Conversation(), "我的快递到哪了").decision.action is Action.ANSWER
    page.close()
    site.close()
    journal.close()
