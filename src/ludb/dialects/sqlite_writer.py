"""Writing a chunk into SQLite: inserts, the units that a constraint refuses, foreign keys of the rows just written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, islice, repeat
from typing import Any

import pyarrow as pa

from ludb.dialects.merging import key_columns, key_faults
from ludb.dialects.sqlite import quote
from ludb.dialects.sqlite_bind import bind
from ludb.dialects.sqlite_rewrite import Clash, Remover, clash, merge_sql
from ludb.dialects.sqlite_schema import Reflected
from ludb.errors import ConfigError, Fault, UnitError
from ludb.model.data import Removal
from ludb.model.shape import ForeignKey
from ludb.model.unit import POSITION

SCAN_UNITS = 32
"""Units that are inserted under one savepoint while the ones at fault are looked for."""
VALUES_AT_ONCE = 900
"""Values that one statement asks for: every SQLite takes 999."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """Rows of one table as they will be inserted: `values` holds a list per column, `positions` the units of the rows.
    `names` are the output's columns, `columns` the table's; `key` those by which rows are merged, if they are.
    """

    table: str
    reflected: Reflected
    names: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[Any]]
    positions: Sequence[int]
    key: Sequence[str] = ()

    @property
    def sql(self) -> str:
        """The statement of one row."""
        if self.key:
            return merge_sql(self.reflected.name, self.columns, self.key)
        return _insert_sql(self.reflected.name, self.columns)

    def key_of(self, row: Row) -> Row:
        """The key of a row that is merged."""
        return tuple(row[self.columns.index(name)] for name in self.key)

    def rows(self) -> Iterator[Row]:
        """The rows, one tuple each."""
        return zip(*self.values, strict=True) if self.values else repeat((), len(self.positions))

    def without(self, units: Collection[int]) -> Bound:
        """The rows of all other units."""
        if not units:
            return self
        kept = [position not in units for position in self.positions]
        values = [list(compress(column, kept)) for column in self.values]
        return replace(self, values=values, positions=list(compress(self.positions, kept)))

    def parents(self) -> set[str]:
        """Names of the tables that foreign keys lead to, itself excepted."""
        return {key.parent.lower() for key in self.reflected.foreign_keys} - {self.reflected.name.lower()}


class SqliteWriter:
    """Rows for tables of one transaction: bound first, which needs no lock, and inserted once it is open. `reflect` gives
    a table's columns and keys, whatever connection it uses.
    """

    def __init__(
        self, connection: sqlite3.Connection, system: str, reflect: Callable[[str], Reflected], refused: set[str]
    ) -> None:
        """A transaction is opened, with deferred foreign keys, before anything is inserted. `refused` are the tables that have
        refused a unit before; those that do so now are added.
        """
        self.connection, self.system = connection, system
        self._reflect, self._refused = reflect, refused
        self._bound: list[Bound] = []
        self._links: list[tuple[Bound, ForeignKey, Sequence[int]]] = []
        self._remover = Remover(connection, system, reflect)
        self.rows: dict[str, int] = {}

    def take(self, removals: Mapping[str, Removal]) -> None:
        """What is deleted first when rows are inserted."""
        self._remover.take(removals)

    def bind(self, table: str, rows: pa.Table, key: Sequence[str] = ()) -> None:
        """Make the rows ready, to be merged by `key` if there is one; `UnitError` with every unit that holds a value that
        its column cannot, or a key that is no key.
        """
        reflected = self._reflect(table)
        names = [name for name in rows.column_names if name != POSITION]
        columns = [self._column(reflected, table, name) for name in names]
        positions: list[int] = rows.column(POSITION).to_pylist()
        bound: list[list[Any]] = []
        own = [columns[at].name for at in key_columns(names, key, f"{self.system}.{table}")]
        faults: dict[int, Fault] = key_faults(rows, key, f"{self.system}.{table}") if key else {}
        for name, column in zip(names, columns, strict=True):
            values, refused = bind(rows.column(name), column, f"{self.system}.{table}, column {name}")
            bound.append(values)
            for row, (reason, detail) in refused.items():
                faults.setdefault(positions[row], Fault(f"{self.system}.{table}, column {name}: {reason}", detail))
        if faults:
            raise UnitError(f"{len(faults)} units hold values that {self.system}.{table} cannot hold", faults=faults)
        if positions:
            found = [column.name for column in columns]
            self._bound.append(Bound(table, reflected, names, found, bound, positions, own))

    def insert(self) -> None:
        """Remove what is to go, insert what is bound, table by table; `UnitError` with every unit that a constraint refuses.

        Once somebody is refused nothing of this will stay. The other tables and the foreign keys are asked all the same, so that
        one more try is enough, but not the large tables that have never refused anybody: they cost more than that try.
        """
        self._remover.remove()
        faults: dict[int, Fault] = {}
        large = sum(len(bound.positions) for bound in self._bound) / 4
        left = _small_first(self._bound)
        while left:
            costs = len(left[0].positions) > large and left[0].table not in self._refused
            if faults and (costs or not self.connection.in_transaction):
                break
            bound = left.pop(0)
            kept = bound.without(faults)
            found = self._insert_all(kept)
            if found:
                self._refused.add(bound.table)
                faults |= found
            self.rows[bound.table] = self.rows.get(bound.table, 0) + len(kept.positions)
            self._note_links(kept)
        if faults:
            if self.connection.in_transaction:
                faults = self._link_faults({bound.reflected.name.lower() for bound in left}) | faults
            raise UnitError(f"{len(faults)} units break a constraint of system {self.system}", faults=faults)

    def check_links(self) -> None:
        """`UnitError` with every unit whose foreign keys lead nowhere; only rows written or removed here are looked at."""
        self._remover.check()
        faults = self._link_faults(frozenset())
        if faults:
            raise UnitError(f"{len(faults)} units name rows that are not in system {self.system}", faults=faults)

    def _link_faults(self, unwritten: Collection[str]) -> dict[int, Fault]:
        """Units whose foreign keys lead nowhere, but for keys of tables whose rows are not written yet."""
        faults: dict[int, Fault] = {}
        for bound, key, at in self._links:
            columns = [bound.values[number] for number in at]
            waits = key.parent.lower() in unwritten
            lost = set() if waits else self._lost(key, dict.fromkeys(zip(*columns, strict=True)))
            if not lost:
                continue
            names = ", ".join(key.columns)
            place = f"{self.system}.{bound.reflected.name}"
            reason = f"{place}: FOREIGN KEY constraint failed: no row of {key.parent} for ({names})"
            for *values, position in zip(*columns, bound.positions, strict=True):
                if tuple(values) in lost:
                    faults.setdefault(position, Fault(reason, f"({names}) = {tuple(values)!r}"))
        return faults

    def _lost(self, key: ForeignKey, links: Iterable[Row]) -> set[Row]:
        """The links that lead to no row of the parent, many asked for by one statement; one with a NULL leads nowhere and
        is not asked for. Values of a VALUES list have no affinity, so each is compared as its parent's column compares.
        """
        on = " AND ".join(f"a.{quote(name)} = l.column{number + 1}" for number, name in enumerate(key.parent_columns))
        there = f"SELECT 1 FROM main.{quote(key.parent)} AS a WHERE {on}"
        row = f"({', '.join('?' * len(key.columns))})"
        asked = (link for link in links if None not in link)
        lost: set[Row] = set()
        while some := list(islice(asked, VALUES_AT_ONCE // len(key.columns))):
            values = ", ".join([row] * len(some))
            sql = f"SELECT * FROM (VALUES {values}) AS l WHERE NOT EXISTS ({there})"
            lost |= set(self.connection.execute(sql, list(chain.from_iterable(some))))
        return lost

    def forget(self) -> None:
        """Start anew after a rollback to the state before the first insert."""
        self._bound.clear()
        self._links.clear()
        self._remover.forget()
        self.rows.clear()

    def _column(self, reflected: Reflected, table: str, name: str) -> Any:
        column = reflected.column(name)
        if column is None:
            known = ", ".join(column.name for column in reflected.columns)
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, the table has not",
                remedy=f"Its columns are: {known}",
            )
        if column.generated:
            raise ConfigError(
                f"output {self.system}.{table} has column {name!r}, which the database generates",
                remedy="Leave it out of the step",
            )
        return column

    def _insert_all(self, bound: Bound) -> dict[int, Fault]:
        """Insert the rows of one table; the units that it refuses, whose rows are not there then."""
        run, table = self.connection.execute, bound.table
        run("SAVEPOINT ludb_table")
        try:
            changed = self.connection.executemany(bound.sql, bound.rows()).rowcount
            if bound.key and changed < len(bound.positions):
                raise Clash
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            if not self.connection.in_transaction:
                # A trigger's RAISE(ROLLBACK) took the whole transaction: the chunk must be taken apart to find the unit.
                raise UnitError(
                    f"{self.system}.{table}: a trigger rolled back the transaction", detail=str(error)
                ) from error
            run("ROLLBACK TO ludb_table")
            return self._scan(bound)
        run("RELEASE ludb_table")
        return {}

    def _scan(self, bound: Bound) -> dict[int, Fault]:
        """Insert a few units at a time, in order, and where that fails unit by unit; keep what the failing ones did
        wrong.
        """
        by_unit: dict[int, list[Row]] = {}
        for position, row in zip(bound.positions, bound.rows(), strict=True):
            by_unit.setdefault(position, []).append(row)
        units = iter(by_unit.items())
        faults: dict[int, Fault] = {}
        while self.connection.in_transaction and (some := dict(islice(units, SCAN_UNITS))):
            if self._attempt(bound, [row for rows in some.values() for row in rows]) is None:
                continue
            for position, rows in some.items():
                found = self._attempt(bound, rows) if self.connection.in_transaction else None
                if found is not None:
                    error, row = found
                    shown = dict(zip(bound.names, row, strict=True))
                    reason = f"{self.system}.{bound.table}: {_told(error)}"
                    detail = "; ".join(str(part) for part in error.args)
                    faults[position] = Fault(reason, f"{detail}; row: {shown!r}")
        return faults

    def _attempt(self, bound: Bound, rows: Sequence[Row]) -> tuple[sqlite3.Error, Row] | None:
        """Insert all these rows, or none: then the row that a constraint refuses, and what it says."""
        run = self.connection.execute
        run("SAVEPOINT ludb_unit")
        tried: list[Row] = []
        try:
            if bound.key:
                self._merge_each(bound, _kept_last(rows, tried))
            else:
                self.connection.executemany(bound.sql, _kept_last(rows, tried))
        except (sqlite3.IntegrityError, sqlite3.DataError) as error:
            if self.connection.in_transaction:
                run("ROLLBACK TO ludb_unit")
                run("RELEASE ludb_unit")
            return error, tried[0]
        run("RELEASE ludb_unit")
        return None

    def _merge_each(self, bound: Bound, rows: Iterable[Row]) -> None:
        sql = bound.sql
        for row in rows:
            if self.connection.execute(sql, row).rowcount < 1:
                raise clash(self.connection, bound.reflected.name, bound.key, bound.key_of(row))

    def _note_links(self, bound: Bound) -> None:
        columns = [name.lower() for name in bound.columns]
        for key in bound.reflected.foreign_keys:
            at = [columns.index(name.lower()) for name in key.columns if name.lower() in columns]
            if len(at) == len(key.columns):
                self._links.append((bound, key, at))


def _kept_last(rows: Iterable[Row], last: list[Row]) -> Iterator[Row]:
    """The rows; `last` holds the one that was asked for last, which is the one at fault if a statement fails."""
    for row in rows:
        last[:] = (row,)
        yield row


def _small_first(tables: Sequence[Bound]) -> list[Bound]:
    """Parents before children, and the smaller before the larger: what a constraint refuses early costs least. Cycles
    keep the order in which they were given.
    """
    left, ordered = list(tables), []
    while left:
        waiting = {bound.reflected.name.lower() for bound in left}
        free = [bound for bound in left if not bound.parents() & waiting]
        ordered.append(min(free, key=lambda bound: len(bound.positions)) if free else left[0])
        left.remove(ordered[-1])
    return ordered


def _insert_sql(table: str, columns: Sequence[str]) -> str:
    if not columns:
        return f"INSERT INTO main.{quote(table)} DEFAULT VALUES"
    names = ", ".join(quote(name) for name in columns)
    return f"INSERT INTO main.{quote(table)} ({names}) VALUES ({', '.join('?' * len(columns))})"


def _told(error: sqlite3.Error) -> str:
    """What the driver says of a constraint: names only. A trigger's own words may hold values, so they are left out."""
    name = getattr(error, "sqlite_errorname", "")
    return "a trigger refused the row" if name == "SQLITE_CONSTRAINT_TRIGGER" else str(error.args[0])
