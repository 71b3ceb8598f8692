"""Passwords and secrets: hashes that cost whoever stole them, and comparisons that tell nothing by their time."""

from __future__ import annotations

import hashlib
import hmac
import threading
from dataclasses import dataclass, field
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ludb.errors import ConfigError

SHORTEST, LONGEST = 12, 1024
"""Characters of a password."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MB while it is made, and strangers may ask for them."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """Argon2id with the library's own costs, unless a test chooses cheaper ones."""

    hasher: PasswordHasher = field(default_factory=PasswordHasher)

    def hash(self, password: str) -> str:
        """The hash to be kept; `ConfigError` for a password that is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise ConfigError(
                f"a password has {SHORTEST} to {LONGEST} characters", field="password", remedy="Choose another one"
            )
        with _AT_ONCE:
            return self.hasher.hash(password)

    def fits(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one that was kept. Without one the work is done all the same, so that the time does
        not tell who exists.
        """
        with _AT_ONCE:
            try:
                return self.hasher.verify(kept or _nobody(self.hasher), password[:LONGEST]) and kept is not None
            except (VerificationError, InvalidHashError):
                return False


@lru_cache
def _nobody(hasher: PasswordHasher) -> str:
    """A hash to compare with where there is none: made once, since making it takes as long as comparing."""
    return hasher.hash("nobody has this password")


def sha_of(secret: str) -> str:
    """The hash under which a cookie's or a token's secret is kept: it is random and long, so one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(secret: str) -> str:
    """The text that a page of this very session must send with every change; it says nothing of the cookie's secret."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal."""
    return hmac.compare_digest(one.encode(), other.encode())
