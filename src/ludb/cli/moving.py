"""Commands that prepare and move: check, plan, run, worker."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ludb.cli import options
from ludb.cli.console import err, out, to_json

if TYPE_CHECKING:
    from ludb.service.runs import Started
    from ludb.service.site import Site


def check(job: options.Job, state: options.State = None, json: options.Json = False) -> None:
    """Read the job and say what is wrong with it; touches no system."""
    import os

    from ludb.project.folder import read_job
    from ludb.project.load import load_migration
    from ludb.service.site import state_directory

    folder = read_job(job, os.environ)
    migration = load_migration(
        folder.folder, environment=os.environ, state=state_directory(state, job, os.environ), reference={},
        parameters={spec.name: spec.default for spec in folder.job.parameters},
    )  # fmt: skip
    migration.close()
    steps = sum(len(one.steps) for one in migration.folders)
    if json:
        out.print_json(to_json({"job": folder.job.name, "version": folder.job.version, "steps": steps, "ok": True}))
    else:
        out.print(
            f"{folder.job.name} {folder.job.version}: {steps} steps, {len(folder.job.outputs)} outputs, no mistakes found"
        )


def plan(
    job: options.Job,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    json: options.Json = False,
) -> None:
    """Show what a run would move: units, chunks, columns, orphans, what is unread or unfilled. Moves nothing."""
    from ludb.cli.render import render_plan
    from ludb.service.runs import plan_run
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job)
    planned = plan_run(site, job, options.parameters(param))
    planned.migration.close()
    if json:
        out.print_json(to_json(plan_facts(planned)))
    else:
        render_plan(out, planned)


def plan_facts(planned: object) -> dict[str, object]:
    """A plan as plain values, for `--json`."""
    from ludb.service.runs import Planned

    assert isinstance(planned, Planned)
    columns = {
        table: [{"name": c.name, "native": c.native, "carried_as": str(c.type), "nullable": c.nullable} for c in found]
        for table, found in planned.survey.columns.items()
    }
    size = planned.job.job.settings.chunk_units
    return {
        "job": planned.run.job, "instance": planned.run.instance, "version": planned.run.version,
        "units": planned.run.units, "chunks": -(-planned.run.units // size), "moved_before": planned.units.moved_before,
        "rows": planned.run.counts, "orphans": planned.run.notes["orphans"], "columns": columns,
        "unread": planned.preflight.unread, "unfilled": planned.preflight.unfilled,
    }  # fmt: skip


def run(
    job: options.Job,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    workers: Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Workers [default: the job's].")] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Go on although the unit, key maps or systems have changed.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Move the job's units, or go on where the last run of it stopped. Ctrl-C stops after the chunks in flight."""
    from ludb.service.runs import start
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job)
    started = start(site, job, options.parameters(param), accept_change=accept_change)
    sys.exit(_supervise(site, started, workers, json=json))


def go_on(site: Site, run_id: str, folder: Path, *, json: bool) -> None:
    """Move on with a run whose units became pending again; exits with the run's code."""
    from ludb.service.runs import resume

    sys.exit(_supervise(site, resume(site, run_id, folder), None, json=json))


def _supervise(site: Site, started: Started, workers: int | None, *, json: bool) -> int:
    """Hold the run until it has ended; returns the exit code."""
    from ludb.cli.progress import Progress
    from ludb.cli.render import render_summary
    from ludb.launchers.local import LocalLauncher
    from ludb.service.summary import exit_code, summarize
    from ludb.service.supervisor import Supervisor

    progress = Progress(err, site, started.run, quiet=json)
    arguments = ["--state", str(site.state), "--repository", site.repository_url]
    wanted = workers or int(str(started.run.settings.get("workers", 2)))
    lease = float(str(started.run.settings.get("lease", 60)))
    supervisor = Supervisor(
        site, started.run, LocalLauncher(site.logs(started.run.id)), wanted, lease, arguments, progress.tick
    )
    presses: list[int] = []

    def interrupted(number: int, frame: FrameType | None) -> None:
        del number, frame
        presses.append(1)
        if len(presses) == 1:
            err.print("stopping after the chunks in flight; press Ctrl-C again to stop at once")
            supervisor.stop(site.actor)
        else:
            supervisor.kill()

    previous = signal.signal(signal.SIGINT, interrupted)
    try:
        progress.start(started)
        ended = supervisor.supervise()
    finally:
        signal.signal(signal.SIGINT, previous)
        progress.close()
        started.lock.release()
    summary = summarize(site, ended.id)
    if json:
        out.print_json(to_json(summary))
    else:
        render_summary(out, summary)
    return 130 if len(presses) > 1 else exit_code(ended, summary.counters)


def worker(
    run_id: Annotated[str, typer.Option("--run", help="The run to work on.")],
    state: options.State = None,
    repository: options.Repository = None,
) -> None:
    """Work on a run until it has ended, paused or stopped. Started by the supervisor."""
    from ludb.service.site import open_site
    from ludb.service.worker_process import run_worker

    # Stopping is a row in the repository, never a signal: a terminal's Ctrl-C must not end a chunk in the middle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    site = open_site(state=state or Path.cwd() / ".ludb", repository=repository)
    run_worker(site, run_id)
