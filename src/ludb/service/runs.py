"""The use cases of a run's life: plan, start, resume, retry. CLI, API and Airflow call these."""

from __future__ import annotations

import hashlib
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ludb.engine.liveness import OwnerLock, lock_is_free
from ludb.engine.migration import Migration
from ludb.engine.plan import Survey, UnitList, freeze, reflect, stage, survey, unique_faults
from ludb.engine.preflight import Preflight, preflight
from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, Fault
from ludb.journals.files import FileJournal
from ludb.model.run import Chunk, Run, RunState
from ludb.model.unit import POSITION
from ludb.project.folder import JobFolder, read_job
from ludb.project.load import load_migration
from ludb.project.parameters import instance_of, resolve_parameters
from ludb.service.overlap import check_pending, check_retry, check_unresolved, moved_before
from ludb.service.pinning import pin, read_reference
from ludb.service.site import Site

DONE_STATES = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS})


@dataclass(frozen=True, slots=True)
class Planned:
    """A run as it would be: nothing has been written anywhere. `refused` are units that planning itself sets aside."""

    run: Run
    job: JobFolder
    migration: Migration
    units: UnitList
    survey: Survey
    preflight: Preflight
    refused: Mapping[int, Fault]


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is to be supervised now; `resumed` if it existed before. `lock` keeps others from starting it."""

    run: Run
    resumed: bool
    changed: bool
    lock: OwnerLock


def plan_run(site: Site, folder: Path, given: Mapping[str, str], *, calls: bool = True) -> Planned:
    """Reflect, freeze, survey and bind; raises `ConfigError` for everything that would fail later for certain. Without
    `calls`, the systems that are called need not be there.
    """
    job = read_job(folder, site.environment)
    parameters = resolve_parameters(job.job, given)
    instance = instance_of(job.job, parameters)
    migration = load_migration(
        job.folder, environment=site.environment, state=site.state, reference={}, parameters=parameters
    )
    try:
        for system in migration.calls.values() if calls else ():
            system.check()
        columns = reflect(migration)
        check_unresolved(site, job.job.name)
        units = freeze(migration, moved_before(site, job.job.name))
        check_pending(site, job.job.name, units.keys.drop_columns([POSITION]))
        now = time.time()
        run = Run(
            id=_run_id(job.job.name), job=job.job.name, instance=instance, state=RunState.PLANNED,
            version=job.job.version, pinned=job.job.pinned, clock=now, units=units.keys.num_rows, actor=site.actor,
            host=site.host, parameters=parameters, settings=_settings(job), created_at=now,
        )  # fmt: skip
        bound = replace(migration, reference={**migration.reference, **read_reference(migration)})
        at = Workplace(run=run, migration=bound, repository=site.repository, journal=FileJournal(site.journal))
        checked = preflight(at, columns, _texts(job))
        with tempfile.TemporaryDirectory(dir=site.state) as scratch:
            staged = stage(migration, units, Path(scratch))
            seen = survey(migration, units, staged, columns)
        refused = {**(staged.faults if staged else {}), **unique_faults(migration, units)}
        notes = {
            "moved_before": units.moved_before,
            "orphans": {
                name: {"count": found.count, "direct": found.direct, "samples": found.samples}
                for name, found in seen.orphans.items()
            },
        }
        run = replace(run, counts=seen.counts, notes=notes)
    except BaseException:
        migration.close()
        raise
    return Planned(run, job, migration, units, seen, checked, refused)


def start(site: Site, folder: Path, given: Mapping[str, str], *, accept_change: bool = False) -> Started:
    """Start the job's instance, or go on with it where it was.

    A complete instance is refused, naming what to change; a live one is refused naming its process.
    """
    job = read_job(folder, site.environment)
    instance = instance_of(job.job, resolve_parameters(job.job, given))
    lock = hold(site, instance)
    try:
        run = site.repository.runs.latest(job.job.name, instance)
        if run is not None:
            _refuse_complete(run, job)
            return _resume(site, run, folder, lock, accept_change=accept_change)
        run = _create(site, folder, given, job.job.name)
        return Started(_go(site, run, ""), resumed=False, changed=False, lock=lock)
    except BaseException:
        lock.release()
        raise


def _create(site: Site, folder: Path, given: Mapping[str, str], job: str) -> Run:
    """Plan a new run and keep it. One at a time for a job: two that plan at once would not see each other's units."""
    planning = hold(site, f"{job} (planning)")
    try:
        planned = plan_run(site, folder, given)
        try:
            for target in planned.migration.targets.values():
                target.prepare_schema()
            run = site.repository.runs.create(planned.run, planned.units.segments())
            pin(site, run, planned.job, planned.migration, planned.units)
        finally:
            planned.migration.close()
    finally:
        planning.release()
    return run


def resume(site: Site, run_id: str, folder: Path, *, accept_change: bool = False) -> Started:
    """Go on with a run: stopped, failed, paused, left by a dead supervisor, or complete with units to try again."""
    run = site.repository.runs.get(run_id)
    lock = hold(site, run.instance)
    try:
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
        columns = reflect(migration)
        bound = replace(migration, reference={**migration.reference, **read_reference(migration)})
        at = Workplace(run=run, migration=bound, repository=site.repository, journal=FileJournal(site.journal))
        preflight(at, columns, _texts(job))
        pin(site, run, job, migration, UnitList(site.repository.views.keys(run.id)))
    finally:
        migration.close()
    site.repository.runs.pin(run.id, job.job.version, job.job.pinned)
    return job.job.version != run.version


def _go(site: Site, run: Run, reason: str) -> Run:
    """Move the run to `running`, from wherever a crash or a stop left it."""
    run = site.repository.runs.get(run.id)
    if run.state is RunState.STOPPING:
        run = site.repository.runs.change(run.id, RunState.STOPPED, "the process that stopped it ended")
    for number, _, _ in site.repository.commands.take(run.id):
        # Asked of a process that is gone: a stop that nobody obeyed must not end the new start.
        site.repository.commands.acknowledge(number, "overtaken: the run was started again")
    return site.repository.runs.change(run.id, RunState.RUNNING, reason)


def _texts(job: JobFolder) -> list[str]:
    """Steps, rules and macros as text: what tells which columns are read."""
    paths = [step.path for folder in job.step_folders for step in folder.steps]
    paths += [rule.path for folder in job.step_folders for rule in folder.rules] + [rule.path for rule in job.rules]
    return [path.read_text(encoding="utf-8") for path in paths] + list(job.macros.values())


def _refuse_complete(run: Run, job: JobFolder) -> None:
    if run.state not in DONE_STATES:
        return
    identifying = [spec.name for spec in job.job.parameters if spec.identifying]
    how = f"change parameter {' or '.join(identifying)} (-p {identifying[0]}=...)" if identifying else (
        "declare an identifying parameter under parameters: in job.yaml and give it another value"
    )  # fmt: skip
    again = f"Move its quarantined units with `ludb quarantine retry {run.id} --all`; to" if (
        run.state is RunState.EXCEPTIONS
    ) else "To"  # fmt: skip
    raise ConfigError(
        f"{run.instance} is complete (run {run.id}, {run.state})", remedy=f"{again} move everything again, {how}"
    )


def hold(site: Site, instance: str) -> OwnerLock:
    """Keep everybody else from starting or ending the instance; `ConfigError` naming who holds it already."""
    digest = hashlib.sha256(instance.encode()).hexdigest()[:16]
    path = site.locks / f"start-{digest}.lock"
    try:
        return OwnerLock(path)
    except BlockingIOError:
        raise ConfigError(_live(site, instance)) from None


def _live(site: Site, instance: str) -> str:
    for run in site.repository.views.runs():
        if run.instance == instance:
            for owner in site.repository.owners.all(run.id):
                if owner.role == "supervisor" and not lock_is_free(owner.lock):
                    return f"{instance} is running: run {run.id} on {owner.host}, process {owner.pid}"
    return f"{instance} is being started by another process"


def _settings(job: JobFolder) -> dict[str, object]:
    settings = job.job.settings
    return {"chunk_units": settings.chunk_units, "workers": settings.workers, "lease": settings.lease}


def _run_id(job: str) -> str:
    return f"{job}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"


def ask_to_stop(site: Site, run_id: str, *, now: bool) -> Run:
    """Put a command to stop; the run's supervisor obeys it. `ConfigError` if nobody holds the run."""
    run = site.repository.runs.get(run_id)
    owners = [owner for owner in site.repository.owners.all(run.id) if owner.role == "supervisor"]
    here = [owner for owner in owners if owner.host == site.host]
    if all(owner.state != "alive" for owner in owners) or (here == owners and all(lock_is_free(o.lock) for o in here)):
        raise ConfigError(f"run {run.id} is {run.state} and nobody holds it: there is nothing to stop")
    site.repository.commands.put(run.id, "stop", {"now": True} if now else {}, site.actor)
    return run


def retry(site: Site, run_id: str, positions: Sequence[int]) -> Chunk | None:
    """Make quarantined units pending again; they move when the run goes on (`resume`). `ConfigError` if another run of the
    job has moved one of them meanwhile.
    """
    check_retry(site, site.repository.runs.get(run_id), positions)
    return site.repository.chunks.retry(run_id, positions, site.actor)


def try_again(site: Site, run_id: str, positions: Sequence[int], folder: Path) -> Started:
    """Make quarantined units pending again and go on with their run. `ConfigError` if the run is live, if the job in
    `folder` does not hold up, or if another run of the job has moved one of the units: then nothing has changed.
    """
    run = site.repository.runs.get(run_id)
    lock = hold(site, run.instance)
    try:
        check_retry(site, run, positions)
        changed = repin(site, run, folder, accept_change=False)
        # First `running`, then the units: a crash in between leaves nothing pending in a run that counts as complete.
        going = _go(site, run, "")
        retry(site, run_id, positions)
        return Started(going, resumed=True, changed=changed, lock=lock)
    except BaseException:
        lock.release()
        raise
