"""How fast a run goes and when it will end, as a range: from when its units were settled, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ludb.ports.evidence import Settled

SLICES, DRAWS, SEED = 60, 400, 7
"""Pieces of equal length that the time of work is cut into; how often the rest is imagined; where dice begin."""
LATELY = 60.0
"""Seconds over which the rate of this moment is taken."""
FEWEST = 5
"""Moments below which nothing is foretold."""
IDLE = 20.0
"""A gap so many times as long as the median one, and longer than `LATELY`, is a pause: nobody worked."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Units per second lately and over all time of work; seconds until the end: with a chance of 90% between `low` and
    `high`, as likely before as after `typical`. None where nobody can know.
    """

    rate: float | None = None
    mean_rate: float | None = None
    low: float | None = None
    typical: float | None = None
    high: float | None = None


def forecast(settled: Sequence[Settled], pending: int, started: float, now: float) -> Forecast:
    """From the moments at which units were settled, oldest first. The same answer for the same moments."""
    if len(settled) < FEWEST:
        return Forecast()
    at = np.array([one.at for one in settled])
    units = np.array([one.done + one.aside for one in settled], dtype=float)
    worked = _without_pauses(at, started, now)
    total = float(worked[-1])
    if total <= 0:
        return Forecast()
    lately = min(LATELY, total)
    rate = float(units[worked[:-1] > total - lately].sum()) / lately
    mean = float(units.sum()) / total
    if not pending:
        return Forecast(rate, mean, 0.0, 0.0, 0.0)
    low, typical, high = _rest(worked, units, pending)
    return Forecast(rate, mean, low, typical, high)


def _without_pauses(at: np.ndarray, started: float, now: float) -> np.ndarray:
    """The moments, and now, in seconds of work since the start: a pause counts as one ordinary gap."""
    gaps = np.diff(np.concatenate([[min(started, at[0])], at, [max(now, at[-1])]]))
    ordinary = float(np.median(gaps[:-1]))
    longest = max(LATELY, IDLE * ordinary)
    return np.cumsum(np.where(gaps > longest, ordinary, gaps))


def _rest(worked: np.ndarray, units: np.ndarray, pending: int) -> tuple[float, float, float]:
    """Seconds until the end, at 5, 50 and 95%: the rest is imagined over and over from stretches of what was (a moving block
    bootstrap), later stretches more often, since what changed lately lasts.
    """
    total = float(worked[-1])
    edges = np.linspace(0.0, total, SLICES + 1)
    slices, _ = np.histogram(worked[:-1], bins=edges, weights=units)
    dice = np.random.default_rng(SEED)
    block = SLICES // 6
    starts = SLICES - block + 1
    weights = np.exp(np.linspace(-1.5, 0.0, starts))
    drawn = dice.choice(starts, size=DRAWS, p=weights / weights.sum())
    sums = np.convolve(slices, np.ones(block), mode="valid")[drawn]
    rates = np.maximum(sums / (block * total / SLICES), float(units.sum()) / total / 20)
    low, typical, high = np.quantile(pending / rates, [0.05, 0.5, 0.95])
    return float(low), float(typical), float(high)
