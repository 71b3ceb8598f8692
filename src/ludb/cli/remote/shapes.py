"""What a server tells, as the values that the command line shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from ludb.cli.places import Hints, asked_of
from ludb.cli.remote.choice import Choice
from ludb.model.calls import Call, CallRequest
from ludb.model.run import CallState, Counters, Owner, Run, RunState, UnitException, UnitState
from ludb.remote.client import Client
from ludb.service.activity import Activity
from ludb.service.compared import Compared, Difference
from ludb.service.summary import Summary
from ludb.service.units import UnitView

Told = Mapping[str, Any]
_SUMMARY = TypeAdapter(Summary)
AT_WORK = frozenset({"alive", "dismissed"})


def summary_of(told: Told) -> Summary:
    """A summary as it was made at the server."""
    return _SUMMARY.validate_python(told)


def hints_at(choice: Choice, run: Run) -> Hints:
    """Hints for a run at a server: by its job's name, not by a folder."""
    return Hints(choice.program, "", f"{choice.program} run {run.job}{asked_of(run)}")


def counters_of(told: Told) -> Counters:
    """Where the units are."""
    return Counters(**{name: told[name] for name in Counters.__dataclass_fields__})


def run_of(told: Told) -> Run:
    """A run of a list. What the API does not tell of it is empty: `pinned`, `clock`, `settings`, `counts`."""
    names = ("id", "job", "instance", "version", "actor", "host", "parameters", "reason")
    names += ("created_at", "started_at", "ended_at")  # type: ignore[assignment]
    notes = {} if told["selection"] is None else {"selection": told["selection"]}
    return Run(
        **{name: told[name] for name in names}, state=RunState(told["state"]), pinned="", clock=told["created_at"],
        units=told["counters"]["total"], notes=notes,
    )  # fmt: skip


def exception_of(told: Told) -> UnitException:
    """A unit set aside; without the right to see values they are empty."""
    names = ("position", "phase", "step", "reason", "message", "job_version", "at", "chunk")
    rows = told.get("source_rows")
    return UnitException(
        **{name: told[name] for name in names}, unit_key=told["key"], state=UnitState(told["state"]),
        detail=told.get("detail") or "", body=told.get("answer") or "", trace=told.get("trace") or "",
        source_rows=json.dumps(rows, ensure_ascii=False) if rows else "", rows=told.get("rows") or {},
    )  # fmt: skip


def call_of(told: Told, position: int = 0) -> Call:
    """A call; without the right to see values its texts are empty."""
    request = CallRequest(told["method"], told["path"] or "", told["request"] or "", "")
    return Call(
        id=told["id"], instance="", output=told["output"], unit_key=told["key"], row_key=told["row_key"],
        generation=told["generation"], position=position, request=request, state=CallState(told["state"]),
        server_id=told["server_id"], returned=told["returned"] or {}, status=told["status"],
        body=told["answer"] or "", reason=told["reason"], changed_at=told["changed_at"],
    )  # fmt: skip


def view_of(unit: Told, rows: Told) -> UnitView:
    """A unit with its rows."""
    history = [(one["at"], one["what"], one["data"]) for one in unit["history"]]
    exception = None if unit["exception"] is None else exception_of(unit["exception"])
    note = "values are masked: they need the right `personal`" if rows["masked"] else str(rows["note"])
    return UnitView(
        unit["key"], unit["position"], UnitState(unit["state"]), history, exception,
        [call_of(one, unit["position"]) for one in unit["calls"]], rows["source"], rows["outputs"], note,
    )  # fmt: skip


def compared_of(rows: Told) -> Compared:
    """What stands at the targets."""
    differences = tuple(Difference(**one) for one in rows["differences"])
    return Compared(rows["found"] or {}, differences, {})


class RemoteWatch:
    """Looks at a run of a server: `progress` is told by whoever follows, the rest is asked for when units have moved."""

    def __init__(self, client: Client, run: str, progress: Told) -> None:
        """Begin with this look."""
        self._client, self._run, self.progress = client, run, progress
        self._settled: Any = None
        self._written: dict[str, int] = {}
        self._aside: Mapping[tuple[str, str], int] = {}

    def look(self) -> Activity:
        """The run as it was told last; `TransientError` if the server is away."""
        told = self.progress
        if told["counters"] != self._settled:
            outputs = self._client.get(f"/runs/{self._run}/rows")["output"]
            self._written = {one["table"]: one["by_state"]["done"] for one in outputs if one["by_state"].get("done")}
            aside: Counter[tuple[str, str]] = Counter()
            for one in self._client.get(f"/runs/{self._run}/quarantine/reasons", named=0):
                aside[one["state"], one["step"]] += one["units"]
            self._aside, self._settled = aside, told["counters"]
        workers = self._client.get(f"/runs/{self._run}/workers")
        owners = tuple(self._owner(one) for one in workers if one["role"] == "worker" and one["state"] in AT_WORK)
        waiting = {one["reason"]: one["chunks"] for one in told["waiting"]}
        return Activity(
            counters_of(told["counters"]), self._written, self._aside, owners, waiting, RunState(told["state"]),
            told["reason"],
        )  # fmt: skip

    def _owner(self, one: Told) -> Owner:
        return Owner(
            one["id"], self._run, "worker", one["host"], one["pid"], "", state=one["state"], doing=one["doing"],
            cpu=one["cpu"], memory=one["memory"],
        )  # fmt: skip
