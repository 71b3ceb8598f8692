"""Windows: when runs of a job may work."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.setup import WINDOW, Entry
from ludb.server.lookup import known_job, known_run
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.people import Asked
from ludb.server.world import AnyWorld, World
from ludb.service.windows import fits, gate_for, window_of

router = APIRouter(prefix="/api/v1", tags=["windows"], route_class=ReadRoute)
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["22:00"])]
Zone = Annotated[str, Field(max_length=100, examples=["Europe/Berlin"])]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class SpanShape(Asked):
    """From `begin` until `end`, of the next day where that is not later; `days` are those on which it begins."""

    begin: Clock
    end: Clock
    days: list[Day] | None = Field(None, min_length=1, description="Null: every day")


Spans = Annotated[list[SpanShape], Field(min_length=1, max_length=50)]


class WindowAsked(Asked):
    """Runs of `job` work only within `spans` of the time zone."""

    name: str = Field(min_length=1, max_length=100, examples=["nights"])
    job: str = Field(max_length=190, examples=["telco"])
    zone: Zone = "UTC"
    spans: Spans
    enabled: bool = True


class WindowChange(Asked):
    """What is to change of a window; fields that are left out stay."""

    name: str | None = Field(None, min_length=1, max_length=100, examples=["nights"])
    zone: Zone | None = None
    spans: Spans | None = None
    enabled: bool | None = None


class WindowShape(BaseModel):
    """A window. Several of one job add up."""

    id: str
    name: str
    job: str
    zone: str
    spans: list[SpanShape]
    enabled: bool
    changed_by: str
    changed_at: float


class GateShape(BaseModel):
    """Whether a run may work now. `windows` is empty where its job has none; then it always may."""

    windows: list[str] = Field(examples=[["nights"]])
    zone: str
    open: bool
    opens_at: float | None = Field(None, description="When it opens, while it is shut")
    closes_at: float | None = Field(None, description="When it closes, while it is open")
    fits: Literal["yes", "no", "unsure"] | None = Field(
        None, description="Whether the range for the end lies before `closes_at`; unsure where that lies inside it"
    )


@router.get("/windows", **rule(Role.VIEWER))
def windows(world: AnyWorld) -> list[WindowShape]:
    """All windows."""
    return [_shape(one) for one in world.repository.setup.all(WINDOW)]


@router.post("/windows", status_code=201, **rule(Role.EDITOR))
def add_window(asked: WindowAsked, world: AnyWorld, caller: AnyCaller) -> WindowShape:
    """Have runs of a job work only at some times: they pause and go on by themselves, started by whomever."""
    known_job(world, asked.job)
    return _keep(world, caller, uuid.uuid4().hex[:12], asked.model_dump(mode="json"), None)


@router.patch("/windows/{window}", **rule(Role.EDITOR))
def change_window(window: str, asked: WindowChange, world: AnyWorld, caller: AnyCaller) -> WindowShape:
    """Change a window, or switch it on or off; in force within seconds."""
    before = _known(world, window)
    after = {**before.data, **asked.model_dump(mode="json", exclude_none=True)}
    return _keep(world, caller, before.id, after, before.data)


@router.delete("/windows/{window}", status_code=204, **rule(Role.EDITOR))
def remove_window(window: str, world: AnyWorld, caller: AnyCaller) -> None:
    """Remove a window: runs that waited for it go on."""
    before = _known(world, window)
    world.repository.setup.take(WINDOW, before.id)
    world.note(caller.name, caller.address, "window.remove", before.id, before=before.data)


@router.get("/runs/{run}/window", **rule(Role.VIEWER))
def window_of_run(run: str, world: AnyWorld) -> GateShape:
    """Whether the run may work now, until when, and whether it will be done by then."""
    found, now = known_run(world, run), world.now()
    gate = gate_for(world.repository, found, now)
    told = None
    if gate.closes_at is not None and found.ended_at is None:
        pending = world.repository.views.counters(found.id).pending
        told = fits(gate, world.forecasts.of(world.repository, found, pending, now), now)
    return GateShape(
        windows=list(gate.names), zone=gate.zone, open=gate.open, opens_at=gate.opens_at, closes_at=gate.closes_at,
        fits=told,
    )  # fmt: skip


def _keep(
    world: World, caller: AnyCaller, number: str, data: Mapping[str, object], before: Mapping[str, object] | None
) -> WindowShape:
    window_of(Entry(WINDOW, number, data))
    made = world.repository.setup.put(WINDOW, number, data, caller.name)
    what = "window.add" if before is None else "window.change"
    world.note(caller.name, caller.address, what, number, before=before or {}, after=data)
    return _shape(made)


def _known(world: World, window: str) -> Entry:
    found = world.repository.setup.get(WINDOW, window)
    if found is None:
        raise Problem(404, "not-found", "there is no such window", remedy="See GET /api/v1/windows")
    return found


def _shape(entry: Entry) -> WindowShape:
    return WindowShape(id=entry.id, changed_by=entry.by, changed_at=entry.at, **dict(entry.data))
