"""What is kept of customers: counted, handed out, and deleted when it is due or asked for.

In: a database, and whose conversations are meant (`of_conversation`, `of_customer`, `silent_since`,
`of_everybody`). Out: rows, or how many of each kind are gone. With a conversation goes all that belongs to it, in
whichever table: the foreign keys of schema.py say what does. `forget` ends a customer's sessions as well. Edits
are the company's own words and stay, and so do accounts and keys. A `note` for the audit is written in the first
transaction that deletes, and before anything is handed out; the audit itself is never deleted.

An exchange that is being written while its conversation is deleted is either seen or refused: who deletes has
locked the conversation, and looks once more whether it is meant.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.dialects.postgresql import REGCLASS

from chatbot.journal.audit import Note
from chatbot.journal.database import Database, storable, version
from chatbot.journal.schema import (
    CONVERSATIONS,
    DISMISSALS,
    EDITS,
    EXCHANGES,
    HAND_OVERS,
    MESSAGES,
    SCHEMA,
    SESSIONS,
    stamp,
)

AT_ONCE = 200  # conversations that one transaction deletes, so that nobody waits long for it

Whose = sql.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a database holds: rows by table, its size in bytes (None where the database does not tell), open
    hand-overs, and when the oldest and the newest conversation began (UTC)."""

    version: str | None
    rows: Mapping[str, int]
    size: int | None
    waiting: int
    customers: int
    oldest: datetime | None
    newest: datetime | None


def of_conversation(conversation_id: str) -> Whose:
    return CONVERSATIONS.c.id == conversation_id


def of_customer(customer: str) -> Whose:
    return CONVERSATIONS.c.customer == storable(customer)


def of_everybody() -> Whose:
    return sql.true()


def silent_since(moment: datetime) -> Whose:
    """Where nobody has said anything from `moment` (with a time zone) on, and no one waits for a person."""
    since = stamp(moment)
    said = [
        sql.exists().where(table.c.conversation_id == CONVERSATIONS.c.id, table.c.time >= since)
        for table in (EXCHANGES, MESSAGES)
    ]
    waits = sql.exists().where(HAND_OVERS.c.conversation_id == CONVERSATIONS.c.id, HAND_OVERS.c.open)
    return (CONVERSATIONS.c.time < since) & ~sql.or_(*said, waits)


def holdings(database: Database) -> Holdings:
    with database.work("read") as connection:
        rows = {table.name: _count(connection, table) for table in SCHEMA.sorted_tables}
        began = sql.select(sql.func.min(CONVERSATIONS.c.time), sql.func.max(CONVERSATIONS.c.time))
        oldest, newest = connection.execute(began).one()
        customers = sql.select(sql.func.count(CONVERSATIONS.c.customer.distinct()))
        return Holdings(
            version(connection),
            rows,
            _size(connection),
            _count(connection, HAND_OVERS, HAND_OVERS.c.open),
            connection.execute(customers).scalar_one(),
            None if oldest is None else datetime.fromisoformat(oldest),
            None if newest is None else datetime.fromisoformat(newest),
        )


def found(database: Database, whose: Whose) -> list[str]:
    """Ids of conversations, oldest first."""
    asked = sql.select(CONVERSATIONS.c.id).where(whose).order_by(CONVERSATIONS.c.time, CONVERSATIONS.c.id)
    with database.work("read") as connection:
        return list(connection.execute(asked).scalars())


def export(database: Database, whose: Whose, note: Note) -> Iterator[Mapping[str, Any]]:
    """Everything that is kept of conversations, one row a value, as it is stored and with the name of its `table`;
    one conversation after the other, each in the order in which it went on."""
    with database.work("written") as connection:
        note(connection)
    for conversation_id in found(database, whose):
        rows: list[dict[str, Any]] = []
        with database.work("read") as connection:
            for table, theirs in _belonging([conversation_id]):
                kept = connection.execute(sql.select(table).where(theirs).order_by(table.c.id)).mappings()
                rows += [{"table": table.name, **row} for row in kept]
        yield from sorted(rows, key=lambda row: (row["table"] != CONVERSATIONS.name, row["time"]))


def delete(database: Database, whose: Whose, note: Note) -> Counter[str]:
    """How many rows of each table are gone. Words of theirs that agents dismissed go too, where nobody else used
    the same ones. Where there was nothing, nothing is noted."""
    return _compacted(database, _in_portions(database, whose, note))


def forget(database: Database, customer: str, note: Note) -> Counter[str]:
    """Delete all that is kept of a customer: their conversations, and their sessions, which end. Where there was
    nothing, nothing is noted."""
    with database.work("written") as connection:
        ended = _emptied(connection, SESSIONS, SESSIONS.c.customer == storable(customer))
        if ended:
            note(connection)
    return _compacted(database, ended + _in_portions(database, of_customer(customer), None if ended else note))


def delete_everything(database: Database, note: Note) -> Counter[str]:
    """All conversations, customers' sessions, and what was dismissed."""
    with database.work("written") as connection:
        note(connection)
        gone = _emptied(connection, DISMISSALS) + _emptied(connection, SESSIONS, SESSIONS.c.customer.is_not(None))
    return _compacted(database, gone + _in_portions(database, of_everybody(), None))


def delete_edits(database: Database, note: Note) -> Counter[str]:
    """The history of what the company changed."""
    with database.work("written") as connection:
        note(connection)
        gone = _emptied(connection, EDITS)
    return _compacted(database, gone)


def _compacted(database: Database, gone: Counter[str]) -> Counter[str]:
    if gone:
        database.compact()
    return gone


def _emptied(connection: sql.Connection, table: sql.Table, which: Whose | None = None) -> Counter[str]:
    rows = table.delete() if which is None else table.delete().where(which)
    return +Counter({table.name: connection.execute(rows).rowcount})


def _in_portions(database: Database, whose: Whose, note: Note | None) -> Counter[str]:
    gone: Counter[str] = Counter()
    meant = found(database, whose)
    for start in range(0, len(meant), AT_ONCE):
        with database.work("written") as connection:
            portion = _delete(connection, whose, meant[start : start + AT_ONCE])
            if portion and not gone and note is not None:
                note(connection)
        gone += portion
    return gone


def _delete(connection: sql.Connection, whose: Whose, meant: Sequence[str]) -> Counter[str]:
    """Locks, in the order of writers: first the conversations, then what belongs to them."""
    among = CONVERSATIONS.c.id.in_(meant)
    connection.execute(sql.select(CONVERSATIONS.c.id).where(among).with_for_update())
    still = connection.execute(sql.select(CONVERSATIONS.c.id).where(among, whose)).scalars().all()
    belonging = list(_belonging(still))
    for table, theirs in belonging[1:]:
        connection.execute(sql.select(table.c.id).where(theirs).with_for_update())
    gone = Counter({DISMISSALS.name: connection.execute(DISMISSALS.delete().where(_only_of(still))).rowcount})
    for table, theirs in reversed(belonging):
        gone[table.name] += connection.execute(table.delete().where(theirs)).rowcount
    return +gone


def _belonging(conversation_ids: Sequence[str]) -> Iterator[tuple[sql.Table, Whose]]:
    """Each table with the rows that belong to conversations; owners come before what they own."""
    owned: dict[sql.Table, Whose] = {CONVERSATIONS: CONVERSATIONS.c.id.in_(conversation_ids)}
    for table in SCHEMA.sorted_tables:
        for key in table.foreign_keys:
            owner = key.column.table
            if owner in owned:
                owned[table] = key.parent.in_(sql.select(owner.c.id).where(owned[owner]))
    yield from owned.items()


def _only_of(conversation_ids: Sequence[str]) -> Whose:
    """Dismissed words that were typed in these conversations and in no other one."""
    same = (EXCHANGES.c.cleaned == DISMISSALS.c.cleaned) & (EXCHANGES.c.language == DISMISSALS.c.language)
    theirs = EXCHANGES.c.conversation_id.in_(conversation_ids)
    return sql.exists().where(same, theirs) & ~sql.exists().where(same, ~theirs)


def _count(connection: sql.Connection, table: sql.Table, which: Whose | None = None) -> int:
    counted = sql.select(sql.func.count()).select_from(table)
    return int(connection.execute(counted if which is None else counted.where(which)).scalar_one())


def _size(connection: sql.Connection) -> int | None:
    """Of the tables with their indexes, or of a SQLite file with what is written beside it."""
    if connection.dialect.name == "postgresql":
        of_one = sql.select(sql.func.pg_total_relation_size(sql.cast(sql.bindparam("name"), REGCLASS)))
        return sum(int(connection.execute(of_one, {"name": name}).scalar_one()) for name in SCHEMA.tables)
    place = connection.engine.url.database
    if connection.dialect.name != "sqlite" or place is None:
        return None
    files = [Path(place + end) for end in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())
