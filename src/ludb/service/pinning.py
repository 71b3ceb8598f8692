"""A run moves what was pinned when it started: job content, shared tables, staged tables, planning's verdicts."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import feather

from ludb.engine.migration import Migration
from ludb.engine.plan import shared_rows, stage, unique_faults
from ludb.engine.unit_list import UnitList
from ludb.errors import ConfigError, Fault
from ludb.model.run import Run
from ludb.model.unit import UnitTable
from ludb.project.folder import JobFolder
from ludb.project.load import load_migration
from ludb.service.dry_adapters import dried
from ludb.service.site import Site, writing_below
from ludb.service.staging import takes_used
from ludb.unitdb.stage import Stage


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a worker loads: nothing else of the job is read while the run goes on."""

    migration: Migration
    stage: Stage | None
    faults: Mapping[int, Fault]
    shared: Mapping[str, pa.Table]


def read_reference(migration: Migration) -> dict[str, pa.Table]:
    """The shared tables of the unit, in full, as `ref.<name>`."""
    found: dict[str, pa.Table] = {}
    for ref in migration.job.unit.reference:
        source = migration.sources[ref.system]
        table = UnitTable(ref.name, ref)
        parts = []
        for part in source.scan(table):
            if part.refused:
                bad = part.refused[0]
                raise ConfigError(f"{ref}.{bad.column}: {bad.reason} (row {bad.row_id})", field="unit.reference",
                                  file="job.yaml", remedy="Mend the row: shared tables have no unit to set aside")  # fmt: skip
            parts.append(part.rows)
        found[ref.name] = pa.concat_tables(parts)
    return found


class Found(Protocol):
    """What planning has found out a moment ago, and need not be looked for again."""

    @property
    def staged(self) -> Path | None:
        """Where staged tables are; they are taken over."""

    @property
    def unique(self) -> Mapping[int, Fault]:
        """Units that may not have a value because another one keeps it."""


def pin(
    site: Site, run: Run, job: JobFolder, migration: Migration, units: UnitList, found: Found | None = None
) -> None:
    """Write a new pin of the run and make it the current one, atomically. Workers that run keep theirs. `RoomError` where
    the disk is full.
    """
    with writing_below(site.pinned(run.id)):
        _pin(site, run, job, migration, units, found)


def _pin(site: Site, run: Run, job: JobFolder, migration: Migration, units: UnitList, found: Found | None) -> None:
    folder = site.pinned(run.id)
    name = f"{job.job.version}-{uuid.uuid4().hex[:8]}"
    place = folder / name
    for path in job.files:
        copy = place / "job" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(job.folder / path, copy)
    (place / "reference").mkdir()
    for table, rows in read_reference(migration).items():
        feather.write_feather(rows, place / "reference" / f"{table}.arrow", compression="zstd")
    read_from = _read_from(job, migration)
    if found is not None or not _taken_over(folder, place, read_from):
        _look(migration, units, place, found)
    told = {"origin": str(job.folder), "parameters": run.parameters, "read_from": read_from}
    (place / "run.json").write_text(json.dumps(told, default=str), encoding="utf-8")
    temporary = folder / f"current.{uuid.uuid4().hex[:8]}"
    temporary.write_text(name, encoding="utf-8")
    os.replace(temporary, folder / "current")  # noqa: PTH105  (atomic)


def _look(migration: Migration, units: UnitList, place: Path, found: Found | None) -> None:
    """What the sources, or their takes, say of the units: rows of several of them, values that another keeps, staged tables."""
    (place / "shared").mkdir()
    for number, (table, rows) in enumerate(shared_rows(migration, units, place / "spill").items()):
        named = rows.replace_schema_metadata({"table": table})
        feather.write_feather(named, place / "shared" / f"{number}.arrow", compression="zstd")
    unique = unique_faults(migration, units, place / "spill") if found is None else found.unique
    faults = {str(at): [fault.reason, fault.detail] for at, fault in unique.items()}
    (place / "faults.json").write_text(json.dumps(faults), encoding="utf-8")
    if found is None or found.staged is None:
        stage(migration, units, place / "stage")
    else:
        found.staged.rename(place / "stage")


def _read_from(job: JobFolder, migration: Migration) -> dict[str, object]:
    """What a pin's staged tables follow from, beside the run's own list; empty where a source may have changed since."""
    takes = takes_used(migration)
    if {table.table.system for table in migration.job.unit.tables} <= set(takes):
        return {"takes": takes, "pinned": job.job.pinned}
    return {}


def _taken_over(folder: Path, place: Path, read_from: Mapping[str, object]) -> bool:
    """Whether the pin before was made from the same takes for the same unit: then a retry need not read them again, and its
    tables are that pin's, by hard links.
    """
    try:
        before = folder / (folder / "current").read_text(encoding="utf-8")
        told = json.loads((before / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    if not read_from or told.get("read_from") != read_from:
        return False
    for name in ("shared", "stage"):
        shutil.copytree(before / name, place / name, copy_function=os.link)
    os.link(before / "faults.json", place / "faults.json")
    return True


def pinned_job(site: Site, run: Run) -> Path:
    """The folder of the run's current job content; `ConfigError` if it is not on this machine."""
    return _place(site, run) / "job"


def origin(site: Site, run: Run) -> Path:
    """The job folder that the run was started from: the place where its author edits."""
    return Path(json.loads((_place(site, run) / "run.json").read_text(encoding="utf-8"))["origin"])


def load_pinned(site: Site, run: Run) -> Pinned:
    """Load the run's current pin: adapters open nothing before they are used."""
    place = _place(site, run)
    reference = {path.stem: feather.read_table(path) for path in sorted((place / "reference").glob("*.arrow"))}
    migration = load_migration(
        place / "job",
        environment=site.environment,
        state=site.state,
        reference=reference,
        parameters=run.parameters,
        home=origin(site, run),
    )
    if run.notes.get("dry_run"):
        migration = dried(migration)
    told = json.loads((place / "faults.json").read_text(encoding="utf-8"))
    faults = {int(at): Fault(*fault) for at, fault in told.items()}
    staged = Stage(place / "stage") if (place / "stage" / "stage.json").exists() else None
    return Pinned(migration, staged, faults, _shared(place / "shared"))


def _shared(folder: Path) -> dict[str, pa.Table]:
    tables = [feather.read_table(path) for path in sorted(folder.glob("*.arrow"))]
    return {rows.schema.metadata[b"table"].decode(): rows for rows in tables}


def _place(site: Site, run: Run) -> Path:
    folder = site.pinned(run.id)
    try:
        return folder / (folder / "current").read_text(encoding="utf-8")
    except FileNotFoundError:
        gone = purged(run, "runs")
        if gone:
            raise ConfigError(
                f"what run {run.id} had pinned was {gone}", remedy="Name the job folder with --job"
            ) from None
        raise ConfigError(
            f"run {run.id} has nothing pinned in {site.state}",
            remedy="Name the state directory that the run was started with (--state)",
        ) from None


def purged(run: Run, what: str) -> str:
    """`purged by NAME on DATE` where that part of the run was purged (or begun to be), else nothing."""
    marks = run.notes.get("purged", {})
    mark = marks.get(what) if isinstance(marks, dict) else None
    if mark is None:
        return ""
    return f"purged by {mark['by']} on {time.strftime('%Y-%m-%d', time.localtime(float(mark['at'])))}"
