"""PostgreSQL as a source: read-only snapshots, links followed in SQL, every value exact or refused."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects import postgres_inspect as server
from ludb.dialects.postgres import PostgresSystem, connect, errors, quote
from ludb.dialects.postgres_joins import FOLDING, Stop, fetch_sql, folded_sql, may_fold, orphans_sql, stops
from ludb.dialects.postgres_lists import comparable
from ludb.dialects.postgres_schema import Reflected, reflect, shapes
from ludb.dialects.postgres_script import check_script, run_script
from ludb.dialects.postgres_stream import Stream
from ludb.dialects.postgres_values import Carriage, bare, match, plan, row_id, select, typed, whole
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, LudbError, TransientError
from ludb.model.findings import Price
from ludb.model.keys import key_text
from ludb.model.shape import TableShape
from ludb.model.unit import Column, Fetched, KeySet, Pairs, UnitTable

DENSITY = 0.5
"""A range of keys is read as one where at least this part of its rows is wanted (PROTOCOL R11)."""
SLOTS = 0x6C756462
"""The first number of the advisory locks that count readers, where `connections` limits them."""


class PostgresSource:
    """A PostgreSQL database, never written. Implements `Source`, `CanFetch`, `CanFilter` and `CanReflect`. One thread at a time.

    A chunk's reads share one `REPEATABLE READ READ ONLY` transaction. With `connections: n`, at most n readers of all
    workers are connected at a time: each holds one of n advisory locks, and the connection ends with the chunk.
    """

    Settings: ClassVar[type[PostgresSystem]] = PostgresSystem

    def __init__(
        self,
        name: str,
        settings: PostgresSystem,
        surroundings: Surroundings,  # noqa: ARG002  (every adapter is made with it)
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is opened yet. `sleep` waits for a free place among `connections`."""
        self._name, self._settings, self._sleep = name, settings, sleep
        self._open: Stream | None = None
        self._tables: dict[str, Reflected] = {}
        self._inside = False

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's or view's columns, typed as declared or as `types:` says."""
        return tuple(how.column for how in self._plan(table))

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in the order of the columns' own collations. `ConfigError` for a key that Arrow cannot hold: such a
        unit could not be named.
        """
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        ties = [f"a.{quote(name)}" for name in reflected.primary_key] or (["a.ctid"] if reflected.kind in "rm" else [])
        exact = [f'a.{quote(name)}::text COLLATE "C"' for name in columns if reflected.types[name].category == "S"]
        order = ", ".join([*(f"a.{quote(name)}" for name in columns), *exact, *ties])
        sql = f"SELECT {', '.join(select(plans, reflected))} FROM {reflected.sql} AS a ORDER BY {order}"
        yield from self._keys(plans, reflected, self._query(sql))

    def keys_where(self, table: UnitTable, columns: Sequence[str], where: str) -> Iterator[pa.Table]:
        """The keys of rows that meet a condition in PostgreSQL's SQL, in the order in which the server finds them."""
        reflected, plans = self._reflect(table), self._chosen(table, columns)
        own = quote(reflected.name)
        select_list = ", ".join(select(plans, reflected, own))
        sql = f"SELECT {select_list} FROM {reflected.sql} AS {own} WHERE (\n{where}\n)"
        yield from self._keys(plans, reflected, self._query(sql))

    def _keys(self, plans: Sequence[Carriage], reflected: Reflected, pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for piece in pieces:
            held, refused = typed(piece, (), plans, reflected)
            if refused:
                where = f"{self._name}.{reflected.label}, column {refused[0].column}, row {refused[0].row_id}"
                raise ConfigError(
                    f"a unit key cannot be carried: {where}: it {refused[0].reason}",
                    remedy="Mend the row, or carry the key as text with types:",
                )
            yield held.rename_columns([how.column.name for how in plans])

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table by one sequential scan; at least one `Fetched`."""
        reflected = self._reflect(table)
        plans = self._plan(table) if columns is None else self._chosen(table, columns)
        sql = f"SELECT {', '.join(select(plans, reflected))} FROM {reflected.sql} AS a"
        for piece in self._query(sql):
            yield Fetched(*typed(piece, (), plans, reflected))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One transaction that sees one state of the database, from its start on. Not nested."""
        stream = self._stream()
        try:
            stream.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except LudbError:
            self.close()  # it was lost between two chunks: the next try gets another
            raise
        self._inside = True
        try:
            # The first query takes the snapshot. Our workers are the parallelism: a chunk is too small for the server's own.
            stream.execute("SELECT set_config('max_parallel_workers_per_gather', '0', true)")
            yield
        finally:
            self._inside = False
            try:
                if self._open is stream:
                    stream.execute("ROLLBACK")
            except LudbError:
                self.close()
            self._leave()

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows of the last table by keys of the first, by one join; a row comes once per matched key.

        Keys that fill their range (integers) are asked for as a range, others as a list.
        """
        steps = self._stops(path)
        last = steps[-1].table
        keyed, plans = self._chosen(path[0], by.columns), self._plan(path[-1])
        where, exact = self._where(steps[0].table, keyed, by)
        columns = bare(plans)
        if columns is not None:
            tables = [whole(rows, keyed, plans) for rows in self._matching(steps, where, exact, keyed, columns)]
            if all(table is not None for table in tables):
                return Fetched(pa.concat_tables(tables), [])
        held, refused = [], []
        for rows in self._matching(steps, where, exact, keyed, select(plans, last)):
            carried, faulty = typed(rows, keyed, plans, last)
            held.append(carried)
            refused.extend(faulty)
        return Fetched(pa.concat_tables(held), refused)

    def _matching(
        self,
        steps: Sequence[Stop],
        where: str,
        exact: pa.Array | None,
        keyed: Sequence[Carriage],
        columns: Sequence[str],
    ) -> Iterator[pa.Table]:
        """Rows of the last stop in pieces, of the keys that are wanted."""
        for piece in self._query(fetch_sql(steps, where, match(keyed), columns)):
            yield piece if exact is None else piece.filter(pc.is_in(piece.column(0), value_set=exact))

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, self references (`recursive`) counted as links; by one anti-join."""
        schema = pa.schema([("row_id", pa.string()), ("missing", pa.string()), ("direct", pa.bool_())])
        steps = self._stops(path)
        if len(steps) == 1:
            return schema.empty_table()
        last = steps[-1]
        width = len(last.on)
        tables = []
        for piece in self._query(orphans_sql(steps, row_id(last.table))):
            rows = list(zip(*(piece.column(number).to_pylist() for number in range(piece.num_columns)), strict=True))
            missing = [None if None in row[:width] else key_text(row[:width]) for row in rows]
            ids = [key_text(row[width + 1 :]) for row in rows]
            tables.append(pa.table([ids, missing, [row[width] for row in rows]], schema=schema))
        return pa.concat_tables(tables)

    def folded(self, child: UnitTable, parent: UnitTable, on: Pairs) -> int:
        """Pairs of rows that `citext`, the blanks of `char(n)` or a collation that is not deterministic join."""
        tables = self._reflect(child), self._reflect(parent)
        sql = folded_sql(*tables, on)
        if sql is None or not (may_fold(*tables, on) or self._number(FOLDING)):
            return 0
        return self._number(sql)

    def count(self, table: UnitTable) -> int:
        """How many rows the table has, by counting them."""
        return self._number(f"SELECT count(*) FROM {self._reflect(table).sql}")

    def tables(self) -> Sequence[TableShape]:
        """Every table and view of the system's schema that the role may read, with the server's estimates of rows."""
        with connect(self._settings, self._name, write=False) as connection, errors(self._name, "list the tables"):
            return shapes(connection, self._name, self._settings.in_schema)

    def size(self, table: UnitTable) -> int:
        """Bytes of the table; `ConfigError` where the role may not read it."""
        reflected = self._reflect(table)
        with connect(self._settings, self._name, write=False) as connection, errors(self._name, "ask for sizes"):
            return server.size(connection, self._name, reflected)

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:
        """What the planner says of a look-up by these columns."""
        reflected = self._reflect(table)
        with connect(self._settings, self._name, write=False) as connection, errors(self._name, "ask for a plan"):
            return server.price(connection, reflected, columns)

    check_script = staticmethod(check_script)

    def execute(self, script: str, values: Mapping[str, object]) -> None:
        """Run a hook's statements, on a connection of their own that may write."""
        connection = connect(self._settings, self._name, write=True)
        run_script(connection, self._name, script, values)

    def close(self) -> None:
        """Close the connection; the source opens it again if it is read again."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _where(self, root: Reflected, keyed: Sequence[Carriage], by: KeySet) -> tuple[str, pa.Array | None]:
        """The condition on the first table, and, where it lets other keys through too, the keys that are wanted."""
        values = [by.values.column(name).combine_chunks() for name in by.columns]
        if (
            len(values) == 1
            and pa.types.is_integer(keyed[0].column.type)
            and pa.types.is_signed_integer(values[0].type)
        ):
            wanted = pc.unique(pc.drop_null(values[0])).cast(pa.int64())
            low, high = pc.min(wanted).as_py(), pc.max(wanted).as_py()
            if len(wanted) > 1 and self._is_dense(root, by.columns[0], low, high, len(wanted)):
                return f"a.{quote(by.columns[0])} BETWEEN {low} AND {high}", wanted
        names, lists = zip(*(comparable(how, column) for how, column in zip(keyed, values, strict=True)), strict=True)
        if len(names) == 1:
            return f"{names[0]} = ANY ({lists[0]})", None
        return f"({', '.join(names)}) IN (SELECT * FROM unnest({', '.join(lists)}))", None

    def _is_dense(self, root: Reflected, column: str, low: int, high: int, wanted: int) -> bool:
        """Whether at least `DENSITY` of the rows between two keys are wanted. Counted only where an index counts."""
        if wanted >= (high - low + 1) * DENSITY:
            return True
        if frozenset([column]) not in root.unique:
            return False
        between = f"a.{quote(column)} BETWEEN {low} AND {high}"
        most = int(wanted / DENSITY)
        rows = self._number(
            f"SELECT count(*) FROM (SELECT 1 FROM {root.sql} AS a WHERE {between} LIMIT {most + 1}) AS n"
        )
        return rows <= most

    def _number(self, sql: str) -> int:
        return int(next(iter(self._query(sql))).column(0)[0].as_py())

    def _query(self, sql: str) -> Iterator[pa.Table]:
        """Rows on the open connection; outside of a snapshot a limited reader gives its place back afterwards."""
        stream = self._stream()
        try:
            yield from stream.query(sql)
        except TransientError:
            self.close()  # the connection may be lost; the next read opens another
            raise
        finally:
            if not self._inside:
                self._leave()

    def _stream(self) -> Stream:
        if self._open is None:
            self._open = Stream(self._settings, self._name)
            if self._settings.connections is not None:
                self._enter(self._settings.connections)
        assert self._open is not None
        return self._open

    def _enter(self, most: int) -> None:
        """Take one of the places; wait for it, without a connection, as long as for a lock."""
        places = ", ".join(str(number) for number in range(most))
        take = f"SELECT n FROM unnest(ARRAY[{places}]) AS n WHERE pg_try_advisory_lock({SLOTS}, n) LIMIT 1"
        waited = 0.0
        while True:
            assert self._open is not None
            if any(piece.num_rows for piece in self._open.query(take)):
                return
            self.close()
            if waited >= self._settings.lock_timeout:
                raise TransientError(
                    f"system {self._name}: all {most} connections are in use (setting connections)", system=self._name
                )
            pause = random.uniform(0.05, 0.2)  # noqa: S311  (spreads waiting workers, no secret)
            self._sleep(pause)
            waited += pause
            self._open = Stream(self._settings, self._name)

    def _leave(self) -> None:
        if self._settings.connections is not None:
            self.close()

    def _reflect(self, table: UnitTable) -> Reflected:
        name = table.table.name
        if name not in self._tables:
            doing = f"read the columns of {table.table}"
            with connect(self._settings, self._name, write=False) as connection, errors(self._name, doing):
                self._tables[name] = reflect(connection, self._name, self._settings.in_schema, name)
        return self._tables[name]

    def _plan(self, table: UnitTable) -> tuple[Carriage, ...]:
        return plan(self._reflect(table), table.types, self._name)

    def _chosen(self, table: UnitTable, names: Sequence[str]) -> tuple[Carriage, ...]:
        """The plans of these columns; `ConfigError` naming the table's columns if one is missing."""
        plans = {how.column.name: how for how in self._plan(table)}
        missing = next((name for name in names if name not in plans), None)
        if missing is not None:
            raise ConfigError(
                f"table {table.table} has no column {missing!r}", remedy=f"Columns that are there: {', '.join(plans)}"
            )
        return tuple(plans[name] for name in names)

    def _stops(self, path: Sequence[UnitTable]) -> tuple[Stop, ...]:
        for number, table in enumerate(path):
            pairs = table.recursive if number == 0 else table.on + table.recursive
            self._chosen(table, [child for child, _ in pairs] + [parent for _, parent in table.recursive])
            if number:
                self._chosen(path[number - 1], [parent for _, parent in table.on])
        return stops(path, [self._reflect(table) for table in path])
