"""A dry look at the whole job before any unit runs: every step and rule is bound against empty tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from ludb.engine.assemble import open_batch, returned_keys
from ludb.engine.migration import Migration, Rule
from ludb.engine.modes import merge_keys, mode_errors, told
from ludb.engine.transform import known_columns, target_columns
from ludb.engine.workplace import Workplace
from ludb.errors import ConfigError, ConfigErrors, UnitError
from ludb.model.data import Extract
from ludb.model.job import OutputSpec
from ludb.model.unit import POSITION, UNIT_KEY, Column
from ludb.ports.step import CanVary, Step
from ludb.ports.target import CanCompare, CanFit, Target
from ludb.unitdb.batch import UnitBatch
from ludb.unitdb.database import unordered_aggregates


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the dry look found that a person may want to know: nothing here keeps a run from starting.

    `unread`: source columns whose name no step, rule or key map mentions. `unfilled`: target columns that no step fills.
    `modes`: how each output table is written.
    """

    unread: Mapping[str, Sequence[str]]
    unfilled: Mapping[str, Sequence[str]]
    warnings: tuple[str, ...] = ()
    modes: Mapping[str, str] = field(default_factory=dict)


def preflight(at: Workplace, columns: Mapping[str, Sequence[Column]], texts: Sequence[str]) -> Preflight:
    """Bind everything; `ConfigErrors` with file, line and column for all mistakes found. `texts` are the job's steps,
    rules and macros as text.
    """
    migration = at.migration
    errors: list[ConfigError] = list(_call_errors(migration))
    made: dict[str, list[tuple[str, pa.Schema]]] = {}
    with open_batch(_empty_extract(at, columns), (), at) as batch:
        for folder in migration.folders:
            for step in folder.steps:
                _bind(step, batch, made, errors, at)
            for rule in folder.rules:
                _bind_rule(rule, batch, made, errors)
            for name in dict.fromkeys(step.output for step in folder.steps):
                _bind_returns(migration.job.outputs[name], batch, at, errors)
        for rule in migration.rules:
            _bind_rule(rule, batch, made, errors)
    unfilled: dict[str, Sequence[str]] = {}
    warnings: list[str] = []
    for name, spec in migration.job.outputs.items():
        if spec.call is None:
            errors.extend(_check_output(spec, made.get(name, []), migration, unfilled))
        else:
            errors.extend(_check_call(spec, made.get(name, []), migration, warnings))
    errors.extend(mode_errors(migration, {name: _names(found) for name, found in made.items() if found}))
    if errors:
        raise ConfigErrors(errors) if len(errors) > 1 else errors[0]
    modes = told(migration.job, merge_keys(migration))
    return Preflight(_unread(at, columns, texts), unfilled, tuple(dict.fromkeys(warnings)), modes)


def _names(found: Sequence[tuple[str, pa.Schema]]) -> list[str]:
    return list(dict.fromkeys(name for _, schema in found for name in schema.names if name != POSITION))


def _empty_extract(at: Workplace, columns: Mapping[str, Sequence[Column]]) -> Extract:
    unit = at.migration.job.unit
    position = pa.field(POSITION, pa.int64())
    tables = {
        name: pa.schema([position, *(pa.field(c.name, c.type) for c in found)]).empty_table()
        for name, found in columns.items()
    }
    keys = tables[unit.root.name].select([POSITION, *unit.key])
    return Extract(keys, tables)


def _bind(
    step: Step, batch: UnitBatch, made: dict[str, list[tuple[str, pa.Schema]]], errors: list[ConfigError], at: Workplace
) -> None:
    """Run one step over nothing. A Python step that yields nothing tells nothing about its columns: what reads them
    later is not judged.
    """
    varying = isinstance(step, CanVary) and step.varying
    try:
        step.run(batch)
    except ConfigError as error:
        if not _reads_unknown(error, made):
            errors.append(error)
        made.setdefault(step.output, [])  # what reads it fails for this reason alone
        return
    except UnitError as error:
        if not isinstance(step, CanVary):
            errors.append(ConfigError("fails without any data", file=step.name, remedy=error.detail.split("\n", 1)[0]))
            made.setdefault(step.output, [])
            return
        varying = True  # a function over the whole batch need not expect an empty one: no chunk is
    rows = batch.output(step.output)
    if varying or rows is None:
        made.setdefault(step.output, [])
        batch.expect(step.output, known_columns(step.output, at.migration))
    else:
        made.setdefault(step.output, []).append((step.name, rows.schema))


def _reads_unknown(error: ConfigError, made: Mapping[str, Sequence[object]]) -> bool:
    unknown = [name.split(".", 1)[1] for name, found in made.items() if not found]
    return any(re.search(rf"\b{re.escape(name)}\b", error.message) for name in unknown)


def _bind_rule(rule: Rule, batch: UnitBatch, made: Mapping[str, Sequence[object]], errors: list[ConfigError]) -> None:
    try:
        found = batch.query(rule.sql, file=rule.name)
    except ConfigError as error:
        if not _reads_unknown(error, made):
            errors.append(error)
        return
    if found.num_columns != 2 or UNIT_KEY not in found.column_names:
        errors.append(
            ConfigError(
                f"a rule returns two columns, unit_key and reason; this one returns {', '.join(found.column_names)}",
                file=rule.name,
                remedy="SELECT unit_key, 'why it cannot move' AS reason",
            )
        )


def _bind_returns(spec: OutputSpec, batch: UnitBatch, at: Workplace, errors: list[ConfigError]) -> None:
    """Key maps that calls will return are there from now on, empty."""
    if spec.call is None or not spec.call.returns:
        return
    unit = at.migration.job.unit
    rows = batch.output(spec.name)
    inputs = batch.inputs[unit.root.name]
    columns: dict[str, pa.ChunkedArray] = {POSITION: inputs.column(POSITION)}
    for name in spec.call.row:
        if name == UNIT_KEY:
            columns |= {key: inputs.column(key) for key in unit.key}
        elif rows is not None and name in rows.column_names:
            columns[name] = rows.column(name)
        elif rows is not None:
            errors.append(
                ConfigError(f"{spec.name} has no column {name!r}", file="job.yaml", field=f"outputs.{spec.name}.row")
            )
            return
        else:
            columns[name] = pa.chunked_array([pa.array([], pa.string())])
    keys = pa.table(columns)
    for name in spec.call.returns:
        batch.put_keys(name, returned_keys(keys, keys.column_names[1:], []))


def _call_errors(migration: Migration) -> list[ConfigError]:
    """What a call output may not be: returning without undo, or with lists in no order (PROTOCOL R3, R10)."""
    errors = []
    for spec in migration.job.outputs.values():
        if spec.call is None:
            continue
        if spec.call.returns and not migration.calls[spec.system].ability(spec.name).undo:
            errors.append(
                ConfigError(
                    f"{spec.name} returns keys but cannot be undone: a unit rejected later would stay at {spec.system}",
                    file="job.yaml",
                    field=f"outputs.{spec.name}.undo",
                    remedy="Declare undo:, or drop returns:",
                )
            )
        for folder in migration.folders:
            for step in folder.steps:
                text = getattr(step, "text", None)
                if step.output == spec.name and text:
                    errors.extend(
                        ConfigError(
                            f"{name}() without ORDER BY in a call: its order may differ between two attempts",
                            file=step.name,
                            remedy=f"Write {name}(... ORDER BY ...)",
                        )
                        for name in unordered_aggregates(text)
                    )
    return errors


def _check_output(
    spec: OutputSpec, made: Sequence[tuple[str, pa.Schema]], migration: Migration, unfilled: dict[str, Sequence[str]]
) -> list[ConfigError]:
    target = migration.targets[spec.system]
    known = target_columns(spec.name, migration)
    errors = _misfits(target, spec.table, made)
    if not known or not made:
        return errors
    names = {column.name for column in known}
    filled = {UNIT_KEY}  # written wherever the target has it
    for step, schema in made:
        produced = set(schema.names) - {POSITION}
        filled |= produced
        errors.extend(
            ConfigError(
                f"{spec.name} has no column {name!r}; it has {', '.join(sorted(names))}",
                file=step,
                remedy="Rename or drop the column in the SELECT",
            )
            for name in sorted(produced - names)
        )
    missing = [c.name for c in known if c.required and c.name not in filled and not c.generated]
    if missing:
        errors.append(
            ConfigError(
                f"{spec.name} needs {', '.join(missing)} (NOT NULL, no default)", file=made[0][0], remedy="Select them"
            )
        )
    rest = [c.name for c in known if c.name not in filled and not c.generated]
    if rest:
        unfilled[spec.name] = rest
    return errors


def _misfits(target: Target, table: str, made: Sequence[tuple[str, pa.Schema]]) -> list[ConfigError]:
    errors: list[ConfigError] = []
    for step, schema in made if isinstance(target, CanFit) else ():
        assert isinstance(target, CanFit)
        for error in target.misfits(table, pa.schema([own for own in schema if own.name != POSITION])):
            error.file = error.file or step
            errors.append(error)
    return errors


def _check_call(
    spec: OutputSpec, made: Sequence[tuple[str, pa.Schema]], migration: Migration, warnings: list[str]
) -> list[ConfigError]:
    """What the API's own description says of the columns of each step that fills a call output."""
    target = migration.calls[spec.system]
    errors = []
    for step, schema in made if isinstance(target, CanCompare) else ():
        assert isinstance(target, CanCompare)
        for found in target.compare(spec.name, schema):
            if found.severity == "error":
                errors.append(ConfigError(found.text, file=step, remedy=found.remedy))
            else:
                warnings.append(f"{step}: {found.text}")
    return errors


def _unread(at: Workplace, columns: Mapping[str, Sequence[Column]], texts: Sequence[str]) -> dict[str, Sequence[str]]:
    """Columns whose name stands in no text of the job. A text with `*` may read anything it names the table of."""
    unit = at.migration.job.unit
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    starred = {name for text in texts if "*" in text for name in columns if re.search(rf"\b{re.escape(name)}\b", text)}
    words |= {name for table in unit.tables for pairs in (table.on, table.recursive) for pair in pairs for name in pair}
    words |= {column for spec in at.migration.job.keys for column in spec.columns} | set(unit.key)
    found = {
        name: [c.name for c in kept if not set(re.findall(r"\w+", c.name)) <= words]
        for name, kept in columns.items()
        if name not in starred
    }
    return {name: left for name, left in found.items() if left}
