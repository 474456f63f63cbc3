"""What staff, programs and operators did with accounts, keys and customers' data: rows that are only ever added.

In: who did what to what, in the transaction that does it, so that neither is there without the other. Out:
entries, newest first. No secret and no word of a customer's is in one. A customer is named by a hash of the id:
the row stays where the customer is deleted. Edits of answers have a history of their own, edits.py.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto
from functools import partial

import sqlalchemy as sql

from chatbot.journal.database import Database, storable
from chatbot.journal.schema import AUDIT, Clock, stamp, utc

Note = Callable[[sql.Connection], None]  # adds the row of a deed


class Deed(StrEnum):
    SIGNED_IN = auto()
    SIGNED_OUT = auto()
    LOCKED_OUT = auto()  # about nobody: an address, or a name that no account has
    ACCOUNT_CREATED = auto()
    ACCOUNT_CHANGED = auto()
    ACCOUNT_DISABLED = auto()
    ACCOUNT_ENABLED = auto()
    PASSWORD_SET = auto()
    KEY_CREATED = auto()
    KEY_ROTATED = auto()
    KEY_REVOKED = auto()
    CUSTOMER_EXPORTED = auto()
    CUSTOMER_DELETED = auto()
    CONVERSATIONS_EXPORTED = auto()
    CONVERSATIONS_DELETED = auto()
    PURGED = auto()  # about a time: what had been silent since
    EDITS_DELETED = auto()
    EVERYTHING_DELETED = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """`who` is an account, `system:` and a user of the operating system, or empty: somebody unknown."""

    time: datetime  # UTC
    who: str
    what: Deed
    about: str


def record(connection: sql.Connection, who: str, deed: Deed, about: str = "", clock: Clock = utc) -> None:
    row = {"who": storable(who), "what": deed.value, "about": storable(about), "time": stamp(clock())}
    connection.execute(AUDIT.insert(), row)


def noted(who: str, deed: Deed, about: str = "") -> Note:
    return partial(record, who=who, deed=deed, about=about)


def pseudonym(customer: str) -> str:
    """What stands for a customer's id: the first 16 digits of its SHA-256."""
    return hashlib.sha256(storable(customer).encode()).hexdigest()[:16]


class SqlAudit:
    """On the database of a SqlJournal."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def latest(self, most: int, deed: Deed | None = None) -> Sequence[Entry]:
        """Newest first; of one kind, or of all."""
        asked = sql.select(AUDIT).order_by(AUDIT.c.id.desc()).limit(most)
        with self.database.work("read") as connection:
            rows = connection.execute(asked if deed is None else asked.where(AUDIT.c.what == deed.value)).all()
        return [Entry(datetime.fromisoformat(row.time), row.who, Deed(row.what), row.about) for row in rows]
