"""The life of chunks: the `Chunks` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from ludb.errors import ConfigError, FatalError, LeaseLost
from ludb.model.exceptions import decode_exceptions, encode_exceptions
from ludb.model.run import Chunk, ChunkState, Decision, Kind, RunState, UnitException
from ludb.repositories.store import tables as t
from ludb.repositories.store.chunk_rows import NO_KEYS, change_chunk, insert_chunk, move_calls, owned
from ludb.repositories.store.claims import cut, deserted, hand_over, look, rested
from ludb.repositories.store.database import Database, next_seq
from ludb.repositories.store.merged import hold, holders, run_number
from ludb.repositories.store.outcomes import (
    count_rows,
    held_back,
    refuse_strangers,
    reopen,
    set_aside,
    stamped,
    tell,
)
from ludb.repositories.store.positions import pack, unpack
from ludb.repositories.store.runs import get_run
from ludb.repositories.store.segments import Segments
from ludb.wording import plural

Counts = Mapping[str, Mapping[str, int]]
"""Numbers by side (`source`, `output`, `stray`, `warning`, `conversion`) and name."""


class StoreChunks:
    """The `Chunks` port: every change is compare-and-set on the chunk's `seq`, in one transaction."""

    def __init__(self, database: Database, segments: Segments) -> None:
        """Work on this database; keys come from `segments`."""
        self._db, self._segments = database, segments
        self._told: dict[str, tuple[Counts, str]] = {}  # by txn: what was decided here, and need not be read again

    def claim(
        self,
        run_id: str,
        owner: str,
        units: int,
        *,
        silent: Collection[str] = (),
        dead: Collection[str] = (),
        new_first: bool = False,
    ) -> Chunk | None:
        """Deserted chunks first, then rested ones, then the next keys of the list; the last two the other way round where
        `new_first`.
        """
        with self._db.write() as connection:
            seen = look(connection, run_id, self._db.now())
            state = get_run(connection, run_id).state if seen is None else RunState(seen.state)
            if state not in (RunState.RUNNING, RunState.STOPPING):
                return None
            row = deserted(connection, run_id, state, silent, dead)
            if row is not None:
                # Who takes its own chunk up again has left it half way, and lives.
                died = row.owner in dead and row.owner != owner
                return hand_over(self._db, connection, self._segments, row, owner, taken_over=True, died=died)
            if state is RunState.STOPPING:
                return None
            if new_first and (
                chunk := cut(self._db, connection, self._segments, seen, run=run_id, owner=owner, units=units)
            ):
                return chunk
            row = rested(connection, run_id, self._db.now()) if seen.rested else None
            if row is not None:
                return hand_over(self._db, connection, self._segments, row, owner, taken_over=False)
            return cut(self._db, connection, self._segments, seen, run=run_id, owner=owner, units=units)

    def decide(self, chunk: Chunk, decision: Decision) -> Chunk:
        """The point of no return. `FatalError` if the outcomes do not cover the chunk's units exactly once."""
        if (decision.chunk, decision.txn, decision.seq) != (chunk.id, chunk.txn, chunk.seq):
            raise FatalError(f"run {chunk.run}: a decision for another claim was given for chunk {chunk.id}")
        others = [each.position for each in (*decision.exceptions, *decision.undo)]
        refuse_strangers(chunk, others, chunk.positions)
        if chunk.kind == "undo" or decision.done + len(others) != len(chunk.positions):
            raise FatalError(
                f"run {chunk.run}: chunk {chunk.id} ({chunk.kind}) has {plural(len(chunk.positions), 'unit')}, the decision says "
                f"{decision.done} done and {len(others)} not"
            )
        with self._db.write() as connection:
            excluded = pack(sorted(others)) if others else None
            change_chunk(
                connection,
                chunk,
                ChunkState.CLAIMED,
                state=str(ChunkState.DECIDED),
                done=decision.done,
                excluded=excluded,
            )
            now = self._db.now()
            self._record(connection, chunk, decision, now)
            hold(connection, chunk.run, decision.merged)
            self._hold_back(connection, chunk, stamped(decision.undo, chunk, now, decision.job_version), now)
            set_aside(connection, chunk.run, stamped(decision.exceptions, chunk, now, decision.job_version))
        self._told[chunk.txn] = {**decision.rows, "conversion": decision.conversions}, decision.job_version
        return replace(chunk, state=ChunkState.DECIDED)

    def decision(self, txn: str) -> Decision | None:
        """The standing decision of a transaction, as it was given."""
        with self._db.read() as connection:
            row = connection.execute(select(t.decision).where(t.decision.c.txn == txn)).one_or_none()
        if row is None:
            return None
        return Decision(
            txn=row.txn,
            chunk=row.chunk,
            seq=row.seq,
            participants=tuple(row.participants),
            journal=row.journal,
            done=row.done,
            exceptions=tuple(decode_exceptions(row.exceptions)),
            undo=tuple(decode_exceptions(row.undo)),
            rows=row.rows,
            job_version=row.job_version,
            conversions=row.conversions,
            seconds=row.seconds or {},
        )

    def holders(self, run_id: str, digests: Sequence[bytes]) -> dict[bytes, int]:
        """The list position of the unit that wrote each key; keys that nobody has written are left out."""
        with self._db.read() as connection:
            return holders(connection, run_number(connection, run_id), digests)

    def finish(self, chunk: Chunk, exceptions: Sequence[UnitException] = ()) -> None:
        """Close a chunk. Repeated under the same claim (its answer was lost) it changes nothing."""
        positions = [each.position for each in exceptions]
        with self._db.write() as connection:
            if not exceptions and chunk.txn in self._told:
                change_chunk(
                    connection, chunk, ChunkState.DECIDED, state=str(ChunkState.FINISHED), finished_at=self._db.now()
                )
                self._count(connection, chunk, ())
                return
            row = owned(connection, chunk, ChunkState.CLAIMED, ChunkState.DECIDED, ChunkState.FINISHED)
            if row.state == ChunkState.FINISHED:
                return
            if (row.kind == "undo") != (row.state == ChunkState.CLAIMED):
                raise FatalError(
                    f"run {chunk.run}: chunk {chunk.id} ({row.kind}) is {row.state} and cannot be finished"
                )
            now = self._db.now()
            if row.kind == "undo":
                refuse_strangers(chunk, positions, chunk.positions)
                if len(positions) != row.units:
                    raise FatalError(
                        f"run {chunk.run}: undo chunk {chunk.id} needs a final state for each of its units"
                    )
                done, excluded, version = 0, None, ""
            else:
                already = unpack(row.excluded)
                refuse_strangers(chunk, positions, set(chunk.positions) - set(already))
                done, version = row.done - len(positions), self._count(connection, chunk, exceptions)
                excluded = pack(sorted([*already, *positions])) if already or positions else None
            values: dict[str, object] = {"state": str(ChunkState.FINISHED), "done": done, "excluded": excluded}
            change_chunk(connection, chunk, ChunkState(row.state), finished_at=now, **values)
            set_aside(connection, chunk.run, stamped(exceptions, chunk, now, version))

    def release(self, chunk: Chunk, reason: str, delay: float) -> None:
        """Give a claimed chunk back; it keeps its id and its boundaries."""
        with self._db.write() as connection:
            owned(connection, chunk, ChunkState.CLAIMED)
            now = self._db.now()
            values: dict[str, object] = {"state": str(ChunkState.RELEASED), "error": reason, "released_at": now}
            change_chunk(connection, chunk, ChunkState.CLAIMED, not_before=now + delay, **values)

    def split(self, chunk: Chunk, parts: Sequence[Sequence[int]]) -> tuple[Chunk, ...]:
        """Replace a claimed chunk by smaller ones. `FatalError` if the parts are not exactly its units."""
        refuse_strangers(chunk, [at for part in parts for at in part], chunk.positions)
        if sum(map(len, parts)) != len(chunk.positions) or not all(parts):
            raise FatalError(f"run {chunk.run}: the parts of chunk {chunk.id} do not cover its units")
        with self._db.write() as connection:
            row = owned(connection, chunk, ChunkState.CLAIMED)
            change_chunk(connection, chunk, ChunkState.CLAIMED, state=str(ChunkState.SPLIT))
            payload = decode_exceptions(row.payload)
            children = []
            for part in parts:
                mine = encode_exceptions([each for each in payload if each.position in set(part)])
                child = self._new(
                    connection,
                    chunk.run,
                    chunk.kind,
                    ChunkState.CLAIMED,
                    part,
                    owner=chunk.owner,
                    parent=chunk.id,
                    payload=mine,
                )
                child = replace(child, deaths=max(0, row.deaths - 1))
                insert_chunk(connection, child, seg=row.seg, claimed_at=self._db.now())
                move_calls(connection, chunk.id, child.id, part)
                children.append(replace(child, keys=self._segments.of(connection, chunk.run, part)))
        return tuple(children)

    def retry(self, run_id: str, positions: Sequence[int], owner: str = "") -> Chunk | None:
        """Make quarantined units pending again, all of them or none; no positions are no chunk.

        `owner` is kept as who asked: in the units' history, and on the chunk until somebody claims it.
        """
        wanted = sorted(set(positions))
        if not wanted:
            return None
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            if run.state is RunState.ABANDONED:
                raise ConfigError(f"run {run_id} was abandoned", remedy="Start the job anew")
            now = self._db.now()
            chunk = self._new(connection, run_id, "retry", ChunkState.RELEASED, wanted, owner=owner)
            stuck = reopen(connection, run_id, wanted, now, {"chunk": chunk.id, "by": owner})
            if stuck:
                raise ConfigError(
                    f"run {run_id}: {len(stuck)} of {plural(len(wanted), 'unit')} are not quarantined (first: {stuck[0]})",
                    remedy="List the quarantined ones with `ludb quarantine list`",
                )
            insert_chunk(connection, chunk, not_before=now, released_at=now)
            return replace(chunk, keys=self._segments.of(connection, run_id, wanted))

    def _new(
        self,
        connection: Connection,
        run: str,
        kind: Kind,
        state: ChunkState,
        positions: Sequence[int],
        *,
        owner: str = "",
        parent: str | None = None,
        payload: bytes = b"",
    ) -> Chunk:
        return Chunk(
            id=self._db.new_id(),
            run=run,
            kind=kind,
            state=state,
            positions=tuple(positions),
            keys=NO_KEYS,
            txn=self._db.new_id(),
            seq=next_seq(connection),
            owner=owner,
            attempt=1 if state is ChunkState.CLAIMED else 0,
            parent=parent,
            payload=payload,
        )

    def _record(self, connection: Connection, chunk: Chunk, decision: Decision, now: float) -> None:
        values: dict[str, object] = {
            "txn": decision.txn,
            "chunk": chunk.id,
            "run": chunk.run,
            "seq": decision.seq,
            "participants": list(decision.participants),
            "journal": dict(decision.journal),
            "done": decision.done,
            "rows": {side: dict(counts) for side, counts in decision.rows.items()},
            "job_version": decision.job_version,
            "conversions": dict(decision.conversions),
            "decided_at": now,
            "exceptions": encode_exceptions(decision.exceptions),
            "undo": encode_exceptions(decision.undo),
            "seconds": {kind: dict(taken) for kind, taken in decision.seconds.items()},
        }
        try:
            connection.execute(insert(t.decision).values(values))
        except IntegrityError as error:
            raise LeaseLost(f"run {chunk.run}: chunk {chunk.id} was decided by somebody else") from error

    def _hold_back(self, connection: Connection, chunk: Chunk, undo: Sequence[UnitException], now: float) -> None:
        if not undo:
            return
        positions = sorted(each.position for each in undo)
        payload = encode_exceptions(undo)
        child = self._new(
            connection, chunk.run, "undo", ChunkState.RELEASED, positions, parent=chunk.id, payload=payload
        )
        insert_chunk(connection, child, not_before=now, released_at=now)
        move_calls(connection, chunk.id, child.id, positions)
        tell(connection, chunk.run, held_back(undo))

    def _count(self, connection: Connection, chunk: Chunk, doubtful: Sequence[UnitException]) -> str:
        told = self._told.pop(chunk.txn, None)
        if told is None:
            d = t.decision.c
            row = connection.execute(select(d.rows, d.conversions, d.job_version).where(d.chunk == chunk.id)).one()
            told = {**row.rows, "conversion": row.conversions}, str(row.job_version)
        count_rows(connection, chunk, told[0], doubtful)
        return told[1]
