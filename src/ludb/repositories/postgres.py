"""The repository in a PostgreSQL database: processes of many hosts share it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ludb.errors import LudbError
from ludb.repositories.store.database import Database
from ludb.repositories.store.repository import StoreRepository
from ludb.repositories.store.server_session import (
    PATIENCE,
    address,
    refuse_volatile,
    server_engine,
    shown,
    sorted_error,
)

_LOCK = 0x6C756462  # "ludb": the advisory lock of whoever makes or upgrades the tables
_DURABLE = {
    "fsync": frozenset({"on"}),
    "synchronous_commit": frozenset({"on", "remote_write", "remote_apply", "local"}),
}
_CONFIG = ("28", "3D", "42", "25006")
"""SQLSTATE classes and codes that only a person can mend: rights, no such database, no such table, a read-only server."""
_FATAL = ("22", "XX001", "XX002", "54")
"""Values that the store cannot hold, damaged data, limits of the server."""


def _new_id() -> str:
    return uuid.uuid4().hex


class PostgresRepository(StoreRepository):
    """The store on a server, in the schema that the search path names first. Tables are made on first use.

    `url` is `postgresql://user:password@host:port/database`. Raises `ConfigError` for a server that may forget what it
    committed, rights that are missing, a store that is newer than this program; `TransientError` while the server is away.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time, ids: Callable[[], str] = _new_id) -> None:
        """Open the store."""
        parsed, volatile = address(url, "postgresql+psycopg")
        options = f"-c lock_timeout={PATIENCE}s -c idle_in_transaction_session_timeout={2 * PATIENCE}s"
        arguments = {
            "application_name": "ludb:repository",
            "keepalives_idle": 15,
            "connect_timeout": 10,
            "options": options,
        }
        engine = server_engine(parsed, begin=_begin, arguments=arguments)
        name = shown(parsed, "postgresql")
        database = Database(engine, name=name, clock=clock, ids=ids, translate=translate, alone=_alone)
        if not volatile:
            _check(database)
        super().__init__(database)


def _begin(connection: Connection, writes: bool) -> None:
    """Set what psycopg's own BEGIN says, which costs no further message to the server."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    level = psycopg.IsolationLevel.READ_COMMITTED if writes else psycopg.IsolationLevel.REPEATABLE_READ
    if driver.isolation_level is not level and not driver.closed:  # of a closed one the first statement will tell
        driver.isolation_level, driver.read_only = level, not writes


def _check(database: Database) -> None:
    try:
        with database.read() as connection:
            found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in _DURABLE}
        refuse_volatile(database.name, found, _DURABLE)
    except BaseException:
        database.close()
        raise


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")  # let go at the transaction's end
    yield


def translate(error: DBAPIError, name: str) -> LudbError:
    """The error of ours, by SQLSTATE. Only the server's own short words are repeated, never values."""
    driver = error.orig
    state = (driver.sqlstate if isinstance(driver, psycopg.Error) else None) or ""
    words = (driver.diag.message_primary if isinstance(driver, psycopg.Error) else None) or str(driver).split("\n")[0]
    refused = not state and any(sign in str(driver) for sign in ("authentication failed", "does not exist"))
    kind = "config" if refused or state.startswith(_CONFIG) else "fatal" if state.startswith(_FATAL) else "transient"
    return sorted_error(name, kind, f"{words} ({state})" if state else words)
