"""Logging in and out, first admin, one-time passwords: what the routes of people do."""

from __future__ import annotations

from dataclasses import replace

from ludb.model.access import Role, Session, User
from ludb.server.passwords import sha_of
from ludb.server.problems import Problem
from ludb.server.world import World

FREE, FIRST, LONGEST = 5, 2.0, 900.0
"""Failed logins without a wait; the wait after the next one, doubled with every further one; the longest wait (seconds)."""
FIRST_ADMIN = "admin"


def first_admin(world: World) -> str | None:
    """Make the first user, an admin who sees no personal data, and return the one-time password; None if there are users."""
    users = world.repository.access.users
    if users.all():
        return None
    password = one_time(world)
    users.add(User(FIRST_ADMIN, Role.ADMIN, world.passwords.hash(password), must_change=True, created_by="first start"))
    world.note("first start", "", "user.add", FIRST_ADMIN, after={"role": "admin"})
    return password


def one_time(world: World) -> str:
    """A password that nobody has chosen."""
    return world.secret()[:20]


def log_in(world: World, name: str, password: str, address: str) -> tuple[User, str, Session]:
    """The user, the secret of the new session's cookie, and the session. `Problem` 401 or 429; both are written down."""
    throttle, now = world.repository.access.throttle, world.now()
    doors = _refuse_throttled(world, name, address)
    user = world.repository.access.users.get(name)
    fits = world.passwords.fits(user.password if user is not None else None, password)
    if not fits or user is None or not user.active:
        for door in doors:
            throttle.failed(door)
        world.note(name[:100], address, "login", name[:100], outcome="refused")
        raise Problem(401, "unauthenticated", "name or password is wrong")
    throttle.cleared(doors[0])
    secret = world.secret()
    session = Session(sha_of(secret), user.name, now, now, now + world.config.session_hours * 3600, address)
    world.repository.access.sessions.open(session)
    world.note(user.name, address, "login", user.name)
    return user, secret, session


def change_password(world: World, name: str, old: str, new: str, session: Session | None, address: str) -> None:
    """Give somebody a password of their own choice; all their other sessions end. `Problem` 403 if the old one is wrong."""
    access = world.repository.access
    _refuse_throttled(world, name, address)
    user = access.users.get(name)
    if user is None or not world.passwords.fits(user.password, old):
        access.throttle.failed(f"user {name}"[:190])
        world.note(name, address, "password.change", name, outcome="refused")
        raise Problem(403, "forbidden", "the old password is wrong")
    if old == new:
        raise Problem(422, "invalid", "the new password is the old one", where="body.new", remedy="Choose another one")
    access.users.change(replace(user, password=world.passwords.hash(new), must_change=False))
    access.sessions.close_of(name, session.sha if session else "")
    world.note(name, address, "password.change", name)


def refuse_address(world: World, address: str) -> str:
    """The name under which failures of an address are counted; `Problem` 429 while it has to wait."""
    door = f"address {address}"[:190]
    waiting = _wait(*world.repository.access.throttle.failures(door), world.now(), 10)
    if waiting > 0:
        after = {"Retry-After": str(int(waiting) + 1)}
        raise Problem(429, "throttled", "too many tries have failed", remedy="Wait, then try again", headers=after)
    return door


def _refuse_throttled(world: World, name: str, address: str) -> tuple[str, str]:
    """The two names under which failures are counted; `Problem` 429 while either has to wait."""
    doors = (f"user {name}"[:190], f"address {address}"[:190])
    throttle, now = world.repository.access.throttle, world.now()
    waiting = max(_wait(*throttle.failures(door), now, scale) for door, scale in zip(doors, (1, 10), strict=True))
    if waiting > 0:
        after = {"Retry-After": str(int(waiting) + 1)}
        raise Problem(429, "throttled", "too many logins have failed", remedy="Wait, then try again", headers=after)
    return doors


def _wait(failures: int, last: float, now: float, scale: int) -> float:
    """Seconds until the next try is allowed; an address, behind which many may sit, is given `scale` times as many."""
    over = failures // scale - FREE
    if over < 0:
        return 0.0
    return last + min(LONGEST, FIRST * 2.0 ** min(over, 20)) - now
