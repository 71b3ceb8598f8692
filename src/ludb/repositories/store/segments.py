"""The frozen unit list: Arrow segments of keys, written once, read in slices."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select

from ludb.errors import FatalError
from ludb.model.unit import POSITION
from ludb.repositories.store.tables import run as run_table
from ludb.repositories.store.tables import segment
from ludb.repositories.store.typed import Bounds, bounds_of

_CACHED = 8  # decoded segments kept: a few workers' threads, each reading its own
_BOUNDED = 100_000  # segments whose bounds are kept in mind
_SMALL, _AT_ONCE = 2_000, 200  # units of a segment whose bounds are read with those of others, and of how many others


def to_ipc(table: pa.Table) -> bytes:
    """The table as a compressed Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


class Segments:
    """Unit keys by list position. Segments never change, so the last few read stay decoded."""

    def __init__(self) -> None:
        """Start with nothing decoded."""
        self._lock = threading.Lock()
        self._decoded: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._bounds: dict[tuple[str, int], Bounds | None] = {}
        self._pieces: dict[str, list[tuple[int, int]]] = {}  # by run: number and first position of its segments

    def of(self, connection: Connection, run: str, positions: Sequence[int]) -> pa.Table:
        """The key columns of these positions, in their order; they may lie in several segments."""
        if not positions:
            return pa.table({})
        rows = connection.execute(
            select(segment.c.seg, segment.c.first_pos, segment.c.n)
            .where(segment.c.run == run, segment.c.first_pos <= max(positions))
            .where(segment.c.first_pos + segment.c.n > min(positions))
            .order_by(segment.c.first_pos)
        ).all()
        if not rows:
            raise FatalError(f"run {run}: the unit list has no position {positions[0]}")
        if len(rows) == 1 and all(after - before == 1 for before, after in pairwise(positions)):
            return self.within(connection, run, rows[0], positions)
        # One table of the segments that are touched; each position becomes a row number in it.
        touched, offset, starts = [], 0, []
        for row in rows:
            if any(row.first_pos <= at < row.first_pos + row.n for at in positions):
                touched.append(self._table(connection, run, row.seg))
                starts.append((row.first_pos, row.first_pos + row.n, offset - row.first_pos))
                offset += row.n
        wanted = [next(at + shift for lo, hi, shift in starts if lo <= at < hi) for at in positions]
        return pa.concat_tables(touched).take(pa.array(wanted, pa.int64()))

    def within(self, connection: Connection, run: str, row: Any, positions: Sequence[int]) -> pa.Table:
        """The key columns of positions that follow each other in one segment; `row` is the segment's."""
        return self._table(connection, run, row.seg).slice(positions[0] - row.first_pos, len(positions))

    def all(self, connection: Connection, run: str) -> pa.Table:
        """The whole unit list: `ludb_position` and the key columns."""
        rows = connection.execute(
            select(segment.c.seg, segment.c.first_pos, segment.c.n)
            .where(segment.c.run == run)
            .order_by(segment.c.first_pos)
        ).all()
        pieces = [
            self._table(connection, run, row.seg).add_column(
                0, POSITION, pa.array(range(row.first_pos, row.first_pos + row.n), pa.int64())
            )
            for row in rows
        ]
        return pa.concat_tables(pieces) if pieces else pa.table({POSITION: pa.array([], pa.int64())})

    def each(
        self, connection: Connection, run: str, may_hold: Callable[[Bounds], bool] = lambda _: True
    ) -> Iterator[tuple[int, pa.Table]]:
        """The segments one after the other: first position, key columns. Those whose least and greatest key are known and
        that `may_hold` says cannot hold what is looked for are left out.
        """
        rows = connection.execute(
            select(segment.c.seg, segment.c.first_pos).where(segment.c.run == run).order_by(segment.c.first_pos)
        ).all()
        for row in rows:
            known = self._bounds.get((run, row.seg))
            if known is None or may_hold(known):
                yield row.first_pos, self._table(connection, run, row.seg)

    def of_job(
        self, connection: Connection, job: str, before: int | None, may_hold: Callable[[Bounds], bool]
    ) -> Iterator[tuple[int, str, int, pa.Table]]:
        """The segments of all runs of a job with numbers below `before`, the newest run first: the run's number and id, first
        position, key columns. Left out as above.
        """
        r = run_table.c
        query = select(r.number, r.id).where(r.job == job).order_by(r.number.desc())
        if before is not None:
            query = query.where(r.number < before)
        runs = connection.execute(query).all()
        for at, (number, run) in enumerate(runs):
            pieces = self._pieces.get(run)
            if pieces is None:
                pieces = self._learn(connection, [one.id for one in runs[at : at + _AT_ONCE]])[run]
            for seg, first in pieces:
                known = self._bounds.get((run, seg))
                if known is None or may_hold(known):
                    yield number, run, first, self._table(connection, run, seg)

    def _learn(self, connection: Connection, runs: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
        """Where the lists of these runs are cut, which never changes once a run is seen, and the bounds of small segments: most
        of the runs of a job that was run a thousand times are small.
        """
        s, found = segment.c, dict[str, list[tuple[int, int]]]({run: [] for run in runs})
        cuts = select(s.run, s.seg, s.first_pos).where(s.run.in_(runs)).order_by(s.first_pos)
        for run, seg, first in connection.execute(cuts):
            found[run].append((seg, first))
        with self._lock:
            if len(self._pieces) > _BOUNDED:
                self._pieces.clear()
            self._pieces.update(found)
        query = select(segment.c.run, segment.c.seg, segment.c["keys"], segment.c.keys_sha)
        for run, seg, data, sha in connection.execute(query.where(segment.c.run.in_(runs), segment.c.n <= _SMALL)):
            if (run, seg) not in self._bounds:
                self._know(run, seg, self._read(run, seg, data, sha))
        return found

    def _table(self, connection: Connection, run: str, seg: int) -> pa.Table:
        with self._lock:
            if (run, seg) in self._decoded:
                self._decoded.move_to_end((run, seg))
                return self._decoded[run, seg]
        data, sha = connection.execute(
            select(segment.c["keys"], segment.c.keys_sha).where(segment.c.run == run, segment.c.seg == seg)
        ).one()
        table = self._read(run, seg, data, sha)
        self._know(run, seg, table)
        with self._lock:
            self._decoded[run, seg] = table
            while len(self._decoded) > _CACHED:
                self._decoded.popitem(last=False)
        return table

    def _know(self, run: str, seg: int, table: pa.Table) -> None:
        bounds = bounds_of(table)
        with self._lock:
            if len(self._bounds) < _BOUNDED:
                self._bounds[run, seg] = bounds

    @staticmethod
    def _read(run: str, seg: int, data: bytes, sha: str) -> pa.Table:
        if hashlib.sha256(data).hexdigest() != sha:
            raise FatalError(f"run {run}: segment {seg} of the unit list is damaged. Restore the job repository")
        return pa.ipc.open_stream(data).read_all()
