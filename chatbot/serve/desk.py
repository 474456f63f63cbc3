"""Agents: hand-overs that are open, claimed, answered and closed. What an agent's own page does, by the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from chatbot.access import Scope
from chatbot.desk import Author, Case, Outcome
from chatbot.serve.cursor import Limit, Page, Start, page
from chatbot.serve.door import At, ConversationId, needs
from chatbot.serve.problems import Problem, unknown
from chatbot.serve.wire import Close, Message, Waiting, Wrote

router = APIRouter(prefix="/hand-overs", tags=["desk"])
Agent = Annotated[At, Depends(needs(Scope.DESK))]


@router.get("")
def waiting(at: Agent, limit: Limit = 50, cursor: Start = None) -> Page[Waiting]:
    """All that are open, oldest first."""
    return page(at.bot.desk.cases(), _key, cursor, limit, Waiting.of)


@router.post("/{conversation}/claim")
def claim(at: Agent, conversation: ConversationId) -> Waiting:
    """Take one; 409 where another agent has it."""
    _open(at, conversation)
    return Waiting.of(at.bot.desk.claim(conversation, at.caller.name))


@router.post("/{conversation}/release")
def release(at: Agent, conversation: ConversationId) -> Waiting:
    """Put one back into the queue, at the place that it had."""
    _open(at, conversation)
    at.bot.desk.release(conversation, at.caller.name)
    return Waiting.of(_open(at, conversation))


@router.post("/{conversation}/messages", status_code=status.HTTP_201_CREATED)
def write(at: Agent, conversation: ConversationId, asked: Wrote) -> Message:
    """Write to the customer; only who has claimed it may."""
    if _open(at, conversation).agent != at.caller.name:
        raise Problem(409, "taken", "Claim this hand-over first: another agent has it, or nobody.")
    return Message.written(at.bot.desk.say(conversation, Author.AGENT, asked.text, at.caller.name))


@router.post("/{conversation}/close", status_code=status.HTTP_204_NO_CONTENT)
def close(at: Agent, conversation: ConversationId, asked: Close) -> None:
    """Resolved, or handed back to the bot."""
    _open(at, conversation)
    at.bot.desk.close(conversation, Outcome(asked.outcome), at.caller.name)


def _open(at: At, conversation: str) -> Case:
    case = at.bot.desk.case(conversation)
    if case is None:
        raise unknown("open hand-over of that conversation")
    return case


def _key(case: Case) -> tuple[str, str]:
    return case.since.isoformat(), case.conversation_id
