"""What happens next about a call: every state, every wish, every ability, every answer."""

from __future__ import annotations

from itertools import product

import pytest

from ludb.engine.call_moves import Move, leaves_nothing, next_move, next_state
from ludb.model.calls import Ability, Answer, Call, CallRequest
from ludb.model.run import CALL_CHANGES, CallState

TTL = 60.0
AGES = (0.0, TTL - 1, TTL, TTL + 1)
NOTHING, SAME, OTHER = None, CallRequest("POST", "/x", "{}", "same"), CallRequest("POST", "/x", "{}", "other")
ABILITIES = [
    Ability(undo=undo, probe=probe, update=update, idempotent_ttl=ttl, settle=0.0, max_delay=1.0)
    for undo, probe, update, ttl in product([True, False], [True, False], [True, False], [None, TTL])
]
FULL = Ability(undo=True, probe=True, update=True, idempotent_ttl=TTL, settle=0.0, max_delay=1.0)
BARE = Ability(undo=False, probe=False, update=False, idempotent_ttl=None, settle=0.0, max_delay=1.0)

EXCHANGES = {Move.SEND, Move.RESEND, Move.PROBE, Move.UPDATE, Move.UNDO}
WRITE_ANSWERS = {Answer.DONE, Answer.REJECTED, Answer.AGAIN, Answer.AMBIGUOUS, Answer.DENIED}
ANSWERS = {
    Move.SEND: WRITE_ANSWERS | {Answer.UNSENT},
    Move.RESEND: WRITE_ANSWERS,
    Move.UPDATE: WRITE_ANSWERS,
    Move.UNDO: WRITE_ANSWERS | {Answer.ABSENT},
    Move.PROBE: {Answer.DONE, Answer.ABSENT, Answer.SEVERAL, Answer.AGAIN, Answer.AMBIGUOUS, Answer.DENIED},
}
"""The answers that each exchange can have."""


def call(state, server_id="7"):
    return Call("id", "run", "crm.customer", "1", "1", 0, 0, SAME, state=state, server_id=server_id)


def cases():
    """Every (call, wanted, ability, age); a call is None where none was ever made."""
    known = [None, *(call(state, server_id) for state in CallState for server_id in ("7", None))]
    return product(known, [NOTHING, SAME, OTHER], ABILITIES, AGES)


def left_in(state, move):
    """The state that the journal holds while the exchange of this move is on its way."""
    return {Move.SEND: CallState.SENT, Move.UNDO: CallState.UNDOING}.get(move, state)


def allowed(before, after):
    return before is after or after in CALL_CHANGES[before]


def test_every_change_of_state_is_one_that_the_journal_allows():
    """The repository refuses any other change, and the worker would take its chunk for lost, again and again."""
    seen = set()
    for known, wanted, ability, age in cases():
        move = next_move(known, wanted, ability, age)
        if known is None or move not in EXCHANGES | {Move.DOUBT}:
            continue
        if move is Move.DOUBT:
            if known.state in {CallState.SENT, CallState.UNDOING}:
                assert allowed(known.state, CallState.IN_DOUBT)
            continue
        sent = left_in(known.state, move)
        assert allowed(known.state, sent), (known.state, move)
        for answer in ANSWERS[move]:
            after = next_state(move, answer)
            assert allowed(sent, after), (known.state, move, answer, after)
            seen.add((move, answer))
    assert seen == {(move, answer) for move, answers in ANSWERS.items() for answer in answers}


def test_a_request_leaves_only_when_the_server_surely_holds_nothing_of_the_call_or_would_know_it_again():
    """Otherwise a customer is made twice."""
    for known, wanted, ability, age in cases():
        move = next_move(known, wanted, ability, age)
        if move is Move.SEND:
            assert known.state in {CallState.INTENDED, CallState.UNSENT, CallState.ABSENT}
        if move is Move.NEW:
            assert known is None or known.state in {CallState.REJECTED, CallState.UNDONE}
        if move is Move.RESEND:
            assert known.state is CallState.SENT
            assert ability.idempotent_ttl is not None
            assert age < ability.idempotent_ttl


def test_nothing_is_asked_of_an_api_that_it_cannot_do():
    for known, wanted, ability, age in cases():
        move = next_move(known, wanted, ability, age)
        assert move is not Move.PROBE or ability.probe
        assert move is not Move.UPDATE or (ability.update and known.server_id)
        if move is Move.UNDO and known.state is CallState.DONE:
            assert ability.undo
            assert known.server_id


def test_nothing_is_sent_for_a_document_that_nobody_wants():
    for known, _, ability, age in cases():
        assert next_move(known, NOTHING, ability, age) not in {Move.NEW, Move.SEND, Move.UPDATE}


def test_it_is_over_only_when_what_is_wanted_is_so():
    """A unit may be quarantined only when nothing of it is left, and counted done only with the document it has now."""
    for known, wanted, ability, age in cases():
        if next_move(known, wanted, ability, age) is not Move.NONE:
            continue
        if wanted is None:
            assert known is None or leaves_nothing(known)
        else:
            assert known.state is CallState.DONE
            assert known.request.sha == wanted.sha


def test_an_undone_call_is_never_used_again():
    """Attack 3: a server that honours the old key would answer with an object that is gone."""
    for ability, wanted in product(ABILITIES, [SAME, OTHER]):
        assert next_move(call(CallState.UNDONE), wanted, ability, 0.0) is Move.NEW
        assert next_move(call(CallState.UNDONE), NOTHING, ability, 0.0) is Move.NONE


def test_doubt_stays_until_a_person_resolves_it():
    for ability, wanted in product(ABILITIES, [NOTHING, SAME, OTHER]):
        assert next_move(call(CallState.IN_DOUBT), wanted, ability, 0.0) is Move.DOUBT


def test_with_probe_and_undo_there_is_no_doubt_that_the_engine_makes_itself():
    for known, wanted, ability, age in cases():
        if (
            ability.probe
            and ability.undo
            and known is not None
            and known.server_id
            and known.state is not CallState.IN_DOUBT
        ):
            assert next_move(known, wanted, ability, age) is not Move.DOUBT, (known.state, wanted)


@pytest.mark.parametrize("wanted", [NOTHING, SAME, OTHER], ids=["nothing", "same", "other"])
@pytest.mark.parametrize("found", [Answer.DONE, Answer.ABSENT])
def test_from_every_state_a_server_that_answers_leads_to_the_end(wanted, found):
    """Otherwise a chunk would be tried for ever though every server is well."""
    for state, ability in product(CallState, ABILITIES):
        if state is CallState.IN_DOUBT or not (ability.probe and ability.undo):
            continue
        now = call(state)
        for _ in range(5):
            move = next_move(now, wanted, ability, TTL)
            if move is Move.NONE:
                break
            if move is Move.NEW:
                now = Call("id-2", "run", "crm.customer", "1", "1", 1, 0, wanted)
                continue
            answer = found if move is Move.PROBE else Answer.DONE
            changed = wanted if move in {Move.SEND, Move.UPDATE} else now.request
            now = Call(
                now.id, "run", "crm.customer", "1", "1", 0, 0, changed, state=next_state(move, answer), server_id="7"
            )
        assert next_move(now, wanted, ability, TTL) is Move.NONE, (state, ability)


STATE_TABLE = {
    #                    nothing wanted, the same document, another document
    None: (Move.NONE, Move.NEW, Move.NEW),
    CallState.INTENDED: (Move.NONE, Move.SEND, Move.SEND),
    CallState.UNSENT: (Move.NONE, Move.SEND, Move.SEND),
    CallState.ABSENT: (Move.NONE, Move.SEND, Move.SEND),
    CallState.SENT: (Move.PROBE, Move.PROBE, Move.PROBE),
    CallState.DONE: (Move.UNDO, Move.NONE, Move.UPDATE),
    CallState.UNDOING: (Move.UNDO, Move.UNDO, Move.UNDO),
    CallState.UNDONE: (Move.NONE, Move.NEW, Move.NEW),
    CallState.REJECTED: (Move.NONE, Move.NEW, Move.NEW),
    CallState.IN_DOUBT: (Move.DOUBT, Move.DOUBT, Move.DOUBT),
}
LESS = {
    ("idempotent", CallState.SENT): (Move.RESEND, Move.RESEND, Move.RESEND),
    ("bare", CallState.SENT): (Move.DOUBT, Move.DOUBT, Move.DOUBT),
    ("bare", CallState.DONE): (Move.DOUBT, Move.NONE, Move.DOUBT),
}
"""Where an API that recognises repeated ids, or one that can do nothing, differs."""


@pytest.mark.parametrize("state", [None, *CallState])
def test_the_table_of_moves(state):
    """The decision table as PROTOCOL R4 to R6 have it, in full."""
    known = None if state is None else call(state)

    def moves(ability, age):
        return tuple(next_move(known, wanted, ability, age) for wanted in (NOTHING, SAME, OTHER))

    assert moves(FULL, TTL) == STATE_TABLE[state]
    assert moves(FULL, 0.0) == LESS.get(("idempotent", state), STATE_TABLE[state])
    assert moves(BARE, 0.0) == LESS.get(("bare", state), STATE_TABLE[state])


@pytest.mark.parametrize("state", CallState)
def test_what_is_called_nothing_left_is_known_and_not_hoped(state):
    nothing = {CallState.INTENDED, CallState.UNSENT, CallState.REJECTED, CallState.ABSENT, CallState.UNDONE}
    assert leaves_nothing(call(state)) is (state in nothing)
