"""Commands that prepare and move: check, plan, run, worker."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ludb.cli import options
from ludb.cli.console import answer, err, out
from ludb.wording import plural


def check(
    job: options.Job,
    connect: Annotated[
        bool,
        typer.Option("--connect", help="Also look at every system, read-only: rights, tables, keys, prices, room."),
    ] = False,
    state: options.State = None,
    json: options.Json = False,
) -> None:
    """Read the job and say what is wrong with it; touches no system, unless it is to look at them."""
    import os

    from ludb.cli.render import render_findings
    from ludb.engine.modes import told as told_modes
    from ludb.project.folder import read_job
    from ludb.project.load import load_migration
    from ludb.service.described import described
    from ludb.service.examine import examine
    from ludb.service.site import open_scratch, state_directory

    place = state_directory(state, job, os.environ)
    folder = read_job(job, os.environ)
    migration = load_migration(
        folder.folder, environment=os.environ, state=place, reference={},
        parameters={spec.name: spec.default for spec in folder.job.parameters},
    )  # fmt: skip
    try:
        found = (
            examine(replace(open_scratch(os.environ), state=place), folder, migration)
            if connect
            else described(folder, migration)
        )
    finally:
        migration.close()
    steps = sum(len(one.steps) for one in migration.folders)
    modes = told_modes(folder.job, {})
    wrong = any(one.severity == "error" for one in found)
    if json:
        told = {"job": folder.job.name, "version": folder.job.version, "steps": steps, "ok": not wrong, "modes": modes}
        answer(told | {"findings": found})
    else:
        render_findings(out, found)
        verdict = "something stands in the way" if wrong else "no mistakes found"
        outputs = plural(len(folder.job.outputs), "output")
        out.print(f"{folder.job.name} {folder.job.version}: {plural(steps, 'step')}, {outputs}, {verdict}")
        for name, mode in modes.items():
            if mode != "insert":
                out.print(f"{name}: {mode}", soft_wrap=True)
    sys.exit(2 if wrong else 0)


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
        "unread": planned.preflight.unread, "unfilled": planned.preflight.unfilled, "modes": planned.preflight.modes,
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
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, max=1024, help="Workers [default: the job's].")
    ] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Go on although the unit, key maps or systems have changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but write: nothing changes in any target, no call is sent.")
    ] = False,
    detached: options.Detach = False,
    json: options.Json = False,
) -> None:
    """Move the job's units, or go on where the last run of it stopped. Ctrl-C stops after the chunks in flight."""
    from ludb.cli.app import main
    from ludb.cli.holding import import_for_workers
    from ludb.launchers.nursery import Nursery

    # First of all, while this process has no threads, and nothing open that its workers must not have.
    with Nursery.twin(lambda: import_for_workers(job), main) if not detached else nullcontext() as nursery:
        from ludb.cli.holding import detach, hold_run
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
        if nursery is None:
            sys.exit(detach(site, started, workers, json=json))
        sys.exit(hold_run(site, started, workers, nursery, json=json))


def abandon(
    run_id: options.RunId = None,
    job: options.JobFolder = None,
    state: options.State = None,
    repository: options.Repository = None,
    json: options.Json = False,
) -> None:
    """Give up a stopped or failed run: calls of units that are not done are taken back first."""
    from ludb.cli.inspect import latest_run
    from ludb.service.abandon import abandon as give_up
    from ludb.service.site import open_site

    site = open_site(state=state, repository=repository, folder=job, create=False)
    ended = give_up(site, latest_run(site, run_id, job))
    counters = site.repository.views.counters(ended.id)
    if json:
        answer({"run": ended, "counters": counters})
    else:
        stay = plural(counters.done, "unit stays", "units stay")
        out.print(f"{ended.id} is abandoned: {stay} moved, {counters.pending:,} not moved")


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
