"""When a schedule is due next: cron expressions in their time zone, leaps of the clock and all."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from ludb.errors import ConfigError
from ludb.model.schedules import Kind, Schedule

LATE = 3600.0
"""Seconds after which a slot that nobody was there for is left out."""


def planned(schedule: Schedule, now: float) -> Schedule:
    """The schedule with its next moment after `now`. `ConfigError` for an expression, a time zone or a moment that is none."""
    if schedule.kind is Kind.AFTER:
        return replace(schedule, next_at=None)
    if schedule.kind is Kind.ONCE:
        return replace(schedule, next_at=_moment(schedule) if schedule.last_at is None else None)
    try:
        begin = datetime.fromtimestamp(now, ZoneInfo(schedule.zone))
        return replace(schedule, next_at=next(CronSim(schedule.spec, begin)).timestamp())
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


def _moment(schedule: Schedule) -> float:
    try:
        at = datetime.fromisoformat(schedule.spec)
        at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(schedule.zone))
        return at.timestamp()
    except ZoneInfoNotFoundError:
        raise ConfigError(
            f"there is no time zone {schedule.zone!r}", field="zone", remedy="Write one like Europe/Berlin, or UTC"
        ) from None
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{schedule.spec!r} is no moment", field="spec", remedy="Write it like 2026-01-31T22:00"
        ) from None
