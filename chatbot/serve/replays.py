"""A write that is sent twice is done once: `Idempotency-Key` on any POST, PUT or DELETE under /v1.

In: requests with that header. Out: the first answer again, for a day, to whoever sends the same request with the
same key; a Problem where the same key comes with another request, or while the first is still under way. Not kept
are refusals (4xx, 5xx), after which the same key may come again, and answers with a secret (`no-store`). Of a
stream its last event is kept, which holds all of it, also where the caller left before that; and of personal data
a placeholder. It stands around the application, so that no route has to know; who calls, and how often, is asked
before anything is looked up.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.errors import Busy, Unavailable, trace
from chatbot.journal import Replay, SqlReplays
from chatbot.serve import problems
from chatbot.serve.problems import Problem

logger = logging.getLogger(__name__)

HEADER = b"idempotency-key"
METHODS = ("POST", "PUT", "PATCH", "DELETE")
LONGEST = 200  # characters of a key
KEPT = (b"content-type", b"content-disposition")  # headers that are answered again


class Replayed:
    """An ASGI application before which such requests wait. `replays` are those of each bot, the first one's where
    a request names none, beside the conversations they go with; `masked` takes personal data out of a text,
    `let_in` raises what `door.known` does."""

    def __init__(
        self,
        app: ASGIApp,
        replays: Mapping[str, SqlReplays],
        masked: Callable[[str], str],
        let_in: Callable[[Request], object],
        under: str = "/v1/",
    ) -> None:
        self.app, self.replays, self.masked, self.let_in, self.under = app, replays, masked, let_in, under

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in METHODS or not scope["path"].startswith(self.under):
            return await self.app(scope, receive, send)
        headers = dict(scope["headers"])
        key = headers.get(HEADER)
        if key is None:
            return await self.app(scope, receive, send)
        try:
            await self._once(key.decode("latin-1"), headers, scope, receive, send)
        except (Problem, Busy) as problem:
            await problems.response(problems.of(problem))(scope, receive, send)
        except Unavailable as failure:
            logger.error("A replay could not be looked up:\n%s", trace(failure))
            await problems.response(problems.of(failure))(scope, receive, send)

    async def _once(
        self, key: str, headers: Mapping[bytes, bytes], scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not 0 < len(key) <= LONGEST or not key.isprintable():
            raise Problem(
                422, "invalid", f"Idempotency-Key: let it be 1 to {LONGEST} characters that can be printed."
            )
        request = Request(scope)
        await run_in_threadpool(self.let_in, request)
        body = await _read(receive)
        caller = _digest(headers.get(b"authorization", b""))
        asked = _digest(
            b"\n".join((scope["method"].encode(), scope["path"].encode(), scope["query_string"], body))
        )
        replays = self.replays.get(_bot(request, body)) or next(iter(self.replays.values()))
        kept = await run_in_threadpool(replays.begin, caller, key, asked)
        if kept is not None:
            if kept.request != asked:
                raise Problem(422, "key-reused", "Idempotency-Key: it came with another request before.")
            if kept.status is None:
                raise Problem(409, "under-way", "The same request is being worked on.", {"Retry-After": "1"})
            return await _answer(kept.status, kept.headers, kept.body.encode(), send)
        answered = _Answer(send)
        try:
            await self.app(scope, _again(body), answered)
        finally:
            try:
                if answered.may_be_kept:
                    replay = Replay(asked, answered.status, answered.headers, self._kept(bytes(answered.body)))
                    about = getattr(request.state, "conversation", None)
                    await run_in_threadpool(replays.finish, caller, key, replay, about)
                else:
                    await run_in_threadpool(replays.forget, caller, key)
            except Unavailable as failure:  # what was done stays done, and is told
                logger.error("A replay could not be kept:\n%s", trace(failure))
            await answered.end()
        return None

    def _kept(self, body: bytes) -> str:
        """An answer's text, or a stream's last event, without personal data."""
        text = body.decode("utf-8", "replace")
        if text.startswith(("event:", "data:")):
            *_, last = text.rstrip().split("\n\n")
            head, _, data = last.partition("data: ")
            return f"{head}data: {self._masked(data)}\n\n"
        return self._masked(text)

    def _masked(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return self.masked(text)
        return json.dumps(_everywhere(value, self.masked), ensure_ascii=False)


class _Answer:
    """Passes an answer on, and remembers it. Its last part waits for `end`: who has the whole answer may rely on
    its being given again, whatever becomes of this process."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.status, self.headers, self.body, self.done = 500, dict[str, str](), bytearray(), False
        self.secret = False
        self._held: list[Message] = []

    @property
    def may_be_kept(self) -> bool:
        return self.done and not self.secret and self.status < 400

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            found = {name: value for name, value in message["headers"] if name in KEPT}
            self.secret = (b"cache-control", b"no-store") in message["headers"]
            self.headers = {name.decode(): value.decode("latin-1") for name, value in found.items()}
        if message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            self.done = not message.get("more_body", False)
            if message.get("body", b""):
                await self.end()  # a part that has another one after it
            self._held.append(message)
        else:
            await self.send(message)

    async def end(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self.send(message)


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)


def _again(body: bytes) -> Receive:
    """The body that was read, for the application, and nothing else: it goes on to the end of its answer, which is
    what the caller will want who left and comes again."""
    given = False

    async def first() -> Message:
        nonlocal given
        if given:
            await anyio.sleep_forever()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return first


async def _answer(status: int, headers: Mapping[str, str], body: bytes, send: Send) -> None:
    told = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    told += [(b"idempotent-replayed", b"true"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bot(request: Request, body: bytes) -> str:
    """As the query names it; in the body, where it is a client of OpenAI's."""
    if not request.url.path.endswith("/chat/completions"):
        return request.query_params.get("bot", "")
    with suppress(ValueError, AttributeError):
        return str(json.loads(body).get("model"))
    return ""


def _everywhere(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts changed."""
    match value:
        case str():
            return change(value)
        case list():
            return [_everywhere(one, change) for one in value]
        case dict():
            return {name: _everywhere(one, change) for name, one in value.items()}
    return value
