"""Accounts, keys and sessions on both databases: who gets in, for how long, and who no longer."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sql
from argon2 import PasswordHasher

from chatbot.access import ANYBODY, GRANTED, Account, Caller, Role, Scope, Ticket
from chatbot.errors import Refused, UserError
from chatbot.journal import SqlAccounts
from chatbot.journal.accounts import Checked
from chatbot.journal.database import Database
from chatbot.journal.passwords import Passwords
from chatbot.journal.schema import ATTEMPTS, SCHEMA, SESSIONS, SPENT_TOKENS

PASSWORD = "correct horse battery"
HERE, MINUTE = "192.0.2.7", timedelta(minutes=1)


@dataclass
class Clock:
    """It stands until it is put forward."""

    now: datetime = datetime(2026, 3, 1, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(place: str, clock: Clock) -> Iterator[SqlAccounts]:
    database = Database.connect(place)
    yield SqlAccounts(database, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)))
    database.close()


def rows(accounts: SqlAccounts, table: sql.Table) -> int:
    with accounts.database.work("read") as connection:
        return int(connection.execute(sql.select(sql.func.count()).select_from(table)).scalar_one())


class TestAccounts:
    def test_one_is_made_listed_and_let_in_by_its_password_alone(
        self, accounts: SqlAccounts, clock: Clock
    ) -> None:
        assert not accounts.exist()
        anna = accounts.create("  安娜  Anna ", PASSWORD, Role.LEAD, {"shop", "bank"})
        assert anna == Account(1, "安娜 Anna", Role.LEAD, frozenset(("shop", "bank")), False, clock.now)
        ben = accounts.create("Ben", PASSWORD, Role.AGENT)
        assert accounts.exist() and accounts.all_accounts() == [ben, anna]
        assert accounts.check("安娜 Anna", PASSWORD, HERE) == Checked(anna)
        for name, password in (
            ("Ben", PASSWORD + " "),
            ("Ben", ""),
            ("ben", PASSWORD),
            ("", ""),
            ("x\x00", "\ud800"),
        ):
            assert accounts.check(name, password, HERE) == Checked()

    def test_a_password_is_the_same_however_it_is_typed(self, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", "Schlüssel 密码 long", Role.AGENT)
        assert accounts.check("Anna", "Schlu\u0308ssel 密码 long", HERE) == Checked(anna)

    @pytest.mark.parametrize(
        ("name", "password", "message"),
        [
            ("Anna", PASSWORD, "There is an account 'Anna' already"),
            ("Ben", "nine char", "has 10 to 1000 characters, and this one has 9"),
            ("Ben", "x" * 1001, "this one has 1001"),
            (" ", PASSWORD, "is no name: 1 to 60 characters"),
            ("x" * 61, PASSWORD, "is no name"),
            ("An\x00na", PASSWORD, "is no name"),
            ("An\u202ena", PASSWORD, "is no name"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, accounts: SqlAccounts, name: str, password: str, message: str
    ) -> None:
        accounts.create("Anna", PASSWORD, Role.AGENT)
        with pytest.raises(UserError, match=message) as caught:
            accounts.create(name, password, Role.ADMIN)
        assert password not in str(caught.value)
        assert [account.name for account in accounts.all_accounts()] == ["Anna"]

    def test_no_secret_is_stored(self, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        accounts.check("Anna", "my other password", HERE)
        accounts.check("my password in the wrong field", "", HERE)
        shown = accounts.create_key("shop", [Scope.CHAT]), accounts.open_session(anna)
        with accounts.database.work("read") as connection:
            dump = str([list(connection.execute(sql.select(table))) for table in SCHEMA.sorted_tables])
        assert "$argon2id$" in dump and "Anna" in dump
        for secret in (PASSWORD, "my other password", "wrong field", HERE, shown[0].split("_", 2)[2], shown[1]):
            assert secret not in dump

    def test_who_is_disabled_or_changed_is_signed_out_at_once(self, accounts: SqlAccounts) -> None:
        anna, ben = (accounts.create(name, PASSWORD, Role.AGENT) for name in ("Anna", "Ben"))
        stays = accounts.open_session(ben)
        for change in (
            lambda: accounts.set_password("Anna", "another password"),
            lambda: accounts.change("Anna", Role.LEAD),
            lambda: accounts.change("Anna", Role.LEAD, {"shop"}),
            lambda: accounts.disable("Anna"),
        ):
            session = accounts.open_session(anna)
            assert accounts.caller_of_session(session) is not None
            change()
            assert accounts.caller_of_session(session) is None
        assert accounts.caller_of_session(stays) == Caller("Ben", GRANTED[Role.AGENT])
        assert accounts.check("Anna", "another password", HERE) == Checked()
        with pytest.raises(UserError, match="'Anna' is disabled"):
            accounts.open_session(anna)
        accounts.enable("Anna")
        found = accounts.check("Anna", "another password", HERE).account
        assert found is not None and (found.role, found.bots) == (Role.LEAD, frozenset(("shop",)))

    def test_an_account_that_is_not_there_cannot_be_changed(self, accounts: SqlAccounts) -> None:
        with pytest.raises(UserError, match="There is no account 'Anna'"):
            accounts.disable("Anna")
        with pytest.raises(UserError, match="There is no account 'Anna'"):
            accounts.set_password("Anna", PASSWORD)


class TestLock:
    @pytest.mark.parametrize("name", ["Anna", "Nobody"])
    def test_five_wrong_ones_lock_a_name_that_exists_or_not(
        self, accounts: SqlAccounts, clock: Clock, name: str
    ) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        for _ in range(5):
            assert accounts.check(name, "wrong", HERE) == Checked()
            clock.forward(MINUTE)
        until = clock.now + 14 * MINUTE  # since the fifth
        assert accounts.check(name, PASSWORD, "198.51.100.1") == Checked(locked_until=until)
        clock.now = until - timedelta(seconds=1)
        assert accounts.check(name, PASSWORD, HERE) == Checked(locked_until=until)
        clock.now = until
        assert accounts.check(name, PASSWORD, HERE) == Checked(anna if name == "Anna" else None)

    def test_a_lock_that_ended_needs_five_more(self, accounts: SqlAccounts, clock: Clock) -> None:
        for _ in range(2):
            for _ in range(5):
                assert accounts.check("Anna", "wrong", HERE) == Checked()
            assert accounts.check("Anna", "wrong", HERE).locked_until == clock.now + 15 * MINUTE
            clock.forward(15 * MINUTE)

    def test_slow_ones_lock_nothing_and_are_swept(self, accounts: SqlAccounts, clock: Clock) -> None:
        for _ in range(20):
            assert accounts.check("Anna", "wrong", HERE) == Checked()
            clock.forward(4 * MINUTE)
        assert rows(accounts, ATTEMPTS) == 2 * 8  # of half an hour: a name and an address each

    def test_a_right_one_forgives_a_name_but_no_address(self, accounts: SqlAccounts, clock: Clock) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        for _ in range(7):  # an attacker who has an account too
            for _ in range(4):
                assert accounts.check("Anna", "wrong", HERE) == Checked()
            assert accounts.check("Anna", PASSWORD, HERE) == Checked(anna)
        assert accounts.check("Ben", "wrong", HERE) == Checked()
        assert accounts.check("Eve", "wrong", HERE) == Checked()  # the thirtieth
        assert accounts.check("Anna", PASSWORD, HERE) == Checked(locked_until=clock.now + 15 * MINUTE)
        assert accounts.check("Anna", PASSWORD, "198.51.100.1") == Checked(anna)

    def test_many_at_the_same_moment_are_no_more_than_one_after_the_other(self, accounts: SqlAccounts) -> None:
        accounts.create("Anna", PASSWORD, Role.AGENT)
        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(lambda n: accounts.check("Anna", f"wrong {n}", f"192.0.2.{n}"), range(12)))
        assert sorted(checked.locked_until is not None for checked in found) == [False] * 5 + [True] * 7

    def test_another_password_ends_the_lock(self, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        for _ in range(5):
            accounts.check("Anna", "wrong", HERE)
        accounts.set_password("Anna", "another password")
        assert accounts.check("Anna", "another password", HERE) == Checked(anna)

    def test_a_name_that_is_not_there_takes_as_long(self, accounts: SqlAccounts, clock: Clock) -> None:
        accounts = SqlAccounts(accounts.database, clock)  # with a hash that takes its time
        accounts.create("Anna", PASSWORD, Role.AGENT)
        accounts.create("Gone", PASSWORD, Role.AGENT)
        accounts.disable("Gone")
        took: dict[str, list[float]] = {"Anna": [], "Nobody": [], "Gone": []}
        accounts.passwords.fits("warm", None)
        for turn in range(6):
            clock.forward(4 * MINUTE)
            for name, times in took.items():
                start = time.perf_counter()
                assert accounts.check(name, "wrong", f"192.0.2.{turn}") == Checked()
                times.append(time.perf_counter() - start)
        usual = {name: statistics.median(times) for name, times in took.items()}
        assert min(usual.values()) > 0.5 * max(usual.values()), usual


class TestKeys:
    def test_a_key_says_who_calls_and_what_they_may_do(self, accounts: SqlAccounts, clock: Clock) -> None:
        text = accounts.create_key("shop", [Scope.SEARCH, Scope.CHAT], ["shop"])
        (key,) = accounts.all_keys()
        assert (key.name, key.scopes) == ("shop", frozenset((Scope.CHAT, Scope.SEARCH)))
        assert key.bots == frozenset(("shop",))
        assert (key.expires, key.revoked, key.time) == (None, None, clock.now)
        assert text.startswith(f"ck_{key.id}_") and len(text) == len(f"ck_{key.id}_") + 43
        caller = accounts.caller_of_key(text)
        assert caller == Caller("shop", frozenset((Scope.CHAT, Scope.SEARCH)), frozenset(("shop",)))
        other = accounts.create_key("other", [Scope.CHAT])
        for wrong in ("", "ck", "ck__", f"ck_{key.id}_", text[:-1], text + "x", text[3:], text.upper()):
            assert accounts.caller_of_key(wrong) is None
        assert accounts.caller_of_key(f"ck_{key.id}_{other.split('_', 2)[2]}") is None
        assert accounts.caller_of_key("ck_\x00_秘密") is None

    def test_it_ends_when_it_expires_or_is_revoked(self, accounts: SqlAccounts, clock: Clock) -> None:
        short = accounts.create_key("short", [Scope.CHAT], expires=clock.now + MINUTE)
        clock.forward(MINUTE / 2)
        long = accounts.create_key("long", [Scope.CHAT])
        assert accounts.caller_of_key(short) is not None
        clock.forward(MINUTE / 2)
        assert accounts.caller_of_key(short) is None
        first, second = accounts.all_keys()
        accounts.revoke_key(second.id)
        assert accounts.caller_of_key(long) is None
        revoked = clock.now
        clock.forward(MINUTE)
        accounts.revoke_key(second.id)
        assert [key.revoked for key in accounts.all_keys()] == [None, revoked]
        for key_id in (first.id, second.id):
            with pytest.raises(UserError, match="no longer good"):
                accounts.rotate_key(key_id)

    def test_another_secret_replaces_the_first_at_once_or_later(self, accounts: SqlAccounts, clock: Clock) -> None:
        first = accounts.create_key("shop", [Scope.CHAT])
        key_id = accounts.all_keys()[0].id
        second = accounts.rotate_key(key_id, timedelta(hours=1))
        both = [accounts.caller_of_key(text) for text in (first, second)]
        assert both == [Caller("shop", frozenset((Scope.CHAT,)))] * 2
        clock.forward(timedelta(hours=1))
        assert [accounts.caller_of_key(text) is not None for text in (first, second)] == [False, True]
        third = accounts.rotate_key(key_id, timedelta(hours=1))
        fourth = accounts.rotate_key(key_id)
        texts = (first, second, third, fourth)
        assert [accounts.caller_of_key(text) is not None for text in texts] == [False, False, False, True]
        assert accounts.all_keys()[0].id == key_id and len(accounts.all_keys()) == 1

    def test_what_cannot_be_is_refused(self, accounts: SqlAccounts, clock: Clock) -> None:
        with pytest.raises(UserError, match="give it one scope"):
            accounts.create_key("shop", [])
        with pytest.raises(UserError, match="would have expired at 2026-03-01 09:00:00"):
            accounts.create_key("shop", [Scope.CHAT], expires=clock.now)
        for change in (accounts.rotate_key, accounts.revoke_key):
            with pytest.raises(UserError, match="There is no key 'abc'"):
                change("abc")
        assert accounts.all_keys() == []


class TestSessions:
    def test_a_session_has_the_rights_of_the_account_as_they_are(self, accounts: SqlAccounts) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.LEAD, {"shop"})
        one, two = accounts.open_session(anna), accounts.open_session(anna)
        assert one != two and len(one) == 43
        caller = accounts.caller_of_session(one)
        assert caller == Caller("Anna", GRANTED[Role.LEAD], frozenset(("shop",)))
        assert caller.may(Scope.VERSIONS, "shop") and not caller.may(Scope.VERSIONS, "bank")
        accounts.close_session(one)
        accounts.close_session(one)
        assert accounts.caller_of_session(one) is None
        assert accounts.caller_of_session(two) == caller
        for wrong in ("", one[:-1], "\x00", "会话"):
            assert accounts.caller_of_session(wrong) is None

    def test_it_ends_after_two_hours_without_use_and_after_twelve_with(
        self, accounts: SqlAccounts, clock: Clock
    ) -> None:
        anna = accounts.create("Anna", PASSWORD, Role.AGENT)
        used, left = accounts.open_session(anna), accounts.open_session(anna)
        for _ in range(12):
            assert accounts.caller_of_session(used) is not None
            clock.forward(timedelta(hours=1) - timedelta(seconds=1))
        assert accounts.caller_of_session(left) is None
        assert accounts.caller_of_session(used) is not None
        clock.forward(timedelta(seconds=12))
        assert accounts.caller_of_session(used) is None
        assert rows(accounts, SESSIONS) == 2
        accounts.open_session(anna)
        assert rows(accounts, SESSIONS) == 1

    def test_a_customers_ticket_opens_one_session(self, accounts: SqlAccounts, clock: Clock) -> None:
        ticket = Ticket("客户 1", "j-1", clock.now + 5 * MINUTE)
        token = accounts.sign_in(ticket, ["shop"])
        assert accounts.caller_of_session(token) == Caller("", ANYBODY.scopes, frozenset(("shop",)), "客户 1")
        with pytest.raises(Refused, match="was used before"):
            accounts.sign_in(ticket)
        other = accounts.sign_in(Ticket("客户 1", "j-2", clock.now + 5 * MINUTE))
        assert accounts.caller_of_session(other) == Caller("", ANYBODY.scopes, None, "客户 1")
        clock.forward(5 * MINUTE)
        with pytest.raises(Refused, match="was used before"):  # which the company's clock may still let through
            accounts.sign_in(ticket)
        clock.forward(MINUTE)
        with pytest.raises(Refused, match="has expired"):
            accounts.sign_in(ticket)
        accounts.sign_in(Ticket("c", "j-3", clock.now + MINUTE))
        assert rows(accounts, SPENT_TOKENS) == 1

    def test_of_many_at_the_same_moment_one_gets_in(self, accounts: SqlAccounts, clock: Clock) -> None:
        ticket = Ticket("c-1", "j-1", clock.now + MINUTE)

        def enter(_: int) -> bool:
            try:
                return bool(accounts.sign_in(ticket))
            except Refused:
                return False

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(enter, range(8))) == [False] * 7 + [True]
