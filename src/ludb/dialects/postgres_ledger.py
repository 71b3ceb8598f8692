"""The ledger of a PostgreSQL target: one row per committed transaction, in the same transaction as its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from ludb.model.run import Txn

SCHEMA = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])
"""What `Target.ledger` returns."""

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

Connection = psycopg.Connection[tuple[Any, ...]]


class Ledger:
    """`ludb_ledger` of one schema. `positions` is a JSON list of [first, last]; `digest` is over positions and counts."""

    def __init__(self, schema: str) -> None:
        """Nothing is looked at yet."""
        self._schema = schema
        self._name = sql.Identifier(schema, "ludb_ledger")

    def create(self, connection: Connection) -> None:
        """Make the table, and its schema, where they are missing; a role that may not create needs them there."""
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (self._name.as_string(connection),)).fetchone()
        if found == (True,):
            return
        there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (self._schema,)).fetchone()
        try:
            if there is None:
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            connection.execute(sql.SQL(_DDL).format(self._name))
        except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
            return  # another worker made it at this very moment

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
        positions = json.dumps(ranges(txn.positions))
        digest = hashlib.sha256(json.dumps([ranges(txn.positions), sorted(rows.items())]).encode()).hexdigest()
        change = sql.SQL("UPDATE {} SET positions = %s, digest = %s WHERE txn = %s").format(self._name)
        connection.execute(change, (positions, digest, txn.id))
        return self.present(connection, txn.id)

    def left_out(self, connection: Connection, txn: str, positions: Collection[int]) -> list[int]:
        """Those of the positions that the committed transaction did not write: they no longer fitted when it was
        applied.
        """
        asked = sql.SQL("SELECT positions FROM {} WHERE txn = %s").format(self._name)
        row = connection.execute(asked, (txn,)).fetchone()
        held = json.loads(row[0]) if row else []
        return sorted(at for at in positions if not any(first <= at <= last for first, last in held))

    def present(self, connection: Connection, txn: str) -> bool:
        """Whether the ledger holds the transaction, as this connection sees it."""
        asked = sql.SQL("SELECT 1 FROM {} WHERE txn = %s").format(self._name)
        return connection.execute(asked, (txn,)).fetchone() is not None

    def of_repository(self, connection: Connection, repository: str) -> pa.Table:
        """What was committed for a repository, in the order of its sequence numbers."""
        asked = sql.SQL("SELECT txn, seq, run, chunk FROM {} WHERE repository_id = %s ORDER BY seq, txn").format(
            self._name
        )
        rows = connection.execute(asked, (repository,)).fetchall()
        return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 4, schema=SCHEMA)


def ranges(positions: Sequence[int]) -> list[list[int]]:
    """Positions as [first, last] ranges in ascending order: [1, 2, 3, 7] is [[1, 3], [7, 7]]."""
    found: list[list[int]] = []
    for position in sorted(positions):
        if found and found[-1][1] == position - 1:
            found[-1][1] = position
        else:
            found.append([position, position])
    return found
