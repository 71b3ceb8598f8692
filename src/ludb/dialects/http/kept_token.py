"""Tokens that outlive a process: one file for each refresh token of a job, changed by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FOLDER = "tokens"
"""Below the state directory."""
_ASK_AGAIN = 0.02
"""Seconds between two looks at whether another process is done."""


class Busy(Exception):  # noqa: N818  (a state of the world)
    """Another process has held the file for as long as we wait."""


class Unreadable(Exception):  # noqa: N818  (a state of the world)
    """The file was not written by us, or not whole: which refresh token is good is not known any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the authorization server gave last. `ends` are Unix seconds, 0 where there is no access token yet."""

    refresh: str = field(repr=False)
    access: str = field(default="", repr=False)
    ends: float = 0.0


class KeptToken:
    """The newest tokens that came of one configured refresh token.

    The file has mode 0600, is replaced whole and fsynced, and is encrypted with a key made from the configured token: who
    has the state directory (or a copy of it) and not the job's variables has nothing. Another configured token is another
    file, so a person mends a lost one by setting a new one.
    """

    def __init__(self, state: Path, configured: str, *party: str) -> None:
        """Nothing is opened yet. `party` says who it was given to and by whom: token URL, client id."""
        told = "\0".join([configured, *party]).encode()
        made = HKDF(SHA256(), length=48, salt=None, info=b"ludb kept token").derive(told)
        self._lock = Fernet(urlsafe_b64encode(made[:32]))
        self.path = state / FOLDER / made[32:].hex()
        self._configured = configured

    @contextmanager
    def turn(self, patience: float, wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """Alone with the file, over all processes. `Busy` where another one stays longer than `patience` seconds."""
        for folder in (self.path.parent.parent, self.path.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        until = time.monotonic() + patience
        file = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise Busy from None
                wait(_ASK_AGAIN)
            yield
        finally:
            os.close(file)

    def read(self) -> Held:
        """What is held; at the very start the configured token. `Unreadable` for a file that is damaged."""
        try:
            return Held(**json.loads(self._lock.decrypt(self.path.read_bytes())))
        except FileNotFoundError:
            return Held(self._configured)
        except (InvalidToken, ValueError, TypeError):
            raise Unreadable from None

    def write(self, held: Held) -> None:
        """Hold this from now on, also after a loss of power. Raises OSError; what was held before is held then."""
        part = self.path.with_suffix(".part")
        content = self._lock.encrypt(json.dumps(asdict(held)).encode())
        file = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(file, "wb", closefd=False) as stream:
                stream.write(content)
            os.fsync(file)
        finally:
            os.close(file)
        part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
