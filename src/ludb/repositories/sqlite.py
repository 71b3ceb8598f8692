"""The repository in one SQLite file: several processes of one host share it."""

from __future__ import annotations

import os
import random
import sqlite3
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import QueuePool, make_url
from sqlalchemy.exc import ArgumentError

from ludb.errors import ConfigError, TransientError
from ludb.repositories.store.database import Database
from ludb.repositories.store.repository import StoreRepository
from ludb.repositories.store.sqlite_session import BUSY_SECONDS, PatientConnection, is_busy, sqlite_engine, translate

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "beegfs"}
    | {"gpfs", "gfs2", "ocfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.s3fs", "fuse.rclone", "davfs"}
)
_MOUNTS = Path("/proc/mounts")


def _new_id() -> str:
    return uuid.uuid4().hex


class SqliteRepository(StoreRepository):
    """The store in a file: WAL, `synchronous=FULL`, writers queue for up to 30 seconds. Never share it over `fork`.

    `url` is `sqlite:////absolute/path`, `sqlite:///relative/path` or a plain path. Folder, file (mode 0600) and tables
    are made on first use. Raises `ConfigError` for a file that is not ours, is newer than this program or lies on a
    network file system (SQLite's locks do not hold there), `TransientError` if the file stays locked.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time, ids: Callable[[], str] = _new_id) -> None:
        """Open the file."""
        path = path_of(url)
        _make_file(path)
        mounted = network_mount(path, _MOUNTS.read_text() if _MOUNTS.exists() else "")
        if mounted:
            raise ConfigError(
                f"job repository {path} lies on a network file system ({mounted}), where locks do not hold",
                remedy="Put it on a local disk (--state or --repository), or use a database server",
            )
        self.path = path
        pool = QueuePool(lambda: _connect(path), pool_size=8, max_overflow=56, timeout=BUSY_SECONDS)
        engine = sqlite_engine(pool)
        super().__init__(Database(engine, name=str(path), clock=clock, ids=ids, translate=translate, exclusive=True))


def path_of(url: str) -> Path:
    """The absolute path of a repository URL; `ConfigError` if it names no file."""
    if "://" not in url:
        return Path(url).absolute()
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"{url} is not a URL", field="--repository", remedy="Write sqlite:////absolute/path"
        ) from error
    if parsed.drivername != "sqlite" or not parsed.database or parsed.database == ":memory:" or parsed.query:
        raise ConfigError(
            f"{parsed.render_as_string()} names no SQLite file",
            field="--repository",
            remedy="Write sqlite:////absolute/path, without options; `memory` is a type of its own",
        )
    return Path(parsed.database).absolute()


def network_mount(path: Path, mounts: str) -> str:
    """The type of the network file system that holds `path`, by the text of /proc/mounts; empty if local."""
    where, kind = "", ""
    target = str(path.resolve())
    for line in mounts.splitlines():
        parts = line.split()
        if len(parts) < 3:
            continue
        point = parts[1].encode().decode("unicode_escape").rstrip("/")
        # The last of equal mount points is the one on top.
        if (target == point or target.startswith(point + "/")) and len(point) >= len(where):
            where, kind = point, parts[2]
    return kind if kind in _NETWORK else ""


def _make_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only ever a new file: opening and closing a live one would drop this process's SQLite locks on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not path.is_file():
            raise ConfigError(f"job repository {path} is no file", remedy="Name a file as --repository") from None
    except OSError as error:
        raise ConfigError(
            f"job repository {path} cannot be made: {error.strerror}", remedy="Name a folder that can be written"
        ) from error


def _connect(path: Path) -> Any:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, factory=PatientConnection
    )
    try:
        _use_wal(connection, path)
        connection.execute("PRAGMA synchronous=FULL")
        # What a purge removes is overwritten in the file, not only unlinked.
        connection.execute("PRAGMA secure_delete=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Turn the write-ahead log on. SQLite answers BUSY at once here when two processes do it, without waiting."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            if time.monotonic() > deadline:
                raise TransientError(f"job repository {path} stays locked", system="repository") from error
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311  (spreads waiting processes, no secret)
        else:
            if mode != "wal":
                raise ConfigError(
                    f"job repository {path} cannot use a write-ahead log (SQLite chose {mode})",
                    remedy="Put it on a local disk",
                )
