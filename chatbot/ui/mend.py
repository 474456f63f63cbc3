"""What an agent does about questions that the bot cannot answer, or answered wrongly. Without Gradio.

In: questions, and the answer that they shall have: a stored one, or a new one. Out: a `Draft`, compared on
held-out dialogues where there are any; then what was `Done`, which can be taken back. Who did it and when stands
in the metadata of each pair, for whoever trains a bot on it; customers do not see it.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from chatbot.check import Check
from chatbot.decide import decide
from chatbot.domain import QAPair
from chatbot.edit import LiveBot, Published
from chatbot.editor import Editor
from chatbot.errors import Taken, UserError
from chatbot.insight import revise
from chatbot.insight.changes import Plan
from chatbot.journal import SqlReviews, Verdict
from chatbot.text import clean, letters

if TYPE_CHECKING:
    from chatbot.learn.difference import Difference

OFFERED = 5  # answers
BY_ID = 3  # of them, at most, that only their id brought up
LONGEST_ID = 40


class Why(StrEnum):
    """Why something was not done."""

    NAMELESS = "nameless"
    NO_QUESTION = "no_question"
    NO_TEXT = "no_text"
    BAD_ID = "bad_id"
    TAKEN_ID = "taken_id"
    THERE_ALREADY = "there_already"
    CHANGED = "changed"
    JUDGED = "judged"


class Refused(UserError):
    """Something that an agent can mend; the page says `why` in their language."""

    def __init__(self, why: Why) -> None:
        super().__init__(f"not done: {why}")
        self.why = why


@dataclass(frozen=True, slots=True)
class Subject:
    """What an agent looks at: questions of one language. `number` and `wrong` are of an exchange whose answer was
    blamed."""

    language: str
    name: str
    provenance: str  # "added by {agent}, {day}"
    number: int | None = None
    wrong: str | None = None  # the answer that was given


@dataclass(frozen=True, slots=True)
class Offer:
    """A stored answer that may fit; scores are None where only its id was searched for."""

    answer_id: str
    question: str
    answer: str
    similarity: float | None
    confidence: float | None


@dataclass(frozen=True, eq=False, slots=True)
class Draft:
    """What is about to be published, made for a version. `difference` is None where there is nothing to compare
    on, or while it is compared."""

    subject: Subject
    answer_id: str
    plan: Plan
    version: str
    difference: "Difference | None" = None

    @property
    def harms(self) -> bool:
        """Whether a held-out turn goes wrong that was right, or a measure falls by more than chance explains."""
        found = self.difference
        return found is not None and (bool(found.worse) or any(flip[-1] == "worse" for flip in found.flips))


@dataclass(frozen=True, eq=False, slots=True)
class Done:
    """What is live, and can be taken back."""

    subject: Subject
    answer_id: str
    published: Published


@dataclass(frozen=True, eq=False, slots=True)
class Dismissed:
    """Questions that need no answer, which can be taken back."""

    subject: Subject
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mend:
    """What can be done, on a served bot, what agents look at, and a check."""

    editor: Editor
    reviews: SqlReviews
    check: Check
    publishing: threading.Lock

    @property
    def live(self) -> LiveBot:
        return self.editor.live

    @property
    def state(self) -> str:
        """Another one whenever something was published, dismissed or taken back."""
        return f"{self.live.version}, {self.reviews.dismissals()}"

    def offers(self, language: str, text: str) -> tuple[Offer, ...]:
        """Stored answers that come nearest to a text, and those whose id holds it."""
        line = self.live.lines.get(language)
        if line is None or not clean(text):
            return ()
        (found,) = line.retrieve([text])
        near = decide(found.candidates, found.judge).candidates[:OFFERED]
        offers = [
            Offer(c.pair.answer_id, c.pair.question, c.pair.answer, c.similarity, c.confidence) for c in near
        ]
        known, sought = {one.answer_id for one in offers}, clean(text).casefold()
        named = [a for a in sorted(line.table.rows.copy()) if sought in a.casefold() and a not in known][:BY_ID]
        first = {pair.answer_id: pair for pair in reversed(list(line.table.pairs.copy().values()))}
        offers += [Offer(a, first[a].question, first[a].answer, None, None) for a in named if a in first]
        return tuple(offers)

    def fresh_id(self, name: str) -> str:
        """An id for a new answer, of the words of `name`, that no answer has."""
        words = re.sub(r"\W+", "_", clean(name).casefold())[:LONGEST_ID].strip("_")
        taken = {pair.answer_id for pair in self.live.pairs()}
        numbered = (f"{words}_{number}" for number in range(2, len(taken) + 3))
        return next(one for one in (words, *numbered) if one not in taken)

    def to_answer(self, subject: Subject, questions: Sequence[str], answer_id: str, agent: str) -> Draft:
        """More questions for a stored answer. Where the answer that was given to one of them has it as a question,
        too, it is moved. Raises Refused."""
        agent, asked = self._checked(subject, questions, agent)
        version, live = self.live.version, self.live.pairs()
        if not any((p.answer_id, p.language) == (answer_id, subject.language) for p in live):
            raise Refused(Why.CHANGED)
        plan = revise.add_questions(live, answer_id, asked, _provenance(subject, agent), subject.language)
        moved = () if answer_id == subject.wrong else _of_the_wrong_one(live, subject, asked)
        if not plan and not moved:
            raise Refused(Why.THERE_ALREADY)
        return Draft(subject, answer_id, Plan(moved, plan.added), version)

    def new_answer(
        self, subject: Subject, questions: Sequence[str], answer_id: str, text: str, agent: str
    ) -> Draft:
        """A new answer with these questions. Raises Refused."""
        agent, asked = self._checked(subject, questions, agent)
        version, live, answer_id = self.live.version, self.live.pairs(), clean(answer_id)
        if not clean(text):
            raise Refused(Why.NO_TEXT)
        if not answer_id or "|" in answer_id:
            raise Refused(Why.BAD_ID)
        if any(pair.answer_id == answer_id for pair in live):
            raise Refused(Why.TAKEN_ID)
        provenance = _provenance(subject, agent)
        plan = revise.add_answer(live, answer_id, text.strip(), asked, provenance, subject.language)
        return Draft(subject, answer_id, Plan(_of_the_wrong_one(live, subject, asked), plan.added), version)

    def compared(self, draft: Draft) -> "Iterator[float | Draft]":
        """Shares of the work from 0 to 1, then the draft with its difference."""
        for step in self.check.run(draft.plan):
            yield step if isinstance(step, float) else replace(draft, difference=step)

    def publish(self, draft: Draft, agent: str) -> Done:
        """Raises Refused where something else was published since the draft was made, or another agent has judged
        the answer; else as `LiveBot.publish`."""
        agent = _named(agent)
        with self.publishing:
            if self.live.version != draft.version:
                raise Refused(Why.CHANGED)
            if self._judged(draft.subject.number):
                raise Refused(Why.JUDGED)
            published = Published(draft.plan, self._published(draft, agent), draft.version)
            self._review(draft.subject, Verdict.CORRECTED, agent, draft.answer_id)
        return Done(draft.subject, draft.answer_id, published)

    def dismiss(self, subject: Subject, questions: Sequence[str], agent: str) -> Dismissed:
        """Keep that these questions need no answer. Raises Refused."""
        agent, asked = self._checked(subject, questions, agent)
        self.reviews.dismiss(asked, subject.language, agent)
        return Dismissed(subject, tuple(asked))

    def take_back(self, done: Done | Dismissed, agent: str) -> None:
        """Raises as `LiveBot.take_back`."""
        agent = _named(agent)
        if isinstance(done, Dismissed):
            self.reviews.dismiss(done.questions, done.subject.language, agent, dismissed=False)
            return
        with self.publishing:
            self.editor.take_back(done.published, agent)
            self._review(done.subject, Verdict.REOPENED, agent, None)

    def _published(self, draft: Draft, agent: str) -> str:
        return self.editor.publish(draft.plan, agent, _provenance(draft.subject, agent), draft.version)

    def was_right(self, subject: Subject, agent: str) -> None:
        """The answer that was given stays. Raises Refused where another agent has judged it."""
        self._review(subject, Verdict.RIGHT, _named(agent), None)

    def _review(self, subject: Subject, verdict: Verdict, agent: str, answer_id: str | None) -> None:
        if subject.number is None:
            return
        try:
            self.reviews.review(subject.number, verdict, agent, answer_id)
        except Taken as cause:
            raise Refused(Why.JUDGED) from cause

    def _judged(self, number: int | None) -> bool:
        there = () if number is None else self.reviews.verdicts(number)
        return bool(there) and there[-1][0] is not Verdict.REOPENED

    def _checked(self, subject: Subject, questions: Sequence[str], agent: str) -> tuple[str, list[str]]:
        agent, asked = _named(agent), [question for question in questions if clean(question)]
        if not asked:
            raise Refused(Why.NO_QUESTION)
        if self._judged(subject.number):
            raise Refused(Why.JUDGED)
        return agent, asked


def _named(agent: str) -> str:
    if not agent.strip():
        raise Refused(Why.NAMELESS)
    return agent.strip()


def _provenance(subject: Subject, agent: str) -> str:
    return subject.provenance.format(agent=agent, day=datetime.now(UTC).date().isoformat())


def _of_the_wrong_one(live: Sequence[QAPair], subject: Subject, questions: Sequence[str]) -> tuple[QAPair, ...]:
    """The pairs that say that the wrong answer answers one of these questions; none where it has no others, for
    then it would be gone."""
    own = [p for p in live if (p.answer_id, p.language) == (subject.wrong, subject.language)]
    asked = {letters(question) for question in questions}
    same = tuple(pair for pair in own if letters(pair.question) in asked)
    return same if len(same) < len(own) else ()
