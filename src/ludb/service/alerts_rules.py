"""The rules by which alerts are raised, and what people have made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ludb.errors import ConfigError
from ludb.model.alerts import AlertRule, Severity, Tuned
from ludb.model.setup import RULE
from ludb.ports.repository import Repository


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is said. Shares are of 1, seconds are of work."""

    quarantined: float = 0.01
    quarantined_least: float = 10
    stalled: float = 600.0
    slow: float = 0.5
    slow_for: float = 300.0
    memory: float = 0.92
    disk: float = 0.92
    cpu: float = 0.98
    cpu_for: float = 300.0
    waiting: float = 3
    api_errors: float = 0.05
    api_errors_least: float = 10
    api_errors_for: float = 300.0
    lost: float = 1
    lost_for: float = 1800.0


NOT_STARTED = "not_started"
"""The rule of schedules: it is of no run."""
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
RULES = {
    one.name: one
    for one in (
        AlertRule("run_failed", CRITICAL, "the run failed"),
        AlertRule("run_paused", CRITICAL, "the run paused by itself: a full disk, a credential"),
        AlertRule(NOT_STARTED, CRITICAL, "a schedule did not start its job, or was switched off by itself"),
        AlertRule("in_doubt", CRITICAL, "of some unit nobody can tell what an API did"),
        AlertRule("stalled", CRITICAL, "no unit was settled for so long, or no process gave a sign of life", ("stalled",)),
        AlertRule("no_worker", CRITICAL, "the last worker died"),
        AlertRule("memory", CRITICAL, "so much of the host's memory is used", ("memory",)),
        AlertRule("disk", CRITICAL, "so much of the disk of the state directory is used", ("disk",)),
        AlertRule("cpu", WARNING, "the host's processors were used so much for so long", ("cpu", "cpu_for")),
        AlertRule("window", WARNING, "the run will not be done when its window closes"),
        AlertRule("slow", WARNING, "less than this share of the usual pace for so long", ("slow", "slow_for")),
        AlertRule(
            "quarantine_rate", WARNING, "more than this share of the settled units is in quarantine, and at least so many",
            ("quarantined", "quarantined_least"),
        ),
        AlertRule(
            "api_errors", WARNING, "more than this share of the calls to a system failed lately, and at least so many",
            ("api_errors", "api_errors_least", "api_errors_for"),
        ),
        AlertRule("workers_lost", WARNING, "so many workers have died lately", ("lost", "lost_for")),
        AlertRule("away", WARNING, "so many chunks wait that have waited before", ("waiting",)),
    )
}  # fmt: skip
"""All rules, by name, the gravest first."""
_SHARES = {"quarantined", "slow", "memory", "disk", "cpu", "api_errors"}


def tuned(repository: Repository) -> tuple[dict[str, Tuned], Thresholds]:
    """All rules as they are set, and all thresholds."""
    kept = {one.id: one for one in repository.setup.all(RULE)}
    rules = {}
    limits: dict[str, float] = {}
    for name, rule in RULES.items():
        entry = kept.get(name)
        data: Mapping[str, Any] = entry.data if entry is not None else {}
        channels = data.get("channels")
        rules[name] = Tuned(
            rule, Severity(data.get("severity", rule.severity)), bool(data.get("enabled", True)),
            None if channels is None else tuple(channels),
            entry.by if entry is not None else "", entry.at if entry is not None else None,
        )  # fmt: skip
        limits |= {one: float(value) for one, value in data.get("limits", {}).items() if one in rule.limits}
    return rules, replace(Thresholds(), **limits)


def limits_of(rule: AlertRule, limits: Thresholds) -> dict[str, float]:
    """The thresholds of one rule."""
    return {name: value for name, value in asdict(limits).items() if name in rule.limits}


def check_limits(rule: AlertRule, given: Mapping[str, float]) -> None:
    """`ConfigError` for a threshold that the rule does not have, or a value out of its range."""
    for name, value in given.items():
        if name not in rule.limits:
            has = f"It has: {', '.join(rule.limits)}" if rule.limits else "It has none"
            raise ConfigError(f"rule {rule.name} has no threshold {name}", field="limits", remedy=has)
        low, high = (0.0, 1.0) if name in _SHARES else (1.0, 1e6)
        if not low <= value <= high:
            raise ConfigError(f"{name} must be from {low:g} to {high:g}", field="limits", remedy="Choose another one")
