"""What to do next about one call: a pure function of what is known and what is wanted (PROTOCOL R4, R5, R6)."""

from __future__ import annotations

from enum import StrEnum

from ludb.model.calls import Ability, Answer, Call, CallRequest
from ludb.model.run import SETTLED_CALLS, CallState


class Move(StrEnum):
    """The next thing to do about a call.

    `new`: the next generation is to be intended. `send`, `update`, `undo`, `probe`: an exchange with the server, `probe`
    only after the request's greatest delay. `resend`: the same request again, which the server recognises. `none`: what is
    wanted is so. `doubt`: nobody can make it definite.
    """

    NEW = "new"
    SEND = "send"
    RESEND = "resend"
    PROBE = "probe"
    UPDATE = "update"
    UNDO = "undo"
    NONE = "none"
    DOUBT = "doubt"


def next_move(  # noqa: PLR0911  (a decision table)
    call: Call | None, wanted: CallRequest | None, ability: Ability, age: float
) -> Move:
    """The next move for the latest generation of a call. `wanted` is None where nothing may be left at the server; `age`
    is how long ago the call came into its state, in seconds: at least that, where nobody knows better.
    """
    if call is None or call.state in {CallState.REJECTED, CallState.UNDONE}:
        return Move.NEW if wanted else Move.NONE
    if call.state in {CallState.INTENDED, CallState.UNSENT, CallState.ABSENT}:
        return Move.SEND if wanted else Move.NONE
    if call.state is CallState.SENT:
        return _resolve(ability, age)
    if call.state is CallState.UNDOING:
        return Move.UNDO
    if call.state is CallState.DONE:
        if wanted is None:
            return Move.UNDO if ability.undo and call.server_id else Move.DOUBT
        if call.request.sha == wanted.sha:
            return Move.NONE
        return _replace(call, ability)
    return Move.DOUBT


def _resolve(ability: Ability, age: float) -> Move:
    """A request left and nobody knows what became of it."""
    if ability.idempotent_ttl is not None and age < ability.idempotent_ttl:
        return Move.RESEND
    return Move.PROBE if ability.probe else Move.DOUBT


def _replace(call: Call, ability: Ability) -> Move:
    if ability.update and call.server_id:
        return Move.UPDATE
    return Move.UNDO if ability.undo and call.server_id else Move.DOUBT


_AFTER_SEND = {
    Answer.DONE: CallState.DONE,
    Answer.REJECTED: CallState.REJECTED,
    Answer.AGAIN: CallState.UNSENT,
    Answer.UNSENT: CallState.UNSENT,
    Answer.DENIED: CallState.UNSENT,
    Answer.FATAL: CallState.UNSENT,
    Answer.DIFFERENT: CallState.DONE,
    Answer.AMBIGUOUS: CallState.SENT,
}
_DEFINITE = frozenset({Answer.DONE, Answer.REJECTED, Answer.DIFFERENT})
_AFTER_PROBE = {
    Answer.DONE: CallState.DONE,
    Answer.DIFFERENT: CallState.DONE,
    Answer.ABSENT: CallState.ABSENT,
    Answer.SEVERAL: CallState.IN_DOUBT,
}
_AFTER_UNDO = {Answer.DONE: CallState.UNDONE, Answer.ABSENT: CallState.UNDONE, Answer.REJECTED: CallState.IN_DOUBT}


def next_state(move: Move, answer: Answer) -> CallState:
    """The call's state after an exchange. Where the exchange told nothing the state stays: `sent` or `undoing`."""
    if move is Move.RESEND:
        # The first request may have arrived: only a definite yes or no ends the doubt.
        return _AFTER_SEND[answer] if answer in _DEFINITE else CallState.SENT
    if move is Move.PROBE:
        return _AFTER_PROBE.get(answer, CallState.SENT)
    if move is Move.UNDO:
        return _AFTER_UNDO.get(answer, CallState.UNDOING)
    if move is Move.UPDATE:
        # The object exists whatever came back: an update is by id and may be repeated, so it needs no state of its own.
        return CallState.DONE
    return _AFTER_SEND[answer]


def leaves_nothing(call: Call) -> bool:
    """Whether the server holds nothing of this call."""
    return call.state in SETTLED_CALLS or call.state is CallState.INTENDED
