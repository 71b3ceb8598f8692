"""Takes: one system's tables as they stood at one moment, in local Parquet. A job is planned and staged from them again and
again, and the source is read once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ludb.errors import ConfigError, TransientError
from ludb.model.unit import Column, Fetched, Refusal, UnitTable

TOLD = "take.json"
"""The file that makes a folder a take; it is written last."""
GATHERED = "gathered"
"""The folder in a take that is its source's own: what it was made from, for the next one."""
BATCH = 50_000
"""Rows that are handed over at a time."""
_FIELDS = ("name", "native", "nullable", "key", "required", "generated")
_REFUSED = pa.schema(
    [
        ("row", pa.int64()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Taken:
    """One table of a take: rows, those that cannot be carried among them, and bytes on the disk."""

    table: str
    rows: int
    refused: int
    size: int


@dataclass(frozen=True, slots=True)
class Scan:
    """One table as its source hands it over: what is to be written into a take."""

    table: UnitTable
    columns: Sequence[Column]
    pieces: Iterator[Fetched]


class Take:
    """A take that is complete. It is read by the interface of a source that cannot look rows up by key: `columns`, `keys`,
    `scan`, `close`. `TransientError` where somebody has removed it meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        """Open what `write_take` has written; FileNotFoundError if it is not complete."""
        self._folder = folder
        self.told: Mapping[str, Any] = json.loads((folder / TOLD).read_text(encoding="utf-8"))

    @property
    def id(self) -> str:
        """What tells it from other takes of the same system."""
        return self._folder.name

    @property
    def taken_at(self) -> float:
        """When its snapshot was opened (Unix seconds, this host's clock)."""
        return float(self.told["taken_at"])

    @property
    def gathered(self) -> Path:
        """What the source has kept beside it."""
        return self._folder / GATHERED

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how it was read."""
        return tuple(self.told.get("notes", ()))

    @property
    def tables(self) -> tuple[Taken, ...]:
        """What it holds, in the order of the unit."""
        return tuple(Taken(one["table"], one["rows"], one["refused"], one["size"]) for one in self.told["tables"])

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The columns as the source had them then."""
        held = self._entry(table)
        with self._there():
            kinds = pq.read_schema(self._folder / f"{held['number']}.parquet")
        return tuple(
            Column(type=kinds.field(one["name"]).type, refused=None, **{name: one[name] for name in _FIELDS})
            for one in held["columns"]
        )

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The unit keys in the source's own order, as it had them then."""
        self._entry(table)
        if not self.told["keys"]:  # the root had no rows
            return
        with self._there(), pq.ParquetFile(self._folder / "keys.parquet") as file:
            for batch in file.iter_batches(BATCH, columns=list(columns)):
                yield pa.Table.from_batches([batch])

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table in the order in which it was read; at least one `Fetched`."""
        held = self._entry(table)
        with self._there():
            bad = pq.read_table(self._folder / f"{held['number']}.refused.parquet").to_pylist()
            file = pq.ParquetFile(self._folder / f"{held['number']}.parquet")
        with file:
            names = file.schema_arrow.names if columns is None else list(columns)
            start = 0
            for batch in file.iter_batches(BATCH, columns=names):
                rows = pa.Table.from_batches([batch]).select(names)
                yield Fetched(rows, list(_refusals(bad, held["table"], start, rows)))
                start += rows.num_rows
            if not start:
                yield Fetched(file.schema_arrow.empty_table().select(names))

    def close(self) -> None:
        """Nothing stays open between calls."""

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            system = str(self.told["system"])
            raise TransientError(
                f"system {system}: what was staged was removed while it was read; start again", system=system
            ) from error

    def _entry(self, table: UnitTable) -> Mapping[str, Any]:
        wanted = [table.table.name, sorted([name, kind] for name, kind in table.types)]
        for held in self.told["tables"]:
            if [held["table"], held["types"]] == wanted:
                found: Mapping[str, Any] = held
                return found
        raise ConfigError(
            f"{table.table} is not among the staged tables", remedy="Stage the job anew: ludb stage JOB --refresh"
        )


def write_take(
    folder: Path,
    system: str,
    scans: Iterable[Scan],
    keys: Iterator[pa.Table] | None,
    *,
    taken_at: float,
    notes: Sequence[str] = (),
) -> Take:
    """Write a take into `folder`, where nothing but `GATHERED` may be. `keys` are the unit keys in the source's order, where
    the root lives in this system. Everything must come from one snapshot of the source. OSError where the disk fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    listed = _write(folder / "keys.parquet", keys) if keys is not None else 0
    entries = [_entry(folder, number, scan) for number, scan in enumerate(scans)]
    seconds = time.monotonic() - began
    told = {"system": system, "taken_at": taken_at, "seconds": seconds, "keys": listed, "tables": entries}
    told |= {"notes": list(notes)} if notes else {}
    (folder / TOLD).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    return Take(folder)


def _entry(folder: Path, number: int, scan: Scan) -> dict[str, object]:
    refused: list[dict[str, object]] = []
    path = folder / f"{number}.parquet"
    rows = _write(path, _noted(scan.pieces, refused))
    pq.write_table(pa.Table.from_pylist(refused, _REFUSED), folder / f"{number}.refused.parquet")
    return {
        "number": number, "table": scan.table.table.name, "types": sorted([name, kind] for name, kind in scan.table.types),
        "rows": rows, "refused": len({bad["row"] for bad in refused}), "size": path.stat().st_size,
        "columns": [{name: getattr(column, name) for name in _FIELDS} for column in scan.columns],
    }  # fmt: skip


def _noted(pieces: Iterator[Fetched], refused: list[dict[str, object]]) -> Iterator[pa.Table]:
    """The rows; what cannot be carried is noted with its number from 0 on."""
    start = 0
    for piece in pieces:
        refused.extend(
            {"row": start + bad.row, "column": bad.column, "reason": bad.reason, "detail": bad.detail, "id": bad.row_id}
            for bad in piece.refused
        )
        start += piece.rows.num_rows
        yield piece.rows


def _write(path: Path, pieces: Iterator[pa.Table]) -> int:
    first = next(pieces, None)
    rows = 0
    if first is None:
        return 0
    with pq.ParquetWriter(path, first.schema, compression="zstd", compression_level=1) as file:
        for piece in chain((first,), pieces):
            rows += piece.num_rows
            file.write_table(piece)
    return rows


def _refusals(bad: Sequence[Mapping[str, Any]], table: str, start: int, rows: pa.Table) -> Iterator[Refusal]:
    for one in bad:
        if start <= one["row"] < start + rows.num_rows and one["column"] in rows.column_names:
            yield Refusal((), table, one["column"], one["reason"], one["detail"], one["id"], one["row"] - start)
