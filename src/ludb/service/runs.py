"""The use cases of a run's life: start, resume, retry. CLI, API and Airflow call these."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ludb.dialects.durable import file_name
from ludb.dialects.settings import DRY_RUNS
from ludb.engine.liveness import OwnerLock
from ludb.engine.plan import reflect
from ludb.engine.preflight import preflight
from ludb.engine.unit_list import UnitList
from ludb.errors import ConfigError
from ludb.model.run import DONE_STATES, Chunk, Run, RunState
from ludb.project.folder import JobFolder, read_job
from ludb.project.load import load_migration
from ludb.project.parameters import resolve_parameters
from ludb.project.places import placed
from ludb.service.hints import options_for
from ludb.service.holding import hold
from ludb.service.hooks import hooks_open
from ludb.service.orphans import kept_orphans
from ludb.service.overlap import check_retry
from ludb.service.pinning import pin
from ludb.service.planning import bound_place, instance_name, plan_run, texts_of
from ludb.service.restored import check_restored, mend_targets
from ludb.service.selection import EVERYTHING, Selection
from ludb.service.site import Site
from ludb.service.staging import STAGED, staged, takes_used
from ludb.service.steering import SET, job_settings

ALL = 1 << 31
"""A limit that leaves no run out."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is to be supervised now; `resumed` if it existed before. `lock` keeps others from starting it."""

    run: Run
    resumed: bool
    changed: bool
    lock: OwnerLock


def start(
    site: Site,
    folder: Path,
    given: Mapping[str, str],
    selection: Selection = EVERYTHING,
    *,
    accept_change: bool = False,
) -> Started:
    """Start the job's instance, or go on with it where it was. A selection is part of the instance.

    Hooks that a complete instance still has to do are done first. One with a selection starts anew with the units that are
    left (the next wave); one without is refused, naming what to change; a live one is refused naming its process.
    """
    _refuse_dry(site)
    job = read_job(folder, site.environment)
    parameters = resolve_parameters(job.job, given)
    instance = instance_name(job, parameters, selection)
    lock = hold(site, instance)
    try:
        run = _standing(site, job.job.name, instance)
        if run is not None and run.state in DONE_STATES and hooks_open(site, run.id):
            return _end_hooks(site, run, folder, lock)
        if run is not None and run.state in DONE_STATES and not selection:
            _refuse_complete(site, run, job)
        if run is not None and run.state not in DONE_STATES:
            _refuse_other_values(site, run, parameters, given)
            return _resume(site, run, folder, lock, accept_change=accept_change)
        run = _create(site, folder, given, selection, job.job.name)
        return Started(_go(site, run, ""), resumed=False, changed=False, lock=lock)
    except BaseException:
        lock.release()
        raise


def _end_hooks(site: Site, run: Run, folder: Path, lock: OwnerLock) -> Started:
    """A complete run whose hooks afterwards failed or were interrupted: they are all that is left to do."""
    changed = repin(site, run, folder, accept_change=False)
    return Started(site.repository.runs.get(run.id), resumed=True, changed=changed, lock=lock)


def _refuse_other_values(site: Site, run: Run, parameters: Mapping[str, object], given: Mapping[str, str]) -> None:
    """A run keeps the values that it was planned with: units moved under others would be two kinds of result."""
    for name in given:
        if parameters[name] != run.parameters.get(name):
            raise ConfigError(
                f"run {run.id} of {run.instance} is not over, and goes on with {name}={run.parameters.get(name)}",
                remedy=f"Leave out -p {name}, or give the run up: ludb abandon {run.id}{options_for(site)}",
            )


def _standing(site: Site, job: str, instance: str) -> Run | None:
    """The instance's run that is not over, else its newest. An older wave is not over if its units are tried again."""
    newest = site.repository.runs.latest(job, instance)
    if newest is None or newest.state not in DONE_STATES:
        return newest
    over = DONE_STATES | {RunState.ABANDONED}
    runs = site.repository.views.runs(job, limit=ALL)
    return next((run for run in runs if run.instance == instance and run.state not in over), newest)


def _create(site: Site, folder: Path, given: Mapping[str, str], selection: Selection, job: str) -> Run:
    """Plan a new run and keep it. One at a time for a job: two that plan at once would not see each other's units."""
    planning = hold(site, f"{job} (planning)")
    kept = site.state / "planning" / file_name(job)
    try:
        shutil.rmtree(kept, ignore_errors=True)  # of a start that was killed
        planned = plan_run(site, folder, given, selection, keep=kept)
        try:
            for target in planned.migration.targets.values():
                target.prepare_schema()
            check_restored(site, planned.migration)
            lost = kept_orphans(site, planned.run.id)
            lost.parent.mkdir(parents=True, exist_ok=True)
            (kept / "orphans").rename(lost)  # before the run is there: no run without its orphans
            run = site.repository.runs.create(planned.run, planned.units.segments())
            pin(site, run, planned.job, planned.migration, planned.units, planned)
        finally:
            planned.migration.close()
    finally:
        shutil.rmtree(kept, ignore_errors=True)
        planning.release()
    return run


def resume(site: Site, run_id: str, folder: Path, *, accept_change: bool = False) -> Started:
    """Go on with a run: stopped, failed, paused, left by a dead supervisor, or complete with units to try again.
    `ConfigError` where nothing is left to do, or somebody holds it.
    """
    _refuse_dry(site)
    run = site.repository.runs.get(run_id)
    over = run.state in DONE_STATES and not site.repository.views.counters(run.id).pending
    hooks = over and hooks_open(site, run.id)
    over = over and not hooks
    if over or run.state is RunState.ABANDONED:
        again = f"Try its quarantined units again: ludb quarantine retry {run.id} --all{options_for(site)}"
        raise ConfigError(
            f"run {run.id} is {run.state}: nothing is left to do",
            remedy=again if run.state is RunState.EXCEPTIONS else None,
        )
    lock = hold(site, run.instance)
    try:
        if hooks:
            return _end_hooks(site, run, folder, lock)
        return _resume(site, run, folder, lock, accept_change=accept_change)
    except BaseException:
        lock.release()
        raise


def _resume(site: Site, run: Run, folder: Path, lock: OwnerLock, *, accept_change: bool) -> Started:
    changed = repin(site, run, folder, accept_change=accept_change)
    return Started(_go(site, run, "resumed"), resumed=True, changed=changed, lock=lock)


def repin(site: Site, run: Run, folder: Path, *, accept_change: bool) -> bool:
    """Pin the job anew for a run that goes on; True if its content has changed. A changed unit, key map or system is
    refused unless accepted.
    """
    with placed(folder):
        return _repin(site, run, folder, accept_change=accept_change)


def _repin(site: Site, run: Run, folder: Path, *, accept_change: bool) -> bool:
    job = read_job(folder, site.environment)
    if job.job.name != run.job:
        raise ConfigError(f"run {run.id} is of job {run.job}, not {job.job.name}", remedy="Name the right job folder")
    if job.job.pinned != run.pinned and not accept_change:
        raise ConfigError(
            f"the unit, the key maps or the systems of {run.job} have changed since run {run.id} was planned",
            file="job.yaml", remedy="Undo the change, or say --accept-change if the unit list still stands",
        )  # fmt: skip
    migration = load_migration(
        job.folder, environment=site.environment, state=site.state, reference={}, parameters=run.parameters
    )
    try:
        for target in migration.targets.values():
            target.prepare_schema()
        check_restored(site, migration)
        mend_targets(site, run, migration)
        migration = staged(site, job, migration)
        columns = reflect(migration)
        preflight(bound_place(site, run, migration), columns, texts_of(job))
        pin(site, run, job, migration, UnitList(site.repository.views.keys(run.id)))
    finally:
        migration.close()
    site.repository.runs.pin(run.id, job.job.version, job.job.pinned)
    site.repository.runs.adjust(run.id, {**job_settings(job), STAGED: takes_used(migration)})
    return job.job.version != run.version


def _go(site: Site, run: Run, reason: str) -> Run:
    """Move the run to `running`, from wherever a crash or a stop left it."""
    run = site.repository.runs.get(run.id)
    if run.state is RunState.STOPPING:
        run = site.repository.runs.change(run.id, RunState.STOPPED, "the process that stopped it ended")
    for command in site.repository.commands.take(run.id):
        # Asked of a process that is gone: a stop that nobody obeyed must not end the new start. Settings stay asked for.
        if command.name != SET:
            site.repository.commands.acknowledge(command.number, "overtaken: the run was started again")
    return site.repository.runs.change(run.id, RunState.RUNNING, reason)


def _refuse_complete(site: Site, run: Run, job: JobFolder) -> None:
    identifying = [spec.name for spec in job.job.parameters if spec.identifying]
    how = f"change parameter {' or '.join(identifying)} (-p {identifying[0]}=...)" if identifying else (
        "declare an identifying parameter under parameters: in job.yaml and give it another value"
    )  # fmt: skip
    again = f"Move its quarantined units with `ludb quarantine retry {run.id} --all{options_for(site)}`; to" if (
        run.state is RunState.EXCEPTIONS
    ) else "To"  # fmt: skip
    raise ConfigError(
        f"{run.instance} is complete (run {run.id}, {run.state})", remedy=f"{again} move everything again, {how}"
    )


def _refuse_dry(site: Site) -> None:
    """Nothing real may be started, or gone on with, where a dry run is kept."""
    if site.state.parent.name == DRY_RUNS:
        raise ConfigError(
            f"{site.state} holds a dry run: it is only looked at",
            remedy="Start another one (ludb run JOB --dry-run), or leave out --state",
        )


def retry(site: Site, run_id: str, positions: Sequence[int], *, again: bool = False) -> Chunk | None:
    """Make quarantined units pending again; they move when the run goes on (`resume`). `ConfigError` if another run of the
    job has moved one of them meanwhile, unless every output is written over, so that units may be moved `again`.
    """
    check_retry(site, site.repository.runs.get(run_id), positions, again=again)
    return site.repository.chunks.retry(run_id, positions, site.actor)


def try_again(site: Site, run_id: str, positions: Sequence[int], folder: Path) -> Started:
    """Make quarantined units pending again and go on with their run. `ConfigError` if the run is live, if the job in
    `folder` does not hold up, or if another run of the job has moved one of the units: then nothing has changed.
    """
    _refuse_dry(site)
    run = site.repository.runs.get(run_id)
    lock = hold(site, run.instance)
    try:
        again = read_job(folder, site.environment).job.repeatable
        check_retry(site, run, positions, again=again)
        changed = repin(site, run, folder, accept_change=False)
        # First `running`, then the units: a crash in between leaves nothing pending in a run that counts as complete.
        going = _go(site, run, "")
        retry(site, run_id, positions, again=again)
        return Started(going, resumed=True, changed=changed, lock=lock)
    except BaseException:
        lock.release()
        raise
