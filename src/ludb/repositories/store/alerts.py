"""Alerts: the `Alerts` port over SQLAlchemy Core. That only one stands for a rule and a run is held by a unique key."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.model.alerts import Alert, Condition, Severity
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.database import Database

_FIELDS = tuple(field.name for field in fields(Alert))


class StoreAlerts:
    """The `Alerts` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def raise_(self, run_id: str, job: str, condition: Condition) -> Alert | None:
        """Raise an alert, unless one stands."""
        stands = f"{condition.rule} {run_id}"
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


def _alert_of(row: Any) -> Alert:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Alert(**{**values, "severity": Severity(values["severity"])})
