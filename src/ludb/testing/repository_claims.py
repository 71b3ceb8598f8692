"""The contract of claiming: who gets which chunk, in which order, and what stale claims can no longer do."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ludb.errors import FatalError, LeaseLost
from ludb.model.run import Chunk, ChunkState, RunState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, claimed, decision, fault, moved, started


class ClaimsContract:
    """Every key is claimed once; a chunk keeps its boundaries; only the newest claim counts."""

    def test_chunks_cover_the_list_once_and_in_order(self, repository: Repository) -> None:
        """Otherwise a customer would be moved twice, or never."""
        started(repository, 10, size=6)
        chunks = [claimed(repository, 4) for _ in range(3)]
        assert [tuple(chunk.positions) for chunk in chunks] == [(0, 1, 2, 3), (4, 5), (6, 7, 8, 9)]
        assert [chunk.keys.column("customer_id").to_pylist() for chunk in chunks][1:] == [
            [104, 105],
            [106, 107, 108, 109],
        ]
        assert len({chunk.txn for chunk in chunks}) == len({chunk.id for chunk in chunks}) == 3
        assert repository.chunks.claim(RUN, "a", 4) is None
        assert all((c.kind, c.state, c.attempt, c.taken_over) == ("move", ChunkState.CLAIMED, 1, False) for c in chunks)

    @pytest.mark.parametrize("state", [RunState.PAUSED, RunState.STOPPING, RunState.FAILED])
    def test_a_run_that_does_not_run_gives_no_keys(self, repository: Repository, state: RunState) -> None:
        """Otherwise pause and stop would mean nothing."""
        started(repository)
        repository.chunks.release(claimed(repository), "away", 0)
        claimed(repository, owner="lost")
        repository.runs.change(RUN, state)
        assert repository.chunks.claim(RUN, "b", 4, dead=["lost"]) is None

    def test_a_stopping_run_gives_only_decided_chunks(self, repository: Repository) -> None:
        """Otherwise a stop would leave customers half committed."""
        started(repository)
        chunk = claimed(repository, owner="lost")
        repository.chunks.decide(chunk, decision(chunk))
        repository.runs.change(RUN, RunState.STOPPING)
        taken = claimed(repository, owner="b", dead=["lost"])
        assert (taken.id, taken.state, taken.txn, taken.taken_over) == (chunk.id, ChunkState.DECIDED, chunk.txn, True)

    def test_the_order_is_deserted_then_released_then_new(self, repository: Repository) -> None:
        """Otherwise old chunks would starve behind new ones."""
        started(repository, 20, size=20)
        held, decided, waiting = (claimed(repository, 3, owner=name) for name in ("dead", "silent", "a"))
        repository.chunks.decide(decided, decision(decided))
        repository.chunks.release(waiting, "away", 0)
        got = [claimed(repository, 3, owner="b", silent=["silent"], dead=["dead"]) for _ in range(4)]
        assert [chunk.id for chunk in got[:3]] == [decided.id, held.id, waiting.id]
        assert [chunk.taken_over for chunk in got] == [True, True, False, False]
        assert tuple(got[3].positions) == (9, 10, 11)
        assert got[1].txn != held.txn
        assert all(after.seq > before.seq for before, after in itertools.pairwise(got))

    def test_who_asks_for_new_keys_first_gets_released_chunks_when_none_are_left(self, repository: Repository) -> None:
        """Otherwise chunks that come back for ever keep the rest of a run waiting, or are forgotten at its end."""
        started(repository, 9, size=9)
        held, waiting = claimed(repository, 3, owner="dead"), claimed(repository, 3)
        repository.chunks.release(waiting, "away", 0)

        def claim() -> Chunk | None:
            return repository.chunks.claim(RUN, "b", 3, dead=["dead"], new_first=True)

        got = [claim() for _ in range(4)]
        assert [None if chunk is None else tuple(chunk.positions) for chunk in got] == [
            tuple(held.positions),
            (6, 7, 8),
            tuple(waiting.positions),
            None,
        ]

    def test_a_released_chunk_keeps_its_boundaries_whatever_the_chunk_size(self, repository: Repository) -> None:
        """Otherwise a chunk that was tried before would overlap another (attack 22)."""
        started(repository, 12, size=12)
        first = claimed(repository, 5)
        repository.chunks.release(first, "target away", 0)
        again = claimed(repository, 2, owner="b")
        assert (again.id, tuple(again.positions), again.attempt) == (first.id, tuple(first.positions), 2)
        assert again.keys == first.keys
        assert again.txn != first.txn
        assert tuple(claimed(repository, 2).positions) == (5, 6)

    def test_a_released_chunk_waits_its_delay(self, repository: Repository, clock: ManualClock) -> None:
        """Otherwise a target that is down would be hammered."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.chunks.release(chunk, "target away", 30)
        assert repository.views.chunks(RUN)[0][1:] == ("target away", clock.now + 30)
        clock.now += 29
        assert repository.chunks.claim(RUN, "b", 4) is None
        clock.now += 1
        assert claimed(repository).id == chunk.id

    @pytest.mark.parametrize("jump", [-86400.0, 86400.0])
    def test_a_clock_that_jumps_never_prolongs_a_wait(
        self, repository: Repository, clock: ManualClock, jump: float
    ) -> None:
        """Otherwise a clock set back by a day would stop a chunk for a day (attack 19)."""
        started(repository, 4)
        repository.chunks.release(claimed(repository), "target away", 30)
        clock.now += jump
        assert claimed(repository, owner="b").attempt == 2

    def test_only_the_owner_said_to_be_gone_loses_its_chunk(self, repository: Repository) -> None:
        """Otherwise a living worker's chunk would be moved by two."""
        started(repository, 8, size=8)
        mine, other = claimed(repository, owner="a"), claimed(repository, owner="b")
        assert repository.chunks.claim(RUN, "c", 4, silent=["x"], dead=["y"]) is None
        taken = claimed(repository, owner="c", silent=["b"])
        assert (taken.id, taken.owner, taken.attempt) == (other.id, "c", 2)
        moved(repository, mine)

    def test_deaths_are_counted_and_nothing_else_is(self, repository: Repository) -> None:
        """Otherwise the customer that kills every worker is not found, or a chunk that waited for a target is suspected."""
        started(repository, 4, size=4)
        chunk = claimed(repository, owner="a")
        assert (chunk.deaths, claimed(repository, owner="a", dead=["a"]).deaths) == (0, 0), "its own, left half way"
        assert claimed(repository, owner="b", silent=["a"]).deaths == 0, "silent, and perhaps alive"
        chunk = claimed(repository, owner="c", dead=["b"])
        repository.chunks.release(chunk, "away", 0)
        assert claimed(repository, owner="d").deaths == 1, "forgotten while it waited"
        chunk = claimed(repository, owner="e", dead=["d"])
        assert chunk.deaths == 2
        parts = repository.chunks.split(chunk, [[0, 1], [2, 3]])
        assert [part.deaths for part in parts] == [1, 1], "a part is one death from being halved again"
        assert claimed(repository, owner="f", dead=["e"]).deaths == 2

    def test_a_stale_claim_loses_everywhere(self, repository: Repository) -> None:
        """Otherwise a worker that wakes up late would commit what another one is moving (attack 6)."""
        started(repository, 4)
        stale = claimed(repository, owner="zombie")
        fresh = claimed(repository, owner="b", dead=["zombie"])
        with pytest.raises(LeaseLost):
            repository.chunks.decide(stale, decision(stale))
        with pytest.raises(LeaseLost):
            repository.chunks.release(stale, "late", 0)
        with pytest.raises(LeaseLost):
            repository.chunks.split(stale, [[0, 1], [2, 3]])
        with pytest.raises(LeaseLost):
            repository.chunks.finish(stale)
        assert repository.chunks.decision(stale.txn) is None
        moved(repository, fresh)
        assert repository.views.counters(RUN).done == 4

    def test_a_claim_of_a_time_that_was_restored_away_loses(self, repository: Repository) -> None:
        """A repository restored from a backup gives out the same `seq` again; the transaction tells them apart (attack 8)."""
        started(repository, 4)
        chunk = claimed(repository)
        stranger = replace(chunk, txn="f" * 32)
        with pytest.raises(LeaseLost):
            repository.chunks.decide(stranger, decision(stranger))
        assert repository.chunks.decision(stranger.txn) is None
        moved(repository, chunk)

    def test_the_first_decision_wins(self, repository: Repository) -> None:
        """Otherwise a chunk could be committed under two transactions."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.chunks.decide(chunk, decision(chunk, [fault(1)]))
        with pytest.raises(LeaseLost):
            repository.chunks.decide(chunk, decision(chunk))
        standing = repository.chunks.decision(chunk.txn)
        assert standing == decision(chunk, [fault(1)])

    def test_a_decided_chunk_cannot_be_given_back_or_split(self, repository: Repository) -> None:
        """Otherwise the point of no return would have a way back."""
        started(repository, 4)
        chunk = claimed(repository)
        decided = repository.chunks.decide(chunk, decision(chunk))
        with pytest.raises(LeaseLost):
            repository.chunks.release(decided, "no", 0)
        with pytest.raises(LeaseLost):
            repository.chunks.split(decided, [[0, 1], [2, 3]])
        repository.chunks.finish(decided)
        with pytest.raises(LeaseLost):
            repository.chunks.release(decided, "no", 0)

    def test_the_old_owner_of_a_decided_chunk_cannot_finish_it(self, repository: Repository) -> None:
        """Otherwise two workers would both record what became in doubt."""
        started(repository, 4)
        chunk = claimed(repository, owner="zombie")
        decided = repository.chunks.decide(chunk, decision(chunk))
        taken = claimed(repository, owner="b", dead=["zombie"])
        with pytest.raises(LeaseLost):
            repository.chunks.finish(decided)
        assert repository.chunks.decision(taken.txn) is not None
        repository.chunks.finish(taken)
        repository.chunks.finish(taken)
        with pytest.raises(LeaseLost):
            repository.chunks.finish(decided)
        assert repository.views.counters(RUN).done == 4

    def test_a_split_chunk_lives_on_in_its_parts(self, repository: Repository) -> None:
        """Otherwise the good customers beside a bad one would be lost with it."""
        started(repository, 8, size=3)
        chunk = claimed(repository, 3)
        left, right = repository.chunks.split(chunk, [[0, 2], [1]])
        assert [tuple(part.positions) for part in (left, right)] == [(0, 2), (1,)]
        assert [part.keys.column("customer_id").to_pylist() for part in (left, right)] == [[100, 102], [101]]
        assert {left.owner, right.owner} == {"a"}
        assert {left.parent, right.parent} == {chunk.id}
        assert len({chunk.txn, left.txn, right.txn}) == len({chunk.seq, left.seq, right.seq}) == 3
        with pytest.raises(LeaseLost):
            repository.chunks.decide(chunk, decision(chunk))
        moved(repository, left)
        moved(repository, right, [fault(1)])
        assert repository.views.done(RUN).to_pylist() == [0, 2]
        assert repository.views.chunks(RUN, unresolved=True) == []

    @pytest.mark.parametrize("parts", [[[0, 1]], [[0, 1], [1, 2, 3]], [[0, 1, 2], [3, 4]], [[0, 1, 2, 3], []]])
    def test_a_split_that_loses_or_doubles_a_unit_is_refused(
        self, repository: Repository, parts: list[list[int]]
    ) -> None:
        """Otherwise a customer would fall between two chunks."""
        started(repository, 10)
        chunk = claimed(repository)
        with pytest.raises(FatalError):
            repository.chunks.split(chunk, parts)
        moved(repository, chunk)

    def test_unresolved_chunks_are_the_ones_with_work_left(self, repository: Repository) -> None:
        """Otherwise planning over a chunk that is still committing would not be refused (attack 18)."""
        started(repository, 20, size=20)
        moved(repository, claimed(repository))
        decided = claimed(repository)
        repository.chunks.decide(decided, decision(decided))
        held = claimed(repository)
        unresolved: list[Chunk] = [chunk for chunk, _, _ in repository.views.chunks(RUN, unresolved=True)]
        assert [(chunk.id, chunk.state) for chunk in unresolved] == [
            (decided.id, ChunkState.DECIDED),
            (held.id, ChunkState.CLAIMED),
        ]
        assert len(repository.views.chunks(RUN)) == 3
