"""Starting jobs when they are due. A slot is claimed in the repository, so that it fires once however many servers look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ludb.errors import ConfigError, TransientError
from ludb.model.access import Role
from ludb.model.run import DONE_STATES
from ludb.model.schedules import Kind, Schedule
from ludb.server.errands import START, put
from ludb.server.logbook import log, log_bug
from ludb.server.world import World
from ludb.service.scheduling import LATE, filled, is_text, planned

SILENT = "not started: the folder of its files does not answer"
"""The note of a schedule whose folder hangs."""
GRACE = 60.0
"""Seconds in which a server that has taken a slot has started the job, if it lives; and in which one that has the job sees
that it is due.
"""


@dataclass(slots=True)
class Timekeeper:
    """Looks at all schedules of the repository. What keeps a schedule from starting its job stands in its note."""

    world: World

    def look(self) -> None:
        """Start what is due. What nobody was there for within an hour is left out, and its schedule says so. A schedule that
        cannot be looked at keeps no other one waiting.
        """
        now = self.world.now()
        for schedule in self.world.repository.schedules.all():
            if not schedule.enabled:
                continue
            try:
                self._look_at(schedule, now)
            except (TransientError, OSError):
                raise
            except Exception as error:  # noqa: BLE001  (the others are due all the same)
                note = f"not started: {type(error).__name__}; see the server's log"
                if schedule.note != note:
                    log_bug(error, schedule=schedule.id)
                    self._note(schedule, note)

    def _look_at(self, schedule: Schedule, now: float) -> None:
        if schedule.kind is Kind.AFTER:
            self._after(schedule, now)
        elif schedule.kind is Kind.FILE:
            self._file(schedule, now)
        elif schedule.next_at is not None and schedule.next_at <= now:
            self._due(schedule, schedule.next_at, now)

    def _due(self, schedule: Schedule, at: float, now: float) -> None:
        schedules = self.world.repository.schedules
        has_job = self.world.catalogue.find(schedule.job) is not None
        if not has_job and now - at <= LATE:
            if now - at > GRACE:
                self._missed(schedule)
            return
        if schedules.get(schedule.id) != schedule:
            return  # somebody changed it, or another server has started it
        begin = now
        if not schedules.claim(schedule.id, str(int(at))):
            if now - at < GRACE:
                return  # another server is at it
            done = replace(schedule, last_at=at, note="not started: the server that was to do it ended: see the tasks")
        elif now - at > LATE:
            who = "nobody was there" if has_job else f"no server had the job {schedule.job}"
            done = self._left_out(replace(schedule, last_at=at), at, f"{who} for {(now - at) / 3600:.1f} hours")
            begin = max(at, now - LATE)  # a later slot may not be too late
        else:
            day = datetime.fromtimestamp(at, ZoneInfo(schedule.zone)).date().isoformat()
            done = self._fire(replace(schedule, last_at=at), date=day)
        try:
            schedules.change(planned(done, begin))
        except ConfigError as error:
            schedules.change(replace(done, next_at=None, note=str(error)))

    def _missed(self, schedule: Schedule) -> None:
        """Say that it is due and nobody starts it: the folder of its job may have been moved, or may not load."""
        self._note(schedule, f"not started: it is due, and no server has the job {schedule.job}: see the list of jobs")

    def _note(self, schedule: Schedule, note: str) -> Schedule:
        noted = replace(schedule, note=note)
        if noted != schedule:
            self.world.repository.schedules.change(noted)
        return noted

    def _left_out(self, schedule: Schedule, due: float, why: str) -> Schedule:
        """The schedule with why a slot is left out; the log and the audit keep it longer."""
        log("schedule.left_out", schedule=schedule.id, job=schedule.job, due=due, reason=why)
        self.world.note("server", "", "schedule.left_out", schedule.id, after={"due": due, "reason": why})
        return replace(schedule, note=f"left out: {why}")

    def _after(self, schedule: Schedule, now: float) -> None:
        """Start the job for each run of the other one that is complete, in the order in which they ended."""
        has_job = self.world.catalogue.find(schedule.job) is not None
        newest = self.world.repository.pages.runs(job=schedule.spec, states=DONE_STATES, limit=50)
        for ended, run in sorted((run.ended_at or 0.0, run.id) for _, run in newest):
            late = now - ended > LATE
            if ended < schedule.created_at or ended <= (schedule.last_at or 0.0) or not (has_job or late):
                continue
            if self.world.repository.schedules.claim(schedule.id, run):  # a retry of it starts nothing anew
                schedule = replace(schedule, last_at=ended)
                if late:
                    why = f"when run {run} was complete, nobody was there for {(now - ended) / 3600:.1f} hours"
                    schedule = self._left_out(schedule, ended, why)
                else:
                    schedule = self._fire(schedule, run=run)
                self.world.repository.schedules.change(schedule)
            if not schedule.enabled:
                return

    def _file(self, schedule: Schedule, now: float) -> None:
        """Each file that arrived starts the job once; files are seen by the server that has the job."""
        if self.world.catalogue.find(schedule.job) is None:
            return
        since = max(schedule.created_at, schedule.last_at or 0.0)
        found = self.world.inboxes.look(schedule.spec, since, now)
        if self.world.repository.schedules.get(schedule.id) != schedule:
            return  # somebody changed it meanwhile
        if found is None:
            self._note(schedule, SILENT)
            return
        if schedule.note == SILENT:
            schedule = self._note(schedule, "")
        for one in found:
            if self.world.repository.schedules.claim(schedule.id, one.slot):
                schedule = replace(schedule, last_at=one.at)
                if is_text(one.path):
                    schedule = self._fire(schedule, file=one.path)
                else:
                    why = "the name of a file that arrived is no UTF-8: rename it"
                    schedule = self._left_out(schedule, one.at, why)
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
            note = f"{schedule.owner} may not start jobs by schedule any more"
            self.world.note("server", "", "schedule.off", schedule.id, after={"enabled": "False", "reason": note})
            return replace(schedule, enabled=False, note=note)
        arguments = filled(schedule.arguments, values)
        task = put(self.world, START, schedule.job, "", arguments, owner.name, f"schedule {schedule.id}")
        return replace(schedule, last_task=task.id, note="")

    def heard(self, task: str, message: str) -> None:
        """The process of a task ended without having started anything: its schedule says why."""
        for schedule in self.world.repository.schedules.all():
            if schedule.last_task == task:
                self.world.repository.schedules.change(replace(schedule, note=f"not started: {message}"))
