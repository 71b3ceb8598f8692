"""Lost transactions adopted, finished chunks opened again: the `Recovery` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from ludb.errors import FatalError
from ludb.model.run import DONE_STATES, Chunk, ChunkState, RunState, UnitState
from ludb.ports.recovery import Lost
from ludb.repositories.store import tables as t
from ludb.repositories.store.chunk_rows import NO_KEYS, insert_chunk, move_calls
from ludb.repositories.store.database import Database, batches, next_seq
from ludb.repositories.store.keymap import lock_counter, take_block
from ludb.repositories.store.outcomes import reopen as reopen_units
from ludb.repositories.store.positions import positions_of, unpack
from ludb.repositories.store.runs import get_run

_WAITING = (str(ChunkState.CLAIMED), str(ChunkState.RELEASED))


class StoreRecovery:
    """The `Recovery` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def adopt(self, run_id: str, found: Sequence[Lost], seq: int, owner: str) -> None:
        """Each transaction becomes a decided chunk of its units; what held them lets go of them."""
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            connection.execute(update(t.meta).where(t.meta.c.seq < seq).values(seq=seq))
            for lost in sorted(found, key=lambda one: one.seq):
                wanted = frozenset(lost.positions)
                self._refuse_moved(connection, run_id, lost, wanted)
                self._forgive(connection, run_id, lost)
                self._free(connection, run_id, lost, wanted)
                self._cut(connection, run_id, wanted)
                self._decide(connection, run_id, lost, owner, run.version)
            self._reopen_run(connection, run_id, run.state, "transactions that targets had committed were adopted")

    def reopen(self, run_id: str, txns: Sequence[str], owner: str) -> None:
        """`finished -> decided`: what was counted of the chunks is taken off again."""
        c = t.chunk.c
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            for some in batches(list(txns)):
                same = (c.run == run_id, c.txn.in_(some), c.state == str(ChunkState.FINISHED))
                ids = list(connection.execute(select(c.id).where(*same)).scalars())
                connection.execute(delete(t.chunk_rows).where(t.chunk_rows.c.chunk.in_(ids)))
                connection.execute(
                    update(t.chunk).where(*same).values(state=str(ChunkState.DECIDED), finished_at=None, owner=owner)
                )
            self._reopen_run(connection, run_id, run.state, "a target had lost transactions that were finished")

    def advance(self, job: str, name: str, start: int, by: int) -> None:
        """Move the map's counter on, from `start` where it has none yet."""
        with self._db.write() as connection:
            lock_counter(connection, job, name, start)
            take_block(connection, job, name, by)

    def _reopen_run(self, connection: Connection, run_id: str, state: RunState, reason: str) -> None:
        if state in DONE_STATES:
            values = {"state": str(RunState.STOPPED), "reason": reason}
            connection.execute(update(t.run).where(t.run.c.id == run_id).values(values))

    def _refuse_moved(self, connection: Connection, run_id: str, lost: Lost, wanted: frozenset[int]) -> None:
        done = (str(ChunkState.FINISHED), str(ChunkState.DECIDED))
        for row in self._touched(connection, run_id, wanted, done):
            moved = wanted.intersection(positions_of(row)) - set(unpack(row.excluded))
            if moved and row.kind != "undo":
                raise FatalError(
                    f"run {run_id}: the unit at position {min(moved)} of transaction {lost.txn} was also moved by {row.txn}: "
                    "the targets hold it twice. Keep everything as it is, and compare both by hand"
                )

    def _forgive(self, connection: Connection, run_id: str, lost: Lost) -> None:
        """Units that were set aside before the backup and moved after it are set aside no more."""
        e = t.unit_exception.c
        held: dict[int, str] = {}
        for some in batches(lost.positions):
            query = select(e.position, e.state).where(e.run == run_id, e.position.in_(some))
            held |= {row.position: row.state for row in connection.execute(query)}
        other = sorted(at for at, state in held.items() if state != UnitState.QUARANTINED)
        if other:
            raise FatalError(
                f"run {run_id}: the unit at position {other[0]} is {held[other[0]]}, and transaction {lost.txn} has moved it: "
                "a person has to look"
            )
        if held:
            reopen_units(connection, run_id, sorted(held), self._db.now(), {"chunk": lost.chunk, "by": "recovery"})

    def _free(self, connection: Connection, run_id: str, lost: Lost, wanted: frozenset[int]) -> None:
        """Chunks that wait let go of these units; the others of them wait in a chunk of their own."""
        for row in self._touched(connection, run_id, wanted, _WAITING):
            held = positions_of(row)
            if wanted.isdisjoint(held):
                continue
            if row.id == lost.chunk:  # it becomes the decided one
                connection.execute(delete(t.chunk).where(t.chunk.c.id == row.id))
            else:
                connection.execute(update(t.chunk).where(t.chunk.c.id == row.id).values(state=str(ChunkState.SPLIT)))
            rest = [at for at in held if at not in wanted]
            if rest:
                child = self._wait(connection, run_id, rest, parent=row.id, seg=row.seg)
                move_calls(connection, row.id, child, rest)

    def _cut(self, connection: Connection, run_id: str, wanted: frozenset[int]) -> None:
        """The list goes on behind these units; those before them that nobody has moved wait in chunks."""
        s = t.segment.c
        query = select(s.seg, s.first_pos, s.n, s.next_pos).where(s.run == run_id, s.next_pos <= max(wanted))
        for row in connection.execute(query).all():
            mine = [at for at in wanted if row.next_pos <= at < row.first_pos + row.n]
            if not mine:
                continue
            stop = max(mine) + 1
            connection.execute(update(t.segment).where(s.run == run_id, s.seg == row.seg).values(next_pos=stop))
            rest = [at for at in range(row.next_pos, stop) if at not in wanted]
            if rest:
                self._wait(connection, run_id, rest, seg=row.seg)

    def _wait(
        self,
        connection: Connection,
        run_id: str,
        positions: Sequence[int],
        *,
        parent: str | None = None,
        seg: object = None,
    ) -> str:
        now = self._db.now()
        chunk = Chunk(
            id=self._db.new_id(), run=run_id, kind="move", state=ChunkState.RELEASED, positions=tuple(positions),
            keys=NO_KEYS, txn=self._db.new_id(), seq=next_seq(connection), owner="", parent=parent, attempt=0,
        )  # fmt: skip
        insert_chunk(connection, chunk, seg=seg, not_before=now, released_at=now)
        return chunk.id

    def _decide(self, connection: Connection, run_id: str, lost: Lost, owner: str, version: str) -> None:
        known = connection.execute(select(t.chunk.c.id).where(t.chunk.c.id == lost.chunk)).one_or_none()
        if known is not None:
            raise FatalError(
                f"run {run_id}: chunk {lost.chunk} of transaction {lost.txn} is known, and is over: a person has to look"
            )
        chunk = Chunk(
            id=lost.chunk, run=run_id, kind="move", state=ChunkState.DECIDED, positions=tuple(sorted(lost.positions)),
            keys=NO_KEYS, txn=lost.txn, seq=lost.seq, owner=owner, attempt=1,
        )  # fmt: skip
        insert_chunk(connection, chunk, done=len(lost.positions))
        values = {
            "txn": lost.txn, "chunk": lost.chunk, "run": run_id, "seq": lost.seq, "participants": sorted(lost.journal),
            "journal": dict(lost.journal), "done": len(lost.positions), "rows": dict(lost.rows), "job_version": version,
            "conversions": {}, "decided_at": self._db.now(), "exceptions": b"", "undo": b"", "seconds": {},
        }  # fmt: skip
        connection.execute(insert(t.decision).values(values))

    @staticmethod
    def _touched(connection: Connection, run_id: str, wanted: frozenset[int], states: Sequence[str]) -> list[Any]:
        c = t.chunk.c
        query = select(t.chunk).where(c.run == run_id, c.state.in_(states), c.lo <= max(wanted), c.hi > min(wanted))
        return list(connection.execute(query).all())
