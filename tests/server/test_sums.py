"""The page of a large run waits for no sum: they are made when a server sees the run first, and shown with their age."""

from __future__ import annotations

import threading
import time

import pytest

from ludb.model.access import Role
from ludb.server import forecasts, kept, watchman
from ludb.server.kept import RECENT, Kept
from ludb.server.watchman import Watchman
from ludb.testing.repository_world import RUN, ManualClock, claimed, moved, started


class Asked:
    """Answers from the repository, counted by name, each only as long as `may` is set."""

    def __init__(self, monkeypatch, repository):
        self.made, self.may = [], threading.Event()
        self.may.set()
        for place, names in (("views", ["rows"]), ("evidence", ["reasons", "pace"]), ("figures", ["slowest", "load"])):
            for name in names:
                port = getattr(repository, place)
                monkeypatch.setattr(port, name, self._counting(name, getattr(port, name)))

    def _counting(self, name, make):
        def counting(*given, **more):
            assert self.may.wait(30)
            self.made.append(name)
            return make(*given, **more)

        return counting


@pytest.fixture
def large(world, monkeypatch):
    """A run that goes on, on a server for which 40 units are many and whose sums age by a clock of their own."""
    for place in (kept, forecasts, watchman):
        monkeypatch.setattr(place, "LARGE", 40)
    world.kept._sums._clock = world.forecasts._made._clock = ManualClock()
    started(world.repository, units=40, size=10)
    moved(world.repository, claimed(world.repository))
    return world


PARTS = ("rows", "quarantine/reasons", "stragglers?limit=8", "load", "progress")


def test_the_sums_of_a_run_that_goes_on_are_ready_before_its_page_asks(large, people, monkeypatch):
    asked = Asked(monkeypatch, large.repository)
    for _ in range(3):
        Watchman(large, later=lambda do: do()).look()
    assert sorted(asked.made) == ["load", "pace", "reasons", "rows", "slowest"], "once: nobody looks at the run"
    asked.may.clear()
    page = people.session(Role.VIEWER)
    answers = [page.get(f"/api/v1/runs/{RUN}/{part}") for part in PARTS]
    assert [one.status_code for one in answers] == [200] * 5
    assert len(asked.made) == 5


def test_a_sum_that_is_old_is_told_at_once_with_its_age_and_made_anew_beside(large, people, monkeypatch):
    asked, page = Asked(monkeypatch, large.repository), people.session(Role.VIEWER)

    def moved_units():
        answer = page.get(f"/api/v1/runs/{RUN}/rows")
        return answer.json()["source"][0]["by_state"]["done"], answer.headers.get("age")

    before = moved_units()
    assert before[1] is None, "what is new says no age"
    moved(large.repository, claimed(large.repository))
    large.kept._sums._clock.now += 20
    asked.may.clear()
    large.kept._counters.clear()
    assert [moved_units(), moved_units()] == [(before[0], "20")] * 2, "nobody waits"
    asked.may.set()
    deadline = time.monotonic() + 30
    while moved_units() == (before[0], "20"):
        assert time.monotonic() < deadline
    assert moved_units() == (2 * before[0], None)
    assert asked.made.count("rows") == 2, "once for all who ask"


def test_a_sum_nobody_asked_for_in_a_while_or_of_a_small_run_is_made_for_whoever_asks():
    clock = ManualClock()
    kept_sums, made = Kept(clock), []

    def of(total, name):
        counters = kept.Counters(total, 1, 0, 0, 0, 0, 0)
        return kept_sums.of((name,), counters, lambda: made.append(name) or len(made))

    assert (of(10, "small"), of(kept.LARGE, "large")) == (1, 2)
    clock.now += kept.LONGEST + 1
    assert of(10, "small") == 3
    clock.now += RECENT
    assert of(kept.LARGE, "large") == 4


def test_a_forecast_that_is_old_has_come_nearer(large, monkeypatch):
    told = forecasts.Forecast(1.0, 1.0, 3.0, 100.0, 200.0)
    monkeypatch.setattr(forecasts, "forecast", lambda *_: told)
    run = large.repository.runs.get(RUN)

    def ask():
        found = large.forecasts.of(large.repository, run, 30, large.now())
        return found.low, found.typical, found.high

    assert ask() == (3.0, 100.0, 200.0)
    large.forecasts._made._clock.now += 4
    assert ask() == (0.0, 96.0, 196.0)
