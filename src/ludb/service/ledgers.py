"""What targets say was committed, against what the repository has decided (PROTOCOL R9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ludb.engine.migration import Migration
from ludb.errors import ConfigError, LudbError
from ludb.model.run import ChunkState, Run, RunState, UnitState
from ludb.ports.evidence import ReasonGroup
from ludb.ports.target import HasLedger, Target
from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.service.activity import living
from ludb.service.site import Site
from ludb.wording import plural

NAMED = 5
"""Transactions that a line names; it counts all of them."""
_ALL = 1 << 31
_OVER = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED})


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One target's ledger, as far as it is of this repository. `others` counts entries of other repositories.

    `unknown`: transactions that the target has and the repository does not (the repository was restored from a backup).
    `missing`: finished ones that the target lacks (the target was restored). `waiting`: decided, not finished, not there
    yet: recovery applies them. `told` says it in words; `agrees` is whether nothing is wrong.
    """

    target: str
    entries: int | None
    runs: tuple[str, ...] = ()
    first_seq: int | None = None
    last_seq: int | None = None
    others: int | None = None
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    agrees: bool = True


def ledger_ddl(folder: Path, state: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """By target, what makes its ledger. Opens no system and makes nothing."""
    with _loaded(folder, state, environment) as migration:
        return {
            name: target.ledger_ddl()
            if isinstance(target, HasLedger)
            else f"-- {name}: this target makes its ledger by itself\n"
            for name, target in sorted(migration.targets.items())
        }


def compare(site: Site, folder: Path) -> list[LedgerLine]:
    """One line per target of the job; a target that is away is a line that says so."""
    known = site.repository.evidence.transactions().to_pylist()
    seq = site.repository.runs.seq()
    with _loaded(folder, site.state, site.environment) as migration:
        job = migration.job.name
        mine = [row for row in known if row["job"] == job]
        dropped = _dropped(site, job)
        lines = []
        for name, target in sorted(migration.targets.items()):
            expected = {row["txn"]: row["state"] for row in mine if name in row["participants"]}
            try:
                line = _line(name, target, site.repository.id, {row["txn"] for row in known}, expected, seq)
            except LudbError as error:
                line = LedgerLine(name, None, told=(f"cannot be read: {error}",), agrees=False)
            lines.append(_explained(line, dropped.get(name, "")))
        return lines


def _line(
    name: str, target: Target, repository: str, known: set[str], expected: Mapping[str, str], seq: int
) -> LedgerLine:
    rows = target.ledger(repository).to_pylist()
    held = {row["txn"] for row in rows}
    unknown = tuple(row["txn"] for row in rows if row["txn"] not in known)
    absent = [(txn, state) for txn, state in expected.items() if txn not in held]
    missing = tuple(txn for txn, state in absent if state == ChunkState.FINISHED)
    waiting = tuple(txn for txn, state in absent if state != ChunkState.FINISHED)
    runs = tuple(dict.fromkeys(row["run"] for row in rows))
    numbers = [row["seq"] for row in rows]
    others = None
    if isinstance(target, HasLedger):
        others = sum(count for owner, count in target.ledger_entries().items() if owner != repository)
    told = []
    if numbers and max(numbers) > seq:
        told.append(f"knows sequence number {max(numbers):,}, the repository stands at {seq:,}: it was restored")
    return LedgerLine(
        name, len(rows), runs, min(numbers, default=None), max(numbers, default=None), others, unknown, missing,
        waiting, tuple(told), agrees=not (unknown or missing or told),
    )  # fmt: skip


def _explained(line: LedgerLine, dropped: str) -> LedgerLine:
    told = list(line.told)
    if line.unknown:
        told.append(
            f"{_named(line.unknown)} committed here, and unknown to the repository: it was restored from a backup, or is "
            "another one"
        )
    agrees = line.agrees
    if line.missing and dropped and not line.unknown:
        told.append(f"{dropped}; {len(line.missing):,} finished transactions can no longer be looked up")
        agrees = True
    elif line.missing:
        told.append(
            f"{_named(line.missing)} finished by the repository, and not here: the target was restored from a backup, or "
            "its ledger was dropped by hand"
        )
    if line.waiting:
        told.append(f"{_named(line.waiting)} decided and not written here yet: going on with the run does it")
    return LedgerLine(
        line.target, line.entries, line.runs, line.first_seq, line.last_seq, line.others, line.unknown, line.missing,
        line.waiting, tuple(told), agrees,
    )  # fmt: skip


def _named(txns: tuple[str, ...]) -> str:
    more = f", and {len(txns) - NAMED:,} more" if len(txns) > NAMED else ""
    return f"{plural(len(txns), 'transaction')} ({', '.join(txns[:NAMED])}{more})"


def drop_doubts(site: Site, folder: Path) -> list[str]:
    """Why the ledgers of the job's targets are still wanted, in sentences; empty where nothing speaks against dropping
    them. `ConfigError` while anybody is at work on a run of the job: that is never a matter of confirming.
    """
    with _loaded(folder, site.state, site.environment) as migration:
        doubts: list[str] = []
        for run in site.repository.views.runs(migration.job.name, limit=_ALL):
            _refuse_live(site, run)
            doubts += _run_doubts(site, run)
        unfinished = {run.id: run for run in site.repository.views.runs(limit=_ALL) if run.state not in _OVER}
        for name, target in sorted(migration.targets.items()):
            if isinstance(target, HasLedger):
                doubts += _target_doubts(name, target, site, migration.job.name, unfinished)
        return doubts


def _refuse_live(site: Site, run: Run) -> None:
    for owner in (*living(site, run.id, "supervisor"), *living(site, run.id, "worker")):
        raise ConfigError(
            f"run {run.id} is at work ({owner.role} on {owner.host}, process {owner.pid}): its ledgers are in use",
            remedy="Stop it first: ludb stop",
        )


def _run_doubts(site: Site, run: Run) -> Iterator[str]:
    if run.state not in _OVER:
        pending = site.repository.views.counters(run.id).pending
        waiting = plural(pending, "unit is", "units are")
        yield f"run {run.id} is {run.state}, {waiting} pending: without ledgers nobody can tell what a crash left"
    decided = [c for c, _, _ in site.repository.views.chunks(run.id, unresolved=True) if c.state is ChunkState.DECIDED]
    if decided:
        yield f"run {run.id} has {plural(len(decided), 'decided chunk')} not finished yet: going on would write twice"
    doubtful = sum(group.units for group in _doubtful(site, run))
    if doubtful:
        yield f"run {run.id} has {plural(doubtful, 'unit')} in doubt: the ledgers are evidence of what happened"


def _doubtful(site: Site, run: Run) -> Iterator[ReasonGroup]:
    for group in site.repository.evidence.reasons(run.id):
        if group.state is UnitState.IN_DOUBT:
            yield group


def _target_doubts(name: str, target: HasLedger, site: Site, job: str, unfinished: Mapping[str, Run]) -> Iterator[str]:
    others = sum(count for owner, count in target.ledger_entries().items() if owner != site.repository.id)
    if others:
        yield f"the ledger of {name} also holds {plural(others, 'entry', 'entries')} of other repositories"
    assert isinstance(target, Target)
    runs = set(target.ledger(site.repository.id).column("run").to_pylist()) & unfinished.keys()
    for run in sorted(run for run in runs if unfinished[run].job != job):
        yield f"the ledger of {name} is also that of run {run} of {unfinished[run].job}, which is {unfinished[run].state}"


def drop_ledgers(site: Site, folder: Path) -> list[str]:
    """Drop the ledgers of the job's targets; returns the targets. Who did it is kept with the job's newest run."""
    with _loaded(folder, site.state, site.environment) as migration:
        runs = site.repository.views.runs(migration.job.name, limit=1)
        names = []
        for name, target in sorted(migration.targets.items()):
            if not isinstance(target, HasLedger):
                continue
            target.drop_ledger()
            names.append(name)
            for run in runs:
                asked = site.repository.commands.put(run.id, "ledger drop", {"target": name}, site.actor)
                site.repository.commands.acknowledge(asked, "dropped")
        return names


def _dropped(site: Site, job: str) -> dict[str, str]:
    """By target, who dropped its ledger last."""
    return {
        str(asked.arguments.get("target")): f"{asked.actor} dropped this ledger"
        for run in reversed(site.repository.views.runs(job, limit=_ALL))
        for asked in site.repository.evidence.asked(run.id)
        if asked.name == "ledger drop"
    }


@contextmanager
def _loaded(folder: Path, state: Path, environment: Mapping[str, str]) -> Iterator[Migration]:
    """The job with its adapters; parameters that have no default do not matter here."""
    parameters = {spec.name: spec.default for spec in read_job(folder, environment).job.parameters}
    migration = load_migration(folder, environment=environment, state=state, reference={}, parameters=parameters)
    try:
        yield migration
    finally:
        migration.close()
