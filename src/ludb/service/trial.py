"""What the steps would make of one unit now: the whole way to the decision, with nothing written and no call sent."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from ludb.engine.extract import extract
from ludb.engine.migration import Migration
from ludb.engine.pipeline import fault_of, step_of
from ludb.engine.plan import reflect, shared_rows, stage, unique_faults
from ludb.engine.preflight import preflight
from ludb.engine.transform import transform
from ludb.engine.unit_list import UnitList, root_keys
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.errors import UnitError
from ludb.journals.files import FileJournal
from ludb.model.run import Chunk, Run, RunState, Segment, UnitException
from ludb.model.unit import POSITION
from ludb.ports.repository import Repository
from ludb.project.folder import JobFolder, read_job
from ludb.project.load import load_migration
from ludb.project.parameters import instance_of, resolve_parameters
from ludb.project.places import placed
from ludb.project.registry import adapter
from ludb.service.dry_adapters import DryCalls, DryRepository
from ludb.service.pinning import read_reference
from ludb.service.site import Site
from ludb.service.staging import staged_already
from ludb.service.units import Rows, find_position, plain


@dataclass(frozen=True, slots=True)
class Trial:
    """What the steps make of one unit: source rows, output rows, the calls as they would be sent (`requests`), why the
    would be set aside, if it would, and how many of its values functions of `ludb.sql` changed. `unreached` are steps that
    never ran on it, because it was set aside before: their outputs are not among `outputs`.
    """

    key: str
    source: Rows
    outputs: Rows
    requests: Mapping[str, list[str]]
    verdict: UnitException | None
    conversions: Mapping[str, int] = field(default_factory=dict)
    unreached: tuple[str, ...] = ()


def try_unit(site: Site, folder: Path, parameters: Mapping[str, str], key: str) -> Trial:
    """Run the job's steps, as they are in the folder now, on one unit. Nothing is written, no call leaves, and systems
    that are only called need not be there. Keys that the unit was given before are shown, others are examples.
    """
    with placed(folder):
        return _tried(site, folder, parameters, key)


def _tried(site: Site, folder: Path, parameters: Mapping[str, str], key: str) -> Trial:
    job = read_job(folder, site.environment)
    values = resolve_parameters(job.job, parameters)
    with tempfile.TemporaryDirectory(prefix="ludb-trial-") as scratch:
        migration = load_migration(
            job.folder, environment=site.environment, state=Path(scratch), reference={}, parameters=values
        )
        try:
            migration = staged_already(site, job, migration)
            run = _run(site, job, values)
            return _try(*_place(site, run, migration, key, Path(scratch)), key)
        finally:
            migration.close()


def _run(site: Site, job: JobFolder, values: Mapping[str, object]) -> Run:
    return Run(
        id="trial", job=job.job.name, instance=instance_of(job.job, values), state=RunState.PLANNED,
        version=job.job.version, pinned=job.job.pinned, clock=time.time(), units=1, actor=site.actor, host=site.host,
        parameters=values,
    )  # fmt: skip


def _place(site: Site, run: Run, migration: Migration, key: str, scratch: Path) -> tuple[Chunk, Workplace]:
    """A place to work at, and a chunk that holds the unit alone, at its place in the list."""
    columns = reflect(migration)
    units = UnitList.of(root_keys(migration))
    position = find_position(units.keys, key)
    memory = cast("Repository", adapter("ludb.repositories", "memory")())
    memory.runs.create(run, [Segment(0, units.keys.drop_columns([POSITION]))])
    memory.runs.change(run.id, RunState.RUNNING)
    dry = {name: DryCalls(target, migration.job.outputs) for name, target in migration.calls.items()}
    at = Workplace(
        run=run,
        migration=replace(migration, calls=dry, reference={**migration.reference, **read_reference(migration)}),
        repository=cast("Repository", DryRepository(memory, site.repository.keymap)),
        journal=FileJournal(scratch),
        stage=stage(migration, units, scratch / "stage"),
        planned_faults=unique_faults(migration, units, scratch / "spill"),
        shared=shared_rows(migration, units, scratch / "spill"),
        owner="trial",
        random=random.Random(0),  # noqa: S311  (never used: nothing is retried)
    )
    preflight(at, columns, [])
    if position:
        memory.chunks.claim(run.id, "others", position)
    chunk = memory.chunks.claim(run.id, at.owner, 1)
    assert chunk is not None
    return chunk, at


def _try(chunk: Chunk, at: Workplace, key: str) -> Trial:
    read = extract(chunk, at)
    verdicts = Verdicts(chunk, read, version=at.run.version, at=at.clock())
    tables: Mapping[str, pa.Table] = {}
    conversions: Mapping[str, int] = {}
    requests: dict[str, list[str]] = {}
    try:
        produced = transform(chunk, read, verdicts, at)
        tables, conversions = produced.tables, produced.conversions
        for documents in [*produced.documents(returning=True), *produced.documents(returning=False)]:
            target = at.migration.calls[documents.spec.system]
            rows = [] if documents.rows is None else documents.rows.drop_columns([POSITION]).to_pylist()
            made = [target.request(documents.spec.name, row, "call-id") for row in rows]
            requests[documents.spec.name] = [f"{r.method} {r.path}\n{r.body}" for r in made]
    except UnitError as error:
        fault = {chunk.positions[0]: fault_of(error)}
        verdicts.reject(fault, phase="steps", step=step_of(error), trace=error.trace, body=error.body)
    found = verdicts.exceptions(tables)
    verdict = found[0] if found else None
    ran, unreached = _reached(at.migration, verdict)
    outputs = {name: rows for name, rows in plain(tables).items() if rows or name in ran}
    return Trial(key, plain(read.tables), outputs, requests, verdict, conversions, unreached)


def _reached(migration: Migration, verdict: UnitException | None) -> tuple[set[str], tuple[str, ...]]:
    """Outputs that some step made, and the steps behind the one, or the rule, or the call, that set the unit aside."""
    ran: set[str] = set()
    unreached: list[str] = []
    over = verdict is not None and verdict.phase == "extract"
    for folder in migration.folders:
        ends = {rule.name for rule in folder.rules} | {step.output for step in folder.steps}
        for step in folder.steps:
            if over:
                unreached.append(step.name)
                continue
            over = verdict is not None and verdict.step == step.name
            if not over:
                ran.add(step.output)
        over = over or (verdict is not None and verdict.phase != "steps" and verdict.step in ends)
    return ran, tuple(unreached)
