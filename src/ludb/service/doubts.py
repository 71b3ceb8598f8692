"""Calls in doubt: which there are, and what a person has seen at the system about one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ludb.errors import ConfigError
from ludb.model.calls import Call
from ludb.model.events import Event
from ludb.model.job import CallSpec
from ludb.model.run import CallState
from ludb.ports.doubts import Resolution, Word
from ludb.service.pinning import load_pinned
from ludb.service.site import Site


@dataclass(frozen=True, slots=True)
class Resolved:
    """What came of a person's word: the call's state, and whether its unit is pending again (else other calls of it are in
    doubt).
    """

    call: Call
    state: CallState
    pending: bool


def check_reason(reason: str) -> None:
    """`ConfigError` where nobody says how a call was looked up."""
    if not reason.strip():
        raise ConfigError("a word about a call needs its reason", remedy="Say how it was looked up: --reason TEXT")


def resolve(
    site: Site, run_id: str, call_id: str, word: Word, reason: str, returns: Mapping[str, str] | None = None
) -> Resolved:
    """Take a person's word for what became of a call: kept with who said so and why, and told as an event.

    `ConfigError` where nothing is in doubt, the reason is missing, or a value is that later steps or an undo will need.
    """
    given = dict(returns or {})
    check_reason(reason)
    found = _found(site.repository.doubts.calls(run_id), call_id, run_id)
    if word == "done":
        _check_values(site, run_id, found, given)
    elif given:
        raise ConfigError("what is absent returns nothing", remedy="Leave --returns out, or say done")
    server_id = given.get("id") or found.server_id
    resolution = Resolution(found.id, word, site.actor, reason.strip(), server_id, given)
    state, pending = site.repository.doubts.resolve(run_id, resolution)
    data = {
        "call": found.id, "output": found.output, "unit": found.unit_key, "was": str(found.state), "state": str(state),
        "by": site.actor, "reason": resolution.reason, "pending": pending,
    }  # fmt: skip
    site.repository.events.append(Event("call.resolved", run_id, "", "info", lasting=True, data=data))
    return Resolved(found, state, pending)


def _found(calls: Sequence[Call], call_id: str, run_id: str) -> Call:
    """The call with this id, which may be cut short where that is enough to tell it."""
    found = [one for one in calls if one.id == call_id] or [one for one in calls if one.id.startswith(call_id)]
    if len(found) != 1 or not call_id:
        many = "no call" if not found else f"{len(found)} calls"
        raise ConfigError(f"run {run_id} has {many} {call_id!r}", remedy="Take the id from `ludb calls`")
    return found[0]


def _check_values(site: Site, run_id: str, call: Call, given: dict[str, str]) -> None:
    """Names that the output returns are given, no others, and the id where an undo or update needs it."""
    spec = _spec(site, run_id, call)
    known = {*spec.returns, "id"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigError(
            f"{call.output} returns no {', '.join(unknown)}", remedy=f"It has: {', '.join(sorted(known))}"
        )
    needed = [name for name in spec.returns if name not in call.returned]
    if (spec.undo or spec.update) and call.server_id is None:
        needed.append("id")
    missing = sorted({name for name in needed if name not in given})
    if missing:
        raise ConfigError(
            f"{call.output} needs what the API calls {', '.join(missing)} of this object",
            remedy="Give it: " + " ".join(f"--returns {name}=..." for name in missing),
        )


def _spec(site: Site, run_id: str, call: Call) -> CallSpec:
    pinned = load_pinned(site, site.repository.runs.get(run_id))
    try:
        spec = pinned.migration.job.outputs.get(call.output)
    finally:
        pinned.migration.close()
    if spec is None or spec.call is None:
        raise ConfigError(f"{call.output} is no longer an output of the job", remedy="Put it back")
    return spec.call
