"""Is the service alive, is it ready for work, and what is running: for whoever starts it and watches over it.

Alive is a process that answers. Ready is one whose database can be read and which is not about to end.
"""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from chatbot.access import Scope
from chatbot.serve import service
from chatbot.serve.door import Here, needs
from chatbot.serve.problems import MEDIA_TYPE, RESPONSES, Problem, Responses

router = APIRouter(tags=["operations"])
about = APIRouter(tags=["operations"])
METRICS: Responses = RESPONSES | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class About(BaseModel):
    """What is running."""

    version: str
    bots: dict[str, str] = Field(description="The version of each bot that the caller may reach.")


@router.get("/health/live")
@router.head("/health/live", include_in_schema=False)
def live() -> Health:
    return Health()


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", responses={503: {"content": {MEDIA_TYPE: {}}, "description": "Not ready."}})
def ready(request: Request) -> Health:
    ours = service.of(request)
    if ours.draining.is_set():
        raise Problem(503, "draining", "The service is about to end.", {"Retry-After": "5"})
    for bot in ours.bots.values():
        bot.desk.cases()  # raises Unavailable where its database is away
    return Health()


@router.get("/metrics", response_class=Response, responses=METRICS, dependencies=[Depends(needs(Scope.METRICS))])
def metrics(request: Request) -> Response:
    """For Prometheus, with a key that has the scope `metrics`."""
    data, kind = service.of(request).metrics.exposition()
    return Response(data, headers={"Content-Type": kind})


@about.get("/version")
def running(request: Request, at: Here) -> About:
    bots = service.of(request).bots.items()
    told = {name: bot.live.version for name, bot in bots if at.caller.may(Scope.CHAT, name)}
    return About(version=version("chatbot"), bots=told)
