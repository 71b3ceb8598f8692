"""What people did at the server: the `Audit` port over SQLAlchemy Core. Rows are added and read, nothing else."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import insert, select

from ludb.model.access import AuditEntry
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database

_FIELDS = tuple(field.name for field in fields(AuditEntry))


class StoreAudit:
    """The `Audit` port. Numbers grow and are never given twice."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def append(self, entry: AuditEntry) -> int:
        """Keep an entry with the store's time."""
        values: dict[str, Any] = {name: getattr(entry, name) for name in _FIELDS if name != "number"}
        values |= {"at": self._db.now(), "before": dict(entry.before), "after": dict(entry.after)}
        with self._db.write() as connection:
            result = connection.execute(insert(t.audit).values(values))
            assert result.inserted_primary_key is not None
            return int(result.inserted_primary_key[0])

    def page(
        self, *, before: int | None = None, actor: str | None = None, action: str | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Entries, the newest first."""
        a = t.audit.c
        query = select(t.audit).order_by(a.number.desc()).limit(limit)
        if before is not None:
            query = query.where(a.number < before)
        if actor is not None:
            query = query.where(a.actor == actor)
        if action is not None:
            query = query.where(a.action == action)
        with self._db.read() as connection:
            return [AuditEntry(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)]
