"""What is refused before rows are written over: keys that tell no rows apart, changes to rows of others, missing rights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from ludb.dialects.sqlalchemy import Database, quiet
from ludb.dialects.sqlalchemy_schema import ForeignKey, Reflected, foreign_key
from ludb.errors import ConfigError

_EVERYWHERE = frozenset({"postgresql", "mssql"})
"""Dialects whose foreign keys are looked for in all schemas; with the others in the table's own."""
_TAKING = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


def check_merge(
    connection: sa.Connection, database: Database, table: Reflected, key: Sequence[str], written: Sequence[str]
) -> None:
    """See `CanRewrite.check_merge`. `connection` reads; `database` is the one that writes."""
    place = f"{database.name}.{table.name}"
    if frozenset(key) not in table.unique:
        raise ConfigError(
            f"{place}: no unique constraint holds exactly ({', '.join(key)}): upsert cannot tell rows apart",
            remedy=f"Give {table.name} a unique constraint on ({', '.join(key)}), or name another `key:`",
        )
    nullable = [
        name for name in key if table.get(name, database.name).column.nullable and name not in table.primary_key
    ]
    if nullable:
        raise ConfigError(
            f"{place}: {', '.join(nullable)} may be NULL, so that it is no key to upsert by",
            remedy="Declare it NOT NULL, or name another `key:`",
        )
    for child, link in _pointing(connection, database, table):
        moving = [name for name in link.parent_columns if name in written and name not in key]
        if moving:
            raise ConfigError(
                f"{place}: {child} points to {', '.join(moving)}, which an upsert by {', '.join(key)} may change",
                remedy="Leave it out of the step, or make it the `key:`",
            )
    rest = [name for name in written if name not in key] or list(key)
    check_right(
        database, table.name, "UPDATE", table.sql.update().where(sa.false()).values({rest[0]: table.sql.c[rest[0]]})
    )


def check_removal(
    connection: sa.Connection,
    database: Database,
    table: Reflected,
    columns: Sequence[str],
    removed: Sequence[Reflected],
) -> None:
    """See `CanRewrite.check_removal`."""
    for name in columns:
        table.get(name, database.name)
    if not table.primary_key:
        raise ConfigError(
            f"{database.name}.{table.name} has no primary key, by which its rows could be replaced",
            remedy="Give it one, or use the database's own type",
        )
    ours = {(one.schema, one.name) for one in removed}
    for child, link in _pointing(connection, database, table):
        if link.rule in _TAKING and child not in {name for _, name in ours}:
            raise ConfigError(
                f"{database.name}.{table.name}: replacing its rows would change those of {child} (ON DELETE {link.rule})",
                remedy=f"Give the output of {child} mode: replace_unit too, or use upsert",
            )
    check_right(database, table.name, "DELETE", table.sql.delete().where(sa.false()))


def check_right(database: Database, table: str, right: str, statement: sa.Update | sa.Delete | sa.Insert) -> None:
    """`ConfigError` where the user may not carry out the statement, which concerns no row and is taken back. Not asked of
    SQLite, which has no rights, and would wait for a writer.
    """
    if database.dialect == "sqlite":
        return
    with contextlib.closing(database.connect()) as connection:
        try:
            with database.errors(f"{right.lower()} rows of {table}"):
                connection.execute(statement)
                connection.rollback()
        except ConfigError as error:
            raise ConfigError(error.message, remedy=f"GRANT SELECT, {right} ON {table} TO the user") from error


def _pointing(connection: sa.Connection, database: Database, table: Reflected) -> Iterator[tuple[str, ForeignKey]]:
    """The foreign keys that lead to the table, with the names of their tables."""
    with database.errors("read foreign keys"), quiet():
        look = sa.inspect(connection)
        schemas = look.get_schema_names() if database.dialect in _EVERYWHERE else [table.schema]
        own = look.default_schema_name
        for schema in schemas:
            asked = None if schema == own and table.schema is None else schema
            for (_, child), keys in look.get_multi_foreign_keys(asked).items():
                for found in keys:
                    link = foreign_key(found, database.dialect)
                    if link.parent == (table.schema, table.name):
                        yield child, link
