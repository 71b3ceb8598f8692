"""Logging in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ludb.server.accounts import change_password, log_in
from ludb.server.passwords import csrf_of
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import COOKIE, AnyCaller, address_of, rule
from ludb.server.shapes.people import LoginAsked, PasswordAsked, SessionShape
from ludb.server.turns import Turns
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["session"], route_class=ReadRoute)
_LOGINS = Turns(4, wait=15.0)


@router.post("/login", **rule("public"))
async def login(asked: LoginAsked, world: AnyWorld, request: Request, response: Response) -> SessionShape:
    """Log in: sets the session's cookie. Failed attempts are slowed down by user and by address (429)."""
    _refuse_strange_origin(request)
    address = address_of(request)
    user, secret, session = await _LOGINS.take(
        lambda: log_in(world, asked.user, asked.password, address), "their logins"
    )
    response.set_cookie(
        COOKIE, secret, max_age=int(world.config.session_hours * 3600), path="/", httponly=True, samesite="strict",
        secure=world.config.secure,
    )  # fmt: skip
    return SessionShape(
        user=user.name, role=user.role, personal=user.personal, must_change=user.must_change, csrf=csrf_of(secret),
        expires_at=session.expires_at,
    )  # fmt: skip


@router.get("/session", **rule("session"))
def session(caller: AnyCaller) -> SessionShape:
    """Who is logged in."""
    until = caller.session.expires_at if caller.session else caller.token.expires_at if caller.token else None
    return SessionShape(
        user=caller.name, role=caller.role, personal=caller.personal, must_change=caller.must_change, csrf=caller.csrf,
        expires_at=until,
    )  # fmt: skip


@router.post("/logout", status_code=204, **rule("session"))
def logout(caller: AnyCaller, world: AnyWorld, response: Response) -> None:
    """End this session."""
    if caller.session is not None:
        world.repository.access.sessions.close(caller.session.sha)
        world.note(caller.name, caller.address, "logout", caller.name)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=world.config.secure)


@router.put("/session/password", status_code=204, **rule("session"))
def password(asked: PasswordAsked, caller: AnyCaller, world: AnyWorld) -> None:
    """Change one's own password; all other sessions of this user end."""
    if caller.session is None:
        raise Problem(403, "forbidden", "a password is changed by whoever knows it, not by a token", remedy="Log in")
    change_password(world, caller.name, asked.old, asked.new, caller.session, caller.address)


def _refuse_strange_origin(request: Request) -> None:
    """A page of another site must not log its visitor in under another name."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host", ""):
        raise Problem(403, "origin", "a page of another site asked for this")
