"""Files that survive a loss of power, appear whole or not at all, and never replace one another."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from ludb.errors import RoomError, TransientError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LEAST_ROOM = 64 * 1024
"""Bytes: a file system with less than this counts as full."""
_UNSAFE = set('/\\%:*?"<>|')


def disk_error(error: OSError, what: str, *, system: str, path: Path | None = None) -> TransientError:
    """What a failing disk means: `RoomError` where it is full or a quota is used up, else an error that passes."""
    where = str(path or error.filename or "")
    text = f"{what}: {error.strerror}" + (f" ({where})" if where and where not in what else "")
    if error.errno in _FULL:
        return RoomError(text, system=system, path=where)
    return TransientError(text, system=system)


def has_room(path: Path, least: int = _LEAST_ROOM) -> bool:
    """Whether the file system that holds `path`, or the first folder above it that is there, has room for `least` bytes
    more. True where nobody can tell.
    """
    for place in (path, *path.parents):
        try:
            status = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return True
        return status.f_bavail * status.f_frsize >= least
    return True


def write_new(path: Path, content: bytes) -> None:
    """Create a file with this content; `FileExistsError` if it is there. A write that fails leaves no file.

    Not durable before `sync_file` and `sync_folder`.
    """
    with path.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise


def sync_file(path: Path) -> None:
    """Return when the file's content is on the disk."""
    _sync(path)


def sync_folder(path: Path) -> None:
    """Return when the names in the folder are on the disk."""
    _sync(path)


def sync_folders(path: Path, top: Path) -> None:
    """Return when the names in `path` and in every folder above it, up to `top`, are on the disk."""
    folder = path
    while True:
        sync_folder(folder)
        if folder in (top, folder.parent):
            return
        folder = folder.parent


def publish(temporary: Path, final: Path) -> None:
    """Rename a file, but never over another one: `FileExistsError` then. Both must be on one file system."""
    os.link(temporary, final)
    temporary.unlink()


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_name(name: str) -> str:
    """A name as part of a path: separators, control characters and a leading dot are written as %XX. Distinct names
    stay distinct, as far as the file system tells upper from lower case.
    """
    parts = [f"%{ord(char):02X}" if char in _UNSAFE or ord(char) < 32 else char for char in name]
    if parts and parts[0] == ".":
        parts[0] = "%2E"
    return "".join(parts)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
