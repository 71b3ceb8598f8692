"""What a person asks of a run: the `Commands` port over SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update

from ludb.model.steering import Command
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database
from ludb.repositories.store.runs import get_run


class StoreCommands:
    """The `Commands` port. Numbers grow and are never given twice."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def put(self, run_id: str, name: str, arguments: Mapping[str, object], actor: str) -> int:
        """Ask for something; `ConfigError` if there is no such run."""
        values = {"run": run_id, "name": name, "arguments": dict(arguments), "actor": actor, "put_at": self._db.now()}
        with self._db.write() as connection:
            get_run(connection, run_id)
            result = connection.execute(insert(t.command).values(values))
            assert result.inserted_primary_key is not None
            return int(result.inserted_primary_key[0])

    def take(self, run_id: str) -> list[Command]:
        """Commands that nobody has acknowledged, oldest first; taking changes nothing."""
        query = select(t.command).where(t.command.c.run == run_id, t.command.c.acknowledged_at.is_(None))
        with self._db.read() as connection:
            return [_command_of(row) for row in connection.execute(query.order_by(t.command.c.number))]

    def acknowledge(self, command: int, outcome: str) -> None:
        """Say that a command took effect; the first acknowledgement stays."""
        waiting = (t.command.c.number == command, t.command.c.acknowledged_at.is_(None))
        with self._db.write() as connection:
            connection.execute(
                update(t.command).where(*waiting).values(acknowledged_at=self._db.now(), outcome=outcome)
            )

    def recent(self, run_id: str, limit: int = 10) -> list[Command]:
        """Commands, acknowledged or not, the newest first."""
        query = select(t.command).where(t.command.c.run == run_id).order_by(t.command.c.number.desc()).limit(limit)
        with self._db.read() as connection:
            return [_command_of(row) for row in connection.execute(query)]


def _command_of(row: Any) -> Command:
    return Command(row.number, row.name, row.arguments, row.actor, row.put_at, row.acknowledged_at, row.outcome)
