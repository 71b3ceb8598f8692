"""A system that is called over HTTP: one exchange, one pool of connections, steered and told of alike."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from ludb.dialects.http.auth import by_reference
from ludb.dialects.http.exchange import Exchange
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.pool import Pool
from ludb.dialects.http.settings import HttpSystem, Identity
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError
from ludb.model.calls import Governed, Metered


def utc() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class HttpClient:
    """What call targets over HTTP share; connections live in one background thread until `close`."""

    def __init__(
        self,
        name: str,
        settings: HttpSystem,
        surroundings: Surroundings,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = utc,
        media: str = "application/json",
    ) -> None:
        """Nothing is opened yet. ConfigError for a secret that stands in the job, or a certificate that cannot be used."""
        self._name, self._http, self._jitter, self._now = name, settings, jitter, now
        self._identity = Identity.of(name, settings, surroundings)
        by_reference(settings.auth, "auth", surroundings.variables, f"systems.{name}")
        by_reference(settings.tls, "tls", surroundings.variables, f"systems.{name}")
        self._exchange = Exchange(name, settings, surroundings, jitter, now, media)
        self._pool = Pool(name, self._exchange.session, settings.in_flight)
        self._exchange.resize = self._pool.resize

    def check(self) -> None:
        """Reach the system once; see `ludb.ports.target.CallTarget`. Without `health`, a connection is all that is asked for."""
        path = self._http.health

        async def knock(session: aiohttp.ClientSession) -> Heard:
            return await self._exchange.send(session, "GET", path or "/", headers={})

        (heard,) = self._pool.run([knock])
        where = f"system {self._name} at {self._identity.address}"
        source = f"`url` ({self._identity.url_variables})" if self._identity.url_variables else "`url`"
        if heard.refused or (path and heard.status in {401, 403}):
            said = heard.refused or f"it answered {heard.status} to GET {path}"
            raise ConfigError(
                f"{where}: {self._identity.credential} was refused: {said}",
                field=f"systems.{self._name}.{'auth' if self._http.auth else 'headers'}",
                remedy="Mend the credential",
            )
        if not heard.reached or (path and heard.status is None):
            raise ConfigError(
                f"{where} cannot be reached: {heard.failure}",
                field=f"systems.{self._name}.url",
                remedy=f"Start it, or mend {source}",
            )
        if path and not 200 <= (heard.status or 0) < 300:
            raise ConfigError(
                f"{where} answered {heard.status} to GET {path}",
                field=f"systems.{self._name}.health",
                remedy="Wait until it is well, or mend `health`",
            )

    def steer(self, pace: float | None, in_flight: int | None) -> None:
        """Requests a second of this process, and on their way at a time; see `ludb.ports.target.CanSteer`."""
        self._exchange.steer(pace, in_flight or self._http.in_flight)

    def halt(self) -> None:
        """Let nothing leave any more; see `ludb.ports.target.CanSteer`."""
        self._exchange.pace.halt()

    def guard(self, may_leave: Callable[[], bool]) -> None:
        """Ask before each request whether it may leave; see `ludb.ports.target.CanGuard`."""
        self._exchange.pace.may_leave = may_leave

    def told(self) -> list[Governed]:
        """What was changed of pace and places, and why; see `ludb.ports.target.CanTell`."""
        changes, self._exchange.governor.changes = self._exchange.governor.changes, []
        return changes

    def metered(self) -> Metered:
        """What passed so far; see `ludb.ports.target.CanMeter`."""
        return self._exchange.meter.told()

    def close(self) -> None:
        """End open connections and their thread; see `ludb.ports.target.CallTarget`."""
        self._pool.close()
