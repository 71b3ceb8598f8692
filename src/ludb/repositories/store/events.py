"""The story of a run: the `Events` port over SQLAlchemy Core."""

from __future__ import annotations

from sqlalchemy import insert, select

from ludb.model.events import Event
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database


class StoreEvents:
    """The `Events` port. Numbers grow and are never given twice, so that a reader can go on where it stopped."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def append(self, event: Event) -> None:
        """Keep an event, with the store's time."""
        values = {
            "run": event.run,
            "at": self._db.now(),
            "name": event.name,
            "chunk": event.chunk,
            "level": event.level,
            "lasting": int(event.lasting),
            "data": dict(event.data),
        }
        with self._db.write() as connection:
            # One at a time: a number that is given before another is seen before it too, and no reader skips one.
            connection.execute(select(t.meta.c.one).with_for_update())
            connection.execute(insert(t.event).values(values))

    def since(self, run_id: str, number: int = 0, limit: int = 1000) -> list[tuple[int, float, Event]]:
        """Events after `number`, oldest first, each with its number and time."""
        e = t.event.c
        query = select(t.event).where(e.run == run_id, e.number > number).order_by(e.number).limit(limit)
        with self._db.read() as connection:
            return [
                (row.number, row.at, Event(row.name, row.run, row.chunk, row.level, bool(row.lasting), row.data))
                for row in connection.execute(query)
            ]
