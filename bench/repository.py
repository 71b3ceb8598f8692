"""What the job repository costs: statements for one chunk, and the time to record a million units."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Engine, event

from ludb.model.run import Decision, Run, RunState, Segment
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store.repository import StoreRepository

SEGMENT = 50_000
"""Keys per segment of the unit list, as the planner cuts it."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Statements of this thread inside the block, by text: the heartbeat's are another thread's, and BEGIN and COMMIT are
    left out.
    """
    found: Counter[str] = Counter()
    thread = threading.get_ident()

    def told(connection: object, cursor: object, statement: str, *_: object) -> None:
        del connection, cursor
        if threading.get_ident() == thread and not statement.startswith("BEGIN"):
            found[" ".join(statement.split())] += 1

    event.listen(Engine, "before_cursor_execute", told)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", told)


def plan(repository: StoreRepository, units: int) -> Run:
    """A running run over keys 0, 1, 2, ..."""
    run = Run(
        id=f"bench-{units}", job="bench", instance=f"bench {units}", state=RunState.PLANNED, version="v", pinned="p",
        clock=0.0, units=units, actor="bench", host="here",
    )  # fmt: skip
    segments = [
        Segment(first, pa.table({"id": pa.array(range(first, min(units, first + SEGMENT)), pa.int64())}))
        for first in range(0, units, SEGMENT)
    ]
    repository.runs.create(run, segments)
    return repository.runs.change(run.id, RunState.RUNNING, "")


def move(repository: StoreRepository, run: Run, chunk_units: int) -> bool:
    """Claim, decide and finish one chunk, as a worker does; False if there was none."""
    chunk = repository.chunks.claim(run.id, "w", chunk_units)
    if chunk is None:
        return False
    rows = {
        "source": dict.fromkeys((f"table_{number}" for number in range(10)), len(chunk.positions)),
        "output": dict.fromkeys((f"output_{number}" for number in range(9)), len(chunk.positions)),
    }
    decision = Decision(
        txn=chunk.txn, chunk=chunk.id, seq=chunk.seq, participants=("billing",), journal={"billing": "0" * 64},
        done=len(chunk.positions), rows=rows, job_version="v",
    )  # fmt: skip
    repository.chunks.finish(repository.chunks.decide(chunk, decision))
    return True


def seconds_to_record(folder: Path, units: int, chunk_units: int) -> float:
    """How long one process takes to claim, decide and finish that many units, every transaction synced to the disk."""
    folder.mkdir(parents=True)
    with closing(SqliteRepository(str(folder / "repository.sqlite"))) as repository:
        run = plan(repository, units)
        began = time.monotonic()
        while move(repository, run, chunk_units):
            pass
        return time.monotonic() - began


def statements(folder: Path) -> Counter[str]:
    """The statements of one chunk; not the first, which reads the keys of its segment too."""
    folder.mkdir(parents=True)
    with closing(SqliteRepository(str(folder / "repository.sqlite"))) as repository:
        run = plan(repository, 30)
        move(repository, run, 10)
        with counted() as found:
            move(repository, run, 10)
        return found
