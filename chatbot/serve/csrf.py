"""Another site may have a visitor's browser send requests with its cookies: what would change anything is refused.

In: the application (ASGI), and names of cookies that open something. Out: the same, to be put around it. A request
that carries such a cookie and does more than read, or opens a WebSocket, has to come from a page of this origin:
the browser says so in Sec-Fetch-Site, which no page can change, or, on HTTP and where it is older, in Origin. One
that says neither is no browser's; it does without the cookie.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

READING = ("GET", "HEAD", "OPTIONS")
FOREIGN = 4403  # what a WebSocket is closed with


class OwnPagesOnly:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, cookies: Collection[str]) -> None:
        self.app = app
        self.cookies = frozenset(cookies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and self._is_foreign(scope):
            refusal = JSONResponse({"detail": "This was sent from a page of another site."}, 403)
            await (refusal if scope["type"] == "http" else WebSocketClose(FOREIGN))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_foreign(self, scope: Scope) -> bool:
        connection = HTTPConnection(scope)
        shows = not self.cookies.isdisjoint(connection.cookies)
        return shows and changes(connection) and not from_own_page(connection)


def changes(connection: HTTPConnection) -> bool:
    """Whether it may do more than read."""
    return connection.scope["type"] != "http" or connection.scope["method"] not in READING


def from_another_site(connection: HTTPConnection) -> bool:
    """Whether a browser says that a page of another origin sent it; a program says nothing of that."""
    headers = connection.headers
    return ("sec-fetch-site" in headers or "origin" in headers) and not from_own_page(connection)


def from_own_page(connection: HTTPConnection) -> bool:
    """Whether the browser says that a page of this origin sent it."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin, host = connection.headers.get("origin", ""), connection.headers.get("host", "")
    return host != "" and urlsplit(origin).netloc.lower() == host.lower()
