"""Runs, and all that is read of one: counters, progress, chunks, workers, events, rows, the recount."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from ludb.model.access import Role
from ludb.model.run import ChunkState, RunState
from ludb.server import sums
from ludb.server.kept import LARGE
from ludb.server.lookup import known_run
from ludb.server.pages import Cursor, Limit, Page, number, page_of, pair
from ludb.server.progress import progress_of
from ludb.server.reading import ReadRoute
from ludb.server.rules import rule
from ludb.server.shapes.runs import (
    ChunkShape,
    EventShape,
    EventsShape,
    ProgressShape,
    RecountShape,
    RowsShape,
    RunShape,
    SampleShape,
    TableRowsShape,
    WorkerShape,
)
from ludb.server.shaping import NOTHING, chunk_shape, counters_shape, event_shape, run_shape, worker_shape
from ludb.server.world import AnyWorld
from ludb.service.activity import liveness_of
from ludb.service.steering import at_work
from ludb.service.summary import balances

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=ReadRoute)
After = Annotated[int, Query(ge=0, lt=2**63, description="Only what comes after this number")]


@router.get("/runs", **rule(Role.VIEWER))
def runs(
    world: AnyWorld, cursor: Cursor = None, limit: Limit = 50, job: str | None = None,
    state: Annotated[list[RunState] | None, Query(description="May be repeated")] = None,
) -> Page[RunShape]:  # fmt: skip
    """Runs, the newest first, each with its counters."""
    pages = world.repository.pages
    found = pages.runs(before=number(cursor), job=job, states=state or (), limit=limit + 1)
    shown = [run for _, run in found[:limit]]
    counters = {one.id: world.counters(one.id) for one in shown if one.units >= LARGE}
    counters |= pages.counters([one.id for one in shown if one.units < LARGE])
    now = world.now()
    return page_of(
        found, limit, lambda one: run_shape(one[1], counters.get(one[1].id, NOTHING), now), lambda one: one[0]
    )


@router.get("/runs/{run}", **rule(Role.VIEWER))
def run(run: str, world: AnyWorld) -> RunShape:
    """One run."""
    found = known_run(world, run)
    counters = world.counters(found.id)
    return run_shape(found, counters, world.now(), held=bool(at_work(world.site, found.id, "supervisor")))


@router.get("/runs/{run}/progress", **rule(Role.VIEWER))
def progress(run: str, world: AnyWorld) -> ProgressShape:
    """Where a run stands at this moment: states that add up, percent, rate, when it will end."""
    return progress_of(world, known_run(world, run).id)


@router.get("/runs/{run}/audit", **rule(Role.VIEWER))
def recount(run: str, world: AnyWorld) -> RecountShape:
    """Count a run's units again from its lists, chunks and units set aside, and say whether all of it agrees."""
    found = known_run(world, run)
    return RecountShape(**_recounted(world, found.id))


def _recounted(world: AnyWorld, run_id: str) -> dict[str, object]:
    before = world.repository.views.counters(run_id)
    accounts = world.repository.evidence.accounts(run_id)
    counters = world.repository.views.counters(run_id)
    if before != counters:  # units were settled in between: once more, between two equal looks if the run allows it
        accounts = world.repository.evidence.accounts(run_id)
    aside = counters.quarantined + counters.in_doubt + counters.gone + counters.rolled_back
    whole = accounts.done + accounts.aside + accounts.unclaimed + accounts.held + accounts.committing
    agrees = accounts.listed == counters.total == whole and not accounts.live_calls and not accounts.undecided
    still = counters == world.repository.views.counters(run_id)
    agrees = agrees and (not still or (accounts.done, accounts.aside) == (counters.done, aside))
    return {"agrees": agrees and not accounts.wrong, "counters": counters_shape(counters)} | asdict(accounts)


@router.get("/runs/{run}/rows", **rule(Role.VIEWER))
def rows(run: str, world: AnyWorld) -> RowsShape:
    """Rows read and written, by table and by the state of their unit, with the balance of each source table."""
    found = known_run(world, run)
    counters = world.counters(found.id)
    counted = sums.rows(world, found.id, counters)
    lines = balances(found, counted.source, counters)
    source = [
        TableRowsShape(
            table=line.table, planned=line.planned, by_state=dict(counted.source.get(line.table, {})),
            balances=line.balances,
        )
        for line in lines
    ]  # fmt: skip
    output = [TableRowsShape(table=name, by_state=dict(states)) for name, states in sorted(counted.output.items())]
    return RowsShape(
        source=source, output=output, warnings=dict(counted.warnings), conversions=dict(counted.conversions)
    )


@router.get("/runs/{run}/chunks", **rule(Role.VIEWER))
def chunks(
    run: str, world: AnyWorld, cursor: Cursor = None, limit: Limit = 50,
    state: Annotated[list[ChunkState] | None, Query(description="May be repeated")] = None,
) -> Page[ChunkShape]:  # fmt: skip
    """Chunks in the order of the unit list."""
    found = known_run(world, run)
    listed = world.repository.pages.chunks(found.id, after=pair(cursor), states=state or (), limit=limit + 1)
    return page_of(listed, limit, chunk_shape, lambda one: [one.lo, one.id])


@router.get("/runs/{run}/workers", **rule(Role.VIEWER))
def workers(
    run: str, world: AnyWorld, everybody: Annotated[bool, Query(alias="all", description="The dead too")] = False
) -> list[WorkerShape]:
    """Supervisors and workers of a run: who lives, what each does, with how much processor and memory."""
    found = known_run(world, run)
    liveness = liveness_of(world.repository, found.id, world.site.host)
    holds = {one.owner: one for one in reversed(world.repository.figures.held(found.id))}
    told = [
        worker_shape(owner, lives=not liveness.is_dead(owner), holds=holds.get(owner.id))
        for owner in world.repository.owners.all(found.id)
    ]
    return [one for one in told if everybody or one.state in {"alive", "dismissed"}]


@router.get("/runs/{run}/events", **rule(Role.VIEWER))
def events(run: str, world: AnyWorld, after: After = 0, limit: Limit = 500) -> EventsShape:
    """What happened after an event, oldest first: asked again and again, it tells what the stream tells."""
    found = world.repository.events.since(known_run(world, run).id, after, limit)
    return EventsShape(items=[event_shape(*one) for one in found], last=found[-1][0] if found else after)


@router.get("/events", **rule(Role.VIEWER))
def all_events(world: AnyWorld, cursor: Cursor = None, limit: Limit = 50, run: str | None = None) -> Page[EventShape]:
    """What happened in all runs, or in one, the newest first."""
    found = world.repository.pages.events(run or "", before=number(cursor), limit=limit + 1)
    return page_of(found, limit, lambda one: event_shape(*one), lambda one: one[0])


@router.get("/runs/{run}/series", **rule(Role.VIEWER))
def series(
    run: str, world: AnyWorld, since: Annotated[float, Query(ge=0, description="Only samples after this moment")] = 0.0
) -> list[SampleShape]:
    """How a run went since it began: units settled, workers, processor and memory; at most 720 samples."""
    found = known_run(world, run)
    return [
        SampleShape(at=one.at, span=one.span, settled=one.settled, data=dict(one.data))
        for one in world.repository.samples.of(found.id, since)
    ]
