"""One request and its answer over HTTP, sent again only where the server said that nothing happened."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from ludb.dialects.http.auth import OAuth2, TlsSettings, TokenAway, TokenRefused
from ludb.dialects.http.governor import Governor
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.limits import hold_for
from ludb.dialects.http.meter import Meter
from ludb.dialects.http.pace import Pace
from ludb.dialects.http.settings import HttpSystem
from ludb.dialects.http.waiting import same_server, wait_for
from ludb.dialects.settings import Surroundings

if TYPE_CHECKING:
    from ludb.dialects.http.tokens import Tokens

_NOTHING_SAID: Mapping[str, str] = {}
_KEEP_ALIVE = 15.0
"""Seconds that an idle connection is kept: shorter than what servers use, so that few requests meet a closing one."""


@dataclass(slots=True)
class _Trip:
    """How often a request got a connection: never means that nothing left, twice that it may have arrived twice."""

    connections: int = 0


_TRIP: ContextVar[_Trip] = ContextVar("trip")
"""The request that this task is sending."""


class Exchange:
    """Sends requests to one system. Its pace is shared: a Retry-After heard by one request holds back all of them."""

    def __init__(
        self,
        name: str,
        settings: HttpSystem,
        around: Surroundings,
        jitter: Callable[[], float],
        now: Callable[[], datetime],
        media: str = "application/json",
    ) -> None:
        """`jitter` gives numbers in [0, 1), `now` the time with its zone (for Retry-After as a date), `media` is the type of
        documents, both ways. ConfigError names a certificate of system `name` that cannot be used; their paths start at the
        job's folder.
        """
        self._base = settings.url.get_secret_value().rstrip("/")
        self._settings, self._jitter, self._now, self._media = settings, jitter, now, media
        self.pace = Pace(settings.pace, time.monotonic)
        self.meter = Meter()
        self.governor = Governor(settings.in_flight)
        self.governor.allow(settings.pace, settings.in_flight)
        self.resize: Callable[[int], None] = lambda _: None
        self._tls = settings.tls.context(around.folder, f"systems.{name}") if settings.tls else None
        auth = settings.auth
        key = auth.query() if auth else {}
        self._key = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in key.items())
        oauth = auth.oauth2 if auth else None
        self._tokens = _tokens(oauth, settings.tls, around, settings.timeout) if oauth else None

    def session(self) -> aiohttp.ClientSession:
        """A session for this system; called on its loop. Cookies and proxies of the environment are not used."""
        self.pace.begin()
        if self._tokens is not None:
            self._tokens.begin()
        headers = {"Accept": self._media, "Content-Type": self._media}
        own = {name: value.get_secret_value() for name, value in self._settings.headers.items()}
        own |= self._settings.auth.headers() if self._settings.auth else {}
        named = {name.lower() for name in own}
        kept: Any = {"keepalive_timeout": _KEEP_ALIVE} if self._settings.keep_alive else {"force_close": True}
        session = aiohttp.ClientSession(
            connector=_Connector(limit=0, ssl=self._tls or True, **kept),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**{name: value for name, value in headers.items() if name.lower() not in named}, **own},
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
        )
        # aiohttp sends PUT and DELETE again when a kept connection breaks. Who may send again is not its to say: the
        # first may have been carried out. (`_Trip` still notices, should a version not know this attribute.)
        session._retry_connection = False  # noqa: SLF001
        return session

    async def send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        *,
        body: str | None = None,
        headers: Mapping[str, str],
        statuses: Mapping[str, str] = _NOTHING_SAID,
    ) -> Heard:
        """What the server answered in the end; never raises for what a server or the network does.

        429, 503 with Retry-After, and what `statuses` call `retry`, are waited out for `retry_for`; if that is not
        enough, `Heard.wait` is set. Waiting for the pace is no part of it. Once the pace is halted, nothing leaves any
        more, and what waits says that it did not.
        """
        clock = time.monotonic
        give_up, attempt, again_at = math.inf, 0, 0.0
        while True:
            waits_since = clock()
            may_leave = await self.pace.sleep_until(again_at) and await self.pace.leave()
            self.meter.waited(clock() - waits_since)
            if not may_leave:
                return Heard(None, failure="stopped before it was sent", reached=False)
            give_up = min(give_up, clock() + self._settings.retry_for)
            left_at = clock()
            heard = await self._admitted(session, method, path, body, headers)
            wait = wait_for(heard, attempt, self._jitter(), self._now(), statuses)
            self._heed(heard, clock(), clock() - left_at, busy=wait is not None)
            if attempt and not heard.resent:
                heard = replace(heard, resent=True)
            if wait is None:
                return heard
            if clock() + wait > give_up:
                return replace(heard, wait=wait)
            if "retry-after" in heard.headers:
                self.pace.hold(clock() + wait)
            else:
                again_at = clock() + wait
            attempt += 1

    async def ask(self, session: aiohttp.ClientSession, path: str) -> Heard:
        """A GET; see `ludb.dialects.http.later.Asker`."""
        return await self.send(session, "GET", path, headers={})

    async def pause(self, seconds: float) -> bool:
        """Wait; False if nothing is to leave any more."""
        return await self.pace.sleep_until(time.monotonic() + seconds)

    def elapsed(self) -> float:
        """Seconds on a monotonic clock."""
        return time.monotonic()

    def here(self, location: str, path: str) -> str | None:
        """The whole address of a Location, where it leads to this very server: a credential goes nowhere else."""
        return same_server(self._base, location, path)

    def steer(self, rate: float | None, in_flight: int) -> None:
        """The operator's limits from now on; from any thread."""
        self.governor.allow(rate, in_flight)
        self.pace.steer(self.governor.effective_rate())
        self.resize(self.governor.places)

    def _heed(self, heard: Heard, now: float, latency: float, *, busy: bool) -> None:
        """Go by what an answer says of how the system is, and of how much it still takes."""
        governor = self.governor
        before = governor.effective_rate(), governor.places
        if busy:
            governor.refused(now)
        elif heard.reached and (heard.status is None or heard.status >= 500):
            governor.failed(now)
        elif heard.status is not None:
            governor.answered(now, latency)
        held = hold_for(heard.headers, self._now())
        if held is not None:
            self.pace.hold(now + held)
        rate, places = governor.effective_rate(), governor.places
        if before[0] != rate:
            self.pace.steer(rate)
        if before[1] != places:
            self.resize(places)

    async def _admitted(
        self, session: aiohttp.ClientSession, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> Heard:
        """One request with a token where the system wants one; a token that is refused (401) is replaced once."""
        tokens = self._tokens
        if tokens is None:
            return await self._once(session, method, path, body, headers)
        for fresh in (False, True):
            try:
                token = await tokens.current()
            except TokenRefused as error:
                return Heard(None, failure=str(error), reached=False, refused=str(error))
            except TokenAway as error:
                return Heard(None, failure=str(error), reached=False)
            bearer = {**headers, "Authorization": f"Bearer {token}"}
            heard = await self._once(session, method, path, body, bearer)
            heard = replace(heard, body=heard.body.replace(token.encode(), b"***"))
            if heard.status != HTTPStatus.UNAUTHORIZED or fresh:
                break
            tokens.spoil(token)
        return heard

    async def _once(
        self, session: aiohttp.ClientSession, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> Heard:
        trip = _Trip()
        _TRIP.set(trip)
        whole = path if path.startswith(("http://", "https://")) else self._base + path
        # The path is quoted already: `encoded` keeps %2F within its segment.
        url = URL(whole + ("" if not self._key else "&" if "?" in path else "?") + self._key, encoded=True)
        data = body.encode() if body is not None else None
        began = time.monotonic()
        self.meter.left()
        heard = Heard(None, failure="given up", reached=False)
        try:
            async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
                content = await response.read()
                names = {name.lower(): value for name, value in response.headers.items()}
                heard = Heard(response.status, names, content, resent=trip.connections > 1)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            heard = Heard(None, failure=_failure(error, trip), reached=trip.connections > 0)
        finally:
            self.meter.came(heard.status, time.monotonic() - began, len(data or b""), len(heard.body))
        return heard


def _tokens(settings: OAuth2, tls: TlsSettings | None, around: Surroundings, timeout: float) -> Tokens:
    from ludb.dialects.http.tokens import Tokens  # noqa: PLC0415  (two libraries that only this needs: 0.1 s)

    return Tokens(settings, tls, around.folder, timeout, around.lasting)


class _Connector(aiohttp.TCPConnector):
    """Counts for the request that is being sent (`_TRIP`) how often it got a connection, new or kept."""

    async def connect(self, *args: Any, **more: Any) -> aiohttp.connector.Connection:
        connection = await super().connect(*args, **more)
        _TRIP.get().connections += 1
        return connection


def _failure(error: Exception, trip: _Trip) -> str:
    """What went wrong by its kind; the driver's own text is left out, as it may hold the URL."""
    cause = getattr(error, "os_error", None) or error
    if trip.connections == 0:
        return f"no connection was made ({type(cause).__name__})"
    if isinstance(error, TimeoutError):
        return "no answer in time; the server may have done it"
    return f"the connection broke ({type(cause).__name__}); the server may have done it"
