"""The tab of answers: what it draws, as pure functions; and in a real Chromium, driven as support leads would."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import openpyxl
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, ViewportSize, expect

from chatbot.corpus import exported, read_pairs
from chatbot.domain import QAPair
from chatbot.editor import Editor
from chatbot.insight import changes, revise
from chatbot.insight.changes import Plan, Scope
from chatbot.journal import Kind, SqlEdits, SqlJournal
from chatbot.tabular import read_table, write_table
from chatbot.ui.answer_words import ANSWER_WORDS, CHINESE, ENGLISH
from chatbot.ui.answers import tab
from chatbot.ui.changed import LISTED, changed, marked
from chatbot.ui.intake import Intake, compared, difference, guessed, read, report
from chatbot.ui.launch import launch
from chatbot.ui.shelf import Opened, Shelf, head, listed, questions
from chatbot.ui.stubless import gr
from chatbot.ui.words import WORDS
from chatbot.ui.workshop import build_workshop
from tests.browsing import AXE, HOSTILE, offences
from tests.live import FakeLive


def stored(question: str, answer_id: str, answer: str, language: str = "en") -> QAPair:
    return QAPair(
        QAPair.content_id(question, answer_id, language), question, answer, answer_id, language, "handbook"
    )


PAIRS = (
    stored("Where is my parcel?", "track", "On its way."),
    stored("parcel is late", "track", "On its way."),
    stored("When do I get my refund", "refund", "In three days."),
    stored("do you sell tea", "tea", "No."),
    stored("我的包裹在哪里", "track", "在路上。", "zh"),
    stored("退款要多久", "refund", "三天。", "zh"),
)
HEADER = "question,answer,answer_id,language\n"


def found(shelf: Shelf, typed: str, language: str = "") -> list[tuple[str, str]]:
    return [one.key for one in shelf.find(typed, language)]


class TestShelf:
    SHELF = Shelf.of(PAIRS)

    def test_all_words_must_be_there_and_a_whole_phrase_comes_first(self) -> None:
        assert found(self.SHELF, "") == [
            ("refund", "en"),
            ("tea", "en"),
            ("track", "en"),
            ("refund", "zh"),
            ("track", "zh"),
        ]
        assert found(self.SHELF, "PARCEL  Way") == [("track", "en")]
        assert found(self.SHELF, "do get") == [("refund", "en")]
        assert found(self.SHELF, "do you") == [("tea", "en")]
        assert found(self.SHELF, "my parcel") == [("track", "en")]
        assert found(self.SHELF, "退款") == [("refund", "zh")]
        assert found(self.SHELF, "track", "zh") == [("track", "zh")]
        assert found(self.SHELF, "nowhere") == []

    def test_the_list_is_cut_and_hostile_text_stays_text(self) -> None:
        shelf = Shelf.of([stored(HOSTILE, f'"{HOSTILE}{n}', HOSTILE) for n in range(60)])
        drawn = listed(shelf.find("", ""), Opened(), ENGLISH)
        assert drawn.count("<li>") == 50 and "… and 10 more" in drawn
        opened = Opened(shelf.find("")[0], {shelf.find("")[0].key: ("x", "")})
        for html in (drawn, head(opened, ENGLISH), questions(opened, ENGLISH)):
            assert not any(tag in html for tag in ("<script", "<img", "<svg", "<b>"))
            assert "&lt;script" in html

    def test_ten_thousand_pairs_are_searched_at_once(self) -> None:
        shelf = Shelf.of(
            [stored(f"question number {n}", f"a{n // 4}", f"Answer {n // 4}.") for n in range(10_000)]
        )
        assert found(shelf, "number 9999") == [("a2499", "en")]


class TestIntake:
    def table(self, tmp_path: Path, text: str, name: str = "pairs.csv") -> Intake:
        table = read_table(Path(name), text.encode())
        return read(table, guessed(table.columns), Scope.UPDATE)

    def test_columns_are_guessed(self) -> None:
        assert guessed(("Answer ID", "QUESTION", "Reply", "x")) == {
            "answer_id": "Answer ID",
            "question": "QUESTION",
            "answer": "Reply",
        }
        assert guessed(("问题", "答案", "id")) == {"question": "问题", "answer": "答案"}
        assert guessed(("Question", "question", "answer")) == {"question": "question", "answer": "answer"}

    def test_a_column_that_is_not_found_is_asked_for_with_the_first_rows(self, tmp_path: Path) -> None:
        intake = self.table(tmp_path, "Frage,Antwort\nwo?,<b>hier</b>\n")
        assert intake.corpus is None
        assert "Choose the column of the Question, Answer." in report(intake, ENGLISH)
        assert "<td>wo?</td><td>&lt;b>hier&lt;/b></td>" in report(intake, ENGLISH)
        assert intake.table is not None
        again = read(intake.table, {"question": "Frage", "answer": "Antwort"}, Scope.UPDATE)
        assert again.corpus is not None and [p.question for p in again.corpus.pairs] == ["wo?"]

    def test_bad_rows_duplicates_and_the_first_pairs_are_shown(self, tmp_path: Path) -> None:
        rows = "new one,A.,a,en\nNew one!,A.,a,en\n,B.,b,en\nx,y,a|b,en\n"
        drawn = report(self.table(tmp_path, HEADER + rows), ENGLISH)
        assert "4 rows read: 1 pairs kept, 0 exact and 1 near duplicates merged, 2 bad rows." in drawn
        assert '<th scope="row">4</th><td>the question is empty</td>' in drawn
        assert "the answer_id 'a|b' holds a |" in drawn
        assert "<td>A.</td><td>a</td><td>en</td><td>pairs.csv</td>" in drawn

    def test_what_cannot_be_published_says_why_in_the_librarys_words(self, tmp_path: Path) -> None:
        intake = self.table(tmp_path, HEADER + "où,Là.,a,fr\n")
        live = FakeLive(PAIRS)
        out = compared(intake, live.pairs(), "v1", live.check)
        assert out.fault == "the bot has no pairs in fr" and out.fault in difference(out, ENGLISH)
        bad = self.table(tmp_path, HEADER + ",B.,b,en\nnew,A.,a,en\n")
        assert bad.table is not None
        out = compared(read(bad.table, bad.mapping, Scope.REPLACE), live.pairs(), "v1", live.check)
        assert out.changes is None and "what bad rows hold would be lost" in difference(out, ENGLISH)


class TestChanged:
    def test_old_and_new_are_marked(self) -> None:
        assert marked("In three days.", "In two days & <b>") == (
            '<div class="long"><span>In </span><del>three</del><span> days</span><del>.</del></div>',
            '<div class="long"><span>In </span><ins>two</ins><span> days</span><ins> & &lt;b></ins></div>',
        )
        assert "<del>三</del><span>天</span>" in marked("三天", "五天")[0]

    def test_all_kinds_are_drawn_for_both_languages(self) -> None:
        fresh = [stored(f"question {n} <i>", "many", "Many.") for n in range(LISTED + 5)]
        plan = Plan((PAIRS[3], PAIRS[5]), (*fresh, stored("do you sell tea", "track", "On its way.")))
        for words in ANSWER_WORDS.values():
            drawn = changed(changes.seen(PAIRS, plan), words)
            for kind in ("answers_added", "answers_removed", "questions_added", "questions_removed"):
                assert f"<summary>{words.kinds[kind]}" in drawn
            assert f"{words.kinds['questions_moved']} (1)" in drawn
            assert words.more.format(count="5") in drawn and "<i>" not in drawn
        assert changed(changes.seen(PAIRS, Plan()), ENGLISH) == f'<p class="quiet">{ENGLISH.no_change}</p>'


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_an_export_is_read_again_as_the_same_pairs(tmp_path: Path, suffix: str) -> None:
    hostile = [
        "=1+1",
        "'=1",
        "''",
        "-",
        "@x",
        "+49 1",
        "\t=1",
        "a\r\nb\rc",
        '"q", ;',
        " spaced ",
        "_x0041_",
        HOSTILE,
    ]
    texts = [text.replace("\0", "") for text in hostile]
    odd = {" date ": "=1", "Question": "x", "date": "y", "": "z"}
    pairs = [stored(f"{text} {n}", f"a{n}", text) for n, text in enumerate(texts) if text.strip()]
    pairs = [*pairs, QAPair(QAPair.content_id("last", "l", "zh"), "last", "L", "l", "zh", "=src", odd)]
    file = tmp_path / f"out.{suffix}"
    write_table(file, *exported(pairs))
    again = read_pairs([file]).pairs
    kept = [(p.id, p.question, p.answer, p.answer_id, p.language, p.source) for p in pairs]
    assert [(p.id, p.question, p.answer, p.answer_id, p.language, p.source) for p in again] == kept
    assert sorted(again[-1].metadata.values()) == ["=1", "x", "y", "z"]
    found = changes.compare(pairs, read_pairs([file]), Scope.REPLACE)
    assert [pair.id for pair in found.plan.added] == [pairs[-1].id]  # its columns had to get other names
    assert not changes.compare(again, read_pairs([file]), Scope.REPLACE).plan


@dataclass
class Lead:
    """The tab in somebody's browser."""

    page: Page
    editor: Editor
    folder: Path
    requests: list[str] = field(default_factory=list)

    def section(self, number: int) -> None:
        self.page.locator("#answers [role=tab]").nth(number).click()

    def open(self, answer_id: str, language: str = "en") -> None:
        self.page.click(f'#answers-found button[data-answer="{answer_id}"][data-language="{language}"]')
        expect(self.page.locator("#answers-head h3")).to_contain_text(answer_id)

    def upload(self, text: str, name: str = "pairs.csv") -> Path:
        file = self.folder / name
        file.write_text(text, "utf-8")
        self.page.set_input_files("#import-file input[type=file]", file)
        return file

    def at(self, selector: str) -> Locator:
        return self.page.locator(selector)

    @property
    def live(self) -> FakeLive:
        assert isinstance(self.editor.live, FakeLive)
        return self.editor.live

    def texts(self, answer_id: str, language: str = "en") -> set[str]:
        return {p.answer for p in self.live.pairs() if (p.answer_id, p.language) == (answer_id, language)}


Visit = Callable[..., Lead]


def workshop(editor: Editor) -> gr.Blocks:
    """A page with nothing but the tab and what it needs of its page."""
    with gr.Blocks(title="Workshop", analytics_enabled=False) as page:
        language = gr.Radio(
            [(WORDS[code].name, code) for code in ("en", "zh")], value="en", label="Language", elem_id="language"
        )
        who = gr.Textbox(label="Your name", elem_id="who")
        tab(page, editor, language, who)
    return page


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    editor = Editor(FakeLive(PAIRS), SqlEdits(journal.database))
    site = launch({"/": workshop(editor)}, port=0)

    def arrive(
        name: str = "Anna",
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        chinese: bool = False,
    ) -> Lead:
        size: ViewportSize = {"width": width, "height": 900}
        page = browser.new_page(locale="en", viewport=size, color_scheme=scheme)
        lead = Lead(page, editor, tmp_path)

        def asked(request: Request) -> None:
            if not request.url.startswith((site.address, "data:", "blob:")):
                lead.requests.append(request.url)

        page.on("request", asked)
        page.on("dialog", lambda dialog: lead.requests.append(dialog.message))
        page.goto(site.address)
        expect(page.locator("#answers-found button").first).to_be_visible()
        page.wait_for_timeout(1000)  # what is filled in while the page still draws itself is not heard
        page.locator("#who :is(textarea, input)").press_sequentially(name)
        if chinese:
            page.locator("#language").get_by_text("中文").click()
            expect(page.locator("#answers-head")).to_contain_text(CHINESE.choose)
        return lead

    yield arrive
    for context in browser.contexts:
        context.close()
    site.close()
    journal.close()


@pytest.mark.browser
class TestInABrowser:
    def test_an_answer_is_found_reworded_and_undone(self, visit: Visit) -> None:
        lead = visit()
        lead.page.locator("#answers-search :is(input, textarea)").press_sequentially("parcel")
        expect(lead.at("#answers-found button")).to_have_count(1)
        lead.open("track")
        expect(lead.at("#answers-text textarea")).to_have_value("On its way.")
        lead.page.fill("#answers-text textarea", "Look at <b>My orders</b>.")
        lead.page.click("#answers-save")
        expect(lead.at("#answers-told")).to_have_text(ENGLISH.saved.format(version="v2"))
        assert lead.texts("track") == {"Look at <b>My orders</b>."} and lead.texts("track", "zh") == {"在路上。"}
        lead.page.click("#answers-undo")
        expect(lead.at("#answers-told")).to_have_text(ENGLISH.undone.format(version="v1"))
        expect(lead.at("#answers-text textarea")).to_have_value("On its way.")
        assert [(e.who, e.kind, e.why) for e in lead.editor.edits.latest(9)] == [
            ("Anna", Kind.UNDONE, "text of track"),
            ("Anna", Kind.PUBLISHED, "text of track"),
        ]
        assert lead.requests == []

    def test_questions_come_and_go_answers_are_merged_and_retired(self, visit: Visit) -> None:
        lead = visit()
        lead.open("track")
        lead.page.fill("#answers-more textarea", "has it left?\n\n  where is it now\ndo you sell tea")
        lead.page.click("#answers-add")
        expect(lead.at("#answers-asked li")).to_have_count(5)
        expect(lead.at("#answers-told .bad")).to_contain_text("do you sell tea: tea, track")
        expect(lead.at("#answers-more textarea")).to_have_value("")
        lead.page.locator("#answers-asked li", has_text="has it left?").get_by_role("button").click()
        expect(lead.at("#answers-asked li")).to_have_count(4)
        lead.open("tea")
        lead.page.fill("#answers-into input", "refund")
        lead.page.press("#answers-into input", "Enter")
        lead.page.click("#answers-merge")
        expect(lead.at("#answers-head h3")).to_contain_text("refund")
        expect(lead.at("#answers-asked li")).to_have_count(2)
        assert lead.texts("tea") == set()
        lead.page.click("#answers-retire")
        expect(lead.at("#answers-head")).to_contain_text(ENGLISH.choose)
        assert lead.texts("refund") == set() and lead.texts("refund", "zh") == {"三天。"}

    def test_two_leads_and_nothing_typed_is_lost(self, visit: Visit) -> None:
        anna, bo = visit(), visit("Bo")
        for lead in (anna, bo):
            lead.open("track")
        anna.page.fill("#answers-text textarea", "Anna's text.")
        bo.page.fill("#answers-text textarea", "Bo's text.")
        bo.page.click("#answers-save")
        expect(bo.at("#answers-told")).to_contain_text("v2")
        anna.page.click("#answers-save")
        expect(anna.at("#answers-told")).to_have_text(ENGLISH.changed_meanwhile)
        expect(anna.at("#answers-text textarea")).to_have_value("Anna's text.")
        expect(anna.at("#answers-head blockquote")).to_have_text("Bo's text.")
        assert anna.texts("track") == {"Bo's text."}
        anna.open("tea")
        anna.open("track")
        expect(anna.at("#answers-text textarea")).to_have_value("Anna's text.")
        anna.page.click("#answers-save")
        expect(anna.at("#answers-told")).to_contain_text("v3")
        assert anna.texts("track") == {"Anna's text."}
        bo.page.click("#answers-undo")
        expect(bo.at("#answers-told")).to_contain_text("Anna made what is live now (text of track)")

    def test_without_a_name_and_after_another_program(self, visit: Visit) -> None:
        lead = visit("")
        lead.open("track")
        lead.page.fill("#answers-text textarea", "Sent.")
        lead.page.click("#answers-save")
        expect(lead.at("#answers-told")).to_have_text("nobody is named who does this; say who you are first")
        lead.live.elsewhere(Plan(removed=PAIRS[3:4]))
        lead.page.locator("#who :is(textarea, input)").press_sequentially("Anna")
        lead.page.click("#answers-save")
        expect(lead.at("#answers-told")).to_contain_text(
            "index is at v2, no longer v1; not written; load it again"
        )
        expect(lead.at('#answers-found button[data-answer="tea"]')).to_have_count(0)
        expect(lead.at("#answers-text textarea")).to_have_value("Sent.")
        lead.page.click("#answers-save")
        expect(lead.at("#answers-told")).to_contain_text("version v3")

    def test_a_file_is_compared_published_and_undone(self, visit: Visit) -> None:
        lead = visit()
        lead.section(1)
        file = lead.upload(
            "Frage,Antwort,answer_id,language\n"
            "Where is my parcel?,In <i>My orders</i>.,track,en\n,x,y,en\n"
            "do you sell tea,In three days.,refund,en\n"
        )
        expect(lead.at("#import-report")).to_contain_text("Choose the column of the Question, Answer.")
        expect(lead.at("#import-publish")).to_be_disabled()
        for name, column in (("question", "Frage"), ("answer", "Antwort")):
            lead.page.click(f"#import-{name} input")
            lead.page.get_by_role("option", name=column, exact=True).click()
            expect(lead.page.get_by_role("option")).to_have_count(0)  # they fade out
        expect(lead.at("#import-report")).to_contain_text("3 rows read: 2 pairs kept")
        expect(lead.at("#import-difference del")).to_contain_text(["its"])
        file.write_text("question,answer\nsomething else,entirely\n", "utf-8")
        assert lead.live.version == "v1"
        lead.page.locator("#import-scope label").nth(1).click()
        expect(lead.at("#import-difference")).to_contain_text("what bad rows hold would be lost")
        expect(lead.at("#import-publish")).to_be_disabled()
        lead.page.locator("#import-scope label").nth(0).click()
        expect(lead.at("#import-publish")).to_be_enabled()
        lead.page.click("#import-publish")
        expect(lead.at("#import-told")).to_have_text(ENGLISH.published.format(version="v2"))
        expect(lead.at("#import-difference")).to_contain_text(ENGLISH.no_change)
        assert lead.texts("track") == {"In <i>My orders</i>."} and lead.texts("tea") == set()
        lead.page.click("#import-undo")
        expect(lead.at("#import-told")).to_contain_text("v1")
        expect(lead.at("#import-publish")).to_be_enabled()
        assert lead.texts("track") == {"On its way."}

    def test_what_changed_since_the_comparison_is_compared_again(self, visit: Visit) -> None:
        lead = visit()
        lead.section(1)
        lead.upload(HEADER + "Where is my parcel?,On its way.,track,en\n")
        expect(lead.at("#import-difference")).to_contain_text("Nothing would change")
        lead.page.locator("#import-scope label").nth(1).click()
        expect(lead.at("#import-difference summary").first).to_have_text("Answers removed (2)")
        lead.editor.publish(Plan(added=(stored("coffee?", "coffee", "Yes."),)), "Bo", "")
        lead.page.click("#import-publish")
        expect(lead.at("#import-told")).to_contain_text("has changed since this was made for v1: it is v2 now")
        expect(lead.at("#import-difference summary").first).to_have_text("Answers removed (3)")
        assert lead.live.version == "v2"

    def test_files_that_cannot_be_read_say_so(self, visit: Visit) -> None:
        lead = visit()
        lead.section(1)
        lead.upload("question,answer\n")
        expect(lead.at("#import-report .bad")).to_have_text(
            "pairs.csv: there is no row below the header; add the pairs"
        )

    def test_ten_thousand_rows(self, visit: Visit) -> None:
        lead = visit()
        lead.section(1)
        lead.upload(
            HEADER + "".join(f"question number {n},Answer {n // 5}.,a{n // 5},en\n" for n in range(10_000))
        )
        expect(lead.at("#import-report")).to_contain_text("10,000 rows read", timeout=60_000)
        expect(lead.at("#import-difference summary").first).to_have_text("Answers added (2,000)")
        lead.page.click("#import-publish")
        expect(lead.at("#import-told")).to_contain_text("version v2", timeout=60_000)
        lead.section(0)
        lead.page.locator("#answers-search :is(input, textarea)").press_sequentially("number 9999")
        expect(lead.at("#answers-found button")).to_have_count(1)

    def test_history_goes_back_and_a_version_is_exported(self, visit: Visit, tmp_path: Path) -> None:
        lead = visit()
        lead.editor.publish(revise.reword(PAIRS, "track", HOSTILE.replace("\0", ""), "en"), "<i>Bo</i>", "<b>")
        lead.section(2)
        rows = lead.at("#history-list tbody tr")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("<i>Bo</i>")
        expect(rows.first).to_contain_text("Answers reworded: 1")
        rows.first.locator("button[data-show]").click()
        expect(lead.at("#history-changes ins")).to_contain_text(["<script>alert(1)</script>"])
        lead.page.click("#export-xlsx")
        with lead.page.expect_download() as waiting:
            lead.page.click("#export-download")
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        assert file.name == "answers-v2.xlsx" and openpyxl.load_workbook(file).active is not None
        assert not changes.compare(lead.live.pairs(), read_pairs([file]), Scope.REPLACE).plan
        lead.page.click('#history-list button[data-back="v1"]')
        expect(lead.at("#history-told")).to_contain_text("v1")
        expect(rows).to_have_count(3)
        assert lead.texts("track") == {"On its way."}
        lead.page.click("#history-undo")
        expect(lead.at("#history-told")).to_contain_text("v2")
        assert lead.requests == []

    @pytest.mark.skipif(not AXE.exists(), reason="no axe-core here: npm ci")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(("chinese", "width"), [(False, 1280), (True, 360)])
    def test_axe_finds_nothing_serious(self, visit: Visit, chinese: bool, width: int, scheme: str) -> None:
        lead = visit(width=width, scheme=scheme, chinese=chinese)
        lead.open("track")
        lead.page.fill("#answers-text textarea", "Other <b>text</b>.")
        lead.page.click("#answers-save")
        expect(lead.at("#answers-told")).to_contain_text("v2")
        assert offences(lead.page) == []
        assert lead.page.evaluate("document.documentElement.scrollWidth") <= width
        lead.section(1)
        lead.upload(HEADER + "Where is my parcel?,New.,track,en\n,x,y,en\nnew,N.,n,en\ndo you sell tea,N.,n,en\n")
        expect(lead.at("#import-difference details").first).to_be_visible()
        assert offences(lead.page) == []
        assert lead.page.evaluate("document.documentElement.scrollWidth") <= width
        lead.section(2)
        lead.page.locator("#history-list button[data-show]").first.click()
        expect(lead.at("#history-changes ins").first).to_be_visible()
        assert offences(lead.page) == []
        assert lead.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_a_language_that_comes_while_the_page_is_drawn_is_drawn(browser: Browser, tmp_path: Path) -> None:
    class Slow(FakeLive):
        def pairs(self) -> tuple[QAPair, ...]:
            time.sleep(1.5)
            return super().pairs()

    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    editor = Editor(Slow(PAIRS), SqlEdits(journal.database))
    site = launch({"/": build_workshop(editor, journal, company="Kitewire", dialogues=())}, port=0)
    page = browser.new_page(locale="zh-CN")
    page.goto(site.address)
    expect(page.locator("#answers-search")).to_contain_text(CHINESE.search)
    page.context.close()
    site.close()
    journal.close()
