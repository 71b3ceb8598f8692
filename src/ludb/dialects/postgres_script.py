"""A person's SQL statements for PostgreSQL, run in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from ludb.dialects.postgres import errors
from ludb.dialects.script import check, statements

WORDS = (
    "alter", "analyze", "call", "cluster", "comment", "copy", "create", "deallocate", "delete", "discard", "do", "drop",
    "execute", "explain", "grant", "import", "insert", "listen", "load", "lock", "merge", "notify", "reassign", "refresh",
    "reindex", "reset", "revoke", "security", "select", "set", "show", "table", "truncate", "unlisten", "update", "values",
    "with",
)  # fmt: skip
"""First words of PostgreSQL's statements, but those of transactions and those that run in none (VACUUM)."""


def check_script(script: str) -> None:
    """`ConfigError` with the line of the first statement that is none, or that would end the transaction."""
    check(script, "postgres", WORDS)


def run_script(
    connection: psycopg.Connection[tuple[Any, ...]], system: str, script: str, values: Mapping[str, object]
) -> None:
    """Run the statements on a connection in autocommit mode, all or none, and close it."""
    with contextlib.closing(connection), connection.transaction():
        for one in statements(script, "postgres"):
            text = one.filled(values, lambda value: sql.Literal(value).as_string(connection))
            with errors(system, f"run the statement in line {one.line}"):
                connection.execute(text.encode())
