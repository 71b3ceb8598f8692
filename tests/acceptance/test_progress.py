"""What is shown while a run goes on, number by number."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from ludb.cli.progress import Progress, details, duration, pace, share, states
from ludb.model.events import Event
from ludb.model.run import Counters, Owner, RunState
from ludb.observers.doing import DoingObserver
from ludb.service.activity import Activity


def worker(name, doing):
    return Owner(name, "r", "worker", "h", 1, "/lock", doing=doing)


def seen(workers=(), waiting=None, **counts):
    counted = {"done": 0, "quarantined": 0, "in_doubt": 0, "gone": 0, "rolled_back": 0, "committing": 0} | counts
    written = {"billing.account": 600, "billing.charge": 2_000, "crm.customer": 600}
    aside = {("quarantined", "rules/10_a/has_contact.sql"): 2, ("in_doubt", "crm.customer"): 3}
    return Activity(Counters(total=2_000, **counted), written, aside, tuple(workers), waiting or {})


def test_percent_and_states_are_those_of_settled_units():
    one = seen(done=600, quarantined=2, in_doubt=3, committing=500)
    assert share(one) == pytest.approx(30.25)
    assert states(one) == "600 done, 2 quarantined, 3 in doubt, 1,395 pending"
    assert pace(one, 27.9) == "28 units/s, 50 s left"
    assert pace(one, 0.5) == "0.5 units/s, 46 min 30 s left"
    assert pace(one, 0.0) == "0 units/s, time left not known yet"
    assert pace(seen(done=2_000), 12.0) == "12 units/s"


def test_the_lines_below_the_bar_count_by_system_step_and_worker():
    waiting = {"crm: no answer": 2, "billing: locked": 1}
    assert details(seen([worker("b", "waiting for crm"), worker("a", "steps")], waiting)) == [
        "written: billing 2,600, crm 600",
        "set aside by: crm.customer 3, 10_a/has_contact 2",
        "2 workers: steps | waiting for crm",
        "3 chunks waiting: crm: no answer",
    ]
    many = [worker(str(n), f"calling crm.customer, {n} answered") for n in range(5)] + [worker("x", "")]
    assert details(seen(many))[-1] == "6 workers: calling crm.customer 5, starting 1"
    assert details(seen())[-1] == "workers are starting"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (3_600 * 30 + 60, "30 h 01 min")]
)
def test_times_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_a_worker_says_which_system_it_waits_for_until_something_gets_through():
    told = []
    observer = DoingObserver(told.append)

    def happen(name, **data):
        observer.on(Event(name, data=data))
        return told[-1] if told else None

    assert happen("phase.begin", phase="claim") == "looking for work"
    assert happen("phase.begin", phase="steps") == "steps"
    assert happen("call.sent", output="crm.customer", calls=2) == "calling crm.customer, 0 answered"
    assert happen("call.answered", output="crm.customer") == "calling crm.customer, 1 answered"
    assert happen("call.answered", output="crm.customer") == "calling crm.customer, 2 answered"
    happen("circuit.open", system="crm")
    assert happen("chunk.released", reason="crm: no answer") == "waiting for crm"
    assert happen("phase.begin", phase="claim") == "waiting for crm"
    assert happen("phase.begin", phase="call") == "call"
    assert happen("call.sent", output="crm.customer", calls=2) == "calling crm.customer, 0 answered"
    happen("circuit.closed")
    assert happen("phase.begin", phase="claim") == "looking for work"
    assert happen("chunk.released", reason="given back") == "looking for work"
    assert happen("target.away", target="billing") == "waiting for billing"


def test_a_paused_run_says_its_reason_once():
    paused = replace(seen(waiting={"journal: no room": 2}), state=RunState.PAUSED, reason="journal: no room")
    assert details(paused)[-1] == "paused: journal: no room"


def test_a_night_of_pause_does_not_slow_the_pace_that_is_shown(monkeypatch):
    looks = [
        (0, 0, "running"),
        (10, 100, "running"),
        (20, 200, "paused"),
        (4_020, 200, "running"),
        (4_050, 500, "running"),
    ]
    clock = iter([0.0, *(at for at, _, _ in looks)])
    told = iter([replace(seen(done=done), state=RunState(state)) for _, done, state in looks])
    monkeypatch.setattr("ludb.cli.progress.time.monotonic", lambda: float(next(clock)))
    text = StringIO()
    progress = Progress(Console(file=text, width=500), lambda: next(told), SimpleNamespace(id="r"))
    for _ in looks:
        progress.tick()
    assert "500 done, 1,500 pending, 10 units/s, 2 min 30 s left" in text.getvalue()
