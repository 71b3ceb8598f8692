"""What is seen across runs: two of them side by side, and the calls of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ludb.model.access import Role
from ludb.model.run import CallState, Counters, Run
from ludb.model.steering import Live
from ludb.server.lookup import known_run
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.insight import (
    CallOfRunShape,
    ComparisonShape,
    NumberPairShape,
    PointShape,
    SettingPairShape,
    SideShape,
)
from ludb.server.shaping import call_shape, run_shape
from ludb.server.world import AnyWorld, World

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=ReadRoute)
POINTS = 120
"""Points of a run's pace, at most."""
_STATES = ("done", "quarantined", "in_doubt", "gone", "rolled_back", "pending")
Counts = dict[tuple[str, str, str], int]


@router.get("/calls", **rule(Role.VIEWER))
def calls(
    world: AnyWorld, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 50,
    state: Annotated[list[CallState] | None, Query(description="May be repeated")] = None,
    system: Annotated[str | None, Query(max_length=100)] = None, run: str | None = None, job: str | None = None,
    call: Annotated[str | None, Query(max_length=100, description="This one alone, by its id")] = None,
) -> Page[CallOfRunShape]:  # fmt: skip
    """Calls to APIs of all runs, the newest first."""
    found = world.repository.overview.calls(
        before=number(cursor), states=state or (), system=system, run=run, job=job, call=call, limit=limit + 1
    )
    return page_of(
        found, limit,
        lambda one: CallOfRunShape(
            **call_shape(one.call, caller).model_dump(), number=one.number, run=one.run, job=one.job,
            system=one.call.output.partition(".")[0],
        ),
        lambda one: one.number,
    )  # fmt: skip


@router.get("/runs/{run}/compare/{other}", **rule(Role.VIEWER))
def compare(run: str, other: str, world: AnyWorld) -> ComparisonShape:
    """Two runs side by side: totals, states, reasons, rows by table, pace, settings."""
    a, b = known_run(world, run), known_run(world, other)
    (side_a, counts_a), (side_b, counts_b) = _side(world, a), _side(world, b)
    counts = [
        NumberPairShape(kind=kind, name=name, state=state, a=counts_a.get(key, 0), b=counts_b.get(key, 0))
        for key in dict.fromkeys([*counts_a, *counts_b])
        for kind, name, state in [key]
    ]
    mine, theirs = dict(_settings(a)), dict(_settings(b))
    settings = [
        SettingPairShape(name=name, a=mine.get(name), b=theirs.get(name), same=mine.get(name) == theirs.get(name))
        for name in dict.fromkeys([*mine, *theirs])
    ]
    return ComparisonShape(a=side_a, b=side_b, counts=counts, settings=settings)


def _side(world: World, run: Run) -> tuple[SideShape, Counts]:
    counters = world.counters(run.id)
    shape = run_shape(run, counters, world.now())
    settled = counters.total - counters.pending
    rate = settled / shape.seconds if shape.seconds else 0.0
    return SideShape(run=shape, rate=rate, pace=_pace(world, run, counters)), _counts(world, run, counters)


def _counts(world: World, run: Run, counters: Counters) -> Counts:
    views, evidence = world.repository.views, world.repository.evidence
    found: Counts = {("state", state, ""): getattr(counters, state) for state in _STATES}
    groups = world.kept.of(("reasons", run.id, 0), counters, lambda: evidence.reasons(run.id))
    found |= {("reason", one.reason, str(one.state)): one.units for one in groups}
    rows = world.kept.of(("rows", run.id), counters, lambda: views.rows(run.id))
    for kind, tables in (("source", rows.source), ("output", rows.output)):
        found |= {(kind, name, state): n for name, states in sorted(tables.items()) for state, n in states.items()}
    return found


def _pace(world: World, run: Run, counters: Counters) -> list[PointShape]:
    """From the samples that were taken; a run too short for many of them by the moments at which its units were settled."""
    if run.started_at is None:
        return []
    points = [(one.at, one.settled) for one in world.repository.samples.of(run.id)]
    if len(points) < 10:
        evidence = world.repository.evidence
        moments = world.kept.of(("pace", run.id), counters, lambda: evidence.pace(run.id))
        points, settled = [], 0
        for one in moments:
            settled += one.done + one.aside
            points.append((one.at, settled))
    step = -(-len(points) // POINTS) or 1
    shown = points[step - 1 :: step]
    if points and shown[-1:] != points[-1:]:
        shown = [*shown[: POINTS - 1], points[-1]]
    return [PointShape(second=max(0.0, at - run.started_at), settled=settled) for at, settled in shown]


def _settings(run: Run) -> Iterator[tuple[str, Any]]:
    live = Live.of(run.settings)
    selection = run.notes.get("selection")
    yield from (("version", run.version), ("instance", run.instance), ("started by", run.actor), ("host", run.host))
    yield from (("workers", live.workers), ("chunk", live.chunk_units))
    for system, limits in sorted(live.calls.items()):
        yield from ((f"{system}.pace", limits.pace), (f"{system}.in_flight", limits.in_flight))
    yield from ((f"parameters.{name}", value) for name, value in sorted(run.parameters.items()))
    if isinstance(selection, Mapping):
        yield from ((f"selection.{name}", value) for name, value in sorted(selection.items()) if value is not None)
