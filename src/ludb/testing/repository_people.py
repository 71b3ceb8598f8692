"""The contract of commands, owners and events: what people ask, who is at work, what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.errors import ConfigError, LeaseLost
from ludb.model.events import Event
from ludb.model.run import RunState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, owner, started


class PeopleContract:
    """Nothing that was asked is lost, nothing is done twice, and silence is seen."""

    def test_a_command_waits_until_it_is_acknowledged_once(self, repository: Repository) -> None:
        """Otherwise a pause would be lost, or repeated for ever."""
        started(repository)
        first = repository.commands.put(RUN, "workers", {"wanted": 4}, "operator")
        second = repository.commands.put(RUN, "pause", {}, "operator")
        assert repository.commands.take(RUN) == [(first, "workers", {"wanted": 4}), (second, "pause", {})]
        assert repository.commands.take(RUN) == repository.commands.take(RUN)
        repository.commands.acknowledge(first, "4 workers")
        repository.commands.acknowledge(first, "said again")
        assert [number for number, _, _ in repository.commands.take(RUN)] == [second]
        repository.commands.acknowledge(second, "paused")
        assert repository.commands.put(RUN, "resume", {}, "operator") > second

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
        assert repository.owners.beat(replace(me, doing="chunk 7", cpu=0.5, memory=1024)) is RunState.RUNNING
        repository.runs.change(RUN, RunState.PAUSED)
        assert repository.owners.beat(replace(me, doing="waiting")) is RunState.PAUSED
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
