"""Commands that steer a run while it goes on: pause, resume, stop, set, declare-dead."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.errors import ConfigError

if TYPE_CHECKING:
    from ludb.service.site import Site
    from ludb.service.steering import Asked

PATIENCE = 5.0
"""Seconds that a command waits to hear what came of it."""


def pause(
    run_id: options.RunId = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Pause a run: the chunks in flight end, then the workers go. `ludb resume` lets it go on."""
    from ludb.service import steering

    site, run = _found(run_id, job, state, repository)
    asked = steering.pause(site, run)
    _tell(site, asked, "pause", f"{asked.run.id} pauses after the chunks in flight", json=json)


def resume(
    run_id: options.RunId = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, max=1024, help="Workers [default: as set, else the job's].")
    ] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Go on although the unit, key maps or systems have changed.")
    ] = False,
    detached: options.Detach = False,
    json: options.Json = False,
) -> None:
    """Let a run go on: one that is held and paused at once, any other by holding it here (or, with --detach, by itself)."""
    from ludb.cli.holding import detach, hold_run
    from ludb.launchers.nursery import Nursery
    from ludb.service import steering
    from ludb.service.pinning import origin
    from ludb.service.runs import resume as go_on

    site, run = _found(run_id, job, state, repository)
    known = site.repository.runs.get(run)
    if steering.held(site, run):
        asked = steering.ask(site, run, steering.RESUME)
        _tell(site, asked, "resume", f"{run} goes on", json=json)
        return
    folder = job or origin(site, known)
    started = go_on(site, run, folder, accept_change=accept_change)
    if detached:
        sys.exit(detach(site, started, workers, json=json))
    sys.exit(hold_run(site, started, workers, Nursery(folder), json=json))


def stop(
    run_id: options.RunId = None,
    now: Annotated[bool, typer.Option("--now", help="Give chunks in flight back, unless they are decided.")] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Stop a run: after the chunks in flight, or now. `ludb run` or `ludb resume` goes on with it."""
    from ludb.service import steering

    site, run = _found(run_id, job, state, repository)
    asked = steering.stop(site, run, now=now)
    what = f"asked {asked.run.id} to stop {'now' if now else 'after the chunks in flight'}"
    # Stopping now is acknowledged when the run has stopped: nobody waits for that here.
    _tell(site, asked, "stop", what, json=json, patience=0.0 if now else PATIENCE)


def set_settings(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[RUN] NAME=VALUE...", help="The run [default: the newest], and what to change."),
    ],
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Change a run while it goes on: workers=4 chunk=500 SYSTEM.pace=100/s SYSTEM.in_flight=16."""
    from ludb.service import steering

    run_id, given = told_apart(words)
    site, run = _found(run_id, job, state, repository)
    asked = steering.change_settings(site, run, given)
    kept = "" if asked.held else ", kept for when it goes on"
    _tell(site, asked, "set", f"{asked.run.id}: {steering.told(given)}{kept}", json=json)


def declare_dead(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run.")],
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="The worker or supervisor, as `ludb status` names it.")],
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Say that a worker is dead because its host is lost: what it held, calls too, is given to others."""
    from ludb.service import steering

    site, run = _found(run_id, job, state, repository)
    dead = steering.declare_dead(site, run, owner)
    if json:
        answer({"run": run, "owner": dead})
    else:
        out.print(
            f"{dead.role} {dead.id} on {dead.host} counts as dead; its chunks are given to others", soft_wrap=True
        )


def _found(run_id: str | None, job: Path | None, state: Path | None, repository: str | None) -> tuple[Site, str]:
    from ludb.cli.inspect import latest_run
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    return site, latest_run(site, run_id, job)


def told_apart(words: list[str]) -> tuple[str | None, dict[str, str]]:
    """The run, if it is named, and what to set."""
    run_id = None if "=" in words[0] else words[0]
    return run_id, _pairs(words if run_id is None else words[1:])


def _pairs(words: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ConfigError(f"{word}: not name=value", remedy="Write ludb set RUN workers=4")
        given[name] = value
    if not given:
        raise ConfigError("nothing was given to be set", remedy="Write ludb set RUN workers=4")
    return given


def _tell(site: Site, asked: Asked, name: str, what: str, *, json: bool, patience: float = PATIENCE) -> None:
    """Wait for what comes of a command, and say it."""
    from ludb.service.steering import outcome_of

    outcome = outcome_of(site, asked, patience)
    told = {"run": asked.run.id, "asked": name, "command": asked.number, "held": asked.held, "outcome": outcome}
    tell(told, what, json=json, waited=bool(patience))


def tell(told: dict[str, object], what: str, *, json: bool, waited: bool) -> None:
    """Say what was asked, and what came of it so far."""
    if json:
        answer(told)
        return
    outcome = told["outcome"]
    out.print(what if outcome is None else f"{what}: {outcome}", soft_wrap=True, markup=False)
    if outcome is None and waited:
        err.print("nobody has acknowledged this yet; see `ludb status`")
