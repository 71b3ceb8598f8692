"""Starting jobs when they are due. A slot is claimed in the repository, so that it fires once however many servers look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.model.run import DONE_STATES
from ludb.model.schedules import Kind, Schedule
from ludb.server.errands import START, put
from ludb.server.world import World
from ludb.service.scheduling import LATE, arrived, filled, planned

GRACE = 60.0
"""Seconds in which a server that has taken a slot has started the job, if it lives."""


@dataclass(slots=True)
class Timekeeper:
    """Looks at all schedules of the repository."""

    world: World

    def look(self) -> None:
        """Start what is due. What nobody was there for within an hour is left out, and its schedule says so."""
        now = self.world.now()
        for schedule in self.world.repository.schedules.all():
            if not schedule.enabled:
                continue
            if schedule.kind is Kind.AFTER:
                self._after(schedule, now)
            elif schedule.kind is Kind.FILE:
                self._file(schedule, now)
            elif schedule.next_at is not None and schedule.next_at <= now:
                self._due(schedule, schedule.next_at, now)

    def _due(self, schedule: Schedule, at: float, now: float) -> None:
        schedules = self.world.repository.schedules
        if self.world.catalogue.find(schedule.job) is None:
            return  # another server's
        if not schedules.claim(schedule.id, str(int(at))):
            if now - at < GRACE or schedules.get(schedule.id) != schedule:
                return  # another server is at it
            done = replace(schedule, last_at=at, note="the server that was to start it ended: see the tasks")
        elif now - at > LATE:
            done = replace(schedule, last_at=at, note=f"left out: nobody was there for {(now - at) / 3600:.1f} hours")
        else:
            day = datetime.fromtimestamp(at, ZoneInfo(schedule.zone)).date().isoformat()
            done = self._fire(replace(schedule, last_at=at), date=day)
        try:
            schedules.change(planned(done, now))
        except ConfigError as error:
            schedules.change(replace(done, next_at=None, note=str(error)))

    def _after(self, schedule: Schedule, now: float) -> None:
        newest = self.world.repository.pages.runs(job=schedule.spec, states=DONE_STATES, limit=1)
        if not newest or self.world.catalogue.find(schedule.job) is None:
            return
        run = newest[0][1]
        ended = run.ended_at or 0.0
        if ended < schedule.created_at or ended <= (schedule.last_at or 0.0) or now - ended > LATE:
            return
        if self.world.repository.schedules.claim(schedule.id, run.id):  # a retry of it starts nothing anew
            self.world.repository.schedules.change(self._fire(replace(schedule, last_at=ended), run=run.id))

    def _file(self, schedule: Schedule, now: float) -> None:
        """Each file that arrived starts the job once; files are seen by the server that has the job."""
        if self.world.catalogue.find(schedule.job) is None:
            return
        for one in arrived(schedule.spec, schedule.last_at or schedule.created_at, now):
            if self.world.repository.schedules.claim(schedule.id, one.slot):
                schedule = self._fire(replace(schedule, last_at=one.at), file=one.path)
                self.world.repository.schedules.change(schedule)
                if not schedule.enabled:
                    return

    def call(self, schedule: Schedule, slot: str, parameters: Mapping[str, str]) -> Schedule:
        """Start a job because somebody who may has asked for it; once for each slot."""
        if self.world.repository.schedules.claim(schedule.id, slot):
            arguments = dict(schedule.arguments)
            if parameters:
                arguments["parameters"] = {**dict(arguments.get("parameters") or {}), **parameters}  # type: ignore[call-overload]
            fired = self._fire(replace(schedule, last_at=self.world.now(), arguments=arguments))
            schedule = replace(fired, arguments=schedule.arguments)
            self.world.repository.schedules.change(schedule)
        return schedule

    def _fire(self, schedule: Schedule, **values: str) -> Schedule:
        """Start the job in its owner's name, if the owner may still do so."""
        owner = self.world.repository.access.users.get(schedule.owner)
        if owner is None or not owner.active or not owner.role.covers(Role.EDITOR):
            return replace(schedule, enabled=False, note=f"{schedule.owner} may not start jobs by schedule any more")
        arguments = filled(schedule.arguments, values)
        task = put(self.world, START, schedule.job, "", arguments, owner.name, f"schedule {schedule.id}")
        return replace(schedule, last_task=task.id, note="")
