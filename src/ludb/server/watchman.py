"""Watching runs for what needs a person: alerts are raised once, ended when it is over, and told by webhook and mail."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ludb.errors import TransientError
from ludb.model.alerts import Alert, Condition, Severity, Tuned
from ludb.model.events import Event
from ludb.model.run import Run, RunState
from ludb.server import sums
from ludb.server.kept import LARGE
from ludb.server.logbook import log, log_bug
from ludb.server.world import World
from ludb.service.alerts import OVER, conditions
from ludb.service.alerts_channels import Channel, Untold, channels_of, send
from ludb.service.alerts_rules import NOT_STARTED, tuned
from ludb.service.forecast import Forecast

TRIES = (1.0, 5.0, 25.0)
"""Seconds before each further try to tell people."""
GOING = (RunState.RUNNING, RunState.PAUSED, RunState.STOPPING)
_WATCHED = (*GOING, RunState.FAILED)
Later = Callable[[Callable[[], None]], None]


def _apart(do: Callable[[], None]) -> None:
    threading.Thread(target=do, name="alert", daemon=True).start()


@dataclass(slots=True)
class Watchman:
    """Looks at all runs that go on or have failed. `later` does something by the side; `wait` lets seconds pass."""

    world: World
    later: Later = _apart
    wait: Callable[[float], None] = time.sleep

    def look(self) -> None:
        """One round over all runs that may need somebody. The sums of a large run that goes on are made when it is seen first."""
        repository = self.world.repository
        watched = [run for _, run in repository.pages.runs(states=_WATCHED, limit=200)]
        for run in watched:
            if run.units >= LARGE and run.state in GOING and sums.is_new(self.world, run.id):
                self.later(partial(sums.make_ready, self.world, run))
            try:
                self._watch(run)
            except TransientError:
                raise
            except Exception as error:  # noqa: BLE001  (what is wrong with one run must not leave the others unwatched)
                log_bug(error, run=run.id)
        seen = {run.id for run in watched}
        standing = repository.alerts.page(standing=True, limit=500)
        for alert in standing:
            if alert.run and alert.run not in seen and repository.runs.get(alert.run).state in OVER:
                repository.alerts.end(alert.run, alert.rule)
        self._schedules(any_stands=any(not one.run for one in standing))

    def _schedules(self, *, any_stands: bool) -> None:
        """Raise what schedules note of themselves, and end it when they do no longer."""
        repository = self.world.repository
        rule = tuned(repository)[0][NOT_STARTED]
        for schedule in repository.schedules.all():
            if schedule.note and rule.enabled:
                condition = Condition(NOT_STARTED, rule.severity, f"schedule {schedule.name}: {schedule.note}")
                raised = repository.alerts.raise_("", schedule.job, condition, about=schedule.id)
                if raised is not None:
                    log("alert.raised", job=schedule.job, rule=NOT_STARTED, schedule=schedule.id)
                    self._send(raised, rule)
            elif any_stands:
                repository.alerts.end(schedule.id, NOT_STARTED)

    def _watch(self, run: Run) -> None:
        alerts = self.world.repository.alerts
        rules, limits = tuned(self.world.repository)
        told = conditions(self.world.repository, run, self.world.now(), limits, self._foretell)
        found = [replace(one, severity=rules[one.rule].severity) for one in told if rules[one.rule].enabled]
        standing = {one.rule for one in alerts.standing(run.id)}
        for condition in found:
            raised = None if condition.rule in standing else alerts.raise_(run.id, run.job, condition)
            if raised is not None:
                self._event("alert.raised", raised, severity=str(raised.severity), text=raised.text)
                self._send(raised, rules[raised.rule])
        for rule in standing - {one.rule for one in found}:
            alerts.end(run.id, rule)

    def _foretell(self, run: Run, pending: int, now: float) -> Forecast:
        return self.world.forecasts.of(self.world.repository, run, pending, now)

    def tell_unkept(self, rule: str, text: str) -> None:
        """Tell people what the repository cannot keep at this moment: an alert without a number."""
        tuned_ = tuned(self.world.repository)[0][rule]
        if tuned_.enabled:
            self._send(Alert(0, "", "-", rule, tuned_.severity, text, self.world.now()), tuned_)

    def _send(self, alert: Alert, rule: Tuned) -> None:
        """Tell people by every channel of the rule; where that cannot be, an event says so."""
        environment = self.world.site.environment
        order = list(Severity)
        for channel in channels_of(self.world.repository, environment):
            meant = rule.channels is None or channel.id in rule.channels
            if channel.enabled and meant and order.index(alert.severity) >= order.index(channel.least):
                self.later(partial(self._tell, channel, alert))

    def _tell(self, channel: Channel, alert: Alert) -> None:
        for pause in (0.0, *TRIES):
            self.wait(pause)
            try:
                send(channel, alert, self.world.site.environment)
            except Untold as error:
                why = str(error)
            else:
                return
        log("alert.untold", run=alert.run, alert=alert.number, channel=channel.name, reason=why)
        if not alert.run:
            return
        with contextlib.suppress(TransientError):
            self._event("alert.untold", alert, channel=channel.name, reason=why)

    def _event(self, name: str, alert: Alert, **more: object) -> None:
        data = {"rule": alert.rule, **more}
        self.world.repository.events.append(Event(name, alert.run, "", "warning", lasting=True, data=data))
