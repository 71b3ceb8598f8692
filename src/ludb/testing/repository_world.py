"""Small runs for the repository contract: a clock moved by hand, a planned run, decisions that add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from ludb.model.run import Chunk, Decision, Owner, Run, RunState, Segment, UnitException, UnitState
from ludb.ports.repository import Repository

RUN = "run-1"
"""The run that `started` makes."""


class ManualClock:
    """A clock that stands still until a test moves it, in either direction."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        """Start at `now` (Unix seconds)."""
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now


def planned(run_id: str = RUN, *, job: str = "telco", instance: str = "telco:1") -> Run:
    """A run as the planner hands it over."""
    return Run(
        id=run_id,
        job=job,
        instance=instance,
        state=RunState.PLANNED,
        version="v1",
        pinned="p1",
        clock=5.0,
        units=0,
        actor="operator",
        host="host",
        parameters={"region": "north"},
        settings={"chunk_units": 4},
        counts={"customers": {"rows": 10, "orphans": 1}},
        notes={"columns": ["a"]},
    )


def segments(units: int, size: int = 6) -> Iterator[Segment]:
    """A unit list with one integer key column: position p has the key 100 + p."""
    for first in range(0, units, size):
        ids = list(range(100 + first, 100 + min(first + size, units)))
        yield Segment(first, pa.table({"customer_id": pa.array(ids, pa.int64())}))


def started(repository: Repository, units: int = 10, *, size: int = 6, run_id: str = RUN) -> str:
    """A running run over so many units; returns its id."""
    repository.runs.create(planned(run_id), segments(units, size))
    repository.runs.change(run_id, RunState.RUNNING)
    return run_id


def claimed(
    repository: Repository, units: int = 4, owner: str = "a", run_id: str = RUN, **more: Sequence[str]
) -> Chunk:
    """The next chunk; fails where the repository gives none."""
    chunk = repository.chunks.claim(run_id, owner, units, silent=more.get("silent", ()), dead=more.get("dead", ()))
    assert chunk is not None, "the repository gave no chunk"
    return chunk


def fault(
    position: int, state: UnitState = UnitState.QUARANTINED, **more: Mapping[str, Mapping[str, int]]
) -> UnitException:
    """A unit set aside, with one row in the source."""
    return UnitException(
        position=position,
        unit_key=str(100 + position),
        state=state,
        phase="steps",
        step="10_customer",
        reason="bad date",
        message="step 10_customer: mend the date",
        detail="0000-00-00",
        source_rows='{"customers": []}',
        rows=more.get("rows", {"source": {"customers": 1}, "output": {"billing.account": 1}}),
    )


def decision(
    chunk: Chunk, exceptions: Sequence[UnitException] = (), undo: Sequence[UnitException] = (), strays: int = 0
) -> Decision:
    """A decision that covers the chunk: what is not named is done, with one source row and one output row a unit."""
    done = len(chunk.positions) - len(exceptions) - len(undo)
    return Decision(
        txn=chunk.txn,
        chunk=chunk.id,
        seq=chunk.seq,
        participants=("billing",),
        journal={"billing": "0" * 64},
        done=done,
        exceptions=tuple(exceptions),
        undo=tuple(undo),
        rows={
            "source": {"customers": done},
            "output": {"billing.account": done},
            "stray": {"payments": strays},
            "warning": {"has_contact": strays},
        },
        seconds={"phase": {"extract": 0.25, "steps": 0.5}, "step": {"steps/10/billing.account.sql": 0.5}},
        job_version="v1",
        conversions={"trimmed": 2},
    )


def moved(
    repository: Repository,
    chunk: Chunk,
    exceptions: Sequence[UnitException] = (),
    merged: Mapping[bytes, int] | None = None,
) -> Chunk:
    """Decide and finish a chunk."""
    decided = repository.chunks.decide(chunk, replace(decision(chunk, exceptions), merged=merged or {}))
    repository.chunks.finish(decided)
    return decided


def owner(owner_id: str, run_id: str = RUN) -> Owner:
    """A worker as it enrols."""
    return Owner(owner_id, run_id, "worker", "host", 4711, f"/locks/{owner_id}")
