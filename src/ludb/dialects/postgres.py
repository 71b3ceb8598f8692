"""PostgreSQL, as source and target share it: settings, connections, names, and errors by what happens next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ludb.dialects.settings import SystemSettings
from ludb.errors import ConfigError, LudbError, TransientError

_TRANSIENT = re.compile(r"08...|40001|40P01|55P03|57P0[1-5]|57014|53...|25P0[34]|58...|72000")
_MISFIT = re.compile(r"2[23]...|44000|P0001|P0004|09000")
_HOPELESS = re.compile(
    r"authentication failed|no pg_hba|(?:role|database) \".*\" does not exist|is not permitted to log in|no password"
    r"|could not translate host name|invalid (?:connection option|sslmode|port)|certificate|does not support SSL"
    r"|not a valid|missing \"=\"",
    re.IGNORECASE,
)


class LedgerPlace(BaseModel):
    """Where a target keeps its ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    in_schema: str = Field(alias="schema", min_length=1, description="The schema that holds `ludb_ledger`")


class PostgresSystem(SystemSettings):
    """A PostgreSQL database: `{type: postgres, url: "${BILLING_URL}"}`, or its parts one by one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: Literal["postgres"] = Field(description="A PostgreSQL database")
    url: SecretStr | None = Field(default=None, description="postgresql://user:password@host:5432/database")
    host: str | None = Field(default=None, description="Host name, or the folder of the server's socket")
    port: int | None = Field(default=None, ge=1, le=65535, description="5432 where nothing is said")
    database: str | None = Field(default=None, description="Name of the database")
    user: str | None = Field(default=None, description="Role that connects")
    password: SecretStr | None = Field(default=None, description="Its password: write ${NAME}, never the word itself")
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] | None = Field(
        default=None, description="TLS: verify-full checks certificate and host name"
    )
    sslrootcert: str | None = Field(default=None, description="File of the authorities that are trusted")
    sslcert: str | None = Field(default=None, description="File of the client's certificate")
    sslkey: str | None = Field(default=None, description="File of the client's key")
    in_schema: str = Field(default="public", alias="schema", min_length=1, description="Schema of tables without one")
    ledger: LedgerPlace | None = Field(default=None, description="Target: {schema: ...}; default: the system's schema")
    connections: int | None = Field(default=None, ge=1, description="Source: reads at most this many at a time")
    fetch_bytes: int = Field(default=8 << 20, ge=4096, description="Source: size of the pieces in which rows arrive")
    connect_timeout: int = Field(default=10, ge=2, description="Seconds to wait for a connection")
    lock_timeout: float = Field(default=10.0, gt=0, description="Seconds to wait for another transaction's lock")
    statement_timeout: float = Field(default=0.0, ge=0, description="Seconds that a statement may take; 0: any time")
    idle_timeout: float = Field(
        default=60.0,
        gt=0,
        description="Target: seconds after which the server ends a transaction whose worker is silent",
    )
    allow_not_durable: bool = Field(
        default=False, description="Target, for tests: accept fsync=off, synchronous_commit=off and UNLOGGED tables"
    )


def conninfo(settings: PostgresSystem, application: str = "ludb") -> str:
    """What libpq needs to know to connect; single fields win over the url. `ConfigError` for a url it cannot read."""
    url = settings.url.get_secret_value() if settings.url else ""
    if url and "://" in url and not re.match(r"postgres(?:ql)?://", url):
        raise ConfigError(
            "the url is not that of PostgreSQL", field="url", remedy="Write postgresql://user@host/database"
        )
    password = settings.password.get_secret_value() if settings.password else None
    named = {
        "host": settings.host,
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": password,
        "sslmode": settings.sslmode,
        "sslrootcert": settings.sslrootcert,
        "sslcert": settings.sslcert,
        "sslkey": settings.sslkey,
    }
    try:
        given = conninfo_to_dict(url) | {name: value for name, value in named.items() if value is not None}
        given |= {"application_name": application[:63], "connect_timeout": settings.connect_timeout}
        given |= {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "client_encoding": "UTF8"}
        return make_conninfo("", **given)
    except psycopg.Error:
        # The driver's own words could show the password.
        raise ConfigError(
            "the url cannot be read", field="url", remedy="Write postgresql://user@host/database"
        ) from None


def session(settings: PostgresSystem, *, write: bool) -> tuple[str, ...]:
    """The statements that every connection starts with: one text form of every value, and a limit to every wait."""
    always = [
        "SET timezone = 'UTC'",
        "SET datestyle = 'ISO, YMD'",
        "SET intervalstyle = 'postgres'",
        "SET extra_float_digits = 1",
        "SET bytea_output = 'hex'",
        "SET standard_conforming_strings = on",
        f"SET lock_timeout = {_milliseconds(settings.lock_timeout)}",
        f"SET statement_timeout = {_milliseconds(settings.statement_timeout)}",
    ]
    if write:
        return (*always, f"SET idle_in_transaction_session_timeout = {_milliseconds(settings.idle_timeout)}")
    return (*always, "SET default_transaction_read_only = on")


def connect(
    settings: PostgresSystem, system: str, *, write: bool, application: str = "ludb"
) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection in autocommit mode; read-only unless `write`. `ConfigError` where it can never succeed."""
    with errors(system, "connect"):
        connection = psycopg.connect(conninfo(settings, application), autocommit=True, prepare_threshold=None)
    try:
        with errors(system, "connect"):
            for statement in session(settings, write=write):
                connection.execute(statement.encode())
            encoding = connection.info.parameter_status("server_encoding")
    except LudbError:
        connection.close()
        raise
    if encoding == "SQL_ASCII":
        connection.close()
        raise ConfigError(
            f"system {system}: the database does not say which character set its texts are in (SQL_ASCII)",
            remedy="Dump it and load it into a database with an encoding",
        )
    return connection


def quote(name: str) -> str:
    """An identifier in double quotes, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a constant of SQL; for COPY, which takes no parameters. `standard_conforming_strings` is on."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def errors(system: str, doing: str) -> Iterator[None]:
    """Driver errors leave as `TransientError` or `ConfigError`; those of data are for `is_misfit` to see first."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, system, doing) from error


def is_misfit(error: psycopg.Error) -> bool:
    """Whether the server refused the data: some unit is at fault, not the world and not the job."""
    return bool(error.sqlstate and _MISFIT.fullmatch(error.sqlstate)) or isinstance(error, psycopg.DataError)


def translate(error: Exception, system: str, doing: str) -> LudbError:
    """A driver error (psycopg or ADBC) by what happens next; its words only where they hold no row value."""
    state = str(getattr(error, "sqlstate", None) or "")
    text = str(error)
    if not state and not isinstance(error, psycopg.DataError):  # no connection, or it was lost
        words = _first_line(text)
        if _HOPELESS.search(text):
            return ConfigError(f"system {system}: could not {doing}: {words}", remedy="Mend the system's settings")
        return TransientError(f"system {system}: could not {doing}: {words}", system=system)
    told = f"system {system}: could not {doing}: {_told(error, state)}"
    if _TRANSIENT.fullmatch(state):
        return TransientError(told, system=system)
    remedy = "Grant the right to this role" if state == "42501" else "Mend the job or the database"
    return ConfigError(told, remedy=remedy)


def condition(state: str) -> str:
    """What PostgreSQL calls an SQLSTATE, in words: `unique violation`."""
    try:
        name = psycopg.errors.lookup(state).__name__
    except KeyError:
        return f"error {state}"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _told(error: Exception, state: str) -> str:
    """Names of the schema may be shown; messages about data hold values and are told by their condition alone."""
    if state[:2] in ("42", "28", "3D", "3F", "0A", "25", "40", "55", "57", "53", "08"):
        message = getattr(getattr(error, "diag", None), "message_primary", None)
        return f"{message or _first_line(str(error))} ({state})"
    return f"{condition(state)} ({state})"


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.partition("Query was:")[0].splitlines() if line.strip()]
    return lines[0] if lines else "the connection was lost"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
