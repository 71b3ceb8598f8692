"""Alerts: the `Alerts` port over SQLAlchemy Core. That only one stands for a rule and a run is held by a unique key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.model.alerts import Alert, Condition, Severity
from ludb.model.run import CallState
from ludb.repositories.store import tables
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database

_FIELDS = tuple(field.name for field in fields(Alert))
NEWEST = 2000
"""Calls, of all runs, of which the failed ones are counted."""
_FAILED = {CallState.REJECTED, CallState.UNSENT, CallState.IN_DOUBT, CallState.ABSENT}


class StoreAlerts:
    """The `Alerts` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def raise_(self, run_id: str, job: str, condition: Condition, about: str = "") -> Alert | None:
        """Raise an alert, unless one stands."""
        stands = f"{condition.rule} {about or run_id}"
        values: dict[str, Any] = {
            "run": run_id, "job": job, "rule": condition.rule, "severity": str(condition.severity),
            "text": condition.text, "raised_at": self._db.now(), "stands": stands, "acknowledged_by": "",
        }  # fmt: skip
        with self._db.write() as connection:
            if connection.execute(select(t.alert.c.number).where(t.alert.c.stands == stands)).first() is not None:
                return None
            try:
                with connection.begin_nested():
                    made = connection.execute(insert(t.alert).values(values))
            except IntegrityError:  # another process was first
                return None
            assert made.inserted_primary_key is not None
            number = made.inserted_primary_key[0]
            return _alert_of(connection.execute(select(t.alert).where(t.alert.c.number == number)).one())

    def end(self, run_id: str, rule: str) -> None:
        """Say that it is over."""
        standing = t.alert.c.stands == f"{rule} {run_id}"
        with self._db.write() as connection:
            connection.execute(update(t.alert).where(standing).values(stands=None, ended_at=self._db.now()))

    def standing(self, run_id: str) -> list[Alert]:
        """Alerts of a run that are not over."""
        a = t.alert.c
        query = select(t.alert).where(a.run == run_id, a.stands.is_not(None)).order_by(a.number)
        with self._db.read() as connection:
            return [_alert_of(row) for row in connection.execute(query)]

    def page(self, *, before: int | None = None, standing: bool = False, limit: int = 100) -> list[Alert]:
        """Alerts, the newest first."""
        a = t.alert.c
        query = select(t.alert).order_by(a.number.desc()).limit(limit)
        if before is not None:
            query = query.where(a.number < before)
        if standing:
            query = query.where(a.stands.is_not(None))
        with self._db.read() as connection:
            return [_alert_of(row) for row in connection.execute(query)]

    def acknowledge(self, number: int, by: str) -> Alert | None:
        """Say that somebody takes care of it."""
        a = t.alert.c
        values = {"acknowledged_by": by, "acknowledged_at": self._db.now()}
        with self._db.write() as connection:
            connection.execute(update(t.alert).where(a.number == number, a.acknowledged_at.is_(None)).values(values))
            row = connection.execute(select(t.alert).where(a.number == number)).one_or_none()
        return None if row is None else _alert_of(row)

    def calls(self, run_id: str, since: float) -> Mapping[str, tuple[int, int]]:
        """Failed and all of the newest calls, by system. Only the end of the table is looked at, however long it is."""
        c = tables.call.c
        newest = select(c.run, c.output, c.state, c.changed_at).order_by(c.number.desc()).limit(NEWEST).subquery()
        n = newest.c
        query = select(n.output, n.state, func.count()).where(n.run == run_id, n.changed_at > since)
        counted: dict[str, tuple[int, int]] = {}
        with self._db.read() as connection:
            for output, state, number in connection.execute(query.group_by(n.output, n.state)):
                system = str(output).partition(".")[0]
                failed, calls = counted.get(system, (0, 0))
                counted[system] = (failed + number * (state in _FAILED), calls + number)
        return counted

    def lost(self, run_id: str, since: float) -> int:
        """How many workers died lately."""
        o = tables.owner.c
        dead = (o.run == run_id, o.role == "worker", o.state == "dead", o.beat_at > since)
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(tables.owner).where(*dead)).scalar_one())

    def heard(self, run_id: str) -> float | None:
        """The newest heartbeat of a run."""
        o = tables.owner.c
        with self._db.read() as connection:
            found = connection.execute(select(func.max(o.beat_at)).where(o.run == run_id)).scalar_one()
        return None if found is None else float(found)


def _alert_of(row: Any) -> Alert:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Alert(**{**values, "severity": Severity(values["severity"])})
