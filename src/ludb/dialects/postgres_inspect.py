"""A PostgreSQL server looked at before anything moves: sizes, the price of links, rights, durability."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from ludb.dialects.postgres import quote
from ludb.dialects.postgres_schema import Reflected
from ludb.errors import ConfigError
from ludb.model.findings import Finding, Price

Connection = psycopg.Connection[tuple[Any, ...]]
SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")
"""Settings that let a server forget what it has confirmed."""


def size(connection: Connection, system: str, table: Reflected) -> int:
    """Bytes of the table without its indexes; `ConfigError` where the role may not read all of its columns."""
    row = connection.execute(
        "SELECT current_user, ARRAY(SELECT name FROM unnest(%s::text[]) AS name"
        " WHERE NOT has_column_privilege(%s, name, 'SELECT')), pg_table_size(%s::regclass)",
        ([column.name for column in table.columns], table.sql, table.sql),
    ).fetchone()
    assert row is not None
    role, hidden, taken = row
    if hidden:
        some = f" ({', '.join(hidden)})" if len(hidden) < len(table.columns) else ""
        names = f" ({', '.join(quote(name) for name in hidden)})" if some else ""
        raise ConfigError(
            f"system {system}: role {role} may not read {table.label}{some}",
            remedy=f"GRANT SELECT{names} ON {table.sql} TO {quote(role)}",
        )
    return int(taken)


def price(connection: Connection, table: Reflected, columns: Sequence[str]) -> Price | None:
    """None where the planner can use an index on the columns, were the table as large as it likes; else the rows that it
    expects to read.
    """
    names = [quote(name) for name in columns]
    one = f"SELECT {', '.join(names)} FROM {table.sql} LIMIT 1"
    sql = f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {table.sql} AS a WHERE ({', '.join(f'a.{n}' for n in names)}) = ({one})"
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = _plan(connection, sql)
    if any("Index Cond" in node or "Recheck Cond" in node for node in _nodes(plan)):
        return None
    whole = _plan(connection, f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {table.sql} AS a")
    if table.kind == "v":
        return Price(int(whole.get("Plan Rows", 0)), f"Index {', '.join(columns)} in the tables behind {table.label}")
    return Price(int(whole.get("Plan Rows", 0)), f"CREATE INDEX ON {table.sql} ({', '.join(names)})")


def _plan(connection: Connection, sql: str) -> Mapping[str, Any]:
    row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    told = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan: Mapping[str, Any] = told[0]["Plan"]
    return plan


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def not_durable(connection: Connection) -> list[str]:
    """The settings that let the server lose what it has confirmed."""
    found = []
    for name in SETTINGS:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        if row and row[0] == "off":
            found.append(name)
    return found


def inspect(connection: Connection, system: str, tables: Mapping[str, Reflected], ledger: str) -> Iterator[Finding]:
    """Rights on ledger and sequences, and tables that are not empty. `ledger` is the schema of the ledger."""
    role = str((connection.execute("SELECT current_user").fetchone() or ("",))[0])
    yield from _ledger(connection, system, role, ledger)
    for name, table in tables.items():
        for sequence in table.sequences.values():
            row = connection.execute("SELECT has_sequence_privilege(%s, 'UPDATE')", (sequence,)).fetchone()
            if not (row and row[0]):
                yield Finding(
                    "error", system, f"role {role} may not move the sequence {sequence} beyond the numbers that are written",
                    f"GRANT UPDATE ON SEQUENCE {sequence} TO {quote(role)}", name,
                )  # fmt: skip
        try:
            row = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table.sql})".encode()).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            continue  # a role that may only insert is enough
        if row and row[0]:
            yield Finding("warning", system, "the table holds rows already", "Make sure that they belong there", name)


def _ledger(connection: Connection, system: str, role: str, schema: str) -> Iterator[Finding]:
    name = f"{quote(schema)}.ludb_ledger"
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    if row and row[0]:
        rights = [
            right
            for right in ("SELECT", "INSERT", "UPDATE")
            if not (connection.execute("SELECT has_table_privilege(%s, %s)", (name, right)).fetchone() or (False,))[0]
        ]
        if rights:
            yield Finding(
                "error", system, f"role {role} lacks {', '.join(rights)} on its ledger {schema}.ludb_ledger",
                f"GRANT {', '.join(rights)} ON {name} TO {quote(role)}",
            )  # fmt: skip
        return
    there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    if there:
        row = connection.execute("SELECT has_schema_privilege(%s, 'CREATE')", (schema,)).fetchone()
    else:
        row = connection.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone()
    if not (row and row[0]):
        yield Finding(
            "error", system, f"role {role} may not make the ledger in schema {schema}",
            "Let a DBA make it: ludb ledger JOB --ddl",
        )  # fmt: skip
