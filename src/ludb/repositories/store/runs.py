"""Runs and their unit list: the `Runs` port over SQLAlchemy Core."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from ludb.errors import ConfigError, FatalError, TransientError
from ludb.model.run import RUN_CHANGES, ChunkState, Run, RunState, Segment
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database
from ludb.repositories.store.segments import to_ipc
from ludb.repositories.store.tally import agrees, recount

_FIELDS = tuple(field.name for field in fields(Run))
_ENDED = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS, RunState.FAILED, RunState.STOPPED, RunState.ABANDONED})
_ORPHANED = 7 * 86400.0  # seconds after which segments whose run never appeared are swept


_BY_ID = select(t.run).where(t.run.c.id == bindparam("named"))
"""Made once: SQLAlchemy takes longer to make and to look up a statement than SQLite to answer this one."""


def run_of(row: Any) -> Run:
    """The run that a row of table `run` holds."""
    values = {name: getattr(row, name) for name in _FIELDS}
    return Run(**{**values, "state": RunState(row.state)})


def get_run(connection: Connection, run_id: str, *, lock: bool = False) -> Run:
    """The run; `ConfigError` naming the newest known runs if there is none. With `lock` nobody else changes its state, or
    gives it new work, before the caller's transaction ends.
    """
    query = _BY_ID.with_for_update() if lock else _BY_ID
    row = connection.execute(query, {"named": run_id}).one_or_none()
    if row is None:
        known = connection.execute(select(t.run.c.id).order_by(t.run.c.number.desc()).limit(10)).scalars().all()
        raise ConfigError(
            f"there is no run {run_id} in this repository; it knows {', '.join(known) or 'no runs'}",
            remedy="Name one of these, or look in the right repository",
        )
    return run_of(row)


def run_state(connection: Connection, run_id: str) -> RunState:
    """The run's state alone: asked at every claim and heartbeat."""
    state = connection.execute(select(t.run.c.state).where(t.run.c.id == run_id)).scalar_one_or_none()
    return get_run(connection, run_id).state if state is None else RunState(state)


class StoreRuns:
    """The `Runs` port. Segments are written one by one and become visible with their run, all or none."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def create(self, run: Run, segments: Iterable[Segment]) -> Run:
        """Keep a planned run; its `units` become the length of the list, its `created_at` the store's time.

        The list may take minutes to read from the source, so every segment has a transaction of its own and nobody
        else waits for the lock meanwhile; the last one makes the run, and with it the list, visible.
        """
        if run.state is not RunState.PLANNED:
            raise FatalError(f"run {run.id}: a new run is planned, not {run.state}")
        with self._db.read() as connection:
            self._refuse_known(connection, run.id)
        count, units = 0, 0
        try:
            for piece in segments:
                self._keep(run.id, count, units, piece)
                count, units = count + 1, units + piece.keys.num_rows
            return self._publish(replace(run, units=units, created_at=self._db.now()), count)
        except BaseException:
            with self._db.write() as connection:
                visible = exists(select(t.run.c.id).where(t.run.c.id == run.id))
                connection.execute(delete(t.segment).where(t.segment.c.run == run.id, ~visible))
            raise

    def get(self, run_id: str) -> Run:
        """The run."""
        with self._db.read() as connection:
            return get_run(connection, run_id)

    def latest(self, job: str, instance: str) -> Run | None:
        """The newest run of the instance that was not abandoned."""
        query = (
            select(t.run)
            .where(t.run.c.job == job, t.run.c.instance == instance, t.run.c.state != RunState.ABANDONED)
            .order_by(t.run.c.number.desc())
            .limit(1)
        )
        with self._db.read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else run_of(row)

    def change(self, run_id: str, to: RunState, reason: str = "", settings: Mapping[str, object] | None = None) -> Run:
        """Move the run to another state. A reason stays until another one, or `running`, takes its place."""
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            changed = self._change(connection, run, to, reason)
            return self._adjust(connection, changed, settings) if settings and to is not run.state else changed

    def adjust(self, run_id: str, settings: Mapping[str, object]) -> Run:
        """Merge these into the run's settings; None forgets one."""
        with self._db.write() as connection:
            return self._adjust(connection, get_run(connection, run_id, lock=True), settings)

    def pin(self, run_id: str, version: str, pinned: str) -> Run:
        """Store the job version that workers load from now on."""
        with self._db.write() as connection:
            get_run(connection, run_id)
            connection.execute(update(t.run).where(t.run.c.id == run_id).values(version=version, pinned=pinned))
            return get_run(connection, run_id)

    def settle(self, run_id: str) -> Run:
        """End the run if nothing is left to do."""
        with self._db.write() as connection:
            run = get_run(connection, run_id, lock=True)
            if run.state is RunState.STOPPING:
                held = (ChunkState.CLAIMED, ChunkState.DECIDED)
                return run if _has_chunks(connection, run_id, held) else self._change(connection, run, RunState.STOPPED)
            if run.state is not RunState.RUNNING:
                return run
            unresolved = (ChunkState.CLAIMED, ChunkState.DECIDED, ChunkState.RELEASED)
            left = select(t.segment.c.seg).where(t.segment.c.run == run_id)
            left = left.where(t.segment.c.next_pos < t.segment.c.first_pos + t.segment.c.n).limit(1)
            if connection.execute(left).first() or _has_chunks(connection, run_id, unresolved):
                return run
            set_aside = select(t.unit_exception.c.position).where(t.unit_exception.c.run == run_id).limit(1)
            to = RunState.EXCEPTIONS if connection.execute(set_aside).first() else RunState.COMPLETED
            return self._change(connection, run, to)

    def seq(self) -> int:
        """The highest sequence number handed out so far."""
        with self._db.read() as connection:
            return int(connection.execute(select(t.meta.c.seq)).scalar_one())

    @staticmethod
    def _adjust(connection: Connection, run: Run, settings: Mapping[str, object]) -> Run:
        merged = {name: value for name, value in {**run.settings, **settings}.items() if value is not None}
        connection.execute(update(t.run).where(t.run.c.id == run.id).values(settings=merged))
        return get_run(connection, run.id)

    def _keep(self, run_id: str, seg: int, first: int, piece: Segment) -> None:
        if piece.first != first:
            raise FatalError(f"run {run_id}: a segment starts at position {piece.first}, the list goes on at {first}")
        data = to_ipc(piece.keys)
        values = {
            "run": run_id,
            "seg": seg,
            "first_pos": first,
            "n": piece.keys.num_rows,
            "next_pos": first,
            "written_at": self._db.now(),
            "keys_sha": hashlib.sha256(data).hexdigest(),
            "keys": data,
        }
        with self._db.write() as connection:
            connection.execute(insert(t.segment).values(values))

    def _publish(self, run: Run, count: int) -> Run:
        values = {name: getattr(run, name) for name in _FIELDS}
        for name in ("parameters", "settings", "notes"):
            values[name] = dict(values[name])
        values["counts"] = {table: dict(counts) for table, counts in run.counts.items()}
        with self._db.write() as connection:
            self._refuse_known(connection, run.id)
            kept = select(func.count()).select_from(t.segment).where(t.segment.c.run == run.id)
            if connection.execute(kept).scalar_one() != count:
                raise TransientError(f"run {run.id}: its unit list was swept away while it was written; plan again")
            connection.execute(insert(t.run).values(values))
            # What a planner that was killed left behind: a list whose run never appeared.
            orphaned = delete(t.segment).where(t.segment.c.written_at < self._db.now() - _ORPHANED)
            connection.execute(orphaned.where(t.segment.c.run.not_in(select(t.run.c.id))))
            return get_run(connection, run.id)

    @staticmethod
    def _refuse_known(connection: Connection, run_id: str) -> None:
        if connection.execute(select(t.run.c.id).where(t.run.c.id == run_id)).first():
            raise ConfigError(f"run {run_id} is there already", remedy="Resume it, or plan a run with another id")

    def _change(self, connection: Connection, run: Run, to: RunState, reason: str = "") -> Run:
        if to is run.state:
            return run
        if to not in RUN_CHANGES[run.state]:
            possible = ", ".join(sorted(RUN_CHANGES[run.state])) or "nothing any more"
            raise ConfigError(
                f"run {run.id} is {run.state} and cannot become {to}",
                remedy=f"From {run.state} it can become {possible}",
            )
        now = self._db.now()
        values: dict[str, object] = {"state": str(to), "reason": reason or run.reason}
        if to is RunState.RUNNING:
            values |= {"reason": "", "ended_at": None, "started_at": run.started_at or now}
        if to in _ENDED:
            values["ended_at"] = now
        changed = connection.execute(
            update(t.run).where(t.run.c.id == run.id, t.run.c.state == str(run.state)).values(values)
        )
        if changed.rowcount != 1:
            raise TransientError(f"run {run.id} was changed by somebody else meanwhile", system="repository")
        if to is RunState.RUNNING and not agrees(connection, run.id):
            recount(connection, run.id)
        return get_run(connection, run.id)


def _has_chunks(connection: Connection, run_id: str, states: tuple[ChunkState, ...]) -> bool:
    query = select(t.chunk.c.id).where(t.chunk.c.run == run_id, t.chunk.c.state.in_([str(state) for state in states]))
    return connection.execute(query.limit(1)).first() is not None
