"""The ledger of a PostgreSQL target: one row per committed transaction, in the same transaction as its rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from ludb.dialects.ledger_row import SCHEMA, missing, ranges, written
from ludb.dialects.postgres import quote
from ludb.model.run import Txn

_DDL = """CREATE TABLE IF NOT EXISTS {} (
  txn text NOT NULL PRIMARY KEY,
  kind text NOT NULL,
  repository_id text NOT NULL,
  seq bigint NOT NULL,
  run text NOT NULL,
  chunk text NOT NULL,
  positions text NOT NULL,
  digest text,
  at double precision NOT NULL
)"""

_ABOUT = """-- {system} (PostgreSQL): the ledger of ludb.
-- One row per committed transaction, written in the same transaction as the rows: after a crash it tells what was
-- committed. `ludb run` makes the table by itself where it may; run this text where it may not, and
-- GRANT SELECT, INSERT, UPDATE on it to the role that ludb connects as.
-- Drop it only when the migration is over: `ludb ledger JOB --drop`.
CREATE SCHEMA IF NOT EXISTS {schema};
{ddl};
"""

Connection = psycopg.Connection[tuple[Any, ...]]


class Ledger:
    """`ludb_ledger` of one schema. `positions` is a JSON list of [first, last]; `digest` is over positions and counts."""

    def __init__(self, schema: str) -> None:
        """Nothing is looked at yet."""
        self._schema = schema
        self._name = sql.Identifier(schema, "ludb_ledger")

    def create(self, connection: Connection) -> None:
        """Make the table, and its schema, where they are missing; a role that may not create needs them there."""
        if self.exists(connection):
            return
        there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,)).fetchone()
        try:
            if there is None:
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            connection.execute(sql.SQL(_DDL).format(self._name))
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            return  # another worker made it at this very moment

    def ddl(self, system: str) -> str:
        """What makes the ledger, for a DBA; `system` is the target's name in the job."""
        name = self._name.as_string(None)
        return _ABOUT.format(system=system, schema=quote(self._schema), ddl=_DDL.format(name))

    def exists(self, connection: Connection) -> bool:
        """Whether the table is there."""
        name = self._name.as_string(connection)
        return connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)

    def entries(self, connection: Connection) -> dict[str, int]:
        """Entries by repository."""
        if not self.exists(connection):
            return {}
        counted = sql.SQL("SELECT repository_id, count(*) FROM {} GROUP BY 1 ORDER BY 1").format(self._name)
        return dict(connection.execute(counted).fetchall())

    def drop(self, connection: Connection) -> None:
        """Remove the table; its schema stays."""
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._name))

    def insert(self, connection: Connection, txn: Txn, at: float) -> None:
        """Write the ledger row; `UniqueViolation` if the transaction was committed before."""
        connection.execute(
            sql.SQL(
                "INSERT INTO {} (txn, kind, repository_id, seq, run, chunk, positions, at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
            ).format(self._name),
            (txn.id, txn.kind, txn.repository, txn.seq, txn.run, txn.chunk, json.dumps(ranges(txn.positions)), at),
        )

    def seal(self, connection: Connection, txn: Txn, rows: Mapping[str, int]) -> bool:
        """Write positions and digest into the ledger row and read the row back; False if it is not there."""
        positions, digest = written(txn.positions, rows)
        change = sql.SQL("UPDATE {} SET positions = %s, digest = %s WHERE txn = %s").format(self._name)
        connection.execute(change, (positions, digest, txn.id))
        return self.present(connection, txn.id)

    def left_out(self, connection: Connection, txn: str, positions: Collection[int]) -> list[int]:
        """Those of the positions that the committed transaction did not write: they no longer fitted when it was
        applied.
        """
        asked = sql.SQL("SELECT positions FROM {} WHERE txn = %s").format(self._name)
        row = connection.execute(asked, (txn,)).fetchone()
        return missing(row[0] if row else "[]", positions)

    def present(self, connection: Connection, txn: str) -> bool:
        """Whether the ledger holds the transaction, as this connection sees it."""
        asked = sql.SQL("SELECT 1 FROM {} WHERE txn = %s").format(self._name)
        return connection.execute(asked, (txn,)).fetchone() is not None

    def of_repository(self, connection: Connection, repository: str) -> pa.Table:
        """What was committed for a repository, in the order of its sequence numbers; nothing where there is no ledger."""
        if not self.exists(connection):
            return SCHEMA.empty_table()
        asked = sql.SQL("SELECT txn, seq, run, chunk FROM {} WHERE repository_id = %s ORDER BY seq, txn").format(
            self._name
        )
        rows = connection.execute(asked, (repository,)).fetchall()
        return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 4, schema=SCHEMA)
