"""What repositories on a database server share: an engine that reads in one snapshot, and what addresses may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from ludb.errors import ConfigError, FatalError, LudbError, TransientError
from ludb.repositories.store.database import WRITE

PATIENCE = 30
"""Seconds that a statement waits for another process's lock, and that a thread waits for a free connection."""


def address(url: str, driver: str) -> tuple[URL, bool]:
    """The URL with its driver, and whether durability may be lacking (`?durability=off`: for tests and rehearsals).

    `ConfigError` for a URL that names no database or says something unknown; it never shows a password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            "the repository's address is not a URL", field="--repository", remedy="Write type://user@host/database"
        ) from error
    query = dict(parsed.query)
    durability = query.pop("durability", "on")
    if not parsed.database or query or durability not in {"on", "off"}:
        raise ConfigError(
            f"{parsed.render_as_string()} names no database, or says more than `durability`",
            field="--repository",
            remedy="Write type://user:password@host:port/database",
        )
    return parsed.set(drivername=driver, query={}), durability == "off"


def shown(url: URL, kind: str) -> str:
    """What messages call a store: its address without user and password."""
    return f"{kind}://{url.host or 'localhost'}{f':{url.port}' if url.port else ''}/{url.database}"


def server_engine(url: URL, *, begin: Callable[[Connection, bool], None], arguments: Mapping[str, Any]) -> Engine:
    """An engine whose transactions are prepared by `begin`, which sets their isolation: told whether they will write.

    Reading sees one snapshot, so that counters add up; writing is READ COMMITTED: a row that was waited for is read as its
    last owner left it.
    """
    engine = create_engine(
        url, pool_size=4, max_overflow=60, pool_timeout=PATIENCE, hide_parameters=True, connect_args=dict(arguments)
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        begin(connection, bool(connection.get_execution_options().get(WRITE, False)))

    return engine


def refuse_volatile(name: str, found: Mapping[str, str], wanted: Mapping[str, frozenset[str]]) -> None:
    """`ConfigError` if a setting of the server would let it forget a decision: the one thing that must survive anything."""
    for setting, values in wanted.items():
        if found[setting].lower() not in values:
            raise ConfigError(
                f"job repository {name}: {setting} is {found[setting]}, a crash of the server could forget decisions",
                remedy=f"Set {setting} to {' or '.join(sorted(values))}, or say ?durability=off where nothing is at stake",
            )


def sorted_error(name: str, kind: str, said: str) -> LudbError:
    """The error of ours that says what happens next: `config`, `fatal` or `transient`."""
    told = f"job repository {name}: {said}"
    if kind == "config":
        return ConfigError(told, field="--repository", remedy="Mend the address, the rights or the server's settings")
    if kind == "fatal":
        return FatalError(told)
    return TransientError(told, system="repository")
