"""Which keys of merged outputs a chunk writes, and who has written them before: an upsert alone would never tell.

A database says of two inserts of one key that they clash; of two upserts it keeps the later one. The repository remembers
who wrote what in a run (docs/adr/0010), so that the later unit is set aside by name instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from ludb.engine.migration import Migration
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace
from ludb.errors import Fault, UnitError
from ludb.model.keys import key_bytes
from ludb.model.run import Chunk
from ludb.model.unit import POSITION

Written = dict[bytes, tuple[str, tuple[int, ...]]]
"""By digest of output and key: the output, and the positions of the units that write the key."""


def written_keys(migration: Migration, tables: Mapping[str, pa.Table], merged: Mapping[str, Sequence[str]]) -> Written:
    """The keys of all rows of merged outputs. Rows with NULL in a key are left out: the target refuses them."""
    found: dict[bytes, tuple[str, dict[int, None]]] = {}
    for name, key in merged.items():
        rows = tables.get(name)
        if rows is None or any(column not in rows.column_names for column in key):
            continue
        spec = migration.job.outputs[name]
        kinds = {column.name: column.type for column in migration.targets[spec.system].columns(spec.table)}
        columns = [_as(rows.column(column), kinds.get(column)).to_pylist() for column in key]
        for position, *values in zip(rows.column(POSITION).to_pylist(), *columns, strict=True):
            if None not in values:
                digest = hashlib.blake2b(key_bytes([name, *values]), digest_size=16).digest()
                found.setdefault(digest, (name, {}))[1][position] = None
    return {digest: (name, tuple(positions)) for digest, (name, positions) in found.items()}


def _as(values: pa.ChunkedArray, kind: pa.DataType | None) -> pa.ChunkedArray:
    """As the column holds them, so that 1 and '1' are one key; as they are where the target will say that they do not fit."""
    try:
        return values if kind is None else values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return values


def refuse_taken(written: Written, chunk: Chunk, verdicts: Verdicts, at: Workplace) -> None:
    """Set aside the units that write a key which a unit of another chunk of the run has written."""
    if written and verdicts.alive:
        for position, (output, fault) in taken(written, at.repository.chunks.holders(chunk.run, list(written))).items():
            verdicts.reject({position: fault}, phase="prepare", step=output)


def taken(written: Written, holders: Mapping[bytes, int]) -> dict[int, tuple[str, Fault]]:
    """The units that others were faster than: (output, fault). What a unit wrote in an earlier try is its own."""
    found: dict[int, tuple[str, Fault]] = {}
    for digest, holder in holders.items():
        output, positions = written[digest]
        for position in positions:
            if position != holder:
                fault = Fault("another unit of the run has written the same key", f"the unit at list position {holder}")
                found.setdefault(position, (output, fault))
    return found


def claims(written: Written, positions: Collection[int]) -> dict[bytes, int]:
    """The keys that these units are to hold, one each; `UnitError` if two of them write one, which no target noticed."""
    kept, held = set(positions), {}
    for digest, (output, writers) in written.items():
        mine = [position for position in writers if position in kept]
        if len(mine) > 1:
            fault = Fault("two units of the chunk write the same key", f"units at list positions {mine}")
            raise UnitError(f"{output}: {fault.reason}", faults=dict.fromkeys(mine, fault))
        if mine:
            held[digest] = mine[0]
    return held
