"""The contract of outcomes: decisions, units set aside, undo and retry, and counters that always add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.errors import ConfigError, FatalError, LeaseLost, UnitError
from ludb.model.exceptions import decode_exceptions
from ludb.model.run import Chunk, ChunkState, Counters, RunState, UnitState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, claimed, decision, fault, moved, started


class OutcomesContract:
    """Every unit is in exactly one state, and the repository alone can say which."""

    def test_units_count_as_done_at_finish_not_at_decide(self, repository: Repository) -> None:
        """Otherwise a customer would be reported moved before its targets have it."""
        started(repository, 10)
        chunk = claimed(repository)
        decided = repository.chunks.decide(chunk, decision(chunk, [fault(1), fault(3, UnitState.GONE)], strays=2))
        assert decided == replace(chunk, state=ChunkState.DECIDED)
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.committing, counters.quarantined, counters.gone) == (0, 2, 1, 1)
        assert counters.pending == 8
        assert repository.views.done(RUN).to_pylist() == []
        assert repository.views.rows(RUN).source == {"customers": {"quarantined": 1, "gone": 1}}
        repository.chunks.finish(decided)
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.committing, counters.pending) == (2, 0, 6)
        assert repository.views.done(RUN).to_pylist() == [0, 2]
        rows = repository.views.rows(RUN)
        assert rows.source["customers"] == {"done": 2, "quarantined": 1, "gone": 1}
        assert rows.source["payments"] == {"stray": 2}
        assert rows.warnings == {"has_contact": 2}
        assert rows.output == {"billing.account": {"done": 2, "quarantined": 1, "gone": 1}}

    def test_conversions_add_up_over_finished_chunks_alone(self, repository: Repository) -> None:
        """A chunk that is released, split or only decided has converted nothing yet."""
        started(repository, 12)
        moved(repository, claimed(repository))
        repository.chunks.release(claimed(repository), "busy", 1_000)
        whole = claimed(repository)
        first, second = repository.chunks.split(whole, [whole.positions[:1], whole.positions[1:]])
        moved(repository, first)
        decided = repository.chunks.decide(second, decision(second))
        assert repository.views.rows(RUN).conversions == {"trimmed": 4}
        repository.chunks.finish(decided)
        assert repository.views.rows(RUN).conversions == {"trimmed": 6}

    def test_a_decision_that_does_not_cover_the_chunk_is_refused(self, repository: Repository) -> None:
        """Otherwise a customer would be in no state at all."""
        started(repository, 10)
        chunk = claimed(repository)
        good = decision(chunk)
        for wrong in (
            replace(good, done=3),
            decision(chunk, [fault(7)]),
            decision(chunk, [fault(1)], [fault(1)]),
            decision(chunk, [fault(1, UnitState.PENDING)]),
            replace(good, txn="other"),
        ):
            with pytest.raises(FatalError):
                repository.chunks.decide(chunk, wrong)
        assert repository.views.counters(RUN).pending == 10
        moved(repository, chunk)

    def test_a_refused_decision_leaves_nothing_behind(self, repository: Repository) -> None:
        """Otherwise a zombie's exceptions would quarantine customers that another worker moves."""
        started(repository, 4)
        stale = claimed(repository, owner="zombie")
        claimed(repository, owner="b", dead=["zombie"])
        with pytest.raises(LeaseLost):
            repository.chunks.decide(stale, decision(stale, [fault(0)], [fault(1)]))
        assert repository.views.exceptions(RUN) == []
        assert len(repository.views.chunks(RUN)) == 1
        _, history, calls = repository.views.unit(RUN, 0)
        assert ([what for _, what, _ in history], calls) == (["claimed"], [])

    def test_a_key_of_a_merged_output_has_one_unit(self, repository: Repository) -> None:
        """Otherwise the later of two customers would overwrite the other's row, and both would count as done."""
        started(repository, 8)
        first, second = claimed(repository, 2), claimed(repository, 2)
        mine, other = bytes(16), b"\xff" * 16
        moved(repository, first, merged={mine: 0})
        assert repository.chunks.holders(RUN, [mine, other]) == {mine: 0}
        with pytest.raises(UnitError) as caught:
            repository.chunks.decide(second, replace(decision(second), merged={mine: 2, other: 3}))
        assert list(caught.value.faults) == [2]
        assert repository.chunks.decision(second.txn) is None
        assert repository.chunks.holders(RUN, [mine, other]) == {mine: 0}
        moved(repository, second, [fault(2)], merged={other: 3})
        assert repository.chunks.holders(RUN, [mine, other]) == {mine: 0, other: 3}
        started(repository, 4, run_id="other")
        assert repository.chunks.holders("other", [mine]) == {}

    def test_a_unit_that_is_tried_again_keeps_its_keys(self, repository: Repository) -> None:
        """Otherwise a retried customer would be refused because of itself."""
        started(repository, 4)
        mine = bytes(16)
        decided = repository.chunks.decide(chunk := claimed(repository), replace(decision(chunk), merged={mine: 1}))
        repository.chunks.finish(decided, [fault(1)])
        repository.chunks.retry(RUN, [1])
        moved(repository, claimed(repository), merged={mine: 1})
        assert repository.chunks.holders(RUN, [mine]) == {mine: 1}

    def test_units_whose_calls_are_alive_wait_in_an_undo_chunk(self, repository: Repository) -> None:
        """Otherwise a quarantined customer would keep its objects in an API (attack 4)."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk, undo=[fault(3), fault(1)])))
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.quarantined, counters.pending) == (2, 0, 2)
        assert repository.runs.settle(RUN).state is RunState.RUNNING
        undo = claimed(repository, owner="b")
        assert (undo.kind, tuple(undo.positions), undo.parent, undo.attempt) == ("undo", (1, 3), chunk.id, 1)
        assert undo.keys.column("customer_id").to_pylist() == [101, 103]
        waiting = decode_exceptions(undo.payload)
        assert [(each.position, each.detail, each.chunk) for each in waiting] == [
            (3, "0000-00-00", chunk.id),
            (1, "0000-00-00", chunk.id),
        ]
        with pytest.raises(FatalError):
            repository.chunks.finish(undo, waiting[:1])
        with pytest.raises(FatalError):
            repository.chunks.decide(undo, decision(undo))
        repository.chunks.finish(undo, [waiting[0], replace(waiting[1], state=UnitState.IN_DOUBT)])
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.quarantined, counters.in_doubt, counters.pending) == (2, 1, 1, 0)
        assert repository.views.done(RUN).to_pylist() == [0, 2]
        assert [what for _, what, _ in repository.views.unit(RUN, 3)[1]] == ["claimed", "undo", "quarantined"]
        assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS

    def test_an_undo_chunk_can_be_split_with_its_payload(self, repository: Repository) -> None:
        """Otherwise one call that cannot be undone would keep its neighbours from ending."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk, undo=[fault(1), fault(3)])))
        parts = repository.chunks.split(claimed(repository), [[1], [3]])
        assert [[each.position for each in decode_exceptions(part.payload)] for part in parts] == [[1], [3]]
        for part in parts:
            repository.chunks.finish(part, decode_exceptions(part.payload))
        assert repository.views.counters(RUN).quarantined == 2

    def test_only_a_decided_chunk_can_be_finished(self, repository: Repository) -> None:
        """Otherwise customers would count as done without a decision."""
        started(repository, 4)
        chunk = claimed(repository)
        with pytest.raises(FatalError):
            repository.chunks.finish(chunk)
        assert repository.views.counters(RUN).done == 0

    def test_units_that_no_longer_fit_are_in_doubt_with_their_rows(self, repository: Repository) -> None:
        """Otherwise rows that are in no target would be reported as moved."""
        started(repository, 4)
        chunk = claimed(repository)
        decided = repository.chunks.decide(chunk, decision(chunk, [fault(0)]))
        with pytest.raises(FatalError):
            repository.chunks.finish(decided, [fault(0, UnitState.IN_DOUBT)])
        repository.chunks.finish(decided, [fault(2, UnitState.IN_DOUBT)])
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.in_doubt, counters.quarantined, counters.pending) == (2, 1, 1, 0)
        assert repository.views.done(RUN).to_pylist() == [1, 3]
        rows = repository.views.rows(RUN)
        assert rows.source["customers"] == {"done": 2, "in_doubt": 1, "quarantined": 1}
        assert rows.output["billing.account"] == {"done": 2, "in_doubt": 1, "quarantined": 1}

    def test_a_retried_unit_is_pending_and_then_done(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a customer that was mended would stay in quarantine, or be counted twice."""
        started(repository, 10, size=3)
        for _ in range(4):
            chunk = claimed(repository, 3)
            moved(repository, chunk, [fault(at) for at in chunk.positions if at in (1, 4, 8)])
        assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS
        clock.now += 60
        retry = repository.chunks.retry(RUN, [8, 1], "operator")
        assert retry is not None
        assert (retry.kind, retry.state, tuple(retry.positions)) == ("retry", ChunkState.RELEASED, (1, 8))
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.quarantined, counters.pending) == (7, 1, 2)
        assert repository.views.rows(RUN).source["customers"] == {"done": 7, "quarantined": 1}
        assert repository.views.unit(RUN, 8)[0] is UnitState.PENDING
        repository.runs.change(RUN, RunState.RUNNING)
        chunk = claimed(repository, owner="b")
        assert (chunk.id, chunk.keys.column("customer_id").to_pylist()) == (retry.id, [101, 108])
        moved(repository, chunk, [fault(1)])
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.quarantined, counters.pending) == (8, 2, 0)
        assert repository.views.done(RUN).to_pylist() == [0, 2, 3, 5, 6, 7, 8, 9]
        state, history, _ = repository.views.unit(RUN, 8)
        assert (state, [what for _, what, _ in history]) == (
            UnitState.DONE,
            ["quarantined", "retried", "claimed", "decided", "done"],
        )
        assert history[3][2]["targets"] == ["billing"], "which targets were written with it"
        took = {"phase": {"extract": 0.25, "steps": 0.5}, "step": {"steps/10/billing.account.sql": 0.5}}
        assert history[3][2]["seconds"] == took, "what its own chunk took"
        _, aside, _ = repository.views.unit(RUN, 1)
        assert [one[2].get("seconds") for one in aside if one[1] == "claimed"] == [took], "set aside by the same chunk"
        was = history[1][2]["was"]
        assert isinstance(was, dict)
        assert (was["detail"], history[1][0]) == ("0000-00-00", clock.now)
        assert repository.views.unit(RUN, 1)[0] is UnitState.QUARANTINED

    def test_only_quarantined_units_can_be_retried(self, repository: Repository) -> None:
        """Otherwise a customer that is there already would be moved again."""
        started(repository, 4)
        moved(repository, claimed(repository), [fault(1), fault(2, UnitState.GONE)])
        for positions in ([0], [2], [1, 0]):
            with pytest.raises(ConfigError, match="not quarantined"):
                repository.chunks.retry(RUN, positions)
        assert repository.views.counters(RUN).quarantined == 1
        assert repository.chunks.retry(RUN, []) is None

    def test_exceptions_are_told_apart_by_state_and_reason(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise the quarantine list could not be worked through by cause."""
        started(repository, 4)
        other = replace(fault(0), reason="no contact")
        chunk = claimed(repository)
        moved(repository, chunk, [fault(3), fault(2, UnitState.GONE), other])
        found = repository.views.exceptions(RUN)
        assert [each.position for each in found] == [0, 2, 3]
        assert found[2] == replace(fault(3), chunk=chunk.id, at=clock.now, job_version="v1")
        assert [each.position for each in repository.views.exceptions(RUN, UnitState.QUARANTINED)] == [0, 3]
        assert [each.position for each in repository.views.exceptions(RUN, reason="no contact")] == [0]
        assert len(repository.views.exceptions(RUN, limit=2)) == 2

    def test_a_unit_that_is_not_on_the_list_is_refused(self, repository: Repository) -> None:
        """Otherwise a typing mistake would look like a pending customer."""
        started(repository, 4)
        assert repository.views.unit(RUN, 3)[0] is UnitState.PENDING
        with pytest.raises(ConfigError, match="position 4"):
            repository.views.unit(RUN, 4)

    @pytest.mark.parametrize("seed", range(3))
    def test_the_counters_add_up_after_any_sequence(
        self, repository: Repository, clock: ManualClock, seed: int
    ) -> None:
        """Otherwise a summary would be short of a customer."""
        story = _Story(repository, clock, seed)
        for _ in range(30):
            story.step()
            counters = repository.views.counters(RUN)
            assert counters == story.expected()
            assert repository.views.done(RUN).to_pylist() == sorted(story.done)
            rows = repository.views.rows(RUN).source.get("customers", {})
            assert rows.get("done", 0) == counters.done
            assert rows.get("quarantined", 0) == counters.quarantined


class _Story:
    """Random work on one run, beside a model of sets that says what must come of it."""

    def __init__(self, repository: Repository, clock: ManualClock, seed: int) -> None:
        self.repository, self.clock, self.number = repository, clock, seed * 7919 + 1
        self.done: set[int] = set()
        self.set_aside: dict[int, UnitState] = {}
        self.committing: dict[str, int] = {}
        self.held: list[Chunk] = []
        started(repository, 40, size=17)

    def pick(self, below: int) -> int:
        """A number that looks random and is the same in every run of the test."""
        self.number = (self.number * 1103515245 + 12345) % 2**31
        return (self.number >> 8) % below

    def expected(self) -> Counters:
        """What the repository must say now."""
        states = list(self.set_aside.values())
        return Counters(
            total=40,
            done=len(self.done),
            quarantined=states.count(UnitState.QUARANTINED),
            in_doubt=states.count(UnitState.IN_DOUBT),
            gone=0,
            rolled_back=0,
            committing=sum(self.committing.values()),
        )

    def step(self) -> None:
        """One thing that can happen to a run."""
        action = self.pick(6)
        if action == 0 and UnitState.QUARANTINED in self.set_aside.values():
            again = [at for at, state in self.set_aside.items() if state is UnitState.QUARANTINED][:3]
            self.repository.chunks.retry(RUN, again)
            self.set_aside = {at: state for at, state in self.set_aside.items() if at not in again}
            return
        silent = ["a"] if action == 1 else []
        chunk = self.repository.chunks.claim(RUN, "a", 1 + self.pick(6), silent=silent)
        self.clock.now += 1
        if chunk is None:
            return
        if chunk.state is ChunkState.DECIDED or chunk.kind == "undo":
            self._end(chunk)
        elif action == 2:
            self.repository.chunks.release(chunk, "away", self.pick(3))
        elif action == 3 and len(chunk.positions) > 1:
            for part in self.repository.chunks.split(chunk, [chunk.positions[:1], chunk.positions[1:]]):
                self._decide(part)
        else:
            self._decide(chunk)

    def _decide(self, chunk: Chunk) -> None:
        bad = [at for at in chunk.positions if self.pick(5) == 0]
        half = len(bad) // 2
        exceptions, undo = [fault(at) for at in bad[:half]], [fault(at) for at in bad[half:]]
        decided = self.repository.chunks.decide(chunk, decision(chunk, exceptions, undo))
        self.set_aside |= dict.fromkeys(bad[:half], UnitState.QUARANTINED)
        self.committing[chunk.id] = len(chunk.positions) - len(bad)
        if self.pick(4):
            self._end(decided)

    def _end(self, chunk: Chunk) -> None:
        if chunk.kind == "undo":
            waiting = decode_exceptions(chunk.payload)
            self.repository.chunks.finish(chunk, waiting)
            self.set_aside |= {each.position: each.state for each in waiting}
            return
        standing = self.repository.chunks.decision(chunk.txn)
        assert standing is not None
        out = {each.position for each in (*standing.exceptions, *standing.undo)}
        good = [at for at in chunk.positions if at not in out]
        lost = good[:1] if self.pick(5) == 0 else []
        self.repository.chunks.finish(chunk, [fault(at, UnitState.IN_DOUBT) for at in lost])
        self.set_aside |= dict.fromkeys(lost, UnitState.IN_DOUBT)
        self.done |= set(good) - set(lost)
        del self.committing[chunk.id]
