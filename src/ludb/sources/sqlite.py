"""SQLite as a source: read-only, typed value by value, links followed in SQL."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar

import pyarrow as pa

from ludb.dialects import sqlite_inspect as server
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlite import SqliteSystem, connect, database_path, quote, translate
from ludb.dialects.sqlite_joins import KEYS, Stop, fetch_sql, folded_sql, orphans_sql, stops
from ludb.dialects.sqlite_schema import Reflected, affinity, reflect, shapes
from ludb.dialects.sqlite_script import check_script, run_script
from ludb.dialects.sqlite_values import TEXT_FACTORY, Carriage, carry, plain, plan
from ludb.dialects.types import INT64
from ludb.errors import ConfigError
from ludb.model.findings import Price
from ludb.model.keys import key_text
from ludb.model.shape import TableShape
from ludb.model.unit import MATCH, Column, Fetched, KeySet, Pairs, Refusal, UnitTable

BATCH = 50_000
"""Rows that are typed and handed over at a time."""


class SqliteSource:
    """A SQLite database, opened when first read and never written (but by hooks). Implements `Source`, `CanFetch`,
    `CanFilter` and `CanExecute`.

    Text is carried as it stands, and so are dates, times and JSON, which SQLite keeps as text. A value that its
    column's declared type does not hold is refused by row; `types:` names another type for a column. One thread at a
    time.
    """

    Settings: ClassVar[type[SqliteSystem]] = SqliteSystem

    def __init__(self, name: str, settings: SqliteSystem, surroundings: Surroundings) -> None:
        """Nothing is opened yet; `ConfigError` if the url is not that of a SQLite file."""
        self._name, self._settings = name, settings
        self._path = database_path(settings, surroundings)
        self._open: sqlite3.Connection | None = None
        self._kept: KeySet | None = None
        self._tables: dict[str, Reflected] = {}
        self._undecodable: set[str] = set()

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's or view's columns, typed as declared or as `types:` says."""
        return tuple(how.column for how in self._plan(table))

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys by the columns' own collation, then by row number: tables of up to 50,000 rows.

        `ConfigError` for a key that its column's type does not hold: such a unit could not be named.
        """
        reflected = self._reflect(table)
        ties = [*reflected.row_id] if reflected.rowid else [f"{quote(name)} COLLATE BINARY" for name in columns]
        order = ", ".join([*(f"a.{quote(name)}" for name in columns), *(f"a.{tie}" for tie in ties)])
        names = ", ".join(f"a.{quote(name)}" for name in [*columns, *reflected.row_id])
        sql = f"SELECT {names} FROM main.{quote(reflected.name)} AS a ORDER BY {order}"
        yield from self._keys(table, columns, self._batches(sql))

    def keys_where(self, table: UnitTable, columns: Sequence[str], where: str) -> Iterator[pa.Table]:
        """The keys of rows that meet a condition in SQLite's SQL, in the order in which SQLite finds them."""
        reflected = self._reflect(table)
        own = quote(reflected.name)
        names = ", ".join(f"{own}.{quote(name)}" for name in [*columns, *reflected.row_id])
        sql = f"SELECT {names} FROM main.{own} WHERE (\n{where}\n)"
        yield from self._keys(table, columns, self._batches(sql))

    def _keys(
        self, table: UnitTable, columns: Sequence[str], batches: Iterator[list[tuple[Any, ...]]]
    ) -> Iterator[pa.Table]:
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        for rows in batches:
            held, refused = _typed(rows, (), plans, reflected)
            if refused:
                where = f"{self._name}.{reflected.name}, column {refused[0].column}, row {refused[0].row_id}"
                raise ConfigError(
                    f"a unit key cannot be carried: {where}: it {refused[0].reason}",
                    remedy="Mend the row, or carry the key as text with types:",
                )
            yield held.rename_columns(list(columns))

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table in the order in which SQLite keeps it; at least one `Fetched`, also of an empty table."""
        reflected = self._reflect(table)
        plans = self._plan(table) if columns is None else self._chosen(table, columns)
        names = [*(how.column.name for how in plans), *reflected.row_id]
        select = ", ".join(f"a.{quote(name)}" for name in names)
        empty = True
        for rows in self._batches(f"SELECT {select} FROM main.{quote(reflected.name)} AS a"):
            empty = False
            yield Fetched(*_typed(rows, (), plans, reflected))
        if empty:
            yield Fetched(*_typed([], (), plans, reflected))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read transaction, which starts here and not at the first fetch. Not nested."""
        connection = self._connection()
        with self._errors("start a read transaction"):
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM main.sqlite_master LIMIT 1").fetchone()
        try:
            yield
        finally:
            self._kept = None  # the temporary table goes with the transaction
            if self._open is connection and connection.in_transaction:
                connection.execute("ROLLBACK")

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows of the last table by keys of the first, by one join; a row comes once per matched key.

        Links and keys compare as SQLite compares them (affinity and collation of the columns). Texts are read as such, which
        is quicker, until one of the table is no UTF-8.
        """
        name = path[-1].table.name
        if name not in self._undecodable:
            connection = self._connection()
            connection.text_factory = str
            try:
                return self._fetch(path, by)
            except UnicodeError:
                self._undecodable.add(name)
            finally:
                connection.text_factory = TEXT_FACTORY
        return self._fetch(path, by)

    def _fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        steps = self._stops(path)
        last = steps[-1].table
        keyed = self._chosen(path[0], by.columns)
        plans = self._plan(path[-1])
        names = [*(how.column.name for how in plans), *last.row_id]
        self._keep_keys(by)
        repeats = bool(last.row_id) and _may_repeat(steps)
        seen: set[tuple[Any, ...]] = set()
        tables, refused = [], []
        for batch in self._batches(fetch_sql(steps, by.columns, names)):
            rows = _unseen(batch, len(keyed), len(last.row_id), seen) if repeats else batch
            held, faulty = _typed(rows, keyed, plans, last)
            tables.append(held)
            refused.extend(faulty)
        if not tables:
            tables.append(_typed([], keyed, plans, last)[0])
        return Fetched(pa.concat_tables(tables), refused)

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, self references (`recursive`) counted as links; by one anti-join."""
        schema = pa.schema([("row_id", pa.string()), ("missing", pa.string()), ("direct", pa.bool_())])
        steps = self._stops(path)
        if len(steps) == 1:
            return schema.empty_table()
        last = steps[-1]
        width = len(last.on)
        tables = []
        for rows in self._batches(orphans_sql(steps, last.table.row_id)):
            links = [[plain(value) for value in row[:width]] for row in rows]
            missing = [None if None in link else key_text(link) for link in links]
            ids = [key_text([plain(value) for value in row[width + 1 :]]) for row in rows]
            tables.append(pa.table([ids, missing, [bool(row[width]) for row in rows]], schema=schema))
        return pa.concat_tables(tables) if tables else schema.empty_table()

    def folded(self, child: UnitTable, parent: UnitTable, on: Pairs) -> int:
        """Pairs of rows that a collation (NOCASE, RTRIM) joins, by one join."""
        sql = folded_sql(self._reflect(child), self._reflect(parent), on)
        return int(next(self._batches(sql))[0][0]) if sql else 0

    def count(self, table: UnitTable) -> int:
        """How many rows the table has, by counting them."""
        name = quote(self._reflect(table).name)
        ((number,),) = next(self._batches(f"SELECT count(*) FROM main.{name}"))
        return int(number)

    def size(self, table: UnitTable) -> int:
        """The table's share of the file."""
        self._reflect(table)
        ((tables,),) = next(self._batches("SELECT count(*) FROM main.sqlite_master WHERE type = 'table'"))
        return server.size(self._path, int(tables))

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:
        """What SQLite's plan says of a look-up by these columns."""
        reflected = self._reflect(table)
        with self._errors("ask for a plan"):
            return server.price(self._connection(), reflected, columns)

    def tables(self) -> Sequence[TableShape]:
        """Every table and view, with exact row counts of tables."""
        connection = self._connection()
        connection.text_factory = str
        try:
            with self._errors("list the tables"):
                return shapes(connection, self._name)
        finally:
            connection.text_factory = TEXT_FACTORY

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own that may write."""
        connection = connect(self._path, self._name, write=True, busy_timeout=self._settings.busy_timeout)
        run_script(connection, self._name, script, values)

    def close(self) -> None:
        """Close the connection; the source opens it again if it is read again."""
        if self._open is not None:
            self._open.close()
            self._open = self._kept = None

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = connect(self._path, self._name, write=False, busy_timeout=self._settings.busy_timeout)
            self._open.text_factory = TEXT_FACTORY
            self._open.execute("PRAGMA temp_store=MEMORY")
        return self._open

    def _reflect(self, table: UnitTable) -> Reflected:
        name = table.table.name
        if name not in self._tables:
            connection = self._connection()
            connection.text_factory = str
            try:
                with self._errors(f"read the columns of {table.table}"):
                    self._tables[name] = reflect(connection, self._name, name)
            finally:
                connection.text_factory = TEXT_FACTORY
        return self._tables[name]

    def _plan(self, table: UnitTable) -> tuple[Carriage, ...]:
        return plan(self._reflect(table), table.types, self._name)

    def _chosen(self, table: UnitTable, names: Sequence[str]) -> tuple[Carriage, ...]:
        """The plans of these columns; `ConfigError` naming the table's columns if one is missing."""
        reflected = self._reflect(table)
        plans = {how.column.name: how for how in self._plan(table)}
        chosen = []
        for name in names:
            column = reflected.column(name)
            if column is None:
                raise ConfigError(
                    f"table {table.table} has no column {name!r}", remedy=f"Columns that are there: {', '.join(plans)}"
                )
            chosen.append(plans[column.name])
        return tuple(chosen)

    def _stops(self, path: Sequence[UnitTable]) -> tuple[Stop, ...]:
        for number, table in enumerate(path):
            pairs = table.recursive if number == 0 else table.on + table.recursive
            self._chosen(table, [child for child, _ in pairs] + [parent for _, parent in table.recursive])
            if number:
                self._chosen(path[number - 1], [parent for _, parent in table.on])
        return stops(path, [self._reflect(table) for table in path])

    def _keep_keys(self, by: KeySet) -> None:
        """Put the keys into a temporary table: no limit on their number, and the planner sees them as a table. The tables
        of a chunk are asked for by the same keys, one after another: those stay.
        """
        if self._kept is not None and self._kept.columns == by.columns and self._kept.values.equals(by.values):
            return
        self._kept = None
        columns = [by.values.column(name).to_pylist() for name in by.columns]
        rows = [tuple(map(_bound, row)) for row in zip(*columns, strict=True) if None not in row]
        names = ", ".join(f"c{number}" for number in range(len(by.columns)))
        marks = ", ".join("?" * len(by.columns))
        connection = self._connection()
        with self._errors("keep the keys to look up"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{KEYS}")
            connection.execute(f"CREATE TEMP TABLE {KEYS} ({names})")
            connection.executemany(f"INSERT INTO temp.{KEYS} VALUES ({marks})", rows)
        self._kept = by

    def _batches(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self._connection().cursor()
        try:
            with self._errors("read"):
                cursor.execute(sql)
            while True:
                with self._errors("read"):
                    rows = cursor.fetchmany(BATCH)
                if not rows:
                    return
                yield rows
        finally:
            with suppress(sqlite3.ProgrammingError):  # a reader that was left half way outlives its source
                cursor.close()

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "Could not decode to UTF-8" in str(error):
                raise UnicodeError from error
            raise translate(error, self._name, doing) from error


def _typed(
    rows: Sequence[tuple[Any, ...]], keyed: Sequence[Carriage], plans: Sequence[Carriage], table: Reflected
) -> tuple[pa.Table, list[Refusal]]:
    """Rows as (match..., column..., row id...) become an Arrow table; what does not fit is NULL there, and refused."""
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(keyed) + len(plans))
    arrays: list[pa.Array] = []
    faults: list[tuple[int, str, str, str]] = []
    for how, column in zip([*keyed, *plans], values, strict=False):
        array, found = carry(column, how)
        arrays.append(array)
        faults.extend((row, how.column.name, *fault) for row, fault in found.items())
    names = [f"{MATCH}{number}" for number in range(len(keyed))] + [how.column.name for how in plans]
    schema = pa.schema([(name, how.column.type) for name, how in zip(names, [*keyed, *plans], strict=True)])
    refused = []
    for row, column_name, reason, detail in faults:
        match = tuple(array[row].as_py() for array in arrays[: len(keyed)])
        row_id = key_text([plain(value) for value in rows[row][len(arrays) :]])
        refused.append(Refusal(match, table.name, column_name, reason, detail, row_id, row))
    return pa.Table.from_arrays(arrays, schema=schema), refused


def _unseen(rows: Sequence[tuple[Any, ...]], keys: int, ids: int, seen: set[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows whose (match, row id) was not there before; `seen` remembers them."""
    fresh = []
    for row in rows:
        mark = (*map(_hashable, row[:keys]), *map(_hashable, row[-ids:]))
        if mark not in seen:
            seen.add(mark)
            fresh.append(row)
    return fresh


def _may_repeat(path: Sequence[Stop]) -> bool:
    """Whether one child can match two different values of one link: by collation, or by comparing text with numbers."""
    if len(path) == 1:
        return False
    if any(stop.table.collates for stop in path):
        return True
    for above, stop in pairwise(path):
        for child, parent in stop.on:
            ours, theirs = stop.table.column(child), above.table.column(parent)
            assert ours is not None
            assert theirs is not None
            if affinity(ours.native) != affinity(theirs.native):
                return True
    return False


def _hashable(value: Any) -> Any:
    return ("text", bytes(value)) if isinstance(value, bytearray) else value


def _bound(value: Any) -> Any:
    """A key value as SQLite can be asked for it; decimals and wide integers as text, which compares as a number."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int) and value not in INT64:
        return str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else value
