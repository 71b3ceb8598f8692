"""What is done to a table in a chunk's transaction, for some of its units or all: rows inserted, rows merged by a key.

Nothing here is a dialect's own: a merge reads which keys are there, updates those rows and inserts the others. Keys are compared
here, by bytes, whatever the server's collation. A circle of foreign keys is written with NULL first, and filled in at the end
(`finish`). What a unit had before is removed by `dialects.sqlalchemy_removal`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL, Database
from ludb.dialects.sqlalchemy_bind import bound_type
from ludb.dialects.sqlalchemy_joins import compared
from ludb.dialects.sqlalchemy_keys import LIST, Key, as_key, listed
from ludb.dialects.sqlalchemy_schema import Detail, Reflected
from ludb.dialects.sqlalchemy_values import Carriage, asked, typed
from ludb.errors import UnitError

_SHOWN = 3

Units = Collection[int] | None
"""Some units; None: all of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the driver takes it: its unit, its values in the order of the deed's columns, and the key it is merged by."""

    unit: int
    values: tuple[Any, ...]
    key: Key = ()


class Deed(Protocol):
    """One thing to do. Errors of data are `UnitError`s that name no unit: whoever does the deed finds it."""

    table: Reflected
    rows: Sequence[Row]
    names: tuple[str, ...]
    """The columns of its rows."""
    failing: str
    """What is told of a unit whose deed fails, before the reason."""

    @property
    def units(self) -> Collection[int]:
        """The units that it is done for."""
        ...

    def send(self, units: Units) -> None:
        """Do it for these units."""

    def finish(self, units: Units) -> None:
        """What is left to be done when the deeds of all tables are sent."""


class Pen:
    """Statements on one connection, each with many rows."""

    def __init__(self, connection: sa.Connection, database: Database) -> None:
        """The connection is in a transaction."""
        self.connection, self.database, self.dialect = connection, database, database.dialect
        self._packet: int | None = None

    @property
    def packet(self) -> int | None:
        """Bytes that a statement may take; None where the server does not say."""
        if self._packet is None and self.dialect in MYSQL:
            with self.database.errors("ask for the largest packet"):
                self._packet = int(self.connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
        return self._packet

    def write(self, table: Reflected, statement: Any, rows: Sequence[Mapping[str, Any]], *, each: bool = False) -> None:
        """Execute the statement for each row. With `each`, `UnitError` if the driver counts other than one changed row for
        each of them.
        """
        if not rows:
            return
        with self.database.errors(f"write {self.database.name}.{table.name}"):
            if not rows[0]:
                for _ in rows:
                    self.connection.execute(statement)
                return
            done = self.connection.execute(statement, rows)
        counts = getattr(self.database.engine.dialect, "supports_sane_multi_rowcount", False)
        if each and counts and done.rowcount != len(rows):
            raise UnitError("the database updated other rows than those of the keys", detail=f"{done.rowcount} rows")

    def read(self, table: Reflected, query: Any, details: Sequence[Detail]) -> list[tuple[Any, ...]]:
        """Rows of these columns as Python values of their Arrow types; `UnitError` for one that cannot be carried."""
        plans = [Carriage(detail.column, detail) for detail in details]
        with self.database.errors(f"read {self.database.name}.{table.name}"):
            held = self.connection.execute(query).all()
        found, refused = typed(held, (), plans, table, ids=0)
        if refused:
            raise UnitError(f"a key in the table {refused[0].reason}", detail=refused[0].detail)
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def place(self, number: int, detail: Detail) -> sa.BindParameter[Any]:
        """Where the value of a statement's column goes."""
        return sa.bindparam(f"ludb_{number}", type_=bound_type(detail, self.dialect))


class Insertion:
    """Rows that are added. The columns `late` are left out at first."""

    failing = ""

    def __init__(
        self, pen: Pen, table: Reflected, names: Sequence[str], rows: Sequence[Row], late: Collection[str]
    ) -> None:
        """Rows come with their parents of the same table first."""
        self._pen, self.table, self.names, self.rows = pen, table, tuple(names), rows
        self._late = [name for name in names if name in late]
        self._early = [name for name in names if name not in late]
        places = {name: self._place(name) for name in self._early}
        self._insert = table.sql.insert().inline().values(places) if places else table.sql.insert().inline()

    @property
    def units(self) -> Collection[int]:
        """The units of its rows."""
        return {row.unit for row in self.rows}

    def send(self, units: Units) -> None:
        """Insert them."""
        self._add(self._of(units))

    def finish(self, units: Units) -> None:
        """Fill in the columns that were left out."""
        at = [self.names.index(name) for name in self._late]
        rows = [row for row in self._of(units) if any(row.values[n] is not None for n in at)]
        self._change(rows, self._late, self.table.primary_key)

    def _of(self, units: Units) -> list[Row]:
        return [row for row in self.rows if units is None or row.unit in units]

    def _add(self, rows: Sequence[Row]) -> None:
        self._pen.write(self.table, self._insert, self._given(rows, self._early))

    def _change(self, rows: Sequence[Row], names: Sequence[str], key: Sequence[str]) -> None:
        if not names:
            return
        columns = self.table.sql.c
        same = sa.and_(*(columns[name] == self._place(name) for name in key))
        update = self.table.sql.update().inline().where(same).values({name: self._place(name) for name in names})
        self._pen.write(self.table, update, self._given(rows, [*names, *key]), each=True)

    def _given(self, rows: Sequence[Row], names: Sequence[str]) -> list[dict[str, Any]]:
        places = [self.names.index(name) for name in names]
        return [{f"ludb_{place}": row.values[place] for place in places} for row in rows]

    def _place(self, name: str) -> sa.BindParameter[Any]:
        return self._pen.place(self.names.index(name), self.table.get(name, self._pen.database.name))


class Merge(Insertion):
    """Rows that update the row of the same key, byte by byte, or are added where it is not there. A key that the server takes
    for another row's, which differs in its bytes, is an error.
    """

    def __init__(
        self,
        pen: Pen,
        table: Reflected,
        names: Sequence[str],
        rows: Sequence[Row],
        late: Collection[str],
        key: Sequence[str],
    ) -> None:
        """Each row's `key` holds what stands in the columns `key`, as `plain_key` makes it; none of them twice."""
        super().__init__(pen, table, names, rows, [name for name in late if name not in key])
        self._key = tuple(key)

    def send(self, units: Units) -> None:
        """Look which keys are there, hold these rows, update them, insert the others."""
        rows = self._of(units)
        there = self._there({row.key for row in rows})
        rest = [name for name in self._early if name not in self._key]
        self._change([row for row in rows if row.key in there], rest, self._key)
        self._add([row for row in rows if row.key not in there])

    def finish(self, units: Units) -> None:
        """Fill in the columns that were left out, NULL as well: the row may have been there before."""
        self._change(self._of(units), self._late, self._key)

    def _there(self, keys: Collection[Key]) -> set[Key]:
        details = [self.table.get(name, self._pen.database.name) for name in self._key]
        found = set(_looked_up(self._pen, self.table, details, sorted(keys, key=repr)))
        strange = found - set(keys)
        if strange:
            ours = sorted(set(keys) - found, key=repr)[:_SHOWN]
            raise UnitError(
                f"key ({', '.join(self._key)}) equals that of another row but for its bytes (collation)",
                detail=f"{ours!r} here, {sorted(strange, key=repr)[:_SHOWN]!r} in the table",
            )
        return found


def _looked_up(pen: Pen, table: Reflected, details: Sequence[Detail], keys: Sequence[Key]) -> Iterator[Key]:
    """The keys in the table that the server holds equal to these; their rows are held until the transaction ends."""
    columns = [table.sql.c[detail.name] for detail in details]
    held = [asked(d, c, pen.dialect).label(f"c{at}") for at, (d, c) in enumerate(zip(details, columns, strict=True))]
    query = sa.select(*held).select_from(table.sql).with_for_update()
    compare = [compared(detail, column) for detail, column in zip(details, columns, strict=True)]
    for start in range(0, len(keys), LIST):
        for row in pen.read(table, query.where(listed(keys[start : start + LIST])(compare)), details):
            yield plain_key(row, details, pen.dialect)


def plain_keys(rows: pa.Table, details: Sequence[Detail], dialect: str) -> Iterator[Key]:
    """The key of every row, in these columns."""
    columns = [rows.column(detail.name).to_pylist() for detail in details]
    return (plain_key(values, details, dialect) for values in zip(*columns, strict=True))


def plain_key(values: Sequence[Any], details: Sequence[Detail], dialect: str) -> Key:
    """A key in the one form that two equal ones share, whether it comes from a step or from the table: text by its bytes, but
    for the blanks that fill a CHAR.
    """
    return tuple(_plain(value, detail, dialect) for value, detail in zip(values, details, strict=True))


def _plain(value: Any, detail: Detail, dialect: str) -> Any:
    if detail.kind == "boolean" and value is not None:
        return bool(value)
    found = as_key(value, detail, dialect)
    if isinstance(detail.type, sa.CHAR) and isinstance(found, str) and dialect != "sqlite":
        return found.rstrip(" ")
    return found
