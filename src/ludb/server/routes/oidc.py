"""Logging in by an identity provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ludb.model.setup import LOGIN
from ludb.server.oidc_people import log_in_as
from ludb.server.oidc_settings import OidcRefused, Passage
from ludb.server.passwords import same, sha_of
from ludb.server.problems import Problem
from ludb.server.rules import COOKIE, AnyCaller, Caller, address_of, rule
from ludb.server.turns import Turns
from ludb.server.world import AnyWorld, World

if TYPE_CHECKING:
    from ludb.server.oidc import Provider

router = APIRouter(prefix="/api/v1/session", tags=["session"])
PASSAGE, PLACE, LASTS = "ludb_passage", "/api/v1/session/oidc", 600
"""The cookie by which a browser is known again that was sent to the provider, its path, and its seconds."""
_ASKING = Turns(4, wait=30.0)
_AWAY: dict[int | str, dict[str, Any]] = {303: {"description": "See Other"}}


class ProviderShape(BaseModel):
    """An identity provider that people may log in by: the page sends them to `login`."""

    label: str = Field(examples=["Single sign-on"])
    login: str = Field(examples=["/api/v1/session/oidc/login"])


class MethodsShape(BaseModel):
    """How one may log in here."""

    password: bool
    oidc: ProviderShape | None


class LeaveShape(BaseModel):
    """Where to go, so that the provider ends its session too; null: nowhere."""

    redirect: str | None


@router.get("/methods", **rule("public"))
def login_methods(world: AnyWorld) -> MethodsShape:
    """How one may log in here: for the login page."""
    provider = world.provider
    shape = None if provider is None else ProviderShape(label=provider.settings.label, login=f"{PLACE}/login")
    return MethodsShape(password=True, oidc=shape)


@router.get("/oidc/login", status_code=303, response_class=RedirectResponse, responses=_AWAY, **rule("public"))
async def oidc_login(
    world: AnyWorld, request: Request,
    go: Annotated[str, Query(alias="next", max_length=500, description="The page to come back to")] = "/",
) -> Response:  # fmt: skip
    """Send a browser to the provider. It comes back to `/oidc/callback`."""
    return await _in_turn(world, request, lambda: _sent(world, request, go))


def _sent(world: World, request: Request, go: str) -> Response:
    provider = _provider(world)
    setup = world.repository.setup
    passage, browser = Passage(world.secret(), world.secret(), world.secret() + world.secret()), world.secret()
    try:
        address = provider.address(passage, _back(world, request))
    except OidcRefused as error:
        return _refused(world, request, error)
    setup.forget(LOGIN, world.now() - LASTS)
    data = {"nonce": passage.nonce, "verifier": passage.verifier, "browser": sha_of(browser), "next": _page(go)}
    setup.add(LOGIN, sha_of(passage.state), data, "")
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        PASSAGE, browser, max_age=LASTS, path=PLACE, httponly=True, samesite="lax", secure=world.config.secure
    )
    return answer


@router.get("/oidc/callback", status_code=303, response_class=RedirectResponse, responses=_AWAY, **rule("public"))
async def oidc_callback(
    world: AnyWorld, request: Request,
    code: Annotated[str, Query(max_length=4000)] = "", state: Annotated[str, Query(max_length=200)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:  # fmt: skip
    """Take a browser back from the provider: to its page, logged in, or to `/login?refused=` with the kind of reason."""
    return await _in_turn(world, request, lambda: _come(world, request, code, state, denied=bool(error)))


def _come(world: World, request: Request, code: str, state: str, *, denied: bool) -> Response:
    provider = _provider(world)
    try:
        begun = _begun(world, request, state)
        if denied or not code:
            return _refused(world, request, OidcRefused("denied", "the provider let nobody in"))
        passage = Passage(state, str(begun["nonce"]), str(begun["verifier"]))
        claims = provider.claims(code, passage, _back(world, request))
        _, secret = log_in_as(world, provider.settings, claims, address_of(request))
    except OidcRefused as refused:
        return _refused(world, request, refused)
    answer = RedirectResponse(str(begun["next"]), 303)
    answer.delete_cookie(PASSAGE, path=PLACE, httponly=True, samesite="lax", secure=world.config.secure)
    answer.set_cookie(
        COOKIE, secret, max_age=int(world.config.session_hours * 3600), path="/", httponly=True, samesite="strict",
        secure=world.config.secure,
    )  # fmt: skip
    return answer


@router.post("/oidc/logout", **rule("session"))
async def oidc_logout(world: AnyWorld, request: Request, caller: AnyCaller, response: Response) -> LeaveShape:
    """End this session, and tell where the provider ends its own."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=world.config.secure)
    return await _ASKING.take(lambda: _left(world, request, caller), "the provider asked")


def _left(world: World, request: Request, caller: Caller) -> LeaveShape:
    provider = _provider(world)
    if caller.session is not None:
        world.repository.access.sessions.close(caller.session.sha)
        world.note(caller.name, caller.address, "logout", caller.name)
    try:
        return LeaveShape(redirect=provider.leave(_base(world, request) + "/"))
    except OidcRefused:
        return LeaveShape(redirect=None)


async def _in_turn(world: World, request: Request, do: Callable[[], Response]) -> Response:
    """What asks the provider, for so many at a time: one that does not answer keeps no thread from those who are logged in."""
    try:
        return await _ASKING.take(do, "the provider asked")
    except Problem as problem:
        if problem.status != 429:
            raise
        return await run_in_threadpool(_refused, world, request, OidcRefused("away", "others wait for the provider"))


def _begun(world: World, request: Request, state: str) -> Mapping[str, object]:
    """What was kept when this browser began this login: once, and not for long."""
    entry = world.repository.setup.take(LOGIN, sha_of(state))
    browser = sha_of(request.cookies.get(PASSAGE, ""))
    if entry is None or world.now() - entry.at > LASTS or not same(str(entry.data["browser"]), browser):
        raise OidcRefused("state", "this login was not begun by this browser, or too long ago")
    return entry.data


def _provider(world: World) -> Provider:
    if world.provider is None:
        raise Problem(404, "not-found", "this server knows no identity provider", remedy="Start it with --oidc")
    return world.provider


def _refused(world: World, request: Request, error: OidcRefused) -> Response:
    world.note("", address_of(request), "login.oidc", "", outcome=f"refused: {error}")
    return RedirectResponse(f"/login?{urlencode({'refused': error.kind})}", 303)


def _base(world: World, request: Request) -> str:
    assert world.provider is not None
    return (world.provider.settings.public_url or str(request.base_url)).rstrip("/")


def _back(world: World, request: Request) -> str:
    return f"{_base(world, request)}{PLACE}/callback"


def _page(text: str) -> str:
    """A page of ours; another site's address is none."""
    ours = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and "\\" not in text
    return text if ours else "/"
