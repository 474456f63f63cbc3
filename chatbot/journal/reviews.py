"""What agents look at again: questions that got no answer, and answers that customers did not like.

In: the database of a SqlJournal. Out: `Unanswered` questions by the hour, `Blamed` answers, and what agents made
of them: `dismiss` keeps that a question needs no answer, `review` what became of a blamed one. Both are only ever
added, and the latest counts. A review is the next one of its exchange: of two agents who review the same answer at
once one is told that the other was faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sql
from sqlalchemy.exc import IntegrityError

from chatbot.domain import Action, Reason
from chatbot.errors import Taken
from chatbot.journal.database import Database, storable
from chatbot.journal.records import cleaned
from chatbot.journal.schema import DISMISSALS, EXCHANGES, FEEDBACK, REVIEWS

HOUR = len("2026-01-31T09")  # characters of a time


class Verdict(StrEnum):
    """What an agent made of an answer that a customer did not like."""

    RIGHT = "right"  # nothing was wrong with it
    CORRECTED = "corrected"  # the question has another answer from now on
    REOPENED = "reopened"  # a verdict was taken back


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that the bot could not answer: as it was last typed, when (UTC), how often within that hour, and
    in which language."""

    text: str
    language: str
    time: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Blamed:
    """An exchange whose latest thumb is down, the latest comment on it, and when it was blamed (UTC)."""

    number: int
    conversation_id: str
    question: str
    answer: str
    answer_id: str | None
    language: str
    comment: str
    time: datetime


class SqlReviews:
    """On the database of a SqlJournal. A database that fails is Unavailable."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def unanswered(self, since: datetime | None = None, limit: int = 20_000) -> list[Unanswered]:
        """Questions that were clarified or handed over because no answer was sure enough, newest first; without
        the dismissed ones. The same words in another case, width, spacing or end punctuation are one question of
        an hour."""
        unsure = EXCHANGES.c.action.in_([Action.CLARIFY, Action.HAND_OVER]) & EXCHANGES.c.reason.in_(
            [Reason.AMBIGUOUS, Reason.UNSURE, Reason.UPSET]
        )
        same = (DISMISSALS.c.cleaned == EXCHANGES.c.cleaned) & (DISMISSALS.c.language == EXCHANGES.c.language)
        latest = sql.select(DISMISSALS.c.dismissed).where(same).order_by(DISMISSALS.c.id.desc()).limit(1)
        unsure &= ~sql.func.coalesce(latest.scalar_subquery(), sql.false())
        if since is not None:
            unsure &= EXCHANGES.c.time >= since.isoformat(timespec="microseconds")
        last, count = sql.func.max(EXCHANGES.c.id).label("last"), sql.func.count().label("count")
        hour = sql.func.substr(EXCHANGES.c.time, 1, HOUR)
        asked = sql.select(last, count).where(unsure).group_by(EXCHANGES.c.cleaned, EXCHANGES.c.language, hour)
        group = asked.order_by(last.desc()).limit(limit).subquery()
        rows = sql.select(EXCHANGES.c.text, EXCHANGES.c.language, EXCHANGES.c.time, group.c["count"]).join(
            group, group.c.last == EXCHANGES.c.id
        )
        with self.database.work("read") as connection:
            found = connection.execute(rows.order_by(EXCHANGES.c.id.desc())).all()
        return [Unanswered(text, language, datetime.fromisoformat(time), n) for text, language, time, n in found]

    def dismiss(self, questions: Sequence[str], language: str, agent: str, dismissed: bool = True) -> None:
        """Keep that questions need no answer, whoever asks them, or (`dismissed` no) that they do need one."""
        texts = sorted({cleaned(storable(question)) for question in questions})
        said = {"language": language, "dismissed": dismissed, "agent": storable(agent)}
        with self.database.work("written") as connection:
            connection.execute(DISMISSALS.insert(), [{"cleaned": text, **said} for text in texts])

    def dismissals(self) -> int:
        """How many times a question was dismissed or taken back."""
        with self.database.work("read") as connection:
            return connection.execute(sql.select(sql.func.count()).select_from(DISMISSALS)).scalar_one()

    def blamed(self, limit: int = 100) -> list[Blamed]:
        """Exchanges whose latest thumb is down and that no agent has judged since, most recently blamed first."""
        thumb, reviewed = FEEDBACK.alias(), REVIEWS.alias()
        latest = sql.select(sql.func.max(FEEDBACK.c.id)).group_by(FEEDBACK.c.exchange_id)
        newest = sql.select(sql.func.max(REVIEWS.c.id)).group_by(REVIEWS.c.exchange_id)
        judged = sql.select(reviewed.c.exchange_id).where(
            reviewed.c.id.in_(newest), reviewed.c.verdict != Verdict.REOPENED
        )
        rows = (
            sql.select(EXCHANGES, thumb.c.comment, thumb.c.time.label("blamed"))
            .join(thumb, thumb.c.exchange_id == EXCHANGES.c.id)
            .where(thumb.c.id.in_(latest), thumb.c.liked.is_(sql.false()), EXCHANGES.c.id.not_in(judged))
        )
        with self.database.work("read") as connection:
            found = connection.execute(rows.order_by(thumb.c.id.desc()).limit(limit)).all()
        return [
            Blamed(
                row.id,
                row.conversation_id,
                row.text,
                row.reply,
                row.answer_id,
                row.language,
                row.comment,
                datetime.fromisoformat(row.blamed),
            )
            for row in found
        ]

    def verdicts(self, exchange_id: int) -> Sequence[tuple[Verdict, str]]:
        """All that agents made of an exchange, with their names, oldest first."""
        rows = sql.select(REVIEWS.c.verdict, REVIEWS.c.agent).where(REVIEWS.c.exchange_id == exchange_id)
        with self.database.work("read") as connection:
            found = connection.execute(rows.order_by(REVIEWS.c.place)).all()
        return [(Verdict(verdict), agent) for verdict, agent in found]

    def review(self, exchange_id: int, verdict: Verdict, agent: str, answer_id: str | None = None) -> None:
        """Keep a verdict; `answer_id` is the right answer where there is another one. Raises Taken where another
        agent has judged it already (or, to reopen it, nobody has), UserError for an unknown exchange."""
        there = self.verdicts(exchange_id)
        judged = bool(there) and there[-1][0] is not Verdict.REOPENED
        if judged is not (verdict is Verdict.REOPENED):
            raise Taken(f"{there[-1][1] if there else 'nobody'} has judged this answer already")
        row = {
            "exchange_id": exchange_id,
            "place": len(there) + 1,
            "verdict": verdict.value,
            "agent": storable(agent),
            "answer_id": answer_id,
        }
        with self.database.work("written", f"exchange {exchange_id}") as connection:
            try:
                with connection.begin_nested():
                    connection.execute(REVIEWS.insert(), row)
            except IntegrityError as cause:
                if len(self.verdicts(exchange_id)) > len(there):
                    raise Taken("another agent has judged this answer a moment ago") from cause
                raise
