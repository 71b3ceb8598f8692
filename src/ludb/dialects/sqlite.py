"""SQLite, as source and target share it: settings, connections, names, errors. Standard-library `sqlite3`
throughout.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from ludb.dialects.durable import has_room
from ludb.dialects.settings import Surroundings, SystemSettings
from ludb.errors import ConfigError, LudbError, RoomError, TransientError

_WAIT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}
_DISK = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteSystem(SystemSettings):
    """A SQLite database file: `{type: sqlite, url: "sqlite:////data/legacy.db"}`."""

    type: Literal["sqlite"] = Field(description="A SQLite database file")
    url: SecretStr = Field(
        description="sqlite:////absolute/path, sqlite:///relative/path or a plain path; relative ones start in the job folder"
    )
    busy_timeout: float = Field(default=30.0, ge=0, description="Seconds to wait for another writer's lock")


def database_path(settings: SqliteSystem, surroundings: Surroundings) -> Path:
    """The file that a system's `url` means, relative ones below the job's folder. `ConfigError` for other kinds of
    URL.
    """
    url = settings.url.get_secret_value()
    if url.startswith("sqlite:///"):
        url = url[len("sqlite:///") :]
    elif "://" in url or url == ":memory:":
        raise ConfigError(
            "the url is not that of a SQLite file", field="url", remedy="Write sqlite:////absolute/path or a plain path"
        )
    if not url:
        raise ConfigError("the url names no file", field="url", remedy="Write sqlite:////absolute/path or a plain path")
    return surroundings.folder / url


def connect(path: Path, system: str, *, write: bool, busy_timeout: float) -> sqlite3.Connection:
    """A connection to a database that is there already, in autocommit mode; read-only unless `write`.

    Raises `ConfigError` where there is no such file or it is not a database.
    """
    if not path.is_file():
        raise ConfigError(
            f"system {system}: no database at {path}", field=f"systems.{system}.url",
            remedy="Create it first, or mend the system's url",
        )  # fmt: skip
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False, cached_statements=64
        )
    except sqlite3.Error as error:
        raise translate(error, system, "open the database", path) from error
    try:
        if write:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=FULL")
        connection.execute("SELECT 1 FROM main.sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, system, f"open {path}", path) from error
    return connection


def file_of(connection: sqlite3.Connection) -> Path | None:
    """The file of an open database; None if it cannot say."""
    try:
        return Path(connection.execute("PRAGMA database_list").fetchone()[2])
    except (sqlite3.Error, TypeError):
        return None


def quote(name: str) -> str:
    """An identifier in double quotes, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def is_busy(error: sqlite3.Error) -> bool:
    """True where another connection holds the lock."""
    return _code(error) in _BUSY


def translate(error: sqlite3.Error, system: str, doing: str, path: Path | None = None) -> LudbError:
    """A driver error by what happens next: `RoomError` where the database cannot grow, `TransientError` for locks and a
    failing disk, else `ConfigError`. `path` is the file, where it is known.
    """
    text = f"system {system}: could not {doing}: {error}"
    if is_full(error, path):
        return RoomError(
            f"{text} ({path})" if path and str(path) not in text else text, system=system, path=str(path or "")
        )
    if _code(error) in _WAIT:
        return TransientError(text, system=system)
    return ConfigError(text, remedy="Mend the job or the database")


def is_full(error: BaseException | None, path: Path | None) -> bool:
    """Whether SQLite could not write for want of room; it tells that of the log and its index only as a failing disk."""
    code = _code(error)
    return code == sqlite3.SQLITE_FULL or (code in _DISK and path is not None and not has_room(path))


def _code(error: BaseException | None) -> int:
    """The primary result code; extended codes carry it in their low byte."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
