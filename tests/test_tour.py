"""The chat and the desk of the demo bot, in real browsers: customers and an agent, each doing their day's work."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chatbot.insight.revise import PROVENANCE
from chatbot.ui.mend_words import ENGLISH, MEND_WORDS
from tests.browsing import HOSTILE
from tests.touring import SLOW, Tour, alive, ask, ask_first, blame, touring

pytestmark = [pytest.mark.demo, pytest.mark.browser, pytest.mark.timeout(1800)]

SCRIPT = "<script>alert(1)</script>"  # how hostile text begins, wherever it is drawn
GAPS = {  # what the demo's pairs say nothing about, and an answer
    "en": (
        "do you rent out kayaks",
        "can I rent a kayak from you?",
        "We rent kayaks from May to September: 18 dollars a day.",
    ),
    "zh-CN": ("你们出租皮划艇吗", "可以租皮划艇吗？", "亲，5月到9月可以租皮划艇，每天80元。"),
}


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


@pytest.mark.parametrize(
    ("locale", "question", "value"),
    [("en", "where is my parcel", "kw 1000 0016"), ("zh-CN", "我的快递到哪了", "订单号是KW-1000 0016，谢谢")],
)
def test_an_order_is_looked_up(tour: Tour, locale: str, question: str, value: str) -> None:
    page = tour.chat(locale=locale, width=360)
    assert "KW-1000 0016" in ask(page, question)  # how a number looks is said
    assert "KW-10000016" in ask(page, value)


def test_two_questions_get_two_answers(tour: Tour) -> None:
    page = tour.chat(locale="zh-CN")
    said = ask(page, "可以分期付款吗？另外发票怎么开？")
    assert "分期" in said and "发票" in said


def test_a_customer_waits_for_an_agent_who_answers_and_hands_back(tour: Tour) -> None:
    customer, agent = tour.chat(), tour.desk()
    ask(customer, "I would like to talk to a person")
    expect(customer.locator("#status")).to_contain_text("in the queue", timeout=SLOW)
    agent.locator("#inbox button", has_text="I would like to talk to a person").last.click()
    agent.click("#claim")
    agent.fill("#reply textarea", "Hello, this is Anna.")
    agent.click("#reply button.submit-button")
    expect(customer.locator('#chat [data-testid="bot"]').last).to_contain_text("this is Anna", timeout=SLOW)
    agent.click("#hand-back")
    expect(customer.locator("#waiting")).to_be_hidden(timeout=SLOW)
    assert "Return" in ask(customer, "How do I send something back?")


@pytest.mark.parametrize("locale", GAPS)
def test_what_got_no_answer_gets_one_that_is_tried_published_and_undone(tour: Tour, locale: str) -> None:
    question, other, answer = GAPS[locale]
    words = MEND_WORDS[locale[:2]]
    customer, agent = tour.chat(locale=locale), tour.desk(locale, tab=1)
    ask(customer, question)
    unanswered = ask(customer, other)
    agent.click("#gaps-refresh")
    topic = agent.locator("#gaps-list button", has_text=re.compile("|".join(map(re.escape, GAPS[locale][:2]))))
    expect(topic).to_contain_text(words.asked.format(count=2))
    topic.click()
    expect(agent.locator("#gaps-questions").get_by_role("checkbox")).to_have_count(2)
    agent.locator("#gaps-new").get_by_role("button", name=words.new).click()
    agent.fill("#gaps-text textarea", answer)
    agent.fill("#gaps-id :is(input, textarea)", "kayaks")
    agent.click("#gaps-add")
    outcome = agent.locator("#gaps-outcome")
    expect(outcome).to_contain_text(words.compared.partition("{")[0], timeout=SLOW)
    assert ask(customer, other) == unanswered  # it is not live yet
    agent.click("#gaps-publish")
    told = agent.locator("#gaps-finished")
    expect(told).to_have_text(words.live.format(count=2, answer="kayaks"), timeout=SLOW)
    expect(topic).to_have_count(0)
    assert ask(customer, other) == answer
    agent.click("#gaps-undo")
    expect(told).to_have_text(words.undone, timeout=SLOW)
    assert ask(customer, other) == unanswered
    topic.click()
    agent.click("#gaps-dismiss")
    expect(told).to_have_text(words.needs_none.format(count=2), timeout=SLOW)
    expect(topic).to_have_count(0)


def test_a_thumb_down_is_read_corrected_and_taken_back(tour: Tour) -> None:
    question, reason = "How do I wrap it up to send it back?", "I asked about the box, not the label"
    customer, agent = tour.chat(), tour.desk(tab=2)
    first = ask(customer, question)
    blame(customer, reason)
    agent.get_by_role("tab").nth(0).click()
    agent.get_by_role("tab").nth(2).click()
    blamed = agent.locator("#blamed-list button", has_text=reason)
    blamed.click()
    expect(agent.locator("#blamed-head")).to_contain_text(reason)
    agent.fill("#blamed-search :is(input, textarea)", "return_without_box")
    agent.locator("#blamed-offers button[data-answer=return_without_box]").click()
    agent.click("#blamed-publish")
    told = agent.locator("#blamed-finished")
    expect(told).to_have_text(ENGLISH.live.format(count=1, answer="return_without_box"), timeout=SLOW)
    expect(blamed).to_have_count(0)
    assert ask_first(customer, question) == tour.text("return_without_box") != first
    (pair,) = [pair for pair in tour.live.pairs() if pair.question == question]
    assert pair.metadata[PROVENANCE] == f"corrected by Anna, {datetime.now(UTC).date()}"
    agent.click("#blamed-undo")
    expect(blamed).to_have_count(1)
    assert ask_first(customer, question) == first
    blamed.click()
    agent.click("#blamed-right")
    expect(blamed).to_have_count(0)


def test_what_a_customer_types_stays_text_in_the_chat_and_on_the_desk(tour: Tour) -> None:
    customer, agent = tour.chat(), tour.desk()
    assert "KW-1000 0016" in ask(customer, "where is my parcel")
    assert "digits" in ask(customer, f"KW-1000 0017 {HOSTILE}")
    assert "KW-10000016" in ask(customer, f"KW-1000 0016 {HOSTILE}")
    blame(customer, HOSTILE)
    ask(customer, HOSTILE)
    ask(customer, f"may I talk to a person {HOSTILE}")
    customer.fill("#contact :is(input, textarea)", HOSTILE)
    customer.click("#contact button.submit-button")
    expect(customer.locator("#status")).to_contain_text(SCRIPT)
    agent.locator("#inbox button", has_text=f"may I talk to a person {SCRIPT}").click()
    expect(agent.locator("#head p")).to_contain_text(f"reached at {SCRIPT}")
    expect(agent.locator("#head ul")).to_contain_text(SCRIPT)
    expect(agent.locator("#transcript .customer")).to_contain_text([SCRIPT])
    agent.click("#claim")
    agent.fill("#reply textarea", HOSTILE)
    agent.click("#reply button.submit-button")
    expect(customer.locator('#chat [data-testid="bot"]').last).to_contain_text(f"Anna{SCRIPT}", timeout=SLOW)
    customer.fill("#msg textarea", f"Thank you. {HOSTILE}")
    customer.click("#msg button.submit-button")
    expect(agent.locator("#transcript li.customer").last).to_contain_text(f"Thank you. {SCRIPT}", timeout=SLOW)
    assert alive(customer) == alive(agent) == []
    agent.click("#resolve")
    agent.get_by_role("tab", name=ENGLISH.blamed_tab).click()
    agent.locator("#blamed-list button", has_text=SCRIPT).click()
    expect(agent.locator("#blamed-head")).to_contain_text(f"comment{SCRIPT}")
    expect(agent.locator("#blamed-offers button").first).to_be_visible()
    assert alive(agent) == []
    agent.click("#blamed-right")
    agent.get_by_role("tab", name=ENGLISH.gaps_tab).click()
    agent.locator("#gaps-list button", has_text=SCRIPT).first.click()
    expect(agent.locator("#gaps-questions")).to_contain_text(SCRIPT)
    assert alive(agent) == []
