"""The life of one chunk, as one page of named calls: read this first.

plan -> claim -> extract -> assemble -> steps -> rules -> prepare -> decide -> commit -> record
"""

from __future__ import annotations

from ludb.engine.commit import commit, decide, journal, prepared
from ludb.engine.conversions import Conversions
from ludb.engine.extract import extract, unread
from ludb.engine.recover import clear, recover, undo
from ludb.engine.transform import Produced, transform
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.errors import Fault, UnitError
from ludb.model.data import Extract, rows_of
from ludb.model.run import Chunk, ChunkState

PHASES = (
    "claim", "extract", "assemble", "steps", "rules", "rehearse", "call", "prepare", "journal", "decide", "commit",
    "record",
)  # fmt: skip
"""The phases of a chunk that moves, as they are announced: the crash tests kill before and after each of them."""
SIDE_PHASES = ("recover", "undo")
"""Phases of chunks that were decided before, and of rejected units whose calls are taken back."""


DEATHS, ALONE = 2, 3
"""How many workers must have died with a chunk in hand before it is halved, and before a unit that is the whole chunk is set
aside: one may have died of anything, and a host that is restarted twice says nothing of a customer.
"""

Further = tuple[tuple[Chunk, Extract], ...]
"""Chunks born of a split, with their rows: the same worker moves them next."""


def process(chunk: Chunk, read: Extract | None, at: Workplace) -> Further:
    """Move one claimed chunk to its end; `read` is given for a chunk born of a split.

    Raises `TransientError` (release and try again), `LeaseLost` (drop), `PauseError`, `FatalError`, `ConfigError`; units
    that cannot move are set aside here and raise nothing.
    """
    at.meter.anew()
    if chunk.state is ChunkState.DECIDED:
        recover(chunk, at)
        return ()
    if chunk.kind == "undo":
        undo(chunk, at)
        return ()
    if chunk.attempt > 1:
        clear(chunk, at)
    if chunk.deaths >= (DEATHS if len(chunk.positions) > 1 else ALONE):
        suspect(chunk, at)
        return ()
    if read is None:
        with at.phase("extract", chunk):
            read = extract(chunk, at)
        at.weight.note(len(chunk.positions), read.size)
    return move(chunk, read, at)


def move(chunk: Chunk, read: Extract, at: Workplace) -> Further:
    """From the extract to the record. A data error that names no unit takes the chunk apart."""
    verdicts = Verdicts(chunk, read, version=at.run.version, at=at.clock())
    phase = "steps"
    try:
        produced = transform(chunk, read, verdicts, at)
        phase = "prepare"
        conclude(chunk, read, produced, verdicts, at)
    except UnitError as error:
        return take_apart(chunk, read, verdicts, error, phase, at)
    return ()


def conclude(chunk: Chunk, read: Extract, produced: Produced, verdicts: Verdicts, at: Workplace) -> None:
    """From the outputs to the record: nothing of a unit is anywhere, or all of it is everywhere."""
    changed = Conversions(read, produced, verdicts, at)
    with prepared(chunk, produced, verdicts, changed.note, at) as ready:
        parts = journal(chunk, ready, at)
        rows = rows_moved(read, produced, verdicts)
        decided = decide(chunk, parts, produced, verdicts, rows, changed.counted(), at)
        committed = commit(decided, ready, at)
    if not committed:
        recover(decided, at)
        return
    with at.phase("record", decided):
        at.repository.chunks.finish(decided)
    at.announce("chunk.finished", chunk, done=len(verdicts.alive), rejected=len(verdicts.rejected))


def take_apart(chunk: Chunk, read: Extract, verdicts: Verdicts, error: UnitError, phase: str, at: Workplace) -> Further:
    """Somebody in the chunk is at fault: halve it until the bad unit stands alone, then set that one aside."""
    alive = verdicts.alive
    if len(alive) == 1:
        faults = {alive[0]: fault_of(error)}
        verdicts.reject(faults, phase=phase, step=step_of(error), trace=error.trace, body=error.body)
        conclude(chunk, read, Produced(at.migration.job, {}, read.keys), verdicts, at)
        return ()
    middle = chunk.positions.index(alive[len(alive) // 2])
    parts = [list(chunk.positions[:middle]), list(chunk.positions[middle:])]
    children = at.repository.chunks.split(chunk, parts)
    at.announce("chunk.split", chunk, error=str(error), units=len(chunk.positions))
    return tuple((child, read.only(child.positions)) for child in children)


def suspect(chunk: Chunk, at: Workplace) -> None:
    """Workers die of somebody in this chunk (out of memory, a library that crashes): halve it, unread, until the unit stands
    alone, then set that one aside. Halves are given back, so that the good one moves before the other kills again.
    """
    if len(chunk.positions) > 1:
        middle = len(chunk.positions) // 2
        children = at.repository.chunks.split(chunk, [chunk.positions[:middle], chunk.positions[middle:]])
        for child in children:
            at.repository.chunks.release(child, "half of a chunk that workers died of", 0.0)
        at.announce("chunk.suspected", chunk, level="warning", lasting=True, deaths=chunk.deaths)
        return
    read = unread(chunk, at)
    verdicts = Verdicts(chunk, read, version=at.run.version, at=at.clock())
    told = f"{ALONE} workers died with this unit in hand, alone or with others"
    verdicts.reject({chunk.positions[0]: Fault(told)}, phase="extract", step="")
    conclude(chunk, read, Produced(at.migration.job, {}, read.keys), verdicts, at)


def fault_of(error: UnitError) -> Fault:
    """What an error says of a unit, without the step that it names first."""
    return Fault(str(error).removeprefix(f"{step_of(error)}:").strip(), error.detail)


def step_of(error: UnitError) -> str:
    """The step that an error names: its message starts with the step's file."""
    return str(error).split(":", 1)[0]


def rows_moved(read: Extract, produced: Produced, verdicts: Verdicts) -> dict[str, dict[str, int]]:
    """Row counts of the units that move, and of the strays dropped with a warning, as the decision keeps them."""
    alive = verdicts.alive
    moving = frozenset(alive)
    strays = {name: sum(n for at, n in by.items() if at in moving) for name, by in read.strays.items()}
    source = {name: rows_of(rows, alive).num_rows for name, rows in read.tables.items()}
    return {
        "source": {name: count for name, count in source.items() if count},
        "output": produced.counts(alive),
        "stray": {name: count for name, count in strays.items() if count},
        "warning": verdicts.warnings,
    }
