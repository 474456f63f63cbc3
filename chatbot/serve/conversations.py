"""Customers: begin a conversation, say something, have it streamed, judge an answer, ask for a person.

What is answered is kept first: a reply that arrives was on disk before it was sent. While an agent has the
conversation the bot is quiet, and what the customer says is a message to the agent.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import anyio
from fastapi import APIRouter, Path, Query, Request, Response, status
from fastapi.sse import EventSourceResponse, format_sse_event

from chatbot.access import Scope
from chatbot.desk import Author, Outcome
from chatbot.desk import Message as Written
from chatbot.domain import Action, Exchange, Reason, Turn
from chatbot.serve import service
from chatbot.serve.bots import Served
from chatbot.serve.cursor import Limit, Page, Start, named, page
from chatbot.serve.door import Here, Mine, digest, new_token
from chatbot.serve.problems import Problem, Responses, unknown
from chatbot.serve.wire import (
    AskForPerson,
    Begin,
    Begun,
    Delta,
    Judgement,
    Listed,
    Message,
    Name,
    Say,
    Standing,
    messages,
)

PIECE = 24  # characters of a streamed delta
PAUSE = 0.02  # seconds between two
EVENT = {"type": "object", "properties": {name: {"type": "string"} for name in ("event", "data")}}
EVENTS = {"text/event-stream": {"itemSchema": EVENT}}
STREAM: Responses = {
    status.HTTP_201_CREATED: {
        "description": "The reply; with `stream`, events: `delta` {text}, then `message`, which is the same.",
        "content": EVENTS,
    }
}

router = APIRouter(prefix="/conversations", tags=["conversations"])


@router.post("", status_code=status.HTTP_201_CREATED)
def begin(request: Request, response: Response, at: Here, asked: Begin) -> Begun:
    """Begin a conversation. Its token is shown once; keep it."""
    customer = at.caller.customer
    if asked.customer is not None and asked.customer != customer:
        if not at.caller.name:
            raise Problem(403, "forbidden", "Only with a key may a customer be named; a customer signs in.")
        customer = asked.customer
    service.of(request).meter.count("conversations", at.who)
    token = new_token()
    opened = at.bot.talks.open(asked.language, customer, digest(token))
    response.headers["Cache-Control"] = "no-store"
    return Begun(id=opened, token=token, bot=at.bot.name)


@router.get("")
def listed(
    at: Here,
    customer: Annotated[Name | None, Query(description="Whose; a customer's session sees its own only.")] = None,
    limit: Limit = 50,
    cursor: Start = None,
) -> Page[Listed]:
    """Conversations, oldest first: one's own, or with the scope `history` everybody's."""
    whose = customer if at.caller.may(Scope.HISTORY, at.bot.name) else at.caller.customer
    if whose is None and not at.caller.may(Scope.HISTORY, at.bot.name):
        raise Problem(403, "forbidden", "Only a customer's session, or a key with the scope history, lists them.")
    after = None if cursor is None else named(cursor)
    began = at.bot.journal.opened(whose, after, limit + 1)
    return page(began, lambda one: (one.time.isoformat(timespec="microseconds"), one.id), None, limit, Listed.of)


@router.get("/{conversation}")
def standing(own: Mine) -> Standing:
    """How a conversation stands: with the bot, waiting for a person, or with one."""
    return _standing(own.bot, own.id)


@router.get("/{conversation}/messages")
def history(own: Mine, limit: Limit = 50, cursor: Start = None) -> Page[Message]:
    """What was said, oldest first. A cursor stays good: ask with the last one for what is new."""
    said = enumerate(one for entry in _entries(own.bot, own.id) for one in messages(entry))
    return page(list(said), lambda numbered: (numbered[0],), cursor, limit, lambda numbered: numbered[1])


@router.post(
    "/{conversation}/messages", status_code=status.HTTP_201_CREATED, response_model=Message, responses=STREAM
)
async def say(request: Request, own: Mine, asked: Say) -> Message | Response:
    """Say something; the bot's reply. Where an agent has the conversation, what was said comes back as it was
    kept, and the agent's reply is among the messages once it is written."""
    ours = service.of(request)
    ours.meter.count("messages", own.at.who)
    with ours.turns.of(own.id):
        entry = await ours.admission.worked(lambda: answer(own.bot, own.id, asked.text))
    if isinstance(entry, Exchange) and entry.reply is not None:
        ours.metrics.observe(entry.reply, own.bot.name)
    reply = messages(entry)[-1]
    if asked.stream:
        return EventSourceResponse(_streamed(reply), status.HTTP_201_CREATED, {"X-Accel-Buffering": "no"})
    return reply


@router.put("/{conversation}/messages/{exchange}/feedback", status_code=status.HTTP_204_NO_CONTENT)
def judge(own: Mine, exchange: Annotated[int, Path(ge=0, lt=2**31)], asked: Judgement) -> None:
    """A thumb for an answer: up, down, or taken back (null)."""
    if all(one.number != exchange for one in own.bot.journal.exchanges(own.id)):
        raise unknown("exchange of that number in this conversation")
    own.bot.talks.feedback(exchange, asked.liked, asked.comment)


@router.post("/{conversation}/hand-over", status_code=status.HTTP_201_CREATED)
def hand_over(own: Mine, asked: AskForPerson) -> Standing:
    """Ask for a person. Who waits already keeps the place, and may leave a contact."""
    own.bot.talks.hand_over(own.id, Reason.ASKED_FOR_PERSON)
    if asked.contact.strip():
        own.bot.desk.leave_contact(own.id, asked.contact.strip())
    return _standing(own.bot, own.id)


@router.delete("/{conversation}/hand-over")
def withdraw(own: Mine) -> Standing:
    """Wait for a person no longer: the bot answers again."""
    if own.bot.desk.case(own.id) is None:
        raise unknown("hand-over of this conversation that is open")
    own.bot.desk.close(own.id, Outcome.WITHDRAWN)
    return _standing(own.bot, own.id)


def answer(bot: Served, conversation: str, text: str, before: tuple[Turn, ...] = ()) -> Exchange | Written:
    """What comes of a message, kept; `before` was said elsewhere. Raises what the bot and the journal raise."""
    if _is_with_an_agent(bot, conversation):
        return bot.desk.say(conversation, Author.CUSTOMER, text)
    said = bot.talks.conversation(conversation)
    reply = bot.live.reply(replace(said, turns=(*before, *said.turns)), text)
    if _is_with_an_agent(bot, conversation):  # since a moment ago
        return bot.desk.say(conversation, Author.CUSTOMER, text)
    number = bot.talks.record(conversation, text, reply)
    if reply.decision.action is Action.HAND_OVER:
        bot.talks.hand_over(conversation, reply.decision.reason)
    return Exchange(text, reply, number, datetime.now(UTC))


def _is_with_an_agent(bot: Served, conversation: str) -> bool:
    case = bot.desk.case(conversation)
    return case is not None and case.agent is not None


def _entries(bot: Served, conversation: str) -> list[Exchange | Written]:
    said = (*bot.talks.exchanges(conversation), *bot.desk.messages(conversation))
    return sorted(said, key=lambda entry: entry.time)  # type: ignore[arg-type, return-value]  # all kept


def _standing(bot: Served, conversation: str) -> Standing:
    case = bot.desk.case(conversation)
    wait = None if case is None else bot.desk.usual_wait()
    return Standing.of(conversation, bot.talks.conversation(conversation).language, case, wait)


async def _streamed(message: Message) -> AsyncIterator[bytes]:
    """The text piece by piece, then all of it. The answer is stored and chosen, not made: it is known by now."""
    for start in range(0, len(message.text), PIECE):
        piece = Delta(text=message.text[start : start + PIECE])
        yield format_sse_event(event="delta", data_str=piece.model_dump_json())
        await anyio.sleep(PAUSE)
    yield format_sse_event(event="message", data_str=message.model_dump_json())
