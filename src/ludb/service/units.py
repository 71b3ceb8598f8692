"""One unit: where it stands, what happened to it, what it consists of, and what was written of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.extract import extract
from ludb.engine.plan import stage
from ludb.engine.unit_list import UnitList
from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, LudbError
from ludb.journals.files import FileJournal
from ludb.model.calls import Call
from ludb.model.data import rows_of
from ludb.model.keys import key_text
from ludb.model.run import Chunk, ChunkState, Run, UnitException, UnitState
from ludb.model.unit import POSITION
from ludb.project.load import load_migration
from ludb.service.pinning import load_pinned, purged
from ludb.service.site import Site
from ludb.wording import plural

Rows = Mapping[str, list[dict[str, Any]]]
"""Rows as plain values, by table."""


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit of a run: state, history, exception if any, and calls.

    `source` are its rows: as they were when it was set aside, else as they are in the source now. `outputs` are the rows
    that were written, from the journal. `note` says why one of them is not shown.
    """

    key: str
    position: int
    state: UnitState
    history: Sequence[tuple[float, str, Mapping[str, object]]]
    exception: UnitException | None
    calls: Sequence[Call]
    source: Rows
    outputs: Rows
    note: str = ""


def find_position(keys: pa.Table, key: str) -> int:
    """The list position of a unit key as a person types it; `ConfigError` if the list has no such unit."""
    columns = [keys.column(name).to_pylist() for name in keys.column_names if name != POSITION]
    for position, values in zip(keys.column(POSITION).to_pylist(), zip(*columns, strict=True), strict=True):
        if key_text(values) == key:
            return int(position)
    example = key_text([column[0] for column in columns]) if keys.num_rows else ""
    raise ConfigError(
        f"no unit {key!r} in the list of {plural(keys.num_rows, 'unit')}",
        remedy=f"Keys are written like {example!r}; parts of a composite key are joined by |",
    )


def position_of(site: Site, run: Run, key: str) -> int:
    """The list position of a unit key of a run, found without reading the whole list; `ConfigError` as above."""
    position = site.repository.pages.position(run.id, key)
    return find_position(site.repository.views.keys(run.id), key) if position is None else position


def view_unit(site: Site, run_id: str, key: str, folder: Path | None = None) -> UnitView:
    """Where a unit of a run stands. Where what the run had pinned was purged, its source rows are read by the job in `folder`."""
    views = site.repository.views
    run = site.repository.runs.get(run_id)
    position = position_of(site, run, key)
    state, history, calls = views.unit(run_id, position)
    exception = site.repository.pages.exception(run_id, position)
    notes = []
    source: Rows = {}
    outputs: Rows = {}
    try:
        source = _set_aside(exception) or _source_now(site, run, views.keys(run_id), position, folder)
    except LudbError as error:
        notes.append(f"source rows cannot be read: {error}")
    gone = purged(run, "journal")
    try:
        outputs = _written(site, run_id, history, position) if state is UnitState.DONE else {}
    except LudbError as error:
        notes.append(f"written rows were {gone}" if gone else f"written rows cannot be read: {error}")
    if exception is not None and not exception.source_rows and purged(run, "quarantine"):
        notes.append(f"detail, answer, stack and source rows were {purged(run, 'quarantine')}")
    return UnitView(key, position, state, history, exception, calls, source, outputs, "; ".join(notes))


def plain(tables: Mapping[str, pa.Table]) -> Rows:
    """Tables as plain rows, without the position."""
    return {name: rows.drop_columns([POSITION]).to_pylist() for name, rows in tables.items()}


def _set_aside(exception: UnitException | None) -> Rows:
    return json.loads(exception.source_rows) if exception is not None and exception.source_rows else {}


def _source_now(site: Site, run: Run, keys: pa.Table, position: int, folder: Path | None) -> Rows:
    lone = rows_of(keys, [position]).drop_columns([POSITION])
    if folder is not None and purged(run, "runs"):
        return _source_by(site, run, lone, folder)
    pinned = load_pinned(site, run)
    try:
        at = Workplace(
            run=run, migration=pinned.migration, repository=site.repository, journal=FileJournal(site.journal),
            stage=pinned.stage, shared=pinned.shared, planned_faults=pinned.faults,
        )  # fmt: skip
        return _read(position, lone, at)
    finally:
        pinned.migration.close()


def _source_by(site: Site, run: Run, lone: pa.Table, folder: Path) -> Rows:
    """The unit's rows as the job in the folder reads them now, of a list of this unit alone."""
    with tempfile.TemporaryDirectory(prefix="ludb-unit-") as scratch:
        migration = load_migration(
            folder, environment=site.environment, state=Path(scratch), reference={}, parameters=run.parameters
        )
        try:
            at = Workplace(
                run=run, migration=migration, repository=site.repository, journal=FileJournal(site.journal),
                stage=stage(migration, UnitList.of(lone), Path(scratch) / "stage"),
            )  # fmt: skip
            return _read(0, lone, at)
        finally:
            migration.close()


def _read(position: int, lone: pa.Table, at: Workplace) -> Rows:
    chunk = Chunk("", at.run.id, "move", ChunkState.CLAIMED, (position,), lone, "", 0, "")
    return plain(extract(chunk, at).tables)


def _written(
    site: Site, run_id: str, history: Sequence[tuple[float, str, Mapping[str, object]]], position: int
) -> Rows:
    """What the unit's decided chunk holds of it in the journal."""
    moved = history[-1][2]
    decision = site.repository.chunks.decision(str(moved["txn"]))
    chunks = [chunk for chunk, _, _ in site.repository.views.chunks(run_id) if chunk.id == moved["chunk"]]
    if decision is None or not chunks:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    chunk = replace(chunks[0], txn=decision.txn)
    for target, sha in decision.journal.items():
        for table, rows in FileJournal(site.journal).read(chunk, target, sha).tables.items():
            mine = rows.filter(pc.equal(rows.column(POSITION), position))
            if mine.num_rows:
                found[f"{target}.{table}"] = mine.drop_columns([POSITION]).to_pylist()
    return found
