"""The workshop of the demo bot, in real browsers: what a lead changes there, customers are told in the chat."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chatbot.ui.answer_words import ANSWER_WORDS, ENGLISH
from chatbot.ui.measured_words import ENGLISH_EVALUATION
from chatbot.ui.workshop_words import ENGLISH as WORKSHOP
from tests.browsing import HOSTILE
from tests.touring import SLIDE, SLOW, Tour, alive, ask, ask_first, blame, touring

pytestmark = [pytest.mark.demo, pytest.mark.browser, pytest.mark.timeout(1800)]

NEW = {  # a question that the demo has no answer to, and one; what an answer of the demo's is to say instead
    "en": ("do you rent out kayaks", "We rent kayaks from May to September.", "We wrap it for $3."),
    "zh-CN": ("你们出租皮划艇吗", "亲，5月到9月可以租皮划艇。", "亲，包装3元。"),
}

LISTEN = """element => {
    window.heard = [];
    const listen = new MutationObserver(() => heard.push(element.textContent));
    listen.observe(element, {subtree: true, childList: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def served(index: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with touring(index, browser, tmp_path_factory.mktemp("served")) as tour:
        yield tour


@pytest.fixture
def tour(served: Tour) -> Iterator[Tour]:
    """Ends with the version that it began with."""
    before = served.live.version
    yield served
    served.end()
    assert served.live.version == before


def section(lead: Page, number: int) -> None:
    lead.locator("#answers [role=tab]").nth(number).click()


def take_in(lead: Page, name: str, data: bytes) -> None:
    """A file for the import."""
    section(lead, 1)
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    lead.set_input_files("#import-file input[type=file]", file)  # type: ignore[arg-type]


def choose(lead: Page, box: str, option: str) -> None:
    lead.click(f"{box} input")
    lead.get_by_role("option", name=option, exact=True).click()
    expect(lead.get_by_role("option")).to_have_count(0)  # they fade out


def dialogues(text: str, expected: str) -> bytes:
    """A file for the evaluation: one turn."""
    asked = {"role": "user", "text": text, "expected": [expected]}
    return json.dumps({"id": text, "language": "en", "turns": [asked]}).encode()


def evaluate(lead: Page, data: bytes) -> None:
    with lead.expect_file_chooser() as choosing:
        lead.click("#evaluation-file")
    file = {"name": "own.jsonl", "mimeType": "text/plain", "buffer": data}
    choosing.value.set_files(file)  # type: ignore[arg-type]


def open_answer(lead: Page, answer_id: str) -> None:
    lead.fill("#answers-search :is(input, textarea)", answer_id)
    found = lead.locator("#answers-found button")
    expect(found.first).to_contain_text(answer_id)
    found.filter(has_text=f"{answer_id} · en").click()
    expect(lead.locator("#answers-head h3")).to_contain_text(answer_id)


@pytest.mark.parametrize("locale", NEW)
def test_a_file_is_taken_in_and_rolled_back(tour: Tour, locale: str) -> None:
    question, answer, other = NEW[locale]
    words, language, before = ANSWER_WORDS[locale[:2]], locale[:2], tour.live.version
    wrapping = next(p for p in tour.live.pairs() if (p.answer_id, p.language) == ("gift_wrap", language))
    lead, customer = tour.workshop(locale), tour.chat(locale=locale)
    unanswered, wrapped = ask(customer, question), ask_first(customer, wrapping.question)
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [
            ("Frage", "Antwort", "answer_id", "language"),
            (question, answer, "kayaks", language),
            (wrapping.question, other, "gift_wrap", language),
            ("", answer, "kayaks", language),
        ]
    )
    take_in(lead, "kayaks.csv", rows.getvalue().encode())
    report, difference = lead.locator("#import-report"), lead.locator("#import-difference")
    expect(report).to_contain_text(words.choose_columns.partition("{")[0], timeout=SLOW)
    choose(lead, "#import-question", "Frage")
    choose(lead, "#import-answer", "Antwort")
    expect(report).to_contain_text(words.read.format(rows=3, kept=2, exact=0, near=0, bad=1), timeout=SLOW)
    expect(report.locator("details").first).to_contain_text("4the question is empty")
    expect(report.locator("details").last.locator("tbody tr")).to_have_count(2)
    expect(difference.locator("summary")).to_have_text(
        [f"{words.kinds[kind]} (1)" for kind in ("answers_added", "answers_reworded", "questions_added")]
    )
    expect(difference.locator("ins").first).to_be_visible()
    assert ask_first(customer, question) == unanswered  # nothing is live yet
    lead.click("#import-publish")
    expect(lead.locator("#import-told")).to_contain_text(words.published.partition("{")[0], timeout=SLOW)
    assert ask_first(customer, question) == answer
    assert ask_first(customer, wrapping.question) == other
    section(lead, 2)
    expect(lead.locator("#history-list tbody tr").first).to_contain_text(words.imported.format(file="kayaks.csv"))
    lead.click(f'#history-list button[data-back="{before}"]')
    expect(lead.locator("#history-told")).to_have_text(words.rolled_back.format(version=before), timeout=SLOW)
    assert ask_first(customer, question) == unanswered
    assert ask_first(customer, wrapping.question) == wrapped


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_an_export_that_is_taken_in_again_changes_nothing(tour: Tour, suffix: str) -> None:
    lead = tour.workshop()
    section(lead, 2)
    lead.click(f"#export-{suffix}")
    with lead.expect_download() as taken:
        lead.click("#export-download")
    section(lead, 1)
    lead.locator("#import-scope label").nth(1).click()  # in place of what is there
    take_in(lead, f"again.{suffix}", Path(taken.value.path()).read_bytes())
    kept = f"{len(tour.live.pairs()):,}"
    expect(lead.locator("#import-report")).to_contain_text(f"{kept} rows read: {kept} pairs kept", timeout=SLOW)
    expect(lead.locator("#import-difference")).to_contain_text(ENGLISH.no_change, timeout=SLOW)
    expect(lead.locator("#import-publish")).to_be_disabled()


def test_an_answer_is_reworded_merged_retired_and_each_time_brought_back(tour: Tour) -> None:
    question = next(p.question for p in tour.live.pairs() if (p.answer_id, p.language) == ("gift_wrap", "en"))
    lead, customer = tour.workshop(), tour.chat()
    said = ask(customer, question)
    told = lead.locator("#answers-told")

    def done(button: str) -> None:
        lead.click(button)
        expect(told).to_contain_text(ENGLISH.saved.partition("{")[0], timeout=SLOW)

    def undone() -> None:
        lead.click("#answers-undo")
        expect(told).to_contain_text(ENGLISH.undone.partition("{")[0], timeout=SLOW)
        assert ask_first(customer, question) == said

    open_answer(lead, "gift_wrap")
    lead.fill("#answers-text textarea", "We wrap it for $3.")
    done("#answers-save")
    assert ask_first(customer, question) == "We wrap it for $3."
    undone()
    open_answer(lead, "gift_wrap")
    lead.fill("#answers-into input", "gift_card")
    lead.press("#answers-into input", "Enter")
    done("#answers-merge")
    expect(lead.locator("#answers-head h3")).to_contain_text("gift_card")
    assert ask_first(customer, question) == tour.text("gift_card")
    undone()
    open_answer(lead, "gift_wrap")
    done("#answers-retire")
    assert ask_first(customer, question) != said
    undone()


def test_a_hit_test_and_an_explanation(tour: Tour) -> None:
    lead = tour.workshop(tab=1)
    lead.fill("#probes textarea", "where is my parcel\ndo you sell kayaks")
    lead.click("#try")
    expect(lead.locator("button[data-hit]")).to_have_count(2, timeout=SLOW)
    expect(lead.locator("#workshop")).to_contain_text("track_parcel")
    lead.get_by_role("tab", name="Why").click()
    lead.locator("#why-question").locator("input, textarea").fill("how do i send my order back")
    lead.locator("#why-question").locator("input, textarea").press("Enter")
    expect(lead.locator("#why-shown")).to_contain_text("Which words count", timeout=SLOW)
    lead.get_by_role("tab", name="Insights").click()
    expect(lead.locator("#workshop")).to_contain_text("Conversations", timeout=SLOW)


def test_the_chat_decides_by_a_threshold_that_was_moved_until_it_is_undone(tour: Tour) -> None:
    question, before = "Where is my parcel?", tour.live.version
    lead, customer = tour.workshop(tab=3), tour.chat()
    said = ask(customer, question)
    lead.click("#observe")
    status, answered = lead.locator("#thresholds-status"), lead.locator("#effect tbody tr").first.locator("td")
    expect(status).to_contain_text(before, timeout=SLOW)
    expect(lead.locator("#changes")).to_have_text(WORKSHOP.thresholds.unchanged)
    assert answered.first.inner_text() == answered.last.inner_text() != "0"
    for slider in ("answer", "later-answer"):
        lead.locator(f"#{slider} input[type=range]").evaluate(SLIDE, 1)
    expect(answered.last).to_have_text("0")
    expect(lead.locator("#changes tbody tr").first).to_be_visible()
    assert ask_first(customer, question) == said  # it is no more than foretold
    lead.click("#publish")
    expect(status).to_contain_text("Published for English", timeout=SLOW)
    assert tour.text("track_parcel") not in ask_first(customer, question)
    lead.click("#undo")
    expect(status).to_have_text(WORKSHOP.thresholds.undone.format(version=before), timeout=SLOW)
    assert ask_first(customer, question) == said


def test_an_evaluation_shows_how_far_it_is_what_came_of_it_and_is_taken_along(tour: Tour) -> None:
    scored = [turn for one in tour.dialogues for turn in one.turns if turn.expected is not None]
    lead = tour.workshop(tab=4)
    status, result = lead.locator("#evaluation-status"), lead.locator("#evaluation")
    status.evaluate(LISTEN)
    lead.click("#evaluate")
    done = ENGLISH_EVALUATION.done.format(turns=len(scored), version=tour.live.version)
    expect(status).to_have_text(done, timeout=SLOW)
    assert any(ENGLISH_EVALUATION.asking in said for said in lead.evaluate("heard"))
    turns = result.locator("tbody tr", has=lead.get_by_role("rowheader", name="Turns", exact=True))
    assert turns.locator("td").first.inner_text() == str(len(scored))
    for language in ("English", "中文"):
        drawn = result.get_by_alt_text(language)
        expect(drawn).to_have_js_property("complete", True)  # also of one that cannot be read
        assert drawn.evaluate("image => image.naturalWidth") > 0
    with lead.expect_download() as taken:
        lead.click('a[download="metrics.json"]')
    metrics = json.loads(Path(taken.value.path()).read_bytes())
    assert (metrics["turns"], sorted(metrics["languages"])) == (len(scored), ["en", "zh"])
    with lead.expect_download() as taken:
        lead.click('a[download="predictions.csv"]')
    rows = list(csv.DictReader(io.StringIO(Path(taken.value.path()).read_text("utf-8"))))
    assert [row["text"] for row in rows] == [turn.text for turn in scored]


def test_what_is_taken_for_what_is_counted(tour: Tour) -> None:
    lead = tour.workshop(tab=4)
    evaluate(lead, dialogues("Where is my parcel?", "gift_card"))
    confused = lead.locator("#evaluation table").last.locator("tbody tr")
    expect(confused).to_have_text("gift_cardtrack_parcel1Where is my parcel?", timeout=SLOW)


def test_what_a_file_holds_stays_text_on_every_page(tour: Tour) -> None:
    evil = HOSTILE.replace("\0", "").replace("\x1b", "")
    question, script = f"do you rent out kayaks {evil.partition(' ![')[0]}", "<script>alert(1)</script>"
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [
            ("question", "answer", "answer_id", "language", "source", evil),
            (question, evil, evil, "en", evil, evil),
            (evil, "x", "x", evil, "x", "x"),
            ("x", "x", f"{evil}\x1b", "en", "x", "x"),
        ]
    )
    lead, agent, customer = tour.workshop(), tour.desk(), tour.chat()
    take_in(lead, f"{evil[:60].replace('/', '')}.csv", rows.getvalue().encode())
    report = lead.locator("#import-report")
    expect(report.locator("details").first.locator("tbody tr")).to_contain_text(
        ["3the language '<script>", "4the answer_id '<script>"], timeout=SLOW
    )
    expect(report.locator("details").last.locator("tbody td")).to_contain_text([script, script, "en", script])
    expect(lead.locator("#import-difference")).to_contain_text(script)
    lead.click("#import-question input")
    expect(lead.get_by_role("option")).to_contain_text([script])
    lead.keyboard.press("Escape")
    assert alive(lead) == []
    lead.click("#import-publish")
    expect(lead.locator("#import-told")).to_contain_text("Published", timeout=SLOW)

    assert script in ask(customer, question)
    expect(customer.locator("#note")).to_contain_text(script)
    expect(customer.locator("#why")).to_contain_text(script)
    blame(customer, evil)
    ask(customer, "I would like to talk to a person")
    ask(customer, question)
    agent.locator("#inbox button", has_text=question[:60]).click()
    expect(agent.locator("#suggestions")).to_contain_text(script)
    assert alive(customer) == alive(agent) == []
    agent.get_by_role("tab", name="Thumbs down").click()
    agent.locator("#blamed-list button", has_text=question[:60]).click()
    expect(agent.locator("#blamed-head")).to_contain_text(f"({script}")
    assert alive(agent) == []

    section(lead, 0)
    open_answer(lead, evil)
    expect(lead.locator("#answers-asked")).to_contain_text(script)
    section(lead, 2)
    expect(lead.locator("#history-list tbody tr").first).to_contain_text("import of script")  # it is there by now
    lead.locator("#history-list button[data-show]").first.click()
    expect(lead.locator("#history-changes")).to_contain_text(script)
    lead.get_by_role("tab", name="Hit test", exact=True).click()
    lead.fill("#probes textarea", question)
    lead.click("#try")
    lead.click("#hits button")
    expect(lead.locator("#hit-candidates tbody")).to_contain_text(script)
    lead.get_by_role("tab", name="Why", exact=True).click()
    lead.fill("#why-question :is(input, textarea)", question)
    lead.press("#why-question :is(input, textarea)", "Enter")
    expect(lead.locator("#why-shown")).to_contain_text("Which words count", timeout=SLOW)
    lead.get_by_role("tab", name="Evaluation", exact=True).click()
    evaluate(lead, dialogues(question, f"not {evil}"))
    expect(lead.locator("#evaluation table").last.locator("tbody tr")).to_contain_text(f"{script}", timeout=SLOW)
    lead.get_by_role("tab", name="Insights", exact=True).click()
    expect(lead.locator("#most-often table").nth(1)).to_contain_text(script)
    assert alive(lead) == []
    lead.get_by_role("tab", name="Answers", exact=True).click()
    lead.click("#history-undo")
    expect(lead.locator("#history-told")).to_contain_text("Undone", timeout=SLOW)
