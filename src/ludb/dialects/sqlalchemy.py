"""Any database that SQLAlchemy has a dialect for, as source and target share it: settings, engine, sessions.

What SQLAlchemy does not say alike for all of them stands in the tables of this module, by dialect. A dialect that is in none
of them gets its own defaults.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.dialects.sqlalchemy_errors import translate
from ludb.errors import ConfigError

READS = {"postgresql": "REPEATABLE READ", "mysql": "REPEATABLE READ", "mariadb": "REPEATABLE READ",
         "oracle": "SERIALIZABLE", "mssql": "SNAPSHOT"}  # fmt: skip
"""The isolation of a source's transactions by dialect: the level at which all statements see one moment. SQLite's own
transactions do so, whatever they are called.
"""
WRITES = dict.fromkeys(("postgresql", "mysql", "mariadb", "oracle", "mssql"), "READ COMMITTED")
"""The isolation of a target's transactions by dialect."""
MYSQL = frozenset({"mysql", "mariadb"})
"""The names that SQLAlchemy gives to one family."""
Connection = sa.Connection
"""A connection; it begins a transaction by itself with its first statement."""
_STRICT = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE"


class LedgerSchema(BaseModel):
    """Where a target keeps its ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    in_schema: str = Field(
        alias="schema", min_length=1, description="The schema that holds `ludb_ledger`; it must be there"
    )


class SqlalchemySystem(SystemSettings):
    """A database by its SQLAlchemy address: `{type: sqlalchemy, url: "oracle+oracledb://..."}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: Literal["sqlalchemy"] = Field(description="Any database with a SQLAlchemy dialect")
    url: SecretStr = Field(description="dialect+driver://user:password@host:port/database, as SQLAlchemy reads it")
    in_schema: str | None = Field(
        default=None, alias="schema", min_length=1, description="Schema of tables without one"
    )
    ledger: LedgerSchema | None = Field(default=None, description="Target: {schema: ...}; default: the system's schema")
    isolation: str | None = Field(
        default=None, description="Source: isolation level of a chunk's reads, in the dialect's words"
    )
    session: tuple[str, ...] = Field(default=(), description="Statements that every connection starts with")
    fetch_rows: int = Field(default=5_000, ge=1, description="Source: rows taken at a time")
    lock_timeout: float = Field(
        default=10.0, gt=0, description="PostgreSQL, MySQL, SQLite: seconds to wait for another transaction's lock"
    )
    idle_timeout: float = Field(
        default=60.0, gt=0,
        description="Target, PostgreSQL and MySQL: seconds after which the server ends a silent worker's transaction",
    )  # fmt: skip
    allow_not_durable: bool = Field(
        default=False, description="Target, for tests: accept a server that may lose commits"
    )


class Database:
    """One system by its engine. `write` is whether its sessions may, `levels` their isolation by dialect, None for the driver's.
    Connections are opened one by one, none is kept.
    """

    def __init__(
        self,
        name: str,
        settings: SqlalchemySystem,
        surroundings: Surroundings,
        *,
        write: bool,
        levels: Callable[[str], str | None] = WRITES.get,
    ) -> None:
        """Nothing is opened yet."""
        self.name, self.settings, self._write, self._levels = name, settings, write, levels
        self._folder = surroundings.folder
        self._engine: sa.Engine | None = None

    @property
    def engine(self) -> sa.Engine:
        """The engine; `ConfigError` for an address that cannot be read, or a dialect or driver that is not installed."""
        if self._engine is None:
            self._engine = self._made()
        return self._engine

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name of the dialect: `oracle`."""
        return self.engine.dialect.name

    def connect(self) -> sa.Connection:
        """A connection that begins a transaction with its first statement; errors as `errors` has them."""
        with self.errors("connect"):
            connection = self.engine.connect()
            try:
                level = self._levels(self.dialect)
                if level:
                    connection = connection.execution_options(isolation_level=level)
                if not self._write and self.dialect == "postgresql":
                    connection = connection.execution_options(postgresql_readonly=True)
            except BaseException:
                connection.close()
                raise
        return connection

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Errors of SQLAlchemy and of the driver leave as what happens next; those of data as `UnitError` without units."""
        try:
            yield
        except (sa.exc.SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise translate(error, self.name, doing) from error

    def _made(self) -> sa.Engine:
        remedy = "Write dialect+driver://user:password@host/database, and install the driver"
        try:
            url = sa.make_url(self.settings.url.get_secret_value())
            if url.get_backend_name() == "sqlite":
                url = self._file(url)
            engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError, ValueError) as error:
            told = error if isinstance(error, sa.exc.NoSuchModuleError | ImportError) else "the url cannot be read"
            raise ConfigError(f"system {self.name}: {told}", field="url", remedy=remedy) from None
        if engine.dialect.is_async:
            raise ConfigError(
                f"system {self.name}: the driver is asynchronous", field="url", remedy="Name another driver"
            )
        event.listen(engine, "connect", self._begin_session)
        if engine.dialect.name == "sqlite":
            # The driver's own BEGIN comes too late; a writer takes its lock at once, so that it cannot fail later.
            event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE" if self._write else "BEGIN"))
        return engine

    def _file(self, url: sa.URL) -> sa.URL:
        """A SQLite file that is there, seen from the job's folder."""
        path = self._folder / Path(url.database or "")
        if not path.is_file():
            raise ConfigError(
                f"system {self.name}: there is no file {url.database}", field="url", remedy="Correct the path"
            )
        return url.set(database=str(path))

    def _begin_session(self, raw: Any, _: object) -> None:
        """What a new connection starts with, before any transaction."""
        if self.dialect == "sqlite":
            raw.isolation_level = None
            # Bytes that are no UTF-8 become lone surrogates, which are refused by row.
            raw.text_factory = lambda held: held.decode("utf-8", "surrogateescape")
        cursor = raw.cursor()
        for statement in (*self._statements(), *self.settings.session):
            cursor.execute(statement)
        cursor.close()
        raw.commit()

    def _statements(self) -> Iterator[str]:
        """One zone and one text form of every moment, strictness, and a limit to every wait."""
        settings, wait = self.settings, round(self.settings.lock_timeout * 1000)
        if self.dialect == "postgresql":
            yield from ("SET timezone = 'UTC'", "SET datestyle = 'ISO, YMD'", "SET intervalstyle = 'postgres'")
            yield f"SET lock_timeout = {wait}"
            if self._write:
                yield f"SET idle_in_transaction_session_timeout = {round(settings.idle_timeout * 1000)}"
        elif self.dialect in MYSQL:
            yield from ("SET NAMES utf8mb4", "SET SESSION time_zone = '+00:00'", f"SET SESSION sql_mode = '{_STRICT}'")
            yield f"SET SESSION innodb_lock_wait_timeout = {max(1, wait // 1000)}"
            if self._write:
                yield f"SET SESSION wait_timeout = {max(1, round(settings.idle_timeout))}"
            else:
                yield "SET SESSION TRANSACTION READ ONLY"
        elif self.dialect == "sqlite":
            yield f"PRAGMA busy_timeout = {wait}"
            yield "PRAGMA foreign_keys = ON"
            if not self._write:
                yield "PRAGMA query_only = ON"


@contextmanager
def quiet() -> Iterator[None]:
    """SQLAlchemy warns of types that it does not know; `ludb` says so itself, by table and column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        yield
