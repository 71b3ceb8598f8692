"""Live settings, pace and room, number by number."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ludb.dialects.http.pace import Bucket, Gate
from ludb.engine.liveness import LOCKS_AGE, OwnerLock, sweep_locks
from ludb.errors import ConfigError, ConfigErrors
from ludb.model.run import Counters, Owner, RunState
from ludb.model.steering import CallLimits, Live, per_second
from ludb.repositories.memory import MemoryRepository
from ludb.service.room import FIRST_WAIT, LONGEST_WAIT, RoomWatch, paused_by
from ludb.service.steering import STOP, carry_out, checked, held
from ludb.testing.repository_world import planned, segments

SETTINGS = {"workers": 2, "chunk_units": 500, "calls": {"crm": {"pace": "10/s", "in_flight": 8}}}


@pytest.mark.parametrize(
    ("text", "rate"), [("100/s", 100.0), ("6000/m", 100.0), ("1/h", 1 / 3600), (" 2.5 / s ", 2.5), ("OFF", None)]
)
def test_a_pace_is_requests_in_a_second(text, rate):
    assert per_second(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1/d", "1000001/s", "1e3/s", "fast"])
def test_what_is_no_pace_is_refused(text):
    with pytest.raises(ValueError, match="100/s"):
        per_second(text)


def test_what_was_set_goes_before_what_the_job_says():
    assert Live.of(SETTINGS) == Live(2, 500, {"crm": CallLimits(10.0, 8)})
    said = {"set.workers": 4, "set.chunk": 50, "set.crm.pace": "off", "set.crm.in_flight": 2}
    assert Live.of(SETTINGS | said) == Live(4, 50, {"crm": CallLimits(None, 2)})
    assert Live.of({}) == Live()  # a run of the first version


def test_a_value_out_of_range_or_an_unknown_name_says_what_is_allowed():
    run = replace(planned(), settings=SETTINGS)
    assert checked(run, {"workers": "1024", "chunk": "1", "crm.pace": "Off"}) == {
        "workers": 1024, "chunk": 1, "crm.pace": "off",
    }  # fmt: skip
    for text in ("0", "1025", "-1", "2.5", "two", "", "\uff11"):
        with pytest.raises(ConfigError, match="whole number from 1 to 1024"):
            checked(run, {"workers": text})
    with pytest.raises(ConfigError, match=r"no setting 'crn.pace'.* chunk \(1 to 100000\).* crm.pace"):
        checked(run, {"crn.pace": "1/s"})
    with pytest.raises(ConfigErrors) as both:
        checked(run, {"workers": "0", "speed": "9"})
    assert len(both.value.errors) == 2


def left_in(bucket: Bucket, seconds: float, since: float) -> int:
    """How many requests leave in a time, when there is no end of them."""
    now, count = since, 0
    while (wait := bucket.wait(now)) <= since + seconds - now:
        now += wait
        bucket.take(now)
        count += 1
    return count


@pytest.mark.parametrize("rate", [0.5, 7.0, 100.0, 5000.0])
def test_no_more_leave_than_the_pace_allows_and_no_fewer(rate):
    bucket = Bucket(rate, 0.0)
    assert left_in(bucket, 60.0, 0.0) == pytest.approx(60 * rate, rel=0.01, abs=1.1)
    assert left_in(bucket, 60.0, 1000.0) == pytest.approx(60 * rate, rel=0.01, abs=1.1), "rest is not saved up"


def test_another_pace_holds_at_once():
    bucket = Bucket(0.001, 0.0)
    bucket.take(0.0)
    assert bucket.wait(1.0) > 900
    bucket.set_rate(10.0)
    assert bucket.wait(1.1) <= 0.1
    bucket.set_rate(None)
    assert bucket.wait(1.1) == 0.0


def test_a_gate_lets_so_many_through_whatever_it_was_before():
    async def most(*places: int) -> int:
        gate, inside, seen, go = Gate(4), 0, 0, asyncio.Event()

        async def enter() -> None:
            nonlocal inside, seen
            async with gate:
                inside += 1
                seen = max(seen, inside) if go.is_set() else 0
                await asyncio.sleep(0)
                inside -= 1

        first = [asyncio.create_task(enter()) for _ in range(4)]
        await asyncio.sleep(0)
        for number in places:
            gate.resize(number)
        await asyncio.gather(*first)
        go.set()
        await asyncio.gather(*(enter() for _ in range(30)))
        return seen

    for places in ((4,), (2,), (9,), (1, 9), (9, 1), (1, 2, 3), (8, 8, 2)):
        assert asyncio.run(most(*places)) == places[-1]


def paused(path: str = "") -> object:
    return replace(planned(), state=RunState.PAUSED, settings={"pause": {"by": "room", "path": path}})


def test_a_run_without_room_is_tried_again_ever_more_rarely_until_something_is_settled():
    now, done = [0.0], [0]
    watch = RoomWatch(monotonic=lambda: now[0])

    def waited() -> float:
        began = now[0]
        while not watch.ready(paused(), lambda: Counters(100, done[0], 0, 0, 0, 0, 0)):
            now[0] += 0.25
        return now[0] - began

    assert [waited() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    done[0] = 5
    assert (waited(), waited()) == (FIRST_WAIT, 2 * FIRST_WAIT)
    assert LONGEST_WAIT == 60


def test_a_run_is_not_tried_while_its_disk_is_seen_to_be_full(monkeypatch, tmp_path):
    room = [0]
    real = os.statvfs

    def statvfs(path):
        found = list(real(path))
        found[4] = room[0] // real(path).f_frsize  # f_bavail
        return os.statvfs_result(found)

    monkeypatch.setattr(os, "statvfs", statvfs)
    now = [0.0]
    watch = RoomWatch(monotonic=lambda: now[0])
    run = paused(str(tmp_path / "not" / "there" / "yet"))
    for now[0] in (0.0, 10.0, 1000.0):
        assert not watch.ready(run, lambda: Counters(1, 0, 0, 0, 0, 0, 0))
    room[0] = 1 << 30
    assert watch.ready(run, lambda: Counters(1, 0, 0, 0, 0, 0, 0))


def test_only_a_paused_run_waits_for_something():
    assert paused_by(paused()) == "room"
    assert paused_by(replace(paused(), state=RunState.RUNNING)) == ""
    assert paused_by(replace(planned(), state=RunState.PAUSED)) == ""


def test_lock_files_of_the_dead_are_swept_and_those_of_the_living_and_the_young_stay(tmp_path: Path):
    living = OwnerLock(tmp_path / "w-living.lock")
    for name in ("w-dead", "s-dead", "w-young", "start-shop"):
        (tmp_path / f"{name}.lock").touch()
    long_ago = (tmp_path / "w-dead.lock").stat().st_mtime - 2 * LOCKS_AGE
    for name in ("w-living", "w-dead", "s-dead", "start-shop"):
        os.utime(tmp_path / f"{name}.lock", (long_ago, long_ago))
    assert sweep_locks(tmp_path, long_ago + 2 * LOCKS_AGE) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["start-shop.lock", "w-living.lock", "w-young.lock"]
    living.release()


class LastWorkerLeaves:
    """Runs whose last worker stops them between a look and a change."""

    def __init__(self, runs):
        self._runs = runs

    def get(self, run_id):
        return self._runs.get(run_id)

    def change(self, run_id, state, *more):
        self._runs.change(run_id, RunState.STOPPED)
        return self._runs.change(run_id, state, *more)


def test_a_run_that_stops_while_it_is_asked_to_has_stopped():
    repository = MemoryRepository()
    run = repository.runs.create(planned(), segments(3))
    repository.runs.change(run.id, RunState.RUNNING)
    repository.runs.change(run.id, RunState.STOPPING)
    number = repository.commands.put(run.id, STOP, {"now": True}, "eve")
    command = next(one for one in repository.commands.recent(run.id) if one.number == number)
    site = SimpleNamespace(repository=SimpleNamespace(runs=LastWorkerLeaves(repository.runs)))
    assert carry_out(site, run.id, command) == "stopped"


def test_a_run_that_has_stopped_is_not_held_by_the_one_that_is_leaving(tmp_path):
    """Else `resume` in that moment would be told that there is nothing to resume."""
    repository = MemoryRepository()
    run = repository.runs.create(planned(), segments(3))
    lock = OwnerLock(tmp_path / "s-1.lock")
    repository.owners.enrol(Owner("s-1", run.id, "supervisor", "here", os.getpid(), str(lock.path)))
    site = SimpleNamespace(repository=repository, locks=tmp_path, host="here")
    repository.runs.change(run.id, RunState.RUNNING)
    assert held(site, run.id)
    repository.runs.change(run.id, RunState.STOPPING)
    repository.runs.change(run.id, RunState.STOPPED)
    leaving = threading.Timer(0.3, lock.release)
    leaving.start()
    assert not held(site, run.id)
    leaving.join()
