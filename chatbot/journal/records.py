"""Conversations, exchanges, feedback, and the queue for people: a `protocols.Journal`.

Errors: a database that fails is `Unavailable`; the number of a conversation or exchange that does not exist is a
`UserError`. Error messages hold no customer text. Times are UTC and say so (`2026-01-31T09:30:00.000000+00:00`).
"""

import re
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sql

from chatbot.domain import (
    Action,
    Candidate,
    Citation,
    Conversation,
    Decision,
    Exchange,
    Mood,
    QAPair,
    Reason,
    Reply,
    Role,
    Turn,
)
from chatbot.errors import UserError
from chatbot.journal.database import QUEUE, Database, storable, unknown
from chatbot.journal.schema import CLAIMS, CONVERSATIONS, EXCHANGES, FEEDBACK, HAND_OVERS, MESSAGES, now, stamp

NOTHING: Mapping[str, Any] = {}  # beside the reply, in a journal of an earlier version
TURNS = [EXCHANGES.c[name] for name in ("time", "text", "reply", "answer_id", "beside", "language")]
SAID = (EXCHANGES, MESSAGES)  # where what is said in a conversation is kept
CUSTOMER = "customer"  # desk.Author.CUSTOMER, as it is stored


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may open a conversation: the customer whose it is, and whoever knows what `secret` is the SHA-256 of."""

    customer: str | None
    secret: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A conversation that was begun, and when (UTC)."""

    id: str
    time: datetime
    language: str | None
    customer: str | None


class SqlJournal:
    """A `protocols.Journal` on SQLAlchemy; made by `connect`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def connect(cls, place: str | Path) -> Self:
        """Open a SQLite file or a database by URL (see Database.connect). Raises Unavailable."""
        return cls(Database.connect(place))

    def close(self) -> None:
        self.database.close()

    def open(self, language: str | None = None, customer: str | None = None, secret: str | None = None) -> str:
        conversation_id = uuid.uuid4().hex
        row = {"id": conversation_id, "language": language, "secret": secret}
        row["customer"] = None if customer is None else storable(customer)
        with self.database.work("written") as connection:
            connection.execute(CONVERSATIONS.insert(), row)
        return conversation_id

    def guard(self, conversation_id: str) -> Guard | None:
        """Who may open a conversation; None where there is none of that id."""
        asked = sql.select(CONVERSATIONS.c.customer, CONVERSATIONS.c.secret)
        with self.database.work("read") as connection:
            row = connection.execute(asked.where(CONVERSATIONS.c.id == storable(conversation_id))).one_or_none()
        return None if row is None else Guard(row.customer, row.secret)

    def opened(
        self, customer: str | None = None, after: tuple[str, str] | None = None, most: int = 1000
    ) -> Sequence[Opened]:
        """The conversations that a customer, or anybody, began, oldest first; those `after` one (its time as it is
        stored, and its id)."""
        time, id = CONVERSATIONS.c.time, CONVERSATIONS.c.id
        asked = sql.select(CONVERSATIONS).order_by(time, id).limit(most)
        if customer is not None:
            asked = asked.where(CONVERSATIONS.c.customer == storable(customer))
        if after is not None:
            asked = asked.where((time > after[0]) | ((time == after[0]) & (id > after[1])))
        with self.database.work("read") as connection:
            rows = connection.execute(asked).all()
        return [Opened(row.id, datetime.fromisoformat(row.time), row.language, row.customer) for row in rows]

    def record(self, conversation_id: str, text: str, reply: Reply) -> int:
        text = storable(text)
        row = {
            "conversation_id": conversation_id,
            "text": text,
            "cleaned": cleaned(text),
            "reply": storable(reply.text),
            "action": reply.decision.action.value,
            "reason": reply.decision.reason.value,
            "answer_id": reply.answer_id,
            "confidence": float(reply.decision.confidence),
            "candidates": [_evidence(candidate) for candidate in reply.decision.candidates],
            "timings": _floats(reply.timings),
            "beside": {
                "citations": [_texts(asdict(citation)) for citation in reply.citations],
                "suggestions": [storable(text) for text in reply.suggestions],
                "asks": reply.asks,
                "mood": reply.mood,
                "offers_person": reply.offers_person,
                "also": [storable(answer_id) for answer_id in reply.also],
            },
            "language": reply.language,
            "version": reply.version,
        }
        with self.database.work("written", f"conversation {conversation_id!r}") as connection:
            row["time"] = moment(connection, conversation_id)
            return int(connection.execute(EXCHANGES.insert().returning(EXCHANGES.c.id), row).scalar_one())

    def feedback(self, exchange_id: int, liked: bool | None, comment: str = "") -> None:
        row = {"exchange_id": exchange_id, "liked": liked, "comment": storable(comment)}
        with self.database.work("written", f"exchange {exchange_id}") as connection:
            connection.execute(FEEDBACK.insert(), row)

    def liked(self, exchange_id: int) -> bool | None:
        """The thumb that counts: the latest one. None when none was given or it was taken back."""
        latest = sql.select(FEEDBACK.c.liked).where(FEEDBACK.c.exchange_id == exchange_id)
        with self.database.work("read") as connection:
            return connection.execute(latest.order_by(FEEDBACK.c.id.desc()).limit(1)).scalar_one_or_none()

    def hand_over(self, conversation_id: str, reason: Reason) -> int:
        """Join the queue; a conversation that waits already keeps its place."""
        mine = (HAND_OVERS.c.conversation_id == conversation_id) & HAND_OVERS.c.open
        row = sql.select(sql.literal(conversation_id), sql.literal(reason.value), sql.true(), sql.literal(now()))
        join = HAND_OVERS.insert().from_select(
            ["conversation_id", "reason", "open", "time"], row.where(~sql.exists().where(mine))
        )
        first = sql.select(sql.func.min(HAND_OVERS.c.id)).where(mine).scalar_subquery()
        claimed = sql.exists().where(CLAIMS.c.hand_over_id == HAND_OVERS.c.id)
        waits = HAND_OVERS.c.open & ~claimed & (HAND_OVERS.c.id <= first)
        place = sql.select(sql.func.count()).select_from(HAND_OVERS).where(waits)
        with self.database.work("written", f"conversation {conversation_id!r}") as connection:
            self.database.wait_for(connection, QUEUE)
            connection.execute(join)
            return connection.execute(place).scalar_one()

    def conversation(self, conversation_id: str) -> Conversation:
        opened = sql.select(CONVERSATIONS.c.language).where(CONVERSATIONS.c.id == conversation_id)
        written = sql.select(MESSAGES).where(MESSAGES.c.conversation_id == conversation_id)
        with self.database.work("read", f"conversation {conversation_id!r}") as connection:
            conversation = connection.execute(opened).one_or_none()
            said = _of(conversation_id).with_only_columns(*TURNS)  # candidates are many, and not asked for here
            exchanges = connection.execute(said).all()
            people = connection.execute(written).all()
        if conversation is None:
            raise UserError(unknown(f"conversation {conversation_id!r}"))
        turns: list[tuple[str, Turn]] = []
        for row in exchanges:
            turns.append((row.time, Turn(Role.USER, row.text)))
            turns.append(
                (row.time, Turn(Role.AGENT, row.reply, row.answer_id, (row.beside or NOTHING).get("asks")))
            )
        turns += [
            (row.time, Turn(Role.USER if row.author == CUSTOMER else Role.AGENT, row.text)) for row in people
        ]
        turns.sort(key=lambda timed: timed[0])
        language = exchanges[-1].language if exchanges else conversation.language
        return Conversation(conversation_id, tuple(turn for _, turn in turns), language)

    def exchanges(self, conversation_id: str) -> Sequence[Exchange]:
        with self.database.work("read", f"conversation {conversation_id!r}") as connection:
            rows = connection.execute(_of(conversation_id)).all()
        return [Exchange(row.text, _reply(row), row.id, datetime.fromisoformat(row.time)) for row in rows]


def moment(connection: sql.Connection, conversation_id: str) -> str:
    """When something is said in a conversation: now, but after whatever was said in it before, also where the
    clock was set back meanwhile."""
    times = (sql.select(table.c.time).where(table.c.conversation_id == conversation_id) for table in SAID)
    last = connection.execute(sql.select(sql.func.max(sql.union_all(*times).subquery().c.time))).scalar()
    return now() if last is None else max(now(), stamp(datetime.fromisoformat(last) + timedelta(microseconds=1)))


def _of(conversation_id: str) -> sql.Select[Any]:
    mine = EXCHANGES.c.conversation_id == conversation_id
    return sql.select(EXCHANGES).where(mine).order_by(EXCHANGES.c.id)


def cleaned(text: str) -> str:
    """What two questions must share to count as the same one."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded).strip(" ?!.,;:…。、")


def _evidence(candidate: Candidate) -> dict[str, str | float]:
    scores = {f.name: getattr(candidate, f.name) for f in fields(Candidate) if f.name != "pair"}
    pair = candidate.pair
    return {"pair_id": pair.id, "answer_id": pair.answer_id, "question": storable(pair.question)} | _floats(scores)


def _floats(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return {name: storable(text) for name, text in values.items()}


def _reply(row: sql.Row[Any]) -> Reply:
    beside = row.beside or NOTHING
    candidates = tuple(_candidate(values, row.language) for values in row.candidates)
    return Reply(
        row.reply,
        Decision(Action(row.action), row.confidence, Reason(row.reason), candidates),
        row.language,
        row.answer_id,
        tuple(Citation(**values) for values in beside.get("citations", ())),
        tuple(beside.get("suggestions", ())),
        row.timings,
        beside.get("asks"),
        Mood(beside.get("mood", Mood.CALM)),
        beside.get("offers_person", False),
        tuple(beside.get("also", ())),
        row.version,
    )


def _candidate(values: Mapping[str, Any], language: str) -> Candidate:
    scores = {name: value for name, value in values.items() if name not in ("pair_id", "answer_id", "question")}
    pair = QAPair(values["pair_id"], values["question"], "", values["answer_id"], language)
    return Candidate(pair, **scores)
