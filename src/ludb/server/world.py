"""What every route works with: the site, the set-up, the clock. A server keeps nothing else, so that it may end at any moment."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from ludb.model.access import AuditEntry
from ludb.model.run import Counters
from ludb.model.setup import FOLDER
from ludb.ports.repository import Repository
from ludb.server.catalogue import Catalogue
from ludb.server.config import ServerConfig
from ludb.server.forecasts import Forecasts
from ludb.server.inboxes import Inboxes
from ludb.server.kept import Kept
from ludb.server.passwords import Passwords
from ludb.service.site import Site

if TYPE_CHECKING:
    from ludb.server.oidc import Provider


@dataclass(frozen=True, slots=True)
class World:
    """One server's surroundings. `now` is in Unix seconds; `secret` makes random texts for cookies and tokens; `wake`
    is set when there is something to do for its keeper.
    """

    site: Site
    config: ServerConfig
    now: Callable[[], float] = time.time
    secret: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(32))
    passwords: Passwords = field(default_factory=Passwords)
    catalogue: Catalogue = field(init=False)
    forecasts: Forecasts = field(default_factory=Forecasts)
    kept: Kept = field(default_factory=Kept)
    inboxes: Inboxes = field(default_factory=Inboxes)
    wake: threading.Event = field(default_factory=threading.Event)
    provider: Provider | None = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read of the jobs yet; `ConfigError` for settings of an identity provider that cannot be used."""
        object.__setattr__(self, "catalogue", Catalogue(self.config.jobs, self.site.environment, self._registered))
        object.__setattr__(self, "provider", self._provider())

    def _registered(self) -> list[Path]:
        """Job folders on this host that people have registered."""
        found = self.repository.setup.all(FOLDER)
        return [Path(str(one.data["folder"])) for one in found if one.data["host"] == self.site.host]

    def _provider(self) -> Provider | None:
        if self.config.oidc is None:
            return None
        from ludb.server.oidc import Provider  # noqa: PLC0415  (its libraries are large, and few servers need them)
        from ludb.server.oidc_settings import read_settings  # noqa: PLC0415  (as above)

        return Provider(read_settings(self.config.oidc), self.now)

    @property
    def repository(self) -> Repository:
        """Where everything is remembered."""
        return self.site.repository

    def counters(self, run_id: str) -> Counters:
        """Where the units of a run are; for whoever looks, not for whoever decides."""
        return self.kept.counters(run_id, lambda: self.repository.views.counters(run_id))

    def site_of(self, actor: str) -> Site:
        """The site with somebody else acting: what is asked for is kept under their name."""
        return replace(self.site, actor=actor)

    def note(
        self,
        actor: str,
        address: str,
        action: str,
        subject: str = "",
        *,
        outcome: str = "done",
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write down what somebody did, or tried."""
        entry = AuditEntry(actor, address, action, subject, outcome, before or {}, after or {})
        self.repository.access.audit.append(entry)


def world_of(request: Request) -> World:
    """The world of the server that answers this request."""
    return cast("World", request.app.state.world)


async def _known_world(request: Request) -> World:
    """Asynchronous, so that no thread is asked for what lies at hand."""
    return world_of(request)


AnyWorld = Annotated[World, Depends(_known_world)]
"""A route's parameter: the world."""
