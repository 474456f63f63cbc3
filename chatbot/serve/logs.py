"""What a service logs, and how: lines of text, or JSON, one object a line, for whatever collects logs.

In: CHATBOT_LOG (a level), CHATBOT_LOG_FORMAT (text or json), and requests (the middleware `Identified`). Out:
lines on standard error. Each line that is logged while a request is answered has its id, from whichever thread, so
that one customer's trouble can be followed from the X-Request-ID in the response.

No line holds what a customer wrote: of a request its route's template, without path and query; of an error where
it came from and of which kind it is, without its message (errors.trace).
"""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from chatbot.errors import SettingsError, trace
from chatbot.serve import routes

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEVEL, FORMAT = "CHATBOT_LOG", "CHATBOT_LOG_FORMAT"
HEADER = b"x-request-id"
GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ASIDE = ("route", "status", "ms")  # what a record may bring beside its message
NOISY = ("httpx", "httpx2", "sentence_transformers", "transformers", "faiss", "matplotlib", "alembic")

access = logging.getLogger("chatbot.access")


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


@dataclass(slots=True)
class Request:
    """What log lines say of the request that they belong to; whoever finds out which bot it is for sets `bot`."""

    id: str
    bot: str = ""


REQUEST: ContextVar[Request | None] = ContextVar("request", default=None)


def set_up(environment: Mapping[str, str]) -> None:
    """Have everything logged to standard error. Raises SettingsError."""
    level, wanted = environment.get(LEVEL, "info"), environment.get(FORMAT, Format.TEXT)
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise SettingsError(f"{LEVEL} is {level!r}; set it to debug, info, warning or error")
    if wanted not in list(Format):
        raise SettingsError(f"{FORMAT} is {wanted!r}; set it to text or json")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if wanted == Format.JSON else Lines("%(message)s"))
    logging.basicConfig(level=levels[level.upper()], handlers=[handler])
    logging.captureWarnings(wanted == Format.JSON)
    if wanted == Format.TEXT and levels[level.upper()] > logging.DEBUG:
        access.setLevel(logging.WARNING)  # a page makes many requests: somebody who reads along wants none of them
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Lines(logging.Formatter):
    """Text, with the trace of an error in the place of its message, which may quote a customer."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return trace(ei[1])


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = REQUEST.get()
        if request is not None:
            told["request_id"] = request.id
            if request.bot:
                told["bot"] = request.bot
        told |= {name: getattr(record, name) for name in ASIDE if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            told["trace"] = trace(record.exc_info[1])
        return json.dumps(told, default=str)


class Identified:
    """ASGI middleware, the outermost: gives each request an id, and logs a line when it is done."""

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(_identity(scope))
        REQUEST.set(
            request
        )  # not taken back: what the server logs afterwards, in this task, belongs to it as well
        start, status = time.perf_counter(), routes.GONE

        async def named(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != HEADER]
                message = {**message, "headers": [*headers, (HEADER, request.id.encode())]}
            await send(message)

        try:
            await self.app(scope, receive, named)
        except Exception:
            status = routes.CRASHED
            raise
        finally:
            route, method = routes.template(scope, status), routes.method(scope)
            ms = round(1000 * (time.perf_counter() - start), 1)
            about = {"route": route, "status": status, "ms": ms}
            access.info("%s %s %d %.1f ms", method, route, status, ms, extra=about)


def _identity(scope: "Scope") -> str:
    """The id that the request brought, where it is a harmless one, or a new one."""
    given = dict(scope["headers"]).get(HEADER, b"")
    return given.decode() if GIVEN.fullmatch(given) else uuid.uuid4().hex
