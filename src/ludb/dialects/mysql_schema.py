"""What the server says of a table: columns and how each is carried in Arrow, keys, foreign keys, engine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ludb.dialects.mysql import Session, literal
from ludb.errors import ConfigError
from ludb.model import shape
from ludb.model.shape import TableShape
from ludb.model.unit import Column

INTEGERS: Mapping[str, int] = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
"""Integer types and their bits."""
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json"})
"""Types with a character set and a collation of their own."""
BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
"""Types that hold bytes."""
SPATIAL = frozenset({
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection",
    "geomcollection",
})  # fmt: skip
"""Types whose stored form is four bytes of SRID and the well-known binary."""
_AS_TEXT = frozenset({"time", "uuid", "inet4", "inet6"})
_MEMBER = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True, slots=True)
class Detail:
    """A column with what its declaration allows.

    `kind` is the type's bare name in lower case; `length` counts characters, `octets` bytes, `fraction` the digits of a
    second; `members` are those of ENUM and SET; `filled` is true where the server fills the column by itself.
    """

    column: Column
    kind: str
    unsigned: bool
    length: int
    octets: int
    precision: int
    scale: int | None
    fraction: int
    charset: str
    collation: str
    members: tuple[str, ...]
    filled: bool

    @property
    def name(self) -> str:
        """The column's name as the table has it."""
        return self.column.name


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: this table's `columns` point to `parent_columns` of `parent`, a (database, table)."""

    name: str
    columns: tuple[str, ...]
    parent: tuple[str, str]
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as it stands; `unique` holds the sets of columns (lower case) that no two rows share."""

    schema: str
    name: str
    details: tuple[Detail, ...]
    primary_key: tuple[str, ...]
    unique: tuple[frozenset[str], ...]
    foreign_keys: tuple[ForeignKey, ...]
    engine: str
    transactional: bool

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in their order."""
        return tuple(detail.column for detail in self.details)

    def find(self, name: str) -> Detail | None:
        """The column of this name (the server ignores the case), None if there is none."""
        for detail in self.details:
            if detail.name == name:
                return detail
        return next((detail for detail in self.details if detail.name.lower() == name.lower()), None)

    def get(self, name: str, system: str) -> Detail:
        """The column of this name; `ConfigError` naming those that are there."""
        found = self.find(name)
        if found is None:
            known = ", ".join(detail.name for detail in self.details)
            raise ConfigError(
                f"table {system}.{self.name} has no column {name!r}", remedy=f"Columns that are there: {known}"
            )
        return found

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether no two rows can share values in these columns."""
        names = {name.lower() for name in columns}
        return any(key <= names for key in self.unique)


def reflect(session: Session, database: str, name: str) -> Reflected:
    """The table or view called `name` or `database.name`; `ConfigError` naming the tables that are there if there is
    none.
    """
    schema, table, engine = _find(session, database, name)
    doing = f"read the columns of {name}"
    where = f"TABLE_SCHEMA = {literal(schema)} AND TABLE_NAME = {literal(table)}"
    rows = session.texts(
        "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY, EXTRA, COLUMN_DEFAULT IS NOT NULL,"
        " CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION,"
        f" CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS WHERE {where} ORDER BY ORDINAL_POSITION",
        doing,
    )
    indexes: dict[str, list[str | None]] = {}
    for index, column in session.texts(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS"
        f" WHERE {where} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX",
        doing,
    ):
        indexes.setdefault(index, []).append(column or None)
    transactional = "YES" in {
        value
        for (value,) in session.texts(
            f"SELECT TRANSACTIONS FROM information_schema.ENGINES WHERE ENGINE = {literal(engine)}", doing
        )
    }
    return Reflected(
        schema=schema,
        name=table,
        details=tuple(_detail(row) for row in rows),
        primary_key=tuple(column for column in indexes.get("PRIMARY", []) if column),
        unique=tuple(
            frozenset(column.lower() for column in columns if column)
            for columns in indexes.values()
            if None not in columns
        ),
        foreign_keys=foreign_keys(session, schema).get((schema, table), ()),
        engine=engine,
        transactional=transactional,
    )


def shapes(session: Session, database: str) -> list[TableShape]:
    """All tables and views of the database in name order; rows as the server estimates them. Foreign keys to other databases
    are left out.
    """
    rows = session.texts(
        "SELECT TABLE_NAME, TABLE_TYPE, TABLE_ROWS FROM information_schema.TABLES"
        f" WHERE TABLE_SCHEMA = {literal(database)} AND TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')",
        "list the tables",
    )
    known = {name for name, _, _ in rows}
    made = []
    for name, kind, count in sorted(rows):
        table = reflect(session, database, name)
        links = tuple(
            shape.ForeignKey(key.columns, key.parent[1], key.parent_columns)
            for key in table.foreign_keys
            if key.parent[0] == database and key.parent[1] in known
        )
        view = kind == "VIEW"
        made.append(TableShape(name, table.columns, _key_of(table), links, None if view else int(count or 0), view))
    return made


def _key_of(table: Reflected) -> tuple[str, ...]:
    if table.primary_key:
        return table.primary_key
    held = {column.name.lower() for column in table.columns if not column.nullable}
    unique = next((names for names in table.unique if names <= held), frozenset())
    return tuple(column.name for column in table.columns if column.name.lower() in unique)


def foreign_keys(session: Session, schema: str) -> dict[tuple[str, str], tuple[ForeignKey, ...]]:
    """All foreign keys of a database by (database, table)."""
    found: dict[tuple[str, str], dict[str, list[tuple[str, ...]]]] = {}
    for row in session.texts(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,"
        f" REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = {literal(schema)}"
        " AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
        "read the foreign keys",
    ):
        found.setdefault((schema, row[0]), {}).setdefault(row[1], []).append(row)
    return {
        table: tuple(
            ForeignKey(name, tuple(r[2] for r in rows), (rows[0][3], rows[0][4]), tuple(r[5] for r in rows))
            for name, rows in keys.items()
        )
        for table, keys in found.items()
    }


def _find(session: Session, database: str, name: str) -> tuple[str, str, str]:
    """(database, table, engine); the engine of a view is empty."""
    tables = session.texts(
        f"SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {literal(database)}",
        "list the tables",
    )
    engines = {table: engine for table, engine in tables}  # noqa: C416  (rows of unknown width to the type checker)
    if name in engines:
        return database, name, engines[name]
    schema, dot, table = name.partition(".")
    if dot:
        there = session.texts(
            "SELECT ENGINE FROM information_schema.TABLES"
            f" WHERE TABLE_SCHEMA = {literal(schema)} AND TABLE_NAME = {literal(table)}",
            "look for a table",
        )
        if there:
            return schema, table, there[0][0]
    like = [other for other in engines if other.lower() == name.lower()]
    if len(like) == 1:
        return database, like[0], engines[like[0]]
    known = ", ".join(sorted(engines)) or "none at all"
    raise ConfigError(f"system {session.system} has no table {name!r}", remedy=f"Tables that are there: {known}")


def _detail(row: Sequence[str]) -> Detail:
    (name, kind, native, nullable, key, extra, default, length, octets, precision, scale, fraction, charset,
     collation) = row  # fmt: skip
    kind, unsigned, filling = kind.lower(), "unsigned" in native.lower(), extra.upper()
    generated = "VIRTUAL GENERATED" in filling or "STORED GENERATED" in filling or "PERSISTENT" in filling
    filled = default == "1" or "AUTO_INCREMENT" in filling or "DEFAULT_GENERATED" in filling
    carried, refused = carried_type(kind, native.lower(), int(precision or 0), int(scale or 0))
    column = Column(
        name=name,
        type=carried,
        native=native,
        nullable=nullable == "YES",
        key=key == "PRI",
        required=nullable != "YES" and not filled and not generated,
        generated=generated,
        refused=refused,
    )
    members = tuple(member.replace("''", "'") for member in _MEMBER.findall(native)) if kind in ("enum", "set") else ()
    return Detail(
        column, kind, unsigned, int(length or 0), int(octets or 0), int(precision or 0), int(scale) if scale else None,
        int(fraction or 0), charset, collation, members, filled,
    )  # fmt: skip


def carried_type(  # noqa: C901, PLR0911  (one line per kind)
    kind: str, native: str, precision: int, scale: int
) -> tuple[pa.DataType, str | None]:
    """The Arrow type that a column type is carried in, and why it cannot be carried at all, if so.

    TIME is a duration of up to 838 hours, so it is text; so are decimals beyond the 38 digits that Arrow and the unit
    database can compute with.
    """
    if kind in INTEGERS:
        return (pa.uint64() if kind == "bigint" and "unsigned" in native else pa.int64()), None
    if kind == "year":
        return pa.int64(), None
    if kind == "bit":
        return (pa.bool_() if precision == 1 else pa.uint64() if precision == 64 else pa.int64()), None
    if kind == "decimal":
        return (pa.decimal128(precision, scale) if precision <= 38 else pa.string()), None
    if kind == "float":
        return pa.float32(), None
    if kind == "double":
        return pa.float64(), None
    if kind == "date":
        return pa.date32(), None
    if kind == "datetime":
        return pa.timestamp("us"), None
    if kind == "timestamp":
        return pa.timestamp("us", "UTC"), None
    if kind in TEXTS or kind in _AS_TEXT:
        return pa.string(), None
    if kind in BYTES:
        return pa.binary(), None
    if kind in SPATIAL:
        return (
            pa.binary(),
            "a spatial value has no form that every target knows; `binary` is SRID and well-known binary",
        )
    return pa.string(), "ludb does not know this type"
