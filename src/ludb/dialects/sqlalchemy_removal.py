"""The rows that units had in some tables, deleted by primary key before a chunk writes theirs.

Which these are is read first, by joins from the tables whose columns tell the unit; values are compared here, by bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy_bind import bind
from ludb.dialects.sqlalchemy_deeds import Pen, Row, Units, plain_key, plain_keys
from ludb.dialects.sqlalchemy_joins import compared
from ludb.dialects.sqlalchemy_keys import LIST, Key, listed
from ludb.dialects.sqlalchemy_schema import Detail, Reflected, fillable
from ludb.dialects.sqlalchemy_values import asked
from ludb.errors import Fault, UnitError
from ludb.model.data import Removal
from ludb.model.unit import POSITION


class Removing:
    """The rows that units have in some tables, deleted table by table. Which these are is read for all tables first."""

    failing = "its rows cannot be replaced: "

    def __init__(self, pen: Pen, removals: Mapping[str, Removal], reflect: Callable[[str], Reflected]) -> None:
        """`UnitError` with the units whose values a column cannot hold."""
        self._pen = pen
        self._ways = [_Way(pen, name, removals, reflect) for name in removals]
        self.table = self._ways[0].table
        self.rows: Sequence[Row] = ()
        self.names: tuple[str, ...] = ()

    @property
    def units(self) -> Collection[int]:
        """Also those that have no rows."""
        return {unit for way in self._ways for held in way.values.values() for unit in held}

    def send(self, units: Units) -> None:
        """Read which rows are theirs and hold them, let go of those in the same tables that are deleted earlier, delete."""
        found = [way.rows(units) for way in self._ways]
        gone: set[tuple[str | None, str]] = set()
        for way, rows in zip(self._ways, found, strict=True):
            home = (way.table.schema, way.table.name)
            for key in way.table.foreign_keys:
                if not key.late and key.parent in {*gone, home} and fillable(way.table, key):
                    nothing = {name: sa.null() for name in key.columns}
                    self._each(way.table, way.table.sql.update().inline().values(nothing), rows)
            gone.add(home)
        for way, rows in zip(self._ways, found, strict=True):
            self.table = way.table
            self._each(way.table, way.table.sql.delete(), rows)

    def finish(self, units: Units) -> None:
        """Nothing is left."""

    def _each(self, table: Reflected, statement: sa.Update | sa.Delete, rows: Sequence[tuple[Any, ...]]) -> None:
        details = [table.get(name, self._pen.database.name) for name in table.primary_key]
        same = [table.sql.c[d.name] == self._pen.place(at, d) for at, d in enumerate(details)]
        held = [{f"ludb_{at}": value for at, value in enumerate(row)} for row in rows]
        self._pen.write(table, statement.where(sa.and_(*same)), held)


class _Way:
    """From a table's rows, by links, to the table whose columns hold what each unit has. `values`: unit's values -> units."""

    def __init__(
        self, pen: Pen, name: str, removals: Mapping[str, Removal], reflect: Callable[[str], Reflected]
    ) -> None:
        self._pen, self.table, removal = pen, reflect(name), removals[name]
        self._links: list[tuple[Reflected, tuple[tuple[str, str], ...]]] = []
        while removal.parent is not None:
            self._links.append((reflect(removal.parent), removal.through))
            removal = removals[removal.parent]
        self._last = self._links[-1][0] if self._links else self.table
        names = [column for column in removal.units.column_names if column != POSITION]
        self._details = [self._last.get(column, pen.database.name) for column in names]
        self.values: dict[Key, list[int]] = {}
        positions = removals[name].units.column(POSITION).to_pylist()
        asked_for = set(positions)
        for unit, key in zip(removal.units.column(POSITION).to_pylist(), self._keys(removal.units), strict=True):
            if unit in asked_for:
                self.values.setdefault(key, []).append(unit)

    def _keys(self, units: pa.Table) -> Iterator[Key]:
        positions, faults = units.column(POSITION).to_pylist(), {}
        table = f"{self._pen.database.name}.{self._last.name}"
        for detail in self._details:
            for row, (reason, shown) in bind(units.column(detail.name), detail, self._pen.dialect)[1].items():
                faults[positions[row]] = Fault(f"{table}, column {detail.name}: {reason}", shown)
        keys = list(plain_keys(units, self._details, self._pen.dialect))
        for unit, key in zip(positions, keys, strict=True):
            if None in key:
                faults.setdefault(unit, Fault(f"{table}: what `by` says of the unit cannot be looked up", repr(key)))
        if faults:
            raise UnitError(f"{table} cannot hold what `by` says of units", faults=faults)
        return iter(keys)

    def rows(self, units: Units) -> list[tuple[Any, ...]]:
        """Primary keys of the units' rows, as the driver takes them."""
        keys = [key for key, held in self.values.items() if units is None or any(unit in units for unit in held)]
        own = [self.table.get(name, self._pen.database.name) for name in self.table.primary_key]
        tables = [self.table.sql.alias("t0"), *(to.sql.alias(f"t{at}") for at, (to, _) in enumerate(self._links, 1))]
        joined: Any = tables[0]
        for at, (_, pairs) in enumerate(self._links):
            on = [tables[at].c[here] == tables[at + 1].c[there] for here, there in pairs]
            joined = joined.join(tables[at + 1], sa.and_(*on))
        last, dialect = tables[-1], self._pen.dialect
        columns = [asked(d, tables[0].c[d.name], dialect) for d in own]
        columns += [asked(d, last.c[d.name], dialect) for d in self._details]
        compare = [compared(d, last.c[d.name]) for d in self._details]
        query = sa.select(*(c.label(f"c{at}") for at, c in enumerate(columns))).select_from(joined).with_for_update()
        found: list[tuple[Any, ...]] = []
        for start in range(0, len(keys), LIST):
            some = dict.fromkeys(keys[start : start + LIST])
            for row in self._pen.read(self.table, query.where(listed(list(some))(compare)), [*own, *self._details]):
                key = plain_key(row[len(own) :], self._details, dialect)
                found += [row[: len(own)]] if key in some else []
        return self._bound(own, found)

    def _bound(self, own: Sequence[Detail], found: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        columns = []
        for at, detail in enumerate(own):
            values = pa.chunked_array([pa.array([row[at] for row in found], detail.column.type)])
            bound, faults = bind(values, detail, self._pen.dialect)
            if faults or None in bound:
                raise UnitError(f"a row has a primary key that cannot be looked up ({detail.name})")
            columns.append(bound)
        return list(zip(*columns, strict=True))
