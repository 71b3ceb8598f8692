"""The contract of commands, owners and events: what people ask, who is at work, what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.errors import ConfigError, LeaseLost
from ludb.model.events import Event
from ludb.model.run import RunState
from ludb.model.steering import CallLimits
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, owner, started


class PeopleContract:
    """Nothing that was asked is lost, nothing is done twice, and silence is seen."""

    def test_a_command_waits_until_it_is_acknowledged_once(self, repository: Repository) -> None:
        """Otherwise a pause would be lost, or repeated for ever."""
        started(repository)
        first = repository.commands.put(RUN, "workers", {"wanted": 4}, "operator")
        second = repository.commands.put(RUN, "pause", {}, "operator")
        waiting = repository.commands.take(RUN)
        assert [(one.number, one.name, one.arguments) for one in waiting] == [
            (first, "workers", {"wanted": 4}),
            (second, "pause", {}),
        ]
        assert {(one.actor, one.outcome) for one in waiting} == {("operator", None)}
        assert repository.commands.take(RUN) == repository.commands.take(RUN)
        repository.commands.acknowledge(first, "4 workers")
        repository.commands.acknowledge(first, "said again")
        assert [one.number for one in repository.commands.take(RUN)] == [second]
        repository.commands.acknowledge(second, "paused")
        third = repository.commands.put(RUN, "resume", {}, "operator")
        assert third > second
        told = repository.commands.recent(RUN, limit=3)
        assert [(one.number, one.outcome) for one in told] == [(third, None), (second, "paused"), (first, "4 workers")]
        assert [one.number for one in repository.commands.recent(RUN, limit=1)] == [third]

    def test_a_command_for_an_unknown_run_is_refused(self, repository: Repository) -> None:
        """Otherwise a pause with a typing mistake would seem to work."""
        with pytest.raises(ConfigError, match="nonesuch"):
            repository.commands.put("nonesuch", "pause", {}, "operator")

    def test_a_heartbeat_counts_and_brings_the_runs_state(self, repository: Repository) -> None:
        """Otherwise a living worker would look dead, and a paused one would go on."""
        started(repository)
        me = owner("w1")
        repository.owners.enrol(me)
        repository.owners.enrol(owner("w2"))
        assert repository.owners.beat(replace(me, doing="chunk 7", cpu=0.5, memory=1024)).state is RunState.RUNNING
        repository.runs.change(RUN, RunState.PAUSED)
        assert repository.owners.beat(replace(me, doing="waiting")).state is RunState.PAUSED
        newest, oldest = repository.owners.all(RUN)
        assert (newest.id, newest.beat) == ("w2", 0)
        assert oldest == replace(me, beat=2, doing="waiting")

    def test_an_owner_that_left_stays_in_the_story(self, repository: Repository) -> None:
        """Otherwise nobody could tell a dead worker from one that never was."""
        started(repository)
        for name, state in (("w1", "ended"), ("w2", "dead")):
            repository.owners.enrol(owner(name))
            repository.owners.leave(name, state)
        with pytest.raises(LeaseLost):
            repository.owners.beat(owner("w2"))
        assert [(each.id, each.state) for each in repository.owners.all(RUN)] == [("w2", "dead"), ("w1", "ended")]
        with pytest.raises(ConfigError, match="w1"):
            repository.owners.enrol(owner("w1"))

    def test_a_dismissed_owner_is_told_so_and_is_at_work_until_it_has_left(self, repository: Repository) -> None:
        """Otherwise a surplus worker would go on for ever, or its chunk would be given to others under its hands."""
        started(repository)
        for name in ("w1", "w2"):
            repository.owners.enrol(owner(name))
        repository.owners.dismiss("w1")
        assert [one.state for one in repository.owners.all(RUN)] == ["alive", "dismissed"]
        told = {name: repository.owners.beat(owner(name)) for name in ("w1", "w2")}
        assert {name: (one.dismissed, one.at_work) for name, one in told.items()} == {"w1": (True, 2), "w2": (False, 2)}
        repository.owners.leave("w1", "ended")
        repository.owners.dismiss("w1")
        assert [one.state for one in repository.owners.all(RUN)] == ["alive", "ended"]
        assert repository.owners.beat(owner("w2")).at_work == 1

    def test_a_heartbeat_brings_the_live_settings(self, repository: Repository) -> None:
        """Otherwise what a person sets would reach nobody."""
        started(repository)
        repository.owners.enrol(owner("w1"))
        repository.runs.adjust(RUN, {"calls": {"crm": {"pace": None, "in_flight": 8}}, "set.chunk": 7})
        repository.runs.adjust(RUN, {"set.crm.pace": "60/m", "set.workers": 3})
        live = repository.owners.beat(owner("w1")).live
        assert (live.workers, live.chunk_units, live.calls) == (3, 7, {"crm": CallLimits(1.0, 8)})

    def test_events_are_told_in_order_from_where_a_reader_stopped(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise a dashboard that reconnects would miss or repeat what happened."""
        started(repository)
        said = [Event("chunk.finished", RUN, f"c{number}", lasting=True, data={"units": number}) for number in range(4)]
        for event in said:
            repository.events.append(event)
            clock.now -= 10
        repository.events.append(Event("chunk.finished", "other"))
        told = repository.events.since(RUN)
        assert [event for _, _, event in told] == said
        assert told[0][1] == clock.now + 40
        assert [event for _, _, event in repository.events.since(RUN, told[1][0])] == said[2:]
        assert [event for _, _, event in repository.events.since(RUN, limit=1)] == said[:1]

    def test_a_new_repository_has_an_identity_and_no_past(self, repository: Repository) -> None:
        """Otherwise the ledgers of a target could not be told from another repository's."""
        assert repository.id
        assert repository.runs.seq() == 0
