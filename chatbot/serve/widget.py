"""The chat on the company's own pages: one script, and a page that shows it.

In: a GET. Out: widget.js, which puts a button and the chat, in a frame, on whatever page has its tag; who may
frame the chat is the service's list (headers.py).
"""

from importlib import resources
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from jinja2 import Environment

from chatbot.serve import service

HOUR = {"Cache-Control": "public, max-age=3600"}
ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin"}  # a page that isolates itself may load it, too

_here = resources.files("chatbot.serve")
router = APIRouter(include_in_schema=False)


@router.get("/widget.js")
def script() -> Response:
    return Response((_here / "widget.js").read_bytes(), media_type="text/javascript", headers=HOUR | ANYWHERE)


@router.get("/widget.css")
def styles() -> Response:
    return Response((_here / "widget.css").read_bytes(), media_type="text/css", headers=HOUR)


@router.get("/widget")
def page(
    request: Request,
    language: Annotated[Literal["en", "zh"], Query()] = "en",
    bot: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """A page as the company's own could be."""
    bots = service.of(request).bots
    first = next(iter(bots))
    shown = bots.get(first if bot is None else bot, bots[first])
    template = Environment(autoescape=True).from_string((_here / "widget.html").read_text("utf-8"))
    named = "" if shown.name == first else shown.name
    html = template.render(company=shown.company, language=language, bot=named, address=str(request.base_url))
    return Response(html, media_type="text/html")
