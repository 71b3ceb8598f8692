"""MySQL and MariaDB, as source and target share them: settings, connections, names, literals.

Everything is asked for and answered as text of the server's own (`conv` holds no decoders, `use_unicode` is off), so that
no driver turns a zero date, a TIME beyond a day or a decimal into something near it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import pymysql
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ludb.dialects.mysql_errors import translate
from ludb.dialects.mysql_stream import Packets, Values
from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.errors import ConfigError, TransientError

Raw = tuple[bytes | None, ...]
"""A row as the server sends it: each value as the bytes of its text, None for NULL."""

KEEPALIVE = 15
"""Seconds after which a silent connection is looked at."""
PATIENCE = 600
"""Seconds that the server waits for us to take rows of a stream, or to send a statement's rest."""
SOURCE_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO"
"""The SQL mode of reading sessions: backslashes escape, double quotes quote text, CHAR is not padded."""


class Tls(BaseModel):
    """The connection is encrypted, and the server proves who it is: to the machine's authorities, or to `ca`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ca: str | None = Field(default=None, description="File with the authorities that may vouch for the server")
    cert: str | None = Field(default=None, description="File with our own certificate")
    key: str | None = Field(default=None, description="File with our own key")
    verify: Literal["identity", "ca", "none"] = Field(
        default="identity", description="What the server's certificate must prove"
    )


class Ledger(BaseModel):
    """Where a target keeps its ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    in_schema: str | None = Field(
        default=None, alias="schema", description="Database of the table ludb_ledger; default: the system's own"
    )


class MysqlSystem(SystemSettings):
    """A database on a MySQL or MariaDB server: `{type: mysql, url: "mysql://user:${PASSWORD}@host:3306/shop"}`."""

    type: Literal["mysql"] = Field(description="A database on a MySQL or MariaDB server")
    url: SecretStr | None = Field(
        default=None, description="mysql://user:password@host:port/database, or the fields below"
    )
    host: str = Field(default="localhost", description="The server's name or address")
    port: int = Field(default=3306, ge=1, le=65535, description="The server's port")
    socket: str | None = Field(default=None, description="The server's local socket, instead of host and port")
    user: SecretStr = Field(default=SecretStr(""), description="Who logs in")
    password: SecretStr = Field(default=SecretStr(""), description="The user's password")
    database: str = Field(default="", description="The database that table names without one mean")
    tls: Tls | None = Field(default=None, description="Encrypt the connection")
    ledger: Ledger = Field(default=Ledger(), description="Where a target keeps its ledger")
    connections: int | None = Field(
        default=None, ge=1, description="At most so many connections of all workers together; default: no limit of ours"
    )
    fetch_rows: int = Field(default=50_000, ge=1, description="Rows that are read and typed at a time")
    connect_timeout: int = Field(default=10, ge=1, description="Seconds to wait for a connection")
    lock_timeout: int = Field(default=30, ge=1, description="Seconds to wait for another transaction's lock")
    statement_timeout: float = Field(default=3600, ge=0, description="Seconds that one statement may take; 0: no limit")
    idle_timeout: int = Field(
        default=120, ge=1, description="Seconds after which the server ends an idle transaction; twice the lease"
    )
    zero_dates: bool = Field(default=False, description="Let dates such as 0000-00-00 into a target")

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, given: Any) -> Any:
        """The parts of the url become the fields; a field beside it wins."""
        url = given.get("url") if isinstance(given, dict) else None
        if not url:
            return given
        text = url.get_secret_value() if isinstance(url, SecretStr) else str(url)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError("the url cannot be read: write mysql://user:password@host:port/database") from None
        if parts.scheme not in ("mysql", "mariadb"):
            raise ValueError("the url is not that of a MySQL server: write mysql://user:password@host:port/database")
        more = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        strangers = more.keys() - {"socket"}
        if strangers:
            raise ValueError(f"the url has parameters that are not known: {', '.join(sorted(strangers))}")
        read = {
            "host": unquote(parts.hostname or ""),
            "port": port,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": unquote(parts.path.lstrip("/")),
            **more,
        }
        return {name: value for name, value in read.items() if value} | given

    @model_validator(mode="after")
    def _complete(self) -> MysqlSystem:
        if not self.database:
            raise ValueError("no database is named: write it into the url or as database:")
        return self


class Session:
    """One connection, in which every error is already ours. Not for two threads."""

    def __init__(self, raw: Any, system: str) -> None:
        """`raw` is an open connection as `connect` makes it."""
        self.raw, self.system = raw, system
        self.mariadb = "mariadb" in raw.get_server_info().lower()

    def run(self, sql: str | bytes, doing: str) -> tuple[int, int]:
        """Run one statement: (rows changed, warnings and notes)."""
        with self.errors(doing), self.raw.cursor() as cursor:
            changed = cursor.execute(sql)
            return int(changed), int(cursor.warning_count)

    def rows(self, sql: str, doing: str) -> list[Raw]:
        """All rows of a query."""
        with self.errors(doing), self.raw.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def texts(self, sql: str, doing: str) -> list[tuple[str, ...]]:
        """All rows of a query over names; NULL is empty text."""
        return [tuple((value or b"").decode() for value in row) for row in self.rows(sql, doing)]

    def number(self, sql: str, doing: str) -> int:
        """The one number that a query gives."""
        ((value,),) = self.rows(sql, doing)
        assert value is not None
        return int(value)

    def stream(self, sql: str, size: int, doing: str) -> Iterator[Values]:
        """A query's rows, at most `size` at a time, as columns of the bytes that the server sends; nothing for no rows.
        Nothing else may be asked meanwhile.
        """
        with self.errors(doing):
            self.raw.query(sql, unbuffered=True)
        packets = Packets(self.raw, size)
        pieces = packets.pieces()
        try:
            while True:
                with self.errors(doing):
                    columns = next(pieces, None)
                if columns is None:
                    return
                yield columns
        finally:
            with contextlib.suppress(pymysql.err.MySQLError, OSError):  # the rest of a stream that nobody wants
                packets.drain()

    def close(self) -> None:
        """Close the connection, whatever state it is in; an open transaction is rolled back by the server."""
        with contextlib.suppress(pymysql.err.MySQLError, OSError):
            self.raw.close()

    @contextlib.contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Driver errors inside become ours."""
        try:
            yield
        except pymysql.err.MySQLError as error:
            raise translate(error, self.system, doing) from error
        except OSError as error:  # the driver lets some of the network's own through
            lost = pymysql.err.OperationalError(2013, f"the connection was lost: {error}")
            raise translate(lost, self.system, doing) from error


def connect(
    settings: MysqlSystem, surroundings: Surroundings, system: str, *, mode: str, isolation: str, program: str = "ludb"
) -> Session:
    """A connection with our session settings: utf8mb4, zone +00:00, strict, time-outs; autocommit on.

    `mode` is the SQL mode, `isolation` that of transactions. `ConfigError` for a refused login or a missing database,
    `TransientError` while the server is away.
    """
    try:
        raw = pymysql.connect(
            host=settings.host,
            port=settings.port,
            unix_socket=settings.socket,
            user=settings.user.get_secret_value(),
            password=settings.password.get_secret_value(),
            database=settings.database,
            charset="utf8mb4",
            use_unicode=False,
            conv=dict(pymysql.converters.encoders),
            autocommit=True,
            connect_timeout=settings.connect_timeout,
            program_name=program,
            **_tls(settings.tls, surroundings.folder),
        )
    except pymysql.err.MySQLError as error:
        if isinstance(error.__cause__ or error.__context__, ssl.SSLCertVerificationError):
            raise ConfigError(
                f"system {system}: could not connect: {error.__cause__ or error.__context__}",
                remedy="Mend ca: or verify: under tls:, or the server's certificate",
            ) from error
        raise translate(error, system, "connect") from error
    except OSError as error:
        raise ConfigError(f"system {system}: could not connect: {error}", remedy="Mend the files under tls:") from error
    session = Session(raw, system)
    _keep_alive(raw)
    try:
        session.run(f"SET SESSION {', '.join(_variables(settings, session.mariadb, mode))}", "set up the session")
        session.run(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}", "set up the session")
    except BaseException:
        session.close()
        raise
    return session


def take_turn(session: Session, settings: MysqlSystem) -> None:
    """Hold one of the `connections` that all workers share, until the session ends; by the server's named locks.

    `TransientError` if none gets free within the connect time-out.
    """
    if settings.connections is None:
        return
    until = time.monotonic() + settings.connect_timeout
    while True:
        for number in range(settings.connections):
            name = literal(f"ludb.{settings.database[:48]}.{number}")
            if session.number(f"SELECT coalesce(GET_LOCK({name}, 0), 0)", "wait for a connection's turn"):
                return
        if time.monotonic() > until:
            raise TransientError(
                f"system {session.system}: all {settings.connections} connections that its settings allow are in use",
                system=session.system,
            )
        session.run("DO SLEEP(0.05)", "wait for a connection's turn")


def _variables(settings: MysqlSystem, mariadb: bool, mode: str) -> list[str]:
    found = [
        f"sql_mode = '{mode}'",
        "time_zone = '+00:00'",
        "foreign_key_checks = 1",
        "unique_checks = 1",
        "sql_safe_updates = 0",
        "group_concat_max_len = 1000000",
        f"innodb_lock_wait_timeout = {settings.lock_timeout}",
        f"lock_wait_timeout = {settings.lock_timeout}",
        f"net_write_timeout = {PATIENCE}",
        f"net_read_timeout = {PATIENCE}",
    ]
    if mariadb:
        found += [
            f"idle_transaction_timeout = {settings.idle_timeout}",
            f"max_statement_time = {settings.statement_timeout}",
            "max_recursive_iterations = 4294967295",
        ]
    else:
        # MySQL knows no time-out of idle transactions, so the idle connection goes.
        found += [
            f"wait_timeout = {settings.idle_timeout}",
            f"max_execution_time = {int(settings.statement_timeout * 1000)}",
            "cte_max_recursion_depth = 4294967295",
        ]
    return found


def _tls(tls: Tls | None, folder: Path) -> dict[str, Any]:
    if tls is None:
        return {}
    context = ssl.create_default_context(cafile=str(folder / tls.ca) if tls.ca else None)
    context.check_hostname = tls.verify == "identity"
    context.verify_mode = ssl.CERT_NONE if tls.verify == "none" else ssl.CERT_REQUIRED
    if tls.cert:
        context.load_cert_chain(str(folder / tls.cert), str(folder / tls.key) if tls.key else None)
    return {"ssl": context}


def _keep_alive(raw: Any) -> None:
    """A peer that vanished without a word is noticed."""
    held = getattr(raw, "_sock", None)
    if isinstance(held, socket.socket) and held.family in (socket.AF_INET, socket.AF_INET6):
        held.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if hasattr(socket, option):
                held.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), KEEPALIVE)


def quote(name: str) -> str:
    """An identifier in backticks, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def literal(text: str) -> str:
    """A text in single quotes that the server reads back byte for byte (backslashes escape in our SQL modes)."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


def placed(schema: str, name: str) -> str:
    """A table's full name."""
    return f"{quote(schema)}.{quote(name)}"


def conjunction(parts: Sequence[str]) -> str:
    """All of the conditions."""
    return " AND ".join(parts)
