"""What is kept of customers: found, handed out and deleted, by command, with what belongs to it and no more."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql

from chatbot.__main__ import main
from chatbot.access import Role, Ticket
from chatbot.desk import Author, Outcome
from chatbot.domain import Action, Decision, Exchange, Reason, Reply
from chatbot.errors import SettingsError, UserError
from chatbot.journal import Edit, Kind, SqlAccounts, SqlDesk, SqlEdits, SqlJournal, SqlReviews, Verdict, retention
from chatbot.journal.audit import Deed, noted
from chatbot.journal.schema import CONVERSATIONS, EXCHANGES, FEEDBACK, IDEMPOTENCY, MESSAGES, SCHEMA
from chatbot.journal_commands import purge_due
from chatbot.journal_commands import retention as setting
from chatbot.settings import Settings
from chatbot.ui.show import Chat
from chatbot.ui.visit import Visits
from tests.fakes import FakeResponder

NOTE = noted("Lee", Deed.CONVERSATIONS_DELETED)
UNSURE = Reply("A person will come.", Decision(Action.HAND_OVER, 0.1, Reason.UNSURE), "en", version="v1")
OF_ONE = {"conversations", "exchanges", "feedback", "reviews", "hand_overs", "claims", "contacts", "messages"}


@pytest.fixture
def journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


def visit(journal: SqlJournal, customer: str | None, secret: str, waits: bool = False) -> str:
    """A conversation with a row in every table that can hold one of it."""
    desk, talk = SqlDesk(journal.database), journal.open("en", customer)
    number = journal.record(talk, f"My secret is {secret}!", UNSURE)
    journal.feedback(number, False, f"Not about {secret}")
    SqlReviews(journal.database).review(number, Verdict.RIGHT, "Anna")
    SqlReviews(journal.database).dismiss([f"my secret is {secret}"], "en", "Anna")
    journal.hand_over(talk, Reason.UNSURE)
    desk.leave_contact(talk, f"{secret}@example.com")
    desk.say(talk, Author.CUSTOMER, f"Hello, {secret}")
    desk.claim(talk, "Anna")
    if not waits:
        desk.close(talk, Outcome.RESOLVED, "Anna")
    return talk


def rows(journal: SqlJournal) -> dict[str, int]:
    """But for the audit, which test_audit_trail.py looks at."""
    held = retention.holdings(journal.database).rows
    return {name: count for name, count in held.items() if count and name != "audit"}


def spoken(journal: SqlJournal, talk: str, ago: timedelta, last: timedelta | None = None) -> None:
    """Have a conversation begin, and its last word be said, so long ago."""
    began, said = ((datetime.now(UTC) - (span or ago)).isoformat(timespec="microseconds") for span in (ago, last))
    with journal.database.work("written") as connection:
        connection.execute(CONVERSATIONS.update().where(CONVERSATIONS.c.id == talk).values(time=began))
        for table in (EXCHANGES, MESSAGES):
            connection.execute(table.update().where(table.c.conversation_id == talk).values(time=said))


def run(place: str, *arguments: str) -> int:
    command, *given = arguments
    return main(["journal", command, "--journal", place, *given])


class TestDeletion:
    def test_a_customer_is_forgotten_and_nobody_else(self, place: str, journal: SqlJournal) -> None:
        theirs = [visit(journal, "c-1", "xyzzy"), visit(journal, "c-1", "xyzzy")]
        others = [visit(journal, "c-2", "plugh"), visit(journal, None, "frotz")]
        held = retention.holdings(journal.database)
        assert run(place, "delete", "--customer", "c-1") == 0
        left = retention.holdings(journal.database).rows
        assert {**{name: count // 2 for name, count in held.rows.items()}, "audit": 1} == left
        for talk in theirs:
            with pytest.raises(UserError, match="knows no conversation"):
                journal.conversation(talk)
        assert [len(journal.conversation(talk).turns) for talk in others] == [3, 3]

    def test_a_customer_is_signed_out_everywhere_and_nobody_else(
        self, place: str, journal: SqlJournal, capsys: pytest.CaptureFixture[str]
    ) -> None:
        accounts, soon = SqlAccounts(journal.database), datetime.now(UTC) + timedelta(minutes=5)
        gone = [accounts.sign_in(Ticket("客户 1", number, soon)) for number in ("1", "2")]
        other = accounts.sign_in(Ticket("c-2", "3", soon))
        staff = accounts.open_session(accounts.create("Anna", "correct horse battery", Role.AGENT))
        visit(journal, "c-2", "plugh")
        assert run(place, "delete", "--customer", "客户 1") == 0
        assert capsys.readouterr().out == "deleted for good: 2 sessions\n"
        callers = [accounts.caller_of_session(token) for token in (*gone, other, staff)]
        assert [caller is None for caller in callers] == [True, True, False, False]
        assert run(place, "delete", "--everything", "--yes") == 0
        callers = [accounts.caller_of_session(token) for token in (other, staff)]
        assert [caller is None for caller in callers] == [True, False]
        assert rows(journal) == {"accounts": 1, "sessions": 1, "spent_tokens": 3}

    def test_no_word_of_theirs_stays_in_any_table(self, place: str, journal: SqlJournal) -> None:
        talk = visit(journal, None, "xyzzy")
        kept = {"key": "1", "caller": "shop", "digest": "", "body": "of xyzzy", "conversation_id": talk}
        with journal.database.work("written") as connection:
            connection.execute(IDEMPOTENCY.insert(), kept)
        visit(journal, None, "plugh")
        assert run(place, "delete", "--conversation", talk) == 0
        with journal.database.work("read") as connection:
            dump = [list(connection.execute(sql.select(table))) for table in SCHEMA.sorted_tables]
        assert "xyzzy" not in str(dump) and "plugh" in str(dump)

    def test_no_word_of_theirs_stays_in_the_files_of_sqlite(self, tmp_path: Path) -> None:
        journal = SqlJournal.connect(tmp_path / "journal.sqlite")  # open, as under a running service
        talk = visit(journal, None, "xyzzy")
        files = sorted(tmp_path.glob("journal.sqlite*"))
        assert any(b"xyzzy" in file.read_bytes() for file in files) and len(files) == 3
        assert main(["journal", "delete", "--index", str(tmp_path), "--conversation", talk]) == 0
        assert not any(b"xyzzy" in file.read_bytes() for file in files)
        journal.close()

    def test_dismissed_words_that_others_typed_too_stay(self, place: str, journal: SqlJournal) -> None:
        one, _ = visit(journal, None, "xyzzy"), visit(journal, None, "xyzzy")
        assert run(place, "delete", "--conversation", one) == 0
        assert rows(journal)["dismissals"] == 2

    def test_everything_goes_but_the_companys_own_words(
        self, place: str, journal: SqlJournal, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for secret in ("one", "two"):
            visit(journal, None, secret)
        SqlReviews(journal.database).dismiss(["never asked"], "en", "Anna")
        SqlEdits(journal.database).record(Edit("v2", "v1", "Lee", Kind.PUBLISHED, "", {}), {})
        before = rows(journal)
        assert run(place, "delete", "--everything") == 1
        assert capsys.readouterr().err == (
            "chatbot: that would delete 2 conversations for good; say --yes if you mean it\n"
        )
        assert rows(journal) == before
        assert run(place, "delete", "--everything", "--yes") == 0
        assert capsys.readouterr().out == (
            "deleted for good: 2 claims, 2 closings, 2 contacts, 2 conversations, 3 dismissals, 2 exchanges, "
            "2 feedback, 2 hand-overs, 2 messages, 2 reviews\n"
        )
        assert rows(journal) == {"edits": 1}
        assert run(place, "delete", "--edits", "--yes") == 0
        assert rows(journal) == {}

    def test_many_conversations_go_in_portions(self, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "AT_ONCE", 3)
        for number in range(10):
            visit(journal, "c-1", str(number))
        assert retention.delete(journal.database, retention.of_everybody(), NOTE)["conversations"] == 10
        assert rows(journal) == {}

    def test_a_customer_whose_conversation_was_deleted_goes_on_in_a_new_one(self, journal: SqlJournal) -> None:
        visits = Visits(FakeResponder(), journal, SqlDesk(journal.database))
        chat = visits.ask(Chat(), "Where is it?")
        retention.delete(journal.database, retention.of_everybody(), NOTE)
        again = visits.ask(chat, "Still there?")
        assert again.conversation_id != chat.conversation_id
        assert [exchange.text for exchange in journal.exchanges(again.conversation_id)] == ["Still there?"]

    def test_who_comes_back_while_the_old_is_purged_keeps_what_was_said(self, journal: SqlJournal) -> None:
        talk = journal.open()
        back = {"conversation_id": talk, **self.written(journal, journal.record(journal.open(), "tea", UNSURE))}
        soon = datetime.now(UTC) + timedelta(milliseconds=1)
        time.sleep(0.002)
        with ThreadPoolExecutor(1) as pool:
            with journal.database.work("written") as writing:
                writing.execute(EXCHANGES.insert(), {**back, "time": datetime.now(UTC).isoformat()})
                silent = retention.of_conversation(talk) & retention.silent_since(soon)
                purging = pool.submit(retention.delete, journal.database, silent, NOTE)
                time.sleep(0.5)  # it has found the conversation silent, and waits
            assert purging.result() == {}
        assert [exchange.text for exchange in journal.exchanges(talk)] == ["tea"]

    def test_a_thumb_that_comes_while_its_conversation_is_deleted_goes_with_it(self, journal: SqlJournal) -> None:
        talk = journal.open()
        number = journal.record(talk, "tea", UNSURE)
        with ThreadPoolExecutor(1) as pool:
            with journal.database.work("written") as writing:
                writing.execute(FEEDBACK.insert(), {"exchange_id": number, "liked": True, "comment": ""})
                this = retention.of_conversation(talk)
                deleting = pool.submit(retention.delete, journal.database, this, NOTE)
                time.sleep(0.5)
            assert deleting.result() == {"conversations": 1, "exchanges": 1, "feedback": 1}
        assert rows(journal) == {}

    @staticmethod
    def written(journal: SqlJournal, number: int) -> dict[str, object]:
        """A row's values, but for its number and whose it is."""
        with journal.database.work("read") as connection:
            row = connection.execute(sql.select(EXCHANGES).where(EXCHANGES.c.id == number)).mappings().one()
        return {name: value for name, value in row.items() if name not in ("id", "conversation_id")}


class TestPurge:
    def test_what_ended_long_ago_goes_and_what_is_open_stays(self, place: str, journal: SqlJournal) -> None:
        day = timedelta(days=1)
        ended, waits, came_back, fresh, silent = (
            visit(journal, None, str(number), waits=number == 1) for number in range(5)
        )
        for talk in (ended, waits, silent):
            spoken(journal, talk, 91 * day)
        spoken(journal, came_back, 300 * day, 89 * day)
        assert run(place, "purge", "--older-than", "90d") == 0
        assert set(retention.found(journal.database, retention.of_everybody())) == {waits, came_back, fresh}
        assert rows(journal)["contacts"] == 3
        SqlDesk(journal.database).close(waits, Outcome.RESOLVED, "Anna")
        assert run(place, "purge", "--older-than", "12w") == 0
        assert retention.found(journal.database, retention.of_everybody()) == [fresh]

    def test_a_service_purges_when_it_starts_where_it_is_told_to(self, journal: SqlJournal) -> None:
        talk = visit(journal, None, "xyzzy")
        spoken(journal, talk, timedelta(days=366))
        purge_due(journal.database, setting({}))
        assert rows(journal)["conversations"] == 1
        purge_due(journal.database, setting({"CHATBOT_RETENTION": "365d"}))
        assert rows(journal) == {}

    @pytest.mark.parametrize("given", ["90", "0d", "-1d", "90 years", "1.5d", "d", "99999999d", "99999w", "９d"])
    def test_a_setting_that_is_no_time_is_an_error_and_no_purge(self, given: str) -> None:
        with pytest.raises(SettingsError, match=r"CHATBOT_RETENTION: .* is not a time such as 90d"):
            setting({"CHATBOT_RETENTION": given})

    def test_what_is_set_for_a_service_disturbs_no_settings_of_a_bot(self) -> None:
        given = {"CHATBOT_RETENTION": "365d", "CHATBOT_LOG": "debug"}
        assert Settings.load("default", given) == Settings.load("default", {})


class TestExport:
    def test_all_that_is_kept_of_a_customer_and_nothing_else(
        self, place: str, journal: SqlJournal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = visit(journal, "客户 1", "xyzzy 包裹")
        second = visit(journal, "客户 1", "again")
        visit(journal, "c-2", "plugh")
        file = tmp_path / "export.jsonl"
        assert run(place, "export", "--customer", "客户 1", "--output", str(file)) == 0
        written = file.read_text("utf-8")
        kept = [json.loads(line) for line in written.splitlines()]
        assert capsys.readouterr().out == f"{len(kept)} rows are in {file}\n"
        assert [row["table"] for row in kept[:2]] == ["conversations", "exchanges"]
        assert [row["id"] for row in kept if row["table"] == "conversations"] == [first, second]
        assert {row["table"] for row in kept} == {*OF_ONE, "closings"}
        assert (kept[0]["customer"], kept[1]["text"]) == ("客户 1", "My secret is xyzzy 包裹!")
        assert (kept[1]["version"], kept[1]["candidates"]) == ("v1", [])
        assert "xyzzy 包裹@example.com" in written and "plugh" not in written
        assert file.stat().st_mode & 0o077 == 0

    def test_one_conversation(self, place: str, journal: SqlJournal, tmp_path: Path) -> None:
        talk = visit(journal, None, "xyzzy", waits=True)
        visit(journal, None, "plugh")
        file = tmp_path / "export.jsonl"
        assert run(place, "export", "--conversation", talk, "--output", str(file)) == 0
        kept = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        assert sorted(row["table"] for row in kept) == sorted(OF_ONE)


def test_what_is_held_is_told(place: str, journal: SqlJournal, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "info") == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "open" not in line)
    assert (told["conversations"], told["oldest"], told["tables"]) == ("0", "-", "version 0004")
    visit(journal, "c-1", "xyzzy", waits=True)
    visit(journal, "c-1", "plugh")
    held = retention.holdings(journal.database)
    assert (held.waiting, held.customers, held.rows["exchanges"], held.rows["edits"]) == (1, 1, 2, 0)
    assert held.size is not None and held.size > 50_000
    assert held.oldest is not None and held.newest is not None and held.oldest < held.newest
    assert run(place, "info") == 0
    out = capsys.readouterr().out
    assert (
        "open hand-overs 1\n" in out
        and "conversations   2\n" in out
        and held.oldest.isoformat(" ", "seconds") in out
    )


def test_a_password_in_a_url_is_never_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("postgresql+psycopg://bot:s3cret@127.0.0.1:1/none", "nosuch+driver://bot:s3cret@localhost/none"):
        assert main(["journal", "info", "--journal", url]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("chatbot: The journal ") and "s3cret" not in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["info", "--index", "bot"],
            "There is no journal bot/journal.sqlite. Name one with --index or --journal.",
        ),
        (["purge", "--journal", "no.sqlite", "--older-than", "90d"], "There is no journal no.sqlite."),
        (
            ["delete", "--journal", "j.sqlite", "--conversation", "x"],
            "the journal holds nothing of conversation 'x'",
        ),
        (["delete", "--journal", "j.sqlite", "--customer", "x"], "the journal holds nothing of customer 'x'"),
        (["export", "--journal", "j.sqlite", "--customer", "x", "--output", "o"], "the journal holds nothing of"),
        (
            ["export", "--journal", "j.sqlite", "--customer", "c", "--output", "no/o"],
            "--output no/o cannot be written",
        ),
        (["delete", "--journal", "j.sqlite", "--edits"], "that would delete 0 edits for good; say --yes"),
    ],
)
def test_a_mistake_has_one_line_and_code_1(
    arguments: Sequence[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    journal = SqlJournal.connect("j.sqlite")
    journal.open(customer="c")
    journal.close()
    assert main(["journal", *arguments]) == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith(f"chatbot: {message}") and out == ""
    assert sorted(path.name for path in tmp_path.glob("*")) == ["j.sqlite"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["info"],
        ["info", "--index", "bot", "--journal", "j.sqlite"],
        ["export", "--index", "bot", "--output", "o"],
        ["export", "--index", "bot", "--customer", "x"],
        ["delete", "--index", "bot"],
        ["delete", "--index", "bot", "--customer", "x", "--everything"],
        ["purge", "--index", "bot"],
        ["purge", "--index", "bot", "--older-than", "90"],
    ],
)
def test_wrong_usage_has_code_2(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["journal", *arguments])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.startswith("usage: chatbot journal")


def test_an_exchange_keeps_the_version_that_replied(journal: SqlJournal) -> None:
    talk = journal.open()
    for reply in (UNSURE, replace(UNSURE, version=None)):
        journal.record(talk, "tea", reply)
    kept: list[Exchange] = list(journal.exchanges(talk))
    assert [one.reply and one.reply.version for one in kept] == ["v1", None]
