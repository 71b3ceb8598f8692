"""Whoever comes from the identity provider, as a user of ours: made at the first login, with the rights of every login anew."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ludb.errors import ConfigError
from ludb.model.access import Role, Session, User
from ludb.model.setup import IDENTITY
from ludb.server.oidc_settings import OidcRefused, OidcSettings
from ludb.server.passwords import sha_of
from ludb.server.world import World

NO_PASSWORD = "!"  # noqa: S105  (as said below)
"""What is kept as the password of somebody who has none here: no password has this hash."""


def log_in_as(world: World, settings: OidcSettings, claims: Mapping[str, Any], address: str) -> tuple[User, str]:
    """The user, and the secret of the new session's cookie. `OidcRefused` where the claims give nobody a way in."""
    try:
        role, personal = rights_of(settings, claims)
    except OidcRefused:
        _take_rights(world, claims, address)
        raise
    user = _user(world, settings, claims, role, personal=personal)
    if not user.active:
        raise OidcRefused("inactive", f"{user.name} may not log in any more")
    wanted = replace(user, role=role, personal=personal, password=NO_PASSWORD, must_change=False)
    if wanted != user:
        try:
            world.repository.access.users.change(wanted)
        except ConfigError as error:
            raise OidcRefused("role", error.message) from None
        if not role.covers(user.role) or user.personal > personal:
            world.repository.access.sessions.close_of(user.name)
    secret, now = world.secret(), world.now()
    until = now + world.config.session_hours * 3600
    world.repository.access.sessions.open(Session(sha_of(secret), user.name, now, now, until, address))
    told = {"role": str(role), "personal": personal}
    world.note(user.name, address, "login.oidc", user.name, before={"role": str(user.role)}, after=told)
    return wanted, secret


def _take_rights(world: World, claims: Mapping[str, Any], address: str) -> None:
    """Whom the provider gives no role any more is logged out everywhere, and their tokens do no more than read."""
    entry = world.repository.setup.get(IDENTITY, _known_as(claims))
    user = world.repository.access.users.get(str(entry.data["user"])) if entry is not None else None
    if user is None:
        return
    world.repository.access.sessions.close_of(user.name)
    with contextlib.suppress(ConfigError):  # no admin would be left
        world.repository.access.users.change(replace(user, role=Role.VIEWER, personal=False))
    told = {"role": str(Role.VIEWER), "personal": False, "by": "oidc"}
    world.note(user.name, address, "user.change", user.name, before={"role": str(user.role)}, after=told)


def _known_as(claims: Mapping[str, Any]) -> str:
    """The subject of an issuer, as it is kept."""
    return hashlib.sha256(f"{claims['iss']}\0{claims['sub']}".encode()).hexdigest()


def rights_of(settings: OidcSettings, claims: Mapping[str, Any]) -> tuple[Role, bool]:
    """Role and the right to see row values; `OidcRefused` if the claim gives no role."""
    found = _claim(claims, settings.role_claim)
    values = {str(one) for one in (found if isinstance(found, list) else [found] if found is not None else [])}
    given = [role for value, role in settings.roles.items() if value in values]
    given += [settings.default_role] if settings.default_role is not None else []
    if not given:
        raise OidcRefused("role", f"the claim {settings.role_claim} gives no role")
    return max(given, key=list(Role).index), bool(values & set(settings.personal))


def _user(
    world: World, settings: OidcSettings, claims: Mapping[str, Any], role: Role, *, personal: bool
) -> User:  # fmt: skip
    """The user of this very subject of this issuer; a name alone leads to nobody."""
    access, setup = world.repository.access, world.repository.setup
    known_as = _known_as(claims)
    entry = setup.get(IDENTITY, known_as)
    name = str(entry.data["user"]) if entry is not None else _name(settings, claims)
    found = access.users.get(name)
    if entry is not None and found is not None:
        return found
    if found is not None:
        raise OidcRefused("name", f"there is a user {name} already who is not from the provider")
    made = User(name, role, NO_PASSWORD, personal, created_by="oidc")
    try:
        made = access.users.add(made)
    except ConfigError:
        raise OidcRefused("name", f"there is a user {name} already") from None
    setup.put(IDENTITY, known_as, {"user": name, "issuer": claims["iss"], "subject": claims["sub"]}, name)
    world.note(name, "", "user.add", name, after={"role": str(role), "personal": personal, "by": "oidc"})
    return made


def _name(settings: OidcSettings, claims: Mapping[str, Any]) -> str:
    for claim in (settings.name_claim, "email", "sub"):
        text = str(_claim(claims, claim) or "")
        name = re.sub(r"[^A-Za-z0-9._@-]", "-", text).lstrip("._@-")[:100]
        if name:
            return name
    raise OidcRefused("name", "the provider tells no name")


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by the way to it."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
