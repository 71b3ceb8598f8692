"""Staged tables: read once in full, sorted by list position, served from local Parquet to every chunk and retry."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from pathlib import Path
from urllib.parse import quote as percent

import pyarrow as pa
import pyarrow.parquet as pq

from ludb.errors import Fault
from ludb.model.data import rows_of
from ludb.model.unit import UnitSchema
from ludb.unitdb.locate import Locator, Scan

ROW_GROUP = 20_000
"""Rows per Parquet row group: what a chunk's read touches at least."""


class Stage:
    """Parquet files by unit table, each sorted by `ludb_position`. Opened by every worker, written by `build_stage`."""

    def __init__(self, folder: Path) -> None:
        """Open what `build_stage` has written."""
        self._folder = folder
        told = json.loads((folder / "stage.json").read_text(encoding="utf-8"))
        self.tables: tuple[str, ...] = tuple(told["tables"])
        self.counts: Mapping[str, int] = told["counts"]
        self.faults: Mapping[int, Fault] = {int(at): Fault(*fault) for at, fault in told["faults"].items()}
        self._files: dict[str, tuple[pq.ParquetFile, list[tuple[int, int]]]] = {}

    def fetch(self, name: str, positions: Collection[int]) -> pa.Table:
        """The rows of these units, `ludb_position` first, in table order within a unit. Reads only the row groups that
        can hold one of them, wherever they lie.
        """
        file, bounds = self._open(name)
        wanted = sorted(positions)
        parts = []
        for group, (low, high) in enumerate(bounds):
            at = bisect_left(wanted, low)
            if at < len(wanted) and wanted[at] <= high:
                # One at a time: the units of a retry may lie anywhere, and no more is held than what is wanted.
                parts.append(rows_of(file.read_row_groups([group]), positions))
        return pa.concat_tables(parts) if parts else file.schema_arrow.empty_table()

    def _open(self, name: str) -> tuple[pq.ParquetFile, list[tuple[int, int]]]:
        """The table's file, and the lowest and highest position in each of its row groups."""
        if name not in self._files:
            file = pq.ParquetFile(_path(self._folder, name))
            told = [file.metadata.row_group(at).column(0).statistics for at in range(file.metadata.num_row_groups)]
            self._files[name] = file, [(one.min, one.max) if one else (0, -1) for one in told]  # else it is empty
        return self._files[name]

    def orphans(self, name: str) -> pa.Table:
        """Rows that belong to no unit of the source: columns `row_id`, `missing`, `direct`."""
        return pq.read_table(_path(self._folder, name, ".orphans"))


def build_stage(
    folder: Path, unit: UnitSchema, keys: pa.Table, scan: Scan, tables: Collection[str], memory_limit: str = "2GB"
) -> Stage:
    """Stage `tables` of the unit for the list `keys` (`ludb_position` and the key columns) into `folder`."""
    spill = folder / "spill"
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    faults: dict[int, Fault] = {}
    wanted = dict.fromkeys(tables)
    with Locator(unit, keys, scan, wanted, memory_limit=memory_limit, spill=spill) as located:
        for name in tables:
            _write(located.stream(name), _path(folder, name))
            pq.write_table(located.orphans(name), _path(folder, name, ".orphans"))
            counts[name] = located.count(name)
            for position, fault in located.faults(name).items():
                faults.setdefault(position, fault)
    told = {
        "tables": sorted(tables),
        "counts": counts,
        "faults": {str(at): [fault.reason, fault.detail] for at, fault in faults.items()},
    }
    path = folder / "stage.json"
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(told), encoding="utf-8")
    os.replace(temporary, path)  # noqa: PTH105  (atomic: a half-written stage must not be opened)
    return Stage(folder)


def _write(pieces: Iterator[pa.Table], path: Path) -> None:
    first = next(pieces)
    # Each group is read again by every chunk and retry that has a unit in it: quickly read counts for more than small.
    with pq.ParquetWriter(path, first.schema, compression="lz4", use_dictionary=False) as file:
        for piece in chain((first,), pieces):
            file.write_table(piece, row_group_size=ROW_GROUP)


def _path(folder: Path, name: str, kind: str = "") -> Path:
    return folder / f"{percent(name, safe='')}{kind}.parquet"
