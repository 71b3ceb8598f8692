"""When a schedule is due next: cron expressions in their time zone, leaps of the clock and all."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ludb.errors import ConfigError
from ludb.model.schedules import Kind, Schedule
from ludb.service.windows import moment

QUIET = 10.0
"""Seconds in which a file must not have changed before it counts as whole."""
LATE = 3600.0
"""Seconds after which a slot that nobody was there for is left out."""


def planned(schedule: Schedule, now: float) -> Schedule:
    """The schedule with its next moment after `now`. `ConfigError` for an expression, a time zone or a moment that is none."""
    if schedule.kind is Kind.FILE:
        check_place(schedule.spec)
    if schedule.kind in {Kind.AFTER, Kind.FILE, Kind.WEBHOOK}:
        return replace(schedule, next_at=None)
    if schedule.kind is Kind.ONCE:
        return replace(schedule, next_at=_moment(schedule) if schedule.last_at is None else None)
    try:
        begin = datetime.fromtimestamp(now, ZoneInfo(schedule.zone))
        slots = (slot.timestamp() for slot in CronSim(schedule.spec, begin))
        # Asked in the second of an hour that comes twice, it names slots of the first one, which are over.
        return replace(schedule, next_at=next(slot for slot in slots if slot > now))
    except CronSimError as error:
        raise ConfigError(
            f"{schedule.spec!r} is no cron expression: {error}", field="spec", remedy="See crontab(5)"
        ) from None
    except StopIteration:
        raise ConfigError(f"{schedule.spec!r} is never due", field="spec", remedy="Choose a day that exists") from None
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"there is no time zone {schedule.zone!r}", field="zone", remedy="Write one like Europe/Berlin, or UTC"
        ) from None


def check_place(spec: str) -> None:
    """`ConfigError` for a path of files to wait for that is not whole, or whose folder is a pattern."""
    place = PurePath(spec)
    folder = str(place.parent)
    if not place.is_absolute() or ".." in place.parts or any(sign in folder for sign in "*?[") or "\0" in spec:
        raise ConfigError(
            "files are waited for in one folder, by its whole path", field="spec",
            remedy="Write it like /data/inbox/customers-*.csv",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that has arrived: `at` is when it came to its name, or was written last (Unix seconds). `slot` tells it apart
    from another one of its name.
    """

    path: str
    at: float
    slot: str


def arrived(spec: str, since: float, now: float) -> list[Arrived]:
    """The files that came since a moment and that nobody has written to for `QUIET` seconds, in the order in which they came.
    A folder that is not there, or may not be read, holds none. Names need not be text: see `is_text`.
    """
    place = PurePath(spec)
    found = []
    with contextlib.suppress(OSError), os.scandir(place.parent) as entries:
        for entry in entries:
            if not fnmatch.fnmatchcase(entry.name, place.name):
                continue
            with contextlib.suppress(OSError):
                seen = entry.stat()
                if stat.S_ISREG(seen.st_mode) and since <= seen.st_ctime <= now - QUIET:
                    told = f"{entry.path}\0{seen.st_mtime_ns}\0{seen.st_size}"
                    slot = hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
                    found.append(Arrived(entry.path, seen.st_ctime, slot))
    return sorted(found, key=lambda one: (one.at, one.path))


def is_text(path: str) -> bool:
    """Whether a path of the disk can be written as UTF-8, so that a parameter can hold it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def filled(arguments: Mapping[str, object], values: Mapping[str, str]) -> dict[str, object]:
    """The arguments of a start with `{date}`, `{file}` and `{run}` in its parameters put in: so that each start is an instance
    of its own.
    """
    parameters = arguments.get("parameters")
    if not isinstance(parameters, Mapping):
        return dict(arguments)
    made = {}
    for name, value in parameters.items():
        text = str(value)
        for key, with_ in values.items():
            text = text.replace(f"{{{key}}}", with_)
        made[name] = text
    return {**arguments, "parameters": made}


def _moment(schedule: Schedule) -> float:
    try:
        at = datetime.fromisoformat(schedule.spec)
        return at.timestamp() if at.tzinfo else moment(at.date(), at.time(), ZoneInfo(schedule.zone))
    except ZoneInfoNotFoundError:
        raise ConfigError(
            f"there is no time zone {schedule.zone!r}", field="zone", remedy="Write one like Europe/Berlin, or UTC"
        ) from None
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{schedule.spec!r} is no moment", field="spec", remedy="Write it like 2026-01-31T22:00"
        ) from None
