"""What SQLite says of a table: columns, keys, foreign keys, and how each declared type is carried in Arrow."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from ludb.dialects.sqlite import quote
from ludb.dialects.types import decimal_type
from ludb.errors import ConfigError
from ludb.model.shape import ForeignKey, TableShape
from ludb.model.unit import Column

Affinity = Literal["INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC"]
"""What SQLite makes of a value when it is stored or compared."""

_SIZED = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_NUMERIC = re.compile(r"DEC|NUMERIC|NUMBER")


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as it stands. `row_id` holds the columns that name a row (rowid alias or primary key), if any
    does.

    `defaults` are columns with a default; `unique` the sets of columns that no two rows share; `rowid` tells whether
    `row_id` is SQLite's own. `collates` is true where the table's text mentions a collation.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    row_id: tuple[str, ...]
    rowid: bool
    unique: tuple[frozenset[str], ...]
    foreign_keys: tuple[ForeignKey, ...]
    collates: bool
    defaults: frozenset[str]

    def column(self, name: str) -> Column | None:
        """The column of this name (SQLite ignores the case of ASCII letters), None if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        return next((column for column in self.columns if column.name.lower() == name.lower()), None)

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether no two rows can share values in these columns."""
        names = {name.lower() for name in columns}
        return any(key <= names for key in self.unique)


def reflect(connection: sqlite3.Connection, system: str, name: str) -> Reflected:
    """The table or view called `name`; `ConfigError` naming the tables that are there if there is none."""
    names = table_names(connection)
    found = name if name in names else next((other for other in names if other.lower() == name.lower()), None)
    if found is None:
        known = ", ".join(sorted(names)) or "none at all"
        raise ConfigError(f"system {system} has no table {name!r}", remedy=f"Tables that are there: {known}")
    kind, sql = connection.execute(
        "SELECT type, coalesce(sql, '') FROM main.sqlite_master WHERE name = ? AND type IN ('table', 'view')", (found,)
    ).fetchone()
    info = connection.execute(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?, 'main')", (found,)
    )
    rows = [row for row in info.fetchall() if row[5] != 1]
    primary = tuple(row[0] for row in sorted((row for row in rows if row[4]), key=lambda row: row[4]))
    rowid = None if kind == "view" else _rowid(connection, found, {row[0].lower() for row in rows})
    alias = rowid is not None and len(primary) == 1 and _type_of(rows, primary[0]).upper() == "INTEGER"
    columns = tuple(_column(row, alias=alias and row[0] == primary[0]) for row in rows)
    return Reflected(
        name=found,
        columns=columns,
        primary_key=primary,
        row_id=(rowid,) if rowid else primary,
        rowid=rowid is not None,
        unique=_unique(connection, found, primary),
        foreign_keys=_foreign_keys(connection, found),
        collates="collate" in sql.lower(),
        defaults=frozenset(row[0] for row in rows if row[3] is not None),
    )


def table_names(connection: sqlite3.Connection) -> set[str]:
    """The names of the user's tables and views."""
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type IN ('table', 'view')").fetchall()
    return {name for (name,) in rows if not name.startswith("sqlite_")}


def shapes(connection: sqlite3.Connection, system: str) -> list[TableShape]:
    """All tables and views in name order. A view that no longer works has no columns; foreign keys to nowhere are left out."""
    views = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'view'")}
    found: dict[str, Reflected] = {}
    for name in sorted(table_names(connection)):
        try:
            found[name] = reflect(connection, system, name)
        except sqlite3.OperationalError:
            if name not in views:
                raise
    known = {name.lower(): reflected for name, reflected in found.items()}
    made = []
    for name, table in found.items():
        rows = None
        if name not in views:
            ((rows,),) = connection.execute(f"SELECT count(*) FROM main.{quote(name)}").fetchall()
        links = [fk for key in table.foreign_keys if (fk := _spelled(key, known.get(key.parent.lower()))) is not None]
        made.append(TableShape(name, table.columns, _key_of(table), tuple(links), rows, name in views))
    lost = [TableShape(name, (), view=True) for name in sorted(views - found.keys())]
    return sorted([*made, *lost], key=lambda shape: shape.name)


def _spelled(key: ForeignKey, parent: Reflected | None) -> ForeignKey | None:
    """The foreign key with its parent's own spelling; None if it points to nothing that is there."""
    if parent is None or len(key.columns) != len(key.parent_columns):
        return None
    columns = [parent.column(name) for name in key.parent_columns]
    names = tuple(column.name for column in columns if column is not None)
    return ForeignKey(key.columns, parent.name, names) if names and len(names) == len(columns) else None


def _key_of(table: Reflected) -> tuple[str, ...]:
    if table.primary_key:
        return table.primary_key
    for names in table.unique:
        columns = [column for column in table.columns if column.name.lower() in names]
        if len(columns) == len(names) and not any(column.nullable for column in columns):
            return tuple(column.name for column in columns)
    return ()


def affinity(native: str) -> Affinity:
    """The affinity that SQLite gives to a declared type, by its own rules."""
    text = native.upper()
    if "INT" in text:
        return "INTEGER"
    if any(word in text for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in text or not text:
        return "BLOB"
    if any(word in text for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def declared_type(native: str) -> tuple[pa.DataType, str | None]:  # noqa: PLR0911  (one line per kind)
    """The Arrow type that a declared type is carried in, and why it cannot be carried at all, if so.

    Types that SQLite does not know (DATE, JSON, UUID, ENUM, none at all) are carried as the text they hold. NUMERIC
    without digits is a double, and its integers beyond 2**53 are refused row by row.
    """
    text = native.upper()
    kind = affinity(native)
    if "BOOL" in text:
        return pa.bool_(), None
    if kind == "INTEGER":
        return pa.int64(), None
    if kind == "REAL":
        return pa.float64(), None
    if "BINARY" in text or (kind == "BLOB" and text):
        return pa.binary(), None
    if kind == "NUMERIC" and _NUMERIC.search(text):
        size = _SIZED.search(text)
        if size is None:
            return pa.float64(), None
        try:
            return decimal_type(int(size[1]), int(size[2] or 0)), None
        except ConfigError as error:
            return pa.string(), error.message
    return pa.string(), None


def text_length(native: str) -> int | None:
    """The number of characters that a declared text type allows: 3 for VARCHAR(3), None where it says nothing."""
    size = _SIZED.search(native)
    return int(size[1]) if size and affinity(native) == "TEXT" else None


def _column(row: tuple[str, str, int, str | None, int, int], *, alias: bool) -> Column:
    name, native, notnull, default, key, hidden = row
    kind, refused = declared_type(native)
    return Column(
        name=name,
        type=kind,
        native=native,
        nullable=not notnull and not alias,
        key=bool(key),
        required=bool(notnull) and default is None and not alias and not hidden,
        generated=hidden in (2, 3),
        refused=refused,
    )


def _type_of(rows: Sequence[tuple[str, str, int, str | None, int, int]], name: str) -> str:
    return next(row[1] for row in rows if row[0] == name)


def _rowid(connection: sqlite3.Connection, name: str, taken: set[str]) -> str | None:
    """The name under which the table's own row number can be read; None for tables WITHOUT ROWID."""
    for alias in ("rowid", "_rowid_", "oid"):
        if alias not in taken:
            try:
                connection.execute(f"SELECT a.{alias} FROM main.{quote(name)} AS a LIMIT 0").fetchall()
            except sqlite3.OperationalError as error:
                if "no such column" in str(error):
                    return None
                raise
            return alias
    return None


def _unique(connection: sqlite3.Connection, name: str, primary: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    found = [frozenset(column.lower() for column in primary)] if primary else []
    indexes = connection.execute(
        "SELECT name FROM pragma_index_list(?, 'main') WHERE \"unique\" = 1 AND partial = 0", (name,)
    ).fetchall()
    for (index,) in indexes:
        columns = [row[0] for row in connection.execute("SELECT name FROM pragma_index_info(?, 'main')", (index,))]
        if None not in columns:
            found.append(frozenset(column.lower() for column in columns))
    return tuple(found)


def _foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    rows = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?, \'main\') ORDER BY id, seq', (name,)
    ).fetchall()
    keys = []
    for number in sorted({row[0] for row in rows}):
        parts = [row for row in rows if row[0] == number]
        parent = parts[0][1]
        to = tuple(row[3] for row in parts)
        if None in to:
            info = connection.execute(
                "SELECT name FROM pragma_table_xinfo(?, 'main') WHERE pk > 0 ORDER BY pk", (parent,)
            )
            to = tuple(row[0] for row in info)
        keys.append(ForeignKey(tuple(row[2] for row in parts), parent, to))
    return tuple(keys)
