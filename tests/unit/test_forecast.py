"""When a run will end is told as a range that keeps its word."""

from __future__ import annotations

import random

from ludb.ports.evidence import Settled
from ludb.service.forecast import forecast


def recorded(seed, chunks=400):
    """A run as it might have gone: chunks of 500 units by several workers, drifting, stalling, now and then changed."""
    dice = random.Random(seed)
    moments, now, speed = [], 1000.0, dice.uniform(0.05, 3.0)
    for number in range(chunks):
        if dice.random() < 0.004:
            speed *= dice.uniform(0.7, 1.4)
        now += speed * dice.lognormvariate(0.0, 0.6) * (1 + 0.2 * number / chunks)
        if dice.random() < 0.01:
            now += speed * dice.uniform(5, 20)
        moments.append(Settled(now, 500 - (aside := dice.randrange(3)), aside))
    return moments


def test_the_true_end_lies_in_the_range_most_of_the_time():
    for share in (0.25, 0.5, 0.75):
        inside = 0
        for seed in range(20):
            run = recorded(seed)
            seen = run[: int(len(run) * share)]
            pending = sum(one.done + one.aside for one in run[len(seen) :])
            told = forecast(seen, pending, 1000.0, seen[-1].at)
            inside += told.low <= run[-1].at - seen[-1].at <= told.high
        assert inside >= 16, share


def test_a_pause_makes_a_run_no_slower():
    run = recorded(1)
    early, late = run[:200], run[200:]
    paused = [*early, *(Settled(one.at + 50_000, one.done, one.aside) for one in late)]
    plain, with_pause = (forecast(one, 10_000, 1000.0, one[-1].at) for one in (run, paused))
    assert abs(with_pause.mean_rate / plain.mean_rate - 1) < 0.02
    assert abs(with_pause.typical / plain.typical - 1) < 0.1


def test_nothing_is_foretold_from_nothing():
    assert forecast([], 100, 0.0, 1.0).typical is None
    assert forecast(recorded(1)[:4], 100, 1000.0, 2000.0).rate is None


def test_a_run_without_rest_ends_now():
    run = recorded(2)
    assert forecast(run, 0, 1000.0, run[-1].at).high == 0.0
