"""From a chunk's rows to its outputs: the steps of each folder, its rules, its returning calls; then the final rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.assemble import open_batch, returned_keys
from ludb.engine.calls import Documents, make_calls
from ludb.engine.migration import Folder, Migration, Rule
from ludb.engine.modes import merge_keys, own_values, removal, strangers
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.engine.written import Written, written_keys
from ludb.errors import ConfigError, FatalError, Fault
from ludb.model.data import Extract, Removal, WriteSet, rows_of
from ludb.model.figures import RULE, STEP
from ludb.model.job import Job, OutputSpec
from ludb.model.keys import key_bytes
from ludb.model.run import Chunk
from ludb.model.unit import POSITION, UNIT_KEY, Column
from ludb.ports.step import CanVary, Step
from ludb.sql.counting import counting
from ludb.unitdb.batch import UnitBatch
from ludb.wording import plural


@dataclass(frozen=True, slots=True)
class Produced:
    """What the steps made of a chunk: rows by output, of every unit, also of those rejected later.

    `conversions` counts values that functions of `ludb.sql` changed, in all these units; `entered` are the units at the
    start of each step folder, and `key_maps` the keys they read. `merged` are the keys of outputs that are merged, `written`
    who writes which value of them, `own` the values that tell a unit's rows in outputs that are replaced.
    """

    job: Job
    tables: Mapping[str, pa.Table]
    unit_keys: pa.Table
    conversions: Mapping[str, int] = field(default_factory=dict)
    entered: tuple[frozenset[int], ...] = ()
    key_maps: Mapping[str, pa.Table] = field(default_factory=dict)
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: Mapping[str, pa.Table] = field(default_factory=dict)
    written: Written = field(default_factory=dict)

    def writes(self, positions: Collection[int]) -> dict[str, WriteSet]:
        """Rows for tables and what goes before them, by target in name order; targets without either are left out."""
        found: dict[str, dict[str, pa.Table]] = {}
        keys: dict[str, dict[str, tuple[str, ...]]] = {}
        removals: dict[str, dict[str, Removal]] = {}
        for name, rows in self.tables.items():
            spec = self.job.outputs[name]
            kept = rows_of(rows, positions)
            if spec.call is None and kept.num_rows:
                found.setdefault(spec.system, {})[spec.table] = kept
                if name in self.merged:
                    keys.setdefault(spec.system, {})[spec.table] = self.merged[name]
        for name, units in self.own.items():
            spec = self.job.outputs[name]
            kept = rows_of(units, positions)
            if kept.num_rows:
                removals.setdefault(spec.system, {})[spec.table] = removal(spec, kept)
        return {
            target: WriteSet(target, found.get(target, {}), keys.get(target, {}), removals.get(target, {}))
            for target in sorted(found.keys() | removals.keys())
        }

    def documents(self, *, returning: bool) -> list[Documents]:
        """Rows that become calls: those made in their step folder, or those made after all rules."""
        specs = [spec for spec in self.job.outputs.values() if spec.call and bool(spec.call.returns) == returning]
        return [Documents(spec, self.tables.get(spec.name), self.unit_keys) for spec in specs]

    def counts(self, positions: Collection[int]) -> dict[str, int]:
        """Rows by output of these units."""
        found = {name: rows_of(rows, positions).num_rows for name, rows in self.tables.items()}
        return {name: count for name, count in found.items() if count}


def transform(chunk: Chunk, extract: Extract, verdicts: Verdicts, at: Workplace) -> Produced:
    """Run the job over the units that may move.

    Raises `UnitError` without faults where the data of somebody in the chunk broke a step: the caller takes the chunk
    apart.
    """
    migration = at.migration
    if not verdicts.alive:
        return Produced(migration.job, {}, extract.keys)
    with at.phase("assemble", chunk):
        batch = open_batch(extract, verdicts.alive, at)
    converted: Counter[str] = Counter()
    entered = []
    with batch:
        for folder in migration.folders:
            entered.append(frozenset(batch.alive))
            converted += _run_folder(folder, batch, chunk, extract, verdicts, at)
        with at.phase("rules", chunk):
            for rule in migration.rules:
                _run_rule(rule, batch, verdicts, at)
        everyone = list(extract.positions)
        tables = {
            name: rows if UNIT_KEY not in known_columns(name, migration) else batch.with_unit_key(rows)
            for name in batch.outputs
            if (rows := batch.output(name, everyone)) is not None
        }
        own = own_values(migration, extract.keys, batch.key_maps, sorted(entered[0]) if entered else ())
    for position, (output, fault) in strangers(migration, tables, own).items():
        verdicts.reject({position: fault}, phase="steps", step=output)
    merged = merge_keys(migration)
    return Produced(
        migration.job,
        tables,
        extract.keys,
        dict(converted),
        tuple(entered),
        batch.key_maps,
        merged,
        own,
        written_keys(migration, tables, merged),
    )


def _run_folder(
    folder: Folder, batch: UnitBatch, chunk: Chunk, extract: Extract, verdicts: Verdicts, at: Workplace
) -> Counter[str]:
    converted: Counter[str] = Counter()
    with at.phase("steps", chunk):
        for step in folder.steps:
            converted += run_step(step, batch, at)
            _collect(batch, verdicts)
    with at.phase("rules", chunk):
        for rule in folder.rules:
            _run_rule(rule, batch, verdicts, at)
    outputs = dict.fromkeys(step.output for step in folder.steps)
    for name in outputs:
        spec = at.migration.job.outputs[name]
        if spec.call is not None and spec.call.returns:
            with at.phase("call", chunk):
                _return_keys(spec, batch, chunk, extract, verdicts, at)
    return converted


def run_step(step: Step, batch: UnitBatch, at: Workplace) -> Counter[str]:
    """Run one step; returns how many values functions of `ludb.sql` changed, by function. Rules convert nothing: what they
    call is not counted.
    """
    with counting() as converted, at.meter.timed(STEP, step.name) as done:
        before = batch.size(step.output)
        step.run(batch)
        done.rows = batch.size(step.output) - before
    if isinstance(step, CanVary) and step.varying:
        batch.expect(step.output, known_columns(step.output, at.migration))
    return converted


def known_columns(output: str, migration: Migration) -> list[str]:
    """The columns that a table output can have; none are known of calls and of tables made by writing."""
    return [] if migration.job.outputs[output].call else [column.name for column in target_columns(output, migration)]


def target_columns(output: str, migration: Migration) -> Sequence[Column]:
    """The columns of an output's table. `ConfigError` naming its step where the target has no such table."""
    spec = migration.job.outputs[output]
    try:
        return migration.targets[spec.system].columns(spec.table)
    except ConfigError as error:
        if error.file is None and error.field is None and repr(spec.table) in error.message:
            steps = (step for folder in migration.folders for step in folder.steps)
            error.file = next((step.name for step in steps if step.output == output), None)
        raise


def _collect(batch: UnitBatch, verdicts: Verdicts) -> None:
    """Units that a step rejected by itself."""
    for position, (step, fault, trace) in batch.faults.items():
        verdicts.reject({position: fault}, phase="steps", step=step, trace=trace)


def _run_rule(rule: Rule, batch: UnitBatch, verdicts: Verdicts, at: Workplace) -> None:
    if not batch.alive:
        return
    with at.meter.timed(RULE, rule.name) as done:
        found = batch.query(rule.sql, file=rule.name)
        done.rows = found.num_rows
    if found.num_columns != 2 or UNIT_KEY not in found.column_names:
        raise ConfigError("a rule returns two columns: unit_key and reason", file=rule.name)
    if not found.num_rows:
        return
    reasons = found.column(1 - found.column_names.index(UNIT_KEY)).to_pylist()
    positions = batch.positions_of(found.column(UNIT_KEY), rule.name).to_pylist()
    faults: dict[int, Fault] = {}
    for position, reason in zip(positions, reasons, strict=True):
        faults.setdefault(position, Fault(str(reason)))
    if rule.severity == "stop":
        raise FatalError(
            f"{rule.name}: {next(iter(faults.values())).reason} ({plural(len(faults), 'unit')}); the rule stops the run"
        )
    if rule.severity == "warn":
        verdicts.warn(rule.name, faults)
        return
    verdicts.reject(faults, phase="rules", step=rule.name)
    batch.reject(faults, step=rule.name)


def _return_keys(
    spec: OutputSpec, batch: UnitBatch, chunk: Chunk, extract: Extract, verdicts: Verdicts, at: Workplace
) -> None:
    """Make an output's returning calls and put what they returned into the durable key map and the batch."""
    assert spec.call is not None
    documents = Documents(spec, batch.output(spec.name), extract.keys)
    made = make_calls([documents], chunk, batch.alive, verdicts, at)
    gone = verdicts.rejected.intersection(batch.alive)
    batch.reject({position: Fault("the call failed") for position in gone}, step=spec.name)
    keys = documents.row_keys(at.migration.job.unit)
    keys = keys.filter(pc.is_in(keys.column(POSITION), value_set=pa.array(list(batch.alive), pa.int64())))
    columns = [name for name in keys.column_names if name != POSITION]
    values = list(zip(*(keys.column(name).to_pylist() for name in columns), strict=True))
    positions = keys.column(POSITION).to_pylist()
    for name in spec.call.returns:
        new: list[str | None] = []
        for position, key in zip(positions, values, strict=True):
            call = made[(position, spec.name, documents.key_text(key))]
            new.append(call.returned.get(name))
        pairs = {key_bytes(key): value for key, value in zip(values, new, strict=True) if value is not None}
        at.repository.keymap.store(at.migration.job.name, name, pairs)
        batch.put_keys(name, returned_keys(keys, columns, new))
