"""Hand-overs as agents work on them: a `desk.Desk`."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from chatbot.desk import Author, Case, Message, Outcome
from chatbot.domain import Reason
from chatbot.errors import Taken, UserError
from chatbot.journal.database import Database, storable
from chatbot.journal.records import moment
from chatbot.journal.schema import CLAIMS, CLOSINGS, CONTACTS, CONVERSATIONS, EXCHANGES, HAND_OVERS, MESSAGES

OF_LATE = 50  # cases whose wait tells what is usual


class SqlDesk:
    """On the database of a SqlJournal."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def cases(self) -> Sequence[Case]:
        with self.database.work("read") as connection:
            rows = connection.execute(_open_cases()).all()
        return _placed(rows)

    def case(self, conversation_id: str) -> Case | None:
        """Its place is counted, so that a long queue costs its customers nothing."""
        mine = HAND_OVERS.c.conversation_id == conversation_id
        claimed = sql.exists().where(CLAIMS.c.hand_over_id == HAND_OVERS.c.id)
        with self.database.work("read") as connection:
            row = connection.execute(_open_cases().where(mine)).first()
            if row is None:
                return None
            before = HAND_OVERS.c.open & (HAND_OVERS.c.id < row.id) & ~claimed
            waiting = connection.execute(
                sql.select(sql.func.count()).select_from(HAND_OVERS).where(before)
            ).scalar_one()
        (case,) = _placed([row], waiting)
        return case

    def claim(self, conversation_id: str, agent: str) -> Case:
        with self.database.work("written") as connection:
            number = self._mine(connection, conversation_id, agent)
            try:
                with connection.begin_nested():
                    connection.execute(CLAIMS.insert().values(hand_over_id=number, agent=storable(agent)))
            except IntegrityError:  # claimed already: by this agent, or by another one a moment ago
                self._mine(connection, conversation_id, agent)
        found = self.case(conversation_id)
        if found is None:
            raise UserError(_no_case(conversation_id))
        return found

    def release(self, conversation_id: str, agent: str) -> None:
        with self.database.work("written") as connection:
            number = self._mine(connection, conversation_id, agent)
            connection.execute(CLAIMS.delete().where(CLAIMS.c.hand_over_id == number))

    def close(self, conversation_id: str, outcome: Outcome, agent: str = "") -> None:
        with self.database.work("written") as connection:
            number = self._mine(connection, conversation_id, agent if outcome is not Outcome.WITHDRAWN else None)
            row = {"hand_over_id": number, "outcome": outcome.value, "agent": storable(agent)}
            connection.execute(CLOSINGS.insert(), row)
            connection.execute(HAND_OVERS.update().where(HAND_OVERS.c.id == number).values(open=False))

    def say(self, conversation_id: str, author: Author, text: str, name: str = "") -> Message:
        row = {"author": author.value, "text": storable(text), "name": storable(name)}
        with self.database.work("written", f"conversation {conversation_id!r}") as connection:
            row["time"] = moment(connection, conversation_id)
            connection.execute(MESSAGES.insert(), {"conversation_id": conversation_id} | row)
        return Message(author, row["text"], datetime.fromisoformat(row["time"]), row["name"])

    def leave_contact(self, conversation_id: str, contact: str) -> None:
        with self.database.work("written") as connection:
            number = self._mine(connection, conversation_id, None)
            connection.execute(CONTACTS.insert(), {"hand_over_id": number, "contact": storable(contact)})

    def messages(self, conversation_id: str) -> Sequence[Message]:
        written = sql.select(MESSAGES).where(MESSAGES.c.conversation_id == conversation_id)
        with self.database.work("read") as connection:
            rows = connection.execute(written.order_by(MESSAGES.c.id)).all()
        return [Message(Author(row.author), row.text, datetime.fromisoformat(row.time), row.name) for row in rows]

    def usual_wait(self) -> float | None:
        times = sql.select(HAND_OVERS.c.time.label("asked"), CLAIMS.c.time.label("came")).join_from(
            CLAIMS, HAND_OVERS
        )
        with self.database.work("read") as connection:
            rows = connection.execute(times.order_by(CLAIMS.c.id.desc()).limit(OF_LATE)).all()
        waits = [
            (datetime.fromisoformat(came) - datetime.fromisoformat(asked)).total_seconds() for asked, came in rows
        ]
        return median(waits) if waits else None

    def _mine(self, connection: sql.Connection, conversation_id: str, agent: str | None) -> int:
        """The number of an open case that no other agent holds; of any open case where `agent` is None. Until the
        end of the transaction nobody else closes it."""
        mine = HAND_OVERS.c.open & (HAND_OVERS.c.conversation_id == conversation_id)
        connection.execute(sql.select(HAND_OVERS.c.id).where(mine).with_for_update())
        asked = sql.select(HAND_OVERS.c.id, CLAIMS.c.agent).join_from(HAND_OVERS, CLAIMS, isouter=True)
        row = connection.execute(asked.where(mine)).first()
        if row is None:
            raise UserError(_no_case(conversation_id))
        if agent is not None and row.agent not in (None, storable(agent)):
            raise Taken(f"{row.agent} has this conversation already")
        return int(row.id)


def _open_cases() -> sql.Select[Any]:
    """Rows of open hand-overs, oldest first, with the latest contact and the customer's latest words."""
    contact = sql.select(CONTACTS.c.contact).where(CONTACTS.c.hand_over_id == HAND_OVERS.c.id)
    asked = sql.select(EXCHANGES.c.text).where(EXCHANGES.c.conversation_id == HAND_OVERS.c.conversation_id)
    wrote = sql.select(MESSAGES.c.text).where(
        MESSAGES.c.conversation_id == HAND_OVERS.c.conversation_id, MESSAGES.c.author == Author.CUSTOMER.value
    )
    return (
        sql.select(
            HAND_OVERS,
            CLAIMS.c.agent,
            CONVERSATIONS.c.language,
            contact.order_by(CONTACTS.c.id.desc()).limit(1).scalar_subquery().label("contact"),
            asked.order_by(EXCHANGES.c.id.desc()).limit(1).scalar_subquery().label("asked"),
            wrote.order_by(MESSAGES.c.id.desc()).limit(1).scalar_subquery().label("wrote"),
        )
        .join_from(HAND_OVERS, CONVERSATIONS)
        .join(CLAIMS, isouter=True)
        .where(HAND_OVERS.c.open)
        .order_by(HAND_OVERS.c.id)
    )


def _placed(rows: Sequence[Any], before: int = 0) -> list[Case]:
    """Those that wait are counted, from so many `before` them on; a claimed one has the place 0."""
    cases, place = [], before
    for row in rows:
        place += row.agent is None
        cases.append(
            Case(
                row.conversation_id,
                Reason(row.reason),
                datetime.fromisoformat(row.time),
                place if row.agent is None else 0,
                row.agent,
                row.contact or "",
                row.language,
                row.wrote or row.asked or "",
            )
        )
    return cases


def _no_case(conversation_id: str) -> str:
    return f"conversation {conversation_id!r} waits for nobody: it was closed, or never handed over"
