"""Schedules: when jobs start by themselves."""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.schedules import Kind, Schedule
from ludb.server.lookup import known_job
from ludb.server.problems import Problem
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.commands import Parameters, SelectionAsked
from ludb.server.shapes.people import Asked
from ludb.server.world import AnyWorld, World
from ludb.service.scheduling import planned

router = APIRouter(prefix="/api/v1", tags=["schedules"])
Spec = Annotated[
    str,
    Field(
        min_length=1, max_length=190, examples=["0 22 * * 5"],
        description="cron: an expression; once: a moment such as 2026-01-31T22:00; after: the other job's name",
    ),
]  # fmt: skip


class ScheduleAsked(Asked):
    """When to start which job, with what."""

    name: str = Field(min_length=1, max_length=100, examples=["weekend wave"])
    job: str = Field(max_length=190, examples=["telco"])
    kind: Kind
    spec: Spec
    zone: str = Field("UTC", max_length=100, examples=["Europe/Berlin"])
    parameters: Parameters = Field(default_factory=dict)
    selection: SelectionAsked | None = None
    workers: int | None = Field(None, ge=1, le=1024)
    enabled: bool = True


class ScheduleChange(Asked):
    """What is to change of a schedule; fields that are left out stay."""

    name: str | None = Field(None, min_length=1, max_length=100, examples=["weekend wave"])
    spec: Spec | None = None
    zone: str | None = Field(None, max_length=100)
    enabled: bool | None = None


class ScheduleShape(BaseModel):
    """A schedule. `note` says why the last slot was left out, or why it is switched off."""

    id: str
    name: str
    job: str
    kind: Kind
    spec: str
    zone: str
    owner: str
    arguments: dict[str, Any]
    enabled: bool
    created_at: float
    next_at: float | None
    last_at: float | None
    last_task: str
    note: str


@router.get("/schedules", **rule(Role.VIEWER))
def schedules(world: AnyWorld) -> list[ScheduleShape]:
    """All schedules, by name."""
    return [_shape(one) for one in world.repository.schedules.all()]


@router.post("/schedules", status_code=201, **rule(Role.EDITOR))
def add_schedule(asked: ScheduleAsked, world: AnyWorld, caller: AnyCaller) -> ScheduleShape:
    """Have a job started by itself, in the name of whoever asks."""
    entry = known_job(world, asked.job)
    arguments = asked.model_dump(mode="json", include={"parameters", "selection", "workers"}, exclude_none=True)
    schedule = Schedule(
        uuid.uuid4().hex[:12], asked.name, entry.name, asked.kind, asked.spec, asked.zone, caller.name, arguments,
        asked.enabled,
    )  # fmt: skip
    made = world.repository.schedules.add(planned(schedule, world.now()))
    world.note(caller.name, caller.address, "schedule.add", made.id, after=_told(made))
    return _shape(made)


@router.patch("/schedules/{schedule}", **rule(Role.EDITOR))
def change_schedule(schedule: str, asked: ScheduleChange, world: AnyWorld, caller: AnyCaller) -> ScheduleShape:
    """Change a schedule, or switch it on or off; it is whoever changes it who starts its runs from now on."""
    before = _known(world, schedule)
    changed = replace(before, owner=caller.name, note="", **asked.model_dump(exclude_none=True))
    if asked.spec is not None:
        changed = replace(changed, last_at=None)
    after = planned(changed, world.now())
    world.repository.schedules.change(after)
    world.note(caller.name, caller.address, "schedule.change", after.id, before=_told(before), after=_told(after))
    return _shape(after)


@router.delete("/schedules/{schedule}", status_code=204, **rule(Role.EDITOR))
def remove_schedule(schedule: str, world: AnyWorld, caller: AnyCaller) -> None:
    """Remove a schedule; what it has started goes on."""
    before = _known(world, schedule)
    world.repository.schedules.remove(before.id)
    world.note(caller.name, caller.address, "schedule.remove", before.id, before=_told(before))


def _known(world: World, schedule: str) -> Schedule:
    found = world.repository.schedules.get(schedule)
    if found is None:
        raise Problem(404, "not-found", "there is no such schedule", remedy="See GET /api/v1/schedules")
    return found


def _told(schedule: Schedule) -> dict[str, object]:
    names = ("name", "job", "kind", "spec", "zone", "enabled", "owner")
    return {name: str(getattr(schedule, name)) for name in names}


def _shape(schedule: Schedule) -> ScheduleShape:
    return ScheduleShape(**asdict(schedule))
