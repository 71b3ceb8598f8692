"""When a run will end is told as a range that keeps its word."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path

import pytest

from ludb.ports.evidence import Settled
from ludb.service.forecast import LATELY, forecast

RUNS = json.loads((Path(__file__).parents[1] / "fixtures" / "recorded_runs.json").read_text(encoding="utf-8"))
"""Real runs, recorded by `tests/fixtures/record_runs.py` on a machine with much other work: [second, done, aside] each."""
UNSEEN = RUNS[1::2]
"""Those that the forecast's numbers were not found on."""
SHARES = (0.25, 0.5, 0.75)


def asked_at(run, share):
    """What was foretold when so much of a real run was settled, and in how many seconds it truly ended. A pause that came later
    does not count: nobody foretells what a person will do.
    """
    moments = [Settled(1000 + at, done, aside) for at, done, aside in run["moments"]]
    total, seen = sum(one.done + one.aside for one in moments), 0
    number = 0
    while seen < share * total:
        seen += moments[number].done + moments[number].aside
        number += 1
    gaps = [after.at - before.at for before, after in zip(moments[number - 1 :], moments[number:], strict=False)]
    told = forecast(moments[:number], total - seen, 1000.0, moments[number - 1].at)
    return told, sum(gap for gap in gaps if gap < LATELY)


def kept(runs, share):
    """The names of runs whose true end was in the range."""
    answers = {run["name"]: asked_at(run, share) for run in runs}
    return [name for name, (told, end) in answers.items() if told.low <= end <= told.high]


@pytest.mark.parametrize("share", SHARES)
def test_four_of_five_real_runs_end_when_it_was_said(share):
    assert len(RUNS) == 20
    assert len(kept(RUNS, share)) >= 16
    assert len(kept(UNSEEN, share)) >= 8


def test_a_range_says_something():
    """Anybody can foretell that a run ends between now and never."""
    told = [asked_at(run, share)[0] for run in RUNS for share in SHARES]
    assert statistics.median(one.high / one.low for one in told) < 3
    even = [asked_at(run, 0.5)[0] for run in RUNS if run["name"] in {"even, one worker", "even, two workers"}]
    assert max(one.high / one.low for one in even) < 2.5


def test_a_run_that_stands_still_is_foretold_a_later_end():
    run = recorded(3)[:200]
    now = run[-1].at
    at_once, later = (forecast(run, 50_000, 1000.0, now + stood).typical for stood in (0.0, 50.0))
    assert later > at_once


def test_the_start_of_workers_is_not_their_pace():
    """Ten seconds of starting before a run of a minute: the rest goes as fast as what was seen of the work."""
    run = [Settled(1010.0 + n, 100, 0) for n in range(20)]
    told = forecast(run, 2000, 1000.0, run[-1].at)
    assert 15 < told.low < 20 < told.high < 27


def test_units_that_were_all_settled_at_one_moment_are_foretold_something():
    run = [Settled(1005.0, 10, 0)] * 6
    assert forecast(run, 10, 1000.0, 1005.0).high > 0


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
