"""A SQLite file looked at before anything moves: sizes, the price of links, whether it can be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ludb.dialects.sqlite import quote
from ludb.dialects.sqlite_schema import Reflected
from ludb.model.findings import Finding, Price

COUNTED = 1_000_000
"""So many rows are counted of a table without statistics; larger ones are told as so large."""


def size(path: Path, tables: int) -> int:
    """A table's share of the file's bytes: SQLite does not say more without reading all of it."""
    return path.stat().st_size // max(1, tables)


def price(connection: sqlite3.Connection, table: Reflected, columns: Sequence[str]) -> Price | None:
    """None where SQLite's plan for a join by the columns uses an index that is there, else the rows of the table."""
    name = f"main.{quote(table.name)}"
    on = " AND ".join(f"a.{quote(column)} = b.{quote(column)}" for column in columns)
    plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {name} AS b CROSS JOIN {name} AS a ON {on}")
    told = [str(bytes(row[3]).decode() if isinstance(row[3], bytes | bytearray) else row[3]) for row in plan]
    if any(line.startswith("SEARCH a ") and "AUTOMATIC" not in line for line in told):
        return None
    names = ", ".join(quote(column) for column in columns)
    index = quote("_".join([table.name, *columns]))
    return Price(_rows(connection, table.name), f"CREATE INDEX {index} ON {quote(table.name)} ({names})")


def _rows(connection: sqlite3.Connection, table: str) -> int:
    """The rows that the last ANALYZE saw; of a table that it has not seen, those that are there, counted up to `COUNTED`.
    Row numbers tell nothing: an application may give them out as it likes.
    """
    if connection.execute("SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_stat1'").fetchone():
        seen = connection.execute("SELECT stat FROM main.sqlite_stat1 WHERE tbl = ?", (table,)).fetchall()
        numbers = [
            int(bytes(stat).split()[0] if isinstance(stat, bytes) else stat.split()[0]) for (stat,) in seen if stat
        ]
        if numbers:
            return max(numbers)  # a partial index has seen fewer
    count = f"SELECT count(*) FROM (SELECT 1 FROM main.{quote(table)} LIMIT {COUNTED})"
    return int(connection.execute(count).fetchone()[0])


def inspect(
    connection: sqlite3.Connection, system: str, path: Path, tables: Mapping[str, Reflected]
) -> Iterator[Finding]:
    """Whether file and folder can be written, and tables that are not empty."""
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            yield Finding("error", system, f"{place} cannot be written", "Give the user that runs ludb the right to")
    for name, table in tables.items():
        if connection.execute(f"SELECT 1 FROM main.{quote(table.name)} LIMIT 1").fetchone():
            yield Finding("warning", system, "the table holds rows already", "Make sure that they belong there", name)
