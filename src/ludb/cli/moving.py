"""Commands that prepare and move: check, plan, run, worker."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from ludb.cli import options
from ludb.cli.console import answer, err, out

if TYPE_CHECKING:
    from ludb.service.runs import Started
    from ludb.service.site import Site
    from ludb.service.supervisor import Supervisor


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
        answer({"job": folder.job.name, "version": folder.job.version, "steps": steps, "ok": True})
    else:
        out.print(
            f"{folder.job.name} {folder.job.version}: {steps} steps, {len(folder.job.outputs)} outputs, no mistakes found"
        )


def plan(
    job: options.Job,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    where: options.Where = None,
    units: options.Units = None,
    only_quarantined: options.OnlyQuarantined = None,
    sample: options.Sample = None,
    seed: options.Seed = 0,
    limit: options.Limit = None,
    skip_missing: options.SkipMissing = False,
    json: options.Json = False,
) -> None:
    """Show what a run would move: units, chunks, columns, orphans, what is unread or unfilled. Moves nothing."""
    from ludb.cli.render import render_plan
    from ludb.service.planning import plan_run
    from ludb.service.site import open_site

    selection = options.selection(
        where=where, units=units, only_quarantined=only_quarantined, sample=sample, seed=seed, limit=limit,
        skip_missing=skip_missing,
    )  # fmt: skip
    site = open_site(state=state, repository=repository, folder=job)
    planned = plan_run(site, job, options.parameters(param), selection)
    planned.migration.close()
    if json:
        answer(plan_facts(planned))
    else:
        render_plan(out, planned)


def plan_facts(planned: object) -> dict[str, object]:
    """A plan as plain values, for `--json`."""
    from ludb.service.planning import Planned

    assert isinstance(planned, Planned)
    columns = {
        table: [{"name": c.name, "native": c.native, "carried_as": str(c.type), "nullable": c.nullable} for c in found]
        for table, found in planned.survey.columns.items()
    }
    size = planned.job.job.settings.chunk_units
    return {
        "job": planned.run.job, "instance": planned.run.instance, "version": planned.run.version,
        "units": planned.run.units, "chunks": -(-planned.run.units // size), "moved_before": planned.units.moved_before,
        "unselected": planned.units.unselected,
        "rows": planned.run.counts, "orphans": planned.run.notes["orphans"], "columns": columns,
        "refused": Counter(fault.reason for fault in planned.refused.values()),
        "unread": planned.preflight.unread, "unfilled": planned.preflight.unfilled,
    }  # fmt: skip


def run(
    job: options.Job,
    state: options.State = None,
    repository: options.Repository = None,
    param: options.Parameter = None,
    where: options.Where = None,
    units: options.Units = None,
    only_quarantined: options.OnlyQuarantined = None,
    sample: options.Sample = None,
    seed: options.Seed = 0,
    limit: options.Limit = None,
    skip_missing: options.SkipMissing = False,
    workers: Annotated[int | None, typer.Option("--workers", "-w", min=1, help="Workers [default: the job's].")] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Go on although the unit, key maps or systems have changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but write: nothing changes in any target, no call is sent.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Move the job's units, or go on where the last run of it stopped. Ctrl-C stops after the chunks in flight."""
    from ludb.service.dry_run import start_dry
    from ludb.service.runs import start
    from ludb.service.site import open_site

    selection = options.selection(
        where=where, units=units, only_quarantined=only_quarantined, sample=sample, seed=seed, limit=limit,
        skip_missing=skip_missing,
    )  # fmt: skip
    site = open_site(state=state, repository=repository, folder=job)
    err.print(f"reading {job} and its systems")
    if dry_run:
        site, started = start_dry(site, job, options.parameters(param), selection)
    else:
        started = start(site, job, options.parameters(param), selection, accept_change=accept_change)
    sys.exit(hold_run(site, started, workers, json=json))


def hold_run(site: Site, started: Started, workers: int | None, *, json: bool) -> int:
    """Supervise the run until it has ended, show what it did, and return the exit code."""
    from ludb.cli.progress import Progress
    from ludb.cli.report import render_summary
    from ludb.launchers.local import LocalLauncher
    from ludb.service.summary import exit_code, summarize
    from ludb.service.supervisor import Supervisor

    progress = Progress(err, site, started.run)
    told = {"LUDB_REPOSITORY": site.repository_url, "LUDB_KEYS_OF": site.keys_of}
    launcher = LocalLauncher(site.logs(started.run.id), told)
    wanted = workers or int(str(started.run.settings.get("workers", 2)))
    lease = float(str(started.run.settings.get("lease", 60)))
    supervisor = Supervisor(site, started.run, launcher, wanted, lease, ["--state", str(site.state)])
    keys = Interrupts(supervisor, site.actor)

    def tick() -> None:
        keys.obey()
        progress.tick()

    supervisor.tick = tick
    try:
        with keys:
            progress.start(started)
            ended = supervisor.supervise()
    finally:
        progress.close()
        started.lock.release()
    summary = summarize(site, ended.id)
    if json:
        answer(summary)
    else:
        render_summary(out, summary, site)
    return 130 if keys.presses > 1 else exit_code(ended, summary.counters)


class Interrupts:
    """Ctrl-C and SIGTERM while a run is held: the first stops it after the chunks in flight, the second at once, a third
    leaves this process at once.

    The signal handler only counts, since it may run in the middle of anything; `obey` acts, between two looks at the run.
    """

    def __init__(self, supervisor: Supervisor, actor: str) -> None:
        """Nothing was pressed yet."""
        self._supervisor, self._actor = supervisor, actor
        self.presses = 0
        self._obeyed = 0

    def __enter__(self) -> Self:
        """Listen."""
        self._previous = [(number, signal.signal(number, self._pressed)) for number in (signal.SIGINT, signal.SIGTERM)]
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the signals as they were."""
        for number, handler in self._previous:
            signal.signal(number, handler)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.presses += 1
        if self.presses > 2:
            raise KeyboardInterrupt

    def obey(self) -> None:
        """Do what was asked for since the last look."""
        if self.presses > self._obeyed == 0:
            err.print("stopping after the chunks in flight; press Ctrl-C again to stop at once")
            self._supervisor.stop(self._actor)
            self._obeyed = 1
        if self.presses > self._obeyed == 1:
            err.print("stopping at once; what was in flight is taken up again by the next `ludb run`")
            self._supervisor.kill()
            self._obeyed = 2


def stop(
    run_id: options.RunId = None,
    now: Annotated[bool, typer.Option("--now", help="Give chunks in flight back, unless they are decided.")] = False,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Ask the process that holds the run to stop it: after the chunks in flight, or now. `ludb run` goes on with it."""
    from ludb.cli.inspect import latest_run
    from ludb.service.runs import ask_to_stop
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    asked = ask_to_stop(site, latest_run(site, run_id), now=now)
    if json:
        answer({"run": asked.id, "asked": "stop", "now": now})
    else:
        out.print(f"asked {asked.id} to stop {'now' if now else 'after the chunks in flight'}")


def abandon(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run to give up.")],
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Give up a stopped or failed run: calls of units that are not done are taken back first."""
    from ludb.service.abandon import abandon as give_up
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    ended = give_up(site, run_id)
    counters = site.repository.views.counters(ended.id)
    if json:
        answer({"run": ended, "counters": counters})
    else:
        out.print(f"{ended.id} is abandoned: {counters.done} units stay moved, {counters.pending} were not moved")


def worker(
    run_id: Annotated[str, typer.Option("--run", help="The run to work on.")],
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Work on a run until it has ended, paused or stopped. Started by the supervisor."""
    from ludb.service.site import open_site
    from ludb.service.worker_process import run_worker

    # Stopping is a row in the repository, never a signal: a terminal's Ctrl-C must not end a chunk in the middle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    site = open_site(state=state or Path.cwd() / ".ludb", repository=repository)
    ended = run_worker(site, run_id)
    if json:
        answer({"run": ended})
