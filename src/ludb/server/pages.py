"""Lists in pages: a cursor says where the next one begins, whatever came or went meanwhile."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from ludb.server.problems import Problem

T = TypeVar("T")
S = TypeVar("S")

Cursor = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; leave it out for the first page")
]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most")]


class Page(BaseModel, Generic[T]):
    """One page of a list. `next` is null on the last one."""

    items: list[T]
    next: str | None = Field(None, description="Cursor of the next page")


def page_of(found: Sequence[S], limit: int, shape: Callable[[S], T], place: Callable[[S], object]) -> Page[T]:
    """A page from one row more than it shows: the further row says that there is a next page. `place` is what a cursor
    holds: the last row that was shown.
    """
    shown = found[:limit]
    following = written(place(shown[-1])) if len(found) > limit and shown else None
    return Page[T](items=[shape(one) for one in shown], next=following)


def written(value: object) -> str:
    """A place as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def number(cursor: str | None) -> int | None:
    """The number in a cursor, None for the first page; 422 for a cursor that no page gave."""
    found = _read(cursor)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found < 2**63:
        raise _unknown()
    return found


def pair(cursor: str | None) -> tuple[int, str] | None:
    """The number and the name in a cursor; as above."""
    found = _read(cursor)
    if found is None:
        return None
    if not (isinstance(found, list) and len(found) == 2 and isinstance(found[0], int) and isinstance(found[1], str)):
        raise _unknown()
    if not 0 <= found[0] < 2**63:
        raise _unknown()
    return found[0], found[1]


def _read(cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise _unknown() from None


def _unknown() -> Problem:
    return Problem(
        422, "invalid", "this is no cursor of this list", where="query.cursor", remedy="Begin with the first page"
    )
