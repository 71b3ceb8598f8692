"""A database behind SQLAlchemy looked at before anything moves: sizes, the price of links, rights, rows that stand there.

Rights are found by trying: a statement that concerns no row, taken back. What only a server can tell is asked of PostgreSQL,
MySQL and MariaDB; of the others nothing is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL, Database, quiet
from ludb.dialects.sqlalchemy_ledger import NAME, Ledger
from ludb.dialects.sqlalchemy_rewrite import check_right
from ludb.dialects.sqlalchemy_schema import Reflected
from ludb.errors import ConfigError
from ludb.model.findings import Finding, Price

_MAY_CREATE = {
    "postgresql": "SELECT has_schema_privilege(coalesce(:schema, current_schema()::text), 'CREATE')",
    **dict.fromkeys(
        MYSQL,
        "SELECT (SELECT count(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'CREATE' AND {mine})"
        " + (SELECT count(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'CREATE' AND {mine}"
        " AND coalesce(:schema, database()) LIKE TABLE_SCHEMA)".replace(
            "{mine}", "GRANTEE = concat('''', replace(current_user(), '@', '''@'''), '''')"
        ),
    ),
}
"""Whether the user may make a table, by dialect."""


def size(connection: sa.Connection, database: Database, table: Reflected) -> int:
    """About how many bytes the table takes, 0 for dialects that are not asked. `ConfigError` where it may not be read."""
    try:
        with database.errors(f"read {table.name}"):
            connection.execute(sa.select(*table.sql.c).where(sa.false()))
    except ConfigError as error:
        raise ConfigError(error.message, remedy=f"GRANT SELECT ON {table.name} TO the user") from error
    name = {"name": table.name, "schema": table.schema}
    with database.errors("ask for sizes"):
        if database.dialect == "postgresql":
            quoted = database.engine.dialect.identifier_preparer.format_table(table.sql)
            found = connection.execute(
                sa.text("SELECT pg_table_size(CAST(:name AS regclass))"), {"name": quoted}
            ).scalar()
        elif database.dialect in MYSQL:
            asked = "SELECT sum(DATA_LENGTH) FROM information_schema.TABLES WHERE TABLE_NAME = :name"
            found = connection.execute(
                sa.text(f"{asked} AND TABLE_SCHEMA = coalesce(:schema, database())"), name
            ).scalar()
        elif database.dialect == "sqlite":
            found = _file(database).stat().st_size // max(1, len(sa.inspect(connection).get_table_names()))
        else:
            found = 0
    return int(found or 0)


def price(connection: sa.Connection, database: Database, table: Reflected, columns: Sequence[str]) -> Price | None:
    """None where an index begins with these columns, in any order, or where the table is a view, whose indexes are not its
    own; else its rows: as the server's plan estimates them on PostgreSQL and MySQL, counted elsewhere.
    """
    wanted = {table.get(name, database.name).name for name in columns}
    if any(set(index[: len(wanted)]) == wanted for index in table.indexes):
        return None
    with database.errors("ask for indexes"), quiet():
        if table.name in sa.inspect(connection).get_view_names(table.schema):
            return None
    quoted = database.engine.dialect.identifier_preparer
    names = ", ".join(quoted.quote(name) for name in columns)
    made = f"CREATE INDEX {quoted.quote('_'.join([table.name, *columns])[:60])} ON {quoted.format_table(table.sql)} ({names})"
    return Price(_rows(connection, database, table), made)


def _rows(connection: sa.Connection, database: Database, table: Reflected) -> int:
    query: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(table.sql)
    with database.errors(f"ask how many rows {table.name} has"):
        if database.dialect == "postgresql":
            plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query.compile(connection)}").scalar_one()
            return int(plan[0]["Plan"]["Plan Rows"])
        if database.dialect in MYSQL:
            row = connection.exec_driver_sql(f"EXPLAIN {query.compile(connection)}").mappings().first()
            return int(row["rows"] or 0) if row else 0
        return int(connection.execute(sa.select(sa.func.count()).select_from(table.sql)).scalar_one())


def inspect(
    connection: sa.Connection, database: Database, ledger: Ledger, tables: Mapping[str, Reflected]
) -> Iterator[Finding]:
    """What stands in the way of writing, and tables that hold rows. `connection` reads; `database` is the one that writes."""
    yield from _ledger(connection, database, ledger)
    for name, table in tables.items():
        required = [column.name for column in table.columns if column.required]
        names = required or [column.name for column in table.columns if not column.generated][:1]
        nothing = sa.select(*(sa.null() for _ in names)).where(sa.false())
        if database.dialect in MYSQL:
            nothing = nothing.select_from(sa.text("DUAL"))
        found = _tried(
            database, table, "INSERT", table.sql.insert().from_select(names, nothing, include_defaults=False)
        )
        if found is not None:
            yield Finding("error", database.name, found.message, found.remedy or "", name)
            continue
        try:
            with database.errors(f"read {table.name}"):
                some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(table.sql).limit(1)
                row = connection.execute(some).first()
        except ConfigError:  # a user that may only insert is enough
            connection.rollback()
            continue
        if row is not None:
            yield Finding(
                "warning", database.name, "the table holds rows already", "Make sure that they belong there", name
            )


def _ledger(connection: sa.Connection, database: Database, ledger: Ledger) -> Iterator[Finding]:
    if database.dialect == "sqlite":
        path = _file(database)
        for place in (path, path.parent):
            if not os.access(place, os.W_OK):
                yield Finding(
                    "error", database.name, f"{place} cannot be written", "Give the user that runs ludb the right to"
                )
        return
    try:
        there = ledger.exists(connection)
    except ConfigError as error:  # MySQL says so of a table that is not there, too
        connection.rollback()
        remedy = f"Let a DBA make it (ludb ledger JOB --ddl), and GRANT SELECT, INSERT, UPDATE ON {NAME} TO the user"
        yield Finding("error", database.name, error.message, remedy)
        return
    if there:
        for right, statement in ledger.rights().items():
            found = _tried(database, NAME, right, statement)
            if found is not None:
                yield Finding("error", database.name, found.message, found.remedy or "")
        return
    asked = _MAY_CREATE.get(database.dialect)
    if asked is None:
        return
    with database.errors("ask for rights"):
        may = connection.execute(sa.text(asked), {"schema": ledger.schema}).scalar()
    if not may:
        # On MySQL a right that comes with a role is not listed there, so this cannot be known for certain.
        yield Finding(
            "warning" if database.dialect in MYSQL else "error", database.name,
            "the user seems not to have the right to make the ledger", "Let a DBA make it: ludb ledger JOB --ddl",
        )  # fmt: skip


def _tried(
    database: Database, table: Reflected | str, right: str, statement: sa.Insert | sa.Update | sa.Delete
) -> ConfigError | None:
    try:
        check_right(database, table if isinstance(table, str) else table.name, right, statement)
    except ConfigError as error:
        return error
    return None


def _file(database: Database) -> Path:
    return Path(database.engine.url.database or "")
