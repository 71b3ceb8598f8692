"""Everything that only SQLite needs: how its transactions begin and end, and what its errors mean."""

from __future__ import annotations

import random
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Pool, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from ludb.dialects.sqlite import is_full
from ludb.errors import ConfigError, FatalError, LudbError, RoomError, TransientError
from ludb.repositories.store.database import WRITE

BUSY_SECONDS = 30.0
"""How long a statement waits for another process's lock before it gives up."""

_SCHEMA_SIGNS = ("no such table", "no such column", "has no column")


class PatientConnection(sqlite3.Connection):
    """A connection whose COMMIT is repeated while SQLite answers BUSY: the transaction is still alive then."""

    def commit(self) -> None:
        """Commit, waiting up to `BUSY_SECONDS` in jittered steps."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                super().commit()
            except sqlite3.OperationalError as error:
                if not (is_busy(error) and self.in_transaction) or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.001, 0.02))  # noqa: S311  (spreads waiting processes, no secret)
            else:
                return


def is_busy(error: BaseException | None) -> bool:
    """True for BUSY and LOCKED in all their extended forms: somebody else holds the lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def sqlite_engine(pool: Pool) -> Engine:
    """An engine whose writing transactions take the write lock at once: with plain BEGIN two of them would deadlock.

    All engines of a process share what SQLAlchemy compiles, which costs more than SQLite's own work on a small store.
    """
    dialect, compiled = _shared()
    engine = Engine(
        pool,
        dialect,
        make_url("sqlite://"),
        hide_parameters=True,
        execution_options={"compiled_cache": compiled},
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@cache
def _shared() -> tuple[Dialect, dict[Any, Any]]:
    """SQLite's dialect, made ready by a first connection, and the statements compiled for it."""
    first = create_engine("sqlite://", poolclass=StaticPool)
    first.connect().close()
    first.dispose()
    return first.dialect, {}


def translate(error: DBAPIError, name: str) -> LudbError:
    """The error of ours that says what happens next. Only SQLite's own words are repeated, never parameters."""
    said, code = str(error.orig), getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    place = Path(name)
    if is_full(error.orig, place if place.is_absolute() else None):
        return RoomError(f"job repository {name}: {said}", system="repository", path=name)
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigError(f"{name} is not an SQLite database", remedy="Name another file as --repository")
    if any(sign in said for sign in _SCHEMA_SIGNS):
        return ConfigError(
            f"job repository {name} lacks a part of its schema ({said})",
            remedy="Use the ludb version that wrote it, or restore the file",
        )
    if code == sqlite3.SQLITE_READONLY:
        return ConfigError(f"job repository {name} cannot be written ({said})", remedy="Mend the file's permissions")
    if code == sqlite3.SQLITE_CORRUPT:
        return FatalError(f"job repository {name} is damaged ({said}). Restore it from a backup")
    return TransientError(f"job repository {name}: {said}", system="repository")
