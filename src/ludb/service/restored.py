"""Repositories and targets that went back in time: noticed at every start, and brought together again by `ludb recover`."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from ludb.dialects.durable import file_name
from ludb.engine.call_desk import RESTORED
from ludb.engine.extract import extract
from ludb.engine.migration import Migration
from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, FatalError
from ludb.journals.files import FileJournal
from ludb.model.data import rows_of
from ludb.model.events import Event
from ludb.model.run import Chunk, ChunkState, Owner, Run
from ludb.model.unit import POSITION
from ludb.ports.recovery import Lost
from ludb.ports.source import CanFetch
from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.service.activity import living
from ludb.service.holding import hold
from ludb.service.pinning import load_pinned
from ludb.service.site import Site

_ALL = 1 << 31
NAMED = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger's row, with the target that holds it."""

    target: str
    txn: str
    seq: int
    run: str
    chunk: str


@dataclass(frozen=True, slots=True)
class Gap:
    """How ledgers and repository differ. `lost` are the transactions that can be adopted, by run; `hopeless` those that
    cannot (transaction -> why). `reopened` are finished ones that a target lacks, by run. `seq` is the highest of all ledgers.
    """

    lost: Mapping[str, tuple[Lost, ...]] = field(default_factory=dict)
    hopeless: Mapping[str, str] = field(default_factory=dict)
    reopened: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seq: int = 0

    def __bool__(self) -> bool:
        return bool(self.lost or self.hopeless or self.reopened)


def check_restored(site: Site, migration: Migration) -> None:
    """`FatalError` if a target knows what this repository does not: it was restored from a backup, or failed over to a copy
    that lagged. To go on would move customers twice.
    """
    unknown, highest = _unknown(site, migration)
    stands = site.repository.runs.seq()
    if unknown:
        first = ", ".join(f"{one.target}: {one.txn} (seq {one.seq}, run {one.run})" for one in unknown[:NAMED])
        raise FatalError(
            f"{len(unknown):,} transactions of this repository are committed in targets and unknown to it: {first}. It was "
            "restored from a backup, or failed over: `ludb recover JOB` shows what can be done"
        )
    if highest > stands:
        raise FatalError(
            f"a ledger knows sequence number {highest:,}, the repository stands at {stands:,}: it was restored from a backup, or "
            "failed over: `ludb recover JOB` shows what can be done"
        )


def mend_targets(site: Site, run: Run, migration: Migration) -> None:
    """Finished transactions of the run that a target lacks are decided again, so that recovery writes them from the journal;
    said in the run's story. A target whose ledger is empty of this repository is left to a person: it may have been dropped.
    """
    lacking = _lacking(site, migration, run.id).get(run.id, ())
    if lacking:
        _reopen(site, run.id, lacking)


def find_gap(site: Site, folder: Path) -> Gap:
    """Look at every ledger of the job. Changes nothing."""
    with_job = read_job(folder, site.environment)
    parameters = {spec.name: spec.default for spec in with_job.job.parameters}
    migration = load_migration(
        folder, environment=site.environment, state=site.state, reference={}, parameters=parameters
    )
    try:
        unknown, highest = _unknown(site, migration)
        lost, hopeless = _lost(site, unknown)
        return Gap(lost, hopeless, _lacking(site, migration), highest)
    finally:
        migration.close()


def close_gap(site: Site, folder: Path, gap: Gap, *, assume_unsent: bool = False) -> list[str]:
    """Adopt what was lost and open again what targets lack; returns the runs that have to go on now. `ConfigError` while
    anybody is at work on one of them, or where calls without a look-up may have been made since the backup.
    """
    job = read_job(folder, site.environment).job
    blind = sorted(name for name, spec in job.outputs.items() if spec.call and not spec.call.probe)
    if gap.lost and blind and not assume_unsent:
        raise ConfigError(
            f"nobody can look up whether calls of {', '.join(blind)} were made since the backup (no probe)",
            remedy="Find out at the API, then say --assume-unsent: they are made as if they never had been",
        )
    changed = sorted({*gap.lost, *gap.reopened})
    for run_id in changed:
        run = site.repository.runs.get(run_id)
        lock = hold(site, run.instance)
        try:
            _refuse_live(site, run)
            if gap.lost.get(run_id):
                _adopt(site, run, gap)
            if gap.reopened.get(run_id):
                _reopen(site, run_id, gap.reopened[run_id])
        finally:
            lock.release()
    if gap.lost:
        _advance(site, folder)
    return changed


def _unknown(site: Site, migration: Migration) -> tuple[list[Entry], int]:
    """Entries of this repository that it does not know, by `seq`, and the highest `seq` of all its entries."""
    entries = _entries(site, migration)
    if not entries:
        return [], 0
    known = set(site.repository.evidence.transactions().column("txn").to_pylist())
    unknown = sorted((one for one in entries if one.txn not in known), key=lambda one: one.seq)
    return unknown, max(one.seq for one in entries)


def _entries(site: Site, migration: Migration) -> list[Entry]:
    found: list[Entry] = []
    for name, target in sorted(migration.targets.items()):
        rows = target.ledger(site.repository.id).to_pylist()
        found += [Entry(name, row["txn"], row["seq"], row["run"], row["chunk"]) for row in rows]
    return found


def _lacking(site: Site, migration: Migration, run: str | None = None) -> dict[str, tuple[str, ...]]:
    """Finished transactions that a target lacks, by run; of targets that hold any entry of this repository."""
    held: dict[str, set[str]] = {}
    for one in _entries(site, migration):
        held.setdefault(one.target, set()).add(one.txn)
    found: dict[str, dict[str, None]] = {}
    for row in site.repository.evidence.transactions().to_pylist():
        if row["state"] != ChunkState.FINISHED or row["job"] != migration.job.name or (run and row["run"] != run):
            continue
        if any(name in held and row["txn"] not in held[name] for name in row["participants"]):
            found.setdefault(row["run"], {})[row["txn"]] = None
    return {run_id: tuple(txns) for run_id, txns in found.items()}


def _lost(site: Site, unknown: Iterable[Entry]) -> tuple[dict[str, tuple[Lost, ...]], dict[str, str]]:
    """What the journal still knows of these transactions."""
    runs = {run.id for run in site.repository.views.runs(limit=_ALL)}
    journal = FileJournal(site.journal)
    lost: dict[str, list[Lost]] = {}
    hopeless: dict[str, str] = {}
    for one in {entry.txn: entry for entry in unknown}.values():
        if one.run not in runs:
            hopeless[one.txn] = f"its run {one.run} is unknown too: it was planned after the backup"
            continue
        chunk = Chunk(one.chunk, one.run, "move", ChunkState.DECIDED, (), pa.table({}), one.txn, one.seq, "")
        parts = {_name(stem): sha for stem, sha in journal.parts(chunk).items()}
        if not parts:
            hopeless[one.txn] = f"its journal is not in {site.journal}: nobody knows which units it moved"
            continue
        lost.setdefault(one.run, []).append(_read(one, chunk, parts, journal))
    return {run: tuple(found) for run, found in lost.items()}, hopeless


def _name(stem: str) -> str:
    """Target names consist of letters, digits, `_` and `-`, so their file is called as they are."""
    assert file_name(stem) == stem
    return stem


def _read(one: Entry, chunk: Chunk, parts: Mapping[str, str], journal: FileJournal) -> Lost:
    positions: set[int] = set()
    output: dict[str, int] = {}
    for target, sha in parts.items():
        writes = journal.read(chunk, target, sha)
        for removal in writes.removals.values():
            positions.update(removal.units.column(POSITION).to_pylist())
        for table, rows in writes.tables.items():
            positions.update(rows.column(POSITION).to_pylist())
            output[f"{target}.{table}"] = rows.num_rows
    return Lost(one.txn, one.seq, one.chunk, tuple(sorted(positions)), parts, {"output": output})


def _adopt(site: Site, run: Run, gap: Gap) -> None:
    found = [replace(one, rows={**one.rows, "source": _source_rows(site, run, one)}) for one in gap.lost[run.id]]
    site.repository.recovery.adopt(run.id, found, gap.seq, _dead(site, run.id))
    site.repository.runs.adjust(run.id, {RESTORED: time.time()})
    _tell(site, run.id, "repository.restored", adopted=len(found), units=sum(len(one.positions) for one in found))


def _reopen(site: Site, run_id: str, txns: Sequence[str]) -> None:
    site.repository.recovery.reopen(run_id, txns, _dead(site, run_id))
    _tell(site, run_id, "target.restored", reopened=len(txns))


def _source_rows(site: Site, run: Run, lost: Lost) -> dict[str, int]:
    """Rows by source table of the lost transaction's units, as they are now."""
    pinned = load_pinned(site, run)
    try:
        at = Workplace(
            run=run, migration=pinned.migration, repository=site.repository, journal=FileJournal(site.journal),
            stage=pinned.stage, shared=pinned.shared, planned_faults=pinned.faults,
        )  # fmt: skip
        keys = rows_of(site.repository.views.keys(run.id), lost.positions).drop_columns([POSITION])
        chunk = Chunk("", run.id, "move", ChunkState.CLAIMED, lost.positions, keys, "", 0, "")
        return {name: table.num_rows for name, table in extract(chunk, at).tables.items() if table.num_rows}
    finally:
        pinned.migration.close()


def _advance(site: Site, folder: Path) -> None:
    """Numbers that were given out since the backup are not given out again: as many are left out as there are old keys."""
    read = read_job(folder, site.environment)
    parameters = {spec.name: spec.default for spec in read.job.parameters}
    migration = load_migration(
        folder, environment=site.environment, state=site.state, reference={}, parameters=parameters
    )
    try:
        for spec in (one for one in migration.job.keys if one.kind == "sequence"):
            table = migration.job.unit.table(spec.table)
            source = migration.sources[table.table.system]
            rows = source.count(table) if isinstance(source, CanFetch) else sum(
                piece.rows.num_rows for piece in source.scan(table, spec.columns)
            )  # fmt: skip
            site.repository.recovery.advance(migration.job.name, spec.name, spec.start, rows)
    finally:
        migration.close()


def _refuse_live(site: Site, run: Run) -> None:
    for owner in (*living(site, run.id, "supervisor"), *living(site, run.id, "worker")):
        raise ConfigError(
            f"run {run.id} is at work ({owner.role} on {owner.host}, process {owner.pid})",
            remedy="Stop it first: ludb stop",
        )


def _dead(site: Site, run_id: str) -> str:
    """An owner that nobody waits for: recovery takes over from it at once."""
    owner = Owner(f"r-{uuid.uuid4().hex[:8]}", run_id, "worker", site.host, 0, "")
    site.repository.owners.enrol(owner)
    site.repository.owners.leave(owner.id, "dead")
    return owner.id


def _tell(site: Site, run_id: str, name: str, **data: object) -> None:
    site.repository.events.append(Event(name, run_id, "", "warning", lasting=True, data={**data, "by": site.actor}))
