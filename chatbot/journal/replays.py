"""Writes that were answered, so that the same write sent again gets the same answer: `SqlReplays`.

In: who sent which key with which request (as digests). Out: nothing where that is new, and it is now under way; or
what came of it. A write whose process died is done again after some minutes; all is forgotten after a day.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from chatbot.journal.database import Database
from chatbot.journal.schema import CONVERSATIONS, IDEMPOTENCY, stamp

KEPT = timedelta(days=1)
UNDER_WAY = timedelta(minutes=5)  # at most


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a request; `status` is None while it is under way."""

    request: str
    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class SqlReplays:
    """On the database of a SqlJournal; `clock` tells the time (with a time zone)."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.database = database
        self.clock = clock

    def sweep(self) -> None:
        """Forget what is over, also where nothing more is sent."""
        with self.database.work("written") as connection:
            connection.execute(IDEMPOTENCY.delete().where(_over(self.clock())))

    def begin(self, caller: str, key: str, request: str) -> Replay | None:
        """None where the request is new, which from now on is under way. Raises Unavailable."""
        now = self.clock()
        row = {"caller": caller, "key": key, "digest": request, "time": stamp(now)}
        with self.database.work("written") as connection:
            connection.execute(IDEMPOTENCY.delete().where(_over(now)))
            try:
                with connection.begin_nested():
                    connection.execute(IDEMPOTENCY.insert(), row)
                return None
            except IntegrityError:  # it came before
                found = connection.execute(sql.select(IDEMPOTENCY).where(_it(caller, key))).one()
        if found.status is None:
            return Replay(found.digest, None)
        told = json.loads(found.body)
        return Replay(found.digest, found.status, told["headers"], told["body"])

    def finish(self, caller: str, key: str, replay: Replay, conversation_id: str | None = None) -> None:
        """What came of it; with the conversation that it belongs to, if that is kept here, it is deleted."""
        there = sql.select(CONVERSATIONS.c.id).where(CONVERSATIONS.c.id == conversation_id)
        body = json.dumps({"headers": dict(replay.headers), "body": replay.body}, ensure_ascii=False)
        row = {"status": replay.status, "body": body, "conversation_id": there.scalar_subquery()}
        with self.database.work("written") as connection:
            connection.execute(IDEMPOTENCY.update().where(_it(caller, key)).values(row))

    def forget(self, caller: str, key: str) -> None:
        """It may be sent again."""
        with self.database.work("written") as connection:
            connection.execute(IDEMPOTENCY.delete().where(_it(caller, key)))


def _over(now: datetime) -> sql.ColumnElement[bool]:
    old = IDEMPOTENCY.c.time < stamp(now - KEPT)
    dead = IDEMPOTENCY.c.status.is_(None) & (IDEMPOTENCY.c.time < stamp(now - UNDER_WAY))
    return old | dead


def _it(caller: str, key: str) -> sql.ColumnElement[bool]:
    return (IDEMPOTENCY.c.caller == caller) & (IDEMPOTENCY.c.key == key)
