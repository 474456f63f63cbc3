"""What the journal holds of a time: one row an exchange, with the thumb that counts.

In: a database and a span of time. Out: whatever the caller makes of each row, such as insight.traffic.Exchange.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sql

from chatbot.journal.database import Database
from chatbot.journal.schema import EXCHANGES, FEEDBACK

Row = TypeVar("Row")


def between(database: Database, since: datetime, until: datetime, row: Callable[..., Row]) -> list[Row]:
    """What `row(time=, conversation_id=, language=, text=, action=, reason=, answer_id=, milliseconds=, liked=)`
    makes of each exchange from `since` to before `until` (both with time zones), oldest first. `liked` is the
    latest thumb, None where there is none or it was taken back; `milliseconds` are 0 where no step was timed.
    Raises Unavailable."""
    latest = sql.select(FEEDBACK.c.exchange_id, sql.func.max(FEEDBACK.c.id).label("id"))
    last = latest.group_by(FEEDBACK.c.exchange_id).subquery()
    thumbs = sql.select(FEEDBACK.c.exchange_id, FEEDBACK.c.liked).join(last, last.c.id == FEEDBACK.c.id).subquery()
    columns = ("time", "conversation_id", "language", "text", "action", "reason", "answer_id", "timings")
    asked = (
        sql.select(*(EXCHANGES.c[name] for name in columns), thumbs.c.liked)
        .join_from(EXCHANGES, thumbs, thumbs.c.exchange_id == EXCHANGES.c.id, isouter=True)
        .where(EXCHANGES.c.time >= _stored(since), EXCHANGES.c.time < _stored(until))
        .order_by(EXCHANGES.c.id)
    )
    with database.work("read") as connection:
        found = connection.execute(asked).all()
    return [
        row(
            time=datetime.fromisoformat(one.time),
            conversation_id=one.conversation_id,
            language=one.language,
            text=one.text,
            action=one.action,
            reason=one.reason,
            answer_id=one.answer_id,
            milliseconds=one.timings.get("total", sum(one.timings.values())),
            liked=one.liked,
        )
        for one in found
    ]


def _stored(time: datetime) -> str:
    """As the journal writes times, which sort as text."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
