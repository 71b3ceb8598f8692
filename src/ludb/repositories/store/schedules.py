"""Schedules: the `Schedules` port over SQLAlchemy Core."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.model.schedules import Kind, Schedule
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database

_FIELDS = tuple(field.name for field in fields(Schedule))


class StoreSchedules:
    """The `Schedules` port. A slot that is taken is a row; the key lets nobody take it twice."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def add(self, schedule: Schedule) -> Schedule:
        """Keep a new schedule."""
        made = replace(schedule, created_at=self._db.now())
        with self._db.write() as connection:
            connection.execute(insert(t.schedule).values(_values(made)))
        return made

    def get(self, schedule_id: str) -> Schedule | None:
        """The schedule, None if there is none."""
        with self._db.read() as connection:
            row = connection.execute(select(t.schedule).where(t.schedule.c.id == schedule_id)).one_or_none()
        return None if row is None else _schedule_of(row)

    def all(self) -> list[Schedule]:
        """All schedules, by name."""
        query = select(t.schedule).order_by(t.schedule.c.name, t.schedule.c.id)
        with self._db.read() as connection:
            return [_schedule_of(row) for row in connection.execute(query)]

    def change(self, schedule: Schedule) -> bool:
        """Replace what is kept of a schedule."""
        mine = t.schedule.c.id == schedule.id
        with self._db.write() as connection:
            if connection.execute(select(t.schedule.c.id).where(mine)).first() is None:
                return False
            connection.execute(update(t.schedule).where(mine).values(_values(schedule)))
        return True

    def remove(self, schedule_id: str) -> bool:
        """Forget a schedule with its slots."""
        with self._db.write() as connection:
            connection.execute(delete(t.slot).where(t.slot.c.schedule == schedule_id))
            return connection.execute(delete(t.schedule).where(t.schedule.c.id == schedule_id)).rowcount == 1

    def claim(self, schedule_id: str, slot: str) -> bool:
        """Take a slot of a schedule."""
        mine = (t.slot.c.schedule == schedule_id, t.slot.c.slot == slot)
        with self._db.write() as connection:
            if connection.execute(select(t.slot.c.at).where(*mine)).first() is not None:
                return False
            try:
                with connection.begin_nested():
                    connection.execute(insert(t.slot).values(schedule=schedule_id, slot=slot, at=self._db.now()))
            except IntegrityError:  # another process was first
                return False
        return True


def _values(schedule: Schedule) -> dict[str, Any]:
    return asdict(schedule) | {
        "kind": str(schedule.kind), "enabled": int(schedule.enabled), "arguments": dict(schedule.arguments),
    }  # fmt: skip


def _schedule_of(row: Any) -> Schedule:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Schedule(**{**values, "kind": Kind(values["kind"]), "enabled": bool(values["enabled"])})
