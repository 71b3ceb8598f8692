"""The contract of the call journal and the key map: what was sent once is known for good."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ludb.errors import FatalError, LeaseLost, UnitError
from ludb.model.calls import Action, Answer, Call, CallRequest, Result
from ludb.model.keys import key_bytes, named_uuid
from ludb.model.run import CALL_CHANGES, CallState, Chunk, RunState, UnitState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, claimed, decision, fault, moved, planned, segments, started

_INSTANCE = "telco:1"
_PATHS: dict[CallState, tuple[CallState, ...]] = {
    CallState.INTENDED: (),
    CallState.UNSENT: (CallState.UNSENT,),
    CallState.SENT: (CallState.SENT,),
    CallState.DONE: (CallState.SENT, CallState.DONE),
    CallState.REJECTED: (CallState.SENT, CallState.REJECTED),
    CallState.ABSENT: (CallState.SENT, CallState.ABSENT),
    CallState.IN_DOUBT: (CallState.SENT, CallState.IN_DOUBT),
    CallState.UNDOING: (CallState.SENT, CallState.DONE, CallState.UNDOING),
    CallState.UNDONE: (CallState.SENT, CallState.DONE, CallState.UNDOING, CallState.UNDONE),
}


def make_call(position: int, *, generation: int = 1, body: str = "{}") -> Call:
    """A call of the unit at a position."""
    key = str(100 + position)
    call_id = str(named_uuid(_INSTANCE, "crm.customer", key, key, str(generation)))
    request = CallRequest("POST", "/customer", body, body)
    return Call(call_id, _INSTANCE, "crm.customer", key, key, generation, position, request)


def only(repository: Repository, chunk: Chunk, position: int = 0) -> Call:
    """The one call of a unit."""
    (call,) = repository.calls.of_units(chunk, _INSTANCE, [position])
    return call


class CallsContract:
    """A request leaves only after it is journaled, and only the chunk's newest claim may journal."""

    def test_calls_are_found_by_unit_oldest_first(self, repository: Repository) -> None:
        """Otherwise a restart would make a customer twice."""
        started(repository)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(2), make_call(0)])
        repository.calls.intend(chunk, [make_call(0, generation=2)])
        found = repository.calls.of_units(chunk, _INSTANCE, [0, 1])
        assert found == [make_call(0), make_call(0, generation=2)]
        assert repository.calls.of_units(chunk, "telco:other", [0]) == []
        assert repository.views.unit(RUN, 0)[2] == found

    def test_calls_are_known_to_the_next_run_of_the_instance(self, repository: Repository) -> None:
        """Otherwise an abandoned run's objects would be made again by the next."""
        started(repository, 4)
        repository.calls.intend(claimed(repository), [make_call(3)])
        repository.runs.change(RUN, RunState.FAILED)
        repository.runs.change(RUN, RunState.ABANDONED)
        first, *_ = segments(3, size=3)
        shifted = replace(first, keys=first.keys.set_column(0, "customer_id", [[103, 104, 105]]))
        repository.runs.create(planned("run-2"), [shifted])
        repository.runs.change("run-2", RunState.RUNNING)
        chunk = claimed(repository, run_id="run-2")
        assert only(repository, chunk).id == make_call(3).id
        assert only(repository, chunk).position == 0

    @pytest.mark.parametrize("state", list(CallState))
    def test_a_call_changes_by_the_table_alone(self, repository: Repository, state: CallState) -> None:
        """Otherwise an undone call could be taken for a live one."""
        started(repository, len(CallState), size=len(CallState))
        chunk = claimed(repository, len(CallState))
        calls = [make_call(at) for at in chunk.positions]
        repository.calls.intend(chunk, calls)
        for step in _PATHS[state]:
            repository.calls.mark(chunk, calls, step)
        for call, to in zip(calls, CallState, strict=True):
            if to is state or to in CALL_CHANGES[state]:
                repository.calls.mark(chunk, [call], to, "why")
                kept = only(repository, chunk, call.position)
                assert (kept.state, kept.reason) == (to, "why")
            else:
                with pytest.raises(LeaseLost):
                    repository.calls.mark(chunk, [call], to)
                assert only(repository, chunk, call.position).state is state

    def test_a_list_is_marked_whole_or_not_at_all_whatever_its_caller_believes(self, repository: Repository) -> None:
        """Otherwise half a wave would be `sent` that is never sent, or an answer lost behind one that came twice."""
        started(repository)
        chunk = claimed(repository)
        calls = [make_call(at) for at in (0, 1, 2)]
        repository.calls.intend(chunk, calls)
        repository.calls.mark(chunk, calls[:1], CallState.SENT)
        repository.calls.mark(chunk, calls, CallState.SENT, "wave")
        assert {only(repository, chunk, at).state for at in (0, 1, 2)} == {CallState.SENT}
        done = [Result(Action("send", call), Answer.DONE, 201, f"c-{call.position}", {}, "made") for call in calls]
        repository.calls.settle(chunk, [(CallState.DONE, done[1])])
        repository.calls.settle(chunk, [(CallState.DONE, one) for one in done])
        assert [only(repository, chunk, at).server_id for at in (0, 1, 2)] == ["c-0", "c-1", "c-2"]
        repository.calls.intend(chunk, [make_call(3)])
        with pytest.raises(LeaseLost):
            repository.calls.mark(chunk, [make_call(3), calls[1]], CallState.SENT)
        assert only(repository, chunk, 3).state is CallState.INTENDED

    def test_calls_that_are_done_where_they_should_be_can_be_left_out(self, repository: Repository) -> None:
        """Otherwise the look before a decision would read every document of its chunk, or overlook one that is not done."""
        started(repository)
        chunk = claimed(repository)
        calls = [make_call(at) for at in (0, 1)]
        repository.calls.intend(chunk, calls)
        repository.calls.mark(chunk, calls, CallState.SENT)
        repository.calls.settle(chunk, [(CallState.DONE, Result(Action("send", calls[0]), Answer.DONE, 201, "c-0"))])
        left = repository.calls.of_units(chunk, _INSTANCE, [0, 1], besides=["crm.customer", "crm.other"])
        assert [(call.position, call.state) for call in left] == [(1, CallState.SENT)]
        assert len(repository.calls.of_units(chunk, _INSTANCE, [0, 1], besides=["crm.other"])) == 2

    @pytest.mark.parametrize("state", list(CallState))
    def test_a_new_request_is_for_calls_that_left_nothing(self, repository: Repository, state: CallState) -> None:
        """Otherwise a request on its way would be forgotten under another payload (attack 2)."""
        started(repository)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(0)])
        for step in _PATHS[state]:
            repository.calls.mark(chunk, [make_call(0)], step)
        newer = make_call(0, body='{"a": 1}')
        if state in (CallState.INTENDED, CallState.UNSENT, CallState.ABSENT):
            repository.calls.intend(chunk, [newer])
            assert only(repository, chunk).request == newer.request
        else:
            with pytest.raises(LeaseLost):
                repository.calls.intend(chunk, [newer])
            assert only(repository, chunk).request == make_call(0).request

    def test_an_answer_is_kept_with_the_call(self, repository: Repository) -> None:
        """Otherwise the object could not be taken back by the server's id."""
        started(repository)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(0)])
        repository.calls.mark(chunk, [make_call(0)], CallState.SENT)
        action = Action("send", make_call(0))
        answer = Result(action, Answer.DONE, 201, "c-9", {"crm_id": "c-9"}, "made")
        repository.calls.settle(chunk, [(CallState.DONE, answer)])
        kept = only(repository, chunk)
        assert (kept.state, kept.status, kept.server_id, kept.returned) == (
            CallState.DONE,
            201,
            "c-9",
            {"crm_id": "c-9"},
        )
        repository.calls.mark(chunk, [kept], CallState.UNDOING)
        repository.calls.settle(chunk, [(CallState.UNDONE, Result(Action("undo", kept), Answer.DONE, 204))])
        assert (only(repository, chunk).state, only(repository, chunk).server_id) == (CallState.UNDONE, "c-9")

    @pytest.mark.parametrize(("answer", "taken"), [(Answer.DONE, True), (Answer.AMBIGUOUS, False)])
    def test_an_update_that_was_answered_takes_the_new_request(
        self, repository: Repository, answer: Answer, taken: bool
    ) -> None:
        """Otherwise a restart would repeat an update that is done, or forget one that is not (attack 2)."""
        started(repository)
        chunk = claimed(repository)
        old, newer = make_call(0), make_call(0, body='{"a": 2}')
        repository.calls.intend(chunk, [old])
        for state in _PATHS[CallState.DONE]:
            repository.calls.mark(chunk, [old], state)
        repository.calls.settle(chunk, [(CallState.DONE, Result(Action("update", newer), answer))])
        kept = only(repository, chunk)
        assert (kept.state, kept.request) == (CallState.DONE, newer.request if taken else old.request)

    def test_a_list_of_calls_changes_together_or_not_at_all(self, repository: Repository) -> None:
        """Otherwise a refused list would leave some calls marked as sent that never were."""
        started(repository)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(0)])
        with pytest.raises(LeaseLost):
            repository.calls.mark(chunk, [make_call(0), make_call(1)], CallState.SENT)
        assert only(repository, chunk).state is CallState.INTENDED

    def test_a_stale_claim_cannot_touch_calls(self, repository: Repository) -> None:
        """Otherwise a zombie would send what its successor undoes (attack 5)."""
        started(repository)
        stale = claimed(repository, owner="zombie")
        repository.calls.intend(stale, [make_call(0)])
        fresh = claimed(repository, owner="b", silent=["zombie"])
        with pytest.raises(LeaseLost):
            repository.calls.intend(stale, [make_call(1)])
        with pytest.raises(LeaseLost):
            repository.calls.mark(stale, [make_call(0)], CallState.SENT)
        with pytest.raises(LeaseLost):
            repository.calls.settle(stale, [])
        repository.calls.mark(fresh, [make_call(0)], CallState.SENT)
        assert only(repository, fresh).state is CallState.SENT

    def test_a_decided_chunk_makes_no_more_calls(self, repository: Repository) -> None:
        """Otherwise a call could follow the decision that does not know it."""
        started(repository)
        chunk = claimed(repository)
        decided = repository.chunks.decide(chunk, decision(chunk))
        with pytest.raises(LeaseLost):
            repository.calls.intend(decided, [make_call(0)])

    @pytest.mark.parametrize("state", [CallState.SENT, CallState.UNDOING])
    def test_a_silent_owner_with_a_request_on_its_way_keeps_its_chunk(
        self, repository: Repository, state: CallState
    ) -> None:
        """Otherwise its delayed request would arrive after the successor's look-up (attack 5)."""
        started(repository, 4)
        chunk = claimed(repository, owner="mute")
        repository.calls.intend(chunk, [make_call(0)])
        for step in _PATHS[state]:
            repository.calls.mark(chunk, [make_call(0)], step)
        assert repository.chunks.claim(RUN, "b", 4, silent=["mute"]) is None
        assert claimed(repository, owner="b", dead=["mute"]).id == chunk.id

    def test_a_silent_owner_with_an_update_on_its_way_keeps_its_chunk(self, repository: Repository) -> None:
        """Otherwise its delayed update would overwrite the document of its successor."""
        started(repository, 4)
        chunk = claimed(repository, owner="mute")
        call = make_call(0)
        repository.calls.intend(chunk, [call])
        for step in _PATHS[CallState.DONE]:
            repository.calls.mark(chunk, [call], step)
        unknown = replace(call, request=replace(call.request, sha=""))
        repository.calls.settle(chunk, [(CallState.DONE, Result(Action("update", unknown), Answer.DONE))])
        assert repository.chunks.claim(RUN, "b", 4, silent=["mute"]) is None
        assert claimed(repository, owner="b", dead=["mute"]).id == chunk.id

    def test_a_zombie_does_not_see_what_its_successor_does_to_the_calls(self, repository: Repository) -> None:
        """A call that is being undone would look like a bug to it, and a bug fails the run."""
        started(repository, 4)
        chunk = claimed(repository, owner="zombie")
        repository.calls.intend(chunk, [make_call(0)])
        fresh = claimed(repository, owner="b", silent=["zombie"])
        with pytest.raises(LeaseLost):
            repository.calls.of_units(chunk, _INSTANCE, [0])
        assert len(repository.calls.of_units(fresh, _INSTANCE, [0])) == 1

    def test_a_split_leaves_each_call_with_its_unit(self, repository: Repository) -> None:
        """Otherwise the half without open calls would wait for the other half's owner to be dead."""
        started(repository, 4)
        chunk = claimed(repository, owner="mute")
        repository.calls.intend(chunk, [make_call(3)])
        repository.calls.mark(chunk, [make_call(3)], CallState.SENT)
        left, right = repository.chunks.split(chunk, [[0, 1], [2, 3]])
        assert claimed(repository, owner="b", silent=["mute"]).id == left.id
        assert repository.chunks.claim(RUN, "b", 4, silent=["mute"]) is None
        assert claimed(repository, owner="b", dead=["mute"]).id == right.id

    def test_a_call_under_another_units_key_is_refused(self, repository: Repository) -> None:
        """Otherwise no restart would ever find it again."""
        started(repository)
        with pytest.raises(FatalError):
            repository.calls.intend(claimed(repository), [replace(make_call(0), unit_key="999")])

    def test_an_undo_chunk_takes_its_units_calls_back(self, repository: Repository) -> None:
        """Otherwise a quarantined customer would live on in the API."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(1)])
        repository.calls.mark(chunk, [make_call(1)], CallState.SENT)
        repository.calls.mark(chunk, [make_call(1)], CallState.DONE)
        repository.chunks.finish(repository.chunks.decide(chunk, decision(chunk, undo=[fault(1)])))
        undo = claimed(repository, owner="mute")
        repository.calls.mark(undo, [only(repository, undo, 1)], CallState.UNDOING)
        assert repository.chunks.claim(RUN, "b", 4, silent=["mute"]) is None
        taken = claimed(repository, owner="b", dead=["mute"])
        repository.calls.mark(taken, [only(repository, taken, 1)], CallState.UNDONE)
        repository.chunks.finish(taken, [fault(1)])
        assert repository.views.unit(RUN, 1)[0] is UnitState.QUARANTINED

    def test_a_retry_finds_the_calls_of_the_attempt_before(self, repository: Repository) -> None:
        """Otherwise a retried customer would reuse an id that was undone (attack 3)."""
        started(repository, 4)
        chunk = claimed(repository)
        repository.calls.intend(chunk, [make_call(1)])
        repository.calls.mark(chunk, [make_call(1)], CallState.UNSENT)
        moved(repository, chunk, [fault(1)])
        repository.chunks.retry(RUN, [1])
        assert only(repository, claimed(repository), 1).state is CallState.UNSENT


class KeyMapContract:
    """A key that was given is given for good."""

    def test_the_same_keys_get_the_same_numbers(self, repository: Repository) -> None:
        """Otherwise a retry would give a customer a second account."""
        old = [key_bytes([number]) for number in (5, 3, 5)]
        assert repository.keymap.next("telco", "account_id", 100) == 100
        assert repository.keymap.allocate("telco", "account_id", old, 100) == [100, 101, 100]
        assert repository.keymap.next("telco", "account_id", 1) == 102
        assert repository.keymap.allocate("telco", "account_id", [key_bytes([9]), old[1]], 999) == [102, 101]
        assert repository.keymap.allocate("telco", "other", old[:1], 7) == [7]
        assert repository.keymap.allocate("other", "account_id", old[:1], 1) == [1]
        assert repository.keymap.allocate("telco", "account_id", [], 1) == []
        found = repository.keymap.lookup("telco", "account_id", [old[1], key_bytes([77])])
        assert found == ["101", None]

    def test_thousands_of_keys_fit(self, repository: Repository) -> None:
        """Otherwise a large chunk would meet the database's limit of parameters."""
        old = [key_bytes([number]) for number in range(1700)]
        assert repository.keymap.allocate("telco", "line", old, 1) == list(range(1, 1701))
        assert repository.keymap.allocate("telco", "line", old[::-1], 1) == list(range(1700, 0, -1))

    def test_two_threads_never_get_one_number_twice(self, repository: Repository) -> None:
        """Otherwise two customers would share an account."""
        answers: dict[int, list[list[int]]] = {0: [], 1: []}
        gate = threading.Barrier(2)

        def work(me: int) -> None:
            gate.wait()
            for first in range(0, 60, 5):
                old = [key_bytes([number + me * 3]) for number in range(first, first + 10)]
                answers[me].append(repository.keymap.allocate("telco", "account_id", old, 1))

        threads = [threading.Thread(target=work, args=(me,)) for me in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        given: dict[int, int] = {}
        for me, rounds in answers.items():
            assert len(rounds) == 12
            for number, numbers in enumerate(rounds):
                for at, new in enumerate(numbers):
                    assert given.setdefault(number * 5 + at + me * 3, new) == new
        assert sorted(given.values()) == list(range(1, len(given) + 1))

    def test_returned_values_are_replaced_but_never_shared(self, repository: Repository) -> None:
        """Otherwise two customers would point at one object of the server."""
        one, two = key_bytes([1]), key_bytes([2])
        repository.keymap.store("telco", "crm_id", {one: "c-1", two: "c-2"})
        repository.keymap.store("telco", "crm_id", {one: "c-3"})
        repository.keymap.store("telco", "crm_id", {})
        assert repository.keymap.lookup("telco", "crm_id", [one, two]) == ["c-3", "c-2"]
        with pytest.raises(UnitError, match="crm_id"):
            repository.keymap.store("telco", "crm_id", {one: "c-2"})
        assert repository.keymap.lookup("telco", "crm_id", [one, two]) == ["c-3", "c-2"]
