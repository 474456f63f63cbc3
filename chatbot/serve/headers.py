"""What a browser is told to refuse: security headers on every response. Pure ASGI.

In: an application, and the paths of its Gradio pages, each with the origins that may frame it beside its own.
Out: the same responses with headers; a header that a response brings by itself stays.

    a Gradio page      scripts that are files from here, or were written into the page when it was sent, each by
                       its hash: a script, handler or javascript: address in a text that is shown does not run.
                       Gradio makes functions of strings (`unsafe-eval`) and styles its elements one by one
    any other HTML     files from here; no script and no style within it
    all the rest       nothing: data is no document

A page is read whole before it is sent, for its hashes, and compressed afterwards; everything else streams.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot.errors import SettingsError

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
LASTING = "max-age=31536000"  # seconds for which a browser that came by https comes by nothing else
PAGE = (
    "default-src 'self'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {framers}"
)
HTML = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
DATA = "default-src 'none'; frame-ancestors 'none'"
INLINE = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script\s*>", re.DOTALL | re.IGNORECASE)
ORIGIN = re.compile(r"https?://(?:\*\.)?[a-z0-9._-]+(?::\d{1,5})?|https?://\[[0-9a-f:.]+\](?::\d{1,5})?")


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Origins as a browser names them. Raises SettingsError for what is none, such as one with a path."""
    lower = tuple(origin.strip().rstrip("/").lower() for origin in origins)
    for given, origin in zip(origins, lower, strict=True):
        if not ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"{given!r} is no origin; write scheme and host, and the port where there is one, such as "
                "https://shop.example or https://*.shop.example"
            )
    return lower


class Guarded:
    """An application behind these headers. `pages` maps the path of each Gradio page ("/", "/desk") to the origins
    that may frame it, as `checked_origins` gives them; `inserted` is the HTML that pages put into their own head
    in the browser."""

    def __init__(self, app: ASGIApp, pages: Mapping[str, Sequence[str]], inserted: str = "") -> None:
        self._app = app
        self._pages = pages
        self._inserted = inserted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        framers = self._pages.get(scope["path"].rstrip("/") or "/")
        packed = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if framers is not None:
            plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": plain}
        page: list[Message] = []  # the beginning of a page, until its end is there
        body = bytearray()

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                kind = headers.get("content-type", "").partition(";")[0].strip().lower()
                for name, value in self._common(scope).items():
                    headers.setdefault(name, value)
                if not framers:
                    headers.setdefault("x-frame-options", "SAMEORIGIN")
                if framers is not None and kind == "text/html":
                    page.append(message)
                    return
                headers.setdefault("content-security-policy", HTML if kind == "text/html" else DATA)
            elif page:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    assert framers is not None
                    whole = self._finished(page[0], bytes(body), framers, packed)
                    await send(page[0])
                    await send({"type": "http.response.body", "body": whole})
                return
            await send(message)

        await self._app(scope, receive, guarded)

    def _common(self, scope: Scope) -> dict[str, str]:
        return HEADERS | {"strict-transport-security": LASTING} if scope.get("scheme") == "https" else HEADERS

    def _finished(self, start: Message, body: bytes, framers: Sequence[str], packed: bool) -> bytes:
        """A page's body as it is sent; the beginning gets the headers that depend on it."""
        scripts = " ".join(["'self'", "'unsafe-eval'", *_hashes(body), *_hashes(self._inserted.encode())])
        headers = MutableHeaders(raw=start["headers"])
        policy = PAGE.format(scripts=scripts, framers=" ".join(["'self'", *framers]))
        headers.setdefault("content-security-policy", policy)
        if packed and body:
            body = gzip.compress(body, 5)
            headers["content-encoding"] = "gzip"
        if body:  # what answers a HEAD says how long it would be
            headers["content-length"] = str(len(body))
        headers.add_vary_header("accept-encoding")
        return body


def _hashes(html: bytes) -> Iterator[str]:
    """The scripts written into HTML, as a policy names them; a browser sees their lines end in \\n."""
    for script in INLINE.findall(html):
        text = script.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
