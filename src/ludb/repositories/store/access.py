"""Users, sessions, tokens and the throttle of logins over SQLAlchemy Core: the ports of `ludb.ports.access`."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ludb.errors import ConfigError
from ludb.model.access import Role, Session, Token, User
from ludb.repositories.store import tables_server as t
from ludb.repositories.store.audit import StoreAudit
from ludb.repositories.store.database import Database

_USER = tuple(field.name for field in fields(User))
_SESSION = tuple(field.name for field in fields(Session))
_TOKEN = tuple(field.name for field in fields(Token))

# Made once, since every request asks them: making a statement takes longer than answering it.
_ACCOUNT = select(t.account).where(t.account.c.name == bindparam("named"))
_SESSION_OF = select(t.session).where(t.session.c.sha == bindparam("named"))
_TOKEN_OF = select(t.token).where(t.token.c.sha == bindparam("named"))


class StoreUsers:
    """The `Users` port. Changes lock all admins' rows, so that two of them cannot remove each other at once."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def add(self, user: User) -> User:
        """Keep a new user."""
        made = replace(user, created_at=self._db.now())
        with self._db.write() as connection:
            if connection.execute(select(t.account.c.name).where(t.account.c.name == user.name)).first():
                raise ConfigError(f"there is a user {user.name} already", remedy="Choose another name")
            try:
                connection.execute(insert(t.account).values(_user_values(made)))
            except IntegrityError as error:
                raise ConfigError(f"there is a user {user.name} already", remedy="Choose another name") from error
        return made

    def get(self, name: str) -> User | None:
        """The user of this very name."""
        with self._db.read() as connection:
            return _account(connection, name)

    def all(self) -> list[User]:
        """All users, by name."""
        with self._db.read() as connection:
            return [_user_of(row) for row in connection.execute(select(t.account).order_by(t.account.c.name))]

    def change(self, user: User) -> User:
        """Replace what is kept of a user."""
        with self._db.write() as connection:
            admins = _admins(connection)
            values = _user_values(user)
            known = select(t.account.c.name).where(t.account.c.name == user.name)
            if connection.execute(known).first() is None:
                raise _unknown(user.name)
            connection.execute(update(t.account).where(t.account.c.name == user.name).values(values))
            _keep_an_admin(connection, user.name, admins)
        return user

    def remove(self, name: str) -> None:
        """Forget a user with their sessions and tokens."""
        with self._db.write() as connection:
            admins = _admins(connection)
            if connection.execute(delete(t.account).where(t.account.c.name == name)).rowcount == 0:
                raise _unknown(name)
            _keep_an_admin(connection, name, admins)
            connection.execute(delete(t.session).where(t.session.c.user == name))
            connection.execute(delete(t.token).where(t.token.c.user == name))


class StoreSessions:
    """The `Sessions` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def open(self, session: Session) -> None:
        """Keep a login; sweep old ones."""
        with self._db.write() as connection:
            connection.execute(delete(t.session).where(t.session.c.expires_at < session.created_at))
            connection.execute(insert(t.session).values(asdict(session)))

    def get(self, sha: str) -> tuple[Session, User | None] | None:
        """The login with this hash, and whose it is."""
        with self._db.read() as connection:
            row = connection.execute(_SESSION_OF, {"named": sha}).one_or_none()
            if row is None:
                return None
            user = _account(connection, row.user)
        return Session(**{name: getattr(row, name) for name in _SESSION}), user

    def touch(self, sha: str, at: float) -> None:
        """Say that a login was used."""
        with self._db.write() as connection:
            connection.execute(update(t.session).where(t.session.c.sha == sha).values(seen_at=at))

    def close(self, sha: str) -> None:
        """End a login."""
        with self._db.write() as connection:
            connection.execute(delete(t.session).where(t.session.c.sha == sha))

    def close_of(self, user: str, but: str = "") -> int:
        """End all logins of a user but one."""
        with self._db.write() as connection:
            mine = (t.session.c.user == user, t.session.c.sha != but)
            return int(connection.execute(delete(t.session).where(*mine)).rowcount)


class StoreTokens:
    """The `Tokens` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def add(self, token: Token) -> Token:
        """Keep a new token."""
        made = replace(token, created_at=self._db.now())
        with self._db.write() as connection:
            connection.execute(insert(t.token).values(_token_values(made)))
        return made

    def find(self, sha: str) -> tuple[Token, User | None] | None:
        """The token with this hash, and whose it is."""
        with self._db.read() as connection:
            row = connection.execute(_TOKEN_OF, {"named": sha}).one_or_none()
            return None if row is None else (_token_of(row), _account(connection, row.user))

    def all(self) -> list[Token]:
        """All tokens, the newest first."""
        with self._db.read() as connection:
            return [_token_of(row) for row in connection.execute(select(t.token).order_by(t.token.c.number.desc()))]

    def revoke(self, token_id: str) -> Token | None:
        """End a token for good."""
        standing = (t.token.c.id == token_id, t.token.c.revoked_at.is_(None))
        with self._db.write() as connection:
            connection.execute(update(t.token).where(*standing).values(revoked_at=self._db.now()))
            row = connection.execute(select(t.token).where(t.token.c.id == token_id)).one_or_none()
        return None if row is None else _token_of(row)

    def used(self, token_id: str, at: float) -> None:
        """Say when a token was used last."""
        with self._db.write() as connection:
            connection.execute(update(t.token).where(t.token.c.id == token_id).values(used_at=at))


class StoreThrottle:
    """The `Throttle` port."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._db = database

    def failures(self, name: str) -> tuple[int, float]:
        """How many have failed, and when last."""
        with self._db.read() as connection:
            row = connection.execute(select(t.failure).where(t.failure.c.name == name)).one_or_none()
        return (0, 0.0) if row is None else (int(row.failures), float(row.last_at))

    def failed(self, name: str) -> int:
        """Count one more."""
        mine = t.failure.c.name == name
        values = {"failures": t.failure.c.failures + 1, "last_at": self._db.now()}
        with self._db.write() as connection:
            if connection.execute(update(t.failure).where(mine).values(values)).rowcount == 0:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(t.failure).values(name=name, failures=1, last_at=self._db.now()))
                except IntegrityError:  # another process was first
                    connection.execute(update(t.failure).where(mine).values(values))
            return int(connection.execute(select(t.failure.c.failures).where(mine)).scalar_one())

    def cleared(self, name: str) -> None:
        """Forget them."""
        with self._db.write() as connection:
            connection.execute(delete(t.failure).where(t.failure.c.name == name))


class StoreAccess:
    """The `Access` port over one database."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self.users, self.sessions, self.tokens = StoreUsers(database), StoreSessions(database), StoreTokens(database)
        self.audit, self.throttle = StoreAudit(database), StoreThrottle(database)


def _admins(connection: Connection) -> int:
    """How many admins are active, once others who change some are through: what is decided here must still be so when it
    is written.
    """
    a = t.account.c
    admins = select(a.active).where(a.role == str(Role.ADMIN)).order_by(a.name).with_for_update()
    return sum(connection.execute(admins).scalars())


def _keep_an_admin(connection: Connection, name: str, before: int) -> None:
    if before and not _admins(connection):
        raise ConfigError(
            f"{name} is the last active admin: nobody could manage users any more", remedy="Make another admin first"
        )


def _unknown(name: str) -> ConfigError:
    return ConfigError(f"there is no user {name}", remedy="See the list of users")


def _user_values(user: User) -> dict[str, Any]:
    flags = {"personal": int(user.personal), "active": int(user.active), "must_change": int(user.must_change)}
    return asdict(user) | {"role": str(user.role)} | flags


def _account(connection: Connection, name: str) -> User | None:
    row = connection.execute(_ACCOUNT, {"named": name}).one_or_none()
    return None if row is None else _user_of(row)


def _user_of(row: Any) -> User:
    values = {name: getattr(row, name) for name in _USER}
    flags = {name: bool(values[name]) for name in ("personal", "active", "must_change")}
    return User(**{**values, **flags, "role": Role(values["role"])})


def _token_values(token: Token) -> dict[str, Any]:
    return asdict(token) | {"role": str(token.role), "personal": int(token.personal)}


def _token_of(row: Any) -> Token:
    values = {name: getattr(row, name) for name in _TOKEN}
    return Token(**{**values, "role": Role(values["role"]), "personal": bool(values["personal"])})
