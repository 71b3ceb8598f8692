"""The ledger of a MySQL target: one row per committed transaction, in the same transaction as its rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import pyarrow as pa

from ludb.dialects.ledger_row import SCHEMA, missing, ranges, written
from ludb.dialects.mysql import Session, literal, placed
from ludb.errors import ConfigError
from ludb.model.run import Txn

TABLE = "ludb_ledger"
"""The ledger's name."""


def ddl(schema: str) -> str:
    """The statement that makes the ledger. `connection` is the server's number of the session that writes: recovery may
    have to end one that never says a word again.
    """
    return f"""CREATE TABLE IF NOT EXISTS {placed(schema, TABLE)} (
  txn VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  kind VARCHAR(16) NOT NULL,
  repository_id VARCHAR(64) NOT NULL,
  seq BIGINT NOT NULL,
  run VARCHAR(255) NOT NULL,
  chunk VARCHAR(255) NOT NULL,
  positions LONGTEXT NOT NULL,
  digest CHAR(64),
  at DOUBLE NOT NULL,
  connection BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"""


def create(session: Session, schema: str) -> None:
    """Make the ledger if it is missing; `ConfigError` if it is there in an engine without transactions."""
    engine = _engine(session, schema)
    if engine is None:
        session.run(ddl(schema), "create the ledger")
        engine = _engine(session, schema)
    if engine != "InnoDB":
        raise ConfigError(
            f"system {session.system}: {schema}.{TABLE} is a table of the engine {engine}, which cannot roll back",
            remedy="Drop it; ludb makes it anew in InnoDB",
        )


def _engine(session: Session, schema: str) -> str | None:
    """The ledger's engine; None if there is no ledger."""
    where = f"TABLE_SCHEMA = {literal(schema)} AND TABLE_NAME = {literal(TABLE)}"
    found = session.texts(f"SELECT ENGINE FROM information_schema.TABLES WHERE {where}", "look for the ledger")
    return found[0][0] if found else None


def text(schema: str, system: str) -> str:
    """`ddl` for a DBA."""
    return f"""-- {system} (MySQL): the ledger of ludb.
-- One row per committed transaction, written in the same transaction as the rows: after a crash it tells what was
-- committed. `ludb run` makes the table by itself where it may; run this text where it may not.
-- Needs: CREATE in {schema}. While runs go on, ludb inserts, updates and selects here.
-- Drop it only when the migration is over: `ludb ledger JOB --drop`.
{ddl(schema)};
"""


def entries(session: Session, schema: str) -> dict[str, int]:
    """Entries by repository."""
    if _engine(session, schema) is None:
        return {}
    rows = session.texts(
        f"SELECT repository_id, count(*) FROM {placed(schema, TABLE)} GROUP BY repository_id ORDER BY repository_id",
        "count the ledger",
    )
    return {repository: int(number) for repository, number in rows}


def drop(session: Session, schema: str) -> None:
    """Drop the table, if it is there."""
    if _engine(session, schema) is not None:
        session.run(f"DROP TABLE {placed(schema, TABLE)}", "drop the ledger")


def insert(session: Session, schema: str, txn: Txn, at: float) -> None:
    """Write the ledger row; `UnitError` (duplicate) if the transaction was committed before."""
    texts = [txn.id, txn.kind, txn.repository, txn.run, txn.chunk, json.dumps(ranges(txn.positions))]
    session.run(
        f"INSERT INTO {placed(schema, TABLE)} (txn, kind, repository_id, run, chunk, positions, seq, at, connection)"
        f" VALUES ({', '.join(map(literal, texts))}, {txn.seq}, {at!r}, CONNECTION_ID())",
        "write the ledger row",
    )


def seal(session: Session, schema: str, txn: Txn, rows: Mapping[str, int]) -> bool:
    """Write positions and digest into the ledger row and read the row back; False if it is not there."""
    positions, digest = written(txn.positions, rows)
    session.run(
        f"UPDATE {placed(schema, TABLE)} SET positions = {literal(positions)}, digest = {literal(digest)}"
        f" WHERE txn = {literal(txn.id)}",
        "seal the ledger row",
    )
    return present(session, schema, txn.id)


def left_out(session: Session, schema: str, txn: str, positions: Collection[int]) -> list[int]:
    """Those of the positions that the committed transaction did not write: they no longer fitted when it was applied."""
    sql = f"SELECT positions FROM {placed(schema, TABLE)} WHERE txn = {literal(txn)}"
    ((positions_text,),) = session.texts(sql, "read the ledger row")
    return missing(positions_text, positions)


def present(session: Session, schema: str, txn: str) -> bool:
    """Whether the ledger holds the transaction, as this session sees it."""
    sql = f"SELECT txn FROM {placed(schema, TABLE)} WHERE txn = {literal(txn)}"
    return bool(session.rows(sql, "read the ledger row"))


def of_repository(session: Session, schema: str, repository: str) -> pa.Table:
    """What was committed for a repository, in the order of its sequence numbers; nothing where there is no ledger."""
    if _engine(session, schema) is None:
        return SCHEMA.empty_table()
    rows = session.texts(
        f"SELECT txn, seq, run, chunk FROM {placed(schema, TABLE)} WHERE repository_id = {literal(repository)}"
        " ORDER BY seq, txn",
        "read the ledger",
    )
    columns = [[row[0], int(row[1]), row[2], row[3]] for row in rows]
    return pa.table([list(column) for column in zip(*columns, strict=True)] or [[]] * 4, schema=SCHEMA)


def writer(session: Session, schema: str, txn: str) -> int | None:
    """The session that holds the transaction's uncommitted ledger row; None if nobody does. Looks at what is not committed,
    so `session` must read uncommitted.
    """
    sql = f"SELECT connection FROM {placed(schema, TABLE)} WHERE txn = {literal(txn)}"
    rows = session.texts(sql, "look for the holder of the ledger row")
    return int(rows[0][0]) if rows else None
