"""Long lists, a page at a time: a cursor names the last one that was seen, so that what comes or goes meanwhile
neither repeats nor hides an item.

In: items in the order of their keys. Out: a `Page` with the cursor of the next one. To callers a cursor is opaque.
"""

import base64
import binascii
import bisect
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from chatbot.journal.database import storable
from chatbot.serve.problems import Problem

Item = TypeVar("Item")
Shape = TypeVar("Shape")
Key = tuple[Any, ...]

Limit = Annotated[int, Query(ge=1, le=200, description="Items of a page, at most.")]
Start = Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")]


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next: str | None = Field(default=None, description="The cursor of the next page; null where this is the last.")


def page(
    items: Sequence[Item],
    key: Callable[[Item], Key],
    cursor: str | None,
    limit: int,
    shape: Callable[[Item], Shape],
) -> Page[Shape]:
    """Those after the cursor, `items` being sorted by `key`. Raises a Problem for a cursor that is none."""
    start = 0
    if cursor is not None:
        start = bisect.bisect_right(items, _comparable(_key(cursor)), key=lambda item: _comparable(key(item)))
    chosen = items[start : start + limit]
    more = start + limit < len(items)
    return Page(items=[shape(item) for item in chosen], next=_cursor(key(chosen[-1])) if more else None)


def named(cursor: str) -> tuple[str, str]:
    """The key of two texts that a cursor holds. Raises a Problem for a cursor that is none, or another one's."""
    match _key(cursor):
        case str(first), str(second):
            return storable(first), storable(second)
    raise _no_cursor()


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, ensure_ascii=False).encode()).decode().rstrip("=")


def _key(cursor: str) -> Key:
    try:
        found = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as cause:
        raise _no_cursor() from cause
    if not isinstance(found, list):
        raise _no_cursor()
    return tuple(found)


def _comparable(key: Key) -> Key:
    """Comparable with any other key, whatever a forged cursor holds: numbers before texts before the rest."""
    return tuple((0, one, "") if isinstance(one, int | float) else (1, 0, str(one)) for one in key)


def _no_cursor() -> Problem:
    return Problem(422, "invalid", "cursor: this is none; leave it out, or take `next` of a page as it is.")
