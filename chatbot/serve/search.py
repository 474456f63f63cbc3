"""Candidates with their scores, batches of questions, and an evaluation: what the bot would say, and why.

Nothing is kept of what is asked here.
"""

from functools import partial
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field, StrictInt

from chatbot.access import Scope
from chatbot.domain import Action, Candidate, Conversation, HeldOutDialogue, HeldOutTurn, Reason, Reply, Role
from chatbot.serve import service
from chatbot.serve.door import At, needs
from chatbot.serve.problems import Problem
from chatbot.serve.wire import BATCH, Asked, Language, Name, Text

TURNS = 500  # scored turns of one evaluation

router = APIRouter(tags=["search"])
Searching = Annotated[At, Depends(needs(Scope.SEARCH))]
Evaluating = Annotated[At, Depends(needs(Scope.EVALUATE))]


class Question(Asked):
    question: Text
    limit: Annotated[StrictInt, Field(ge=1, le=50)] = 10


class Found(BaseModel):
    """A candidate with its evidence; a score is higher where it is better."""

    answer_id: str
    language: str
    answer: str
    question: str
    source: str
    confidence: float
    similarity: float = Field(description="Cosine of the question with the closest stored one.")
    relevance: float = Field(description="The cross-encoder's logit; 0 where it read nothing.")
    lexical: float
    score: float

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        pair = candidate.pair
        return cls(
            answer_id=pair.answer_id,
            language=pair.language,
            answer=pair.answer,
            question=pair.question,
            source=pair.source,
            confidence=candidate.confidence,
            similarity=candidate.similarity,
            relevance=candidate.relevance,
            lexical=candidate.lexical,
            score=candidate.score,
        )


class Searched(BaseModel):
    action: Action
    reason: Reason
    confidence: float
    language: str
    candidates: list[Found]
    version: str | None


class Questions(Asked):
    questions: Annotated[list[Text], Field(min_length=1, max_length=BATCH)]


class Turn(Asked):
    role: Role
    text: Text
    expected: list[Name] | None = Field(
        default=None, description="Ids of right answers; none: nothing answers it."
    )


class Dialogue(Asked):
    id: Name
    language: Language
    turns: Annotated[list[Turn], Field(min_length=1, max_length=200)]


class Dialogues(Asked):
    """Held-out dialogues; turns with `expected` are scored."""

    dialogues: Annotated[list[Dialogue], Field(min_length=1, max_length=TURNS)]


class Measured(BaseModel):
    """By the names of `metrics.json`."""

    version: str
    turns: int
    metrics: dict[str, Any]


@router.post("/search")
async def search(request: Request, at: Searching, asked: Question) -> Searched:
    """What the bot would decide on a question, with its candidates, best first."""
    reply = await service.of(request).admission.worked(lambda: at.bot.live.reply(Conversation(), asked.question))
    return _searched(reply, asked.limit)


@router.post("/answers")
async def answers(request: Request, at: Searching, asked: Questions) -> list[Searched]:
    """The same for many questions, in their order, one after the other, so that customers come in between; the
    best candidate of each."""
    reply, admitted = at.bot.live.reply, service.of(request).admission.worked
    replies = [await admitted(partial(reply, Conversation(), question)) for question in asked.questions]
    return [_searched(reply, 1) for reply in replies]


@router.post("/evaluate")
async def evaluate(request: Request, at: Evaluating, asked: Dialogues) -> Measured:
    """Replay held-out dialogues and measure what the bot says."""
    from chatbot.learn.evaluate import measures, predict, scored_turns

    ours, version = service.of(request), at.bot.live.version
    dialogues = [
        HeldOutDialogue(
            dialogue.id,
            dialogue.language,
            tuple(
                HeldOutTurn(turn.role, turn.text, None if turn.expected is None else tuple(turn.expected))
                for turn in dialogue.turns
            ),
        )
        for dialogue in asked.dialogues
    ]
    scored = scored_turns(dialogues)
    if not 0 < len(scored) <= TURNS:
        raise Problem(422, "invalid", f"/dialogues: {len(scored)} turns are scored; let it be 1 to {TURNS}.")
    predictions = [await ours.admission.worked(partial(predict, *turn, at.bot.live)) for turn in scored]
    return Measured(version=version, turns=len(scored), metrics=measures(predictions))


def _searched(reply: Reply, limit: int) -> Searched:
    decision = reply.decision
    return Searched(
        action=decision.action,
        reason=decision.reason,
        confidence=decision.confidence,
        language=reply.language,
        candidates=[Found.of(candidate) for candidate in decision.candidates[:limit]],
        version=reply.version,
    )
