"""The simulator's truth: objects in SQLite, written before they are answered for, so that kill -9 loses none."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS trait (
    name TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (name, value, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS idempotency (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
"""


def encode(document: Any) -> str:
    """JSON as short as it gets, keys in the order they came."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


class Store:
    """Objects of one collection. Used by one thread.

    Changes are gathered in one open transaction, so that many requests share a commit: nobody may be told of a change
    before `commit` has returned. Reading commits first, so that nothing is ever seen that a crash could take back. WAL
    with `synchronous=NORMAL`: a killed process loses nothing that was committed; only a loss of power could.
    """

    def __init__(self, path: Path, traits: str, clock: Callable[[], float]) -> None:
        """Open or create the file; `traits` names the attribute that lists characteristics."""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {SCHEMA}")
        self._traits, self._clock = traits, clock

    def create(self, document: dict[str, Any], key: str | None) -> None:
        """Keep a new object; under an idempotency key its answer is kept too. IntegrityError if the id is taken."""
        self._begin()
        body = encode(document)
        sql = "INSERT INTO object (id, body, at) VALUES (?, ?, ?)"
        seq = self._db.execute(sql, (document["id"], body, self._clock())).lastrowid
        assert seq is not None
        self._index(seq, document)
        if key is not None:
            self._db.execute("INSERT INTO idempotency VALUES (?, ?)", (key, body))

    def answered(self, key: str) -> dict[str, Any] | None:
        """What was answered for an idempotency key before, or is about to be."""
        row = self._db.execute("SELECT body FROM idempotency WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def replace(self, document: dict[str, Any]) -> None:
        """Keep another content for an object that is there."""
        self._begin()
        seq, body = self._db.execute("SELECT seq, body FROM object WHERE id = ?", (document["id"],)).fetchone()
        self._db.execute("UPDATE object SET body = ? WHERE seq = ?", (encode(document), seq))
        self._forget(seq, body)
        self._index(seq, document)

    def delete(self, object_id: str) -> bool:
        """Remove an object; False if there was none."""
        self._begin()
        row = self._db.execute("DELETE FROM object WHERE id = ? RETURNING seq, body", (object_id,)).fetchone()
        if row is not None:
            self._forget(*row)
        return row is not None

    def commit(self) -> None:
        """Make everything changed so far survive the end of this process."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def get(self, object_id: str) -> dict[str, Any] | None:
        """The object, None if there is none."""
        self.commit()
        row = self._db.execute("SELECT body FROM object WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else json.loads(row[0])

    def find(self, name: str | None = None, value: str | None = None, *, before: float | None = None) -> Iterator[dict]:
        """Objects in the order they were made; with a characteristic of this name and value in one element, if given.

        `before` leaves out what was made later.
        """
        self.commit()
        seen = before if before is not None else float("inf")
        if name is not None and value is not None:
            inner = "SELECT seq FROM trait WHERE name = ? AND value = ?"
            sql, values = (
                f"SELECT body FROM object WHERE seq IN ({inner}) AND at <= ? ORDER BY seq",
                (name, value, seen),
            )
        else:
            sql, values = "SELECT body FROM object WHERE at <= ? ORDER BY seq", (seen,)
        for (body,) in self._db.execute(sql, values):
            yield json.loads(body)

    def count(self) -> int:
        """How many objects there are."""
        self.commit()
        return self._db.execute("SELECT count(*) FROM object").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self.commit()
        self._db.close()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _index(self, seq: int, document: dict[str, Any]) -> None:
        self._db.executemany("INSERT INTO trait VALUES (?, ?, ?)", self._entries(seq, document))

    def _forget(self, seq: int, body: str) -> None:
        entries = self._entries(seq, json.loads(body))
        self._db.executemany("DELETE FROM trait WHERE name = ? AND value = ? AND seq = ?", entries)

    def _entries(self, seq: int, document: dict[str, Any]) -> list[tuple[str, str, int]]:
        return sorted({(one["name"], text(one["value"]), seq) for one in document.get(self._traits) or ()})


def text(value: object) -> str:
    """A JSON value as it is written in a query: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else encode(value)
