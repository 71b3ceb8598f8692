"""Steering a run that goes on: what a person may ask, put as a row, and what each asks for. CLI and API share this."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ludb.dialects.settings import CallSystemSettings
from ludb.engine.liveness import AT_WORK, lock_is_free
from ludb.errors import ConfigError, ConfigErrors
from ludb.model.events import Event
from ludb.model.run import Owner, Run, RunState
from ludb.model.steering import MOST_IN_FLIGHT, MOST_UNITS, MOST_WORKERS, Command, Live, per_second
from ludb.project import registry
from ludb.project.folder import JobFolder
from ludb.service.holding import is_held
from ludb.service.site import Site
from ludb.service.windows import gate_for, pause_of, words

PAUSE, RESUME, STOP, SET, DECLARE_DEAD = "pause", "resume", "stop", "set", "declare-dead"
"""The commands, by the names under which they are kept."""
ALLOWED = {
    PAUSE: frozenset({RunState.RUNNING, RunState.PAUSED}),
    RESUME: frozenset({RunState.PAUSED}),
    STOP: frozenset({RunState.RUNNING, RunState.PAUSED, RunState.STOPPING}),
    SET: frozenset(
        {RunState.PLANNED, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.STOPPED, RunState.FAILED}
    ),
}
"""The states of a run in which each command makes sense."""
LOOK_EVERY, LEAVING = 0.1, 10.0
"""Seconds between two looks for an answer; seconds in which whoever holds a run that has ended lets go of it."""
OVER = frozenset({RunState.STOPPED, RunState.FAILED, RunState.COMPLETED, RunState.EXCEPTIONS})
"""States in which nobody takes commands any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that was put. `held`: a supervisor will carry it out; else it was carried out at once. `outcome` is None
    until then.
    """

    run: Run
    number: int
    held: bool
    outcome: str | None = None


def job_settings(job: JobFolder) -> dict[str, object]:
    """What a run keeps of its job's settings: what `set` starts from, and the systems that it may name."""
    calls = {}
    for name, entry in sorted(job.systems.items()):
        own = entry.settings.get(registry.CALL_TARGETS)
        if isinstance(own, CallSystemSettings):
            calls[name] = {"pace": None if own.pace is None else f"{own.pace:g}/s", "in_flight": own.in_flight}
    settings = job.job.settings
    return {
        "chunk_units": settings.chunk_units, "workers": settings.workers, "lease": settings.lease, "calls": calls,
    }  # fmt: skip


def pause(site: Site, run_id: str) -> Asked:
    """Let the chunks in flight end, then let the workers go; the run waits for `resume`."""
    return ask(site, run_id, PAUSE)


def stop(site: Site, run_id: str, *, now: bool = False) -> Asked:
    """End the run after the chunks in flight, or `now`: chunks that are not decided are given back. `ConfigError` if
    nobody is at work.
    """
    run = site.repository.runs.get(run_id)
    if not at_work(site, run.id) and run.state is not RunState.PAUSED:
        raise ConfigError(f"run {run.id} is {run.state} and nobody holds it: there is nothing to stop")
    return ask(site, run_id, STOP, {"now": True} if now else {})


def change_settings(site: Site, run_id: str, given: Mapping[str, str]) -> Asked:
    """Change live settings, by name (`workers`, `chunk`, `<system>.pace`, `<system>.in_flight`). `ConfigErrors` names every
    name and value that cannot be, and what can.
    """
    run = site.repository.runs.get(run_id)
    return ask(site, run_id, SET, checked(run, given))


def checked(run: Run, given: Mapping[str, str]) -> dict[str, object]:
    """The values as they are kept. `ConfigErrors` as above."""
    live = Live.of(run.settings)
    kinds = {"workers": MOST_WORKERS, "chunk": MOST_UNITS}
    kinds |= {f"{system}.in_flight": MOST_IN_FLIGHT for system in live.calls}
    paces = [f"{system}.pace" for system in live.calls]
    known = ", ".join(
        [*(f"{name} (1 to {most})" for name, most in kinds.items()), *(f"{p} (100/s, 6000/m, 1/h, off)" for p in paces)]
    )
    values: dict[str, object] = {}
    mistakes = []
    for name, text in given.items():
        if name in paces:
            try:
                per_second(text)
            except ValueError as error:
                mistakes.append(ConfigError(f"{name}={text}: {error}", remedy="Nothing was changed"))
            values[name] = text.strip().lower()
        elif name not in kinds:
            mistakes.append(ConfigError(f"run {run.id} has no setting {name!r}", remedy=f"It has {known}"))
        elif not (text.isascii() and text.isdigit() and 1 <= int(text) <= kinds[name]):
            mistakes.append(
                ConfigError(
                    f"{name}={text}: must be a whole number from 1 to {kinds[name]}", remedy="Nothing was changed"
                )
            )
        else:
            values[name] = int(text)
    if mistakes:
        raise ConfigErrors(mistakes) if len(mistakes) > 1 else mistakes[0]
    return values


def ask(site: Site, run_id: str, name: str, arguments: Mapping[str, object] | None = None) -> Asked:
    """Put a command. The run's supervisor carries it out; where there is none, it is carried out here. `ConfigError` for a
    run whose state leaves nothing to do.
    """
    run = site.repository.runs.get(run_id)
    if run.state not in ALLOWED[name]:
        raise ConfigError(f"run {run.id} is {run.state}: there is nothing to {name}")
    number = site.repository.commands.put(run.id, name, arguments or {}, site.actor)
    if at_work(site, run.id, "supervisor"):
        return Asked(run, number, held=True)
    command = next(one for one in site.repository.commands.recent(run.id) if one.number == number)
    outcome = carry_out(site, run.id, command)
    if name == STOP:
        outcome = str(finish_stop(site, run.id).state) if not at_work(site, run.id) else outcome
    if not (name == STOP and command.arguments.get("now") and outcome == RunState.STOPPING):
        acknowledge(site, run.id, command, outcome)  # else the workers still have to see it
    return Asked(site.repository.runs.get(run.id), number, held=False, outcome=outcome)


def carry_out(site: Site, run_id: str, command: Command) -> str:
    """Do what a command asks for; returns what came of it, in words."""
    runs, by = site.repository.runs, {"pause": {"by": "person", "actor": command.actor}}
    try:
        if command.name == PAUSE:
            runs.change(run_id, RunState.PAUSED, f"paused by {command.actor}", by)
            return str(runs.adjust(run_id, by).state)  # one that paused by itself does not go on by itself any more
        if command.name == RESUME:
            return _resumed(site, run_id)
        if command.name == STOP:
            return _stopping(site, run_id, command)
        if command.name == SET:
            runs.adjust(run_id, {f"set.{name}": value for name, value in command.arguments.items()})
            return "done"
    except ConfigError as error:
        return str(error)
    return f"unknown command {command.name} {sorted(command.arguments)}"


def _resumed(site: Site, run_id: str) -> str:
    """The state of a paused run that was let go; outside its window it waits for that, no longer for a person."""
    run = site.repository.runs.get(run_id)
    gate = gate_for(site.repository, run, time.time())
    if gate.open or run.state is not RunState.PAUSED:
        return str(site.repository.runs.change(run_id, RunState.RUNNING).state)
    site.repository.runs.change(run_id, RunState.RUNNING)  # so that it may pause for another reason
    site.repository.runs.change(run_id, RunState.PAUSED, words(gate), pause_of(gate))
    return f"{RunState.PAUSED}: {words(gate)}"


def _stopping(site: Site, run_id: str, command: Command) -> str:
    """The state after a stop was asked for. `stop now` stays open until the run has stopped, which its last worker may
    write at any moment: between a look and a change too, hence the second look.
    """
    runs = site.repository.runs
    if runs.get(run_id).state is not RunState.STOPPED:
        try:
            return str(runs.change(run_id, RunState.STOPPING, f"stopped by {command.actor}").state)
        except ConfigError:
            if runs.get(run_id).state is not RunState.STOPPED:
                raise
    return str(RunState.STOPPED)


def told(arguments: Mapping[str, object]) -> str:
    """Arguments as they are typed."""
    return " ".join(f"{name}={value}" for name, value in arguments.items())


def acknowledge(site: Site, run_id: str, command: Command, outcome: str) -> None:
    """Keep what came of a command, as its row and as an event."""
    site.repository.commands.acknowledge(command.number, outcome)
    data = {"command": command.name, "by": command.actor, "outcome": outcome} | dict(command.arguments)
    site.repository.events.append(Event("command.done", run_id, "", "info", lasting=True, data=data))


def finish_stop(site: Site, run_id: str) -> Run:
    """All workers are gone: the run is stopped. What they left claimed is taken over when it goes on."""
    run = site.repository.runs.settle(run_id)
    return site.repository.runs.change(run_id, RunState.STOPPED) if run.state is RunState.STOPPING else run


def outcome_of(site: Site, asked: Asked, patience: float) -> str | None:
    """What came of a command, waiting for it; None if nothing has after `patience` seconds."""
    until = time.monotonic() + patience
    while asked.outcome is None:
        found = next((one for one in site.repository.commands.recent(asked.run.id) if one.number == asked.number), None)
        if found is not None and found.outcome is not None:
            return found.outcome
        if time.monotonic() > until:
            return None
        time.sleep(LOOK_EVERY)
    return asked.outcome


def held(site: Site, run_id: str) -> bool:
    """Whether somebody holds the run and takes commands. Whoever holds one that has ended is about to leave: that is waited for,
    so that a run can be resumed in the moment in which it has stopped.
    """
    run = site.repository.runs.get(run_id)
    until = time.monotonic() + LEAVING
    while at_work(site, run.id, "supervisor") or (run.state in OVER and is_held(site, run.instance)):
        run = site.repository.runs.get(run_id)
        if run.state not in OVER or time.monotonic() > until:
            return True
        time.sleep(LOOK_EVERY)
    return False


def at_work(site: Site, run_id: str, role: str = "") -> list[Owner]:
    """Workers and supervisors of a run, or those of one role, that are not known to be dead."""
    owners = (owner for owner in site.repository.owners.all(run_id) if owner.state in AT_WORK)
    return [one for one in owners if role in {"", one.role} and not (one.host == site.host and lock_is_free(one.lock))]


def declare_dead(site: Site, run_id: str, owner_id: str) -> Owner:
    """Say that a worker or supervisor is dead, for good: its host is lost. Its chunks are given on; should it wake up, it
    is told and drops what it holds. `ConfigError` if there is no such owner, or if it is known to live or to have ended.
    """
    run = site.repository.runs.get(run_id)
    owners = {owner.id: owner for owner in site.repository.owners.all(run.id)}
    owner = owners.get(owner_id)
    if owner is None:
        names = ", ".join(one.id for one in owners.values() if one.state in AT_WORK) or "nobody"
        raise ConfigError(f"run {run.id} has no worker {owner_id}", remedy=f"At work are: {names}")
    if owner.state not in AT_WORK:
        raise ConfigError(f"{owner.role} {owner.id} is known to have {'ended' if owner.state == 'ended' else 'died'}")
    if owner.host == site.host and not lock_is_free(owner.lock):
        raise ConfigError(
            f"{owner.role} {owner.id} lives: process {owner.pid} of this host holds its lock",
            remedy=f"End it first: kill {owner.pid}",
        )
    number = site.repository.commands.put(run.id, DECLARE_DEAD, {"owner": owner.id}, site.actor)
    site.repository.owners.leave(owner.id, "dead")
    command = next(one for one in site.repository.commands.recent(run.id) if one.number == number)
    acknowledge(site, run.id, command, f"{owner.role} {owner.id} counts as dead")
    return owner
