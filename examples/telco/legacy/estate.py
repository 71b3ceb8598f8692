"""The legacy estate while it is being made: rows by table, numbered as they come, then written to SQLite at once."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent

TABLES = (
    "tariffs",
    "customers",
    "addresses",
    "contacts",
    "contracts",
    "subscriptions",
    "services",
    "invoices",
    "invoice_lines",
    "payments",
    "usage_records",
)
"""All tables, parents first."""

TODAY = dt.date(2024, 6, 30)
"""The day on which the legacy system was frozen; nothing in it is younger."""


def money(cents: int) -> str:
    """An amount as the database takes it: exact, two digits."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


@dataclass
class Estate:
    """Rows by table, in insertion order; the first value of a row is its key."""

    random: random.Random
    rows: dict[str, list[tuple]] = field(default_factory=lambda: {table: [] for table in TABLES})
    next_id: dict[str, int] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)

    def add(self, table: str, *values: object) -> int:
        """Append a row under the next number of its table (numbers of different tables do not overlap by accident)."""
        start = 10_000 * (TABLES.index(table) + 1)
        number = self.next_id.get(table, start)
        self.next_id[table] = number + 1
        self.rows[table].append((number, *values))
        return number

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return self.random.random() < share

    def day(self, first: dt.date, last: dt.date) -> dt.date:
        """A day between two days, both included."""
        return first + dt.timedelta(days=self.random.randrange((last - first).days + 1))

    def written(self, day: dt.date | None) -> str | None:
        """A date as some clerk typed it: two formats; an unknown one as zeros, as a blank, or not at all."""
        if day is None:
            return self.random.choice(("0000-00-00", "", None))
        return day.isoformat() if self.chance(0.6) else f"{day:%d.%m.%Y}"

    def write(self, path: Path) -> sqlite3.Connection:
        """Create the database file with all rows; indexes come with the schema."""
        connection = sqlite3.connect(path, isolation_level=None)
        connection.executescript("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;")
        connection.executescript((HERE / "schema.sql").read_text(encoding="utf-8"))
        connection.execute("BEGIN")
        for table in TABLES:
            insert(connection, table, self.rows[table])
        connection.execute("COMMIT")
        return connection


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple]) -> None:
    """Insert whole rows."""
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
