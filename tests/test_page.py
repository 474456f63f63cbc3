"""The chat page: what it draws, as pure functions; and the page in a real Chromium, driven as a customer would."""

import logging
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect, sync_playwright

from chatbot import phrases
from chatbot.domain import Action, Candidate, Decision, QAPair, Reason, Reply
from chatbot.errors import Unavailable, UserError
from chatbot.journal import SqlJournal
from chatbot.ui.chat import ask, build_page
from chatbot.ui.launch import launch
from chatbot.ui.show import QUOTED, SHOWN, Chat, Exchange, bubbles, evidence, note, quoted
from chatbot.ui.words import CHINESE, ENGLISH, WORDS, preferred, spoken
from tests.fakes import FakeJournal, FakeResponder

HOSTILE = (
    '<script>alert(1)</script> <img src="https://example.com/a.png" onerror="alert(2)"> '
    "![x](https://example.com/b.png) [link](javascript:alert(3)) **bold** _it_ # head `code` "
    "{{7*7}} ${alert(4)} $$x^2$$ &lt;b&gt; &amp; <svg/onload=alert(5)> \x00\x1b[31m \u202e"
)


def texts(chat: Chat) -> list[str]:
    return [message["content"]["text"] for message in bubbles(chat.exchanges, chat.words)]


class TestWhatIsDrawn:
    def test_an_answer_is_kept_and_the_conversation_goes_on(self) -> None:
        journal = FakeJournal()
        chat = ask(Chat(), "Where is it?", FakeResponder(), journal)
        chat = ask(chat, "I want a person", FakeResponder(), journal)
        assert texts(chat) == [
            "Where is it?",
            "You asked: 3 words.",
            "I want a person",
            "A person will be with you.\nYou are number 1 in the queue.",
        ]
        assert chat.conversation == journal.conversation("conversation-1")
        assert [exchange.number for exchange in chat.exchanges] == [1, 2]
        assert journal.queue == [("conversation-1", Reason.ASKED_FOR_PERSON)]

    def test_a_failing_bot_is_apologised_for_and_logged_without_the_text(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        journal = FakeJournal()
        with caplog.at_level(logging.DEBUG):
            chat = ask(Chat(), "boom, my card is 4111", FakeResponder(), journal)
        assert texts(chat)[1] == ENGLISH.failed
        assert "RuntimeError: the fake was told to fail" in caplog.text
        assert "4111" not in caplog.text
        assert journal.exchanges == []
        assert texts(ask(chat, "again", FakeResponder(), journal))[3] == "You asked: 1 words."

    def test_an_answer_is_given_without_a_journal_but_a_person_is_not_promised(self) -> None:
        class FullDisk(FakeJournal):
            def record(self, conversation_id: str, text: str, reply: Reply) -> int:
                raise Unavailable("The journal could not be written: disk full.")

        chat = ask(Chat("zh"), "Where is it?", FakeResponder(), FullDisk())
        chat = ask(chat, "person", FakeResponder(), FullDisk())
        assert texts(chat)[1::2] == ["You asked: 3 words.", CHINESE.failed]
        assert [exchange.number for exchange in chat.exchanges] == [None, None]

    def test_markup_is_escaped_and_everything_else_is_word_for_word(self) -> None:
        stored = "  R&D & more:\n\t*a* _b_ <c> &amp; 5 > 3"
        reply = Reply(stored, Decision(Action.ANSWER, 0.95, Reason.CONFIDENT), "en", "A1")
        assert texts(Chat(exchanges=(Exchange("\x00 ", reply), Exchange("   "))))[:3] == [
            "\ufffd ",
            "  R&amp;D & more:\n\t*a* _b_ &lt;c> &amp;amp; 5 > 3",
            "␣",
        ]

    def test_a_long_text_is_cut(self) -> None:
        shown = texts(Chat(exchanges=(Exchange("x" * 100_000),)))[0]
        assert shown == "x" * SHOWN + "\n… and 98,000 more characters"
        assert quoted("x" * QUOTED) == "x" * QUOTED
        assert quoted("x" * 1000) == "x" * QUOTED + "…"

    @pytest.mark.parametrize(
        ("confidence", "level", "word"),
        [
            (0.9, "high", "Sure"),
            (0.89, "middle", "Fairly sure"),
            (0.7, "middle", "Fairly sure"),
            (0.5, "low", "Not sure"),
        ],
    )
    def test_confidence_in_words_and_the_source(self, confidence: float, level: str, word: str) -> None:
        chat = ask(Chat(), "<i>How</i>?", FakeResponder(), FakeJournal())
        assert chat.last is not None
        reply = replace(chat.last, decision=replace(chat.last.decision, confidence=confidence))
        assert note(Chat(exchanges=(Exchange("", reply),))) == (
            f'<span class="certainty {level}">{word}</span> '
            "<span>Answered before: “&lt;i>How&lt;/i>?” · handbook</span>"
        )

    def test_the_panel_shows_decision_time_and_candidates(self) -> None:
        pair = QAPair("p1", "How <long>?", "Three days.", "A1", "en")
        decision = Decision(Action.ANSWER, 0.9, Reason.CONFIDENT, (Candidate(pair, 0.875, 2.55, confidence=0.9),))
        reply = Reply("Three days.", decision, "en", "A1", timings={"rerank": 8.5, "total": 9.1})
        drawn = evidence(Chat(exchanges=(Exchange("How long?", reply),)))
        assert "<strong>Answered</strong> The best answer is confident enough." in drawn
        assert "9 ms (rerank 8.5)" in drawn
        assert "<td>A1</td><td>How &lt;long>?</td><td>0.88</td><td>2.5</td><td>90%</td>" in drawn
        unread = replace(decision, candidates=(replace(decision.candidates[0], relevance=0.0),))
        drawn = evidence(Chat(exchanges=(Exchange("How long?", replace(reply, decision=unread)),)))
        assert "<td>0.88</td><td>–</td><td>90%</td>" in drawn  # decided before the cross-encoder read
        assert ENGLISH.nothing_yet in evidence(Chat())
        assert ENGLISH.no_candidates in evidence(Chat(exchanges=(Exchange("boom"),)))


class TestWords:
    def test_every_action_and_reason_has_words(self) -> None:
        for words in WORDS.values():
            assert set(words.actions) == set(Action)
            assert set(words.reasons) == set(Reason)

    def test_the_person_buttons_phrase_reaches_a_person(self) -> None:
        for language, words in WORDS.items():
            assert phrases.load(language).asks_for_person(words.person_phrase)

    @pytest.mark.parametrize(
        ("accepted", "expected"),
        [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("de-DE,en;q=0.5", "en"), ("", "en"), ("de", "en"), ("ZH-tw", "zh")],
    )
    def test_the_browsers_language_is_preferred(self, accepted: str, expected: str) -> None:
        assert preferred(accepted, ["zh", "en"]) == expected

    def test_only_languages_with_words_are_offered(self) -> None:
        assert spoken(["de", "zh"]) == ["zh"]
        assert spoken(["de"]) == ["en"]


@dataclass
class Customer:
    """A page in a browser, what was asked of the network, and the dialogs that opened."""

    page: Page
    journal: SqlJournal
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def type(self, text: str) -> None:
        self.page.fill("#msg textarea", text)
        self.page.click("#msg button.submit-button")

    def hears(self, *answers: str) -> None:
        """The bot's bubbles are exactly these, once the last has streamed in."""
        expect(self.page.locator('#chat [data-testid="bot"]')).to_have_text(list(answers))
        expect(self.page.locator("#msg .stop-button")).to_have_count(0)

    def said(self) -> list[str]:
        return self.page.locator('#chat [data-testid="user"]').all_inner_texts()

    def waits_for(self, found: Callable[[], object], expected: object) -> bool:
        """Whether `found` gives what is expected within five seconds."""
        for _ in range(50):
            if found() is expected:
                return True
            self.page.wait_for_timeout(100)
        return False

    def kept(self) -> list[str]:
        """What the journal holds of conversations, the customers' texts in order."""
        with self.journal._engine.connect() as connection:
            return list(connection.exec_driver_sql("SELECT text FROM exchanges ORDER BY id").scalars())


Visit = Callable[..., Customer]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium fonts-noto-cjk")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*flags, "--disable-sync"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    site = build_page(
        FakeResponder(),
        journal,
        company="Ada & Sons",
        examples={"en": ["Where is my parcel?", "How do I return it?"], "zh": ["我的包裹在哪里？"]},
        languages=["en", "zh"],
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = launch(site, port=port, wait=False)

    def arrive(locale: str = "en-US", width: int = 1280, height: int = 800) -> Customer:
        page = browser.new_page(locale=locale, viewport={"width": width, "height": height})
        customer = Customer(page, journal)

        def heard(dialog: Dialog) -> None:
            customer.dialogs.append(dialog.message)
            dialog.dismiss()

        def asked(request: Request) -> None:
            if not request.url.startswith((address, "data:", "blob:")):
                customer.requests.append(request.url)

        page.on("dialog", heard)
        page.on("request", asked)
        page.goto(address)
        expect(page.locator("#chat .placeholder")).to_be_visible()
        expect(page.locator("#person")).not_to_be_empty()
        return customer

    yield arrive
    for context in browser.contexts:
        context.close()
    site.close()
    journal.close()


@pytest.mark.browser
class TestInABrowser:
    def test_a_question_is_answered_with_its_source_and_evidence(self, visit: Visit) -> None:
        customer = visit()
        page = customer.page
        customer.type("Where is my blue jacket?")
        customer.hears("You asked: 5 words.")
        expect(page.locator("#note")).to_have_text("Sure Answered before: “Where is my blue jacket?” · handbook")
        expect(page.locator("#why table tr").nth(1)).to_have_text("A1Where is my blue jacket?0.882.595%")
        expect(page.locator("#msg textarea")).to_have_value("")
        assert customer.kept() == ["Where is my blue jacket?"]
        assert customer.requests == []

    def test_an_example_starts_and_the_examples_go(self, visit: Visit) -> None:
        customer = visit()
        examples = customer.page.locator("#chat button.example")
        expect(examples).to_have_count(2)
        examples.first.click()
        customer.hears("You asked: 4 words.")
        assert customer.said() == ["Where is my parcel?"]
        expect(examples).to_have_count(0)

    def test_a_suggestion_is_asked_when_clicked(self, visit: Visit) -> None:
        customer = visit()
        customer.type("maybe <b>two</b> words")
        expect(customer.page.locator("#suggestion-0")).to_have_text("<b>two</b> words")
        expect(customer.page.locator("#suggestion-2")).to_be_hidden()
        customer.page.click("#suggestion-0")
        customer.hears("Did you mean one of these?", "You asked: 2 words.")
        expect(customer.page.locator("#suggestion-0")).to_be_hidden()
        assert customer.kept() == ["maybe <b>two</b> words", "<b>two</b> words"]

    def test_thumbs_are_kept_changed_and_taken_back(self, visit: Visit) -> None:
        customer = visit()
        customer.type("one")
        customer.hears("You asked: 1 words.")
        customer.type("two two")
        customer.hears("You asked: 1 words.", "You asked: 2 words.")
        thumb = customer.page.locator("#chat").get_by_label
        for label, after, liked in (
            ("Like", "Liked", True),
            ("Dislike", "Disliked", False),
            ("Disliked", "Dislike", None),
        ):
            thumb(label, exact=True).last.click()
            expect(thumb(after, exact=True).last).to_be_visible()
            assert customer.waits_for(lambda: customer.journal.liked(2), liked)
        assert customer.journal.liked(1) is None

    def test_a_person_can_be_called_for(self, visit: Visit) -> None:
        customer = visit()
        customer.page.click("#person")
        customer.hears("A person will be with you.\nYou are number 1 in the queue.")
        other = visit()
        other.page.click("#person")
        other.hears("A person will be with you.\nYou are number 2 in the queue.")
        assert customer.kept() == [ENGLISH.person_phrase] * 2

    def test_a_new_conversation_starts_empty(self, visit: Visit) -> None:
        customer = visit()
        customer.type("one")
        customer.hears("You asked: 1 words.")
        customer.page.click("#new")
        expect(customer.page.locator("#chat .placeholder")).to_be_visible()
        expect(customer.page.locator("#note")).to_be_hidden()
        customer.page.fill("#msg textarea", "two two")
        customer.page.press("#msg textarea", "Enter")
        customer.hears("You asked: 2 words.")
        with customer.journal._engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM conversations").scalar_one() == 2

    def test_the_page_speaks_chinese(self, visit: Visit) -> None:
        customer = visit(locale="zh-CN")
        page = customer.page
        expect(page.locator("#person")).to_have_text(CHINESE.person)
        expect(page.locator("#msg textarea")).to_have_attribute("placeholder", CHINESE.placeholder)
        customer.type("包裹在哪里")
        customer.hears("您说了 5 个字。")
        expect(page.locator("#note")).to_contain_text(CHINESE.sure)
        page.locator("#language").get_by_text("English").click()
        expect(page.locator("#new")).to_have_text(ENGLISH.new)
        expect(page.locator("#why")).to_contain_text(ENGLISH.why)
        expect(page.locator("#note")).to_contain_text(ENGLISH.sure)
        customer.hears("您说了 5 个字。")

    def test_an_empty_message_gets_a_hint_and_is_not_kept(self, visit: Visit) -> None:
        customer = visit()
        customer.type("")
        expect(customer.page.locator("#note")).to_have_text(ENGLISH.empty)
        assert customer.kept() == []
        customer.type("  \n ")
        customer.hears("What would you like to know?")
        assert customer.kept() == ["  \n "]

    def test_a_hundred_thousand_characters_are_cut_and_the_page_lives_on(self, visit: Visit) -> None:
        customer = visit()
        customer.type("x" * 100_000)
        customer.hears("Please say it in fewer words.")
        assert len(customer.said()[0]) < SHOWN + 100
        assert customer.kept() == ["x" * 100_000]
        customer.type("short")
        customer.hears("Please say it in fewer words.", "You asked: 1 words.")

    @pytest.mark.parametrize("start", ["", "maybe "])
    def test_hostile_text_stays_text(self, visit: Visit, start: str) -> None:
        customer = visit()
        page = customer.page
        images = page.locator("img").count()
        customer.type(start + HOSTILE)
        expect(page.locator("#why table tr")).to_have_count(2)
        shown = (start + HOSTILE).replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
        assert customer.said() == [shown]
        if start:
            expect(page.locator("#suggestion-0")).to_contain_text("<script>alert(1)</script> <img src=")
        assert "<script>alert(1)</script> <img" in page.locator("#why").inner_text()
        page.wait_for_timeout(300)
        assert (customer.dialogs, customer.requests) == ([], [])
        assert page.locator("img").count() == images
        made = "#chat .message-content, #note, #why .html-container, #suggested"
        assert (
            page.locator(made).locator("script, img, a, b, strong:has-text('bold'), .katex, [onload]").count() == 0
        )

    def test_a_failure_is_apologised_for_and_the_conversation_goes_on(self, visit: Visit) -> None:
        customer = visit()
        customer.type("boom")
        customer.hears(ENGLISH.failed)
        customer.type("one more")
        customer.hears(ENGLISH.failed, "You asked: 2 words.")

    def test_a_double_click_asks_once(self, visit: Visit) -> None:
        customer = visit()
        customer.page.fill("#msg textarea", "only once please")
        customer.page.dblclick("#msg button.submit-button")
        customer.hears("You asked: 3 words.")
        customer.page.wait_for_timeout(500)
        expect(customer.page.locator("#note")).to_contain_text("handbook")
        assert customer.kept() == ["only once please"]

    def test_what_is_sent_while_an_answer_still_appears_is_asked_after_it(self, visit: Visit) -> None:
        customer = visit()
        customer.page.fill("#msg textarea", "first question here")
        customer.page.press("#msg textarea", "Enter")
        expect(customer.page.locator('#chat [data-testid="user"]')).to_have_count(1)
        customer.page.fill("#msg textarea", "second one")
        customer.page.press("#msg textarea", "Enter")
        customer.hears("You asked: 3 words.", "You asked: 2 words.")
        assert customer.kept() == ["first question here", "second one"]

    def test_a_phone_needs_no_sideways_scrolling_and_the_panel_is_closed(self, visit: Visit) -> None:
        customer = visit(width=360, height=740)
        page = customer.page
        customer.type("maybe " + "long" * 60)
        expect(page.locator("#suggestion-0")).to_be_visible()
        customer.type("w" * 300)
        customer.hears("Did you mean one of these?", "You asked: 1 words.")
        expect(page.locator("#why table")).to_be_hidden()
        page.locator("#why button").click()
        expect(page.locator("#why table")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360

    def test_a_taken_port_says_how_to_choose_another(self) -> None:
        site = build_page(FakeResponder(), FakeJournal(), company="Ada", examples={}, languages=["en"])
        with socket.socket() as taken, pytest.raises(UserError, match=r"127\.0\.0\.1:\d+: .*--port"):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            launch(site, port=taken.getsockname()[1], wait=False)
