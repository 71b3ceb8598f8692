"""One unit: where it stands, what happened to it, and what the steps would make of it now."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ludb.engine.extract import extract
from ludb.engine.plan import UnitList, freeze, stage, unique_faults
from ludb.engine.transform import transform
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, Fault, UnitError
from ludb.journals.files import FileJournal
from ludb.model.calls import Ability, Action, Answer, Call, CallRequest, Result
from ludb.model.data import rows_of
from ludb.model.keys import key_text
from ludb.model.run import Run, RunState, Segment, UnitException, UnitState
from ludb.model.unit import POSITION
from ludb.ports.target import CallTarget
from ludb.project.registry import adapter
from ludb.service.pinning import read_reference
from ludb.service.runs import plan_run
from ludb.service.site import Site

Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit of a run: state, history, exception if any, calls, and its rows as they are in the source now."""

    key: str
    position: int
    state: UnitState
    history: Sequence[tuple[float, str, Mapping[str, object]]]
    exception: UnitException | None
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Trial:
    """What the steps make of one unit, with nothing written anywhere: source rows, output rows, and why it would be set
    aside, if it would. `requests` are the calls as they would be sent.
    """

    key: str
    source: Rows
    outputs: Rows
    requests: Mapping[str, list[str]]
    verdict: UnitException | None


def find_position(keys: pa.Table, key: str) -> int:
    """The list position of a unit key as a person types it; `ConfigError` if the list has no such unit."""
    columns = [keys.column(name).to_pylist() for name in keys.column_names if name != POSITION]
    for position, values in zip(keys.column(POSITION).to_pylist(), zip(*columns, strict=True), strict=True):
        if key_text(values) == key:
            return int(position)
    example = key_text([column[0] for column in columns]) if keys.num_rows else ""
    raise ConfigError(
        f"no unit {key!r} in the list of {keys.num_rows} units",
        remedy=f"Keys are written like {example!r}; parts of a composite key are joined by |",
    )


def view_unit(site: Site, run_id: str, key: str) -> UnitView:
    """Where a unit of a run stands."""
    views = site.repository.views
    position = find_position(views.keys(run_id), key)
    state, history, calls = views.unit(run_id, position)
    found = [e for e in views.exceptions(run_id) if e.position == position]
    return UnitView(key, position, state, history, found[0] if found else None, calls)


def try_unit(site: Site, folder: Path, parameters: Mapping[str, str], key: str) -> Trial:
    """Run the job's steps, as they are in the folder now, on one unit; nothing is written, no call leaves."""
    planned = plan_run(site, folder, parameters)
    try:
        keys = planned.units.keys
        if not keys.num_rows or not _has(keys, key):
            keys = freeze(planned.migration).keys
        lone = rows_of(keys, [find_position(keys, key)])
        units = UnitList(lone.set_column(0, POSITION, pa.array([0], pa.int64())))
        at = _trial_place(site, planned.run, planned.migration, units)
        found = unique_faults(planned.migration, UnitList(keys)).get(find_position(keys, key))
        faults = {0: found} if found else {}
        staged = stage(planned.migration, units, site.state / "trial")
        reference = {**planned.migration.reference, **read_reference(planned.migration)}
        at = replace(at, stage=staged, planned_faults=faults, migration=replace(at.migration, reference=reference))
        return _try(at, key)
    finally:
        planned.migration.close()


def _has(keys: pa.Table, key: str) -> bool:
    try:
        find_position(keys, key)
    except ConfigError:
        return False
    return True


def _trial_place(site: Site, run: Run, migration: Any, units: UnitList) -> Workplace:
    repository = adapter("ludb.repositories", "memory")()
    lone = replace(run, units=1, state=RunState.PLANNED)
    repository.runs.create(lone, [Segment(0, units.keys.drop_columns([POSITION]))])
    repository.runs.change(run.id, RunState.RUNNING)
    dry = {name: DryCalls(target) for name, target in migration.calls.items()}
    return Workplace(
        run=lone,
        migration=replace(migration, calls=dry),
        repository=repository,
        journal=FileJournal(site.state / "trial"),
        owner="trial",
        random=random.Random(0),  # noqa: S311  (never used: nothing is retried)
    )


def _try(at: Workplace, key: str) -> Trial:
    chunk = at.repository.chunks.claim(at.run.id, "trial", 1)
    assert chunk is not None
    read = extract(chunk, at)
    verdicts = Verdicts(chunk, read, version=at.run.version, at=at.clock())
    tables: Mapping[str, pa.Table] = {}
    requests: dict[str, list[str]] = {}
    try:
        produced = transform(chunk, read, verdicts, at)
        tables = produced.tables
        for documents in [*produced.documents(returning=True), *produced.documents(returning=False)]:
            target = at.migration.calls[documents.spec.system]
            rows = [] if documents.rows is None else documents.rows.drop_columns([POSITION]).to_pylist()
            made = [target.request(documents.spec.name, row, "call-id") for row in rows]
            requests[documents.spec.name] = [f"{r.method} {r.path}\n{r.body}" for r in made]
    except UnitError as error:
        fault = {0: Fault(str(error), error.detail)}
        verdicts.reject(fault, phase="steps", step=str(error).split(":", 1)[0], trace=error.trace, body=error.body)
    found = verdicts.exceptions(tables)
    return Trial(key, _plain(read.tables), _plain(tables), requests, found[0] if found else None)


def _plain(tables: Mapping[str, pa.Table]) -> Rows:
    return {name: rows.drop_columns([POSITION]).to_pylist() for name, rows in tables.items()}


class DryCalls:
    """A call target that never calls: every call is `done`, what it returns is a placeholder named after the key map."""

    def __init__(self, target: CallTarget) -> None:
        """Requests are built by the real target."""
        self._target = target

    def ability(self, output: str) -> Ability:
        """As the real target has it."""
        return self._target.ability(output)

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """As the real target builds it."""
        return self._target.request(output, document, call_id)

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """Answer for the server."""
        for action in actions:
            yield Result(action, Answer.DONE, status=201, server_id="(id)", returned=_Placeholder())

    def check(self) -> None:
        """Reach nothing."""

    def close(self) -> None:
        """Nothing is open here: the real target is closed with its job."""


class _Placeholder(dict[str, str]):
    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002  (every name has a placeholder)
        return f"({key})"

    def __bool__(self) -> bool:
        return True
