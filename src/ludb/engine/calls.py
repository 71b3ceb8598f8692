"""Calls as part of the commit: what is wanted at an API is brought about, or taken back, and always known."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ludb.engine.call_desk import CallKey, Desk, Documents, latest
from ludb.engine.call_moves import leaves_nothing
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.model.calls import Call
from ludb.model.run import CallState, Chunk

__all__ = ["Documents", "alive_calls", "make_calls", "take_back"]


def make_calls(
    documents: Iterable[Documents], chunk: Chunk, positions: Collection[int], verdicts: Verdicts, at: Workplace
) -> dict[CallKey, Call]:
    """Bring about the calls of these units, output by output; units whose call is refused or in doubt are rejected.

    Calls made by an earlier attempt are reused if their document is the same, else updated, or taken back and made
    again; calls that no row wants any more are taken back. Raises `TransientError` if a system is away, `PauseError` if
    it refuses the credential: everything done so far stays journaled.
    """
    made: dict[CallKey, Call] = {}
    for output in documents:
        rejected = verdicts.rejected
        alive = [position for position in positions if position not in rejected]
        if not alive:
            break
        name = output.spec.name
        desk = Desk(output.spec, chunk, at)
        items = desk.items(output, alive, verdicts)
        desk.bring_about(items)
        desk.confirm(items)
        for item in items:
            desk.judge(item, verdicts)
            if item.call is not None and item.call.state is CallState.DONE:
                made[(item.position, name, item.row_key)] = item.call
    return made


def take_back(chunk: Chunk, positions: Collection[int], at: Workplace) -> dict[int, str]:
    """Undo all calls of these units, the last outputs first. Returns the units that stay in doubt, with the reason."""
    doubtful: dict[int, str] = {}
    calls = at.repository.calls.of_units(chunk, at.run.instance, positions)
    for name in reversed([spec.name for spec in at.migration.job.outputs.values() if spec.call]):
        desk = Desk(at.migration.job.outputs[name], chunk, at)
        items = [desk.item(call, None, None) for call in latest(calls) if call.output == name]
        desk.bring_about(items)
        for item in items:
            if item.call is not None and not leaves_nothing(item.call):
                doubtful.setdefault(item.position, f"{name}: {item.reason or 'the call cannot be taken back'}")
    for call in latest(calls):
        if call.output not in at.migration.job.outputs and not leaves_nothing(call):
            doubtful.setdefault(call.position, f"{call.output}: it is no longer an output of the job")
    return doubtful


def alive_calls(
    chunk: Chunk, positions: Collection[int], at: Workplace, besides: Collection[str] = ()
) -> dict[int, list[Call]]:
    """Calls of these units that may have left something at a server, by position; without those that are done at `besides`."""
    if not positions or not at.migration.calls:
        return {}
    found: dict[int, list[Call]] = {}
    for call in latest(at.repository.calls.of_units(chunk, at.run.instance, positions, besides)):
        if not leaves_nothing(call):
            found.setdefault(call.position, []).append(call)
    return found
