"""Staged extraction: every table of a source is read once, in one snapshot, and what runs read is that.

A take belongs to a system as the job reads it: its address, the unit's tables and how their columns are carried. Another
address or another unit makes another take; changed steps do not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from ludb.dialects.durable import file_name, sync_file, sync_folder
from ludb.engine.folding import refuse_folded
from ludb.engine.liveness import OwnerLock
from ludb.engine.migration import Migration
from ludb.engine.plan import reflect
from ludb.errors import ConfigError
from ludb.model.run import Run, RunState
from ludb.model.unit import UnitTable
from ludb.ports.source import CanFetch, ReadsOnce, Source
from ludb.project.folder import JobFolder
from ludb.project.places import placed
from ludb.project.registry import SOURCES
from ludb.service.site import Site, writing_below
from ludb.unitdb.takes import GATHERED, TOLD, Scan, Take, write_take

STAGED = "staged"
"""The value of `settings.extract` that asks for takes, and where a run's settings keep which takes it was planned from."""
_OVER = frozenset({RunState.COMPLETED, RunState.ABANDONED})
_HOW = frozenset({"in_flight", "pace", "timeout", "retry_for", "max_delay", "set_aside"})
"""Settings that change how a system is read, and nothing of what."""
_SECRET = ("password", "secret", "token", "key")


@dataclass(frozen=True, slots=True)
class Staged:
    """What is staged of one system: its take, None if there is none, and the runs that were planned from it."""

    system: str
    take: Take | None
    runs: tuple[str, ...] = ()


def staged(site: Site, job: JobFolder, migration: Migration) -> Migration:
    """The job over its takes, if it wants to be staged: those that are there, and new ones of systems that have none. Systems
    that are read once (APIs) are staged in any job.

    Files are staged with each run, and are left as they are. `ConfigError` while another process takes one of them,
    `RoomError` where the disk is full.
    """
    takes = {system: take_of(site, job, migration, system) for system in _wanted(job, migration)}
    return _over(migration, takes)


def staged_already(site: Site, job: JobFolder, migration: Migration) -> Migration:
    """As `staged`, but nothing is taken: a system without a take is asked itself."""
    found = {system: current_take(_place(site, job, migration, system)) for system in _wanted(job, migration)}
    return _over(migration, {system: take for system, take in found.items() if take is not None})


def take_of(site: Site, job: JobFolder, migration: Migration, system: str, *, refresh: bool = False) -> Take:
    """The take of a system, made now if there is none, or if it is to be refreshed. It appears whole or not at all."""
    place = _place(site, job, migration, system)
    found = None if refresh else current_take(place)
    if found is not None:
        return found
    if not isinstance(migration.sources[system], ReadsOnce):
        with placed(job.folder):
            reflect(_over_read_once(site, job, migration))  # what cannot be carried is told before anything is read
    with writing_below(site.staged), alone(site, place, system):
        found = None if refresh else current_take(place)
        if found is not None:
            return found
        previous = current_take(place)
        fresh = place / uuid.uuid4().hex[:12]
        try:
            _write(fresh, migration, system, _tables(migration, system), previous)
            _point(place, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        _sweep(place, {fresh.name, previous.id if previous else ""})
        return Take(fresh)


def _point(place: Path, fresh: Path) -> None:
    """Make a take the current one, once all of it is on the disk: a loss of power leaves the old one, or the new one."""
    for path in (*(file for file in fresh.rglob("*") if file.is_file()), fresh):
        sync_file(path)
    pointer = place / f"current.{fresh.name}"
    pointer.write_text(fresh.name, encoding="utf-8")
    sync_file(pointer)
    os.replace(pointer, place / "current")  # noqa: PTH105  (atomic)
    sync_folder(place)


def what_is_staged(site: Site, job: JobFolder, migration: Migration) -> list[Staged]:
    """What there is of every system of the job that can be staged, with the runs that were planned from it."""
    found = []
    runs = site.repository.views.runs(job.job.name, limit=1 << 31)
    for system in _systems(migration):
        take = current_take(_place(site, job, migration, system))
        users = tuple(run.id for run in runs if take is not None and _used(run).get(system, {}).get("take") == take.id)
        found.append(Staged(system, take, users))
    return found


def drop_takes(site: Site, job: JobFolder, migration: Migration) -> list[str]:
    """Remove all takes of the job's systems; returns the systems. A run that goes on needs them no more: it has its own
    tables, sorted. `ConfigError` naming a run that is not over, unless it is only planned from them again.
    """
    dropped = []
    for system in _systems(migration):
        place = _place(site, job, migration, system)
        if place.exists():
            with alone(site, place, system):
                (place / "current").unlink(missing_ok=True)  # first: what is half removed must not be read
                shutil.rmtree(place)
            dropped.append(system)
    return dropped


def unfinished(site: Site, found: Sequence[Staged]) -> list[str]:
    """Runs that were planned from these takes and are not over: tried again, they would read the source as it is then."""
    ids = {run for one in found for run in one.runs}
    return sorted(run_id for run_id in ids if site.repository.runs.get(run_id).state not in _OVER)


def takes_used(migration: Migration) -> dict[str, object]:
    """What a run's settings keep of the takes that it is planned from: system -> take and moment; empty if none."""
    takes = {name: source for name, source in migration.sources.items() if isinstance(source, Take)}
    return {name: {"take": take.id, "taken_at": take.taken_at} for name, take in takes.items()}


def takes_of_run(run: Run) -> set[str]:
    """The takes that a run was planned from."""
    return {str(one.get("take")) for one in _used(run).values()}


def _used(run: Run) -> Mapping[str, Mapping[str, object]]:
    used = run.settings.get(STAGED)
    return used if isinstance(used, dict) else {}


def _over(migration: Migration, takes: Mapping[str, Take]) -> Migration:
    sources: dict[str, Source] = {**migration.sources, **takes}
    for system in takes:
        migration.sources[system].close()
    return replace(migration, sources=sources)


def _systems(migration: Migration) -> list[str]:
    """The systems of the unit that may be staged as takes: first those that must be, then those that can be asked by key."""
    systems = migration.job.unit.systems
    once = [name for name in systems if isinstance(migration.sources[name], ReadsOnce)]
    return once + [name for name in systems if isinstance(migration.sources[name], CanFetch)]


def must_be_staged(migration: Migration) -> bool:
    """Whether a system of the unit is staged whatever the job says."""
    return any(isinstance(migration.sources[name], ReadsOnce) for name in migration.job.unit.systems)


def _wanted(job: JobFolder, migration: Migration) -> list[str]:
    every = job.job.settings.extract == STAGED
    return [name for name in _systems(migration) if every or isinstance(migration.sources[name], ReadsOnce)]


def _over_read_once(site: Site, job: JobFolder, migration: Migration) -> Migration:
    """The migration with the takes that are there of systems that are read once: their columns cost no second reading."""
    once = [name for name in migration.job.unit.systems if isinstance(migration.sources[name], ReadsOnce)]
    found = {name: current_take(_place(site, job, migration, name)) for name in once}
    takes: dict[str, Source] = {name: take for name, take in found.items() if take is not None}
    return replace(migration, sources={**migration.sources, **takes})


def _tables(migration: Migration, system: str) -> list[UnitTable]:
    """Every table of the system that the job reads, each once for each way its columns are carried."""
    unit = migration.job.unit
    tables = [table for table in unit.tables if table.table.system == system]
    tables += [UnitTable(ref.name, ref) for ref in unit.reference if ref.system == system]
    return list({(table.table.name, tuple(sorted(table.types))): table for table in tables}.values())


def _write(folder: Path, migration: Migration, system: str, tables: Sequence[UnitTable], previous: Take | None) -> None:
    source, unit = migration.sources[system], migration.job.unit
    began, notes = time.time(), list[str]()
    with contextlib.ExitStack() as held:
        if isinstance(source, ReadsOnce):
            names = list(dict.fromkeys(table.table.name for table in tables))
            before = None if previous is None else previous.gathered
            notes += source.gather(names, folder / GATHERED, before)
        if isinstance(source, CanFetch):
            held.enter_context(source.snapshot())
            refuse_folded(
                unit,
                {**migration.sources},
                [table.name for table in unit.tables if table.table.system == system],
                "Write these values in the source as their parents have them, or read it directly (extract: direct)",
            )
        keys = source.keys(unit.root, unit.key) if unit.root.table.system == system else None
        scans = (Scan(table, source.columns(table), source.scan(table)) for table in tables)
        write_take(folder, system, scans, keys, taken_at=began, notes=notes)


def _place(site: Site, job: JobFolder, migration: Migration, system: str) -> Path:
    """Where takes of this system are kept. The name hashes what they depend on; no password is part of it."""
    entry = job.systems[system]
    unit = migration.job.unit
    settings = {name: _plain(name, value) for name, value in entry.settings[SOURCES] if name not in _HOW}
    tables = [[table.table.name, sorted(table.types)] for table in _tables(migration, system)]
    key = [unit.root.table.name, list(unit.key)] if unit.root.table.system == system else []
    told = [entry.type, str(job.folder), settings, sorted(tables), key]
    digest = hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()[:12]
    return site.staged / f"{file_name(system)}-{digest}"


def _plain(name: str, value: object) -> str:
    if any(part in name.lower() for part in _SECRET):
        return ""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    parts = urlsplit(text)
    if parts.password is None:
        return text
    return parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port}").geturl()


def current_take(place: Path) -> Take | None:
    """The complete take that stands in a system's place, None if there is none."""
    try:
        return Take(place / (place / "current").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def alone(site: Site, place: Path, system: str) -> Iterator[None]:
    """One process at a time takes a system; what a killed one left half done is removed."""
    try:
        lock = OwnerLock(site.locks / f"stage-{place.name}.lock")
    except BlockingIOError:
        raise ConfigError(
            f"system {system} is being staged by another process", remedy="Start again when it is done"
        ) from None
    try:
        place.mkdir(parents=True, exist_ok=True)
        for left in place.iterdir():
            if left.is_dir() and not (left / TOLD).exists():
                shutil.rmtree(left)
            elif left.name.startswith("current."):
                left.unlink()
        yield
    finally:
        lock.release()


def _sweep(place: Path, keep: set[str]) -> None:
    """Older takes go. The one before the newest stays for whoever is reading it just now."""
    for left in place.iterdir():
        if left.is_dir() and left.name not in keep:
            shutil.rmtree(left)
