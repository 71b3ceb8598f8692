"""What PostgreSQL says of a table: columns with their very types, keys, foreign keys, how it keeps its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from ludb.dialects.postgres import quote
from ludb.errors import ConfigError
from ludb.model import shape
from ludb.model.shape import TableShape
from ludb.model.unit import Column

_FIND = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname || '.' || c.relname = ANY (%s)
"""
_NAMES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = %s ORDER BY 1
"""
_ESTIMATES = """
SELECT c.relname::text, c.reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname = %s
  AND has_table_privilege(c.oid, 'SELECT') ORDER BY c.relname COLLATE "C"
"""
# A domain is what it stands for; its length and digits may be said at any level.
_COLUMNS = """
WITH RECURSIVE walk AS (
  SELECT a.attnum, t.oid AS type, a.atttypmod AS mod, a.attnotnull AS must
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = %(oid)s AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT w.attnum, t.typbasetype, CASE WHEN w.mod = -1 THEN t.typtypmod ELSE w.mod END, w.must OR t.typnotnull
  FROM walk w JOIN pg_type t ON t.oid = w.type WHERE t.typtype = 'd'
)
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typcategory, w.mod,
       w.must, a.attidentity, a.attgenerated, a.atthasdef, t.typname = 'lo' OR a.atttypid = 'oid'::regtype,
       coalesce(e.typname, ''), n.nspname = 'pg_catalog', pg_get_serial_sequence(%(table)s, a.attname)
FROM pg_attribute a JOIN walk w ON w.attnum = a.attnum JOIN pg_type t ON t.oid = w.type AND t.typtype <> 'd'
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
WHERE a.attrelid = %(oid)s ORDER BY a.attnum
"""
_KEYS = """
SELECT i.indisprimary, ARRAY(SELECT a.attname::text FROM unnest(i.indkey[:i.indnkeyatts - 1]) WITH ORDINALITY k(num, at)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num ORDER BY k.at)
FROM pg_index i WHERE i.indrelid = %s AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid
"""
_FOREIGN = """
SELECT p.nspname, c.relname, k.condeferrable, k.conname,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace p ON p.oid = c.relnamespace
WHERE k.conrelid = %s AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname
"""


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type below all domains. `modifier` is PostgreSQL's own number for length or digits, -1 for none.

    `element` is the element's type of an array; `ours` is false for types of extensions and of the user.
    """

    name: str
    category: str
    modifier: int
    element: str = ""
    ours: bool = True

    @property
    def length(self) -> int | None:
        """The characters (bits) that the type allows: 3 for varchar(3)."""
        sized = self.name in ("varchar", "bpchar") and self.modifier >= 4
        return self.modifier - 4 if sized else None

    @property
    def digits(self) -> tuple[int, int] | None:
        """Precision and scale of a numeric that says them; the scale may be negative or beyond the precision."""
        if self.name != "numeric" or self.modifier < 4:
            return None
        packed = self.modifier - 4
        scale = packed & 0x7FF
        return packed >> 16 & 0xFFFF, scale - 0x800 if scale & 0x400 else scale

    @property
    def fraction(self) -> int:
        """Decimals of the seconds of a moment: 6 unless it says fewer."""
        return self.modifier if 0 <= self.modifier <= 6 else 6


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key to `parent_columns` of `parent` (schema, name)."""

    name: str
    columns: tuple[str, ...]
    parent: tuple[str, str]
    parent_columns: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as it stands.

    `types` by column name; `unique` are the sets of columns that no two rows share; `sequences` the columns whose
    numbers come from a sequence of their own, by column. `kind` and `persistence` are PostgreSQL's letters.
    """

    schema: str
    name: str
    kind: str
    persistence: str
    columns: tuple[Column, ...]
    types: dict[str, Type]
    primary_key: tuple[str, ...]
    unique: tuple[frozenset[str], ...]
    foreign_keys: tuple[ForeignKey, ...]
    sequences: dict[str, str]

    @property
    def sql(self) -> str:
        """The quoted, schema-qualified name."""
        return f"{quote(self.schema)}.{quote(self.name)}"

    @property
    def label(self) -> str:
        """The name for people: with its schema unless that is `public`."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of this name, None if there is none. PostgreSQL's names are as they are quoted."""
        return next((column for column in self.columns if column.name == name), None)

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether no two rows can share values in these columns."""
        names = set(columns)
        return any(key <= names for key in self.unique)


def reflect(connection: psycopg.Connection[tuple[Any, ...]], system: str, schema: str, name: str) -> Reflected:
    """The table or view called `name`, in `schema` or, as `other.table`, in another one. `ConfigError` naming the tables
    that are there if there is none.
    """
    found = {(row[1], row[2]): row for row in connection.execute(_FIND, ([f"{schema}.{name}", name],)).fetchall()}
    row = found.get((schema, name)) or next(iter(found.values()), None)
    if row is None:
        known = [text for (text,) in connection.execute(_NAMES, (schema,)).fetchall()]
        raise ConfigError(
            f"system {system} has no table {name!r} in schema {schema!r}",
            remedy=f"Tables that are there: {', '.join(known) or 'none at all'}",
        )
    oid, where, table, kind, persistence = row
    name_of = f"{quote(where)}.{quote(table)}"
    rows = connection.execute(_COLUMNS, {"oid": oid, "table": name_of}).fetchall()
    keys = [(primary, tuple(columns)) for primary, columns in connection.execute(_KEYS, (oid,)).fetchall()]
    primary_key = next((columns for primary, columns in keys if primary), ())
    foreign = connection.execute(_FOREIGN, (oid,)).fetchall()
    return Reflected(
        schema=where,
        name=table,
        kind=kind,
        persistence=persistence,
        columns=tuple(_column(row, primary_key) for row in rows),
        types={row[0]: _type(row) for row in rows},
        primary_key=primary_key,
        unique=tuple(frozenset(columns) for _, columns in keys),
        foreign_keys=tuple(
            ForeignKey(key[3], tuple(key[4]), (key[0], key[1]), tuple(key[5]), key[2]) for key in foreign
        ),
        sequences={row[0]: row[12] for row in rows if row[12]},
    )


def shapes(connection: psycopg.Connection[tuple[Any, ...]], system: str, schema: str) -> list[TableShape]:
    """All tables and views of the schema in name order; rows as the server estimates them."""
    counted = dict(connection.execute(_ESTIMATES, (schema,)).fetchall())
    made = []
    for name, rows in counted.items():
        table = reflect(connection, system, schema, name)
        links = tuple(
            shape.ForeignKey(key.columns, key.parent[1], key.parent_columns)
            for key in table.foreign_keys
            if key.parent[0] == schema and key.parent[1] in counted
        )
        view = table.kind in ("v", "m")
        made.append(
            TableShape(name, table.columns, _key_of(table), links, None if view or rows < 0 else int(rows), view)
        )
    return made


def _key_of(table: Reflected) -> tuple[str, ...]:
    if table.primary_key:
        return table.primary_key
    held = {column.name for column in table.columns if not column.nullable}
    unique = next((names for names in table.unique if names <= held), frozenset())
    return tuple(column.name for column in table.columns if column.name in unique)


def arrow_of(kind: Type) -> pa.DataType:
    """The Arrow type that a column travels in; text, in PostgreSQL's own form, wherever Arrow has nothing exact."""
    if kind.name in ("int2", "int4", "int8"):
        return pa.int64()
    if kind.name in _PLAIN:
        return _PLAIN[kind.name]
    if kind.name == "money":
        return pa.decimal128(19, 2)
    if kind.digits is not None:
        precision, scale = kind.digits
        whole = max(precision - scale, 0)
        if scale >= 0 and whole + scale <= 38:
            return pa.decimal128(max(whole + scale, 1), scale)
    return pa.string()


_PLAIN = {
    "bool": pa.bool_(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
}


def _type(row: tuple[Any, ...]) -> Type:
    return Type(name=row[2], category=row[3], modifier=row[4], element=row[10], ours=row[11])


def _column(row: tuple[Any, ...], primary_key: Sequence[str]) -> Column:
    name, native, must, identity, generated, default, large = row[0], row[1], row[5], row[6], row[7], row[8], row[9]
    return Column(
        name=name,
        type=arrow_of(_type(row)),
        native=native,
        nullable=not must,
        key=name in primary_key,
        required=must and not default and not identity and not generated,
        generated=bool(generated),
        refused="it points to a large object, which is not in the table: read it by a view with lo_get()"
        if large
        else None,
    )
