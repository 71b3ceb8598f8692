"""Any database with a SQLAlchemy dialect as a source: read only, links followed by the server, every value exact or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

import pyarrow as pa

from ludb.dialects import sqlalchemy_inspect as server
from ludb.dialects.settings import Surroundings
from ludb.dialects.sqlalchemy import READS, Database, SqlalchemySystem
from ludb.dialects.sqlalchemy_joins import ROW, Element, From, Path
from ludb.dialects.sqlalchemy_keys import conditions
from ludb.dialects.sqlalchemy_reader import Query, Reader, chosen, counted, in_order, whole
from ludb.dialects.sqlalchemy_schema import Detail, Reflected
from ludb.dialects.sqlalchemy_script import check_condition, check_script, run_script
from ludb.dialects.sqlalchemy_values import Carriage, asked, plain, plan, typed
from ludb.errors import ConfigError
from ludb.model.findings import Price
from ludb.model.keys import key_text
from ludb.model.shape import TableShape
from ludb.model.unit import Column, Fetched, KeySet, Refusal, UnitTable

_ORPHANS = pa.schema([("row_id", pa.string()), ("missing", pa.string()), ("direct", pa.bool_())])


class SqlalchemySource:
    """A database by its SQLAlchemy address, connected when first read and never written. Implements `Source`, `CanFetch`,
    `CanFilter`, `CanReflect`, `CanPrice` and, for hooks, `CanExecute`.

    One connection, one thread, one stream at a time. How consistent a snapshot is, is the dialect's: `dialects.sqlalchemy.READS`.
    """

    Settings: ClassVar[type[SqlalchemySystem]] = SqlalchemySystem

    def __init__(self, name: str, settings: SqlalchemySystem, surroundings: Surroundings) -> None:
        """Nothing is opened yet."""
        self._name, self._settings, self._surroundings = name, settings, surroundings
        self._database = Database(
            name, settings, surroundings, write=False, levels=lambda dialect: settings.isolation or READS.get(dialect)
        )
        self._reader = Reader(self._database)
        self._tables: dict[str, Reflected] = {}

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's or view's columns, typed as declared or as `types:` says."""
        return tuple(how.column for how in self._plan(table))

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in the order of the columns' own collation; those that it holds equal by the primary key. `ConfigError`
        for a key that cannot be carried: such a unit could not be named.
        """
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        yield from self._keys(reflected, plans, in_order(reflected, plans, self._database.dialect))

    def keys_where(self, table: UnitTable, columns: Sequence[str], where: str) -> Iterator[pa.Table]:
        """The keys of rows that meet a condition in the server's SQL, in the order in which it finds them."""
        check_condition(where, self._database.dialect)
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        yield from self._keys(reflected, plans, chosen(reflected, plans, self._database.dialect, where))

    def _keys(self, table: Reflected, plans: Sequence[Carriage], query: Query) -> Iterator[pa.Table]:
        for rows in self._reader.rows(query, f"read the keys of {table.name}"):
            held, refused = typed(rows, (), plans, table, ids=0)
            if refused:
                where = f"{self._name}.{table.name}, column {refused[0].column}"
                raise ConfigError(
                    f"a unit key cannot be carried: {where}: it {refused[0].reason}",
                    remedy="Mend the row, or carry the key as text or binary with types:",
                )
            yield held

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table in the server's order, in one statement; at least one `Fetched`, also of an empty table. Rows
        are named by their number in the scan, from 1 on; the detail names their primary key.
        """
        reflected = self._reflect(table)
        plans = self._plan(table) if columns is None else self._chosen(table, columns)
        ids, start = len(reflected.primary_key), 0
        for rows in self._reader.rows(
            whole(reflected, plans, self._database.dialect, keys=True), f"read {reflected.name}"
        ):
            yield Fetched(*typed(rows, (), plans, reflected, ids=ids, start=start + 1))
            start += len(rows)
        if not start:
            yield Fetched(*typed([], (), plans, reflected, ids=ids))

    def snapshot(self) -> AbstractContextManager[None]:
        """One transaction for all reads inside it, at the dialect's isolation. Not nested."""
        return self._reader.snapshot()

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows of the last table by keys of the first, by one join per range or list of keys; a row comes once per
        matched key. Links compare as the server compares their columns.
        """
        way = self._path(path)
        last = way.stops[-1].table
        keyed, plans = self._chosen(path[0], by.columns), self._plan(path[-1])
        details = [how.detail for how in keyed]
        ids = last.primary_key

        def wanted(rows: From) -> list[Element]:
            every = [how.detail for how in plans] + [last.get(name, self._name) for name in ids]
            return [self._ask(detail, rows.c[detail.name]) for detail in every]

        tables = [typed([], keyed, plans, last, ids=len(ids))[0]]
        refused: list[Refusal] = []
        for where, keys in conditions(by, keyed, self._database.dialect):
            query = way.fetch(details, where, self._ask, wanted)
            for rows in self._reader.rows(query, f"read {last.name}", stream=False):
                held, faulty = typed(rows, keyed, plans, last, ids=len(ids))
                tables.append(keys.only(held))
                refused.extend(refusal for refusal in faulty if keys.has(refusal.match))
        return Fetched(pa.concat_tables(tables), refused)

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, self references (`recursive`) counted as links; by one anti-join. Rows of
        a table without a key are named by their number in the order of its columns.
        """
        way = self._path(path)
        if len(path) == 1:
            return _ORPHANS.empty_table()
        last = way.stops[-1]

        def ids(rows: From) -> list[Element]:
            key = last.table.primary_key
            return [self._ask(last.table.get(name, self._name), rows.c[name]) for name in key] or [rows.c[ROW]]

        width = len(last.on)
        tables = [_ORPHANS.empty_table()]
        for rows in self._reader.rows(way.orphans(ids, self._ask), f"look for orphans in {last.table.name}"):
            links = [[None if value is None else plain(value) for value in row[:width]] for row in rows]
            missing = [None if None in link else key_text(link) for link in links]
            names = [key_text([plain(value) for value in row[width + 1 :]]) for row in rows]
            tables.append(pa.table([names, missing, [row[width] == 1 for row in rows]], schema=_ORPHANS))
        return pa.concat_tables(tables)

    def count(self, table: UnitTable) -> int:
        """How many rows the table has, by counting them."""
        query = counted(self._reflect(table))
        return next(int(rows[0][0]) for rows in self._reader.rows(query, "count rows", stream=False))

    def size(self, table: UnitTable) -> int:
        """About how many bytes the table takes, where the dialect is one that tells."""
        reflected = self._reflect(table)
        with self._reader.connected() as connection:
            return server.size(connection, self._database, reflected)

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:
        """What looking rows up by these columns costs, by the indexes that are there."""
        reflected = self._reflect(table)
        with self._reader.connected() as connection:
            return server.price(connection, self._database, reflected, columns)

    def tables(self) -> Sequence[TableShape]:
        """Every table and view of the system's schema; rows are not counted."""
        return self._reader.tables()

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own that may write."""
        run_script(Database(self._name, self._settings, self._surroundings, write=True), script, values)

    def close(self) -> None:
        """Close the connection; the source opens it again if it is read again."""
        self._reader.close()

    def _ask(self, detail: Detail, column: Element) -> Element:
        return asked(detail, column, self._database.dialect)

    def _reflect(self, table: UnitTable) -> Reflected:
        name = table.table.name
        if name not in self._tables:
            self._tables[name] = self._reader.table(name)
        return self._tables[name]

    def _plan(self, table: UnitTable) -> tuple[Carriage, ...]:
        return plan(self._reflect(table), table.types, self._name)

    def _chosen(self, table: UnitTable, names: Sequence[str]) -> tuple[Carriage, ...]:
        reflected = self._reflect(table)
        plans = {how.detail.name: how for how in self._plan(table)}
        return tuple(plans[reflected.get(name, self._name).name] for name in names)

    def _path(self, path: Sequence[UnitTable]) -> Path:
        return Path(path, [self._reflect(table) for table in path], self._name, self._database.dialect)
