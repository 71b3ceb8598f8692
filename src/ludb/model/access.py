"""Who may do what at the server: people, their sessions and tokens, and what is written down of what they did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in. `password` is a hash; `personal` is the right to see row values; who `must_change` has a
    one-time password and may do nothing but change it. Times are Unix seconds.
    """

    name: str
    role: Role
    password: str
    personal: bool = False
    active: bool = True
    must_change: bool = False
    created_at: float = 0.0
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A login that stands. `sha` is the hash of the secret in the cookie; `seen_at` is up to a minute late."""

    sha: str
    user: str
    created_at: float
    seen_at: float
    expires_at: float
    address: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A secret by which a program acts for `user`, with at most this role. `sha` is the hash of the secret."""

    id: str
    name: str
    user: str
    role: Role
    sha: str
    personal: bool = False
    created_at: float = 0.0
    created_by: str = ""
    expires_at: float = 0.0
    revoked_at: float | None = None
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that somebody did, or tried. `subject` names what it was done to; `before` and `after` hold names and
    settings, never row values and never secrets. `number` and `at` are given by the store.
    """

    actor: str
    address: str
    action: str
    subject: str = ""
    outcome: str = "done"
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    number: int = 0
    at: float = 0.0
