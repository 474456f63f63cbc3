"""The chat page: what it draws, as pure functions; and the page in a real Chromium, driven as a customer would."""

import logging
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, Route, ViewportSize, expect

from chatbot import phrases
from chatbot.desk import Author, Outcome
from chatbot.domain import Action, Candidate, Conversation, Decision, Exchange, QAPair, Reason, Reply
from chatbot.errors import Unavailable, UserError
from chatbot.journal import SqlDesk, SqlJournal
from chatbot.ui import chat as chat_page
from chatbot.ui.chat import build_page
from chatbot.ui.desk import Advice, build_desk
from chatbot.ui.launch import is_local, launch
from chatbot.ui.show import QUOTED, SHOWN, Chat, bubbles, evidence, note, quoted, rich, status
from chatbot.ui.visit import Visits
from chatbot.ui.words import CHINESE, ENGLISH, WORDS, preferred, spoken
from tests.browsing import AXE, HOSTILE, offences
from tests.fakes import FakeDesk, FakeJournal, FakeResponder


def texts(chat: Chat) -> list[str]:
    return [message["content"]["text"] for message in bubbles(chat)]


def visits(journal: FakeJournal) -> Visits:
    return Visits(FakeResponder(), journal, FakeDesk(journal))


class TestWhatIsDrawn:
    def test_an_answer_is_kept_and_the_conversation_goes_on(self) -> None:
        journal = FakeJournal()
        chat = visits(journal).ask(Chat(), "Where is it?")
        chat = visits(journal).ask(chat, "I want a person")
        assert texts(chat) == [
            "Where is it?",
            "You asked: 3 words.",
            "I want a person",
            "A person will be with you.",
        ]
        assert chat.conversation == journal.conversation("conversation-1")
        assert [entry.number for entry in chat.entries if isinstance(entry, Exchange)] == [1, 2]
        assert journal.queue == [("conversation-1", Reason.ASKED_FOR_PERSON)]
        assert status(chat) == "<p>A person was asked. You are number 1 in the queue.</p>"

    def test_a_failing_bot_is_apologised_for_and_logged_without_the_text(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        journal = FakeJournal()
        with caplog.at_level(logging.DEBUG):
            chat = visits(journal).ask(Chat(), "boom, my card is 4111")
        assert texts(chat)[1] == ENGLISH.failed
        assert "RuntimeError" in caplog.text and "in reply" in caplog.text
        assert "4111" not in caplog.text and "RuntimeError: the fake" not in caplog.text  # it may quote the text
        assert journal.kept == []
        assert texts(visits(journal).ask(chat, "again"))[3] == "You asked: 1 words."
        assert chat.conversation.turns == ()  # what failed was not said

    def test_an_answer_is_given_without_a_journal_but_a_person_is_not_promised(self) -> None:
        class FullDisk(FakeJournal):
            def record(self, conversation_id: str, text: str, reply: Reply) -> int:
                raise Unavailable("The journal could not be written: disk full.")

        chat = visits(FullDisk()).ask(Chat("zh"), "Where is it?")
        chat = visits(FullDisk()).ask(chat, "person")
        assert texts(chat)[1::2] == ["You asked: 3 words.", CHINESE.failed]
        assert [entry.number for entry in chat.entries if isinstance(entry, Exchange)] == [None, None]
        assert status(chat) == ""

    def test_who_has_the_conversation_gets_what_is_written_and_the_bot_is_quiet(self) -> None:
        journal = FakeJournal()
        page = visits(journal)
        chat = page.ask(Chat(), "I want a person")
        page.desk.claim(chat.conversation_id, "<Anna>")
        page.desk.say(chat.conversation_id, Author.AGENT, "Hello <b>", "<Anna>")
        found = page.looked_after(chat)
        assert found is not None
        assert texts(found)[2:] == ['<strong class="agent">&lt;Anna></strong>Hello &lt;b>']
        assert status(found) == "<p>&lt;Anna> is with you now. The assistant is quiet meanwhile.</p>"
        assert page.looked_after(found) is None
        chat = page.ask(chat, "where is it?")  # by a page that has not looked yet
        assert [m.text for m in page.desk.messages(chat.conversation_id)] == ["Hello <b>", "where is it?"]
        assert len(journal.kept) == 1
        page.desk.close(chat.conversation_id, Outcome.HANDED_BACK, "<Anna>")
        found = page.looked_after(chat)
        assert found is not None and found.case is None
        assert texts(page.ask(found, "two words"))[-1] == "You asked: 2 words."

    def test_what_was_handed_over_elsewhere_reaches_the_agent_and_not_the_bot(self) -> None:
        page = visits(FakeJournal())
        chat = page.ask(Chat(), "one")
        page.ask(chat, "person")  # in another tab
        page.desk.claim(chat.conversation_id, "Anna")
        chat = page.ask(chat, "two two")
        assert texts(chat) == ["one", "You asked: 1 words.", "two two"]
        assert chat.case is not None and chat.case.agent == "Anna"

    def test_an_agent_who_comes_while_the_bot_thinks_is_told(self) -> None:
        journal = FakeJournal()
        desk = FakeDesk(journal)
        chat = visits(journal).ask(Chat(), "person")

        class Meanwhile(FakeResponder):
            def reply(self, conversation: Conversation, text: str) -> Reply:
                desk.claim(chat.conversation_id, "Anna")
                return super().reply(conversation, text)

        told = Visits(Meanwhile(), journal, desk).ask(chat, "two two")
        assert texts(told)[2:] == ["two two"]
        assert [message.text for message in desk.messages(chat.conversation_id)] == ["two two"]

    def test_the_queue_tells_the_usual_wait_and_the_contact(self) -> None:
        journal = FakeJournal()
        page = visits(journal)
        first = page.ask(Chat(), "person")
        page.desk.claim(first.conversation_id, "Anna")
        chat = page.leave_contact(page.ask(Chat(), "person"), " a@example.com ")
        assert status(chat) == (
            "<p>A person was asked. You are number 1 in the queue. It usually takes 1 min.</p>"
            "<p>We will reach you at a@example.com.</p>"
        )
        assert page.give_up(chat).case is None
        assert [case.conversation_id for case in page.desk.cases()] == [first.conversation_id]
        assert page.give_up(chat).case is None  # twice is no mistake

    def test_a_conversation_is_found_again_without_what_was_taken_back(self) -> None:
        journal = FakeJournal()
        page = visits(journal)
        chat = page.ask(page.ask(Chat(), "one"), "two two")
        before, text = chat.before(3)
        assert (text, texts(before), before.undone) == ("two two", ["one", "You asked: 1 words."], (2,))
        again = page.found_again(Chat("zh"), chat.conversation_id, before.undone)
        assert texts(again) == texts(before)
        assert page.found_again(Chat("zh"), "conversation-9", ()).entries == ()

    def test_what_people_said_cannot_be_taken_back(self) -> None:
        journal = FakeJournal()
        page = visits(journal)
        chat = page.ask(Chat(), "person")
        page.desk.say(chat.conversation_id, Author.AGENT, "Hello", "Anna")
        found = page.looked_after(chat)
        assert found is not None and found.before(2) == (found, "") and found.before(0) == (found, "")

    def test_a_thumb_down_asks_why_until_it_is_said(self) -> None:
        journal = FakeJournal()
        page = visits(journal)
        chat = page.judge(page.ask(Chat(), "one"), 1, False)
        assert chat.blamed == 1
        chat = page.judge(chat, 1, False, "Wrong")
        assert (chat.blamed, journal.thumbs) == (None, [(1, False, ""), (1, False, "Wrong")])

    @pytest.mark.parametrize(
        ("stored", "drawn"),
        [
            ("Three days. (5 > 3 & more)", "Three days. (5 > 3 & more)"),
            ("a **bold** word", '<div class="rich"><p>a <strong>bold</strong> word</p>\n</div>'),
            (
                "see [here](https://example.com/a?b=1&c=2)",
                '<div class="rich"><p>see <a href="https://example.com/a?b=1&amp;c=2" target="_blank" '
                'rel="noopener noreferrer nofollow">here</a></p>\n</div>',
            ),
            ("one\ntwo &amp; *x*", '<div class="rich"><p>one<br />\ntwo &amp;amp; <em>x</em></p>\n</div>'),
            ("<script>alert(1)</script> *x*", None),
            ("![x](https://example.com/b.png) *x*", None),
            ("[x](javascript:alert(1)) [y](data:text/html,1) [z](//example.com) *x*", None),
            ("<https://example.com> <javascript:alert(1)> *x*", None),
        ],
    )
    def test_markdown_of_a_stored_answer_is_drawn_safely(self, stored: str, drawn: str | None) -> None:
        found = rich(stored)
        if drawn is not None:
            assert found == drawn
        assert not re.search(r"<script|<img|href=\"(?!https://)", found)

    def test_markup_is_escaped_and_everything_else_is_word_for_word(self) -> None:
        stored = "  R&D & more:\n\t2 * 3 * 4 a_b_c <c> &amp; 5 > 3"
        reply = Reply(stored, Decision(Action.ANSWER, 0.95, Reason.CONFIDENT), "en", "A1")
        assert texts(Chat(entries=(Exchange("\x00 ", reply), Exchange("   "))))[:3] == [
            "\ufffd ",
            "  R&amp;D & more:\n\t2 * 3 * 4 a_b_c &lt;c> &amp;amp; 5 > 3",
            "␣",
        ]

    def test_a_long_text_is_cut(self) -> None:
        shown = texts(Chat(entries=(Exchange("x" * 100_000),)))[0]
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
        chat = visits(FakeJournal()).ask(Chat(), "<i>How</i>?")
        assert chat.last is not None
        reply = replace(chat.last, decision=replace(chat.last.decision, confidence=confidence))
        assert note(Chat(entries=(Exchange("", reply),))) == (
            f'<span class="certainty {level}">{word}</span> '
            "<span>Answered before: “&lt;i>How&lt;/i>?” · handbook</span>"
        )

    def test_the_panel_shows_decision_time_and_candidates(self) -> None:
        pair = QAPair("p1", "How <long>?", "Three days.", "A1", "en")
        decision = Decision(Action.ANSWER, 0.9, Reason.CONFIDENT, (Candidate(pair, 0.875, 2.55, confidence=0.9),))
        reply = Reply("Three days.", decision, "en", "A1", timings={"rerank": 8.5, "total": 9.1})
        drawn = evidence(Chat(entries=(Exchange("How long?", reply),)))
        assert "<strong>Answered</strong> The best answer is confident enough." in drawn
        assert "9 ms (rerank 8.5)" in drawn
        assert "<td>A1</td><td>How &lt;long>?</td><td>0.88</td><td>2.5</td><td>90%</td>" in drawn
        unread = replace(decision, candidates=(replace(decision.candidates[0], relevance=0.0),))
        drawn = evidence(Chat(entries=(Exchange("How long?", replace(reply, decision=unread)),)))
        assert "<td>0.88</td><td>–</td><td>90%</td>" in drawn  # decided before the cross-encoder read
        assert ENGLISH.nothing_yet in evidence(Chat())
        assert ENGLISH.no_candidates in evidence(Chat(entries=(Exchange("boom"),)))


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
        """Whether `found` gives what is expected in time."""
        for _ in range(150):
            if found() is expected:
                return True
            self.page.wait_for_timeout(100)
        return False

    def kept(self) -> list[str]:
        """What the journal holds of conversations, the customers' texts in order."""
        with self.journal.database.engine.connect() as connection:
            return list(connection.exec_driver_sql("SELECT text FROM exchanges ORDER BY id").scalars())


Visit = Callable[..., Customer]


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    journal = SqlJournal.connect(tmp_path / "journal.sqlite")
    desk, bot = SqlDesk(journal.database), FakeResponder()
    chat = build_page(
        bot,
        journal,
        desk,
        company="Ada & Sons",
        examples={"en": ["Where is my parcel?", "How do I return it?"], "zh": ["我的包裹在哪里？"]},
        languages=["en", "zh"],
    )
    advice = Advice(lambda talk, text: bot.reply(talk, text).decision.candidates, lambda texts: texts[-3:])
    staff = build_desk(journal, desk, advice, company="Ada & Sons", languages=["en", "zh"])
    site = launch({"/": chat, "/desk": staff}, port=0)
    address = site.address

    def arrive(
        locale: str = "en-US",
        width: int = 1280,
        height: int = 800,
        path: str = "",
        ready: str = "#person",
        scheme: Literal["light", "dark"] = "light",
    ) -> Customer:
        size: ViewportSize = {"width": width, "height": height}
        page = browser.new_page(locale=locale, viewport=size, color_scheme=scheme)
        customer = Customer(page, journal)

        def heard(dialog: Dialog) -> None:
            customer.dialogs.append(dialog.message)
            dialog.dismiss()

        def asked(request: Request) -> None:
            if not request.url.startswith((address, "data:", "blob:")):
                customer.requests.append(request.url)

        page.on("dialog", heard)
        page.on("request", asked)
        page.goto(address + path)
        expect(page.locator(ready)).not_to_be_empty()
        return customer

    yield arrive
    for context in browser.contexts:
        context.close()
    site.close()
    journal.close()


def asking(visit: Visit, monkeypatch: pytest.MonkeyPatch, text: str, pause: float) -> Customer:
    """A customer whose answer begins to appear; so many seconds lie between its pieces."""
    monkeypatch.setattr(chat_page, "PAUSE", pause)
    customer = visit()
    customer.type(text)
    expect(customer.page.locator('#chat [data-testid="bot"]')).to_contain_text("Yo")
    return customer


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
        expect(customer.page.locator("#suggested button:visible")).to_have_count(2)
        customer.page.click("#suggestion-0")
        customer.hears("You asked: 4 words.")
        assert customer.said() == ["Where is my parcel?"]
        expect(customer.page.locator("#suggested")).to_be_hidden()

    def test_nothing_can_be_asked_before_the_visitors_language_and_conversation_are_known(
        self, visit: Visit
    ) -> None:
        page, held = visit(locale="zh-CN").page, list[Route]()

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/queue/join*", hold, times=1)
        with page.expect_request("**/queue/join*"):
            page.reload()
        expect(page.locator("#msg textarea")).to_be_disabled()
        expect(page.locator("#person")).to_be_hidden()
        for route in held:
            route.continue_()
        expect(page.locator("#person")).to_have_text(CHINESE.person)
        expect(page.locator("#msg textarea")).to_be_enabled()

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
        for place in (1, 2):
            customer = visit()
            customer.page.click("#person")
            customer.hears("A person will be with you.")
            expect(customer.page.locator("#status")).to_have_text(
                f"A person was asked. You are number {place} in the queue."
            )
            expect(customer.page.locator("#person")).to_be_hidden()
        assert customer.kept() == [ENGLISH.person_phrase] * 2
        customer.page.fill("#contact input, #contact textarea", "a@example.com")
        customer.page.click("#contact button")
        expect(customer.page.locator("#status")).to_contain_text("We will reach you at a@example.com.")
        customer.page.click("#give-up")
        expect(customer.page.locator("#waiting")).to_be_hidden()
        expect(customer.page.locator("#person")).to_be_visible()

    def test_customer_and_agent_talk_in_two_browsers(self, visit: Visit) -> None:
        customer, agent, other = visit(), visit(path="desk", ready="#inbox"), visit(path="desk", ready="#inbox")
        customer.type("Where is **my** <b>jacket</b>?")
        customer.hears("You asked: 4 words.")
        customer.page.click("#person")
        for staff, name in ((agent, "Anna"), (other, "Bo")):
            staff.page.fill("#agent input, #agent textarea", name)
            staff.page.click("#inbox button")  # appears by itself
            expect(staff.page.locator("#transcript li")).to_have_count(4)
        expect(agent.page.locator("#head")).to_contain_text(ENGLISH.reasons[Reason.ASKED_FOR_PERSON])
        expect(agent.page.locator("#transcript li").first).to_contain_text("Where is **my** <b>jacket</b>?")
        agent.page.click("#claim")
        expect(other.page.locator("#head")).to_contain_text("with Anna")
        expect(other.page.locator("#claim")).to_be_hidden()
        agent.page.fill("#reply textarea", "Hello, *I* am <i>looking</i>.")
        agent.page.click("#reply button.submit-button")
        expect(agent.page.locator("#reply textarea")).to_have_value("")
        bubble = customer.page.locator('#chat [data-testid="bot"]')
        expect(bubble).to_have_count(3)
        expect(bubble.last).to_have_text("AnnaHello, *I* am <i>looking</i>.")
        expect(customer.page.locator("#status")).to_contain_text("Anna is with you now.")
        customer.type("thank you")
        expect(agent.page.locator("#transcript li")).to_have_count(6)
        expect(customer.page.locator('#chat [data-testid="user"]')).to_have_count(3)
        assert len(customer.kept()) == 2  # the bot was quiet
        agent.page.locator("#suggestions button[data-send]").first.click()
        expect(bubble.last).to_have_text("AnnaYou asked: 2 words.")
        customer.page.reload()
        expect(bubble).to_have_count(4)
        agent.page.click("#hand-back")
        expect(agent.page.locator("#inbox")).to_contain_text("Nobody is waiting.")
        expect(customer.page.locator("#waiting")).to_be_hidden()
        customer.type("one two three")
        expect(bubble.last).to_have_text("You asked: 3 words.")
        assert (customer.requests, agent.requests, customer.dialogs, agent.dialogs) == ([], [], [], [])

    def test_an_agent_without_a_name_is_asked_for_it(self, visit: Visit) -> None:
        customer, agent = visit(), visit(locale="zh-CN", path="desk", ready="#inbox")
        customer.page.click("#person")
        agent.page.click("#inbox button")
        agent.page.click("#claim")
        expect(agent.page.locator(".toast-body")).to_contain_text("请先填写您的姓名")
        expect(agent.page.locator("#claim")).to_be_visible()

    def test_a_reload_and_an_undone_question(self, visit: Visit) -> None:
        customer = visit()
        for text, words in (("one", 1), ("two two", 2)):
            customer.type(text)
            expect(customer.page.locator('#chat [data-testid="bot"]').last).to_have_text(
                f"You asked: {words} words."
            )
        customer.hears("You asked: 1 words.", "You asked: 2 words.")
        customer.page.get_by_label("Undo", exact=True).click()
        customer.hears("You asked: 1 words.")
        expect(customer.page.locator("#msg textarea")).to_have_value("two two")
        customer.page.reload()
        customer.hears("You asked: 1 words.")
        assert customer.said() == ["one"]
        customer.page.get_by_label("Retry", exact=True).click()
        expect(customer.page.locator("#msg .stop-button")).to_have_count(0)
        customer.hears("You asked: 1 words.")
        assert customer.waits_for(lambda: customer.kept() == ["one", "two two", "one"], True)

    def test_who_reloads_while_an_answer_appears_finds_it_again(
        self, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        customer = asking(visit, monkeypatch, "one", pause=5.0)
        customer.page.reload()
        customer.hears("You asked: 1 words.")
        assert customer.said() == ["one"]

    def test_two_clicks_on_a_button_ask_once(self, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chat_page, "PAUSE", 0.2)
        customer = visit()
        customer.type("maybe maybe so")
        expect(customer.page.locator("#suggestion-0")).to_have_text("so")
        customer.page.click("#suggestion-1", click_count=2)  # whose reply offers nothing
        expect(customer.page.locator('#chat [data-testid="bot"]')).to_have_count(2)
        customer.hears("Did you mean one of these?", "You asked: 4 words.")
        customer.type("maybe maybe so")
        expect(customer.page.locator("#suggestion-0")).to_be_visible()
        customer.page.fill("#msg textarea", "half a")
        customer.page.click("#suggestion-0", click_count=2)
        expect(customer.page.locator('#chat [data-testid="bot"]')).to_have_count(4)
        customer.page.click("#person", click_count=2)
        expect(customer.page.locator("#status")).to_contain_text("You are number 1")
        customer.page.wait_for_timeout(500)
        asked = ["maybe maybe so", "How do I pay?", "maybe maybe so", "so", ENGLISH.person_phrase]
        assert customer.kept() == asked
        expect(customer.page.locator("#msg textarea")).to_have_value("half a")
        customer.type("are you there")  # goes to who will come
        expect(customer.page.locator('#chat [data-testid="user"]')).to_have_count(6)

    def test_what_is_clicked_and_typed_while_an_answer_appears_comes_after_it(
        self, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        customer = asking(visit, monkeypatch, "one two", pause=0.2)
        customer.page.click("#person")
        expect(customer.page.locator('#chat [data-testid="bot"]').last).to_contain_text("A pers")
        customer.type("hello there")
        expect(customer.page.locator('#chat [data-testid="user"]')).to_have_text(
            ["one two", ENGLISH.person_phrase, "hello there"]
        )
        expect(customer.page.locator("#msg textarea")).to_have_value("")

    def test_a_language_that_is_chosen_while_an_answer_appears_stays(
        self, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        customer = asking(visit, monkeypatch, "one two", pause=0.2)
        customer.page.locator("#language").get_by_text("中文").click()
        customer.hears("You asked: 2 words.")
        expect(customer.page.locator("#person")).to_have_text(CHINESE.person)
        expect(customer.page.get_by_role("radio", name="中文")).to_be_checked()
        customer.page.reload()
        expect(customer.page.locator("#person")).to_have_text(CHINESE.person)
        customer.hears("You asked: 2 words.")

    def test_a_thumb_down_may_say_why(self, visit: Visit) -> None:
        customer = visit()
        customer.type("one")
        customer.hears("You asked: 1 words.")
        customer.page.get_by_label("Dislike", exact=True).click()
        expect(customer.page.locator("#because")).to_contain_text(ENGLISH.asks_why)
        customer.page.click("#reason-1")
        expect(customer.page.locator("#because")).to_be_hidden()
        with customer.journal.database.engine.connect() as connection:
            comments = connection.exec_driver_sql("SELECT comment FROM feedback ORDER BY id").scalars()
            assert list(comments) == ["", "Incomplete"]

    @pytest.mark.skipif(not AXE.exists(), reason="no axe-core here: npm ci")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(("locale", "width"), [("en", 1280), ("zh-CN", 360)])
    def test_axe_finds_nothing_serious(self, visit: Visit, locale: str, width: int, scheme: str) -> None:
        customer = visit(locale=locale, width=width, scheme=scheme)
        assert offences(customer.page) == []
        customer.type("maybe two words")
        expect(customer.page.locator("#suggestion-0")).to_have_text("two words")
        customer.type("one")
        expect(customer.page.locator("#note")).to_contain_text("handbook")
        customer.page.locator('#chat :is([aria-label="Dislike"], [aria-label="踩"])').last.click()
        expect(customer.page.locator("#because")).to_be_visible()
        assert offences(customer.page) == []
        customer.page.click("#person")
        expect(customer.page.locator("#status")).not_to_be_empty()
        assert offences(customer.page) == []
        agent = visit(locale=locale, width=width, scheme=scheme, path="desk", ready="#inbox")
        agent.page.fill("#agent input, #agent textarea", "Anna")
        agent.page.click("#inbox button")
        agent.page.click("#claim")
        expect(agent.page.locator("#reply textarea")).to_be_visible()
        agent.page.fill("#reply textarea", "Hello")
        agent.page.click("#reply button.submit-button")
        expect(agent.page.locator("#transcript li.agent")).to_have_count(1)
        assert offences(agent.page) == []
        assert agent.page.evaluate("document.documentElement.scrollWidth") <= width

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
        with customer.journal.database.engine.connect() as connection:
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
        expect(page.locator("#suggestion-0")).to_have_text("long" * 40 + "…")
        customer.type("w" * 300)
        customer.hears("Did you mean one of these?", "You asked: 1 words.")
        expect(page.locator("#why table")).to_be_hidden()
        page.locator("#why button").click()
        expect(page.locator("#why table")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360

    @pytest.mark.parametrize(
        ("host", "local"),
        [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("shop", False)],
    )
    def test_what_only_this_machine_can_reach(self, host: str, local: bool) -> None:
        assert is_local(host) is local

    def test_without_an_account_others_get_the_chat_only(self, caplog: pytest.LogCaptureFixture) -> None:
        journal = FakeJournal()
        desk = FakeDesk(journal)
        chat = build_page(FakeResponder(), journal, desk, company="Ada", examples={}, languages=["en"])
        staff = build_desk(journal, desk, Advice(lambda *_: (), lambda *_: ()), company="Ada", languages=["en"])
        site = launch({"/": chat, "/desk": staff}, host="0.0.0.0", port=0)
        try:
            port = site.address.rstrip("/").rpartition(":")[2]
            assert httpx.get(f"http://127.0.0.1:{port}/config").status_code == 200
            assert httpx.get(f"http://127.0.0.1:{port}/desk/config").status_code == 404
        finally:
            site.close()
        assert "chatbot accounts add" in caplog.text

    def test_a_taken_port_says_how_to_choose_another(self) -> None:
        with socket.socket() as taken, pytest.raises(UserError, match=r"127\.0\.0\.1:\d+: .*--port"):
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            launch({}, port=taken.getsockname()[1])

    def test_so_does_one_that_there_is_not(self) -> None:
        with pytest.raises(UserError, match=r"127\.0\.0\.1:99999: .*--port"):
            launch({}, port=99_999)
