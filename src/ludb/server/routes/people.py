"""Users, API tokens and the audit: for admins."""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace

from fastapi import APIRouter

from ludb.errors import ConfigError
from ludb.model.access import AuditEntry, Role, Token, User
from ludb.server.accounts import one_time
from ludb.server.pages import Cursor, Limit, Page, number, page_of
from ludb.server.passwords import sha_of
from ludb.server.problems import Problem, refused_as
from ludb.server.reading import ReadRoute
from ludb.server.rules import PREFIX, AnyCaller, rule
from ludb.server.shapes.people import (
    AuditShape,
    NewTokenShape,
    NewUserShape,
    TokenAsked,
    TokenShape,
    UserAsked,
    UserChange,
    UserName,
    UserShape,
)
from ludb.server.world import AnyWorld, World

router = APIRouter(prefix="/api/v1", tags=["people"], route_class=ReadRoute)


@router.get("/users", **rule(Role.ADMIN))
def users(world: AnyWorld) -> list[UserShape]:
    """All users, by name."""
    return [_user(one) for one in world.repository.access.users.all()]


@router.post("/users", status_code=201, **rule(Role.ADMIN))
def add_user(asked: UserAsked, caller: AnyCaller, world: AnyWorld) -> NewUserShape:
    """Add a user. The one-time password in the answer is shown this once."""
    password = one_time(world)
    user = User(
        asked.name, asked.role, world.passwords.hash(password), asked.personal, must_change=True, created_by=caller.name
    )
    with refused_as(409):
        made = world.repository.access.users.add(user)
    world.note(caller.name, caller.address, "user.add", made.name, after=_rights(made))
    return NewUserShape(**_user(made).model_dump(), one_time_password=password)


@router.get("/users/{name}", **rule(Role.ADMIN))
def user(name: UserName, world: AnyWorld) -> UserShape:
    """One user."""
    return _user(_known(world, name))


@router.patch("/users/{name}", **rule(Role.ADMIN))
def change_user(name: UserName, asked: UserChange, caller: AnyCaller, world: AnyWorld) -> UserShape:
    """Change a user's role or rights; whoever loses some is logged out. 409 if no active admin would be left."""
    before = _known(world, name)
    after = replace(before, **asked.model_dump(exclude_none=True))
    with refused_as(409):
        world.repository.access.users.change(after)
    if not after.active or not after.role.covers(before.role) or before.personal > after.personal:
        world.repository.access.sessions.close_of(name)
    world.note(caller.name, caller.address, "user.change", name, before=_rights(before), after=_rights(after))
    return _user(after)


@router.post("/users/{name}/password", **rule(Role.ADMIN))
def reset_password(name: UserName, caller: AnyCaller, world: AnyWorld) -> NewUserShape:
    """Give a user a new one-time password, shown this once; all their sessions end."""
    password = one_time(world)
    after = replace(_known(world, name), password=world.passwords.hash(password), must_change=True)
    world.repository.access.users.change(after)
    world.repository.access.sessions.close_of(name)
    world.repository.access.throttle.cleared(f"user {name}")
    world.note(caller.name, caller.address, "password.reset", name)
    return NewUserShape(**_user(after).model_dump(), one_time_password=password)


@router.delete("/users/{name}", status_code=204, **rule(Role.ADMIN))
def remove_user(name: UserName, caller: AnyCaller, world: AnyWorld) -> None:
    """Remove a user with their sessions and tokens. What they did stays in the audit."""
    before = _known(world, name)
    with refused_as(409):
        world.repository.access.users.remove(name)
    world.note(caller.name, caller.address, "user.remove", name, before=_rights(before))


@router.get("/tokens", **rule(Role.ADMIN))
def tokens(world: AnyWorld) -> list[TokenShape]:
    """All API tokens, the newest first, without their secrets."""
    return [_token(one) for one in world.repository.access.tokens.all()]


@router.post("/tokens", status_code=201, **rule(Role.ADMIN))
def add_token(asked: TokenAsked, caller: AnyCaller, world: AnyWorld) -> NewTokenShape:
    """Make an API token. Its secret in the answer is shown this once; it is sent as `Authorization: Bearer <secret>`."""
    owner = _known(world, asked.user or caller.name)
    secret = PREFIX + world.secret()
    token = Token(
        uuid.uuid4().hex[:12], asked.name, owner.name, asked.role, sha_of(secret), asked.personal,
        created_by=caller.name, expires_at=world.now() + asked.days * 86400,
    )  # fmt: skip
    made = world.repository.access.tokens.add(token)
    told = {"user": made.user, "role": str(made.role), "personal": made.personal, "expires_at": made.expires_at}
    world.note(caller.name, caller.address, "token.add", made.id, after=told)
    return NewTokenShape(**_token(made).model_dump(), secret=secret)


@router.delete("/tokens/{token}", status_code=204, **rule(Role.ADMIN))
def revoke_token(token: str, caller: AnyCaller, world: AnyWorld) -> None:
    """Revoke an API token for good."""
    if world.repository.access.tokens.revoke(token) is None:
        raise Problem(404, "not-found", "there is no such token", remedy="See the list of tokens")
    world.note(caller.name, caller.address, "token.revoke", token)


@router.get("/audit", **rule(Role.ADMIN))
def audit(
    world: AnyWorld, cursor: Cursor = None, limit: Limit = 100, actor: str | None = None, action: str | None = None
) -> Page[AuditShape]:
    """Who did what, from where, before and after; the newest first."""
    found = world.repository.access.audit.page(before=number(cursor), actor=actor, action=action, limit=limit + 1)
    return page_of(found, limit, _entry, lambda one: one.number)


def _known(world: World, name: str) -> User:
    found = world.repository.access.users.get(name)
    if found is None:
        with refused_as(404):
            raise ConfigError(f"there is no user {name}", remedy="See the list of users")
    assert found is not None
    return found


def _rights(user: User) -> dict[str, object]:
    return {"role": str(user.role), "personal": user.personal, "active": user.active}


def _user(user: User) -> UserShape:
    return UserShape(**{name: value for name, value in asdict(user).items() if name != "password"})


def _token(token: Token) -> TokenShape:
    return TokenShape(**{name: value for name, value in asdict(token).items() if name != "sha"})


def _entry(entry: AuditEntry) -> AuditShape:
    return AuditShape(**asdict(entry))
