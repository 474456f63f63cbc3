"""What a page waits for always reaches it: Gradio's event stream, without the gap between two streams.

A page posts each event to `queue/join` and reads what becomes of it from one stream, `queue/data`, which the
server closes when nothing is left to be told. An event that is posted while the news of that is under way is
answered, but into a stream that is closed: the page, which believed it open, waits for ever. So here a stream
stays open for `LINGER` seconds more, which is when people and chained events come; and an event posted less than
`SETTLED` seconds after it was closed is acknowledged that much later, when the page knows that it has to open
another one.

In: the application around Gradio's (ASGI). Out: the same, to be put around it.
"""

import asyncio
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER = 0.25
SETTLED = 0.5
CLOSED = b'data: {"msg":"close_stream"'  # what such a message begins with
LONGEST = 2**20  # bytes of an event that are looked at


@dataclass(eq=False, slots=True)
class _Session:
    """A page's stream: an event has come, and when it was closed (seconds of the loop), if it is."""

    joined: asyncio.Event = field(default_factory=asyncio.Event)
    closed: float | None = None


class LingeringStreams:
    """ASGI middleware; made once an application, used in one event loop."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.sessions: dict[str, _Session] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.endswith("/queue/data"):
            await self._stream(scope, receive, send)
        elif path.endswith("/queue/join"):
            await self._join(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on with the stream that ends while events come, as one response."""
        name = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        session = self.sessions[name] = _Session()
        given = dict(scope)  # whoever routes it changes it, and those around this look at how it was routed
        started = False
        last: Message | None = None

        async def forward(message: Message) -> None:
            nonlocal started, last
            if message["type"] == "http.response.start":
                if not started:
                    await send(message)
                started = True
            elif message.get("body", b"").startswith(CLOSED):
                last = message
            elif message.get("body"):
                await send({**message, "more_body": True})

        try:
            while True:
                last = None
                session.joined.clear()
                scope.clear()
                scope.update(given)
                await self.app(scope, receive, forward)
                if last is None or not await _within(LINGER, session.joined, receive):
                    break
            session.closed = asyncio.get_running_loop().time()
            if last is not None:
                await send({**last, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            await asyncio.sleep(SETTLED)
        finally:
            if self.sessions.get(name) is session:
                del self.sessions[name]

    async def _join(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            if len(body) < LONGEST:
                body.extend(message.get("body", b""))
            return message

        async def acknowledge(message: Message) -> None:
            session = self.sessions.get(_session_of(body)) if message["type"] == "http.response.start" else None
            if session is not None:
                session.joined.set()
                if session.closed is not None:
                    await asyncio.sleep(session.closed + SETTLED - asyncio.get_running_loop().time())
            await send(message)

        await self.app(scope, read, acknowledge)


async def _within(seconds: float, joined: asyncio.Event, receive: Receive) -> bool:
    """Whether an event comes in time, from a page that is still there."""
    waits = [asyncio.ensure_future(joined.wait()), asyncio.ensure_future(receive())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return joined.is_set()
    finally:
        for wait in waits:
            wait.cancel()


def _session_of(body: bytearray) -> str:
    try:
        return str(json.loads(body)["session_hash"])
    except (ValueError, TypeError, KeyError):
        return ""
