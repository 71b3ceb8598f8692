"""The ledger of a SQLite target: one row per committed transaction, in the same transaction as its rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping

import pyarrow as pa

from ludb.dialects.ledger_row import SCHEMA, missing, ranges, written
from ludb.model.run import Txn

DDL = """CREATE TABLE IF NOT EXISTS main.ludb_ledger (
  txn TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  repository_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  run TEXT NOT NULL,
  chunk TEXT NOT NULL,
  positions TEXT NOT NULL,
  digest TEXT,
  at REAL NOT NULL
)"""
"""Makes the ledger. `positions` is a JSON list of [first, last] ranges; `digest` is over positions and row counts."""

DDL_TEXT = f"""-- {{system}} (SQLite): the ledger of ludb.
-- One row per committed transaction, written in the same transaction as the rows: after a crash it tells what was
-- committed. `ludb run` makes the table by itself where it may; run this text where it may not.
-- Needs: write access to the file and its folder. While runs go on, ludb inserts, updates and selects here.
-- Drop it only when the migration is over: `ludb ledger JOB --drop`.
{DDL};
"""
"""The same for a DBA; `{{system}}` is the target's name in the job."""


def insert(connection: sqlite3.Connection, txn: Txn, at: float) -> None:
    """Write the ledger row; `sqlite3.IntegrityError` if the transaction was committed before."""
    connection.execute(
        "INSERT INTO main.ludb_ledger (txn, kind, repository_id, seq, run, chunk, positions, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (txn.id, txn.kind, txn.repository, txn.seq, txn.run, txn.chunk, json.dumps(ranges(txn.positions)), at),
    )


def seal(connection: sqlite3.Connection, txn: Txn, rows: Mapping[str, int]) -> bool:
    """Write positions and digest into the ledger row and read the row back; False if it is not there."""
    positions, digest = written(txn.positions, rows)
    change = "UPDATE main.ludb_ledger SET positions = ?, digest = ? WHERE txn = ?"
    connection.execute(change, (positions, digest, txn.id))
    return present(connection, txn.id)


def left_out(connection: sqlite3.Connection, txn: str, positions: Collection[int]) -> list[int]:
    """Those of the positions that the committed transaction did not write: they no longer fitted when it was applied."""
    (text,) = connection.execute("SELECT positions FROM main.ludb_ledger WHERE txn = ?", (txn,)).fetchone()
    return missing(text, positions)


def present(connection: sqlite3.Connection, txn: str) -> bool:
    """Whether the ledger holds the transaction, as this connection sees it."""
    return connection.execute("SELECT 1 FROM main.ludb_ledger WHERE txn = ?", (txn,)).fetchone() is not None


def of_repository(connection: sqlite3.Connection, repository: str) -> pa.Table:
    """What was committed for a repository, in the order of its sequence numbers; nothing where there is no ledger."""
    if not exists(connection):
        return SCHEMA.empty_table()
    rows = connection.execute(
        "SELECT txn, seq, run, chunk FROM main.ludb_ledger WHERE repository_id = ? ORDER BY seq, txn", (repository,)
    ).fetchall()
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * 4, schema=SCHEMA)


def exists(connection: sqlite3.Connection) -> bool:
    """Whether the database has a ledger."""
    query = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = 'ludb_ledger'"
    return connection.execute(query).fetchone() is not None


def entries(connection: sqlite3.Connection) -> dict[str, int]:
    """Entries by repository."""
    if not exists(connection):
        return {}
    query = "SELECT repository_id, count(*) FROM main.ludb_ledger GROUP BY repository_id ORDER BY repository_id"
    return dict(connection.execute(query).fetchall())
