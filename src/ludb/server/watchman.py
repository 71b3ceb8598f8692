"""Watching runs for what needs a person: alerts are raised once, ended when it is over, and told to a webhook."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from urllib.error import URLError
from urllib.parse import urlsplit

from ludb.errors import ConfigError
from ludb.model.alerts import Alert
from ludb.model.events import Event
from ludb.model.run import Run, RunState
from ludb.server.world import World
from ludb.service.alerts import OVER, Thresholds, conditions
from ludb.service.forecast import Forecast

WEBHOOK = "LUDB_ALERT_WEBHOOK"
"""The variable that holds the webhook's address: it may hold a secret."""
PATIENCE = 10.0
"""Seconds that a webhook may take."""
_WATCHED = (RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.FAILED)
Tell = Callable[[str, bytes], None]
"""Sends a document to an address."""


@dataclass(slots=True)
class Watchman:
    """Looks at all runs that go on or have failed. `tell` sends a document to an address."""

    world: World
    limits: Thresholds = field(default_factory=Thresholds)
    tell: Tell | None = None

    def look(self) -> None:
        """One round over all runs that may need somebody."""
        repository = self.world.repository
        watched = [run for _, run in repository.pages.runs(states=_WATCHED, limit=200)]
        for run in watched:
            self._watch(run)
        seen = {run.id for run in watched}
        for alert in repository.alerts.page(standing=True, limit=500):
            if alert.run not in seen and repository.runs.get(alert.run).state in OVER:
                repository.alerts.end(alert.run, alert.rule)

    def _watch(self, run: Run) -> None:
        alerts = self.world.repository.alerts
        found = conditions(self.world.repository, run, self.world.now(), self.limits, self._foretell)
        standing = {one.rule for one in alerts.standing(run.id)}
        for condition in found:
            raised = None if condition.rule in standing else alerts.raise_(run.id, run.job, condition)
            if raised is not None:
                data = {"rule": raised.rule, "severity": str(raised.severity), "text": raised.text}
                event = Event("alert.raised", run.id, "", "warning", lasting=True, data=data)
                self.world.repository.events.append(event)
                self._send(raised)
        for rule in standing - {one.rule for one in found}:
            alerts.end(run.id, rule)

    def _foretell(self, run: Run, pending: int, now: float) -> Forecast:
        return self.world.forecasts.of(self.world.repository, run, pending, now)

    def _send(self, alert: Alert) -> None:
        address = self.world.site.environment.get(WEBHOOK)
        if not address:
            return
        document = json.dumps({"event": "alert.raised", **asdict(alert)}).encode()
        if self.tell is not None:
            self.tell(address, document)
            return
        threading.Thread(target=post, args=(address, document), daemon=True).start()


def post(address: str, document: bytes) -> None:
    """Send a document; who cannot be reached is told to nobody but the log, without the address."""
    headers = {"Content-Type": "application/json", "User-Agent": "ludb"}
    request = urllib.request.Request(address, document, headers, method="POST")  # noqa: S310  (checked at the start)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310  (as above)
            answer.read(1)
    except (URLError, OSError, ValueError) as error:
        sys.stderr.write(f"the alert webhook was not reached: {type(error).__name__}\n")


def check_webhook(address: str | None) -> None:
    """`ConfigError` for an address that is none; it is not repeated, since it may hold a secret."""
    if address and urlsplit(address).scheme not in {"http", "https"}:
        raise ConfigError(f"${WEBHOOK} holds no http or https address", remedy="Write https://host/path")
