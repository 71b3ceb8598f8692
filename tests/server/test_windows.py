"""Runs of a job work only within its windows: they pause and go on by themselves, in nights that leap too, and say why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.model.run import RunState
from ludb.model.setup import WINDOW, Entry
from ludb.server.config import ServerConfig
from ludb.server.world import World
from ludb.service import steering
from ludb.service.alerts import conditions
from ludb.service.forecast import Forecast
from ludb.service.supervisor import Supervisor
from ludb.service.windows import WindowWatch, fits, gate_of, window_of
from ludb.testing.repository_world import RUN, planned, started

BERLIN = ZoneInfo("Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def window(*spans, zone="Europe/Berlin", **more):
    told = [{"begin": begin, "end": end, "days": days} for begin, end, days in spans]
    data = {"name": "nights", "job": "telco", "zone": zone, "spans": told} | more
    return window_of(Entry(WINDOW, "w", data))


NIGHT = ("22:00", "05:00", None)


@pytest.mark.parametrize(
    ("now", "open_", "changes"),
    [
        ("2026-01-05T21:59", False, "2026-01-05T22:00"),
        ("2026-01-05T22:00", True, "2026-01-06T05:00"),
        ("2026-01-06T04:59", True, "2026-01-06T05:00"),
        ("2026-01-06T05:00", False, "2026-01-06T22:00"),
        ("2026-03-29T04:00", True, "2026-03-29T05:00"),
    ],
    ids=["before", "begins", "after-midnight", "ends", "leap"],
)
def test_a_night_begins_in_the_evening_and_ends_in_the_morning(now, open_, changes):
    gate = gate_of([window(NIGHT)], at(now))
    assert (gate.open, gate.closes_at if open_ else gate.opens_at) == (open_, at(changes))


def test_a_night_in_which_the_clock_leaps_is_an_hour_shorter_or_longer():
    spring, autumn = (gate_of([window(NIGHT)], at(f"{day}T22:00")) for day in ("2026-03-28", "2026-10-24"))
    assert (spring.closes_at - at("2026-03-28T22:00")) / 3600 == 6
    assert (autumn.closes_at - at("2026-10-24T22:00")) / 3600 == 8


def test_a_window_that_begins_or_ends_in_an_hour_that_is_not_there_does_so_at_the_leap():
    ends, begins = window(("22:00", "02:30", None)), window(("02:30", "04:00", None))
    leap = at("2026-03-29T03:00")
    assert gate_of([ends], at("2026-03-29T01:00")).closes_at == leap
    assert gate_of([begins], at("2026-03-29T01:00")).opens_at == leap
    within = window(("02:15", "02:45", None))
    assert gate_of([within], at("2026-03-29T01:00")).opens_at == at("2026-03-30T02:15"), "it is left out that night"


def test_of_an_hour_that_comes_twice_the_first_one_counts():
    gate = gate_of([window(("22:00", "02:30", None))], at("2026-10-25T01:00"))
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0).timestamp()
    assert gate.closes_at == first
    assert not gate_of([window(("22:00", "02:30", None))], first + 3600).open, "it does not open twice"


def test_days_are_those_on_which_it_begins_and_windows_of_one_job_add_up():
    friday = window(("22:00", "05:00", ["fri"]))
    assert gate_of([friday], at("2026-01-10T03:00")).open, "Saturday morning belongs to Friday's night"
    assert not gate_of([friday], at("2026-01-09T03:00")).open
    weekend = window(("05:00", "00:00", ["sat"]))
    assert gate_of([friday, weekend], at("2026-01-09T23:00")).closes_at == at("2026-01-11T00:00")
    assert gate_of([], 0.0).open, "a job without windows always may"


@pytest.mark.parametrize(
    ("low", "high", "told"), [(10, 90, "yes"), (10, 110, "unsure"), (110, 200, "no"), (None, None, None)],
    ids=["inside", "astride", "beyond", "unknown"],
)  # fmt: skip
def test_it_is_told_whether_the_end_lies_before_the_window_s(low, high, told):
    now = at("2026-01-06T05:00") - 100
    assert fits(gate_of([window(NIGHT)], now), Forecast(1, 1, low, low, high), now) == told


def test_what_is_no_window_is_refused():
    for bad in (lambda: window(NIGHT, zone="Mars/Olympus"), lambda: window(("25:00", "05:00", None))):
        with pytest.raises(ConfigError):
            bad()


@pytest.fixture
def going(world, clock):
    """A run of `telco` that works at night, at noon."""
    clock.now = at("2026-01-05T12:00")
    started(world.repository, units=40, size=40)
    spans = [{"begin": "22:00", "end": "05:00", "days": None}]
    data = {"name": "nights", "job": "telco", "zone": "Europe/Berlin", "spans": spans, "enabled": True}
    world.repository.setup.put(WINDOW, "w", data, "ann")
    return world


def watch(world, clock, told):
    steps = iter(range(0, 10_000, 10))
    return WindowWatch(world.repository, lambda name, **_: told.append(name), clock, lambda: next(steps))


def test_a_run_pauses_when_its_window_closes_and_goes_on_when_it_opens(going, clock):
    told = []
    watchman, runs = watch(going, clock, told), going.repository.runs
    run = watchman.obey(runs.get(RUN))
    assert (run.state, run.settings["pause"]["by"]) == (RunState.PAUSED, "window")
    assert "2026-01-05 22:00 Europe/Berlin" in run.reason
    watchman.obey(runs.get(RUN))
    clock.now = at("2026-01-05T22:00")
    assert watchman.obey(runs.get(RUN)).state is RunState.RUNNING
    clock.now = at("2026-01-06T05:00")
    assert watchman.obey(runs.get(RUN)).state is RunState.PAUSED
    going.repository.setup.take(WINDOW, "w")
    assert watchman.obey(runs.get(RUN)).state is RunState.RUNNING
    assert told == ["run.paused", "run.running"] * 2


def test_whoever_holds_a_run_starts_no_worker_outside_its_window(going, clock, tmp_path, monkeypatch):
    started_workers = []
    launcher = SimpleNamespace(start=lambda *_: started_workers.append(1) or "1", alive=lambda _: True)
    site = replace(going.site, state=tmp_path)
    supervisor = Supervisor(site, going.repository.runs.get(RUN), launcher, 1, 10.0)
    nobody = SimpleNamespace(look=lambda: ((), ()))
    supervisor._windows = watch(going, clock, [])
    assert supervisor._turn(nobody) is None
    assert (started_workers, going.repository.runs.get(RUN).state) == ([], RunState.PAUSED)
    clock.now = at("2026-01-05T22:00")
    assert supervisor._turn(nobody) is None
    assert started_workers


def test_a_person_s_pause_stays_theirs_and_a_person_s_resume_waits_for_the_window(going, clock, monkeypatch):
    monkeypatch.setattr(steering.time, "time", clock)
    runs, site = going.repository.runs, replace(going.site, actor="ann")
    steering.pause(site, RUN)
    watchman = watch(going, clock, [])
    clock.now = at("2026-01-05T22:00")
    assert watchman.obey(runs.get(RUN)).settings["pause"]["by"] == "person"
    clock.now = at("2026-01-06T12:00")
    asked = steering.ask(site, RUN, steering.RESUME)
    assert "outside its window (nights)" in asked.outcome
    assert (asked.run.state, asked.run.settings["pause"]["by"]) == (RunState.PAUSED, "window")
    clock.now = at("2026-01-06T22:00")
    assert watchman.obey(runs.get(RUN)).state is RunState.RUNNING


def test_a_run_that_will_not_be_done_in_time_is_told_and_one_that_will_or_waits_is_not(going, clock):
    def rules(low, high):
        foretell = lambda *_: Forecast(1, 1, low, low, high)  # noqa: E731
        found = conditions(going.repository, going.repository.runs.get(RUN), clock.now, None, foretell)
        return [one.rule for one in found]

    clock.now = at("2026-01-06T04:00")
    assert (rules(3700, 9000), rules(3500, 9000), rules(10, 3500)) == (["window"], [], [])
    clock.now = at("2026-01-06T12:00")
    watch(going, clock, []).obey(going.repository.runs.get(RUN))
    assert rules(3700, 9000) == [], "a pause by the window needs nobody"


def test_an_editor_makes_changes_and_removes_windows_and_the_run_tells(shop, people, clock):
    clock.now = at("2026-01-05T12:00")
    site = replace(people.world.site, environment=shop.environment, state=shop.folder / "state")
    config = ServerConfig(jobs=(shop.folder,))
    people.world = people.app.state.world = World(site, config, now=clock, passwords=people.world.passwords)
    shops = replace(planned(), job="shop", instance="shop:1")
    people.world.repository.runs.create(shops, [])
    client, viewer = people.token(Role.EDITOR, hours=99), people.token(Role.VIEWER, hours=99)
    asked = {"name": "nights", "job": "shop", "zone": "Europe/Berlin", "spans": [{"begin": "22:00", "end": "05:00"}]}
    made = client.post("/api/v1/windows", json=asked).json()
    told = viewer.get(f"/api/v1/runs/{RUN}/window").json()
    assert (told["open"], told["opens_at"], told["windows"]) == (False, at("2026-01-05T22:00"), ["nights"])
    path = f"/api/v1/windows/{made['id']}"
    assert client.patch(path, json={"zone": "UTC"}).json()["zone"] == "UTC"
    assert client.patch(path, json={"zone": "Mars/Olympus"}).status_code == 422
    assert client.patch(path, json={"enabled": False}).json()["changed_by"] == "the-editor"
    assert viewer.get(f"/api/v1/runs/{RUN}/window").json()["open"] is True
    assert client.delete(path).status_code == 204
    assert (client.delete(path).status_code, viewer.get("/api/v1/windows").json()) == (404, [])
    assert client.post("/api/v1/windows", json={**asked, "spans": []}).status_code == 422
    actions = [one.action for one in people.world.repository.access.audit.page()]
    assert actions == ["window.remove", "window.change", "window.change", "window.add"]
