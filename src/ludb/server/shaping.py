"""The repository's values as the API's shapes: the one place where row values are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any

from ludb.model.calls import Call
from ludb.model.events import Event
from ludb.model.run import Counters, Owner, Run, UnitException
from ludb.model.steering import Live
from ludb.ports.figures import ChunkTime
from ludb.ports.pages import ChunkLine
from ludb.server.rules import Caller
from ludb.server.shapes.runs import (
    AsideShape,
    CallLimitsShape,
    CallShape,
    ChunkShape,
    CountersShape,
    EventShape,
    ExceptionShape,
    LiveShape,
    RunShape,
    WorkerShape,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NOTHING = Counters(0, 0, 0, 0, 0, 0, 0)


def flat(value: DataclassInstance) -> dict[str, Any]:
    """The fields of a value by name, not copied: `dataclasses.asdict` copies all that is in them."""
    return {name: getattr(value, name) for name in _names(type(value))}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def counters_shape(counters: Counters) -> CountersShape:
    """Where the units are."""
    return CountersShape(pending=counters.pending, **flat(counters))


def percent(counters: Counters) -> float:
    """Settled units of all: 100 only when nothing is left; a run without units has nothing left."""
    if not counters.pending:
        return 100.0
    return min(99.99, round(100.0 * (counters.total - counters.pending) / counters.total, 2))


def run_shape(run: Run, counters: Counters, now: float, *, held: bool | None = None) -> RunShape:
    """A run with its counters."""
    live = Live.of(run.settings)
    calls = {name: CallLimitsShape(pace=one.pace, in_flight=one.in_flight) for name, one in live.calls.items()}
    selection = run.notes.get("selection")
    return RunShape(
        id=run.id, job=run.job, instance=run.instance, state=run.state, reason=run.reason, version=run.version,
        actor=run.actor, host=run.host, parameters=dict(run.parameters), counters=counters_shape(counters),
        percent=percent(counters), live=LiveShape(workers=live.workers, chunk=live.chunk_units, calls=calls),
        selection=selection if isinstance(selection, dict) else None, created_at=run.created_at,
        started_at=run.started_at, ended_at=run.ended_at,
        seconds=max(0.0, (run.ended_at or now) - (run.started_at or run.ended_at or now)), held=held,
    )  # fmt: skip


def chunk_shape(chunk: ChunkLine) -> ChunkShape:
    """A chunk as a list shows it."""
    return ChunkShape(**flat(chunk))


def worker_shape(owner: Owner, *, lives: bool, holds: ChunkTime | None = None) -> WorkerShape:
    """A worker or supervisor; one whose lock is free is dead, whatever it said last."""
    state = owner.state if lives or owner.state == "ended" else "dead"
    held: dict[str, Any] = {}
    if holds is not None:
        held = {"chunk": holds.id, "chunk_units": holds.units, "chunk_first": holds.first}
        held |= {"claimed_at": holds.claimed_at, "age": holds.seconds}
    return WorkerShape(
        id=owner.id, role=owner.role, host=owner.host, pid=owner.pid, state=state, doing=owner.doing if lives else "",
        cpu=owner.cpu if lives else 0.0, memory=owner.memory if lives else 0, **held,
    )  # fmt: skip


def event_shape(number: int, at: float, event: Event) -> EventShape:
    """An event as lists and the stream tell it."""
    return EventShape(
        number=number, at=at, run=event.run, name=event.name, level=event.level, chunk=event.chunk,
        data=dict(event.data),
    )  # fmt: skip


def aside_shape(run_id: str, one: UnitException) -> AsideShape:
    """A unit set aside, without anything that may hold row values."""
    return AsideShape(**_aside(run_id, one))


def exception_shape(run_id: str, one: UnitException, caller: Caller) -> ExceptionShape:
    """A unit set aside, whole for who may see row values."""
    open_ = caller.personal
    rows = json.loads(one.source_rows) if open_ and one.source_rows else None
    return ExceptionShape(
        **_aside(run_id, one), detail=one.detail if open_ else None, answer=one.body if open_ else None,
        trace=one.trace if open_ else None, source_rows=rows, rows={k: dict(v) for k, v in one.rows.items()},
        masked=not open_,
    )  # fmt: skip


def call_shape(call: Call, caller: Caller) -> CallShape:
    """A call; its path may hold a key, its bodies the customer."""
    open_ = caller.personal
    return CallShape(
        id=call.id, output=call.output, key=call.unit_key, row_key=call.row_key, generation=call.generation,
        state=call.state, status=call.status, reason=call.reason, changed_at=call.changed_at,
        method=call.request.method, path=call.request.path if open_ else None,
        server_id=call.server_id if open_ else None, request=call.request.body if open_ else None,
        answer=call.body if open_ else None, returned=dict(call.returned) if open_ else None, masked=not open_,
    )  # fmt: skip


def masked_rows(rows: Mapping[str, list[dict[str, Any]]], caller: Caller) -> dict[str, list[dict[str, Any]]]:
    """Rows by table; without the right every value is null."""
    if caller.personal:
        return dict(rows)
    return {table: [dict.fromkeys(row) for row in found] for table, found in rows.items()}


def history_data(data: Mapping[str, object]) -> dict[str, Any]:
    """What a unit's history tells, without the whole exception that a retry keeps there."""
    return {name: value for name, value in data.items() if name != "was"}


def _aside(run_id: str, one: UnitException) -> dict[str, Any]:
    names = ("position", "state", "phase", "step", "reason", "message", "at", "chunk", "job_version")
    return {"run": run_id, "key": one.unit_key} | {name: getattr(one, name) for name in names}
