"""The audit on both databases: every deed leaves its own row, and one that fails leaves none."""

import getpass
import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql
from argon2 import PasswordHasher

from chatbot.__main__ import main
from chatbot.access import Role, Scope, Ticket
from chatbot.domain import Action, Decision, Reason, Reply
from chatbot.errors import Unavailable, UserError
from chatbot.journal import Deed, Edit, Entry, Kind, SqlAccounts, SqlAudit, SqlEdits, SqlJournal, retention
from chatbot.journal.audit import noted, pseudonym, record
from chatbot.journal.passwords import Passwords
from chatbot.journal.schema import ACCOUNTS, AUDIT, CONVERSATIONS, KEYS, SESSIONS
from chatbot.journal_commands import operator, purge_due

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
PASSWORD, SECRET, CUSTOMER = "correct horse battery", "xyzzy 包裹", "客户 1"
NAMELESS = "9f14ca4c5edb59bd"  # printf '客户 1' | sha256sum | cut -c1-16
UNSURE = Reply("A person will come.", Decision(Action.HAND_OVER, 0.1, Reason.UNSURE), "en", version="v1")
ME = f"system:{getpass.getuser()}"


@pytest.fixture
def journal(place: str) -> Iterator[SqlJournal]:
    journal = SqlJournal.connect(place)
    yield journal
    journal.close()


@pytest.fixture
def accounts(journal: SqlJournal) -> SqlAccounts:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    return SqlAccounts(journal.database, lambda: NOW, cheap, "system:lee")


def left(journal: SqlJournal) -> list[tuple[str, Deed, str]]:
    """All entries, oldest first."""
    return [(entry.who, entry.what, entry.about) for entry in reversed(SqlAudit(journal.database).latest(1000))]


def talked(journal: SqlJournal, customer: str | None = None) -> str:
    talk = journal.open("en", customer)
    journal.record(talk, f"My secret is {SECRET}!", UNSURE)
    return talk


def run(place: str, *arguments: str) -> int:
    return main([*arguments, "--journal", place])


class TestAccountsAndKeys:
    def test_each_deed_leaves_its_row_with_who_when_and_what(
        self, journal: SqlJournal, accounts: SqlAccounts
    ) -> None:
        anna = accounts.create(" Anna  Li ", PASSWORD, Role.AGENT)
        accounts.change("Anna Li", Role.LEAD)
        accounts.set_password("Anna Li", "another password")
        accounts.disable("Anna Li")
        accounts.enable("Anna Li")
        key_id = accounts.create_key("website", [Scope.CHAT]).split("_")[1]
        accounts.rotate_key(key_id)
        accounts.revoke_key(key_id)
        accounts.close_session(accounts.open_session(anna))
        assert left(journal) == [
            ("system:lee", Deed.ACCOUNT_CREATED, "Anna Li"),
            ("system:lee", Deed.ACCOUNT_CHANGED, "Anna Li"),
            ("system:lee", Deed.PASSWORD_SET, "Anna Li"),
            ("system:lee", Deed.ACCOUNT_DISABLED, "Anna Li"),
            ("system:lee", Deed.ACCOUNT_ENABLED, "Anna Li"),
            ("system:lee", Deed.KEY_CREATED, key_id),
            ("system:lee", Deed.KEY_ROTATED, key_id),
            ("system:lee", Deed.KEY_REVOKED, key_id),
            ("Anna Li", Deed.SIGNED_IN, ""),
            ("Anna Li", Deed.SIGNED_OUT, ""),
        ]
        assert {entry.time for entry in SqlAudit(journal.database).latest(1000)} == {NOW}

    def test_what_fails_or_changes_nothing_leaves_none(self, journal: SqlJournal, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        key_id = accounts.create_key("website", [Scope.CHAT]).split("_")[1]
        accounts.revoke_key(key_id)
        accounts.disable("Anna")
        before = left(journal)
        fails: list[Callable[[], object]] = [
            lambda: accounts.create("Anna", PASSWORD, Role.AGENT),
            lambda: accounts.create("Bo", "short", Role.AGENT),
            lambda: accounts.change("Bo", Role.LEAD),
            lambda: accounts.rotate_key(key_id),
            lambda: accounts.revoke_key("none"),
            lambda: accounts.create_key("late", [Scope.CHAT], expires=NOW),
            lambda: accounts.open_session(anna),
        ]
        for fail in fails:
            with pytest.raises(UserError):
                fail()
        accounts.revoke_key(key_id)  # it is already
        accounts.close_session("none")
        accounts.check("Anna", "wrong", "192.0.2.1")
        assert left(journal) == before

    def test_what_leaves_no_row_is_not_done(self, journal: SqlJournal, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        key, session = accounts.create_key("website", [Scope.CHAT]), accounts.open_session(anna)
        key_id, talk = key.split("_")[1], talked(journal, CUSTOMER)
        everything = noted(ME, Deed.EVERYTHING_DELETED)
        with journal.database.work("written") as connection:
            AUDIT.drop(connection)
            before = [connection.execute(sql.select(table)).all() for table in (ACCOUNTS, KEYS, SESSIONS)]
        fails: list[Callable[[], object]] = [
            lambda: accounts.create("Bo", PASSWORD, Role.AGENT),
            lambda: accounts.disable("Anna"),
            lambda: accounts.create_key("other", [Scope.CHAT]),
            lambda: accounts.rotate_key(key_id),
            lambda: accounts.revoke_key(key_id),
            lambda: accounts.open_session(anna),
            lambda: accounts.close_session(session),
            lambda: retention.delete(journal.database, retention.of_conversation(talk), everything),
            lambda: retention.forget(journal.database, CUSTOMER, everything),
            lambda: retention.delete_everything(journal.database, everything),
            lambda: retention.delete_edits(journal.database, everything),
            lambda: next(iter(retention.export(journal.database, retention.of_everybody(), everything))),
        ]
        for fail in fails:
            with pytest.raises(Unavailable, match="audit"):
                fail()
        with journal.database.work("read") as connection:
            after = [connection.execute(sql.select(table)).all() for table in (ACCOUNTS, KEYS, SESSIONS)]
            assert (after, connection.execute(sql.select(CONVERSATIONS.c.id)).scalars().all()) == (before, [talk])

    def test_a_customers_sign_in_is_no_deed(self, journal: SqlJournal, accounts: SqlAccounts) -> None:
        accounts.close_session(accounts.sign_in(Ticket(CUSTOMER, "1", NOW + timedelta(minutes=5))))
        assert left(journal) == []

    def test_a_lock_leaves_one_row_and_no_name_that_may_be_a_password(
        self, journal: SqlJournal, accounts: SqlAccounts
    ) -> None:
        accounts.create("Anna", PASSWORD, Role.AGENT)
        for name in ("Anna", PASSWORD):
            for _ in range(8):
                accounts.check(name, "wrong", "192.0.2.1")
        locked = [("", Deed.LOCKED_OUT, "Anna"), ("", Deed.LOCKED_OUT, "")]
        assert left(journal)[1:] == locked
        for number in range(25):  # after ten, the twentieth of these is the thirtieth from there
            accounts.check(f"Nobody {number}", "wrong", "192.0.2.1")
        assert left(journal)[1:] == [*locked, ("", Deed.LOCKED_OUT, "")]

    def test_a_right_password_locks_nothing_though_it_is_the_fifth(
        self, journal: SqlJournal, accounts: SqlAccounts
    ) -> None:
        accounts.create("Anna", PASSWORD, Role.AGENT)
        for password in (*("wrong",) * 4, PASSWORD, *("wrong",) * 4):
            assert accounts.check("Anna", password, "192.0.2.1").locked_until is None
        assert len(left(journal)) == 1


class TestCustomersData:
    def test_each_command_leaves_its_row(self, place: str, journal: SqlJournal, tmp_path: Path) -> None:
        file = str(tmp_path / "export.jsonl")
        first, second = talked(journal, CUSTOMER), talked(journal)
        assert run(place, "journal", "export", "--customer", CUSTOMER, "--output", file) == 0
        assert run(place, "journal", "export", "--conversation", first, "--output", file) == 0
        assert run(place, "journal", "delete", "--conversation", second) == 0
        assert run(place, "journal", "delete", "--customer", CUSTOMER) == 0
        talked(journal)
        assert run(place, "journal", "delete", "--everything", "--yes") == 0
        assert run(place, "journal", "delete", "--edits", "--yes") == 0
        assert left(journal) == [
            (ME, Deed.CUSTOMER_EXPORTED, NAMELESS),
            (ME, Deed.CONVERSATIONS_EXPORTED, first),
            (ME, Deed.CONVERSATIONS_DELETED, second),
            (ME, Deed.CUSTOMER_DELETED, NAMELESS),
            (ME, Deed.EVERYTHING_DELETED, ""),
            (ME, Deed.EDITS_DELETED, ""),
        ]

    def test_a_purge_says_since_when_what_went_had_been_silent(self, place: str, journal: SqlJournal) -> None:
        assert run(place, "journal", "purge", "--older-than", "90d") == 0
        talked(journal)
        start = datetime.now(UTC).replace(microsecond=0)
        purge_due(journal.database, timedelta(0))
        purge_due(journal.database, timedelta(0))  # nothing is left
        (entry,) = SqlAudit(journal.database).latest(9)
        assert (entry.who, entry.what) == (ME, Deed.PURGED)
        assert start <= datetime.fromisoformat(entry.about) <= entry.time

    def test_what_fails_leaves_none(self, place: str, journal: SqlJournal, tmp_path: Path) -> None:
        talked(journal, CUSTOMER)
        nowhere, file = str(tmp_path / "no" / "file"), str(tmp_path / "file")
        for arguments in (
            ("export", "--customer", CUSTOMER, "--output", nowhere),
            ("export", "--customer", "nobody", "--output", file),
            ("delete", "--customer", "nobody"),
            ("delete", "--conversation", "none"),
            ("delete", "--everything"),
            ("delete", "--edits"),
        ):
            assert run(place, "journal", *arguments) == 1
        assert left(journal) == []

    def test_many_portions_are_one_deed(self, journal: SqlJournal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(retention, "AT_ONCE", 2)
        for _ in range(5):
            talked(journal)
        note = noted("Lee", Deed.PURGED)
        assert retention.delete(journal.database, retention.of_everybody(), note)["conversations"] == 5
        assert left(journal) == [("Lee", Deed.PURGED, "")]

    @pytest.mark.parametrize("talks", [0, 2])
    def test_a_customer_who_is_signed_in_is_one_deed_whether_they_talked_or_not(
        self, place: str, journal: SqlJournal, accounts: SqlAccounts, talks: int
    ) -> None:
        for _ in range(talks):
            talked(journal, CUSTOMER)
        accounts.sign_in(Ticket(CUSTOMER, "1", NOW + timedelta(minutes=5)))
        assert run(place, "journal", "delete", "--customer", CUSTOMER) == 0
        assert left(journal) == [(ME, Deed.CUSTOMER_DELETED, NAMELESS)]

    def test_a_customers_id_is_the_same_however_it_is_stored(self) -> None:
        assert pseudonym(CUSTOMER) == NAMELESS
        assert pseudonym("c\ud800") == pseudonym("c?")


def test_no_secret_and_no_word_of_a_customers_is_in_it(
    place: str, journal: SqlJournal, accounts: SqlAccounts, tmp_path: Path
) -> None:
    anna = accounts.create("Anna", PASSWORD, Role.AGENT)
    session, key = accounts.open_session(anna), accounts.create_key("website", [Scope.CHAT])
    renewed = accounts.rotate_key(key.split("_")[1])
    for _ in range(6):
        accounts.check("hunter2 in the wrong field", "wrong", "192.0.2.1")
    talked(journal, CUSTOMER)
    assert run(place, "journal", "export", "--customer", CUSTOMER, "--output", str(tmp_path / "x")) == 0
    assert run(place, "journal", "delete", "--customer", CUSTOMER) == 0
    with journal.database.work("read") as connection:
        dump = str(connection.execute(sql.select(AUDIT)).all())
    secrets = [PASSWORD, session, key.split("_", 2)[2], renewed.split("_", 2)[2], "hunter2", "192.0.2.1"]
    assert [secret for secret in (*secrets, SECRET, "xyzzy", CUSTOMER) if secret in dump] == []
    assert dump.count(NAMELESS) == 2


def test_everything_is_deleted_but_the_audit(place: str, journal: SqlJournal) -> None:
    SqlEdits(journal.database).record(Edit("v2", "v1", "Lee", Kind.PUBLISHED, "", {}), {})
    with journal.database.work("written") as connection:
        record(connection, "Lee", Deed.SIGNED_IN)
    assert run(place, "journal", "delete", "--everything", "--yes") == 0
    assert run(place, "journal", "delete", "--edits", "--yes") == 0
    held = retention.holdings(journal.database).rows
    assert {name: count for name, count in held.items() if count} == {"audit": 3}


def test_the_newest_come_first_and_no_more_than_asked_for(journal: SqlJournal) -> None:
    deeds = [Deed.SIGNED_IN, Deed.PURGED, Deed.SIGNED_IN, Deed.KEY_CREATED]
    with journal.database.work("written") as connection:
        for number, deed in enumerate(deeds):
            record(connection, "Lee\x00", deed, str(number), lambda: NOW)
    audit = SqlAudit(journal.database)
    assert [entry.about for entry in audit.latest(9)] == ["3", "2", "1", "0"]
    assert audit.latest(1) == [Entry(NOW, "Lee␀", Deed.KEY_CREATED, "3")]
    assert [entry.about for entry in audit.latest(9, Deed.SIGNED_IN)] == ["2", "0"]
    assert [entry.about for entry in audit.latest(1, Deed.SIGNED_IN)] == ["2"]


class TestCommand:
    def test_it_prints_who_did_what_newest_first(
        self,
        place: str,
        journal: SqlJournal,
        accounts: SqlAccounts,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        accounts.create("安娜", PASSWORD, Role.AGENT)
        for _ in range(5):
            accounts.check("nobody", "wrong", "192.0.2.1")
        assert run(place, "journal", "audit") == 0
        assert capsys.readouterr().out == (
            f"2026-03-01 09:00:00+00:00 {'-':24s} locked_out\n"
            f"2026-03-01 09:00:00+00:00 {'system:lee':24s} {'account_created':24s} 安娜\n"
        )
        assert run(place, "journal", "audit", "--json", "--most", "1") == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line) == {
            "time": "2026-03-01T09:00:00+00:00",
            "who": "",
            "what": "locked_out",
            "about": "",
        }
        assert run(place, "journal", "info") == 0
        assert f"{'audit':16s}2\n" in capsys.readouterr().out
        monkeypatch.setattr(sys, "stdin", io.StringIO("another password\n"))
        assert run(place, "accounts", "password", "安娜", "--password-stdin") == 0
        assert run(place, "keys", "create", "--name", "website", "--scope", "chat") == 0
        (key,) = accounts.all_keys()
        assert left(journal)[2:] == [(ME, Deed.PASSWORD_SET, "安娜"), (ME, Deed.KEY_CREATED, key.id)]

    def test_its_help_has_an_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments in (["journal", "audit", "--help"], ["--help"]):
            with pytest.raises(SystemExit) as stopped:
                main(arguments)
            assert stopped.value.code == 0
            assert "  chatbot journal audit --index index/shop " in capsys.readouterr().out

    @pytest.mark.parametrize("most", ["0", "-1", "all"])
    def test_a_number_that_is_none_is_wrong_usage(self, most: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["journal", "audit", "--index", "bot", "--most", most])
        assert stopped.value.code == 2
        assert "is not a whole number from 1 on" in capsys.readouterr().err

    def test_a_user_without_a_name_has_a_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert operator() == ME
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("os.getuid", lambda: 123_456_789)
        assert operator() == "system:123456789"
