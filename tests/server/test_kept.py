"""Sums are kept for a moment, and never beyond the end of a run."""

from __future__ import annotations

import time

from ludb.model.run import Counters
from ludb.server.kept import Kept

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
