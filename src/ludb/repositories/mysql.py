"""The repository in a MySQL or MariaDB database: processes of many hosts share it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ludb.errors import LudbError, TransientError
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

_SESSION = (
    "SET SESSION sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES,ERROR_FOR_DIVISION_BY_ZERO', "
    f"time_zone='+00:00', innodb_lock_wait_timeout={PATIENCE}"
)
_READ = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_WRITE = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
_LOCK = "CONCAT('ludb ', MD5(DATABASE()))"
"""The name of the lock of whoever makes or upgrades the tables; names are of the whole server, and short."""
_DURABLE = {"innodb_flush_log_at_trx_commit": frozenset({"1"})}
_CONFIG = frozenset({1044, 1045, 1049, 1142, 1146, 1054, 1227, 1290, 1698, 1836})
"""Error numbers that only a person can mend: rights, no such database, table or column, a read-only server."""
_FATAL = frozenset({1153, 1264, 1366, 1406, 1436, 1118})
"""A packet or a value that the store cannot hold."""


def _begin(connection: Connection, writes: bool) -> None:
    connection.exec_driver_sql(_WRITE if writes else _READ)


def _new_id() -> str:
    return uuid.uuid4().hex


class MysqlRepository(StoreRepository):
    """The store on a server (MariaDB 10.6 or MySQL 8 on: it skips locked rows). Tables are made on first use.

    `url` is `mysql://user:password@host:port/database`, or `mariadb://`. Raises `ConfigError` for a server that may forget
    what it committed, rights that are missing, a store that is newer than this program; `TransientError` while the server
    is away.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time, ids: Callable[[], str] = _new_id) -> None:
        """Open the store."""
        parsed, volatile = address(url, "mysql+pymysql")
        arguments = {"charset": "utf8mb4", "init_command": _SESSION, "connect_timeout": 10, "local_infile": False}
        engine = server_engine(parsed, begin=_begin, arguments=arguments)
        name = shown(parsed, "mysql")
        database = Database(engine, name=name, clock=clock, ids=ids, translate=translate, alone=_alone)
        if not volatile:
            _check(database)
        super().__init__(database)


def _check(database: Database) -> None:
    try:
        with database.read() as connection:
            found = {name: str(connection.exec_driver_sql(f"SELECT @@{name}").scalar_one()) for name in _DURABLE}
        refuse_volatile(database.name, found, _DURABLE)
    except BaseException:
        database.close()
        raise


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    # DDL commits at once here, so the lock is one outside of the transaction; what was done is committed before it goes.
    if connection.exec_driver_sql(f"SELECT GET_LOCK({_LOCK}, {PATIENCE})").scalar_one() != 1:
        raise TransientError("another process is upgrading the job repository", system="repository")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    finally:
        if not connection.invalidated:  # a lost connection has lost its locks
            connection.exec_driver_sql(f"DO RELEASE_LOCK({_LOCK})")


def translate(error: DBAPIError, name: str) -> LudbError:
    """The error of ours, by the server's number. Only its own words are repeated; the statement's values are hidden."""
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
    words = str(arguments[1]) if len(arguments) > 1 else str(error.orig)
    kind = "config" if number in _CONFIG else "fatal" if number in _FATAL else "transient"
    return sorted_error(name, kind, f"{words} ({number})" if number else words)
