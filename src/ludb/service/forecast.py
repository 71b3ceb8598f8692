"""How fast a run goes and when it will end, as a range: from when its units were settled, nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ludb.ports.evidence import Settled

SLICES, BLOCK, DRAWS, SEED = 40, 7, 400, 7
"""Pieces with equally many units that the past is cut into; how many of them together are imagined to be the rest; how often
it is imagined; where dice begin.
"""
RECENT = 3.0
"""The newest block is drawn e^3 times as often as the oldest: what changed lately lasts."""
FLOOR, DRIFT, SPREAD, MOST = 0.2, 0.5, 1.4, 1.0
"""How much a run's pace may still change, as a share (of its logarithm): at least so much; so much of what its second half
differs from its first; so much of what its blocks differ from each other, of which no more than `MOST` is believed. Found on ten
of the twenty runs in `tests/fixtures/recorded_runs.json`, and checked on the others.
"""
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
    bootstrap), later stretches more often, each with an error by which its pace may still change.
    """
    took, each = _slices(worked, units)
    blocks = np.convolve(took, np.ones(BLOCK), mode="valid") / (BLOCK * each)
    mean = float(took.sum()) / (SLICES * each)
    blocks = np.log(np.clip(blocks, mean / 5, mean * 4))
    dice = np.random.default_rng(SEED)
    weights = np.exp(np.linspace(-RECENT, 0.0, len(blocks)))
    drawn = dice.choice(blocks, size=DRAWS, p=weights / weights.sum())
    error = _error(took, blocks) * math.sqrt(pending / (pending + float(units.sum())))
    imagined = pending * np.exp(drawn + error * dice.standard_normal(DRAWS))
    low, typical, high = np.quantile(imagined, [0.05, 0.5, 0.95])
    return float(low), float(typical), float(high)


def _slices(worked: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, float]:
    """Seconds of each slice, and the units in it. What was before the first moment is the start of workers, not their pace;
    a wait since the last one that is longer than usual belongs to the newest slice.
    """
    since, settled = worked - worked[0], np.cumsum(units) - units[0]
    edges = np.interp(np.linspace(0.0, settled[-1], SLICES + 1), settled, since[:-1])
    took = np.diff(edges)
    took[-1] += max(0.0, float(since[-1] - since[-2]) - float(np.median(np.diff(since[:-1]))))
    least = float(worked[-1]) / len(units) / SLICES / 1000  # all of it may have been settled at one moment
    return np.maximum(took, least), float(settled[-1]) / SLICES


def _error(took: np.ndarray, blocks: np.ndarray) -> float:
    """How much the pace may still change."""
    half = SLICES // 2
    drift = min(MOST, abs(math.log(float(took[half:].sum()) / float(took[:half].sum()))))
    return math.hypot(FLOOR, DRIFT * drift, SPREAD * min(MOST, float(blocks.std())))
