"""What people set up at the server: the `Setup` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from ludb.model.setup import Entry
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database

_FIELDS = tuple(field.name for field in fields(Entry))


class StoreSetup:
    """The `Setup` port. The key lets nobody add an entry twice, and who deletes its row is who takes it."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def all(self, kind: str) -> list[Entry]:
        """All entries of a kind, by id."""
        query = select(t.setup).where(t.setup.c.kind == kind).order_by(t.setup.c.id)
        with self._db.read() as connection:
            return [_entry_of(row) for row in connection.execute(query)]

    def get(self, kind: str, entry_id: str) -> Entry | None:
        """The entry, None if there is none."""
        with self._db.read() as connection:
            row = connection.execute(select(t.setup).where(*_one(kind, entry_id))).one_or_none()
        return None if row is None else _entry_of(row)

    def add(self, kind: str, entry_id: str, data: Mapping[str, object], by: str) -> Entry | None:
        """Keep a new entry, unless there is one."""
        made = Entry(kind, entry_id, dict(data), by, self._db.now())
        with self._db.write() as connection:
            if connection.execute(select(t.setup.c.at).where(*_one(kind, entry_id))).first() is not None:
                return None
            try:
                with connection.begin_nested():
                    connection.execute(insert(t.setup).values(asdict(made)))
            except IntegrityError:  # another process was first
                return None
        return made

    def put(self, kind: str, entry_id: str, data: Mapping[str, object], by: str) -> Entry:
        """Keep an entry in the place of what was there."""
        made = Entry(kind, entry_id, dict(data), by, self._db.now())
        with self._db.write() as connection:
            connection.execute(delete(t.setup).where(*_one(kind, entry_id)))
            connection.execute(insert(t.setup).values(asdict(made)))
        return made

    def take(self, kind: str, entry_id: str) -> Entry | None:
        """Remove an entry and return it."""
        with self._db.write() as connection:
            row = connection.execute(select(t.setup).where(*_one(kind, entry_id))).one_or_none()
            gone = connection.execute(delete(t.setup).where(*_one(kind, entry_id))).rowcount
        return _entry_of(row) if row is not None and gone == 1 else None

    def forget(self, kind: str, before: float) -> int:
        """Remove the entries of a kind that are older."""
        with self._db.write() as connection:
            return int(
                connection.execute(delete(t.setup).where(t.setup.c.kind == kind, t.setup.c.at < before)).rowcount
            )


def _one(kind: str, entry_id: str) -> tuple[Any, Any]:
    return t.setup.c.kind == kind, t.setup.c.id == entry_id


def _entry_of(row: Any) -> Entry:
    return Entry(**{name: getattr(row, name) for name in _FIELDS})
