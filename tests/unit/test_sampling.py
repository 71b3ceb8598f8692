"""Whoever holds a run notes how it goes, seldom and without harm."""

from __future__ import annotations

from dataclasses import replace

from ludb.engine.liveness import OwnerLock
from ludb.errors import TransientError
from ludb.repositories.memory import MemoryRepository
from ludb.service.sampling import Sampler, host_figures
from ludb.service.site import open_scratch
from ludb.testing.repository_world import RUN, ManualClock, claimed, moved, owner, started


def test_a_sample_tells_what_was_settled_and_who_did_what(tmp_path):
    clock = ManualClock()
    site = replace(open_scratch({}), repository=MemoryRepository(clock=clock), host="host")
    started(site.repository)
    moved(site.repository, claimed(site.repository))
    held = []
    for name, doing in (("w1", "writing"), ("w2", "calling crm.customer, 12 answered"), ("w3", "writing")):
        held += [OwnerLock(tmp_path / name)] if name != "w3" else []
        one = replace(owner(name), lock=str(tmp_path / name), doing=doing, cpu=0.5, memory=1000)
        site.repository.owners.enrol(one)
        site.repository.owners.beat(one)
    sampler = Sampler(site, RUN, clock=clock, host=lambda: {"host_cpu": 0.25})
    sampler.tick()
    assert site.repository.samples.of(RUN) == [], "seldom"
    clock.now += 5
    sampler.tick()
    (told,) = site.repository.samples.of(RUN)
    assert (told.at, told.span, told.settled) == (clock.now, 5.0, 4)
    assert told.data == {
        "workers": 2.0, "cpu": 1.0, "memory": 2000.0, "doing.writing": 1.0, "doing.calling crm.customer": 1.0,
        "host_cpu": 0.25,
    }  # fmt: skip


def test_a_repository_that_is_away_ends_no_run():
    class Away:
        def __getattr__(self, name):
            raise TransientError("away")

    clock = ManualClock()
    sampler = Sampler(replace(open_scratch({}), repository=Away()), RUN, clock=clock, host=dict)
    clock.now += 10
    sampler.tick()


def test_the_host_is_measured_in_shares(tmp_path):
    figures = host_figures(replace(open_scratch({}), state=tmp_path))()
    assert {name: 0.0 <= value <= 1.0 for name, value in figures.items() if name != "host_cores"} == {
        "host_cpu": True, "host_memory": True, "host_disk": True,
    }  # fmt: skip
