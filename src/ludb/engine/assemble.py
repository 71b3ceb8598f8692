"""From a chunk's rows to its UnitBatch: shared tables, key maps and the run's values stand beside the rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from ludb.engine.workplace import Workplace
from ludb.model.data import Extract, rows_of
from ludb.model.job import KeySpec
from ludb.model.keys import key_bytes, key_text, named_uuids
from ludb.model.unit import POSITION
from ludb.unitdb.batch import UnitBatch


def open_batch(extract: Extract, alive: Collection[int], at: Workplace) -> UnitBatch:
    """The UnitBatch of the units that may move. Sequence key maps get their numbers here, once and for good."""
    kept = extract.only(alive)
    batch = _batch(kept, at)
    for spec in at.migration.job.keys:
        batch.put_keys(spec.name, _key_map(spec, kept.tables[spec.table], at))
    return batch


def reopen_batch(
    extract: Extract, alive: Collection[int], key_maps: Mapping[str, pa.Table], at: Workplace
) -> UnitBatch:
    """A UnitBatch of fewer units, with the keys that they have been given already."""
    batch = _batch(extract.only(alive), at)
    for name, rows in key_maps.items():
        batch.put_keys(name, rows_of(rows, alive))
    return batch


def _batch(extract: Extract, at: Workplace) -> UnitBatch:
    migration = at.migration
    return UnitBatch(
        extract,
        migration.job.unit,
        reference=migration.reference,
        macros=migration.macros,
        params={"run_clock": _clock(at.run.clock), **migration.parameters},
        memory_limit=migration.job.settings.memory_limit,
        cleanses=migration.cleanses,
    )


def _clock(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _key_map(spec: KeySpec, rows: pa.Table, at: Workplace) -> pa.Table:
    """Old and new keys of one map: `ludb_position`, `old`, `new`. NULL keys have none."""
    picked = rows.select([POSITION, *spec.columns])
    unique = picked.group_by(picked.column_names, use_threads=False).aggregate([]).drop_null()
    columns = [unique.column(column).combine_chunks() for column in spec.columns]
    values = list(zip(*(column.to_pylist() for column in columns), strict=True)) if unique.num_rows else []
    old = columns[0] if len(columns) == 1 else pa.StructArray.from_arrays(columns, names=list(spec.columns))
    return pa.table({POSITION: unique.column(POSITION), "old": old, "new": _new_keys(spec, values, at)})


def _new_keys(spec: KeySpec, values: Sequence[tuple[object, ...]], at: Workplace) -> pa.Array:
    job = at.migration.job.name
    if spec.kind == "uuid":
        return pa.array(named_uuids([job, spec.name], map(key_text, values)), pa.string())
    numbers = at.repository.keymap.allocate(job, spec.name, [key_bytes(key) for key in values], spec.start)
    return pa.array(numbers, pa.int64())


def returned_keys(rows: pa.Table, columns: Sequence[str], values: Sequence[str | None]) -> pa.Table:
    """A key map from what calls returned: `rows` holds `ludb_position` and the row key columns, `values` the new keys."""
    parts = [rows.column(column).combine_chunks() for column in columns]
    old = parts[0] if len(parts) == 1 else pa.StructArray.from_arrays(parts, names=list(columns))
    return pa.table({POSITION: rows.column(POSITION), "old": old, "new": pa.array(values, pa.string())})
