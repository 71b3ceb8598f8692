"""All orphans of a run, as planning found them: kept as Parquet next to what the run has pinned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ludb.dialects.durable import file_name
from ludb.errors import ConfigError
from ludb.model.run import Run
from ludb.service.site import Site

ROWS = 50_000
"""Rows per Parquet row group: what is in memory at a time when they are listed."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A row that belongs to no unit: its `row` in `table`, the `missing` key of its parent, and whether that parent itself
    is missing (`direct`) or is an orphan; None where that was not kept.
    """

    table: str
    row: str
    missing: str | None
    direct: bool | None


@dataclass(frozen=True, slots=True)
class OrphanList:
    """Orphans of a run by table: `counts` are planning's, `rows` streams what was kept; `whole` says whether that is all."""

    run: str
    counts: Mapping[str, int]
    whole: bool
    rows: Iterator[Orphan]


class OrphanKeeper:
    """Writes the orphans of one table after the other into a folder."""

    def __init__(self, folder: Path) -> None:
        """The folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def __call__(self, table: str, lost: pa.Table) -> None:
        """Keep the orphans of a table: columns `row_id`, `missing`, `direct`."""
        if lost.num_rows:
            pq.write_table(lost, _path(self._folder, table), row_group_size=ROWS, compression="zstd")


def list_orphans(site: Site, run_id: str, table: str | None = None) -> OrphanList:
    """The orphans of a run, of one table or of all. `ConfigError` for a table that the unit does not have."""
    run = site.repository.runs.get(run_id)
    if table is not None and table not in run.counts:
        raise ConfigError(
            f"run {run.id} has no table {table!r}; it has {', '.join(sorted(run.counts))}", remedy="Name one of these"
        )
    wanted = [table] if table else sorted(run.counts)
    counts = {name: int(run.counts[name].get("orphans", 0)) for name in wanted}
    folder = kept_orphans(site, run.id)
    kept = [name for name in wanted if not counts[name] or _path(folder, name).exists()]
    if len(kept) == len(wanted):
        return OrphanList(run.id, counts, True, _kept(folder, [name for name in wanted if counts[name]]))
    samples = list(_samples(run, wanted))
    return OrphanList(run.id, counts, len(samples) == sum(counts.values()), iter(samples))


def kept_orphans(site: Site, run_id: str) -> Path:
    """Where a run's orphans are kept."""
    return site.pinned(run_id) / "orphans"


def _kept(folder: Path, tables: list[str]) -> Iterator[Orphan]:
    for name in tables:
        with pq.ParquetFile(_path(folder, name)) as file:
            for batch in file.iter_batches(ROWS, columns=["row_id", "missing", "direct"]):
                columns = [column.to_pylist() for column in batch.columns]
                for row, missing, direct in zip(*columns, strict=True):
                    yield Orphan(name, row, missing, bool(direct))


def _samples(run: Run, tables: list[str]) -> Iterator[Orphan]:
    """What a run that was planned by an earlier version, or purged, still has in its notes."""
    notes = run.notes.get("orphans", {})
    assert isinstance(notes, dict)
    for name in tables:
        for row, missing in notes.get(name, {}).get("samples", ()):
            yield Orphan(name, row, missing, None)


def _path(folder: Path, table: str) -> Path:
    return folder / f"{file_name(table)}.parquet"
