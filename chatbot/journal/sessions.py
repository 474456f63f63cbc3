"""Sessions: who signed in on a page, until they sign out, are away for two hours, or twelve hours are over.

In: an account whose password was right, or a customer's ticket, which is good once. Out: a random token, kept as a
hash alone, and for a token the caller whose it is.
"""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sql

from chatbot.access import ANYBODY, GRANTED, Account, Caller, Role, Ticket
from chatbot.errors import Refused, UserError
from chatbot.journal.audit import Deed, record
from chatbot.journal.database import SIGN_IN, Database, storable
from chatbot.journal.keys import hashed, only
from chatbot.journal.schema import ACCOUNTS, SESSIONS, SPENT_TOKENS, Clock, stamp, utc

LONGEST, IDLE = timedelta(hours=12), timedelta(hours=2)
SEEN_EVERY = timedelta(minutes=1)  # so often a use is noted
LATE = timedelta(minutes=1)  # that clocks may differ by: so much longer a spent ticket is remembered


class SqlSessions:
    """On the database of a SqlJournal."""

    def __init__(self, database: Database, clock: Clock = utc) -> None:
        self.database = database
        self.clock = clock

    def open_session(self, account: Account) -> str:
        """A new session's token. Raises UserError where the account was disabled meanwhile."""
        asked = sql.select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == account.id, ~ACCOUNTS.c.disabled)
        with self.database.work("written") as connection:
            if connection.execute(asked.with_for_update()).one_or_none() is None:
                raise UserError(f"The account {account.name!r} is disabled.")
            record(connection, account.name, Deed.SIGNED_IN, clock=self.clock)
            return self._opened(connection, account_id=account.id)

    def sign_in(self, ticket: Ticket, bots: Collection[str] | None = None) -> str:
        """A customer's new session. Raises Refused where the ticket was used before or is over."""
        now, spent = self.clock(), {"jti": hashed(ticket.number), "expires": stamp(ticket.expires + LATE)}
        if ticket.expires + LATE <= now:
            raise Refused("The token has expired. Ask for a new one.")
        with self.database.work("written") as connection:
            self.database.wait_for(connection, SIGN_IN)
            connection.execute(SPENT_TOKENS.delete().where(SPENT_TOKENS.c.expires <= stamp(now)))
            known = sql.select(SPENT_TOKENS.c.jti).where(SPENT_TOKENS.c.jti == spent["jti"])
            if connection.execute(known).one_or_none() is not None:
                raise Refused("The token was used before. Each opens one session: ask for a new one.")
            connection.execute(SPENT_TOKENS.insert(), {**spent, "time": stamp(now)})
            allowed = None if bots is None else sorted(bots)
            return self._opened(connection, customer=storable(ticket.customer), bots=allowed)

    def caller_of_session(self, token: str) -> Caller | None:
        """Whose session it is; None where there is none, or it is over."""
        now = self.clock()
        asked = (
            sql.select(
                SESSIONS, ACCOUNTS.c.name, ACCOUNTS.c.role, ACCOUNTS.c.bots.label("own"), ACCOUNTS.c.disabled
            )
            .join(ACCOUNTS, isouter=True)
            .where(SESSIONS.c.hash == hashed(token), *_goes_on(now))
        )
        with self.database.work("read") as connection:
            row = connection.execute(asked).one_or_none()
        if row is None or row.disabled:
            return None
        if row.seen <= stamp(now - SEEN_EVERY):
            with self.database.work("written") as connection:
                connection.execute(SESSIONS.update().where(SESSIONS.c.id == row.id).values(seen=stamp(now)))
        if row.account_id is None:
            return Caller("", ANYBODY.scopes, only(row.bots), row.customer)
        return Caller(row.name, GRANTED[Role(row.role)], only(row.own))

    def close_session(self, token: str) -> None:
        """At once; nothing happens where there is none."""
        with self.database.work("written") as connection:
            ended = SESSIONS.delete().where(SESSIONS.c.hash == hashed(token)).returning(SESSIONS.c.account_id)
            account_id = connection.execute(ended).scalar_one_or_none()
            if account_id is not None:
                whose = sql.select(ACCOUNTS.c.name).where(ACCOUNTS.c.id == account_id)
                record(connection, connection.execute(whose).scalar_one(), Deed.SIGNED_OUT, clock=self.clock)

    def _opened(self, connection: sql.Connection, **whose: Any) -> str:
        token, now = secrets.token_urlsafe(32), self.clock()
        connection.execute(SESSIONS.delete().where(~sql.and_(*_goes_on(now))))
        times = {"expires": stamp(now + LONGEST), "seen": stamp(now), "time": stamp(now)}
        connection.execute(SESSIONS.insert(), {"hash": hashed(token), **whose, **times})
        return token


def end_sessions(connection: sql.Connection, account_id: int) -> None:
    """All of an account."""
    connection.execute(SESSIONS.delete().where(SESSIONS.c.account_id == account_id))


def _goes_on(now: datetime) -> tuple[sql.ColumnElement[bool], ...]:
    return SESSIONS.c.expires > stamp(now), SESSIONS.c.seen > stamp(now - IDLE)
