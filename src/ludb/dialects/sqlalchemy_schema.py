"""What SQLAlchemy's inspector says of a table: columns with their types, keys, foreign keys, as `ludb` needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import Database, quiet
from ludb.dialects.sqlalchemy_types import Kind, carried
from ludb.errors import ConfigError
from ludb.model import shape
from ludb.model.shape import TableShape
from ludb.model.unit import Column

IMMEDIATE = frozenset({"postgresql", "oracle"})
"""Dialects whose deferrable constraints are put off in our transactions, and called up by `SET CONSTRAINTS ALL IMMEDIATE`."""


@dataclass(frozen=True, slots=True)
class Detail:
    """A column with the type as SQLAlchemy has it, and what kind of value it holds."""

    column: Column
    type: sa.types.TypeEngine[Any]
    kind: Kind

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def length(self) -> int | None:
        """How many characters or bytes the type allows; None where it says nothing."""
        return getattr(self.type, "length", None)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key to `parent_columns` of `parent` (schema, name); `late` if it speaks only at the end of a transaction; what
    the deletion of a parent does: `rule`.
    """

    columns: tuple[str, ...]
    parent: tuple[str | None, str]
    parent_columns: tuple[str, ...]
    late: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Reflected:
    """A table or view as it stands. `sql` is what statements are made from; `unique` holds the sets of columns that no two
    rows share, `indexes` the columns of each index over whole columns and all rows; `names` are those of columns, keys and
    constraints: what may be told of an error.
    """

    schema: str | None
    name: str
    sql: sa.Table
    details: tuple[Detail, ...]
    primary_key: tuple[str, ...]
    unique: tuple[frozenset[str], ...]
    indexes: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...]
    names: frozenset[str]
    options: dict[str, Any]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in their order."""
        return tuple(detail.column for detail in self.details)

    def get(self, name: str, system: str) -> Detail:
        """The column of this name; `ConfigError` naming those that are there."""
        for detail in self.details:
            if detail.name == name:
                return detail
        known = ", ".join(detail.name for detail in self.details)
        raise ConfigError(
            f"table {system}.{self.name} has no column {name!r}", remedy=f"Columns that are there: {known}"
        )

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether no two rows can share values in these columns."""
        return any(key <= set(columns) for key in self.unique)


def fillable(table: Reflected, key: ForeignKey) -> bool:
    """Whether a foreign key's columns may be NULL for a while, and be filled in by the row's primary key."""
    held = {column.name for column in table.columns if column.nullable and not column.generated and not column.key}
    return bool(table.primary_key) and set(key.columns) <= held


def reflect(connection: sa.Connection, database: Database, name: str) -> Reflected:
    """The table or view called `name`, in the system's schema or, as `other.table`, in another one. `ConfigError` naming the
    tables that are there if there is none.
    """
    with database.errors(f"read the columns of {name}"), quiet():
        look = sa.inspect(connection)
        schema, table = database.settings.in_schema, name
        if not look.has_table(table, schema):
            other, dot, rest = name.partition(".")
            if not dot or not look.has_table(rest, other):
                known = (
                    ", ".join(sorted([*look.get_table_names(schema), *look.get_view_names(schema)])) or "none at all"
                )
                raise ConfigError(
                    f"system {database.name} has no table {name!r}", remedy=f"Tables that are there: {known}"
                )
            schema, table = other, rest
        return _reflected(look, database.dialect, schema, table)


def shapes(connection: sa.Connection, database: Database) -> list[TableShape]:
    """All tables and views of the system's schema in name order; rows are not counted."""
    schema = database.settings.in_schema
    with database.errors("list the tables"), quiet():
        look = sa.inspect(connection)
        views = set(look.get_view_names(schema))
        names = sorted(views | set(look.get_table_names(schema)))
        found = [_reflected(look, database.dialect, schema, name) for name in names]
    made = []
    for table in found:
        links = tuple(
            shape.ForeignKey(key.columns, key.parent[1], key.parent_columns)
            for key in table.foreign_keys
            if key.parent[0] == schema and key.parent[1] in names
        )
        made.append(TableShape(table.name, table.columns, _key_of(table), links, None, table.name in views))
    return made


def _key_of(table: Reflected) -> tuple[str, ...]:
    if table.primary_key:
        return table.primary_key
    held = {column.name for column in table.columns if not column.nullable}
    unique = next((names for names in table.unique if names <= held), frozenset())
    return tuple(column.name for column in table.columns if column.name in unique)


def _reflected(look: sa.Inspector, dialect: str, schema: str | None, name: str) -> Reflected:
    def told(ask: Callable[..., Any], nothing: Any, **options: Any) -> Any:
        try:
            return ask(name, schema, **options)
        except (NotImplementedError, sa.exc.NoSuchTableError):  # a view has no keys, and some dialects do not tell them
            return nothing

    primary = told(look.get_pk_constraint, {})
    # SQLAlchemy reads SQLite's constraints from the text of the table, and misses some; their indexes it hides.
    hidden = {"include_auto_indexes": True} if dialect == "sqlite" else {}
    unique, indexes = told(look.get_unique_constraints, []), told(look.get_indexes, [], **hidden)
    foreign, checks = told(look.get_foreign_keys, []), told(look.get_check_constraints, [])
    primary_key = tuple(primary.get("constrained_columns") or ())
    columns = look.get_columns(name, schema)
    names = [one.get("name") for one in (primary, *unique, *indexes, *foreign, *checks)]
    plain = list(_plain_indexes(indexes))
    keys = [
        primary_key,
        *(one["column_names"] for one in unique),
        *(one["column_names"] for one in plain if one["unique"]),
    ]
    return Reflected(
        schema=schema,
        name=name,
        sql=_table(look, name, schema),
        details=tuple(_detail(column, primary_key, dialect) for column in columns),
        primary_key=primary_key,
        unique=tuple(frozenset(key) for key in keys if key),
        indexes=tuple(tuple(key) for key in [*keys, *(one["column_names"] for one in plain)] if key),
        foreign_keys=tuple(foreign_key(key, dialect) for key in foreign),
        names=frozenset(filter(None, [*names, *(column["name"] for column in columns)])),
        options=dict(told(look.get_table_options, {})),
    )


def _table(look: sa.Inspector, name: str, schema: str | None) -> sa.Table:
    found = sa.Table(name, sa.MetaData(), schema=schema)
    look.reflect_table(found, None, resolve_fks=False)
    return found


def _plain_indexes(indexes: Sequence[Any]) -> Iterator[Any]:
    """Indexes over whole columns and all rows."""
    for index in indexes:
        special = [key for key, value in (index.get("dialect_options") or {}).items() if value and _narrows(key)]
        if not special and None not in index["column_names"]:
            yield index


def _narrows(option: str) -> bool:
    return option.endswith(("_where", "_length"))


def foreign_key(key: Any, dialect: str) -> ForeignKey:
    """A foreign key as an inspector tells it."""
    options = key.get("options") or {}
    late = str(options.get("initially") or "").upper() == "DEFERRED"
    late = late or (dialect in IMMEDIATE and bool(options.get("deferrable")))
    parent = (key["referred_schema"], key["referred_table"])
    rule = str(options.get("ondelete") or "").upper()
    return ForeignKey(tuple(key["constrained_columns"]), parent, tuple(key["referred_columns"]), late, rule)


def _detail(column: Any, primary_key: Sequence[str], dialect: str) -> Detail:
    name, native = column["name"], column["type"]
    identity = column.get("identity") or {}
    kind, arrow, refused = carried(native, dialect)
    counted = column.get("autoincrement") is True or bool(identity)
    # SQLite counts up an integer that is the whole primary key.
    counted = counted or (dialect == "sqlite" and tuple(primary_key) == (name,) and pa.types.is_integer(arrow))
    generated = bool(column.get("computed"))
    filled = counted or generated or column.get("default") is not None
    made = Column(
        name=name,
        type=arrow,
        native=_spelled(native),
        nullable=bool(column["nullable"]),
        key=name in primary_key,
        required=not column["nullable"] and not filled,
        generated=generated,
        refused=refused,
    )
    return Detail(made, getattr(native, "data_type", native), kind)


def _spelled(native: sa.types.TypeEngine[Any]) -> str:
    try:
        return str(native)
    except sa.exc.CompileError:
        return type(native).__name__
