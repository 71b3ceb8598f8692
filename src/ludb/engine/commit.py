"""The all-or-nothing commit: rehearse, call, prepare, journal, decide, commit (PROTOCOL R1-R3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ludb.engine.calls import Documents, alive_calls, make_calls
from ludb.engine.modes import in_order
from ludb.engine.retry import backoff
from ludb.engine.transform import Produced
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.engine.written import claims, refuse_taken
from ludb.errors import FatalError, LeaseLost, TransientError, UnitError
from ludb.model.data import WriteSet
from ludb.model.figures import SYSTEM
from ludb.model.run import CallState, Chunk, ChunkState, Decision, Txn, UnitException, UnitState
from ludb.ports.target import Participant, write_all

Participants = dict[str, Participant]
Rows = dict[str, dict[str, int]]
"""Row counts as `Decision.rows` keeps them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Open transactions, by target in name order, that can no longer fail for reasons of data, and what they hold."""

    participants: Participants
    writes: dict[str, WriteSet]


@contextmanager
def prepared(
    chunk: Chunk, produced: Produced, verdicts: Verdicts, between: Callable[[], None], at: Workplace
) -> Iterator[Prepared]:
    """Everything up to the decision. On the way out whatever was not committed is rolled back. `between` is called where
    constraints refused units, before the others are written again: no target is locked then.

    A chunk with calls holds no transaction across calls that can be undone: it is rehearsed first, so that most
    constraint failures cost no call. Calls that cannot be undone come last, inside the open transactions.
    """
    refuse_taken(produced.written, chunk, verdicts, at)
    documents = produced.documents(returning=False)
    revocable = [d for d in documents if _can_undo(d, at)]
    final = [d for d in documents if not _can_undo(d, at)]
    has_calls = bool(documents) or bool(produced.documents(returning=True))
    if has_calls and verdicts.alive:
        with at.phase("rehearse", chunk), ExitStack() as rehearsal:
            _open(chunk, produced, verdicts, _nothing, at, rehearsal)
    if revocable and verdicts.alive:
        with at.phase("call", chunk):
            make_calls(revocable, chunk, verdicts.alive, verdicts, at)
    with ExitStack() as transactions:
        with at.phase("prepare", chunk):
            ready = _open(chunk, produced, verdicts, between, at, transactions)
            while final and verdicts.alive:
                before = verdicts.rejected
                make_calls(final, chunk, verdicts.alive, verdicts, at)
                if verdicts.rejected == before:
                    break
                transactions.close()
                ready = _open(chunk, produced, verdicts, between, at, transactions)
        yield ready


def _can_undo(documents: Documents, at: Workplace) -> bool:
    return at.migration.calls[documents.spec.system].ability(documents.spec.name).undo


def _nothing() -> None:
    pass


def _open(
    chunk: Chunk,
    produced: Produced,
    verdicts: Verdicts,
    between: Callable[[], None],
    at: Workplace,
    transactions: ExitStack,
) -> Prepared:
    """Write into an open transaction per target, rejecting units until all targets accept what is left."""
    while True:
        targets = at.migration.targets
        chosen = produced.writes(verdicts.alive)
        ready = Prepared({}, {name: in_order(writes, targets[name]) for name, writes in chosen.items()})
        written, name = False, ""
        try:
            for writes in ready.writes.values():
                name = writes.target
                _write(writes, ready.participants, at.txn(chunk, verdicts.alive), at, transactions)
            written = True
            for name in ready.participants:  # some lock their target here, so all is written before
                with at.meter.timed(SYSTEM, name):
                    ready.participants[name].prepare()
        except UnitError as error:
            transactions.close()
            if not error.faults:
                raise
            if not set(error.faults) - verdicts.rejected:
                raise FatalError(
                    f"{name}: faults in units that were not written; this is a bug of the adapter"
                ) from error
            verdicts.reject(error.faults, phase="prepare", step=name, trace=error.trace, body=error.body)
            if written:
                between()
        except BaseException:
            transactions.close()
            raise
        else:
            return ready


def _write(writes: WriteSet, participants: Participants, txn: Txn, at: Workplace, transactions: ExitStack) -> None:
    target = at.migration.targets[writes.target]
    participant = target.begin(txn)
    transactions.callback(participant.rollback)
    participants[writes.target] = participant
    with at.meter.timed(SYSTEM, writes.target) as done:
        write_all(participant, writes)
        done.rows = sum(rows.num_rows for rows in writes.tables.values())
        done.sent = sum(rows.nbytes for rows in writes.tables.values())


def journal(chunk: Chunk, ready: Prepared, at: Workplace) -> dict[str, str]:
    """Make the write-sets durable; returns the sha256 of each target's part."""
    with at.phase("journal", chunk):
        parts = {name: at.journal.append(chunk, writes) for name, writes in ready.writes.items()}
        at.journal.sync(chunk)
    return parts


def decide(
    chunk: Chunk,
    parts: dict[str, str],
    produced: Produced,
    verdicts: Verdicts,
    rows: Rows,
    changed: Mapping[str, int],
    at: Workplace,
) -> Chunk:
    """The one point of no return. Units whose calls are still alive go to an `undo` chunk instead of their quarantine."""
    with at.phase("decide", chunk):
        exceptions = verdicts.exceptions(produced.tables)
        rejected = {found.position for found in exceptions if found.state is not UnitState.IN_DOUBT}
        alive = alive_calls(chunk, rejected, at)
        _check_calls(chunk, verdicts, at)
        decision = Decision(
            txn=chunk.txn, chunk=chunk.id, seq=chunk.seq, participants=tuple(parts), journal=parts,
            done=len(verdicts.alive), rows=rows, job_version=at.run.version,
            exceptions=tuple(found for found in exceptions if found.position not in alive),
            undo=tuple(found for found in exceptions if found.position in alive), conversions=changed,
            merged=claims(produced.written, verdicts.alive), seconds=at.meter.lap(),
        )  # fmt: skip
        decided = _decide(chunk, decision, at)
    for found in decision.exceptions:
        _announce(found, chunk, at)
    return decided


def _check_calls(chunk: Chunk, verdicts: Verdicts, at: Workplace) -> None:
    """What must hold of every unit that moves: all its calls are done, at outputs that the job has."""
    outputs = at.migration.job.outputs
    for calls in alive_calls(chunk, verdicts.alive, at, besides=outputs).values():
        for call in calls:
            if call.output not in outputs:
                raise FatalError(
                    f"{call.output} is no longer an output of the job, but unit {call.unit_key} has an object there from an "
                    "earlier attempt; put the output back"
                )
            if call.state is not CallState.DONE:
                raise FatalError(
                    f"{call.output}: a call of unit {call.unit_key} is {call.state}, not done; this is a bug"
                )


def _decide(chunk: Chunk, decision: Decision, at: Workplace) -> Chunk:
    """Decide, and where the answer is lost read the decision: never assume (PROTOCOL section 2)."""
    for attempt in range(1, 8):
        try:
            return at.repository.chunks.decide(chunk, decision)
        except (TransientError, LeaseLost) as error:
            standing = _standing(chunk, at)
            if standing is not None and standing.seq == chunk.seq:
                return replace(chunk, state=ChunkState.DECIDED)
            if isinstance(error, LeaseLost):
                raise
            at.wait(backoff(attempt, 0.05, 2.0, at.random))
    raise LeaseLost("the repository did not answer; whether the chunk is decided will be read from it later")


def _standing(chunk: Chunk, at: Workplace) -> Decision | None:
    for attempt in range(1, 8):
        try:
            return at.repository.chunks.decision(chunk.txn)
        except TransientError:
            at.wait(backoff(attempt, 0.05, 2.0, at.random))
    raise LeaseLost("the repository did not answer; whether the chunk is decided will be read from it later")


def commit(chunk: Chunk, ready: Prepared, at: Workplace) -> bool:
    """Commit every participant, in name order. False if one could not: recovery will apply its journal."""
    with at.phase("commit", chunk):
        for name, participant in ready.participants.items():
            try:
                with at.meter.timed(SYSTEM, name):
                    participant.commit()
            except (TransientError, UnitError) as error:
                at.announce("chunk.commit_failed", chunk, level="warning", target=name, error=str(error))
                return False
            at.announce("participant.committed", chunk, level="debug", target=name)
    return True


def _announce(found: UnitException, chunk: Chunk, at: Workplace) -> None:
    at.announce(
        f"unit.{found.state}",
        chunk,
        level="warning",
        lasting=False,
        unit=found.unit_key,
        step=found.step,
        reason=found.reason,
    )
