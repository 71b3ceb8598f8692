"""Writing a chunk through SQLAlchemy: many rows a statement, and the units that a constraint refuses, found by halves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import Database
from ludb.dialects.sqlalchemy_bind import bind, bound_type
from ludb.dialects.sqlalchemy_schema import Reflected
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import WriteSet
from ludb.model.unit import POSITION

_IMMEDIATE = frozenset({"postgresql", "oracle"})
"""Dialects whose constraints may be put off, and called up again by `SET CONSTRAINTS ALL IMMEDIATE`."""
_SHOWN = 3

Row = tuple[int, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one `write` as the driver takes them: (unit, values) each, parents of a self reference first."""

    table: Reflected
    names: tuple[str, ...]
    statement: sa.Insert
    rows: tuple[Row, ...]

    def of(self, units: frozenset[int] | None) -> list[Row]:
        """The rows of these units; None: of all."""
        return [row for row in self.rows if units is None or row[0] in units]


class SqlalchemyWriter:
    """Rows into tables of one open transaction, which holds its ledger row and, after it, a savepoint to go back to."""

    def __init__(self, connection: sa.Connection, database: Database, reflect: Callable[[str], Reflected]) -> None:
        """The savepoint is set here. `reflect` gives a table's columns and keys, whatever connection it uses."""
        self.connection, self._database, self._reflect = connection, database, reflect
        self.system = database.name
        self._pieces: list[Piece] = []
        self._now: Piece | None = None
        self.rows: dict[str, int] = {}
        with database.errors("set a savepoint"):
            self._start = connection.begin_nested()

    def insert(self, table: str, rows: pa.Table) -> None:
        """Write the rows; `UnitError` with every unit whose values a column would change or a constraint refuses."""
        piece = self.bound(table, rows)
        self._pieces.append(piece)
        self._attempt(lambda: self._send(piece, None))
        self._count(None)

    def check(self) -> None:
        """Let constraints that were put off speak: `UnitError` with every unit that they refuse."""
        self._attempt(self._call_up)

    def release(self) -> None:
        """Give the savepoint up: nothing is gone back to any more."""
        with self._database.errors("release a savepoint"):
            self._start.commit()

    def bound(self, table: str, rows: pa.Table) -> Piece:
        """The rows as the driver takes them; `UnitError` naming every unit with a value that would not stay as it is."""
        reflected = self._reflect(table)
        names = tuple(name for name in rows.column_names if name != POSITION)
        positions = rows.column(POSITION).to_pylist()
        faults: dict[int, Fault] = {}
        columns, holes = [], {}
        for number, name in enumerate(names):
            place = f"{self.system}.{reflected.name}, column {name}"
            detail = reflected.get(name, self.system)
            if detail.column.generated:
                raise ConfigError(f"{place}: the database generates it", remedy="Leave it out of the step")
            values, refused = bind(rows.column(name), detail, self._database.dialect)
            columns.append(values)
            holes[name] = sa.bindparam(f"p{number}", type_=bound_type(detail, self._database.dialect))
            for row, (reason, shown) in refused.items():
                faults.setdefault(positions[row], Fault(f"{place}: {reason}", shown))
        if faults:
            raise UnitError(
                f"{len(faults)} units hold values that {self.system}.{reflected.name} cannot hold", faults=faults
            )
        held = list(zip(positions, zip(*columns, strict=True) if columns else [()] * len(positions), strict=True))
        statement = reflected.sql.insert().inline().values(holes) if holes else reflected.sql.insert().inline()
        return Piece(reflected, names, statement, tuple(_parents_first(held, reflected, names)))

    def sift(self, pieces: Sequence[Piece]) -> dict[int, Fault]:
        """Write all units that can be written, by halves, in order, and leave out the others, each with its fault.

        Units that failed are tried again after the others, for as long as that helps: a row that they point to may have come.
        """
        self._pieces = list(pieces)
        units = sorted({unit for piece in pieces for unit, _ in piece.rows})
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

    def pieces(self, writes: WriteSet) -> tuple[list[Piece], dict[int, Fault]]:
        """A write-set in its order without the units that hold values which a column would change, and their faults."""
        faults: dict[int, Fault] = {}
        while True:
            kept = writes.only(writes.positions - faults.keys()) if faults else writes
            found, before = [], len(faults)
            for table, rows in kept.tables.items():
                try:
                    found.append(self.bound(table, rows))
                except UnitError as error:
                    faults |= error.faults
            if len(faults) == before:
                return found, faults

    def _count(self, units: frozenset[int] | None) -> None:
        self.rows = {}
        for piece in self._pieces:
            self.rows[piece.table.name] = self.rows.get(piece.table.name, 0) + len(piece.of(units))

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except UnitError as error:
            faults = self.sift(self._pieces)
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
            for piece in self._pieces:
                self._send(piece, frozenset(units))
            self._now = None
            self._call_up()
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

    def _send(self, piece: Piece, units: frozenset[int] | None) -> None:
        self._now = piece
        rows = piece.of(units)
        if not rows:
            return
        with self._database.errors(f"write {self.system}.{piece.table.name}"):
            if piece.names:
                held = [{f"p{at}": value for at, value in enumerate(values)} for _, values in rows]
                self.connection.execute(piece.statement, held)
                return
            for _ in rows:
                self.connection.execute(piece.statement)

    def _call_up(self) -> None:
        if self._database.dialect in _IMMEDIATE:
            with self._database.errors("check constraints"):
                self.connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
                self.connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")

    def _fault(self, error: UnitError, unit: int) -> Fault:
        """What the database said, by names only; its own words, which hold values, go into the detail."""
        tables = [self._now.table] if self._now else [piece.table for piece in self._pieces]
        names = sorted({name for table in tables for name in table.names if _is_told(name, error.detail)})
        place = f"{self.system}.{self._now.table.name}" if self._now else self.system
        shown = [values for _, values in self._now.of(frozenset({unit}))[:_SHOWN]] if self._now else []
        told = f" ({', '.join(names)})" if names else ""
        return Fault(f"{place}: {error}{told}", f"{error.detail}; rows: {shown!r}")


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
        waiting: Mapping[tuple[Any, ...], int] = {tuple(values[n] for n in there): 1 for _, values in left}
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
    return tuple(row[1][place] for place in places)
