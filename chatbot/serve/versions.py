"""What is live: versions that are kept, who made them, and the way back."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from chatbot.access import Scope
from chatbot.journal import Edit
from chatbot.serve.cursor import Limit, Page, Start, page
from chatbot.serve.door import At, needs
from chatbot.serve.problems import Problem, unknown
from chatbot.serve.wire import Asked, Live, Note

EDITS = 1000  # of the history, newest first

router = APIRouter(tags=["versions"])
Publishing = Annotated[At, Depends(needs(Scope.VERSIONS))]


class Back(Asked):
    why: Note = ""


class Version(BaseModel):
    version: str
    in_use: bool


class Edited(BaseModel):
    """Who changed what."""

    version: str
    before: str
    who: str
    kind: str
    why: str
    time: datetime | None
    counts: dict[str, dict[str, int]]

    @classmethod
    def of(cls, edit: Edit) -> Self:
        return cls.model_validate(edit, from_attributes=True)


@router.get("/versions")
def listed(at: Publishing, limit: Limit = 50, cursor: Start = None) -> Page[Version]:
    """Those that are kept, oldest first."""
    used = at.bot.live.version
    return page(
        at.bot.live.versions(),
        lambda name: (name,),
        cursor,
        limit,
        lambda name: Version(version=name, in_use=name == used),
    )


@router.post("/versions/{version}/rollback")
def rollback(at: Publishing, version: Annotated[str, Path(max_length=64)], asked: Back) -> Live:
    """Go back to a version: live with the next message."""
    if version not in at.bot.live.versions():
        raise unknown("version of that name")
    if version == at.bot.live.version:
        raise Problem(409, "conflict", f"{version} is in use already.")
    return Live(version=at.bot.editor.rollback(version, at.caller.name, asked.why))


@router.get("/edits")
def edits(at: Publishing, limit: Limit = 50, cursor: Start = None) -> Page[Edited]:
    """Who changed what, newest first."""
    found = at.bot.editor.edits.latest(EDITS)
    return page(found, lambda edit: (-(edit.number or 0),), cursor, limit, Edited.of)
