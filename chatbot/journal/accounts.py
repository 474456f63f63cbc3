"""Accounts of the staff, and with them keys and sessions: whoever calls with more rights than a customer.

In: a database and a clock. Out: accounts, and for a name and a password the account or how long it is locked.
Whether an account exists is not told by an answer, nor by the time that it takes. Whoever is disabled, or gets
another password or role, is signed out at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sql

from chatbot.access import Account, Role
from chatbot.errors import UserError
from chatbot.journal import attempts
from chatbot.journal.audit import Deed, record
from chatbot.journal.database import SIGN_IN, Database, storable
from chatbot.journal.keys import SqlKeys, named, only
from chatbot.journal.passwords import Passwords
from chatbot.journal.schema import ACCOUNTS, Clock, stamp, utc
from chatbot.journal.sessions import SqlSessions, end_sessions


@dataclass(frozen=True, slots=True)
class Checked:
    """A name with a password: the account where they fit; or how long no password of it is looked at."""

    account: Account | None = None
    locked_until: datetime | None = None


class SqlAccounts(SqlKeys, SqlSessions):
    """On the database of a SqlJournal; `who` makes and changes them, for the audit."""

    def __init__(
        self, database: Database, clock: Clock = utc, passwords: Passwords | None = None, who: str = ""
    ) -> None:
        SqlKeys.__init__(self, database, clock, who)
        self.passwords = Passwords() if passwords is None else passwords

    def create(self, name: str, password: str, role: Role, bots: Collection[str] | None = None) -> Account:
        """Raises UserError for a name that is taken or none, and for a password that is too short."""
        name = named(name)
        row = {
            "name": name,
            "password": self.passwords.hashed(password),
            "role": role.value,
            "bots": _listed(bots),
            "time": stamp(self.clock()),
        }
        with self.database.work("written") as connection:
            self.database.wait_for(connection, SIGN_IN)
            if connection.execute(_of(name)).one_or_none() is not None:
                raise UserError(f"There is an account {name!r} already. Choose another name.")
            record(connection, self.who, Deed.ACCOUNT_CREATED, name, self.clock)
            return _account(connection.execute(ACCOUNTS.insert().returning(ACCOUNTS), row).one())

    def all_accounts(self) -> Sequence[Account]:
        """By name."""
        with self.database.work("read") as connection:
            return [_account(row) for row in connection.execute(sql.select(ACCOUNTS).order_by(ACCOUNTS.c.name))]

    def exist(self) -> bool:
        """Whether there is any account, be it a disabled one."""
        with self.database.work("read") as connection:
            return connection.execute(sql.select(ACCOUNTS.c.id).limit(1)).one_or_none() is not None

    def set_password(self, name: str, password: str) -> None:
        """Ends its sessions and its lock. Raises UserError as `create`, and where there is no such account."""
        self._change(name, Deed.PASSWORD_SET, password=self.passwords.hashed(password))

    def change(self, name: str, role: Role, bots: Collection[str] | None = None) -> None:
        """Another role, and other bots. Ends its sessions. Raises UserError where there is no such account."""
        self._change(name, Deed.ACCOUNT_CHANGED, role=role.value, bots=_listed(bots))

    def disable(self, name: str) -> None:
        """Nobody can sign in with it; its sessions end. Raises UserError where there is no such account."""
        self._change(name, Deed.ACCOUNT_DISABLED, disabled=True)

    def enable(self, name: str) -> None:
        self._change(name, Deed.ACCOUNT_ENABLED, disabled=False)

    def check(self, name: str, password: str, address: str) -> Checked:
        """`address` is where the attempt comes from. An attempt that is not looked at, as name or address are
        locked, does not count."""
        name = " ".join(name.split())
        with self.database.work("written") as connection:
            self.database.wait_for(connection, SIGN_IN)
            attempt = attempts.begin(connection, name, address, self.clock())
            row = connection.execute(_of(name)).one_or_none()
        if attempt.locked_until is not None:
            return Checked(locked_until=attempt.locked_until)
        fits = self.passwords.fits(password, None if row is None else row.password)
        if row is None or row.disabled or not fits:
            self._note_locks(attempt, "" if row is None else row.name)
            return Checked()
        with self.database.work("written") as connection:
            attempts.take_back(connection, attempt, name)
        return Checked(_account(row))

    def _note_locks(self, attempt: attempts.Attempt, account: str) -> None:
        """An attempt was wrong: it may have been the last one."""
        if attempt.locks_name or attempt.locks_address:
            with self.database.work("written") as connection:
                if attempt.locks_name:
                    record(connection, "", Deed.LOCKED_OUT, account, self.clock)
                if attempt.locks_address:
                    record(connection, "", Deed.LOCKED_OUT, clock=self.clock)

    def _change(self, name: str, deed: Deed, **values: Any) -> None:
        with self.database.work("written") as connection:
            self.database.wait_for(connection, SIGN_IN)
            row = connection.execute(_of(name)).one_or_none()
            if row is None:
                raise UserError(f"There is no account {name!r}. `chatbot accounts list` lists them.")
            connection.execute(ACCOUNTS.update().where(ACCOUNTS.c.id == row.id).values(values))
            end_sessions(connection, row.id)
            record(connection, self.who, deed, row.name, self.clock)
            if deed is Deed.PASSWORD_SET:
                attempts.forgive(connection, row.name)


def _of(name: str) -> sql.Select[Any]:
    return sql.select(ACCOUNTS).where(ACCOUNTS.c.name == storable(name))


def _listed(bots: Collection[str] | None) -> list[str] | None:
    return None if bots is None else sorted(bots)


def _account(row: sql.Row[Any]) -> Account:
    return Account(
        row.id, row.name, Role(row.role), only(row.bots), row.disabled, datetime.fromisoformat(row.time)
    )
