"""The desk's tabs for unanswered questions and blamed answers in a real Chromium, on a bot that counts words."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Request, expect

from chatbot.check import Check
from chatbot.domain import Conversation, HeldOutDialogue, HeldOutTurn, Role
from chatbot.editor import Editor
from chatbot.insight.revise import PROVENANCE
from chatbot.journal import SqlDesk, SqlEdits, SqlJournal, SqlReviews, Verdict
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.launch import launch
from chatbot.ui.mend import Mend
from chatbot.ui.mend_words import CHINESE, ENGLISH, MEND_WORDS
from tests.browsing import AXE, HOSTILE, offences
from tests.mending import CountingBot, counting_bot

pytestmark = pytest.mark.browser

SLOW = 30_000  # milliseconds that a check may take on a busy machine
WORSE = HeldOutDialogue("d1", "en", (HeldOutTurn(Role.USER, "a kayak", ()),))
BETTER = HeldOutDialogue("d2", "en", (HeldOutTurn(Role.USER, "kayak hire", ("boats",)),))


@dataclass
class Staff:
    """An agent's page, and what lies behind it."""

    page: Page
    live: CountingBot
    journal: SqlJournal
    reviews: SqlReviews
    strange: list[str]  # dialogs that opened, and requests that left

    def tab(self, number: int) -> None:
        self.page.get_by_role("tab").nth(number).click()

    def at(self, name: str) -> Locator:
        return self.page.locator(f"#{name}")

    def fill(self, name: str, text: str) -> None:
        self.page.fill(f"#{name} :is(input, textarea)", text)

    def says(self, text: str) -> str | None:
        return self.live.reply(Conversation(), text).answer_id


Come = Callable[..., Staff]


@pytest.fixture
def come(browser: Browser, tmp_path: Path) -> Iterator[Come]:
    live, journal = counting_bot(tmp_path / "bot"), SqlJournal.connect(tmp_path / "journal.sqlite")
    desk, reviews, sites = SqlDesk(journal.database), SqlReviews(journal.database), []

    def ask(text: str, *thumbs: tuple[bool, str]) -> None:
        talk = journal.open()
        number = journal.record(talk, text, live.reply(Conversation(), text))
        for liked, comment in thumbs:
            journal.feedback(number, liked, comment)

    def arrive(
        *asked: str,
        blamed: tuple[tuple[str, str], ...] = (),
        dialogues: tuple[HeldOutDialogue, ...] = (),
        locale: str = "en-US",
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        agent: str = "Anna",
    ) -> Staff:
        for text in asked:
            ask(text)
        for text, comment in blamed:
            ask(text, (False, comment))
        mend = Mend(Editor(live, SqlEdits(journal.database)), reviews, Check(live, dialogues), threading.Lock())
        advice = Advice(lambda *_: (), lambda texts: texts)
        page = build_desk(journal, desk, advice, company="Ada & Sons", languages=["en", "zh"], mend=mend)
        sites.append(launch({"/desk": page}, port=0))
        opened = browser.new_page(locale=locale, viewport={"width": width, "height": 800}, color_scheme=scheme)
        staff = Staff(opened, live, journal, reviews, [])
        inside = (sites[-1].address, "data:", "blob:")

        def heard(dialog: Dialog) -> None:
            staff.strange.append(dialog.message)
            dialog.dismiss()

        def left(request: Request) -> None:
            if not request.url.startswith(inside):
                staff.strange.append(request.url)

        opened.on("dialog", heard)
        opened.on("request", left)
        opened.goto(f"{sites[-1].address}desk/")
        words = MEND_WORDS["zh" if locale.startswith("zh") else "en"]
        expect(opened.get_by_role("tab")).to_have_text([words.inbox_tab, words.gaps_tab, words.blamed_tab])
        staff.fill("agent", agent)
        return staff

    yield arrive
    for context in browser.contexts:
        context.close()
    for site in sites:
        site.close()
    journal.close()


def test_a_gap_gets_a_stored_answer_with_one_click_and_an_undo_takes_it_back(come: Come) -> None:
    staff = come("rent a kayak?", "a KAYAK please", "a kayak", "refund please")
    before = staff.live.version
    staff.tab(1)
    gap = staff.page.locator("#gaps-list button")
    expect(gap).to_have_count(1)  # what is answered is no gap
    expect(gap).to_contain_text("en · asked 3×")
    expect(gap.get_by_role("img")).to_have_attribute(
        "aria-label", ENGLISH.trend.format(days=14, count="0, " * 13 + "3")
    )
    gap.click()
    boxes = staff.at("gaps-questions").get_by_role("checkbox")
    expect(staff.at("gaps-offers").locator("li")).to_have_count(3)
    expect(staff.at("gaps-offers")).to_contain_text("similarity 0.50 · confidence 0%")
    named = staff.at("gaps-questions").get_by_label("rent a kayak?", exact=True)
    expect(named).to_be_checked()
    assert boxes.evaluate_all("boxes => boxes.every(box => box.checked)")
    named.uncheck()
    staff.page.locator("#gaps-offers button[data-answer=wrap]").click()
    expect(staff.at("gaps-finished")).to_contain_text(ENGLISH.live.format(count=2, answer="wrap"))
    expect(staff.at("gaps-finished")).to_contain_text(ENGLISH.no_dialogues)
    expect(staff.at("gaps-list")).to_contain_text(ENGLISH.no_gaps)
    assert staff.says("kayak") == "wrap"
    added = [pair for pair in staff.live.pairs() if PROVENANCE in pair.metadata]
    assert {pair.question for pair in added} == {"a KAYAK please", "a kayak"}
    assert all(pair.metadata[PROVENANCE].startswith("added by Anna, 20") for pair in added)
    staff.page.click("#gaps-undo")
    expect(gap).to_have_count(1)
    expect(staff.at("gaps-finished")).to_have_text(ENGLISH.undone)
    assert (staff.live.version, staff.says("kayak")) == (before, None)
    assert staff.strange == []


def test_a_new_answer_that_harms_is_tried_first_and_published_only_on_purpose(come: Come) -> None:
    staff = come("有 皮划艇 吗", "a kayak", "a kayak", dialogues=(WORSE, BETTER), locale="zh-CN")
    before = staff.live.version
    staff.tab(1)
    staff.page.locator("#gaps-list button").first.click()
    staff.at("gaps-new").get_by_role("button", name=CHINESE.new).click()
    expect(staff.page.locator("#gaps-id :is(input, textarea)")).to_have_value("a_kayak")
    staff.fill("gaps-text", "Three kinds.")
    staff.fill("gaps-id", "boats")
    staff.page.click("#gaps-add")
    expect(staff.at("gaps-publish")).to_have_text(CHINESE.publish_anyway, timeout=SLOW)
    outcome = staff.at("gaps-outcome")
    expect(outcome).to_contain_text("1 条原本正确的将变为错误, 1 条将变为正确")
    expect(outcome.locator("tr").nth(1)).to_have_text("变差a kayak没有已有答案转人工回答 boats")
    assert (staff.live.version, staff.says("kayak")) == (before, None)
    staff.page.click("#gaps-cancel")
    expect(staff.at("gaps-publish")).to_be_hidden()
    expect(outcome).to_have_text("")
    staff.page.click("#gaps-add")
    expect(staff.at("gaps-publish")).to_be_visible(timeout=SLOW)
    staff.page.dblclick("#gaps-publish")
    expect(staff.page.locator("#gaps-list button")).to_have_count(1)
    expect(staff.page.locator("#gaps-list button")).to_contain_text("皮划艇")
    expect(staff.at("gaps-finished")).to_have_text(CHINESE.live.format(count=1, answer="boats"))
    assert staff.says("kayak") == "boats"


def test_questions_that_need_no_answer_are_dismissed_and_taken_back(come: Come) -> None:
    staff = come("rent a kayak?", "a KAYAK please", "a drone")
    staff.tab(1)
    gap = staff.page.locator("#gaps-list button")
    expect(gap).to_have_count(2)
    gap.first.click()
    expect(staff.at("gaps-questions").get_by_role("checkbox")).to_have_count(2)
    staff.page.click("#gaps-dismiss")
    expect(staff.at("gaps-finished")).to_have_text(ENGLISH.needs_none.format(count=2))
    expect(gap).to_have_count(1)
    expect(gap).to_contain_text("a drone")
    staff.page.click("#gaps-undo")
    expect(staff.at("gaps-finished")).to_have_text(ENGLISH.asked_again)
    expect(gap).to_have_count(2)


def test_a_blamed_answer_is_corrected_taken_back_and_judged(come: Come) -> None:
    staff = come(blamed=(("parcel parcel", "Not what I asked"), ("gift wrapping", "")))
    staff.tab(2)
    listed = staff.page.locator("#blamed-list button")
    expect(listed).to_have_count(2)
    expect(listed.nth(1)).to_contain_text("Not what I asked")
    listed.nth(1).click()
    expect(staff.page.locator("#blamed-head .transcript")).to_be_hidden()
    staff.page.locator("#blamed-head summary").click()
    expect(staff.page.locator("#blamed-head .transcript li")).to_have_count(2)
    expect(staff.page.locator("#blamed-head .said strong").first).to_have_text("My orders")
    expect(staff.page.locator("#blamed-offers button")).to_have_count(2)  # not the one that was wrong
    staff.fill("blamed-question", "parcel, parcel")
    staff.fill("blamed-search", "gift")
    offer = staff.page.locator("#blamed-offers button").first
    expect(offer).to_have_attribute("data-answer", "wrap")
    expect(staff.page.locator("#blamed-offers li").first).to_contain_text("similarity 1.00")  # what was searched
    offer.click()
    expect(listed).to_have_count(1)
    (pair,) = [pair for pair in staff.live.pairs() if PROVENANCE in pair.metadata]
    assert (pair.question, pair.answer_id) == ("parcel, parcel", "wrap")
    assert pair.metadata[PROVENANCE].startswith("corrected by Anna, 20")
    staff.page.click("#blamed-undo")
    expect(listed).to_have_count(2)
    listed.nth(1).click()
    staff.page.click("#blamed-right")
    expect(listed).to_have_count(1)
    assert [verdict for verdict, _ in staff.reviews.verdicts(1)] == [
        Verdict.CORRECTED,
        Verdict.REOPENED,
        Verdict.RIGHT,
    ]
    assert staff.strange == []


def test_an_agent_without_a_name_and_two_agents_on_one_answer(come: Come) -> None:
    anna, nobody = come(blamed=(("gift wrapping", ""),)), come(agent=" ")
    for staff in (anna, nobody):
        staff.tab(2)
        staff.page.locator("#blamed-list button").click()
        expect(staff.at("blamed-right")).to_be_visible()
    nobody.page.click("#blamed-right")
    expect(nobody.page.locator(".toast-body")).to_contain_text("Please say who you are first")
    anna.page.click("#blamed-right")
    expect(anna.at("blamed-list")).to_contain_text(ENGLISH.no_blamed)
    nobody.fill("agent", "Bo")
    nobody.page.click("#blamed-right")
    expect(nobody.at("blamed-list")).to_contain_text(ENGLISH.no_blamed)
    assert nobody.reviews.verdicts(1) == [(Verdict.RIGHT, "Anna")]


def test_hostile_text_stays_text(come: Come) -> None:
    staff = come(f"kayak {HOSTILE}", blamed=((f"gift {HOSTILE}", HOSTILE),), agent=HOSTILE[:60])
    staff.tab(1)
    staff.page.locator("#gaps-list button").click()
    expect(staff.at("gaps-questions")).to_contain_text("<script>alert(1)</script>")
    staff.at("gaps-new").get_by_role("button", name=ENGLISH.new).click()
    staff.fill("gaps-text", HOSTILE)
    staff.fill("gaps-id", HOSTILE.replace("|", "")[:70])
    staff.page.click("#gaps-add")
    expect(staff.at("gaps-finished")).to_contain_text("<script>alert(1)</script>")
    staff.tab(2)
    staff.page.locator("#blamed-list button").click()
    expect(staff.at("blamed-offers")).to_contain_text("<script>alert(1)</script>")
    staff.page.wait_for_timeout(300)
    assert staff.strange == []
    assert staff.page.locator("#desk").locator(".html-container :is(script, img, [onload])").count() == 0


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core here: npm ci")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "width"), [("en", 1280), ("zh-CN", 360)])
def test_axe_finds_nothing_serious_and_a_phone_needs_no_sideways_scrolling(
    come: Come, locale: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    asked, blamed = ("a kayak", "kayak " + "w" * 200), (("gift wrapping", "no" * 100),)
    staff = come(*asked, blamed=blamed, dialogues=(WORSE, BETTER), locale=locale, width=width, scheme=scheme)
    staff.tab(1)
    staff.page.locator("#gaps-list button").click()
    staff.page.locator("#gaps-offers button").first.click()
    expect(staff.at("gaps-publish")).to_be_visible(timeout=SLOW)
    assert offences(staff.page) == []
    assert staff.page.evaluate("document.documentElement.scrollWidth") <= width
    staff.page.click("#gaps-publish")
    expect(staff.at("gaps-undo")).to_be_visible(timeout=SLOW)
    staff.tab(2)
    staff.page.locator("#blamed-list button").click()
    expect(staff.page.locator("#blamed-offers button").first).to_be_visible()
    assert offences(staff.page) == []
    assert staff.page.evaluate("document.documentElement.scrollWidth") <= width
