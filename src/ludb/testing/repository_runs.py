"""The contract of `Runs`: which changes a run may make, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from ludb.errors import ConfigError, FatalError
from ludb.model.run import RUN_CHANGES, RunState, Segment
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, claimed, decision, fault, moved, planned, segments, started

_PATHS: dict[RunState, tuple[RunState, ...]] = {
    RunState.PLANNED: (),
    RunState.RUNNING: (RunState.RUNNING,),
    RunState.PAUSED: (RunState.RUNNING, RunState.PAUSED),
    RunState.STOPPING: (RunState.RUNNING, RunState.STOPPING),
    RunState.STOPPED: (RunState.RUNNING, RunState.STOPPING, RunState.STOPPED),
    RunState.COMPLETED: (RunState.RUNNING, RunState.COMPLETED),
    RunState.EXCEPTIONS: (RunState.RUNNING, RunState.EXCEPTIONS),
    RunState.FAILED: (RunState.RUNNING, RunState.FAILED),
    RunState.ABANDONED: (RunState.ABANDONED,),
}


class RunsContract:
    """Runs come and go by the table of states alone."""

    def test_a_planned_run_is_kept_whole_with_its_unit_list(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a resumed run would not know what it promised to move."""
        run = repository.runs.create(planned(), segments(10))
        assert run == repository.runs.get(RUN)
        assert (run.units, run.created_at, run.parameters) == (10, clock.now, {"region": "north"})
        keys = repository.views.keys(RUN)
        assert keys.column("ludb_position").to_pylist() == list(range(10))
        assert keys.column("customer_id").to_pylist() == list(range(100, 110))

    def test_a_list_that_breaks_off_leaves_no_run(self, repository: Repository) -> None:
        """Otherwise a source that fails in mid-plan would leave a run that moves half of the customers."""

        def broken() -> Iterator[Segment]:
            yield from segments(6)
            raise ConnectionError("the source went away")

        with pytest.raises(ConnectionError):
            repository.runs.create(planned(), broken())
        assert repository.views.runs() == []
        assert repository.runs.create(planned(), segments(3)).units == 3
        assert repository.views.keys(RUN).num_rows == 3

    def test_a_list_with_a_gap_is_refused(self, repository: Repository) -> None:
        """Otherwise positions would not count units."""
        with pytest.raises(FatalError, match="position 7"):
            repository.runs.create(planned(), [Segment(7, pa.table({"customer_id": [1]}))])

    def test_a_run_is_not_planned_over_another(self, repository: Repository) -> None:
        """Otherwise a second planner would replace the list under living workers."""
        started(repository, 4)
        with pytest.raises(ConfigError, match=RUN):
            repository.runs.create(planned(), segments(9))
        assert repository.views.keys(RUN).num_rows == 4

    def test_an_unknown_run_is_answered_with_the_known_ones(self, repository: Repository) -> None:
        """Otherwise a typing mistake costs a search."""
        started(repository)
        with pytest.raises(ConfigError, match=RUN):
            repository.runs.get("nonesuch")

    @pytest.mark.parametrize("state", list(RunState))
    def test_a_run_changes_by_the_table_alone(self, repository: Repository, state: RunState) -> None:
        """Otherwise a completed run could be started a second time."""
        for to in RunState:
            run = repository.runs.create(planned(f"to-{to}"), segments(1)).id
            for step in _PATHS[state]:
                repository.runs.change(run, step)
            if to is state or to in RUN_CHANGES[state]:
                assert repository.runs.change(run, to).state is to
            else:
                with pytest.raises(ConfigError, match=str(state)):
                    repository.runs.change(run, to)
                assert repository.runs.get(run).state is state

    def test_times_and_reason_follow_the_run(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a resumed run would still show why it failed before."""
        repository.runs.create(planned(), segments(2))
        first = repository.runs.change(RUN, RunState.RUNNING)
        clock.now += 5
        failed = repository.runs.change(RUN, RunState.FAILED, "target away")
        assert (failed.reason, failed.ended_at, failed.started_at) == ("target away", clock.now, first.started_at)
        clock.now += 5
        again = repository.runs.change(RUN, RunState.RUNNING)
        assert (again.reason, again.ended_at, again.started_at) == ("", None, first.started_at)
        assert repository.runs.change(RUN, RunState.RUNNING, "said twice") == again

    def test_the_latest_run_of_an_instance_skips_abandoned_ones(self, repository: Repository) -> None:
        """Otherwise starting again would resume what a person gave up."""
        for run_id in ("one", "two", "three"):
            repository.runs.create(planned(run_id), segments(1))
        repository.runs.create(planned("other", instance="telco:2"), segments(1))
        repository.runs.change("three", RunState.ABANDONED)
        latest = repository.runs.latest("telco", "telco:1")
        assert latest is not None
        assert latest.id == "two"
        assert repository.runs.latest("telco", "telco:9") is None
        assert [run.id for run in repository.views.runs("telco", limit=2)] == ["other", "three"]

    def test_a_pinned_version_is_what_workers_load(self, repository: Repository) -> None:
        """Otherwise a retry would run the steps that failed."""
        started(repository)
        assert repository.runs.pin(RUN, "v2", "p2") == repository.runs.get(RUN)
        assert repository.runs.get(RUN).version == "v2"

    def test_a_run_ends_only_when_everything_is_finished(self, repository: Repository) -> None:
        """Otherwise a run would be called complete with customers still on their way."""
        started(repository, 6)
        first = claimed(repository, 4)
        assert repository.runs.settle(RUN).state is RunState.RUNNING
        last = claimed(repository, 4)
        moved(repository, first)
        decided = repository.chunks.decide(last, decision(last))
        assert repository.runs.settle(RUN).state is RunState.RUNNING
        repository.chunks.finish(decided)
        assert repository.runs.settle(RUN).state is RunState.COMPLETED
        assert repository.runs.settle(RUN).state is RunState.COMPLETED

    def test_a_released_chunk_keeps_the_run_open(self, repository: Repository) -> None:
        """Otherwise a chunk that waits for its target would be forgotten."""
        started(repository, 4)
        repository.chunks.release(claimed(repository), "away", 60)
        assert repository.runs.settle(RUN).state is RunState.RUNNING

    def test_a_run_with_a_unit_set_aside_says_so(self, repository: Repository) -> None:
        """Otherwise a quarantined customer would hide behind a green run."""
        started(repository, 4)
        moved(repository, claimed(repository), [fault(2)])
        assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS

    def test_an_empty_list_completes(self, repository: Repository) -> None:
        """Otherwise a run over nothing would wait for ever."""
        started(repository, 0)
        assert repository.chunks.claim(RUN, "a", 5) is None
        assert repository.runs.settle(RUN).state is RunState.COMPLETED

    def test_a_stopping_run_stops_when_nothing_is_held(self, repository: Repository) -> None:
        """Otherwise `stop` would cut chunks off, or never end."""
        started(repository, 12)
        chunk = claimed(repository)
        repository.runs.change(RUN, RunState.STOPPING, "by hand")
        assert repository.runs.settle(RUN).state is RunState.STOPPING
        decided = repository.chunks.decide(chunk, decision(chunk))
        assert repository.runs.settle(RUN).state is RunState.STOPPING
        repository.chunks.finish(decided)
        stopped = repository.runs.settle(RUN)
        assert (stopped.state, stopped.reason) == (RunState.STOPPED, "by hand")

    @pytest.mark.parametrize("state", [RunState.PAUSED, RunState.FAILED])
    def test_a_run_that_is_not_at_work_does_not_settle(self, repository: Repository, state: RunState) -> None:
        """Otherwise a failed run would turn into a complete one behind the operator's back."""
        started(repository, 0)
        repository.runs.change(RUN, state)
        assert repository.runs.settle(RUN).state is state

    def test_the_sequence_grows_with_every_claim(self, repository: Repository) -> None:
        """Otherwise a restored repository could not be told from the one that ledgers know."""
        started(repository, 8)
        before = repository.runs.seq()
        first, second = claimed(repository), claimed(repository)
        assert before < first.seq < second.seq == repository.runs.seq()

    def test_settings_are_merged_and_forgotten_one_by_one(self, repository: Repository) -> None:
        """Otherwise two people who set two things at once would undo each other's work."""
        started(repository)
        assert repository.runs.get(RUN).settings == {"chunk_units": 4}
        repository.runs.adjust(RUN, {"set.workers": 3})
        run = repository.runs.adjust(RUN, {"set.chunk": 9})
        assert run == repository.runs.get(RUN)
        assert run.settings == {"chunk_units": 4, "set.workers": 3, "set.chunk": 9}
        assert repository.runs.adjust(RUN, {"set.chunk": None}).settings == {"chunk_units": 4, "set.workers": 3}
        with pytest.raises(ConfigError, match="nonesuch"):
            repository.runs.adjust("nonesuch", {"set.workers": 3})

    def test_a_change_of_state_brings_its_settings_and_only_if_it_is_one(self, repository: Repository) -> None:
        """Otherwise a run that a person paused would count as one that goes on by itself."""
        started(repository)
        repository.runs.change(RUN, RunState.PAUSED, "by ann", {"pause": {"by": "person"}})
        repository.runs.change(RUN, RunState.PAUSED, "full", {"pause": {"by": "room"}})
        run = repository.runs.get(RUN)
        assert (run.reason, run.settings["pause"]) == ("by ann", {"by": "person"})
        with pytest.raises(ConfigError):
            repository.runs.change(RUN, RunState.COMPLETED, "", {"pause": {"by": "nobody"}})
        assert repository.runs.get(RUN).settings["pause"] == {"by": "person"}
