"""What needs a person: conditions of runs, and alerts that were raised because of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is so at this moment. `rule` is stable; `text` says what and what to do, never a row value."""

    rule: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition of a run that was raised: once, however long it lasts. Times are Unix seconds."""

    number: int
    run: str
    job: str
    rule: str
    severity: Severity
    text: str
    raised_at: float
    ended_at: float | None = None
    acknowledged_by: str = ""
    acknowledged_at: float | None = None


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Something that is looked for. `limits` are the names of its thresholds."""

    name: str
    severity: Severity
    says: str
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tuned:
    """A rule as people have set it. `channels` are the ids of those that are told; None: all."""

    rule: AlertRule
    severity: Severity
    enabled: bool = True
    channels: tuple[str, ...] | None = None
    changed_by: str = ""
    changed_at: float | None = None
