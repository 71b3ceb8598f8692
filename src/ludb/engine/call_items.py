"""One thing wanted at a server, as the engine follows it, and what the journal keeps of an answer about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ludb.model.calls import Action, Answer, Call, CallRequest, Result
from ludb.model.run import CallState

REFUSED = {
    Answer.REJECTED: "the API refused the call",
    Answer.DIFFERENT: "the API keeps something else than was sent",
}
_LEFT = frozenset({CallState.SENT, CallState.DONE, CallState.ABSENT})
"""Call states in which a request has left at least once."""
"""Answers that set a unit aside, and why."""


@dataclass(slots=True)
class Item:
    """One thing wanted (or, with `wanted` None, unwanted) at a server. `since` is on the worker's monotonic clock; `inherited`
    says that an earlier claim of the chunk may have sent it; `changed_at` is when this claim did (Unix seconds, 0: not yet);
    `call_id` is that of the generation that `wanted` was made for; `given_up` says that the API fails it each time.
    """

    position: int
    unit_key: str
    row_key: str
    wanted: CallRequest | None
    document: Mapping[str, object] | None
    call: Call | None
    since: float
    last: Answer | None = None
    reason: str = ""
    body: str = ""
    status: int | None = None
    inherited: bool = False
    changed_at: float = 0.0
    call_id: str = ""
    given_up: bool = False


def may_have_left(call: Call | None) -> bool:
    """Whether a request of this generation was sent by whoever had the chunk before."""
    return call is not None and call.state in _LEFT


def unsure(item: Item) -> bool:
    """Whether an earlier update of the object may still be on its way: it must not overtake the next one."""
    return item.call is not None and item.call.state is CallState.DONE and not item.call.request.sha


def unknown(call: Call) -> tuple[CallState, Result]:
    """What the journal says while an update is on its way: the object is there, and its content equals no document."""
    unsure = replace(call, request=replace(call.request, sha=""))
    return CallState.DONE, Result(Action("update", unsure), Answer.DONE)


def as_kept(result: Result) -> Result:
    """What is kept of an answer: an object that differs from what was sent equals no document, also after a crash; nor does
    one whose update may not have happened.
    """
    differs = result.answer is Answer.DIFFERENT
    if not differs and (result.action.kind != "update" or result.answer is Answer.DONE):
        return result
    _, unsure = unknown(result.action.call)
    return replace(result, action=unsure.action, answer=Answer.DONE if differs else result.answer)
