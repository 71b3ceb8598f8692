"""Who may use the server, and what they did, as small ports over the repository. Every method is one transaction."""

from __future__ import annotations

from typing import Protocol

from ludb.model.access import AuditEntry, Session, Token, User


class Users(Protocol):
    """People with a password of their own. There is always an active admin, once there was one."""

    def add(self, user: User) -> User:
        """Keep a new user, `created_at` set by the store; `ConfigError` if the name is taken."""

    def get(self, name: str) -> User | None:
        """The user of this very name."""

    def all(self) -> list[User]:
        """All users, by name."""

    def change(self, user: User) -> User:
        """Replace what is kept of a user, by name. `ConfigError` if there is none, or if no active admin would be left."""

    def remove(self, name: str) -> None:
        """Forget a user with their sessions and tokens. `ConfigError` as for `change`."""


class Sessions(Protocol):
    """Logins that stand. Whether one has expired is for the caller to judge."""

    def open(self, session: Session) -> None:
        """Keep a login; those that expired before it was made are forgotten."""

    def get(self, sha: str) -> tuple[Session, User | None] | None:
        """The login with this hash and whose it is, in one look, as every request asks; None if there is none."""

    def touch(self, sha: str, at: float) -> None:
        """Say that a login was used; an unknown one is nobody's business."""

    def close(self, sha: str) -> None:
        """End a login; safe to repeat."""

    def close_of(self, user: str, but: str = "") -> int:
        """End all logins of a user except the one with the hash `but`; returns how many."""


class Tokens(Protocol):
    """Secrets for programs. Whether one has expired is for the caller to judge."""

    def add(self, token: Token) -> Token:
        """Keep a new token, `created_at` set by the store."""

    def find(self, sha: str) -> tuple[Token, User | None] | None:
        """The token with this hash and whose it is, in one look, as every request asks; None if there is none."""

    def all(self) -> list[Token]:
        """All tokens, the newest first, the revoked ones too."""

    def revoke(self, token_id: str) -> Token | None:
        """End a token for good; the first time stays. None if there is none."""

    def used(self, token_id: str, at: float) -> None:
        """Say when a token was used last."""


class Audit(Protocol):
    """What was done, by whom, from where. It only grows: there is no method that changes or removes an entry."""

    def append(self, entry: AuditEntry) -> int:
        """Keep an entry with the store's time; returns its number."""

    def page(
        self, *, before: int | None = None, actor: str | None = None, action: str | None = None, limit: int = 100
    ) -> list[AuditEntry]:
        """Entries with numbers below `before`, the newest first; of one actor, of one action."""


class Throttle(Protocol):
    """Attempts to log in that failed, by a name of the caller's choice (a user, an address)."""

    def failures(self, name: str) -> tuple[int, float]:
        """How many have failed since the last success, and when the last one did (Unix seconds; 0 if none)."""

    def failed(self, name: str) -> int:
        """Count one more, in one step with all others; returns how many."""

    def cleared(self, name: str) -> None:
        """Forget them: the right password was given."""


class Access(Protocol):
    """All of these, over one store."""

    @property
    def users(self) -> Users: ...  # noqa: D102
    @property
    def sessions(self) -> Sessions: ...  # noqa: D102
    @property
    def tokens(self) -> Tokens: ...  # noqa: D102
    @property
    def audit(self) -> Audit: ...  # noqa: D102
    @property
    def throttle(self) -> Throttle: ...  # noqa: D102
