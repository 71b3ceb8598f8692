"""Sums are kept for a moment, and never beyond the end of a run."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ludb.errors import TransientError
from ludb.model.run import Counters
from ludb.server.kept import LARGE, Kept, Renewed
from ludb.testing.repository_world import ManualClock

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


class Slow:
    """A sum that is made only as long as `may` is set."""

    def __init__(self):
        self.clock, self.may, self.times, self.wrong = ManualClock(), threading.Event(), 0, None
        self.renewed = Renewed(1.0, 10.0, 10.0, clock=self.clock)

    def make(self):
        assert self.may.wait(30)
        self.times += 1
        if self.wrong:
            raise self.wrong
        return self.times

    def ask(self, good=True):
        return self.renewed.of(("rows",), "basis", self.make, lambda _: good)

    def until_new(self):
        """Wait until what is made beside is shown."""
        deadline = time.monotonic() + 30
        while self.ask() == 1:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_nobody_waits_for_a_sum_that_is_getting_old():
    slow = Slow()
    slow.may.set()
    assert slow.ask() == 1
    slow.clock.now += 4
    assert (slow.ask(), slow.times) == (1, 1), "young: nothing is made"
    slow.clock.now += 3
    slow.may.clear()
    assert [slow.ask(), slow.ask()] == [1, 1], "it is made beside"
    slow.may.set()
    slow.until_new()
    assert slow.times == 2, "once, however many ask"
    slow.clock.now += 11
    assert slow.ask() == 3, "too old to be shown"
    assert slow.ask(good=False) == 4, "as is one whose run has ended since"


def test_a_sum_that_cannot_be_made_is_told_to_whoever_finds_none_and_tried_again():
    slow = Slow()
    slow.may.set()
    slow.ask()
    slow.clock.now += 6
    slow.wrong = TransientError("away")
    for times in (2, 3):  # tried by each who looks, told to nobody while the old one can be shown
        deadline = time.monotonic() + 30
        while slow.times < times:
            assert slow.ask() == 1
            assert time.monotonic() < deadline
            time.sleep(0.005)
    slow.wrong = None
    slow.until_new()


def test_many_who_ask_at_once_for_a_sum_that_is_not_there_have_it_made_once():
    slow = Slow()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(slow.ask) for _ in range(4)]
        slow.may.set()
        assert [one.result(30) for one in asked] == [1, 1, 1, 1]
    assert slow.times == 1
