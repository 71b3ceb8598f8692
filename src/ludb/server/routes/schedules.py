"""Schedules: when jobs start by themselves."""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field

from ludb.model.access import Role
from ludb.model.schedules import Kind, Schedule
from ludb.server.accounts import refuse_address
from ludb.server.lookup import known_job
from ludb.server.passwords import same, sha_of
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, address_of, rule
from ludb.server.shapes.commands import Parameters, SelectionAsked
from ludb.server.shapes.people import Asked
from ludb.server.timekeeper import Timekeeper
from ludb.server.world import AnyWorld, World
from ludb.service.alerts_rules import NOT_STARTED
from ludb.service.scheduling import planned

router = APIRouter(prefix="/api/v1", tags=["schedules"], route_class=ReadRoute)
BEGINS = "ludbhook_"
"""What every secret of a webhook begins with."""
Spec = Annotated[
    str,
    Field(
        min_length=1, max_length=190, examples=["0 22 * * 5"],
        description=(
            "cron: an expression; once: a moment such as 2026-01-31T22:00; after: the other job's name; "
            "file: a path whose name may be a pattern; webhook: nothing"
        ),
    ),
]  # fmt: skip


class ScheduleAsked(Asked):
    """When to start which job, with what."""

    name: str = Field(min_length=1, max_length=100, examples=["weekend wave"])
    job: str = Field(max_length=190, examples=["telco"])
    kind: Kind
    spec: Spec | None = None
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
    """A schedule. `note` says why the last start did not come about, or why it is switched off."""

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
    secret: str | None = Field(None, description="What a webhook sends as `X-Ludb-Token`; shown this once")


class FireAsked(Asked):
    """What a start gets beside what the schedule says."""

    parameters: Parameters = Field(default_factory=dict, examples=[{"region": "north"}])


class FiredShape(BaseModel):
    """The task that starts the job."""

    task: str


@router.get("/schedules", **rule(Role.VIEWER))
def schedules(world: AnyWorld) -> list[ScheduleShape]:
    """All schedules, by name."""
    return [_shape(one) for one in world.repository.schedules.all()]


@router.post("/schedules", status_code=201, **rule(Role.EDITOR))
def add_schedule(asked: ScheduleAsked, world: AnyWorld, caller: AnyCaller) -> ScheduleShape:
    """Have a job started by itself, in the name of whoever asks."""
    entry = known_job(world, asked.job)
    if (asked.spec is None) is not (asked.kind is Kind.WEBHOOK):
        raise Problem(422, "invalid", "every kind but webhook has a spec, and webhook has none", where="body.spec")
    secret = BEGINS + world.secret() if asked.kind is Kind.WEBHOOK else None
    spec = sha_of(secret) if secret else str(asked.spec)
    arguments = asked.model_dump(mode="json", include={"parameters", "selection", "workers"}, exclude_none=True)
    schedule = Schedule(
        uuid.uuid4().hex[:12], asked.name, entry.name, asked.kind, spec, asked.zone, caller.name, arguments,
        asked.enabled,
    )  # fmt: skip
    _refuse_itself(schedule)
    made = world.repository.schedules.add(_to_come(planned(schedule, world.now()), world))
    world.note(caller.name, caller.address, "schedule.add", made.id, after=_told(made))
    return _shape(made).model_copy(update={"secret": secret})


@router.patch("/schedules/{schedule}", **rule(Role.EDITOR))
def change_schedule(schedule: str, asked: ScheduleChange, world: AnyWorld, caller: AnyCaller) -> ScheduleShape:
    """Change a schedule, or switch it on or off; it is whoever changes it who starts its runs from now on."""
    before = _known(world, schedule)
    if asked.spec is not None and before.kind is Kind.WEBHOOK:
        raise Problem(422, "invalid", "a webhook has no spec", where="body.spec", remedy="Ask for another secret")
    changed = replace(before, owner=caller.name, note="", **asked.model_dump(exclude_none=True))
    if asked.spec is not None:
        changed = replace(changed, last_at=None)
    if asked.spec is not None or (changed.enabled and not before.enabled):
        changed = replace(changed, created_at=world.now())  # what came before is not what it waits for now
    _refuse_itself(changed)
    after = _to_come(planned(changed, world.now()), world)
    world.repository.schedules.change(after)
    world.note(caller.name, caller.address, "schedule.change", after.id, before=_told(before), after=_told(after))
    return _shape(after)


@router.delete("/schedules/{schedule}", status_code=204, **rule(Role.EDITOR))
def remove_schedule(schedule: str, world: AnyWorld, caller: AnyCaller) -> None:
    """Remove a schedule; what it has started goes on."""
    before = _known(world, schedule)
    world.repository.schedules.remove(before.id)
    world.repository.alerts.end(before.id, NOT_STARTED)
    world.note(caller.name, caller.address, "schedule.remove", before.id, before=_told(before))


@router.post("/schedules/{schedule}/secret", **rule(Role.EDITOR))
def change_schedule_secret(schedule: str, world: AnyWorld, caller: AnyCaller) -> ScheduleShape:
    """Give a webhook another secret, shown this once; the old one opens nothing any more."""
    before = _known(world, schedule)
    if before.kind is not Kind.WEBHOOK:
        raise Problem(409, "conflict", "only a webhook has a secret")
    secret = BEGINS + world.secret()
    after = replace(before, spec=sha_of(secret), owner=caller.name)
    world.repository.schedules.change(after)
    world.note(caller.name, caller.address, "schedule.secret", after.id)
    return _shape(after).model_copy(update={"secret": secret})


@router.post("/schedules/{schedule}/fire", status_code=202, **rule("public"))
def fire_schedule(
    schedule: str, world: AnyWorld, request: Request, asked: FireAsked | None = None,
    token: Annotated[str, Header(alias="X-Ludb-Token", max_length=200)] = "",
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)] = None,
) -> FiredShape:  # fmt: skip
    """Start a job from outside, with the secret of its webhook as `X-Ludb-Token`; once for each `Idempotency-Key`."""
    address = address_of(request)
    door = refuse_address(world, address)
    found = world.repository.schedules.get(schedule)
    known = found if found is not None and found.kind is Kind.WEBHOOK else None
    if not same(known.spec if known is not None else "-", sha_of(token)) or known is None:
        world.repository.access.throttle.failed(door)
        world.note("", address, "schedule.fire", schedule[:100], outcome="refused")
        raise Problem(401, "unauthenticated", "there is no such webhook, or its secret is another one")
    if not known.enabled or world.catalogue.find(known.job) is None:
        raise Problem(409, "conflict", "the schedule is switched off, or this server does not have its job")
    slot = sha_of(key) if key is not None else uuid.uuid4().hex
    fired = Timekeeper(world).call(known, slot, (asked or FireAsked()).parameters)
    if not fired.enabled:
        raise Problem(409, "conflict", fired.note)
    return FiredShape(task=fired.last_task)


def _known(world: World, schedule: str) -> Schedule:
    found = world.repository.schedules.get(schedule)
    if found is None:
        raise Problem(404, "not-found", "there is no such schedule", remedy="See GET /api/v1/schedules")
    return found


def _refuse_itself(schedule: Schedule) -> None:
    if schedule.kind is Kind.AFTER and schedule.spec == schedule.job:
        raise Problem(
            422, "invalid", "a job that is started after itself would never end", where="body.spec",
            remedy="Name another job, or give a cron expression",
        )  # fmt: skip


def _to_come(schedule: Schedule, world: World) -> Schedule:
    """The schedule, unless its one moment is over: nobody would know whether it is still meant."""
    late = schedule.next_at is not None and schedule.next_at < world.now()
    if schedule.kind is Kind.ONCE and schedule.enabled and late:
        raise Problem(
            422, "invalid", f"{schedule.spec} in {schedule.zone} is over", where="body.spec",
            remedy="Give a moment that is to come, or start the job at once",
        )  # fmt: skip
    return schedule


def _told(schedule: Schedule) -> dict[str, object]:
    names = ("name", "job", "kind", "spec", "zone", "enabled", "owner")
    hidden = {"spec"} if schedule.kind is Kind.WEBHOOK else set()
    return {name: str(getattr(schedule, name)) for name in names if name not in hidden}


def _shape(schedule: Schedule) -> ScheduleShape:
    hidden = {"spec": ""} if schedule.kind is Kind.WEBHOOK else {}
    return ScheduleShape(**{**asdict(schedule), **hidden})
