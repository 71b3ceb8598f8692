"""Schedules, kept. That a slot fires once, however many servers look, is held here."""

from __future__ import annotations

from typing import Protocol

from ludb.model.schedules import Schedule


class Schedules(Protocol):
    """All schedules of a repository. Every method is one transaction."""

    def add(self, schedule: Schedule) -> Schedule:
        """Keep a new schedule, `created_at` set by the store."""

    def get(self, schedule_id: str) -> Schedule | None:
        """The schedule, None if there is none."""

    def all(self) -> list[Schedule]:
        """All schedules, by name."""

    def change(self, schedule: Schedule) -> bool:
        """Replace what is kept of a schedule; False if there is none."""

    def remove(self, schedule_id: str) -> bool:
        """Forget a schedule; False if there was none."""

    def claim(self, schedule_id: str, slot: str) -> bool:
        """Take a slot of a schedule: True for the first who asks, for good."""
