"""What customers wrote, stored without personal data: the contracts hold, the live conversation goes on as it was
typed, and nothing personal lies in the database or in a log."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gradio_client import Client

from chatbot.desk import Author, Desk, Outcome
from chatbot.domain import Conversation, Exchange, Reason, Reply
from chatbot.edit import LiveBot
from chatbot.journal import SqlDesk, SqlJournal, SqlReviews, between
from chatbot.privacy import Redactor
from chatbot.protocols import Journal
from chatbot.serve.bots import private as private_site
from chatbot.settings import Privacy
from chatbot.slots import Checksum, Slot, given
from chatbot.ui.launch import launch
from chatbot.ui.show import Chat
from chatbot.ui.stubless import gr
from chatbot.ui.visit import Visits
from chatbot.vault import PrivateDesk, PrivateJournal, Vault
from tests.contracts import DeskContract, JournalContract
from tests.fakes import FakeDesk, FakeJournal, FakeResponder, pair
from tests.mending import PAIRS, CountingBot, counting_bot

ORDER = Slot(
    "order_number", r"KW[- ]?(\d{4})[- ]?(\d{4})", r"KW-\1\2", Checksum.LUHN, anywhere=True, personal=True
)
HOUR = 3600.0
EVER = datetime(2020, 1, 1, tzinfo=UTC)
MINE = "I'm Jane Smith, jane@example.com, 13800138000. 我叫王小明，住张江路368号。 KW-1000 0016"
HIDDEN = "I'm [👤1], [✉1], [☎1]. 我叫[👤2]，住[📍1]。 [📦1]"
SECRETS = ("Jane", "jane@", "13800138000", "王小明", "张江路", "0016")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def private(journal: Journal, clock: Clock | None = None, most: int = 100) -> PrivateJournal:
    return PrivateJournal(journal, Vault(Redactor((ORDER,)), HOUR, most, Clock() if clock is None else clock))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def sql_journal(place: Path) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


def stored(journal: SqlJournal) -> str:
    """Every text of the database."""
    with journal.database.engine.connect() as connection:
        return "\n".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


class TestPrivateJournal(JournalContract):
    @pytest.fixture
    def journal(self, sql_journal: SqlJournal) -> Journal:
        return private(sql_journal)


class TestPrivateFakeJournal(JournalContract):
    @pytest.fixture
    def journal(self) -> Journal:
        return private(FakeJournal())


class TestPrivateDesk(DeskContract):
    @pytest.fixture
    def desk_and_journal(self, sql_journal: SqlJournal) -> tuple[Desk, Journal]:
        journal = private(sql_journal)
        return PrivateDesk(SqlDesk(sql_journal.database), journal), journal


class TestPrivateFakeDesk(DeskContract):
    @pytest.fixture
    def desk_and_journal(self) -> tuple[Desk, Journal]:
        fake = FakeJournal()
        journal = private(fake)
        return PrivateDesk(FakeDesk(fake), journal), journal


class TestWhatIsStored:
    def test_nothing_personal_wherever_somebody_wrote_it(self, sql_journal: SqlJournal) -> None:
        journal = private(sql_journal)
        desk, talk = PrivateDesk(SqlDesk(sql_journal.database), journal), journal.open("en")
        number = journal.record(talk, MINE, JournalContract.reply("Order KW-10000016, dear Jane Smith."))
        journal.feedback(number, False, "Ring 13800138000, 我叫王小明")
        journal.hand_over(talk, Reason.UNSURE)
        desk.say(talk, Author.CUSTOMER, MINE)
        desk.say(talk, Author.AGENT, "Hello 王小明, is it jane@example.com?", "Anna")
        assert [secret for secret in SECRETS if secret in stored(sql_journal)] == []
        assert [e.text for e in sql_journal.exchanges(talk)] == [HIDDEN]
        (blamed,) = SqlReviews(sql_journal.database).blamed()
        assert (blamed.question, blamed.answer) == (HIDDEN, "Order [📦2], dear [👤1].")
        assert blamed.comment == "Ring [☎], 我叫[👤]"

    def test_the_contact_that_is_left_for_an_agent_is_kept(self, sql_journal: SqlJournal) -> None:
        journal = private(sql_journal)
        desk = PrivateDesk(SqlDesk(sql_journal.database), journal)
        (talk,) = DeskContract.waiting(journal, "person")
        desk.leave_contact(talk, "jane@example.com")
        found = PrivateDesk(SqlDesk(sql_journal.database), private(sql_journal)).case(talk)
        assert found is not None and found.contact == "jane@example.com"


class TestTheLiveConversation:
    def test_it_is_read_as_it_was_written_by_customer_and_agent(self, sql_journal: SqlJournal) -> None:
        journal = private(sql_journal)
        desk = PrivateDesk(SqlDesk(sql_journal.database), journal)
        (talk,) = DeskContract.waiting(journal, MINE)
        said = desk.say(talk, Author.CUSTOMER, "Again: jane@example.com")
        assert said.text == "Again: jane@example.com"
        assert desk.messages(talk) == [said]
        assert [e.text for e in journal.exchanges(talk)] == [MINE]
        assert [turn.text for turn in journal.conversation(talk).turns][::2] == [MINE, said.text]
        found = desk.case(talk)
        assert found is not None and (found.last, desk.claim(talk, "Anna").last) == (said.text, said.text)

    def test_a_slot_remembers_what_was_typed_before(self, sql_journal: SqlJournal) -> None:
        journal = private(sql_journal)
        talk = journal.open("en")
        for text in ("Where is KW-1000 0016?", "Thanks"):
            journal.record(talk, text, JournalContract.reply("It is on its way."))
        assert given(journal.conversation(talk), "and now?", ORDER) == "KW-10000016"
        assert given(sql_journal.conversation(talk), "and now?", ORDER) is None

    def test_another_process_sees_placeholders_and_gives_none_of_them_again(self, sql_journal: SqlJournal) -> None:
        talk = sql_journal.open("en")
        private(sql_journal).record(talk, "I'm at a@example.com", JournalContract.reply("Yes."))
        later = private(sql_journal)
        assert later.exchanges(talk)[0].text == "I'm at [✉1]"
        later.record(talk, "now b@example.com", JournalContract.reply("Yes."))
        assert [e.text for e in later.exchanges(talk)] == ["I'm at [✉1]", "now b@example.com"]
        assert [e.text for e in sql_journal.exchanges(talk)] == ["I'm at [✉1]", "now [✉2]"]

    def test_it_ends_when_the_case_is_resolved_and_not_when_the_bot_goes_on(self) -> None:
        for outcome, text in (
            (Outcome.RESOLVED, "person, [✉1]"),
            (Outcome.HANDED_BACK, "person, a@example.com"),
            (Outcome.WITHDRAWN, "person, a@example.com"),
        ):
            fake = FakeJournal()
            journal = private(fake)
            (talk,) = DeskContract.waiting(journal, "person, a@example.com")
            PrivateDesk(FakeDesk(fake), journal).close(talk, outcome, "Anna")
            assert journal.exchanges(talk)[0].text == text

    def test_a_conversation_that_rests_too_long_is_forgotten(self) -> None:
        clock = Clock()
        journal = private(FakeJournal(), clock)
        talk = journal.open()
        journal.record(talk, "a@example.com", JournalContract.reply("Yes."))
        clock.now = HOUR - 1
        assert journal.exchanges(talk)[0].text == "a@example.com"  # which is a use
        clock.now = 2 * HOUR - 2
        assert journal.exchanges(talk)[0].text == "a@example.com"
        clock.now = 3 * HOUR
        assert journal.exchanges(talk)[0].text == "[✉1]"

    def test_of_too_many_the_one_that_rested_longest_goes(self) -> None:
        journal = private(FakeJournal(), most=2)
        talks = [journal.open() for _ in range(3)]
        for number, talk in enumerate(talks):
            if number == 2:
                journal.exchanges(talks[0])
            journal.record(talk, "a@example.com", JournalContract.reply("Yes."))
        shown = [journal.exchanges(talk)[0].text for talk in talks]
        assert shown == ["a@example.com", "[✉1]", "a@example.com"]

    def test_the_page_has_it_again_after_a_reload(self) -> None:
        fake = FakeJournal()
        journal = private(fake)
        visits = Visits(FakeResponder(), journal, PrivateDesk(FakeDesk(fake), journal))
        chat = visits.ask(Chat(), "Write to a@example.com")
        again = visits.found_again(Chat(), chat.conversation_id, ())
        assert again.conversation == chat.conversation
        assert fake.kept[0][1] == "Write to [✉1]"


class TestTheSite:
    """A served bot's journal and desk, by its settings."""

    @pytest.fixture
    def live(self, tmp_path: Path) -> CountingBot:
        answer = "Write to help@kitewire.example, or ring 010-62345678."
        return counting_bot(tmp_path / "bot", [*PAIRS, pair("drone kayak", "contact", answer)])

    @staticmethod
    def exchange(live: LiveBot, journal: SqlJournal) -> tuple[str, str]:
        """What is stored of a question with somebody's own address, and of its answer."""
        visits = Visits(live, *private_site(live, journal))
        visits.ask(Chat(), "drone kayak, I am at a@example.com, not at help@kitewire.example")
        (talk,) = between(journal.database, EVER, datetime.now(UTC), lambda **row: str(row["conversation_id"]))
        (kept,) = journal.exchanges(talk)
        assert kept.reply is not None
        return kept.text, kept.reply.text

    def test_customers_data_is_hidden_and_the_companys_own_is_not(
        self, live: CountingBot, sql_journal: SqlJournal
    ) -> None:
        assert self.exchange(live, sql_journal) == (
            "drone kayak, I am at [✉1], not at help@kitewire.example",
            "Write to help@kitewire.example, or ring 010-62345678.",
        )

    def test_it_can_be_turned_off(self, live: CountingBot, sql_journal: SqlJournal) -> None:
        settings = live.bot.settings
        bot = replace(live.bot, settings=settings.model_copy(update={"privacy": Privacy(redact=False)}))
        live = CountingBot(bot, live.folder, live.manifest)
        assert "a@example.com" in self.exchange(live, sql_journal)[0]


class QuotingResponder:
    """A Responder that fails with the customer's words in its error and in the cause of it."""

    def reply(self, conversation: Conversation, text: str) -> Reply:
        if "boom" in text:
            try:
                raise ValueError(text)
            except ValueError as cause:
                raise RuntimeError(f"cannot answer {text!r}") from cause
        return FakeResponder().reply(conversation, text)


class QuotingJournal(FakeJournal):
    """A Journal that fails with what it was to keep in its error."""

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        if "full" in text:
            raise OSError(f"no room for {text!r}")
        return super().record(conversation_id, text, reply)


class TestLogs:
    def test_what_a_customer_wrote_is_in_no_log(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        fake = QuotingJournal()
        journal = private(fake)
        visits = Visits(QuotingResponder(), journal, PrivateDesk(FakeDesk(fake), journal))
        chat = Chat()
        with caplog.at_level(logging.DEBUG):
            for text in ("hello MARKED", "boom MARKED", "full MARKED", "person MARKED"):
                chat = visits.ask(chat, text)
        assert [isinstance(e, Exchange) and e.reply is not None for e in chat.entries] == [True, False, True, True]
        assert "ValueError" in caplog.text and "RuntimeError" in caplog.text and "OSError" in caplog.text
        assert "in reply" in caplog.text  # where it happened
        told = capfd.readouterr()
        assert "MARKED" not in caplog.text + told.out + told.err

    def test_nor_where_a_handler_of_a_page_fails(
        self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def fails(text: str) -> str:
            raise RuntimeError(f"cannot draw {text!r}")

        with gr.Blocks(analytics_enabled=False) as page:
            box = gr.Textbox()
            box.submit(fails, box, box, api_name="fails")
        site = launch({"/": page}, port=0)
        try:
            with caplog.at_level(logging.DEBUG, logger="chatbot"), pytest.raises(Exception):  # noqa: B017
                Client(site.address, verbose=False).predict("MARKED", api_name="/fails")
        finally:
            site.close()
        told = capfd.readouterr()
        assert "A page's handler failed" in caplog.text and "RuntimeError" in caplog.text
        assert "MARKED" not in caplog.text + told.out + told.err
