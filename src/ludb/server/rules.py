"""Who may call what: every route carries its rule, and a route without one is closed to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, Request

from ludb.model.access import Role, Session, Token, User
from ludb.server.passwords import csrf_of, same, sha_of
from ludb.server.problems import Problem
from ludb.server.world import World, world_of

COOKIE, CSRF, PREFIX = "ludb_session", "X-CSRF-Token", "ludb_"
"""Names of the session's cookie and of the header that changes need; what every API token begins with."""
RULE = "x-role"
"""Where the document says who may call an operation."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOUCH_EVERY = 60.0
"""Seconds between two notes that a session or a token was used."""

Open = Literal["public", "session"]
"""`public`: anybody. `session`: anybody who is logged in, with a one-time password too."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `personal` is the right to see row values."""

    name: str
    role: Role
    personal: bool
    address: str
    session: Session | None = None
    token: Token | None = None
    must_change: bool = False
    csrf: str = ""


def rule(needed: Role | Open) -> dict[str, Any]:
    """The rule of a route, for its decorator: `@router.get("/runs", **rule(Role.VIEWER))`."""
    extra: dict[str, Any] = {RULE: str(needed)}
    if needed != "public":
        extra["security"] = [{"session": []}, {"token": []}]
    return {"openapi_extra": extra}


def admit(request: Request) -> None:
    """Let a request in, or answer 401 (who are you?) or 403 (not you). Nothing of a request is carried out before."""
    route = request.scope.get("route")
    needed = _needed(route)
    if needed == "public":
        return
    if needed is None:
        raise Problem(403, "forbidden", "this operation has no rule: nobody may call it", remedy="Report it")
    world = world_of(request)
    caller = who(request, world)
    request.state.caller = caller
    if caller.session is not None and request.method not in SAFE:
        _check_csrf(request, caller)
    if needed == "session":
        return
    if caller.must_change:
        raise Problem(403, "one-time-password", "the password was given to be used once", remedy="Change it first")
    if not caller.role.covers(Role(needed)):
        if request.method not in SAFE:
            what = f"{request.method} {request.url.path}"
            world.note(caller.name, caller.address, "refused", what, outcome=f"needs the role {needed}")
        what = "a token with that role" if caller.token is not None else "that role"
        raise Problem(
            403, "forbidden", f"this needs the role {needed}; {caller.name} has {caller.role}",
            remedy=f"Ask an admin for {what}",
        )  # fmt: skip


def is_public(route: object) -> bool:
    """Whether anybody may call this route."""
    return _needed(route) == "public"


def _needed(route: object) -> str | None:
    return (getattr(route, "openapi_extra", None) or {}).get(RULE)


def caller_of(request: Request) -> Caller:
    """Who sent this request; only for routes that are not public."""
    return cast("Caller", request.state.caller)


async def _known_caller(request: Request) -> Caller:
    """Asynchronous, so that no thread is asked for what lies at hand. Nobody yet where the route itself lets requests in
    (`ReadRoute`), and then says who it is.
    """
    return cast("Caller", getattr(request.state, "caller", None))


AnyCaller = Annotated[Caller, Depends(_known_caller)]
"""A route's parameter: the caller."""


def address_of(request: Request) -> str:
    """Where a request came from, as the connection or a trusted proxy says."""
    return (request.client.host if request.client else "")[:100]


def who(request: Request, world: World) -> Caller:
    """Who sent a request, by what is kept at this moment; `Problem` 401 if nobody, or nobody any more."""
    said = request.headers.get("authorization")
    if said is not None:
        return _by_token(request, world, said)
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise _unknown("nobody is logged in")
    return _by_session(request, world, cookie)


def _by_token(request: Request, world: World, said: str) -> Caller:
    scheme, _, secret = said.partition(" ")
    if scheme.lower() != "bearer" or not secret.startswith(PREFIX):
        raise _unknown("the authorization header holds no API token")
    access, now = world.repository.access, world.now()
    token, owner = access.tokens.find(sha_of(secret)) or (None, None)
    if token is None or token.revoked_at is not None:
        raise _unknown("this API token is not known, or was revoked")
    if token.expires_at <= now:
        raise _unknown("this API token has expired")
    user = _active(owner)
    if token.used_at is None or now - token.used_at > TOUCH_EVERY:
        access.tokens.used(token.id, now)
    role = token.role if user.role.covers(token.role) else user.role
    return Caller(user.name, role, token.personal and user.personal, address_of(request), token=token)


def _by_session(request: Request, world: World, cookie: str) -> Caller:
    access, now = world.repository.access, world.now()
    session, owner = access.sessions.get(sha_of(cookie)) or (None, None)
    if session is None:
        raise _unknown("this session is over")
    if session.expires_at <= now or now - session.seen_at > world.config.idle_minutes * 60:
        access.sessions.close(session.sha)
        raise _unknown("this session has expired")
    user = _active(owner)
    if now - session.seen_at > TOUCH_EVERY:
        access.sessions.touch(session.sha, now)
    return Caller(
        user.name, user.role, user.personal, address_of(request), session, must_change=user.must_change,
        csrf=csrf_of(cookie),
    )  # fmt: skip


def _active(user: User | None) -> User:
    if user is None or not user.active:
        raise _unknown("this user may not log in any more")
    return user


def _check_csrf(request: Request, caller: Caller) -> None:
    if not same(request.headers.get(CSRF, ""), caller.csrf):
        raise Problem(
            403, "csrf", f"a change needs the header {CSRF} of this very session",
            remedy="Take it from GET /api/v1/session",
        )  # fmt: skip


def _unknown(why: str) -> Problem:
    return Problem(401, "unauthenticated", why, remedy="Log in", headers={"WWW-Authenticate": 'Bearer realm="ludb"'})
