"""Alerts, kept: each is raised once, by whoever sees it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ludb.model.alerts import Alert, Condition


class Alerts(Protocol):
    """Alerts of all runs. Every method is one transaction."""

    def raise_(self, run_id: str, job: str, condition: Condition, about: str = "") -> Alert | None:
        """Raise an alert; None if this rule's stands for this run already, raised by whomever. One that is of no run is
        `about` something else, by whose name it is ended.
        """

    def end(self, run_id: str, rule: str) -> None:
        """Say that it is over; one that does not stand is nobody's business."""

    def standing(self, run_id: str) -> list[Alert]:
        """Alerts of a run that are not over."""

    def page(self, *, before: int | None = None, standing: bool = False, limit: int = 100) -> list[Alert]:
        """Alerts with numbers below `before`, the newest first."""

    def acknowledge(self, number: int, by: str) -> Alert | None:
        """Say that somebody takes care of it; the first one stays. None if there is no such alert."""

    def calls(self, run_id: str, since: float) -> Mapping[str, tuple[int, int]]:
        """By system: how many of the newest calls of the run that changed after a moment failed, and how many there are."""

    def lost(self, run_id: str, since: float) -> int:
        """How many workers of a run are dead that still lived after a moment."""

    def heard(self, run_id: str) -> float | None:
        """When a worker or a supervisor of a run last gave a sign of life, by the repository's clock; None if none ever did."""
