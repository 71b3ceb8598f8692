"""After a crash: decided chunks are applied again from their journal; rejected units' calls are taken back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from ludb.engine.calls import alive_calls, take_back
from ludb.engine.extract import extract
from ludb.engine.retry import backoff
from ludb.engine.verdicts import counts, source_rows
from ludb.engine.workplace import Deferred, Workplace, unit_texts
from ludb.errors import ConfigError, FatalError, Fault, RoomError, TransientError
from ludb.model.data import rows_of
from ludb.model.exceptions import decode_exceptions
from ludb.model.run import Chunk, Decision, RunState, UnitException, UnitState
from ludb.ports.target import CanSweep

LOOK_EVERY = 0.5
"""Seconds between two looks at what the run is to do, while a target is waited for."""


def clear(chunk: Chunk, at: Workplace) -> None:
    """Delete what earlier claims of an undecided chunk prepared: this one may be halved, or have no row for a target."""
    for target in at.migration.targets.values():
        if isinstance(target, CanSweep):
            target.sweep(at.txn(chunk, ()))


def recover(chunk: Chunk, at: Workplace) -> None:
    """Apply a decided chunk wherever it is not yet, then finish it. Waits for targets that are away: what is decided must
    be done. Units that no longer fit their target are in doubt, with the reason.
    """
    with at.phase("recover", chunk):
        decision = at.repository.chunks.decision(chunk.txn)
        if decision is None:
            raise FatalError(f"chunk {chunk.id} is decided but has no decision; the repository was damaged or restored")
        faults: dict[int, tuple[str, Fault]] = {}
        for name in decision.participants:
            applied = _apply(name, chunk, decision, at)
            for position, fault in applied.items():
                faults.setdefault(position, (name, fault))
        exceptions = _in_doubt(faults, chunk, decision, at) if faults else []
        at.repository.chunks.finish(chunk, exceptions)
    at.announce("chunk.recovered", chunk, lasting=True, targets=list(decision.participants), in_doubt=len(exceptions))


def _apply(name: str, chunk: Chunk, decision: Decision, at: Workplace) -> dict[int, Fault]:
    writes = at.journal.read(chunk, name, decision.journal[name])
    txn = replace(at.txn(chunk, sorted(writes.positions)), seq=decision.seq)
    attempt = 0
    while True:
        at.fence.check(decided=True)
        try:
            return dict(at.migration.targets[name].apply(txn, writes).failed)
        except RoomError:
            raise  # the run pauses; the chunk stays decided for whoever goes on
        except TransientError as error:
            attempt += 1
            at.announce("target.away", chunk, level="warning", lasting=attempt == 1, target=name, error=str(error))
            left = backoff(attempt, 0.1, at.migration.job.settings.retry_cap, at.random)
            while left > 0:
                if at.told.leaving or at.repository.runs.get(at.run.id).state is RunState.STOPPING:
                    raise Deferred("this worker leaves; the decided chunk is applied by whoever goes on") from error
                at.wait(min(left, LOOK_EVERY))
                left -= LOOK_EVERY


def _in_doubt(
    faults: Mapping[int, tuple[str, Fault]], chunk: Chunk, decision: Decision, at: Workplace
) -> list[UnitException]:
    """The units that no longer fit, with what the decision counted of them: from now on they are not done."""
    keys = unit_texts(chunk)
    output = _decided_rows(sorted(faults), chunk, decision, at)
    source = _source_tables(sorted(faults), chunk, at)
    found = []
    for position, (target, fault) in sorted(faults.items()):
        reason = f"the decided rows no longer fit {target}: {fault.reason}"
        read = {name: rows_of(table, [position]).num_rows for name, table in source.items()}
        rows = {"source": {name: count for name, count in read.items() if count}, "output": output[position]}
        found.append(UnitException(
            position=position, unit_key=keys[position], state=UnitState.IN_DOUBT, phase="recover", step=target,
            reason=reason, message=f"{target}: {reason} (unit {keys[position]})", detail=fault.detail,
            job_version=at.run.version, at=at.clock(), chunk=chunk.id, rows=rows,
            source_rows=source_rows(source, position),
        ))  # fmt: skip
    return found


def _decided_rows(
    positions: Sequence[int], chunk: Chunk, decision: Decision, at: Workplace
) -> dict[int, dict[str, int]]:
    """Rows by output of these units: of tables as the journal holds them, of calls as they were made."""
    found: dict[int, dict[str, int]] = {position: {} for position in positions}
    for position, calls in alive_calls(chunk, positions, at).items():
        found[position].update(Counter(call.output for call in calls))
    for target in decision.participants:
        for table, rows in at.journal.read(chunk, target, decision.journal[target]).tables.items():
            for position, count in counts(rows, positions).items():
                found[position][f"{target}.{table}"] = count
    return found


def _source_tables(positions: Sequence[int], chunk: Chunk, at: Workplace) -> Mapping[str, pa.Table]:
    """The units' rows as the source has them now; none if it is away: what is decided is finished without it."""
    places = [chunk.positions.index(position) for position in positions]
    try:
        return extract(replace(chunk, positions=tuple(positions), keys=chunk.keys.take(places)), at).tables
    except (TransientError, ConfigError):
        return {}


def undo(chunk: Chunk, at: Workplace) -> None:
    """Take back the calls of rejected units, then record their quarantine: never before (PROTOCOL R6)."""
    with at.phase("undo", chunk):
        exceptions = decode_exceptions(chunk.payload)
        doubtful = take_back(chunk, [found.position for found in exceptions], at)
        final = [
            replace(
                found,
                state=UnitState.IN_DOUBT,
                reason=f"rejected, but not taken back: {doubtful[found.position]}",
                message=f"{found.message}; not taken back: {doubtful[found.position]}",
            )
            if found.position in doubtful
            else found
            for found in exceptions
        ]
    with at.phase("record", chunk):
        at.repository.chunks.finish(chunk, final)
    at.announce("chunk.undone", chunk, units=len(final), in_doubt=len(doubtful))
