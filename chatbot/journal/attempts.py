"""Attempts at passwords: after some wrong ones, a name and an address are locked for a while.

In: a transaction that is alone with its kind, a name, an address. Out: rows of an attempt, or when a lock ends.
An attempt is kept as wrong before its password is looked at, and taken back where it was right: so a thousand
at the same moment are no more than one after the other. While something is locked nothing is added, and the lock
ends. Names and addresses are kept as hashes: a name is sometimes a password in the wrong field.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sql

from chatbot.journal.schema import ATTEMPTS, stamp

OF_A_NAME, OF_AN_ADDRESS = 5, 30  # wrong ones within WINDOW that lock
WINDOW = LOCK = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Rows that say it was wrong, and what is locked if it was; or, if it may not be made, when the lock ends."""

    rows: Sequence[int] = ()
    locks_name: bool = False
    locks_address: bool = False
    locked_until: datetime | None = None


def begin(connection: sql.Connection, name: str, address: str, now: datetime) -> Attempt:
    connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.time <= stamp(now - WINDOW - LOCK)))
    limits = {_of_name(name): OF_A_NAME, _hash("address", address): OF_AN_ADDRESS}
    locks = [_lock(connection, what, limit) for what, limit in limits.items()]
    ends = max((end for end in locks if end is not None and end > now), default=None)
    if ends is not None:
        return Attempt(locked_until=ends)
    rows = [{"what": what, "time": stamp(now)} for what in limits]
    added = connection.execute(ATTEMPTS.insert().returning(ATTEMPTS.c.id), rows)
    numbers = tuple(added.scalars())
    name_is_locked, address_is_locked = (
        _lock(connection, what, limit) is not None for what, limit in limits.items()
    )
    return Attempt(numbers, name_is_locked, address_is_locked)


def take_back(connection: sql.Connection, attempt: Attempt, name: str) -> None:
    """It was right: whatever was wrong before under this name is forgiven."""
    forgive(connection, name)
    connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.id.in_(attempt.rows)))


def forgive(connection: sql.Connection, name: str) -> None:
    connection.execute(ATTEMPTS.delete().where(ATTEMPTS.c.what == _of_name(name)))


def _lock(connection: sql.Connection, what: str, limit: int) -> datetime | None:
    """When the last lock ends or ended, if there was one."""
    asked = sql.select(ATTEMPTS.c.time).where(ATTEMPTS.c.what == what)
    latest = connection.execute(asked.order_by(ATTEMPTS.c.time.desc()).limit(limit)).scalars().all()
    times = [datetime.fromisoformat(time) for time in latest]
    if len(times) < limit or times[0] - times[-1] >= WINDOW:
        return None
    return times[0] + LOCK


def _of_name(name: str) -> str:
    return _hash("name", name)


def _hash(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind} {text}".encode("utf-8", "surrogatepass")).hexdigest()
