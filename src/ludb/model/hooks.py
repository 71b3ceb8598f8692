"""Hooks as values: how one stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookOutcome:
    """How a hook stands in the newest round: `started` (or interrupted), `done` or `failed`, with the reason."""

    moment: str
    name: str
    state: str
    reason: str
    at: float
