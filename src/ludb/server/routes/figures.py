"""What the work of a run costs: by phase, step, rule and system; by worker; and where time is lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query

from ludb.model.access import Role
from ludb.model.events import Event
from ludb.model.figures import (
    CALL,
    FLYING,
    PHASE,
    REQUEST,
    RULE,
    STEP,
    SYSTEM,
    Figure,
    Figures,
    figures_in,
    landed,
    outcomes,
    together,
)
from ludb.model.run import Run, RunState
from ludb.ports.figures import ChunkTime
from ludb.project import registry
from ludb.server import sums
from ludb.server.lookup import known_run
from ludb.server.reading import ReadRoute
from ludb.server.rules import rule
from ludb.server.shapes.figures import (
    ChunkTimeShape,
    FigureOfRunShape,
    FiguresAtShape,
    FigureShape,
    FiguresShape,
    HealthOfSystemShape,
    LoadShape,
    StragglersShape,
    SystemFigureShape,
)
from ludb.server.shaping import flat
from ludb.server.world import AnyWorld, World
from ludb.service.activity import living

router = APIRouter(prefix="/api/v1", tags=["runs"], route_class=ReadRoute)
STUCK, PATIENCE = 4.0, 10.0
"""A chunk is stuck that is held for so many times the typical time, and for so many seconds."""
NEWEST = 20
"""Runs of a job that tell how its systems do."""
ROLES = {registry.SOURCES: "source", registry.TARGETS: "target", registry.CALL_TARGETS: "calls"}
GOING = (RunState.RUNNING, RunState.PAUSED, RunState.STOPPING)
_KINDS = {PHASE: "phases", STEP: "steps", RULE: "rules", SYSTEM: "systems"}
_MET = ("circuit.open", "circuit.closed", "target.away")


@router.get("/runs/{run}/figures", **rule(Role.VIEWER))
def figures(run: str, world: AnyWorld) -> FiguresShape:
    """Where the time of a run's workers went since it began, and what passed between them and each system."""
    found = known_run(world, run)
    noted = world.repository.figures.of([found.id]).get(found.id, {})
    alive = {one.id for one in living(world.site, found.id, "worker")}
    told = together([figures if owner in alive else landed(figures) for owner, figures in noted.items()])
    return FiguresShape(**_by_kind(told))


@router.get("/runs/{run}/figures/series", **rule(Role.VIEWER))
def figures_series(
    run: str, world: AnyWorld, since: Annotated[float, Query(ge=0, description="Only samples after this moment")] = 0.0
) -> list[FiguresAtShape]:
    """The same by second, over the whole run, in at most 720 samples at the moments of `/series`."""
    found = known_run(world, run)
    samples = world.repository.samples.of(found.id, since, rates=True)
    return [FiguresAtShape(at=one.at, span=one.span, **_by_kind(figures_in(one.rates))) for one in samples]


@router.get("/runs/{run}/load", **rule(Role.VIEWER))
def load(run: str, world: AnyWorld) -> list[LoadShape]:
    """How the work was spread over workers, the busiest first."""
    known = known_run(world, run)
    found = sums.load(world, known.id, world.counters(known.id))
    return [LoadShape(**{("worker" if name == "owner" else name): v for name, v in flat(one).items()}) for one in found]


@router.get("/runs/{run}/stragglers", **rule(Role.VIEWER))
def stragglers(run: str, world: AnyWorld, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> StragglersShape:
    """The slowest chunks, those that are stuck and those that wait, with the keys that they begin and end with."""
    found = known_run(world, run)
    counters = world.counters(found.id)
    looks = world.repository.figures
    slowest = sums.slowest(world, found.id, counters, limit)
    typical = sums.typical(world, found.id, counters)
    least = max(PATIENCE, STUCK * (typical or 0.0))
    stuck = [one for one in looks.held(found.id) if one.seconds > least][:limit]
    return StragglersShape(
        typical=typical, slowest=_times(slowest), stuck=_times(stuck), waiting=_times(looks.waiting(found.id, limit))
    )


@router.get("/systems/health", **rule(Role.VIEWER))
def health(world: AnyWorld, job: str | None = None) -> list[HealthOfSystemShape]:
    """How the systems of all jobs do, over the newest 20 runs of each."""
    entries = [one for one in world.catalogue.all() if one.job is not None and job in {None, one.name}]
    return [shape for entry in entries if entry.job for shape in _of_job(world, entry.name, entry.job.systems)]


def _of_job(world: World, job: str, systems: Any) -> list[HealthOfSystemShape]:
    runs = [run for _, run in world.repository.pages.runs(job=job, limit=NEWEST)]
    noted = world.repository.figures.of([run.id for run in runs])
    sums = {run.id: together(list(noted.get(run.id, {}).values())) for run in runs}
    away = _away(world, [run for run in runs if run.state in GOING])
    return [_health(job, one, runs, sums, away) for one in systems.values()]


def _health(
    job: str, system: Any, runs: list[Run], sums: dict[str, dict[tuple[str, str], Figure]],
    away: dict[str, tuple[float, str]],
) -> HealthOfSystemShape:  # fmt: skip
    place = (SYSTEM, system.name)
    touched = [run for run in runs if place in sums[run.id]]
    whole = together([{place: sums[run.id][place]} for run in touched]).get(place)
    since, error = away.get(system.name, (None, ""))
    last = touched[0] if touched else None
    return HealthOfSystemShape(
        job=job, name=system.name, type=system.type, roles=sorted(ROLES.get(role, role) for role in system.roles),
        state="away" if since is not None else "ok" if touched else "unused", since=since, error=error,
        runs=len(touched), last_run=last.id if last else None,
        last_at=(last.ended_at or last.started_at) if last else None,
        figure=_shape(system.name, whole) if whole else None,
        of_runs=[
            FigureOfRunShape(**_shape(run.id, sums[run.id][place]).model_dump(), started_at=run.started_at)
            for run in touched
        ],
    )  # fmt: skip


def _away(world: World, going: list[Run]) -> dict[str, tuple[float, str]]:
    """Systems that the newest word of a run that goes on calls away: since when, and why."""
    found: dict[str, tuple[float, str]] = {}
    for run in going:
        for _, at, event in reversed(world.repository.overview.named(run.id, _MET, 50)):
            if event.name == "circuit.closed":
                found = {name: told for name, told in found.items() if not told[1].startswith(run.id)}
            else:
                found.setdefault(_system(event), (at, f"{run.id}: {event.data.get('error', '')}"))
    return found


def _system(event: Event) -> str:
    return str(event.data.get("system") or event.data.get("target") or "")


def _by_kind(found: Figures) -> dict[str, Any]:
    told: dict[str, list[FigureShape]] = {kind: [] for kind in _KINDS.values()}
    for (kind, name), figure in sorted(found.items()):
        if kind in _KINDS:
            shape = _shape(name, figure)
            told[_KINDS[kind]].append(_called(shape, found) if kind == SYSTEM else shape)
    return told


def _called(shape: FigureShape, found: Figures) -> SystemFigureShape:
    return SystemFigureShape(
        **shape.model_dump(), requests=outcomes(found, REQUEST, shape.name), calls=outcomes(found, CALL, shape.name),
        in_flight=found.get((FLYING, shape.name), Figure()).count,
    )  # fmt: skip


def _shape(name: str, figure: Figure) -> FigureShape:
    return FigureShape(
        name=name, count=figure.count, seconds=figure.seconds, rows=figure.rows, p50=figure.quantile(0.5),
        p95=figure.quantile(0.95), sent=figure.sent, received=figure.received, throttled=figure.throttled,
        failed=figure.failed, waited=figure.waited, latencies=list(figure.latencies),
    )  # fmt: skip


def _times(found: Iterable[ChunkTime]) -> list[ChunkTimeShape]:
    return [ChunkTimeShape(**flat(one)) for one in found]
