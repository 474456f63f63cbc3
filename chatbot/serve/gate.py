"""The staff's pages are for those alone whose session may open them; whoever has none is led to the login.

In: the application (ASGI), accounts, and which scope of which bot each page needs. Out: the same, to be put around
it. The gate stands before everything under a page's path, as Gradio's own check leaves some of its routes out;
`entered` tells Gradio who came through it. On this machine alone, pages are open until there is an account, but
not to what a page of another site has a browser send.
"""

from collections.abc import Mapping
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from chatbot import access
from chatbot.journal import SqlAccounts
from chatbot.serve.csrf import changes, from_another_site
from chatbot.serve.login import LOGIN, Doors, staff

PAGES: Mapping[str, access.Scope] = {"/desk": access.Scope.DESK, "/workshop": access.Scope.VERSIONS}
ENTERED = "chatbot.entered"  # in a request's scope: the account's name, "" for nobody known


class Gate:
    """ASGI middleware before `pages`, whose paths lead to the scope and the bot that each needs; `local` is
    whether nobody else can reach this address."""

    def __init__(self, app: ASGIApp, accounts: SqlAccounts, pages: Doors, local: bool) -> None:
        self.app = app
        self.accounts = accounts
        self.pages = pages
        self.local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        needed = self._needed(scope["path"]) if scope["type"] in ("http", "websocket") else None
        if needed is None:
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        caller = await run_in_threadpool(self._caller, connection)
        if caller is not None and caller.may(*needed):
            await self.app({**scope, ENTERED: caller.name}, receive, send)
        else:
            await _refusal(connection, known=caller is not None)(scope, receive, send)

    def _needed(self, path: str) -> tuple[access.Scope, str] | None:
        return next(
            (door for page, door in self.pages.items() if path == page or path.startswith(f"{page}/")), None
        )

    def _caller(self, connection: HTTPConnection) -> access.Caller | None:
        if self.local and not self.accounts.exist():
            foreign = changes(connection) and from_another_site(connection)
            return access.ANYBODY if foreign else access.Caller(scopes=frozenset(access.Scope))
        return staff(self.accounts, connection)


def entered(connection: HTTPConnection) -> str | None:
    """Who came through the gate: for Gradio, as its `auth_dependency`. None where there is no gate."""
    name: str | None = connection.scope.get(ENTERED)
    return name


def _refusal(connection: HTTPConnection, known: bool) -> ASGIApp:
    """The way to the login for whoever opens a page; a status for a script."""
    if connection.scope["type"] == "websocket":
        return WebSocketClose(4403 if known else 4401)
    if _opens_a_page(connection):
        query = f"?{connection.url.query}" if connection.url.query else ""
        return RedirectResponse(f"{LOGIN}?next={quote(connection.url.path + query, safe='/')}", 303)
    said = "This account may not do that." if known else f"Nobody is signed in. Sign in at {LOGIN}."
    return JSONResponse({"detail": said}, 403 if known else 401)


def _opens_a_page(connection: HTTPConnection) -> bool:
    if connection.scope["method"] != "GET":
        return False
    mode = connection.headers.get("sec-fetch-mode")
    return mode == "navigate" if mode is not None else "text/html" in connection.headers.get("accept", "")
