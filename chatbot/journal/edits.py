"""Who changed what the bot answers, and when: rows that are only ever added.

In: an edit, as editor.py describes it. Out: edits, newest first. What changed is JSON of the caller's: `counts`
are read with every edit, `texts`, which may be long, only for one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sql

from chatbot.errors import UserError
from chatbot.journal.database import Database, storable, unknown
from chatbot.journal.schema import EDITS


class Kind(StrEnum):
    PUBLISHED = "published"
    UNDONE = "undone"
    ROLLED_BACK = "rolled back"
    THRESHOLDS = "thresholds"


@dataclass(frozen=True, slots=True)
class Edit:
    """`version` was in use afterwards, `before` until then. `why` is in the words of whoever did it."""

    version: str
    before: str
    who: str
    kind: Kind
    why: str
    counts: Mapping[str, Mapping[str, int]]
    number: int = 0
    time: datetime | None = None  # UTC; with the number given by the journal


class SqlEdits:
    """On the database of a SqlJournal."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def record(self, edit: Edit, texts: Mapping[str, Any]) -> int:
        """Keep an edit; its number. Raises Unavailable."""
        row = {
            "version": edit.version,
            "before": edit.before,
            "who": storable(edit.who),
            "kind": edit.kind.value,
            "why": storable(edit.why),
            "counts": {language: dict(found) for language, found in edit.counts.items()},
            "texts": dict(texts),
        }
        with self.database.work("written") as connection:
            return int(connection.execute(EDITS.insert().returning(EDITS.c.id), row).scalar_one())

    def latest(self, most: int) -> Sequence[Edit]:
        """Newest first."""
        return self._found(_edits().order_by(EDITS.c.id.desc()).limit(most))

    def made(self, version: str) -> Edit | None:
        """The edit that made a version; None where none did."""
        makers = [kind.value for kind in (Kind.PUBLISHED, Kind.THRESHOLDS)]
        found = self._found(_edits().where(EDITS.c.version == version, EDITS.c.kind.in_(makers)))
        return found[0] if found else None

    def texts(self, number: int) -> Mapping[str, Any]:
        """What changed in an edit. Raises UserError for a number that there is not."""
        with self.database.work("read") as connection:
            found = connection.execute(sql.select(EDITS.c.texts).where(EDITS.c.id == number)).scalar_one_or_none()
        if found is None:
            raise UserError(unknown(f"edit {number}"))
        return dict(found)

    def _found(self, asked: sql.Select[Any]) -> list[Edit]:
        with self.database.work("read") as connection:
            rows = connection.execute(asked).all()
        return [
            Edit(r.version, r.before, r.who, Kind(r.kind), r.why, r.counts, r.id, datetime.fromisoformat(r.time))
            for r in rows
        ]


def _edits() -> sql.Select[Any]:
    return sql.select(*(column for column in EDITS.c if column is not EDITS.c.texts))
