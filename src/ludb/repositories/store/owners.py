"""Who is at work: the `Owners` port over SQLAlchemy Core."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.errors import ConfigError, LeaseLost
from ludb.model.run import Owner
from ludb.model.steering import Live, Orders
from ludb.repositories.store import tables as t
from ludb.repositories.store.database import Database
from ludb.repositories.store.runs import get_run

_FIELDS = tuple(field.name for field in fields(Owner))


class StoreOwners:
    """The `Owners` port: one row per process, written by that process alone (and marked dead by others)."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def enrol(self, owner: Owner) -> None:
        """Make an owner known; `ConfigError` if the id is taken."""
        values: dict[str, Any] = {name: getattr(owner, name) for name in _FIELDS}
        with self._db.write() as connection:
            try:
                connection.execute(insert(t.owner).values(values | {"beat_at": self._db.now()}))
            except IntegrityError as error:
                raise ConfigError(
                    f"owner {owner.id} is enrolled already", remedy="Give every process its own id"
                ) from error

    def beat(self, owner: Owner) -> Orders:
        """Add one to the owner's counter. An owner that was declared dead stays dead and is told so: `LeaseLost`."""
        o = t.owner.c
        values = {"beat": o.beat + 1, "doing": owner.doing, "cpu": owner.cpu, "memory": owner.memory}
        with self._db.write() as connection:
            known = connection.execute(select(o.state).where(o.id == owner.id)).scalar_one_or_none()
            if known is None:
                raise ConfigError(f"owner {owner.id} of run {owner.run} is not enrolled", remedy="Enrol it first")
            if known == "dead":
                raise LeaseLost(f"owner {owner.id} of run {owner.run} was declared dead; others may hold its chunks")
            connection.execute(update(t.owner).where(o.id == owner.id).values(**values, beat_at=self._db.now()))
            return self._orders(connection, owner.run, dismissed=known == "dismissed")

    @staticmethod
    def _orders(connection: Connection, run_id: str, *, dismissed: bool) -> Orders:
        o, run = t.owner.c, get_run(connection, run_id)
        workers = select(func.count()).where(o.run == run_id, o.role == "worker", o.state.in_(("alive", "dismissed")))
        at_work = int(connection.execute(workers).scalar_one())
        return Orders(run.state, Live.of(run.settings), dismissed, at_work)

    def all(self, run_id: str) -> list[Owner]:
        """The owners of a run, the newest first."""
        query = select(t.owner).where(t.owner.c.run == run_id).order_by(t.owner.c.number.desc())
        with self._db.read() as connection:
            return [Owner(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)]

    def dismiss(self, owner_id: str) -> None:
        """Ask an owner to leave; one that has left, or is dead, stays so."""
        with self._db.write() as connection:
            here = (t.owner.c.id == owner_id, t.owner.c.state == "alive")
            connection.execute(update(t.owner).where(*here).values(state="dismissed"))

    def leave(self, owner_id: str, state: str) -> None:
        """Say that an owner has ended or is known to be dead; an unknown owner is nobody's business."""
        with self._db.write() as connection:
            connection.execute(update(t.owner).where(t.owner.c.id == owner_id).values(state=state))
