"""The contract of calls in doubt: a person's word settles one call, and nothing that is certain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ludb.errors import ConfigError
from ludb.model.calls import Action, Answer, Call, Result
from ludb.model.run import CallState, RunState, UnitState
from ludb.ports.doubts import Resolution, Word
from ludb.ports.repository import Repository
from ludb.testing.repository_calls import make_call
from ludb.testing.repository_world import RUN, claimed, decision, fault, started

_INSTANCE = "telco:1"


def _word(call: Call, word: Word, server_id: str | None = None) -> Resolution:
    return Resolution(call.id, word, "ann", "looked it up", server_id, {"crm_id": server_id} if server_id else {})


def doubtful(repository: Repository, *, server_id: str | None = None, phase: str = "call") -> tuple[Call, Call]:
    """A run of three units: the first has two calls in doubt (one of them made by an undo that told nothing, if `server_id`
    is given) and is in doubt for them, the others are done. Returns both calls.
    """
    started(repository, 3)
    chunk = claimed(repository)
    first, second = make_call(0), make_call(0, generation=2)
    repository.calls.intend(chunk, [first, second])
    repository.calls.mark(chunk, [first, second], CallState.SENT)
    if server_id is not None:
        answer = Result(Action("send", first), Answer.DONE, 201, server_id, {"crm_id": server_id})
        repository.calls.settle(chunk, [(CallState.DONE, answer)])
        repository.calls.mark(chunk, [first], CallState.UNDOING)
    repository.calls.mark(chunk, [first, second], CallState.IN_DOUBT, "nobody can tell")
    aside = replace(fault(0, UnitState.IN_DOUBT), phase=phase)
    repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk, [aside])))
    assert repository.runs.settle(RUN).state is RunState.EXCEPTIONS
    return first, second


class DoubtsContract:
    """A person's word is taken once, kept with who said it and why, and lets the unit go on when nothing else is open."""

    def test_calls_are_listed_by_state_oldest_first(self, repository: Repository) -> None:
        """Otherwise a person would have to look through every unit."""
        first, second = doubtful(repository)
        assert [one.id for one in repository.doubts.calls(RUN)] == [first.id, second.id]
        found = repository.doubts.calls(RUN, {CallState.IN_DOUBT})
        assert [(one.id, one.position, one.state, one.reason) for one in found] == [
            (one.id, 0, CallState.IN_DOUBT, "nobody can tell") for one in (first, second)
        ]
        assert repository.doubts.calls(RUN, {CallState.DONE, CallState.SENT}) == []

    def test_a_unit_is_pending_again_once_nothing_of_it_is_in_doubt(self, repository: Repository) -> None:
        """Not before: its other call might be made twice."""
        first, second = doubtful(repository)
        assert repository.doubts.resolve(RUN, _word(first, "done", "c-7")) == (CallState.DONE, False)
        assert repository.views.unit(RUN, 0)[0] is UnitState.IN_DOUBT
        assert repository.doubts.resolve(RUN, _word(second, "absent")) == (CallState.ABSENT, True)
        state, history, calls = repository.views.unit(RUN, 0)
        assert state is UnitState.PENDING
        assert [one[1] for one in history][-3:] == ["resolved", "resolved", "retried"]
        assert {name: history[-3][2][name] for name in ("call", "by", "reason", "was", "state")} == {
            "call": first.id, "by": "ann", "reason": "looked it up", "was": "in_doubt", "state": "done",
        }  # fmt: skip
        assert (calls[0].server_id, dict(calls[0].returned)) == ("c-7", {"crm_id": "c-7"})
        assert "ann" in calls[0].reason
        repository.runs.change(RUN, RunState.RUNNING)
        chunk = claimed(repository)
        assert (chunk.kind, tuple(chunk.positions)) == ("retry", (0,))
        repository.calls.mark(chunk, [second], CallState.SENT)

    def test_an_object_that_the_server_had_named_and_that_is_gone_is_undone(self, repository: Repository) -> None:
        """Sent again under the same id, a server that remembers keys would answer with the object that is gone."""
        first, _ = doubtful(repository, server_id="c-7")
        assert repository.doubts.resolve(RUN, _word(first, "absent")) == (CallState.UNDONE, False)

    @pytest.mark.parametrize("word", ["done", "absent"])
    def test_nothing_that_is_certain_is_changed_by_a_word(self, repository: Repository, word: Word) -> None:
        """A call that is settled, one of a unit that is not in doubt, one that nobody knows, one of another run."""
        first, second = doubtful(repository)
        repository.doubts.resolve(RUN, _word(first, "absent"))
        for run, call in ((RUN, first), (RUN, make_call(9)), ("run-0", second)):
            with pytest.raises(ConfigError):
                repository.doubts.resolve(run, _word(call, word))
        repository.doubts.resolve(RUN, _word(second, "absent"))
        with pytest.raises(ConfigError):
            repository.doubts.resolve(RUN, _word(second, word))
        assert [one.state for one in repository.doubts.calls(RUN)] == [CallState.ABSENT] * 2

    def test_a_unit_in_doubt_for_its_rows_is_not_freed_by_a_word_about_its_calls(self, repository: Repository) -> None:
        """Its rows stand in some targets: moved again they would stand there twice."""
        first, _ = doubtful(repository, phase="recover")
        with pytest.raises(ConfigError, match="rows"):
            repository.doubts.resolve(RUN, _word(first, "absent"))
