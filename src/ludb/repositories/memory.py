"""A repository that lives as long as its process: for rehearsals, tests and one-off runs that need no restart."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import StaticPool

from ludb.repositories.store.database import Database
from ludb.repositories.store.repository import StoreRepository
from ludb.repositories.store.sqlite_session import sqlite_engine, translate
from ludb.repositories.store.types import metadata


def _new_id() -> str:
    return uuid.uuid4().hex


@cache
def _blank() -> Any:
    """The tables without a row. Copying them is far quicker than making them, and tests open many repositories."""
    connection: Any = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    engine = sqlite_engine(StaticPool(lambda: connection))
    with engine.begin() as session:
        metadata.create_all(session, checkfirst=False)
    return connection


_BLANK_LOCK = threading.Lock()


class MemoryRepository(StoreRepository):
    """The same store over one in-memory SQLite database. All threads share its connection, one transaction at a time.

    `url` is taken for the sake of the registry and says nothing.
    """

    def __init__(
        self, url: str = "memory", *, clock: Callable[[], float] = time.time, ids: Callable[[], str] = _new_id
    ) -> None:
        """Make an empty repository."""

        def connect() -> Any:  # a DBAPI connection, by SQLAlchemy's own description
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            with _BLANK_LOCK:
                _blank().backup(connection)
            return connection

        engine = sqlite_engine(StaticPool(connect))
        lock = threading.RLock()
        super().__init__(
            Database(engine, name=url, clock=clock, ids=ids, translate=translate, lock=lock, exclusive=True)
        )
