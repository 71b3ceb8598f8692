"""The UnitBatch: a chunk's units as one small private SQL database."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from ludb.errors import ConfigError, FatalError, Fault
from ludb.model.data import Extract, rows_of
from ludb.model.unit import POSITION, UNIT_KEY, UnitSchema
from ludb.unitdb.database import UnitDatabase, quote
from ludb.unitdb.merge import join_rows
from ludb.unitdb.shelf import Shelf
from ludb.wording import plural

_MISSING = re.compile(r'(?:a column named|Referenced column) "([^"]+)"')
"""How the SQL engine says that a table lacks a column."""

RESERVED = ("main", "ref", "keys", "ludb")
"""Schema names that no system may have."""


class UnitBatch:
    """N units in memory: `<source>.<table>`, `ref.*`, `keys.*` and, as steps run, `<target>.<table>`.

    Every table has the column `unit_key`. Units leave by `reject`; nothing else is ever deleted. Used by one thread,
    inside one `with`.
    """

    def __init__(
        self,
        extract: Extract,
        unit: UnitSchema,
        *,
        reference: Mapping[str, pa.Table] | None = None,
        macros: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
        memory_limit: str = "1GB",
        cleanses: bool = False,
    ) -> None:
        """Load the extract; `params` are readable as `getvariable('name')`. `cleanses` where texts call `ludb.sql`."""
        self.unit = unit
        self.database = UnitDatabase(memory_limit=memory_limit)
        if cleanses:
            self.database.count_exactly()
        self._positions = extract.keys.column(POSITION)
        self._unit_keys = _unit_keys(extract.keys, unit.key)
        self._at = {position: index for index, position in enumerate(extract.positions)}
        self._alive = dict.fromkeys(extract.positions)
        self._produced: dict[str, pa.Table] = {}
        self._expected: dict[str, frozenset[str]] = {}
        self._added: dict[str, list[str]] = {}
        self.faults: dict[int, tuple[str, Fault, str]] = {}
        self.inputs: dict[str, pa.Table] = dict(extract.tables)
        self.key_maps: dict[str, pa.Table] = {}
        self.reference: Mapping[str, pa.Table] = reference or {}
        self.params: Mapping[str, object] = params or {}
        self._schemas: set[str] = set()
        self._shelf = Shelf(self.database)
        self._fill(macros or {})

    def _fill(self, macros: Mapping[str, str]) -> None:
        for schema in ("ref", "keys", "ludb"):
            self._schema(schema)
        for name, rows in self.reference.items():
            self._shelf.place("ref", name, partial(_same, rows), shared=True)
        for name, rows in self.inputs.items():
            system = self.unit.table(name).table.system
            self._schema(system)
            self._shelf.place(system, name, partial(self._living, rows))
        self.database.variables(self.params)
        for file, text in macros.items():
            self._shelf.put_named(text)
            self.database.execute(text, file=file)
        self.database.seal()

    def _schema(self, name: str) -> None:
        if name not in self._schemas:
            self.database.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")
            self._schemas.add(name)

    def _keyed(self, rows: pa.Table) -> pa.Table:
        """The rows as steps see them: `unit_key` in front instead of the position."""
        keys = self._unit_keys.take(pc.index_in(rows.column(POSITION), value_set=self._positions))
        return rows.drop_columns([POSITION]).add_column(0, UNIT_KEY, keys)

    def _living(self, rows: pa.Table) -> pa.Table:
        """As `_keyed`, without the units that have left."""
        return self._keyed(rows if len(self._alive) == len(self._at) else rows_of(rows, self._alive))

    @property
    def alive(self) -> tuple[int, ...]:
        """Positions of the units still in the batch, in list order."""
        return tuple(self._alive)

    def unit_key(self, position: int) -> object:
        """The unit key as steps see it (a dict where it is composite)."""
        return self._unit_keys[self._at[position]].as_py()

    def query(self, sql: str, *, file: str = "") -> pa.Table:
        """Rows of one SELECT over the batch. A column of an output that `expect` allows is NULL where no row has it."""
        self._shelf.put_named(sql)
        while True:
            try:
                return self.database.query(sql, file=file)
            except ConfigError as error:
                # What is not named may be meant all the same, or is what the error should hint at.
                if not self._shelf.put_rest() and not self._allow(error, sql):
                    raise

    def expect(self, output: str, columns: Collection[str]) -> None:
        """An output whose columns depend on the data (a Python step's) can be read in every chunk: `columns` are NULL
        where no row has them. Without `columns`, any column may be named as long as there are no rows.
        """
        if output not in self._produced:
            self.append_positioned(output, pa.table({POSITION: pa.array([], pa.int64())}))
        self._expected[output] = frozenset(name.lower() for name in columns)

    def _allow(self, error: ConfigError, sql: str) -> bool:
        """Add the column that a query misses to the expected outputs that it names; whether there was one."""
        missing = _MISSING.search(error.message)
        added = False
        for output, columns in self._expected.items() if missing else ():
            assert missing is not None
            rows, (system, table) = self._produced[output], output.split(".", 1)
            known = {name.lower() for name in self._added[output]} | {name.lower() for name in rows.column_names}
            named = missing[1].lower()
            allowed = named in columns if columns else not rows.num_rows
            if allowed and named not in known and re.search(rf"\b{re.escape(table)}\b", sql):
                target = f"{quote(system)}.{quote(table)}"
                self.database.execute(f'ALTER TABLE {target} ADD COLUMN {quote(missing[1])} "NULL"')
                self._added[output].append(missing[1])
                added = True
        return added

    def put_keys(self, name: str, rows: pa.Table) -> None:
        """Make a key map readable as `keys.<name>`: columns `ludb_position`, `old`, `new`; replaces what was there."""
        self.key_maps[name] = rows
        self._shelf.place("keys", name, partial(self._living, rows))

    def append(self, output: str, rows: pa.Table, *, step: str) -> None:
        """Add a step's rows to an output. The rows' `unit_key` must name a unit of this chunk, on every row.

        Raises `ConfigError` if there is no such column, `FatalError` if a row has no unit or a stranger's.
        """
        self.append_positioned(output, self._positioned(rows, step), step=step)

    def append_positioned(self, output: str, rows: pa.Table, *, step: str = "") -> None:
        """Add rows that carry `ludb_position` already. A later step of the same output may bring other columns, and
        wider types: rows hold NULL where they lack a column. `UnitError`, or `ConfigError` where there is no data yet, if
        two types have no type in common that keeps every value.
        """
        system, table = output.split(".", 1)
        self._schema(system)
        before = self._produced.get(output)
        if before is None:
            joined = rows
        elif self._added[output] or not before.schema.equals(rows.schema):
            joined = join_rows(before, rows, output, step)
        else:
            joined = pa.concat_tables([before, rows])
            if self._shelf.holds(system, table):
                self.database.add(f"{quote(system)}.{quote(table)}", self._keyed(rows))
                self._produced[output] = joined
                return
        self._shelf.place(system, table, partial(self._living, joined))
        self._produced[output], self._added[output] = joined, []

    def _positioned(self, rows: pa.Table, step: str) -> pa.Table:
        if UNIT_KEY not in rows.column_names:
            raise ConfigError(
                f"the step's rows have no column {UNIT_KEY}", file=step, remedy=f"Select {UNIT_KEY} with every row"
            )
        found = self.positions_of(rows.column(UNIT_KEY), step)
        return rows.drop_columns([UNIT_KEY]).add_column(0, POSITION, found)

    def positions_of(self, keys: pa.ChunkedArray, step: str) -> pa.Array:
        """List positions of unit keys; `FatalError` naming the step if a key is NULL or of no unit of this chunk."""
        at = self._index_of(keys, step)
        if at.null_count:
            missing = pc.is_null(at)
            nulls = int(pc.sum(pc.and_(missing, pc.is_null(keys))).as_py() or 0)
            strangers = at.null_count - nulls
            what = (
                f"{plural(nulls, 'row')} with a NULL {UNIT_KEY}"
                if nulls
                else f"{plural(strangers, 'row')} of a unit not in the chunk"
            )
            raise FatalError(f"{step}: {what}; select the unit_key of the row's own unit (a join may have lost it)")
        found = self._positions.take(at)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def _index_of(self, keys: pa.ChunkedArray, step: str) -> pa.Array:
        wanted = self._unit_keys.type
        if keys.type != wanted:
            unlike = ConfigError(f"{UNIT_KEY} has type {keys.type} instead of {wanted}", file=step)
            if pa.types.is_struct(wanted) and _fields(keys.type) != _fields(wanted):
                raise unlike
            try:
                keys = keys.cast(wanted)
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
                raise unlike from error
        alive = pa.array([self._at[position] for position in self._alive], pa.int64())
        if not pa.types.is_struct(wanted):
            index = pc.index_in(keys, value_set=self._unit_keys.take(alive), skip_nulls=True)
            found = alive.take(index)
        else:
            table = {tuple(self._unit_keys[i].as_py().values()): i for i in alive.to_pylist()}
            found = pa.array([table.get(tuple(k.values())) if k else None for k in keys.to_pylist()], pa.int64())
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def reject(self, faults: Mapping[int, Fault], *, step: str, traces: Mapping[int, str] | None = None) -> None:
        """Take units out of the batch: their rows leave every table, their fault is kept with its stack trace."""
        leaving = [position for position in faults if position in self._alive]
        for position in leaving:
            self.faults[position] = (step, faults[position], (traces or {}).get(position, ""))
            del self._alive[position]
        if not leaving:
            return
        self.database.put("ludb.leaving", self._keyed(pa.table({POSITION: pa.array(leaving, pa.int64())})))
        for name in self._shelf.of_units():
            self.database.execute(f"DELETE FROM {name} WHERE {UNIT_KEY} IN (SELECT {UNIT_KEY} FROM ludb.leaving)")
        self.database.execute("DROP TABLE ludb.leaving")

    def size(self, output: str) -> int:
        """Rows of an output so far, of units that left too."""
        rows = self._produced.get(output)
        return 0 if rows is None else int(rows.num_rows)

    def output(self, name: str, positions: Collection[int] | None = None) -> pa.Table | None:
        """An output's rows with `ludb_position`, of the units still alive (or of `positions`); None if no step made it."""
        rows = self._produced.get(name)
        if rows is None or (name in self._expected and rows.num_columns == 1):
            return None
        return rows_of(rows, self._alive.keys() if positions is None else positions)

    def with_unit_key(self, rows: pa.Table) -> pa.Table:
        """The rows with the unit key as a further column `unit_key`, for targets that keep it."""
        return rows.append_column(UNIT_KEY, self._keyed(rows.select([POSITION])).column(UNIT_KEY))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs made so far, and of those expected."""
        return tuple(self._produced)

    def close(self) -> None:
        """Free the memory; safe to repeat."""
        self._shelf.clear()  # what waits there holds this batch: a circle would keep a chunk's rows for several chunks more
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _same(rows: pa.Table) -> pa.Table:
    return rows


def _fields(kind: pa.DataType) -> set[str]:
    return {field.name for field in kind} if pa.types.is_struct(kind) else set()


def _unit_keys(keys: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    """The unit key as one column: the key itself, or a STRUCT of its parts."""
    parts = [keys.column(column).combine_chunks() for column in columns]
    if len(parts) == 1:
        only = parts[0]
        return only.chunk(0) if isinstance(only, pa.ChunkedArray) else only
    return pa.StructArray.from_arrays(parts, names=list(columns))
