"""A run as it would be: what planning finds out before anything is written."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ludb.engine.migration import Migration
from ludb.engine.plan import Survey, reflect, stage, survey, unique_faults
from ludb.engine.preflight import Preflight, preflight
from ludb.engine.unit_list import UnitList
from ludb.engine.workplace import Workplace
from ludb.errors import Fault
from ludb.journals.files import FileJournal
from ludb.model.run import Run, RunState
from ludb.model.unit import POSITION
from ludb.project.folder import JobFolder, read_job
from ludb.project.load import load_migration
from ludb.project.parameters import instance_of, resolve_parameters
from ludb.project.places import placed
from ludb.service.orphans import OrphanKeeper
from ludb.service.overlap import check_pending, check_unresolved
from ludb.service.pinning import read_reference
from ludb.service.selection import EVERYTHING, Selection, select_units
from ludb.service.site import Site, writing_below
from ludb.service.staging import STAGED, staged, takes_used
from ludb.service.steering import job_settings


@dataclass(frozen=True, slots=True)
class Planned:
    """A run as it would be: nothing has been written anywhere. `refused` are units that planning itself sets aside, `staged`
    where the tables that had to be staged for it are, if they were to be kept; `unique` those of the refused whose value another
    unit keeps.
    """

    run: Run
    job: JobFolder
    migration: Migration
    units: UnitList
    survey: Survey
    preflight: Preflight
    refused: Mapping[int, Fault]
    staged: Path | None = None
    unique: Mapping[int, Fault] = field(default_factory=dict)


def plan_run(
    site: Site,
    folder: Path,
    given: Mapping[str, str],
    selection: Selection = EVERYTHING,
    *,
    dry: bool = False,
    keep: Path | None = None,
) -> Planned:
    """Reflect, select, survey and bind; raises `ConfigError` for everything that would fail later for certain. All orphans
    are written below the folder `keep`, if given, and so are staged tables.

    A `dry` run writes nothing and calls nobody: systems that are called need not be there, and units that another run
    still has to move may be in it.
    """
    with placed(folder):
        return _plan(site, folder, given, selection, dry=dry, keep=keep)


def _plan(
    site: Site, folder: Path, given: Mapping[str, str], selection: Selection, *, dry: bool, keep: Path | None
) -> Planned:
    job = read_job(folder, site.environment)
    parameters = resolve_parameters(job.job, given)
    migration = load_migration(
        job.folder, environment=site.environment, state=site.state, reference={}, parameters=parameters
    )
    try:
        for system in migration.calls.values() if not dry else ():
            system.check()
        migration = staged(site, job, migration)
        columns = reflect(migration)
        if not dry:
            check_unresolved(site, job.job.name)
        units = select_units(site, migration, selection, some=dry)
        if not dry:
            check_pending(site, job.job.name, units.keys.drop_columns([POSITION]))
        run = _planned_run(site, job, parameters, selection, units)
        checked = preflight(bound_place(site, run, migration), columns, texts_of(job))
        with writing_below(site.state), tempfile.TemporaryDirectory(dir=site.state) as scratch:
            sorted_ = stage(migration, units, (keep or Path(scratch)) / "stage")
            lost = OrphanKeeper(keep / "orphans") if keep else lambda _name, _lost: None
            spill = Path(scratch) / "spill"
            seen = survey(migration, units, sorted_, columns, lost, spill)
            unique = unique_faults(migration, units, spill)
        refused = {**(sorted_.faults if sorted_ else {}), **unique}
        run = replace(run, counts=seen.counts, notes={**run.notes, **_orphans(seen)})
        run = replace(run, settings={**run.settings, STAGED: takes_used(migration)})
    except BaseException:
        migration.close()
        raise
    staged_in = keep / "stage" if keep and sorted_ else None
    return Planned(run, job, migration, units, seen, checked, refused, staged_in, unique)


def instance_name(job: JobFolder, parameters: Mapping[str, object], selection: Selection) -> str:
    """The instance that a start means: job, identifying parameters, selection: `telco?day=2024-01-01[sample=1%]`."""
    return instance_of(job.job, parameters) + selection.suffix(job.job.unit.key)


def bound_place(site: Site, run: Run, migration: Migration) -> Workplace:
    """A workplace with the shared tables as they are now: enough to bind every step, not to move anything."""
    bound = replace(migration, reference={**migration.reference, **read_reference(migration)})
    return Workplace(run=run, migration=bound, repository=site.repository, journal=FileJournal(site.journal))


def texts_of(job: JobFolder) -> list[str]:
    """Steps, rules and macros as text: what tells which columns are read."""
    paths = [step.path for folder in job.step_folders for step in folder.steps]
    paths += [rule.path for folder in job.step_folders for rule in folder.rules] + [rule.path for rule in job.rules]
    return [path.read_text(encoding="utf-8") for path in paths] + list(job.macros.values())


def _planned_run(
    site: Site, job: JobFolder, parameters: Mapping[str, object], selection: Selection, units: UnitList
) -> Run:
    now = time.time()
    notes: dict[str, object] = {
        "root": job.job.unit.root.name,
        "moved_before": units.moved_before,
        "unselected": units.unselected,
    }
    if selection:
        notes["selection"] = selection.told(job.job.unit.key)
    return Run(
        id=_run_id(job.job.name), job=job.job.name, instance=instance_name(job, parameters, selection),
        state=RunState.PLANNED, version=job.job.version, pinned=job.job.pinned, clock=now,
        units=units.keys.num_rows, actor=site.actor, host=site.host, parameters=parameters,
        settings=job_settings(job), notes=notes, created_at=now,
    )  # fmt: skip


def _orphans(seen: Survey) -> dict[str, object]:
    told = {
        name: {"count": found.count, "direct": found.direct, "samples": found.samples}
        for name, found in seen.orphans.items()
    }
    return {"orphans": told}


def _run_id(job: str) -> str:
    return f"{job}-{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:4]}"
