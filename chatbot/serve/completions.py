"""The same bot to a client of OpenAI's: `/v1/chat/completions` and `/v1/models`, whole or streamed.

The model's name is the bot's. Earlier messages are the history, the last one of the user's is the question, and a
system message is ignored: nothing can be told to a bot that says what the company has said. Each request is kept
as a conversation of its own, or in the one that `metadata.conversation` names, with its token in `metadata.token`.
What the protocol has no place for (the decision, sources, the conversation's id) is under `chatbot`.
"""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from chatbot.access import Scope
from chatbot.desk import Message as Written
from chatbot.domain import Exchange, Role, Turn
from chatbot.serve import service
from chatbot.serve.conversations import EVENTS, PAUSE, PIECE, answer
from chatbot.serve.door import Here, concerning, digest, new_token, own, reached
from chatbot.serve.problems import Problem, unknown
from chatbot.serve.wire import LONGEST, Speaker, messages

_USER, _ASSISTANT = "user", "assistant"

router = APIRouter(tags=["OpenAI-compatible"])
Words = Annotated[str, Field(max_length=LONGEST)]


class Part(BaseModel):
    """Of a message in parts; those that are no text are refused."""

    type: Literal["text"]
    text: Words


class Said(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Words | Annotated[list[Part], Field(max_length=100)]

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


class Completion(BaseModel):
    """What else such clients send (temperature, tools, …) is passed over: it has no meaning here."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str, Field(max_length=200, description="The bot's name.")]
    messages: Annotated[list[Said], Field(min_length=1, max_length=200)]
    stream: StrictBool = False
    metadata: Annotated[dict[str, Annotated[str, Field(max_length=512)]], Field(max_length=16)] = {}


class Choice(BaseModel):
    index: int = 0
    message: dict[str, Any]
    finish_reason: Literal["stop"] = "stop"


class Usage(BaseModel):
    """None: a stored answer has no tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class Completed(BaseModel):
    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage = Usage()
    chatbot: dict[str, Any] = Field(description="The conversation and its token, the decision and its sources.")


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["chatbot"] = "chatbot"


class Models(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models")
def models(request: Request, at: Here) -> Models:
    """The bots that the caller may reach."""
    names = [name for name in service.of(request).bots if at.caller.may(Scope.CHAT, name)]
    return Models(data=[Model(id=name) for name in names])


@router.get("/models/{model}")
def one(request: Request, at: Here, model: Annotated[str, Path(max_length=200)]) -> Model:
    if all(found.id != model for found in models(request, at).data):
        raise unknown("model of that name")
    return Model(id=model)


@router.post(
    "/chat/completions",
    response_model=Completed,
    responses={200: {"content": EVENTS}},
)
async def complete(request: Request, response: Response, at: Here, asked: Completion) -> Completed | Response:
    """The bot's reply to the last message."""
    ours = service.of(request)
    at = replace(at, bot=reached(ours, at.caller, asked.model))
    ours.meter.count("messages", at.who)
    said = [one for one in asked.messages if one.role in (_USER, _ASSISTANT)]
    if not said or said[-1].role != _USER or not said[-1].text:
        raise Problem(422, "invalid", "/messages: the last one must be the user's, and not empty.")
    text, token = said[-1].text, asked.metadata.get("token", "")
    named = asked.metadata.get("conversation")
    if named is None:
        ours.meter.count("conversations", at.who)
        token = new_token()

        def done() -> tuple[str, Exchange | Written]:
            conversation = at.bot.talks.open(None, at.caller.customer, digest(token))
            turns = tuple(Turn(Role.USER if one.role == _USER else Role.AGENT, one.text) for one in said[:-1])
            return conversation, answer(at.bot, conversation, text, turns)

        conversation, entry = await ours.admission.worked(done)
    else:
        shown = replace(at, token=token or at.token)
        conversation = (await run_in_threadpool(own, request, shown, concerning(request, named))).id
        with ours.turns.of(conversation):
            entry = await ours.admission.worked(lambda: answer(at.bot, conversation, text))
    if isinstance(entry, Exchange) and entry.reply is not None:
        ours.metrics.observe(entry.reply, at.bot.name)
    message = messages(entry)[-1]
    reply = message.text if message.role is Speaker.BOT else ""  # an agent will answer, not the bot
    beside = {"conversation": conversation, "message": message.model_dump(mode="json")}
    headers = {"X-Accel-Buffering": "no"}
    if named is None:
        beside["token"] = token
        headers["Cache-Control"] = response.headers["Cache-Control"] = "no-store"
    if asked.stream:
        head = {"id": f"chatcmpl-{conversation}", "created": int(time.time()), "model": at.bot.name}
        return EventSourceResponse(_chunks(head, reply, beside), headers=headers)
    return Completed(
        id=f"chatcmpl-{conversation}",
        created=int(time.time()),
        model=at.bot.name,
        choices=[Choice(message={"role": "assistant", "content": reply, "refusal": None})],
        chatbot=beside,
    )


async def _chunks(head: Mapping[str, Any], text: str, beside: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """As the protocol streams: the role, pieces of the text, the end."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    deltas: list[dict[str, str]] = [{"role": _ASSISTANT, "content": ""}, *({"content": piece} for piece in pieces)]
    for delta in deltas:
        yield _chunk(head, {"index": 0, "delta": delta, "finish_reason": None})
        await anyio.sleep(PAUSE)
    yield _chunk({**head, "chatbot": beside}, {"index": 0, "delta": {}, "finish_reason": "stop"})
    yield format_sse_event(data_str="[DONE]")


def _chunk(head: Mapping[str, Any], choice: Mapping[str, Any]) -> bytes:
    whole = {**head, "object": "chat.completion.chunk", "choices": [choice]}
    return format_sse_event(data_str=json.dumps(whole, ensure_ascii=False))
