"""The contract of evidence and retention: sums that can be checked, and forgetting that loses nothing that is needed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ludb.errors import ConfigError
from ludb.model.events import Event
from ludb.model.run import CallState, ChunkState, RunState, UnitState
from ludb.model.tasks import Sample
from ludb.ports.evidence import Accounts, CallGroup, ChunkGroup, Decided, ReasonGroup, Settled
from ludb.ports.repository import Repository
from ludb.ports.retention import Room, What
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, ManualClock, claimed, decision, fault, moved, planned, segments, started

_ALL: tuple[What, ...] = ("journal", "quarantine", "runs")


def run_with_everything(repository: Repository, clock: ManualClock) -> None:
    """Ten units: three chunks moved, two units rejected (one of them tried again and rejected again), one call, one event."""
    started(repository)
    first = claimed(repository)
    repository.calls.intend(first, [make_call(0)])
    for state in (CallState.SENT, CallState.DONE):
        repository.calls.mark(first, [make_call(0)], state)
    moved(repository, first, [fault(1)])
    repository.chunks.retry(RUN, [1], "operator")
    clock.now += 10
    moved(repository, claimed(repository), [fault(1)])
    repository.events.append(Event("chunk.recovered", RUN, lasting=True))
    repository.events.append(Event("run.started", RUN, lasting=True))
    moved(repository, claimed(repository), merged={bytes(16): 5})
    moved(repository, claimed(repository), [replace(fault(9), reason="no contact", detail="", source_rows="")])
    assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS


class EvidenceContract:
    """What a report says is counted from the rows, in ways that can disagree."""

    def test_units_are_counted_again_from_list_and_chunks(self, repository: Repository) -> None:
        """Otherwise `every unit is accounted for` would compare a number with itself."""
        started(repository, 20)
        moved(repository, claimed(repository, 4), [fault(0)])
        held = claimed(repository, 4)
        repository.chunks.decide(held, decision(held, undo=[fault(held.positions[0])]))
        claimed(repository, 4)
        counters, accounts = repository.views.counters(RUN), repository.evidence.accounts(RUN)
        assert accounts.committing == counters.committing == len(held.positions) - 1
        assert accounts.unclaimed + accounts.held + accounts.committing == counters.pending
        assert accounts.listed == counters.total == accounts.done + accounts.aside + counters.pending
        assert (accounts.live_calls, accounts.undecided) == (0, 0)

    def test_a_quarantined_units_live_call_is_seen(self, repository: Repository) -> None:
        """Otherwise a report would call a customer not moved who is in the CRM."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(0), make_call(1)])
        for state in (CallState.SENT, CallState.DONE):
            repository.calls.mark(chunk, [make_call(0), make_call(1)], state)
        moved(repository, chunk, [fault(1)])
        assert repository.evidence.accounts(RUN).live_calls == 1
        assert repository.evidence.calls(RUN) == [CallGroup(make_call(0).output, CallState.DONE, 2)]

    def test_a_whole_run_is_told_in_sums(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise the committee would read other numbers than the operator."""
        began = clock.now
        run_with_everything(repository, clock)
        evidence = repository.evidence
        assert evidence.accounts(RUN) == Accounts(10, 8, 2, 0, 0, 0, 0, 0)
        assert evidence.pace(RUN) == [Settled(began, 3, 0), Settled(began + 10, 5, 2)]
        assert evidence.reasons(RUN, named=5) == [
            ReasonGroup(UnitState.QUARANTINED, "bad date", "10_customer", 1, ("101",)),
            ReasonGroup(UnitState.QUARANTINED, "no contact", "10_customer", 1, ("109",)),
        ]
        assert [group.keys for group in evidence.reasons(RUN, limit=1)] == [()]
        assert evidence.chunks(RUN) == [
            ChunkGroup("move", ChunkState.FINISHED, 3, 10, 0),
            ChunkGroup("retry", ChunkState.FINISHED, 1, 1, 0),
        ]
        assert evidence.decided(RUN) == Decided({"v1": (4, 8)}, {"billing.account": 8})

    def test_who_asked_for_what_is_told_in_order(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise nobody could say who tried the quarantined customers again."""
        run_with_everything(repository, clock)
        number = repository.commands.put(RUN, "stop", {"now": True}, "boss")
        clock.now += 1
        repository.commands.acknowledge(number, "stopped")
        retried, stopped = repository.evidence.asked(RUN)
        assert (retried.name, retried.actor, retried.outcome) == (
            "quarantine retry",
            "operator",
            "1 unit pending again",
        )
        assert (stopped.name, stopped.actor, stopped.arguments) == ("stop", "boss", {"now": True})
        assert (stopped.done_at, stopped.outcome) == (clock.now, "stopped")

    def test_every_decision_is_listed_with_its_chunk(self, repository: Repository) -> None:
        """Otherwise a ledger could not be compared with the repository."""
        assert repository.evidence.transactions().num_rows == 0
        started(repository, 8)
        first, second = moved(repository, claimed(repository)), claimed(repository)
        decided = repository.chunks.decide(second, decision(second))
        told = repository.evidence.transactions().to_pylist()
        assert [(row["txn"], row["chunk"], row["state"]) for row in told] == [
            (first.txn, first.id, "finished"), (decided.txn, decided.id, "decided")
        ]  # fmt: skip
        assert {(row["job"], row["run"], tuple(row["participants"])) for row in told} == {("telco", RUN, ("billing",))}

    def test_evidence_of_an_unknown_run_is_refused(self, repository: Repository) -> None:
        """Otherwise a typing mistake would give an empty report."""
        for ask in (repository.evidence.pace, repository.evidence.accounts, repository.evidence.asked):
            with pytest.raises(ConfigError, match="nonesuch"):
                ask("nonesuch")


class RetentionContract:
    """Values go; who was moved, by whom, and every sum stay."""

    @pytest.mark.parametrize("state", [RunState.RUNNING, RunState.PAUSED, RunState.FAILED, RunState.STOPPED])
    def test_a_run_that_is_not_over_is_never_purged(self, repository: Repository, state: RunState) -> None:
        """Otherwise a failed run could not be recovered."""
        started(repository)
        if state is RunState.STOPPED:
            repository.runs.change(RUN, RunState.STOPPING)
        repository.runs.change(RUN, state)
        for what in _ALL:
            with pytest.raises(ConfigError, match=str(state)):
                repository.retention.mark(RUN, what, "auditor", finished=False)
            with pytest.raises(ConfigError, match=str(state)):
                repository.retention.clear(RUN, what)

    def test_nothing_is_cleared_unsigned(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise rows would be missing and nobody could say who removed them."""
        run_with_everything(repository, clock)
        with pytest.raises(ConfigError, match="who"):
            repository.retention.clear(RUN, "journal")
        repository.retention.mark(RUN, "journal", "auditor", finished=False)
        repository.retention.mark(RUN, "journal", "auditor", finished=True)
        with pytest.raises(ConfigError, match="who"):
            repository.retention.clear(RUN, "journal")

    @pytest.mark.parametrize("rows", [1, 2000])
    def test_values_go_and_sums_stay(self, repository: Repository, clock: ManualClock, rows: int) -> None:
        """Otherwise balances would no longer add up for the auditors, or a purge would leave what it promised to remove."""
        run_with_everything(repository, clock)
        repository.samples.add(RUN, Sample(5.0, 1.0, 0, {"cpu": 1.0}))
        repository.samples.add("other", Sample(5.0, 1.0, 0, {"cpu": 1.0}))
        before = self._sums(repository)
        keys = [(e.position, e.unit_key, e.state, e.reason, e.rows) for e in repository.views.exceptions(RUN)]
        for what in _ALL:
            assert repository.retention.measure(RUN, what).rows > 0, what
            repository.retention.mark(RUN, what, "auditor", finished=False)
            while repository.retention.clear(RUN, what, rows):
                pass
            repository.retention.mark(RUN, what, "someone else", finished=True)
            assert repository.retention.measure(RUN, what) == Room(0, 0), what
        assert repository.chunks.holders(RUN, [bytes(16)]) == {}
        assert self._sums(repository) == before
        left = repository.views.exceptions(RUN)
        assert [(e.position, e.unit_key, e.state, e.reason, e.rows) for e in left] == keys
        assert {(e.detail, e.body, e.trace, e.source_rows) for e in left} == {("", "", "", "")}
        assert [event.name for _, _, event in repository.events.since(RUN)] == ["run.started"]
        assert (repository.samples.of(RUN), len(repository.samples.of("other"))) == ([], 1)
        told = json.dumps([repository.views.unit(RUN, at)[1] for at in range(10)], default=str)
        assert "0000-00-00" not in told
        _, _, calls = repository.views.unit(RUN, 0)
        assert [(call.id, call.state, call.request.body) for call in calls] == [(make_call(0).id, CallState.DONE, "")]
        assert {name: (mark["by"], mark["at"], mark["finished"]) for name, mark in self._marks(repository).items()} == (
            dict.fromkeys(_ALL, ("auditor", clock.now, True))
        )

    def test_other_runs_are_left_alone(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a purge of last year's run would empty today's quarantine."""
        run_with_everything(repository, clock)
        repository.runs.create(planned("other", instance="telco:2"), segments(4))
        repository.runs.change("other", RunState.RUNNING)
        moved(repository, claimed(repository, run_id="other"), [fault(0)])
        repository.runs.settle("other")
        repository.retention.mark("other", "quarantine", "auditor", finished=False)
        while repository.retention.clear("other", "quarantine"):
            pass
        assert repository.views.exceptions(RUN)[0].detail == "0000-00-00"
        assert repository.views.exceptions("other")[0].detail == ""

    @staticmethod
    def _sums(repository: Repository) -> object:
        views, evidence = repository.views, repository.evidence
        return (
            views.counters(RUN), views.rows(RUN), views.done(RUN).to_pylist(), views.keys(RUN).to_pylist(),
            evidence.accounts(RUN), evidence.pace(RUN), evidence.reasons(RUN, named=9), evidence.asked(RUN),
            evidence.transactions().to_pylist(), evidence.calls(RUN), repository.runs.seq(),
        )  # fmt: skip

    @staticmethod
    def _marks(repository: Repository) -> dict[str, dict[str, object]]:
        marks = repository.runs.get(RUN).notes["purged"]
        assert isinstance(marks, dict)
        return marks
