"""The API as one FastAPI application: its routes, its errors, its document; the layers around it are `around`.

In: a `Service`. Out: an application that pages can be mounted into. A request passes, from the outside in:

    its size and its speed (bodies.py), whether it was sent before (replays.py), who sends it (door.py), its route
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from chatbot.journal import SqlReplays
from chatbot.serve import (
    completions,
    conversations,
    customers,
    desk,
    health,
    pairs,
    problems,
    search,
    versions,
    widget,
)
from chatbot.serve.bodies import Bounded
from chatbot.serve.door import known
from chatbot.serve.replays import Replayed
from chatbot.serve.service import Service

API = "/v1"
ABOUT = """Answers customers from what the company has already answered.

What is shown as `Authorization: Bearer` is a key (`chatbot keys create`), a customer's session, or a
conversation's own token; anybody may begin a conversation. Errors are problem details (RFC 9457). A write with an
`Idempotency-Key` that is sent again is done once. Lists come in pages: `cursor` takes the `next` of the page
before.
"""
OPEN = ("conversations", "customers", "chat", "models", "version")  # paths that may be asked with nothing shown
ROUTERS = (conversations, customers, desk, search, pairs, versions, completions)


def application(service: Service) -> FastAPI:
    app = FastAPI(
        title="Chatbot",
        version=version("chatbot"),
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        generate_unique_id_function=_named,
    )
    app.state.service = service
    problems.tell(app)
    for module in ROUTERS:
        app.include_router(module.router, prefix=API, responses=problems.RESPONSES)
    app.include_router(health.about, prefix=API, responses=problems.RESPONSES)
    app.routes.append(Route(f"{API}/{{rest:path}}", _Elsewhere(), include_in_schema=False))
    app.include_router(health.router)
    app.include_router(widget.router)
    app.state.queries = {}
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            asked = (one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
            app.state.queries[path, method.upper()] = frozenset(asked)
            if path.startswith(tuple(f"{API}/{name}" for name in OPEN)):
                operation["security"].append({})  # FastAPI has no word for what may be shown and need not
    return app


def around(app: ASGIApp, service: Service) -> ASGIApp:
    """The application, and what stands around it."""
    replays = {name: SqlReplays(bot.journal.database) for name, bot in service.bots.items()}
    replayed = Replayed(app, replays, _masking(service), partial(known, service))
    return Bounded(replayed, service.limits, _most(service))


class _Elsewhere:
    """What no route of the API takes: a page, which may stand at /, would say something else of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for route in scope["app"].routes:
            if route.matches(scope)[0] is Match.PARTIAL:  # by another method
                await route.handle(scope, receive, send)
                return
        raise HTTPException(404, f"There is nothing here. {API}/openapi.json says what there is.")


def _most(service: Service) -> Callable[[str], int | None]:
    limits = service.limits

    def most(path: str) -> int | None:
        if not path.startswith(f"{API}/"):
            return None  # a page's: Gradio has limits of its own
        return limits.upload if path == f"{API}/pairs/import" else limits.body

    return most


def _masking(service: Service) -> Callable[[str], str]:
    def masked(text: str) -> str:
        for bot in service.bots.values():
            text = bot.editor.masked(text)
        return text

    return masked


def _named(route: APIRoute) -> str:
    """What generated clients call it."""
    return f"{route.tags[0]}_{route.name}".replace("-", "_") if route.tags else route.name
