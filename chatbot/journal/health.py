"""Whether a journal can be relied on: what its database says about itself. Nothing in it is changed.

In: a database that was opened as it is (`Database.connect(…, upgrade=False)`). Out: its `Health`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sql

from chatbot.errors import Unavailable
from chatbot.journal.database import Database, version
from chatbot.journal.schema import CONVERSATIONS, HAND_OVERS, VERSION
from chatbot.journal.snapshot import faults

FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Health:
    """`version` is that of its tables, None where there are none or very old ones, and `newest` the one that this
    program knows. `refused` is why nothing can be written, and None where something can or where its tables are at
    another version. `waiting` counts hand-overs that have been open for more than FORGOTTEN."""

    version: str | None
    newest: str
    faults: Sequence[str]  # of a SQLite file
    refused: str | None
    waiting: int
    file: Path | None


def health(database: Database, now: datetime) -> Health:
    """Raises Unavailable where it cannot be read. `now` has a time zone."""
    with database.work("read") as connection:
        found = version(connection)
    wrong = [] if database.file is None else faults(database.file)
    refused, waiting = None, 0
    if found == VERSION:
        refused = _refused(database)
        since = (now - FORGOTTEN).astimezone(UTC).isoformat(timespec="microseconds")
        old = (
            sql.select(sql.func.count())
            .select_from(HAND_OVERS)
            .where(HAND_OVERS.c.open, HAND_OVERS.c.time < since)
        )
        with database.work("read") as connection:
            waiting = connection.execute(old).scalar_one()
    return Health(found, VERSION, wrong, refused, waiting, database.file)


def _refused(database: Database) -> str | None:
    """Why a conversation cannot be begun; one is begun, and taken back before anybody can see it."""
    try:
        with database.work("written") as connection, connection.begin_nested() as attempt:
            connection.execute(CONVERSATIONS.insert().values(id="doctor"))
            attempt.rollback()
    except Unavailable as error:
        return str(error)
    return None
