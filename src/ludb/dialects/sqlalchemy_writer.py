"""Writing a chunk through SQLAlchemy: many rows a statement, and the units that a constraint refuses, found by halves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.merging import key_columns, key_faults
from ludb.dialects.sqlalchemy import Database
from ludb.dialects.sqlalchemy_bind import bind, oversized
from ludb.dialects.sqlalchemy_deeds import Deed, Insertion, Merge, Pen, Row, plain_keys
from ludb.dialects.sqlalchemy_order import late_columns
from ludb.dialects.sqlalchemy_removal import Removing
from ludb.dialects.sqlalchemy_schema import IMMEDIATE, Reflected
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.unit import POSITION

_HEAD = 65_536
"""Bytes kept free for what a statement says beside its values."""
_SHOWN = 3
_NAMED = 8
"""Columns that are named where the server does not say which one it means."""


class SqlalchemyWriter:
    """Deeds in one open transaction, which holds its ledger row and, after it, a savepoint to go back to."""

    def __init__(self, connection: sa.Connection, database: Database, reflect: Callable[[str], Reflected]) -> None:
        """The savepoint is set here. `reflect` gives a table's columns and keys, whatever connection it uses."""
        self.connection, self._database, self._reflect = connection, database, reflect
        self.system = database.name
        self._pen = Pen(connection, database)
        self._deeds: list[Deed] = []
        self._now: Deed | None = None
        self.rows: dict[str, int] = {}
        if database.dialect in IMMEDIATE:
            self._put_off("DEFERRED")
        with database.errors("set a savepoint"):
            self._start = connection.begin_nested()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Write the rows; `UnitError` with every unit whose values a column would change or a constraint refuses."""
        self._do(self.bound(table, rows))

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Write the rows over those of the same key; as `insert`, and see `ludb.ports.target.Rewriting`."""
        self._do(self.bound(table, rows, key))

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the units' rows; `UnitError` with every unit whose rows something keeps."""
        if removals:
            self._do(Removing(self._pen, removals, self._reflect))

    def check(self) -> None:
        """Fill in what was left out for a circle of foreign keys, and let constraints speak that were put off: `UnitError`
        with every unit that they refuse.
        """
        self._attempt(self._finish)

    def release(self) -> None:
        """Give the savepoint up: nothing is gone back to any more."""
        with self._database.errors("release a savepoint"):
            self._start.commit()

    def bound(self, table: str, rows: pa.Table, key: Sequence[str] | None = None) -> Deed:
        """The rows as the driver takes them, to be merged by `key` or inserted; `UnitError` naming every unit with a value that
        would not stay as it is.
        """
        reflected = self._reflect(table)
        place = f"{self.system}.{reflected.name}"
        names = tuple(name for name in rows.column_names if name != POSITION)
        positions = rows.column(POSITION).to_pylist()
        faults: dict[int, Fault] = {}
        if key is not None:
            key_columns(names, key, place)
            faults |= key_faults(rows, key, place)
        columns = []
        for name in names:
            detail = reflected.get(name, self.system)
            if detail.column.generated:
                raise ConfigError(
                    f"{place}, column {name}: the database generates it", remedy="Leave it out of the step"
                )
            values, refused = bind(rows.column(name), detail, self._database.dialect)
            columns.append(values)
            for row, (reason, shown) in refused.items():
                faults.setdefault(positions[row], Fault(f"{place}, column {name}: {reason}", shown))
        if self._pen.packet is not None:
            for row, at in oversized(columns, self._pen.packet - _HEAD).items():
                reason = f"the row is larger than max_allowed_packet ({self._pen.packet} bytes)"
                faults.setdefault(positions[row], Fault(f"{place}, column {names[at]}: {reason}"))
        if faults:
            raise UnitError(f"{len(faults)} units hold values that {place} cannot hold", faults=faults)
        rows_of = list(zip(*columns, strict=True)) if columns else [()] * len(positions)
        late = late_columns(reflected, names, self._database.settings.in_schema, self._reflect, own=key is not None)
        if key is None:
            held = [Row(*row) for row in zip(positions, rows_of, strict=True)]
            return Insertion(self._pen, reflected, names, list(_parents_first(held, reflected, names)), late)
        details = [reflected.get(name, self.system) for name in key]
        held = [
            Row(*row) for row in zip(positions, rows_of, plain_keys(rows, details, self._database.dialect), strict=True)
        ]
        return Merge(self._pen, reflected, names, list(_parents_first(held, reflected, names)), late, key)

    def sift(self, deeds: Sequence[Deed]) -> dict[int, Fault]:
        """Do for all units what can be done for them, by halves, in order, and leave out the others, each with its fault.

        Units that failed are tried again after the others, for as long as that helps: a row that they point to may have come.
        """
        self._deeds = list(deeds)
        units = sorted({unit for deed in deeds for unit in deed.units})
        with self._database.errors("go back to a savepoint"):
            self._start.rollback()
            self._start = self.connection.begin_nested()
        faults = self._halve(units)
        while faults:
            again = self._halve(sorted(faults))
            done = len(again) == len(faults)
            faults = again
            if done:
                break
        self._count(frozenset(units) - faults.keys())
        return dict(sorted(faults.items()))

    def deeds(self, writes: WriteSet) -> tuple[list[Deed], dict[int, Fault]]:
        """A write-set in its order without the units that hold values which a column would change, and their faults."""
        faults: dict[int, Fault] = {}
        while True:
            kept = writes.only(writes.positions - faults.keys()) if faults else writes
            found: list[Deed] = []
            before = len(faults)
            try:
                if kept.removals:
                    found.append(Removing(self._pen, kept.removals, self._reflect))
            except UnitError as error:
                faults |= error.faults
            for table, rows in kept.tables.items():
                try:
                    found.append(self.bound(table, rows, kept.keys.get(table)))
                except UnitError as error:
                    faults |= error.faults
            if len(faults) == before:
                return found, faults

    def _do(self, deed: Deed) -> None:
        self._deeds.append(deed)
        self._attempt(lambda: self._send(deed, None))
        self._count(None)

    def _count(self, units: frozenset[int] | None) -> None:
        self.rows = {}
        for deed in self._deeds:
            written = sum(units is None or row.unit in units for row in deed.rows)
            if deed.rows:
                self.rows[deed.table.name] = self.rows.get(deed.table.name, 0) + written

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except UnitError as error:
            faults = self.sift(self._deeds)
            if not faults:  # nobody alone is at fault, and all are written now
                return
            message = f"{len(faults)} units break a constraint of system {self.system}"
            raise UnitError(message, faults=faults, detail=error.detail) from error

    def _halve(self, units: list[int]) -> dict[int, Fault]:
        if not units:
            return {}
        with self._database.errors("set a savepoint"):
            half = self.connection.begin_nested()
        try:
            for deed in self._deeds:
                self._send(deed, frozenset(units))
            self._finish(frozenset(units))
        except UnitError as error:
            with self._database.errors("go back to a savepoint"):
                half.rollback()
            if len(units) == 1:
                return {units[0]: self._fault(error, units[0])}
            middle = len(units) // 2
            return self._halve(units[:middle]) | self._halve(units[middle:])
        with self._database.errors("release a savepoint"):
            half.commit()
        return {}

    def _send(self, deed: Deed, units: frozenset[int] | None) -> None:
        self._now = deed
        deed.send(units)

    def _finish(self, units: frozenset[int] | None = None) -> None:
        for deed in self._deeds:
            self._now = deed
            deed.finish(units)
        self._now = None
        if self._database.dialect in IMMEDIATE:
            self._put_off("IMMEDIATE")
            self._put_off("DEFERRED")

    def _put_off(self, to: str) -> None:
        with self._database.errors("check constraints"):
            self.connection.exec_driver_sql(f"SET CONSTRAINTS ALL {to}")

    def _fault(self, error: UnitError, unit: int) -> Fault:
        """What the database said, by names only; its own words, which hold values, go into the detail."""
        now = self._now
        tables = [now.table] if now else [deed.table for deed in self._deeds]
        names = sorted({name for table in tables for name in table.names if _is_told(name, error.detail)})
        place = f"{self.system}.{now.table.name}: {now.failing}" if now else f"{self.system}: "
        shown = [row.values for row in now.rows if row.unit == unit][:_SHOWN] if now else []
        written = [name for name in now.names if name not in now.table.primary_key] if now else []
        told = f" ({', '.join(names)})" if names else f" (one of {', '.join(written[:_NAMED])})" if written else ""
        return Fault(f"{place}{error}{told}", f"{error.detail}; rows: {shown!r}")


def _is_told(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _parents_first(rows: list[Row], table: Reflected, names: Sequence[str]) -> Iterator[Row]:
    """The rows in an order that the table's foreign keys to itself allow; a circle stays as it is."""
    links = [key for key in table.foreign_keys if key.parent == (table.schema, table.name) and not key.late]
    at = {name: number for number, name in enumerate(names)}
    links = [key for key in links if {*key.columns, *key.parent_columns} <= at.keys()]
    left = rows
    for key in links[:1]:
        here, there = [at[name] for name in key.columns], [at[name] for name in key.parent_columns]
        waiting: Mapping[tuple[Any, ...], int] = {tuple(row.values[n] for n in there): 1 for row in left}
        while left:
            free = [row for row in left if _up(row, here) not in waiting or _up(row, here) == _up(row, there)]
            if not free:
                break
            yield from free
            freed = {_up(row, there) for row in free}
            left = [row for row in left if _up(row, there) not in freed]
            waiting = {key: 1 for key in waiting if key not in freed}
    yield from left


def _up(row: Row, places: Sequence[int]) -> tuple[Any, ...]:
    return tuple(row.values[place] for place in places)
