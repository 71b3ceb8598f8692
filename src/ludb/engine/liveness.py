"""Who is alive: heartbeats for liveness, locks and confirmations for certainty (PROTOCOL R7)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ludb.model.run import Owner
from ludb.ports.repository import Owners

AT_WORK = ("alive", "dismissed")
"""States of an owner that has neither ended nor is known to be dead."""
LOCKS_AGE = 60.0
"""Seconds after which a lock file that nobody holds is swept: its owner may be about to lock a younger one."""


class OwnerLock:
    """A lock file held for the life of a process: the kernel lets go of it whatever ends the process."""

    def __init__(self, path: Path, handed: int | None = None) -> None:
        """Take the lock; `BlockingIOError` if somebody holds it. `handed` is its open file, where another process took it
        and handed it to this one.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = _locked(path) if handed is None else handed
        os.set_inheritable(self._file, False)

    @property
    def file(self) -> int:
        """The open file, to be handed to another process."""
        return self._file

    def let_go(self) -> None:
        """Close the file without removing it: another process holds the lock from now on."""
        os.close(self._file)
        self._file = -1

    def release(self) -> None:
        """Let go and remove the file; safe to repeat."""
        if self._file >= 0:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            os.close(self._file)
            self._file = -1


def _locked(path: Path) -> int:
    """The open, locked file at `path`. One that its last owner removed between our opening and locking it locks
    nothing: the next comer would make another.
    """
    while True:
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), os.stat(path)):  # noqa: PTH116  (compared with an open file)
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def lock_is_free(path: str) -> bool:
    """Whether nobody holds the lock file (or it is gone)."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def sweep_locks(folder: Path, now: float) -> int:
    """Remove the lock files of owners that are dead: those that nobody holds. Returns how many; `now` in Unix seconds."""
    swept = 0
    for path in [*folder.glob("w-*.lock"), *folder.glob("s-*.lock")]:
        with contextlib.suppress(OSError):  # held (BlockingIOError), or swept by somebody else
            if now - path.stat().st_mtime > LOCKS_AGE:
                OwnerLock(path).release()
                swept += 1
    return swept


def end_owner(owner: Owner, patience: float = 10.0) -> bool:
    """Kill the process of this host that holds the owner's lock; True once the lock is seen free: the owner is dead.

    False where the process is out of reach (another user's, another container's) or is this very one.
    """
    if lock_is_free(owner.lock):
        return True
    try:
        process = os.pidfd_open(owner.pid)
    except OSError:
        return False
    try:
        # Asked after the process was taken hold of: a number that another process has got meanwhile is not hit.
        if owner.pid == os.getpid() or not _has_open(owner.pid, owner.lock):
            return lock_is_free(owner.lock)
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except OSError:
        return lock_is_free(owner.lock)
    finally:
        os.close(process)
    until = time.monotonic() + patience
    while not lock_is_free(owner.lock):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _has_open(pid: int, path: str) -> bool:
    """Whether the process has the file open."""
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208  (no path object for /proc)
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f"/proc/{pid}/fd/{name}") == path:  # noqa: PTH115  (as above)
                return True
    return False


class Liveness:
    """What one observer knows of the other owners of a run.

    `dead` are known to be dead: their lock on this host is free, or somebody who saw them die has said so. `silent` have
    not moved their counter for a whole lease on this observer's own clock; they may wake up.
    """

    def __init__(
        self, owners: Owners, run: str, lease: float, *, host: str = "", monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without knowledge: silence is counted from the first look."""
        self._owners, self._run, self._lease = owners, run, lease
        self._host, self._monotonic = host or socket.gethostname(), monotonic
        self._seen: dict[str, tuple[int, float]] = {}

    def look(self, but: str = "") -> tuple[frozenset[str], frozenset[str]]:
        """(silent, dead) owner ids, without `but`."""
        silent, dead = set(), set()
        for owner in self._owners.all(self._run):
            if owner.id == but:
                continue
            if self.is_dead(owner):
                dead.add(owner.id)
            elif self._is_silent(owner):
                silent.add(owner.id)
        return frozenset(silent), frozenset(dead)

    def end(self, owner: Owner) -> bool:
        """Kill the owner if it is a process of this host; True once it is known to be dead."""
        return self.is_dead(owner) or (owner.host == self._host and end_owner(owner))

    def living(self, role: str) -> Iterator[Owner]:
        """Owners of a role that are not known to be dead."""
        for owner in self._owners.all(self._run):
            if owner.role == role and not self.is_dead(owner):
                yield owner

    def is_dead(self, owner: Owner) -> bool:
        """Whether the owner is certainly dead."""
        if owner.state not in AT_WORK:
            return True
        return owner.host == self._host and lock_is_free(owner.lock)

    def _is_silent(self, owner: Owner) -> bool:
        now = self._monotonic()
        beat, since = self._seen.get(owner.id, (None, now))
        if beat != owner.beat:
            self._seen[owner.id] = (owner.beat, now)
            return False
        return now - since > self._lease
