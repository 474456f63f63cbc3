"""The pages by keyboard alone, and as they are read out: what Tab reaches, where focus goes, what is announced."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from chatbot.check import Check
from chatbot.domain import Conversation, HeldOutDialogue, HeldOutTurn, Role
from chatbot.editor import Editor
from chatbot.journal import SqlDesk, SqlEdits, SqlJournal, SqlReviews
from chatbot.ui import chat
from chatbot.ui.access import LABELS
from chatbot.ui.answer_words import ANSWER_WORDS
from chatbot.ui.chat import build_page
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.desk_words import DESK_WORDS
from chatbot.ui.launch import launch
from chatbot.ui.mend import Mend
from chatbot.ui.mend_words import MEND_WORDS
from chatbot.ui.words import WORDS
from chatbot.ui.workshop import build_workshop
from chatbot.ui.workshop_words import WORKSHOP_WORDS
from tests.fakes import FakeResponder
from tests.mending import counting_bot

pytestmark = pytest.mark.browser

EN = WORDS["en"]
READY: Mapping[str, Callable[[str], Sequence[tuple[str, str]]]] = {  # what a page draws last, by its path
    "": lambda language: [("#new", WORDS[language].new)],
    "desk/": lambda language: [
        ("#company", DESK_WORDS[language].title),
        ("[role=tablist] >> visible=true", MEND_WORDS[language].gaps_tab),
        ("[role=tablist] >> visible=true", MEND_WORDS[language].blamed_tab),
    ],
    "workshop/": lambda language: [
        ("#answers-found", ANSWER_WORDS[language].found.split("}")[-1]),
        ("#workshop", f"{ANSWER_WORDS[language].history} · {ANSWER_WORDS[language].export}"),
    ],
}
HELD_OUT = HeldOutDialogue("d1", "en", (HeldOutTurn(Role.USER, "my parcel", ("track",)),))
FARTHEST = 60  # presses of Tab
LISTEN = """
window.told = [];
new MutationObserver(changes => changes.forEach(({target, addedNodes}) => {
  const inside = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
  const live = inside.closest('[aria-live], [role="status"], [role="alert"], [role="log"]');
  if (!live || live.ariaLive === 'off') return;
  const said = target === inside ? [...addedNodes].map(node => node.textContent) : [target.data];
  told.push(...said.map(text => text.trim()).filter(Boolean));
})).observe(document, {subtree: true, childList: true, characterData: true});
"""  # keeps what changes in live regions that were there before
SEEN = """(element, key) => {
  if (element.dataset.key === key) return null;
  element.dataset.key = key;
  const shown = element.closest('#language label, :is(#msg, #reply):has(textarea:focus)') ?? element;
  const box = shown.getBoundingClientRect();
  return [getComputedStyle(shown).outlineStyle, box.width > 9 && box.height > 9, box.top + scrollY];
}"""  # how what has focus looks, and how far down it is; null where that key was here before

LONGEST = """
Math.max(...[...document.querySelectorAll('*')].map(getComputedStyle).flatMap(
  ({transitionDuration, animationDuration}) => [parseFloat(transitionDuration), parseFloat(animationDuration)]))
"""  # seconds that anything takes to move


@dataclass(frozen=True)
class Typist:
    """Someone with a keyboard and no pointer."""

    page: Page

    def at(self, name: str) -> Locator:
        return self.page.locator(name).locator("visible=true")

    def reach(self, target: Locator) -> None:
        goal = target.element_handle()
        key = (
            "Shift+Tab"
            if goal.evaluate("goal => goal.compareDocumentPosition(document.activeElement) & 4")
            else "Tab"
        )
        for _ in range(FARTHEST):
            if goal.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{key} does not reach {target}")

    def act(self, target: Locator, key: str = "Enter") -> None:
        """Go there, forwards or backwards, and press it."""
        expect(target).to_be_visible()
        self.reach(target)
        self.page.keyboard.press(key)

    def write(self, target: Locator, text: str) -> None:
        self.act(target, "ControlOrMeta+a")
        self.page.keyboard.type(text)

    def hears(self, *expected: str, alone: bool = True) -> None:
        """That texts with this in them are read out in this order, and nothing else if `alone`."""
        for _ in range(100):
            self.page.wait_for_timeout(100)
            told = self.page.evaluate("told")
            rest = iter(told)
            if all(any(text in one for one in rest) for text in expected):
                break
        else:
            raise AssertionError(f"{expected} are not heard, but {told}")
        self.page.wait_for_timeout(200)
        told = self.page.evaluate("told.splice(0)")
        assert len(told) == len(expected) or not alone, told

    def walk(self, key: str) -> list[tuple[str, str, bool, float]]:
        """What the key reaches, until it leaves the page or begins again: role and name, its outline, whether it
        has a size, how far down the page it is."""
        stops: list[tuple[str, str, bool, float]] = []
        for _ in range(FARTHEST):
            self.page.keyboard.press(key)
            focused = self.page.locator("body :focus")
            seen = focused.evaluate(SEEN, key) if focused.count() else None
            if seen is None:
                return stops
            stops.append((focused.aria_snapshot().partition("\n")[0], *seen))
        raise AssertionError(f"{key} never leaves the page")


@pytest.fixture(scope="module")
def visit(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Typist]]:
    folder = tmp_path_factory.mktemp("keyboard")
    journal, bot = SqlJournal.connect(folder / "journal.sqlite"), FakeResponder()
    desk, live = SqlDesk(journal.database), counting_bot(folder / "counting")
    for text in ("rent a kayak?", "a KAYAK please"):
        journal.record(journal.open(), text, live.reply(Conversation(), text))
    editor = Editor(live, SqlEdits(journal.database))
    mend = Mend(editor, SqlReviews(journal.database), Check(live, ()), threading.Lock())
    advice = Advice(lambda talk, text: bot.reply(talk, "one two").decision.candidates, lambda texts: texts[-3:])
    company, languages = "Ada & Sons", ["en", "zh"]
    examples = {"en": ["Where is my parcel?"], "zh": ["我的包裹在哪里？"]}
    pages = {
        "/": build_page(bot, journal, desk, examples=examples, languages=languages, company=company),
        "/desk": build_desk(journal, desk, advice, languages=languages, mend=mend, company=company),
        "/workshop": build_workshop(editor, journal, dialogues=[HELD_OUT], company=company),
    }
    site, pause = launch(pages, port=0), chat.PAUSE
    chat.PAUSE = 0.1  # long enough that it is seen

    def arrive(path: str = "", locale: str = "en-US", width: int = 1280) -> Typist:
        size: ViewportSize = {"width": width, "height": 800}
        page = browser.new_page(locale=locale, viewport=size, reduced_motion="reduce")
        page.goto(site.address + path)
        for place, words in READY[path](locale[:2]):
            expect(page.locator(place).first).to_contain_text(words)
        expect(page.locator("html")).to_have_attribute("lang", locale[:2])
        page.evaluate(LISTEN)
        return Typist(page)

    yield arrive
    chat.PAUSE = pause
    for context in browser.contexts:
        context.close()
    site.close()
    journal.close()


@pytest.mark.parametrize(
    ("path", "locale"), [("", "en-US"), ("", "zh-CN"), ("desk/", "zh-CN"), ("workshop/", "en-US")]
)
def test_tab_reaches_all_in_order_seen_and_named(visit: Callable[..., Typist], path: str, locale: str) -> None:
    typist = visit(path, locale, width=360)  # one column: what comes later is further down
    there = typist.walk("Tab")
    assert len(there) >= 5
    for named, outline, is_seen, _ in there:
        assert re.match(r'- (radio|button|textbox|tab|combobox|checkbox) "[^"]+"', named)
        assert outline == "solid" and is_seen, named
        if path == "" and "English" not in named:
            assert bool(re.search(r"[一-鿿]", named)) is (locale == "zh-CN"), named
    assert all(later[-1] > earlier[-1] - 25 for earlier, later in pairwise(there)), there  # 25: side by side
    assert [stop[0] for stop in typist.walk("Shift+Tab")] == [stop[0] for stop in there[::-1]]
    assert typist.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert typist.page.evaluate(LONGEST) <= 0.001


def test_a_customer_needs_no_pointer(visit: Callable[..., Typist]) -> None:
    customer = visit()
    page, box = customer.page, customer.at("#msg textarea")
    customer.write(box, "maybe two words\n")
    expect(box).to_be_focused()
    customer.hears(EN.writing, "Did you mean one of these?")
    customer.act(customer.at("#suggestion-0"))
    expect(page.locator("#note")).to_contain_text("handbook")
    expect(box).to_be_focused()  # the button that had it is gone
    customer.hears(EN.writing, "You asked: 2 words.")
    customer.act(page.get_by_label("Dislike", exact=True).last)
    expect(page.get_by_label("Disliked", exact=True)).to_be_focused()
    customer.hears(EN.asks_why)
    customer.act(customer.at("#reason-1"))
    expect(page.locator("#because")).to_be_hidden()
    expect(box).to_be_focused()
    customer.hears(EN.thanks)
    customer.act(page.get_by_label("Retry", exact=True))
    expect(box).to_be_focused()
    customer.hears(EN.writing, "You asked: 2 words.")
    customer.act(page.get_by_label("Undo", exact=True).and_(page.get_by_role("button")))
    expect(box).to_have_value("two words")
    expect(box).to_be_focused()
    customer.act(page.get_by_label("Copy message", exact=True).last)
    customer.act(customer.at("#new"))
    expect(page.locator("#chat [data-testid=bot]")).to_have_count(0)
    expect(customer.at("#new")).to_be_focused()


def test_a_customer_waits_and_gives_up_and_the_page_changes_its_language(visit: Callable[..., Typist]) -> None:
    customer = visit()
    page, box = customer.page, customer.at("#msg textarea")
    customer.act(customer.at("#person"))
    expect(box).to_be_focused()
    customer.hears(EN.writing, "A person will be with you.", EN.place.format(place=1))
    contact = customer.at("#contact :is(input, textarea)")
    customer.write(contact, "a@example.com\n")
    expect(page.locator("#status")).to_contain_text("a@example.com")
    expect(contact).to_be_focused()
    customer.hears(EN.contact_left.format(contact="a@example.com"))
    customer.act(customer.at("#give-up"))
    expect(box).to_be_focused()
    customer.reach(page.get_by_role("radio", name="English"))
    customer.page.keyboard.press("ArrowRight")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.get_by_role("radio", name="中文")).to_be_focused()
    expect(page.get_by_role("log", name=LABELS["log"]["zh"])).to_be_visible()
    for name in ("copy", "like", "dislike"):
        expect(page.get_by_label(LABELS[name]["zh"], exact=True).last).to_be_visible()
    expect(page.get_by_role("group", name=LABELS["bot"]["zh"], exact=True)).to_have_count(1)
    expect(page.get_by_role("button", name=LABELS["send"]["zh"], exact=True)).to_be_visible()


def test_an_agent_needs_no_pointer_and_both_hear_each_other(visit: Callable[..., Typist]) -> None:
    customer, agent = visit(), visit("desk/")
    words, page = DESK_WORDS["en"], agent.page
    agent.write(page.get_by_role("textbox", name=words.name), "Anna")
    customer.write(customer.at("#msg textarea"), "I want a person now\n")
    case = agent.at("#inbox button").filter(has_text="I want a person now")
    expect(case).to_be_visible()
    agent.hears(words.waits.format(count=1))
    agent.act(case)
    expect(agent.at("#claim")).to_be_visible()
    agent.act(agent.at("#claim"))
    reply = page.get_by_role("textbox", name=words.reply)
    expect(reply).to_be_focused()
    customer.hears(EN.claimed.format(agent="Anna"), alone=False)
    page.keyboard.type("Hello")
    agent.page.keyboard.press("Enter")
    expect(customer.page.locator("#chat [data-testid=bot]").last).to_have_text("AnnaHello")
    customer.hears("Anna", "Hello")
    expect(customer.page.get_by_role("group", name="Anna", exact=True)).to_be_visible()
    expect(reply).to_be_focused()
    customer.write(customer.at("#msg textarea"), "thank you\n")
    expect(page.get_by_role("log", name=words.talk).get_by_text("thank you")).to_be_visible()
    agent.hears("thank you", alone=False)
    agent.act(agent.at("#suggestions [data-use]").first)
    expect(reply).to_have_value("You asked: 2 words.")
    agent.act(agent.at("#hand-back"))
    expect(agent.at("#hand-back")).to_be_hidden()
    expect(page.locator(":focus")).to_have_count(1)


def test_unanswered_questions_are_mended_without_a_pointer(visit: Callable[..., Typist]) -> None:
    agent = visit("desk/", "zh-CN")
    words, page = MEND_WORDS["zh"], agent.page
    agent.write(page.get_by_role("textbox", name=DESK_WORDS["zh"].name), "Anna")
    agent.act(page.get_by_role("tab", name=words.gaps_tab))
    gap = agent.at("#gaps-list button").first
    expect(page.get_by_role("tabpanel", name=words.gaps_tab)).to_be_visible()
    agent.act(gap)
    expect(gap).to_be_focused()
    first = page.get_by_role("checkbox").first
    agent.act(first, "Space")
    expect(first).not_to_be_checked()
    agent.act(agent.at("#gaps-new button").first)
    agent.write(page.get_by_role("textbox", name=words.text), "Three kinds.")
    agent.act(agent.at("#gaps-add"))
    expect(agent.at("#gaps-undo")).to_be_focused()
    agent.hears(words.live.split("{")[0], alone=False)
    agent.page.keyboard.press("Enter")
    expect(agent.at("#gaps-undo")).to_be_hidden()
    expect(page.locator(":focus")).to_have_count(1)
    agent.hears(words.undone, alone=False)
    agent.act(gap)
    agent.act(agent.at("#gaps-dismiss"))
    expect(agent.at("#gaps-undo")).to_be_focused()


def test_a_lead_needs_no_pointer(visit: Callable[..., Typist]) -> None:
    lead = visit("workshop/")
    words, page = ANSWER_WORDS["en"], lead.page
    lead.write(page.get_by_role("textbox", name=WORKSHOP_WORDS["en"].who), "Lea")
    lead.write(page.get_by_role("textbox", name=words.search), "refund")
    expect(lead.at("#answers-found button")).to_have_count(1)
    lead.act(lead.at("#answers-found button"))
    lead.write(page.get_by_role("textbox", name=words.text), "In two days.")
    lead.act(lead.at("#answers-save"))
    lead.hears(words.saved.split("{")[0], alone=False)
    expect(lead.at("#answers-save")).to_be_focused()
    lead.act(lead.at("#answers-undo"))
    expect(page.get_by_role("textbox", name=words.text)).to_have_value("Within 14 days.")
    expect(lead.at("#answers-undo")).to_be_focused()
    tabs, tried = WORKSHOP_WORDS["en"].tabs, WORKSHOP_WORDS["en"].hit_test
    lead.act(page.get_by_role("tab", name=tabs[1]))
    lead.write(page.get_by_role("textbox", name=tried.questions), "my parcel")
    lead.act(lead.at("#try"))
    lead.act(lead.at("#hits [data-hit]"))
    expect(page.get_by_role("heading", level=2).and_(page.locator("#hit-candidates h2"))).to_be_visible()
    expect(lead.at("#hits [data-hit]")).to_be_focused()
    moved = WORKSHOP_WORDS["en"].thresholds
    lead.act(page.get_by_role("tab", name=tabs[3]))
    lead.act(lead.at("#observe"))
    slider = lead.at("#answer input[type=range]")
    expect(page.get_by_role("slider", name=moved.answer, exact=True).first).to_be_visible()
    lead.act(slider, "End")
    expect(slider).to_have_value("1")
    lead.act(lead.at("#publish"))
    lead.hears(moved.published.split("{")[0], alone=False)
    lead.act(lead.at("#undo"))
    expect(lead.at("#undo")).to_be_hidden()
    expect(page.locator(":focus")).to_have_count(1)
