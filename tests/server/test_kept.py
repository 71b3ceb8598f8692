"""Sums are kept for a moment, and never beyond the end of a run."""

from __future__ import annotations

import time
from dataclasses import replace

from ludb.model.run import Counters
from ludb.server.kept import LARGE, Kept

GOING, MORE, OVER, OTHER = (Counters(10, done, aside, 0, 0, 0, 0) for done, aside in ((1, 0), (2, 0), (10, 0), (9, 1)))


def test_a_sum_that_takes_long_is_not_made_again_for_everybody_who_looks():
    made, kept = [], Kept()

    def slow():
        time.sleep(0.2)
        made.append(1)
        return len(made)

    assert [kept.of(("rows", "r"), one, slow) for one in (GOING, GOING, MORE)] == [1, 1, 1]
    assert kept.of(("rows", "other"), GOING, slow) == 2
    assert kept.of(("rows", "r"), OVER, slow) == 3, "the balance of a run that has ended is never an old one"
    assert kept.of(("rows", "r"), OTHER, slow) == 4


def test_counters_of_a_large_run_are_kept_for_a_moment_and_those_of_a_small_one_are_not():
    kept, large = Kept(), Counters(LARGE, 1, 0, 0, 0, 0, 0)
    assert kept.counters("large", lambda: large) is large
    assert kept.counters("large", lambda: replace(large, done=2)) is large
    small = Counters(10, 1, 0, 0, 0, 0, 0)
    kept.counters("small", lambda: small)
    assert kept.counters("small", lambda: replace(small, done=2)).done == 2, (
        "whoever acts on a small run sees it at once"
    )


def test_what_is_not_worth_it_is_never_kept():
    kept, counters = Kept(), Counters(0, 0, 0, 0, 0, 0, 0)
    assert kept.of(("x",), counters, lambda: 1, lambda found: found > 5) == 1
    assert kept.of(("x",), counters, lambda: 2, lambda found: found > 5) == 2
