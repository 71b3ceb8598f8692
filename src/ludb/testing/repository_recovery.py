"""The contract of recovery after a restore: what targets have is adopted once, what they lack is opened again, all adds up."""

from __future__ import annotations

import pytest

from ludb.errors import FatalError
from ludb.model.run import ChunkState, RunState
from ludb.ports.recovery import Lost
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, claimed, fault, moved, owner, started


def lost(positions: tuple[int, ...], seq: int = 900, chunk: str = "lost-chunk") -> Lost:
    """A transaction that only a ledger and the journal know."""
    rows = {"source": {"customers": len(positions)}, "output": {"billing.account": len(positions)}}
    return Lost(f"txn-{seq}", seq, chunk, positions, {"billing": "0" * 64}, rows)


def dead(repository: Repository) -> str:
    """An owner that is known to be dead."""
    repository.owners.enrol(owner("r-1"))
    repository.owners.leave("r-1", "dead")
    return "r-1"


class RecoveryContract:
    """Nobody is moved twice, and nobody is forgotten."""

    def test_adopted_units_are_decided_and_every_other_one_is_claimed_exactly_once(
        self, repository: Repository
    ) -> None:
        """Of a released chunk, of the list, across segments: the rest waits on its own."""
        started(repository, 16, size=6)
        first = claimed(repository, 4)
        repository.chunks.release(first, "the worker died", 0.0)
        repository.recovery.adopt(RUN, [lost((1, 2, 7, 13))], 905, dead(repository))
        assert repository.runs.seq() >= 905
        assert repository.views.counters(RUN).committing == 4
        taken = claimed(repository, 4, dead=("r-1",))
        assert (taken.state, taken.positions, taken.txn) == (ChunkState.DECIDED, (1, 2, 7, 13), "txn-900")
        standing = repository.chunks.decision("txn-900")
        assert standing is not None
        assert (standing.seq, standing.done, standing.participants) == (900, 4, ("billing",))
        repository.chunks.finish(taken)
        seen: list[int] = []
        while (chunk := repository.chunks.claim(RUN, "a", 4)) is not None:
            assert chunk.seq > 905
            seen += chunk.positions
            moved(repository, chunk)
        assert sorted(seen) == [at for at in range(16) if at not in (1, 2, 7, 13)]
        assert repository.views.counters(RUN).done == 16
        assert repository.views.rows(RUN).output["billing.account"] == {"done": 16}
        assert repository.runs.settle(RUN).state is RunState.COMPLETED

    def test_a_chunk_that_the_repository_still_knows_becomes_the_decided_one(self, repository: Repository) -> None:
        """It was claimed before the backup and decided after it; a unit that was rejected then waits again."""
        started(repository, 4)
        first = claimed(repository, 4)
        repository.recovery.adopt(RUN, [lost((0, 1, 3), chunk=first.id)], 900, dead(repository))
        taken = claimed(repository, 4, dead=("r-1",))
        assert (taken.id, taken.positions) == (first.id, (0, 1, 3))
        repository.chunks.finish(taken)
        assert claimed(repository, 4).positions == (2,)

    def test_a_unit_that_was_quarantined_and_moved_later_is_quarantined_no_more(self, repository: Repository) -> None:
        """Its retry is part of what was lost; what it was is kept in its history."""
        started(repository, 4)
        moved(repository, claimed(repository, 4), [fault(2)])
        repository.recovery.adopt(RUN, [lost((2,))], 900, dead(repository))
        assert repository.runs.get(RUN).state is RunState.RUNNING
        repository.chunks.finish(claimed(repository, 4, dead=("r-1",)))
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.quarantined) == (4, 0)
        assert [what for _, what, _ in repository.views.unit(RUN, 2)[1]][:2] == ["quarantined", "retried"]

    def test_a_unit_that_another_transaction_has_moved_stops_everything(self, repository: Repository) -> None:
        """The targets hold it twice: nothing is changed, a person has to look."""
        started(repository, 8)
        moved(repository, claimed(repository, 4))
        before = repository.runs.seq()
        with pytest.raises(FatalError, match="position 3 of transaction txn-900 was also moved"):
            repository.recovery.adopt(RUN, [lost((3, 5))], 900, dead(repository))
        assert (repository.runs.seq(), repository.views.counters(RUN).committing) == (before, 0)

    def test_finished_chunks_are_opened_again_and_counted_once(self, repository: Repository) -> None:
        """A restored target gets its rows again; until then its units are pending."""
        started(repository, 8, size=8)
        first = moved(repository, claimed(repository, 4), [fault(1)])
        moved(repository, claimed(repository, 4))
        assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS
        repository.recovery.reopen(RUN, [first.txn], dead(repository))
        assert repository.runs.get(RUN).state is RunState.STOPPED
        counters = repository.views.counters(RUN)
        assert (counters.done, counters.pending, counters.committing, counters.quarantined) == (4, 3, 3, 1)
        repository.runs.change(RUN, RunState.RUNNING)
        again = claimed(repository, 4, dead=("r-1",))
        assert (again.id, again.txn, again.state) == (first.id, first.txn, ChunkState.DECIDED)
        repository.chunks.finish(again)
        assert repository.views.rows(RUN).output["billing.account"]["done"] == 7
        assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS

    def test_numbers_that_may_have_been_given_out_are_left_out(self, repository: Repository) -> None:
        """Otherwise two customers would get one account number."""
        assert repository.keymap.allocate("telco", "account", [b"1"], 100) == [100]
        repository.recovery.advance("telco", "account", 100, 50)
        repository.recovery.advance("telco", "other", 7, 3)
        assert repository.keymap.allocate("telco", "account", [b"1", b"2"], 100) == [100, 151]
        assert repository.keymap.allocate("telco", "other", [b"9"], 7) == [10]
