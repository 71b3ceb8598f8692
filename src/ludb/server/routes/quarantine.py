"""Units that were set aside: by reason, one by one, whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from ludb.model.access import Role
from ludb.model.run import CallState, UnitState
from ludb.ports.pages import ReasonLine
from ludb.server import sums
from ludb.server.lookup import known_run
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.runs import AsideShape, CallShape, ReasonShape
from ludb.server.shaping import NOTHING, aside_shape, call_shape
from ludb.server.world import AnyWorld, World

router = APIRouter(prefix="/api/v1", tags=["quarantine"], route_class=ReadRoute)
COLUMNS = ("key", "state", "phase", "step", "reason", "message", "at", "chunk", "job_version")
LARGE = 1000
"""From how many units on, groups over all runs are kept for a moment."""
Reason = Annotated[str | None, Query(description="The whole reason, word for word")]
Part = Annotated[str, Query(max_length=200, description="Part of the unit key")]
Error = Annotated[str, Query(max_length=200, description="Part of the reason or the message, in capitals or not")]
Since = Annotated[float | None, Query(description="Set aside at this time or later")]


@router.get("/quarantine", **rule(Role.VIEWER))
def overview(world: AnyWorld, job: str | None = None) -> list[ReasonShape]:
    """Units set aside in all runs, by run, state and reason; the largest 200 groups."""
    found = world.kept.of(("overview", job), NOTHING, lambda: world.repository.overview.reasons(job), _is_large)
    return [
        ReasonShape(
            run=one.run, job=one.job, state=one.state, reason=one.reason, step=one.step, units=one.units,
            last_at=one.last_at,
        )
        for one in found
    ]  # fmt: skip


def _is_large(found: Sequence[ReasonLine]) -> bool:
    return sum(one.units for one in found) >= LARGE


@router.get("/runs/{run}/quarantine/reasons", **rule(Role.VIEWER))
def reasons(run: str, world: AnyWorld, named: Annotated[int, Query(ge=0, le=50)] = 5) -> list[ReasonShape]:
    """Units of a run set aside, by state and reason, the largest groups first, each with some of its keys."""
    found = known_run(world, run)
    groups = sums.reasons(world, found.id, world.counters(found.id), named)
    return [
        ReasonShape(
            run=found.id, job=found.job, state=one.state, reason=one.reason, step=one.step, units=one.units,
            keys=list(one.keys),
        )
        for one in groups
    ]  # fmt: skip


@router.get("/runs/{run}/quarantine", **rule(Role.VIEWER))
def units(
    run: str, world: AnyWorld, cursor: Cursor = None, limit: Limit = 50, state: UnitState | None = None,
    reason: Reason = None, key: Part = "", error: Error = "", since: Since = None,
) -> Page[AsideShape]:  # fmt: skip
    """Units of a run that were set aside, in list order."""
    found = known_run(world, run)
    listed = world.repository.pages.exceptions(
        found.id, after=number(cursor), state=state, reason=reason, text=key, error=error, since=since,
        limit=limit + 1,
    )  # fmt: skip
    return page_of(listed, limit, lambda one: aside_shape(found.id, one), lambda one: one.position)


@router.get(
    "/runs/{run}/quarantine.csv", response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "The units as CSV"}},
    **rule(Role.VIEWER),
)  # fmt: skip
def export(
    run: str, world: AnyWorld, state: UnitState | None = None, reason: Reason = None, key: Part = "", error: Error = "",
    since: Since = None,
) -> StreamingResponse:  # fmt: skip
    """The same as CSV, all of them."""
    found = known_run(world, run)
    name = f'attachment; filename="quarantine-{found.id}.csv"'
    asked = {"state": state, "reason": reason, "text": key, "error": error, "since": since}
    lines = _csv(world, found.id, asked)
    return StreamingResponse(lines, media_type="text/csv", headers={"Content-Disposition": name})


@router.get("/runs/{run}/calls", **rule(Role.VIEWER))
def calls(
    run: str, world: AnyWorld, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 50,
    state: Annotated[list[CallState] | None, Query(description="May be repeated")] = None,
) -> Page[CallShape]:  # fmt: skip
    """Calls to APIs that a run made, oldest first."""
    found = known_run(world, run)
    listed = world.repository.pages.calls(found.id, after=number(cursor), states=state or (), limit=limit + 1)
    return page_of(listed, limit, lambda one: call_shape(one[1], caller), lambda one: one[0])


def _csv(world: World, run_id: str, asked: dict[str, Any]) -> Iterator[str]:
    """The lines, read page by page. A cell that a spreadsheet would take for a formula gets an apostrophe."""
    after: int | None = None
    yield _line(COLUMNS)
    while found := world.repository.pages.exceptions(run_id, after=after, limit=500, **asked):
        for one in found:
            values = aside_shape(run_id, one).model_dump(mode="json")
            yield _line([_harmless(values[name]) for name in COLUMNS])
        after = found[-1].position


def _line(values: object) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)  # type: ignore[arg-type]
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
