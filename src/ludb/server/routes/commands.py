"""Steering: commands that are in force within seconds, and tasks that take a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ludb.model.access import Role
from ludb.model.run import DONE_STATES, RunState
from ludb.model.steering import Command
from ludb.model.tasks import Task, TaskState
from ludb.server.errands import ABANDON, PURGE, RESUME, RETRY, START, put
from ludb.server.lookup import known_job, known_run
from ludb.server.once import Key, once
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.problems import Problem, refused_as
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, Caller, rule
from ludb.server.shapes.commands import (
    CommandShape,
    DeclareDeadAsked,
    PurgeAsked,
    ResumeAsked,
    RetryAsked,
    SetAsked,
    StartAsked,
    StopAsked,
    TaskShape,
)
from ludb.server.world import AnyWorld, World
from ludb.service import steering
from ludb.service.site import Site
from ludb.service.steering import Asked

router = APIRouter(prefix="/api/v1", tags=["commands"], route_class=ReadRoute)
PATIENCE = 2.0
"""Seconds that an answer waits to hear what came of a command."""


@router.post("/runs", status_code=202, response_model=TaskShape, **rule(Role.OPERATOR))
def start(asked: StartAsked, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None) -> JSONResponse:
    """Start a job's instance, or go on with it where it was. What came of it is told by the task."""
    entry = known_job(world, asked.job)
    if entry.job is None:
        raise Problem(409, "conflict", f"job {entry.name} does not load", remedy=f"See GET /api/v1/jobs/{entry.name}")
    if asked.selection and asked.selection.where is not None and not caller.role.covers(Role.EDITOR):
        raise Problem(
            403, "forbidden", "a condition is SQL on the source: it needs the role editor", where="body.selection"
        )
    arguments = asked.model_dump(exclude_none=True, exclude={"job"})
    return once(world, caller, request, key, asked, lambda: _put(world, caller, START, entry.name, "", arguments))


@router.post("/runs/{run}/pause", status_code=202, response_model=CommandShape, **rule(Role.OPERATOR))
def pause(run: str, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None) -> JSONResponse:
    """The chunks in flight end, then the workers go; the run waits for `resume`."""
    return _steer(world, caller, request, key, None, run, steering.pause)


@router.post("/runs/{run}/resume", status_code=202, response_model=TaskShape | CommandShape, **rule(Role.OPERATOR))
def resume(
    run: str, request: Request, world: AnyWorld, caller: AnyCaller, asked: ResumeAsked | None = None, key: Key = None
) -> JSONResponse:
    """Let a run go on: one that is held and paused at once (a command), any other by holding it anew (a task)."""
    found = known_run(world, run)
    if found.state not in steering.OVER and steering.at_work(world.site, found.id, "supervisor"):
        ask: Callable[[Site, str], Asked] = lambda site, one: steering.ask(site, one, steering.RESUME)  # noqa: E731
        return _steer(world, caller, request, key, asked, run, ask)
    if found.state is RunState.ABANDONED or found.state is RunState.COMPLETED:
        raise Problem(409, "conflict", f"run {found.id} is {found.state}: nothing is left to do")
    arguments = (asked or ResumeAsked()).model_dump(exclude_none=True)
    return once(world, caller, request, key, asked, lambda: _put(world, caller, RESUME, found.job, found.id, arguments))


@router.post("/runs/{run}/stop", status_code=202, response_model=CommandShape, **rule(Role.OPERATOR))
def stop(
    run: str, request: Request, world: AnyWorld, caller: AnyCaller, asked: StopAsked | None = None, key: Key = None
) -> JSONResponse:
    """End a run after the chunks in flight, or `now`: those that are not decided are given back. It can be resumed."""
    now = bool(asked and asked.now)
    return _steer(world, caller, request, key, asked, run, lambda site, one: steering.stop(site, one, now=now))


@router.patch("/runs/{run}/settings", status_code=202, response_model=CommandShape, **rule(Role.OPERATOR))
def change_settings(
    run: str, asked: SetAsked, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None
) -> JSONResponse:
    """Change workers, chunk size, pace and requests in flight while the run goes on. 422 names what cannot be."""
    found = known_run(world, run)
    given = {name: str(value) for name, value in asked.settings.items()}
    steering.checked(found, given)
    return _steer(world, caller, request, key, asked, run, lambda site, one: steering.change_settings(site, one, given))


@router.post("/runs/{run}/declare-dead", status_code=202, response_model=CommandShape, **rule(Role.OPERATOR))
def declare_dead(
    run: str, asked: DeclareDeadAsked, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None
) -> JSONResponse:
    """Say that a worker or supervisor is dead because its host is lost; its chunks are given to others."""

    def ask(site: Site, one: str) -> Asked:
        steering.declare_dead(site, one, asked.owner)
        newest = site.repository.commands.recent(one, 1)[0]
        return Asked(site.repository.runs.get(one), newest.number, held=False, outcome=newest.outcome)

    return _steer(world, caller, request, key, asked, run, ask)


@router.post("/runs/{run}/retry", status_code=202, response_model=TaskShape, **rule(Role.OPERATOR))
def retry(
    run: str, asked: RetryAsked, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None
) -> JSONResponse:
    """Make quarantined units pending again, with the job as it is in its folder now, and move them."""
    found = known_run(world, run)
    if steering.at_work(world.site, found.id, "supervisor"):
        raise Problem(409, "conflict", f"run {found.id} is held: its units are tried again once it has ended")
    if not world.repository.views.counters(found.id).quarantined:
        raise Problem(409, "conflict", f"run {found.id} has no quarantined unit")
    arguments = asked.model_dump(exclude_none=True)
    return once(world, caller, request, key, asked, lambda: _put(world, caller, RETRY, found.job, found.id, arguments))


@router.post("/runs/{run}/abandon", status_code=202, response_model=TaskShape, **rule(Role.OPERATOR))
def abandon(run: str, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None) -> JSONResponse:
    """Give up a stopped or failed run for good: calls of units that are not done are taken back first."""
    found = known_run(world, run)
    if found.state in DONE_STATES | {RunState.ABANDONED, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING}:
        raise Problem(409, "conflict", f"run {found.id} is {found.state}: only a stopped or failed run is given up")
    return once(world, caller, request, key, None, lambda: _put(world, caller, ABANDON, found.job, found.id, {}))


@router.post("/purge", status_code=202, response_model=TaskShape, **rule(Role.ADMIN))
def purge(asked: PurgeAsked, request: Request, world: AnyWorld, caller: AnyCaller, key: Key = None) -> JSONResponse:
    """Remove what old runs have left behind, or (`dry_run`) tell what would go. Who was moved, and every count, stays."""
    job = known_job(world, asked.job).name if asked.job else ""
    arguments = asked.model_dump(exclude_none=True, exclude={"job"})
    return once(world, caller, request, key, asked, lambda: _put(world, caller, PURGE, job, "", arguments))


@router.get("/runs/{run}/commands", **rule(Role.VIEWER))
def commands(run: str, world: AnyWorld, limit: Limit = 50) -> list[CommandShape]:
    """What people asked of a run, the newest first."""
    return [_command(run, one) for one in world.repository.commands.recent(known_run(world, run).id, limit)]


@router.get("/tasks", **rule(Role.VIEWER))
def tasks(
    world: AnyWorld, cursor: Cursor = None, limit: Limit = 50, state: TaskState | None = None, run: str | None = None
) -> Page[TaskShape]:
    """Tasks, the newest first."""
    found = world.repository.tasks.page(before=number(cursor), state=state, run=run, limit=limit + 1)
    return page_of(found, limit, _task, lambda one: one.number)


@router.get("/tasks/{task}", **rule(Role.VIEWER))
def task(task: str, world: AnyWorld) -> TaskShape:
    """One task."""
    found = world.repository.tasks.get(task)
    if found is None:
        raise Problem(404, "not-found", "there is no such task", remedy="See GET /api/v1/tasks")
    return _task(found)


def _put(world: World, caller: Caller, name: str, job: str, run: str, arguments: Mapping[str, object]) -> TaskShape:
    return _task(put(world, name, job, run, arguments, caller.name, caller.address))


def _steer(
    world: World, caller: Caller, request: Request, key: str | None, body: BaseModel | None, run: str,
    ask: Callable[[Site, str], Asked],
) -> JSONResponse:  # fmt: skip
    """Put a command under the caller's name, and wait a moment for what comes of it."""
    found = known_run(world, run)

    def do() -> CommandShape:
        with refused_as(409):
            asked = ask(world.site_of(caller.name), found.id)
        outcome = steering.outcome_of(world.site, asked, PATIENCE)
        recent = world.repository.commands.recent(found.id, 50)
        command = next(one for one in recent if one.number == asked.number)
        after = {"command": command.name, **command.arguments}
        world.note(
            caller.name, caller.address, f"run.{command.name}", found.id, outcome=outcome or "asked", after=after
        )
        return _command(found.id, command).model_copy(update={"held": asked.held, "outcome": outcome})

    return once(world, caller, request, key, body, do)


def _command(run: str, one: Command) -> CommandShape:
    return CommandShape(
        number=one.number, run=run, name=one.name, arguments=dict(one.arguments), by=one.actor, at=one.put_at,
        done_at=one.acknowledged_at, outcome=one.outcome,
    )  # fmt: skip


def _task(one: Task) -> TaskShape:
    shown = {key: value for key, value in one.arguments.items() if key not in {"keys", "selection"}}
    return TaskShape(
        id=one.id, name=one.name, job=one.job, run=one.run, state=one.state, by=one.actor, at=one.put_at,
        started_at=one.started_at, ended_at=one.ended_at, arguments=shown, outcome=dict(one.outcome),
    )  # fmt: skip
