"""MySQL and MariaDB as a source: read-only, every value exact, links followed on the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pyarrow as pa

from ludb.dialects import mysql_inspect as server
from ludb.dialects.mysql import SOURCE_MODE, MysqlSystem, Session, connect, placed, quote, take_turn
from ludb.dialects.mysql_joins import ROW_NUMBER, Stop, fetch_sql, folded_sql, last_alias, orphans_sql, stops
from ludb.dialects.mysql_keys import DENSITY, Held, Wanted, wanted
from ludb.dialects.mysql_schema import Reflected, reflect, shapes
from ludb.dialects.mysql_script import check_script, run_script
from ludb.dialects.mysql_stream import Values
from ludb.dialects.mysql_values import Carriage, asked, carry, exact, plain, plan
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, LudbError, UnitError
from ludb.model.findings import Price
from ludb.model.keys import key_text
from ludb.model.shape import TableShape
from ludb.model.unit import MATCH, Column, Fetched, KeySet, Pairs, Refusal, UnitTable

OWN = "a"
"""What a table is called where it stands alone."""


class MysqlSource:
    """A database on a MySQL or MariaDB server, connected when first read and never written. Implements `Source`,
    `CanFetch`, `CanFilter`, `CanReflect`, `CanPrice` and `CanExecute`.

    One connection, one thread, one stream at a time. Snapshots are consistent for InnoDB tables.
    """

    Settings: ClassVar[type[MysqlSystem]] = MysqlSystem

    def __init__(self, name: str, settings: MysqlSystem, surroundings: Surroundings) -> None:
        """Nothing is opened yet."""
        self._name, self._settings, self._surroundings = name, settings, surroundings
        self._open: Session | None = None
        self._reading = False
        self._tables: dict[str, Reflected] = {}
        self._dense: dict[tuple[str, tuple[Any, ...], tuple[Any, ...], int], bool] = {}

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's or view's columns, typed as declared or as `types:` says."""
        return tuple(how.column for how in self._plan(table))

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in the order of the columns' own collation; texts that it holds equal by their bytes.

        `ConfigError` for a key that cannot be carried: such a unit could not be named.
        """
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        order = [f"{OWN}.{quote(how.detail.name)}" for how in plans]
        if not reflected.is_unique(columns):
            order += [exact(how.detail, OWN) for how in plans]
        yield from self._keys(reflected, plans, OWN, f"ORDER BY {', '.join(order)}")

    def keys_where(self, table: UnitTable, columns: Sequence[str], where: str) -> Iterator[pa.Table]:
        """The keys of rows that meet a condition in the server's SQL, in the order in which it finds them."""
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        yield from self._keys(reflected, plans, quote(reflected.name), f"WHERE (\n{where}\n)")

    def _keys(self, table: Reflected, plans: Sequence[Carriage], alias: str, rest: str) -> Iterator[pa.Table]:
        select = ", ".join(asked(how, alias) for how in plans)
        sql = f"SELECT {select} FROM {placed(table.schema, table.name)} AS {alias} {rest}"
        for rows in self._stream(sql, f"read the keys of {table.name}"):
            held, refused = self._typed(rows, (), plans, table, ids=0)
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
        ids = [exact(reflected.get(name, self._name), "a") for name in reflected.primary_key]
        select = ", ".join([*(asked(how, "a") for how in plans), *ids]) or "1"
        start = 0
        sql = f"SELECT {select} FROM {placed(reflected.schema, reflected.name)} AS a"
        for rows in self._stream(sql, f"read {reflected.name}"):
            yield Fetched(*self._typed(rows, (), plans, reflected, ids=len(ids), start=start + 1))
            start += len(rows[0])
        if not start:
            yield Fetched(*self._typed(None, (), plans, reflected, ids=len(ids)))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read-only transaction with a consistent snapshot, which starts here. Not nested."""
        session = self._session()
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "start a snapshot")
        self._reading = True
        try:
            yield
        finally:
            self._reading = False
            if self._open is session:
                try:
                    session.run("ROLLBACK", "end a snapshot")
                except LudbError:
                    self.close()
            self._let_go()

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows of the last table by keys of the first, by one join per range or list of keys; a row comes once per
        matched key. Links compare as `dialects.mysql_joins` says, keys by bytes.
        """
        steps = self._stops(path)
        last = steps[-1].table
        keyed = self._chosen(path[0], by.columns)
        plans = self._plan(path[-1])
        alias = last_alias(path)
        ids = [exact(last.get(name, self._name), alias) for name in last.primary_key]
        select = [*(asked(how, alias) for how in plans), *ids]
        held = Held(by)
        tables = [self._typed(None, keyed, plans, last, ids=len(ids))[0]]
        refused: list[Refusal] = []
        for where in self._conditions(steps[0], wanted(by, [how.detail for how in keyed])):
            sql = fetch_sql(steps, [how.detail for how in keyed], where, select)
            for rows in self._stream(sql, f"read {last.name}"):
                typed, faulty = self._typed(rows, keyed, plans, last, ids=len(ids))
                tables.append(held.only(typed))
                refused.extend(refusal for refusal in faulty if held.has(refusal.match))
        return Fetched(pa.concat_tables(tables), refused)

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, self references (`recursive`) counted as links; by one anti-join. Rows of
        a table without a key are named by their number.
        """
        schema = pa.schema([("row_id", pa.string()), ("missing", pa.string()), ("direct", pa.bool_())])
        steps = self._stops(path)
        if len(steps) == 1:
            return schema.empty_table()
        last, width = steps[-1], len(steps[-1].on)
        key = last.table.primary_key
        ids = [exact(last.table.get(name, self._name), "a") for name in key] or [f"a.{ROW_NUMBER}"]
        sql = orphans_sql(steps, ids, numbered=not key)
        tables = [schema.empty_table()]
        for columns in self._stream(sql, f"look for orphans in {last.table.name}"):
            rows = list(zip(*(column.to_pylist() for column in columns), strict=True))
            links = [[plain(value) for value in row[:width]] for row in rows]
            missing = [None if None in link else key_text(link) for link in links]
            names = [key_text([plain(value) for value in row[width + 1 :]]) for row in rows]
            tables.append(pa.table([names, missing, [row[width] == b"1" for row in rows]], schema=schema))
        return pa.concat_tables(tables)

    def folded(self, child: UnitTable, parent: UnitTable, on: Pairs) -> int:
        """Pairs of rows that a collation joins, by one join; blanks at the end count too."""
        sql = folded_sql(self._reflect(child), self._reflect(parent), on)
        if sql is None:
            return 0
        number = self._session().number(sql, f"compare the links of {child.name}")
        self._let_go()
        return number

    def count(self, table: UnitTable) -> int:
        """How many rows the table has, by counting them."""
        found = self._reflect(table)
        number = self._session().number(f"SELECT count(*) FROM {placed(found.schema, found.name)}", "count rows")
        self._let_go()
        return number

    def size(self, table: UnitTable) -> int:
        """Bytes of the table, as the server estimates; `ConfigError` where the user may not read it."""
        reflected = self._reflect(table)
        return server.size(self._session(), reflected)

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:
        """What the server's plan says of a look-up by these columns."""
        reflected = self._reflect(table)
        return server.price(self._session(), reflected, columns)

    def tables(self) -> Sequence[TableShape]:
        """Every table and view of the system's database that the user may read, with the server's estimates of rows."""
        try:
            return shapes(self._session(), self._settings.database)
        finally:
            self._let_go()

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a session of their own that may write."""
        run_script(self._writing(), script, values)

    def _writing(self) -> Session:
        return connect(self._settings, self._surroundings, self._name, mode=SOURCE_MODE, isolation="READ COMMITTED")

    def close(self) -> None:
        """Close the connection; the source opens it again if it is read again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _session(self) -> Session:
        if self._open is not None and not self._open.raw.open and not self._reading:
            self.close()  # it was lost between two chunks; within a snapshot another one would see another moment
        if self._open is None:
            # Read-only throughout: a condition that a person types cannot write either.
            session = connect(
                self._settings, self._surroundings, self._name, mode=SOURCE_MODE, isolation="REPEATABLE READ, READ ONLY"
            )
            try:
                take_turn(session, self._settings)
            except BaseException:
                session.close()
                raise
            self._open = session
        return self._open

    def _let_go(self) -> None:
        """Where connections are counted, one that is not in use is left to others."""
        if self._settings.connections is not None and not self._reading:
            self.close()

    def _stream(self, sql: str, doing: str) -> Iterator[Values]:
        """Rows as the server sends them. A connection that failed is given up: the next reader opens another."""
        session = self._session()
        try:
            yield from session.stream(sql, self._settings.fetch_rows, doing)
        except UnitError as error:
            raise ConfigError(f"system {self._name}: could not {doing}: {error.detail}") from error
        except LudbError:
            if self._open is session:
                self.close()
            raise
        self._let_go()

    def _conditions(self, first: Stop, keys: Wanted) -> Iterator[str]:
        if not keys.keys:
            return
        if keys.orderable and self._is_dense(first, keys):
            yield keys.between()
        else:
            yield from keys.lists()

    def _is_dense(self, first: Stop, keys: Wanted) -> bool:
        """Whether at least half of the rows between the first and the last key are wanted (PROTOCOL R11)."""
        if not first.table.is_unique([detail.name for detail in keys.details]):
            return False
        if keys.surely_dense:
            return True
        mark = (first.table.name, keys.keys[0], keys.keys[-1], len(keys.keys))
        if mark not in self._dense:
            self._dense.clear()  # all tables of a chunk ask with the same keys
            most = int(len(keys.keys) / DENSITY)
            rows = f"SELECT 1 FROM {placed(first.table.schema, first.table.name)} AS t0 WHERE {keys.between()}"
            found = self._session().number(f"SELECT count(*) FROM ({rows} LIMIT {most + 1}) AS r", "count keys")
            self._dense[mark] = found <= most
        return self._dense[mark]

    def _reflect(self, table: UnitTable) -> Reflected:
        name = table.table.name
        if name not in self._tables:
            self._tables[name] = reflect(self._session(), self._settings.database, name)
            self._let_go()
        return self._tables[name]

    def _plan(self, table: UnitTable) -> tuple[Carriage, ...]:
        return plan(self._reflect(table), table.types, self._name)

    def _chosen(self, table: UnitTable, names: Sequence[str]) -> tuple[Carriage, ...]:
        reflected = self._reflect(table)
        plans = {how.detail.name: how for how in self._plan(table)}
        return tuple(plans[reflected.get(name, self._name).name] for name in names)

    def _stops(self, path: Sequence[UnitTable]) -> tuple[Stop, ...]:
        return stops(path, [self._reflect(table) for table in path], self._name)

    def _typed(
        self,
        sent: Values | None,
        keyed: Sequence[Carriage],
        plans: Sequence[Carriage],
        table: Reflected,
        *,
        ids: int,
        start: int = 0,
    ) -> tuple[pa.Table, list[Refusal]]:
        """Columns as (match..., column..., primary key...) become an Arrow table; what does not fit is NULL, and refused."""
        every = [*keyed, *plans]
        values = sent or [pa.array([], pa.binary())] * (len(every) + ids)
        arrays: list[pa.Array] = []
        faults: list[tuple[int, str, str, str]] = []
        for how, column in zip(every, values, strict=False):
            array, found = carry(column, how)
            arrays.append(array)
            faults.extend((row, how.column.name, *fault) for row, fault in found.items())
        names = [f"{MATCH}{number}" for number in range(len(keyed))] + [how.column.name for how in plans]
        schema = pa.schema([(name, how.column.type) for name, how in zip(names, every, strict=True)])
        refused = []
        for row, column_name, reason, detail in faults:
            match = tuple(array[row].as_py() for array in arrays[: len(keyed)])
            key = key_text([plain(column[row].as_py()) for column in values[len(every) : len(every) + ids]])
            shown = f"{detail}, primary key {key}" if start and key else detail
            name = str(start + row) if start else key
            refused.append(Refusal(match, table.name, column_name, reason, shown, name, row))
        return pa.Table.from_arrays(arrays, schema=schema), refused
