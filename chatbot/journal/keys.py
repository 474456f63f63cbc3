"""Keys of programs: made, listed, renewed, revoked, and whom one belongs to.

In: a database and a clock. Out: keys, `ck_ID_SECRET`, each shown once: its secret is kept as a hash alone, SHA-256
of 256 random bits, which nobody guesses however fast a hash is.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sql

from chatbot.access import Caller, Key, Scope
from chatbot.errors import UserError
from chatbot.journal.audit import Deed, record
from chatbot.journal.database import Database
from chatbot.journal.schema import KEYS, Clock, stamp, utc

LONGEST_NAME = 60  # characters, of a key or an account


class SqlKeys:
    """On the database of a SqlJournal; `who` makes and ends them, for the audit."""

    def __init__(self, database: Database, clock: Clock = utc, who: str = "") -> None:
        self.database = database
        self.clock = clock
        self.who = who

    def create_key(
        self,
        name: str,
        scopes: Collection[Scope],
        bots: Collection[str] | None = None,
        expires: datetime | None = None,
    ) -> str:
        """The key, which nobody can be shown again. Raises UserError for a name or time that cannot be."""
        if not scopes:
            raise UserError(f"The key {name!r} may do nothing: give it one scope at least.")
        if expires is not None and expires <= self.clock():
            raise UserError(f"The key {name!r} would have expired at {expires.isoformat(' ', 'seconds')} already.")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": named(name),
            "hash": hashed(secret),
            "scopes": sorted(scopes),
            "bots": None if bots is None else sorted(bots),
            "expires": None if expires is None else stamp(expires),
            "time": stamp(self.clock()),
        }
        with self.database.work("written") as connection:
            connection.execute(KEYS.insert(), row)
            record(connection, self.who, Deed.KEY_CREATED, key_id, self.clock)
        return _text(key_id, secret)

    def all_keys(self) -> Sequence[Key]:
        """Oldest first, with those that are no longer good."""
        with self.database.work("read") as connection:
            rows = connection.execute(sql.select(KEYS).order_by(KEYS.c.time, KEYS.c.id)).all()
        return [_key(row) for row in rows]

    def rotate_key(self, key_id: str, grace: timedelta = timedelta(0)) -> str:
        """The key with another secret; the one that it had is good for `grace` more. Raises UserError where there
        is no such key or it is no longer good."""
        secret, now = secrets.token_urlsafe(32), self.clock()
        with self.database.work("written") as connection:
            row = self._found(connection, key_id)
            if not _is_good(row, now):
                raise UserError(f"The key {key_id} is no longer good. Make another one.")
            old = {"old_hash": row.hash, "old_expires": stamp(now + grace)} if grace else {"old_hash": None}
            connection.execute(KEYS.update().where(KEYS.c.id == key_id).values(hash=hashed(secret), **old))
            record(connection, self.who, Deed.KEY_ROTATED, key_id, self.clock)
        return _text(key_id, secret)

    def revoke_key(self, key_id: str) -> None:
        """At once and for good. Raises UserError where there is no such key."""
        with self.database.work("written") as connection:
            self._found(connection, key_id)
            first = KEYS.c.id == key_id, KEYS.c.revoked.is_(None)
            if connection.execute(KEYS.update().where(*first).values(revoked=stamp(self.clock()))).rowcount:
                record(connection, self.who, Deed.KEY_REVOKED, key_id, self.clock)

    def caller_of_key(self, text: str) -> Caller | None:
        """Whose key it is; None where it is nobody's, or no longer good."""
        kind, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if kind != "ck" or not secret or not rest.isascii() or not key_id.isalnum():
            return None
        with self.database.work("read") as connection:
            row = connection.execute(sql.select(KEYS).where(KEYS.c.id == key_id)).one_or_none()
        now, given = self.clock(), hashed(secret)
        if row is None or not _is_good(row, now):
            return None
        right = hmac.compare_digest(given, row.hash)
        if row.old_hash is not None and stamp(now) < row.old_expires:
            right |= hmac.compare_digest(given, row.old_hash)
        return Caller(row.name, _scopes(row), only(row.bots)) if right else None

    def _found(self, connection: sql.Connection, key_id: str) -> sql.Row[Any]:
        row = connection.execute(sql.select(KEYS).where(KEYS.c.id == key_id).with_for_update()).one_or_none()
        if row is None:
            raise UserError(f"There is no key {key_id!r}. `chatbot keys list` lists them.")
        return row


def named(name: str) -> str:
    """A name as it is stored. Raises UserError where it is none."""
    found = " ".join(name.split())
    if not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise UserError(f"{name!r:.80} is no name: 1 to {LONGEST_NAME} characters that can be printed.")
    return found


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def only(bots: Sequence[str] | None) -> frozenset[str] | None:
    return None if bots is None else frozenset(bots)


def _text(key_id: str, secret: str) -> str:
    return f"ck_{key_id}_{secret}"


def _is_good(row: sql.Row[Any], now: datetime) -> bool:
    return row.revoked is None and (row.expires is None or stamp(now) < row.expires)


def _scopes(row: sql.Row[Any]) -> frozenset[Scope]:
    return frozenset(Scope(name) for name in row.scopes)


def _key(row: sql.Row[Any]) -> Key:
    expires, revoked = (
        None if time is None else datetime.fromisoformat(time) for time in (row.expires, row.revoked)
    )
    return Key(row.id, row.name, _scopes(row), only(row.bots), expires, revoked, datetime.fromisoformat(row.time))
