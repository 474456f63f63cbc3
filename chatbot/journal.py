"""What happened, kept in a database: conversations, exchanges, feedback, hand-overs.

In: what the pages and the service did (a conversation opened, a question and its reply, a thumb, a call for a
person). Out: the conversation again, the queue for people, and the questions that got no answer. It exists so
that nothing a customer said is lost, and so that the bot can learn from it. The only module with SQL.

A call that writes returns once its record is on disk: SQLite runs in WAL mode with `synchronous=FULL`, so that
what was acknowledged survives a killed process and a power cut. Every method may be called from any thread.
Times are UTC and say so (`2026-01-31T09:30:00.000000+00:00`). Errors: a database that fails is `Unavailable`; the
number of a conversation or exchange that does not exist is a `UserError`. Error messages hold no customer text.
"""

import re
import unicodedata
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from chatbot.domain import Action, Candidate, Conversation, Reason, Reply, Role, Turn
from chatbot.errors import Unavailable, UserError

WAIT = 30.0  # seconds that a writer waits for another one before it gives up

_schema = sql.MetaData()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _time() -> sql.Column[str]:
    return sql.Column("time", sql.String(32), nullable=False, default=_now)


def _belongs_to(owner: str) -> sql.Column[Any]:
    return sql.Column(f"{owner}_id", sql.ForeignKey(f"{owner}s.id"), nullable=False, index=True)


_conversations = sql.Table(
    "conversations",
    _schema,
    sql.Column("id", sql.String(32), primary_key=True),
    sql.Column("language", sql.String(16)),
    _time(),
)
_exchanges = sql.Table(
    "exchanges",
    _schema,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("conversation"),
    sql.Column("text", sql.Text, nullable=False),  # what the customer typed
    sql.Column("cleaned", sql.Text, nullable=False, index=True),  # the same without case and punctuation
    sql.Column("reply", sql.Text, nullable=False),
    sql.Column("action", sql.String(16), nullable=False),
    sql.Column("reason", sql.String(32), nullable=False),
    sql.Column("answer_id", sql.Text),
    sql.Column("confidence", sql.Float, nullable=False),
    sql.Column("candidates", sql.JSON, nullable=False),
    sql.Column("timings", sql.JSON, nullable=False),  # milliseconds a step
    sql.Column("language", sql.String(16), nullable=False),
    _time(),
)
_feedback = sql.Table(
    "feedback",
    _schema,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("exchange"),
    sql.Column("liked", sql.Boolean),  # empty: the thumb was taken back
    sql.Column("comment", sql.Text, nullable=False),
    _time(),
)
_hand_overs = sql.Table(
    "hand_overs",
    _schema,
    sql.Column("id", sql.Integer, primary_key=True),
    _belongs_to("conversation"),
    sql.Column("reason", sql.String(32), nullable=False),
    sql.Column("open", sql.Boolean, nullable=False, default=True),
    _time(),
)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that the bot could not answer: as it was last typed, how often, and when last (UTC)."""

    text: str
    count: int
    last: datetime


class SqlJournal:
    """A `domain.Journal` on SQLAlchemy; made by `connect`."""

    def __init__(self, engine: sql.Engine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, place: str | Path) -> Self:
        """Open a SQLite file, or any database that a URL (`sqlite:///…`, `postgresql+psycopg://…`) names, and
        create the tables that are missing. Raises Unavailable."""
        try:
            is_url = "://" in str(place)
            url = sql.make_url(str(place)) if is_url else sql.URL.create("sqlite", database=str(place))
            on_file = url.get_backend_name() == "sqlite"
            if on_file and url.database is not None:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            options = {"connect_args": {"timeout": WAIT}} if on_file else {}
            engine = sql.create_engine(url, hide_parameters=True, **options)
        except (SQLAlchemyError, OSError, ImportError) as cause:
            raise Unavailable(f"The journal {place} cannot be opened: {cause}. Check its path or URL.") from cause
        if on_file:
            sql.event.listen(engine, "connect", _make_durable)
        journal = cls(engine)
        with journal._work("opened") as connection:
            _schema.create_all(connection)
        return journal

    def close(self) -> None:
        self._engine.dispose()

    def open(self, language: str | None = None) -> str:
        conversation_id = uuid.uuid4().hex
        with self._work("written") as connection:
            connection.execute(_conversations.insert().values(id=conversation_id, language=language))
        return conversation_id

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        text = _storable(text)
        row = {
            "conversation_id": conversation_id,
            "text": text,
            "cleaned": cleaned(text),
            "reply": _storable(reply.text),
            "action": reply.decision.action.value,
            "reason": reply.decision.reason.value,
            "answer_id": reply.answer_id,
            "confidence": float(reply.decision.confidence),
            "candidates": [_evidence(candidate) for candidate in reply.decision.candidates],
            "timings": _floats(reply.timings),
            "language": reply.language,
        }
        with self._work("written", f"conversation {conversation_id!r}") as connection:
            return int(connection.execute(_exchanges.insert().returning(_exchanges.c.id), row).scalar_one())

    def feedback(self, exchange_id: int, liked: bool | None, comment: str = "") -> None:
        row = {"exchange_id": exchange_id, "liked": liked, "comment": _storable(comment)}
        with self._work("written", f"exchange {exchange_id}") as connection:
            connection.execute(_feedback.insert(), row)

    def liked(self, exchange_id: int) -> bool | None:
        """The thumb that counts: the latest one. None when none was given or it was taken back."""
        latest = sql.select(_feedback.c.liked).where(_feedback.c.exchange_id == exchange_id)
        with self._work("read") as connection:
            return connection.execute(latest.order_by(_feedback.c.id.desc()).limit(1)).scalar_one_or_none()

    def hand_over(self, conversation_id: str, reason: Reason) -> int:
        """Join the queue; a conversation that waits already keeps its place."""
        mine = (_hand_overs.c.conversation_id == conversation_id) & _hand_overs.c.open
        row = sql.select(sql.literal(conversation_id), sql.literal(reason.value), sql.true(), sql.literal(_now()))
        join = _hand_overs.insert().from_select(
            ["conversation_id", "reason", "open", "time"], row.where(~sql.exists().where(mine))
        )
        first = sql.select(sql.func.min(_hand_overs.c.id)).where(mine).scalar_subquery()
        place = sql.select(sql.func.count()).where(_hand_overs.c.open & (_hand_overs.c.id <= first))
        with self._work("written", f"conversation {conversation_id!r}") as connection:
            connection.execute(join)
            return connection.execute(place).scalar_one()

    def close_hand_over(self, conversation_id: str) -> None:
        """A person has taken over: everybody behind moves up."""
        waits = (_hand_overs.c.conversation_id == conversation_id) & _hand_overs.c.open
        with self._work("written") as connection:
            connection.execute(_hand_overs.update().where(waits).values(open=False))

    def conversation(self, conversation_id: str) -> Conversation:
        opened = sql.select(_conversations.c.language).where(_conversations.c.id == conversation_id)
        said = sql.select(_exchanges).where(_exchanges.c.conversation_id == conversation_id)
        with self._work("read") as connection:
            conversation = connection.execute(opened).one_or_none()
            exchanges = connection.execute(said.order_by(_exchanges.c.id)).all()
        if conversation is None:
            raise UserError(_unknown(f"conversation {conversation_id!r}"))
        turns = [
            turn
            for row in exchanges
            for turn in (Turn(Role.USER, row.text), Turn(Role.AGENT, row.reply, row.answer_id))
        ]
        language = exchanges[-1].language if exchanges else conversation.language
        return Conversation(conversation_id, tuple(turns), language)

    def unanswered(self, limit: int = 100) -> list[Unanswered]:
        """Questions that were clarified or handed over because no answer was sure enough, newest first. The same
        words in another case, width, spacing or end punctuation count as one question."""
        unsure = _exchanges.c.action.in_([Action.CLARIFY, Action.HAND_OVER]) & _exchanges.c.reason.in_(
            [Reason.AMBIGUOUS, Reason.UNSURE]
        )
        last = sql.func.max(_exchanges.c.id).label("last")
        asked = sql.select(last, sql.func.count().label("count")).where(unsure).group_by(_exchanges.c.cleaned)
        group = asked.order_by(last.desc()).limit(limit).subquery()
        rows = sql.select(_exchanges.c.text, _exchanges.c.time, group.c["count"]).join(
            group, group.c.last == _exchanges.c.id
        )
        with self._work("read") as connection:
            found = connection.execute(rows.order_by(_exchanges.c.id.desc())).all()
        return [Unanswered(text, count, datetime.fromisoformat(time)) for text, time, count in found]

    @contextmanager
    def _work(self, done: str, belongs_to: str = "") -> Iterator[sql.Connection]:
        """One transaction, committed at the end; what SQLAlchemy raises becomes an error of ours."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError as cause:
            raise UserError(_unknown(belongs_to)) from cause
        except SQLAlchemyError as cause:
            reason = getattr(cause, "orig", None) or type(cause).__name__
            raise Unavailable(
                f"The journal {self._engine.url.render_as_string()} could not be {done}: {reason}. "
                "Check that it exists, may be written and has room, and that no other program holds it."
            ) from cause


def cleaned(text: str) -> str:
    """What two questions must share to count as the same one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded).strip(" ?!.,;:…。、")


def _make_durable(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _evidence(candidate: Candidate) -> dict[str, str | float]:
    scores = {f.name: getattr(candidate, f.name) for f in fields(Candidate) if f.name != "pair"}
    pair = candidate.pair
    return {"pair_id": pair.id, "answer_id": pair.answer_id, "question": _storable(pair.question)} | _floats(
        scores
    )


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _unknown(what: str) -> str:
    return f"The journal knows no {what}. Use a number that it gave out itself (open or record)."
