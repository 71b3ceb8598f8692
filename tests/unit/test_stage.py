"""Staged tables answer every chunk from disk, as long as the run lives."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludb.errors import RoomError, TransientError
from ludb.model.unit import POSITION, Fetched, Refusal, TableRef, UnitSchema, UnitTable
from ludb.service.site import writing_below
from ludb.unitdb import stage as module
from ludb.unitdb.database import UnitDatabase
from ludb.unitdb.stage import Stage, build_stage

UNIT = UnitSchema(
    ("id",),
    (
        UnitTable("roots", TableRef("s", "roots")),
        UnitTable("odd/näme.x", TableRef("s", "odd"), "roots", (("rid", "id"),)),
    ),
)
ODD = "odd/näme.x"


def scan(table: UnitTable, columns: tuple[str, ...] | None) -> Iterator[Fetched]:
    if table.name == "roots":
        yield Fetched(pa.table({"id": pa.array(range(100), pa.int64())}))
        return
    rows = pa.table(
        {"rid": pa.array([n * 7 % 110 for n in range(300)], pa.int64()), "n": pa.array(range(300), pa.int64())}
    )
    yield Fetched(rows, (Refusal((), "odd", "n", "is bad", "detail", "2", 1),))


def units(*keys: int) -> pa.Table:
    return pa.table({POSITION: pa.array(range(len(keys)), pa.int64()), "id": pa.array(keys, pa.int64())})


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(module, "ROW_GROUP", 16)
    return build_stage(tmp_path / "stage", UNIT, units(*range(99, -1, -1)), scan, ["roots", ODD])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_source_that_is_lost_while_its_rows_are_sorted_is_told_as_such(tmp_path: Path):
    """The SQL engine pulls the rows; what it makes of the error of whom it pulls from would not be tried again."""

    def lost(table: UnitTable, columns: tuple[str, ...] | None) -> Iterator[Fetched]:
        yield from scan(table, columns)
        raise TransientError("the server is away", system="s")

    with pytest.raises(TransientError, match="the server is away"):
        build_stage(tmp_path / "stage", UNIT, units(1, 2), lost, ["roots", ODD])


def test_a_chunk_gets_exactly_its_rows_sorted_by_position_and_in_table_order(staged: Stage):
    rows = staged.fetch(ODD, [3, 50, 97])
    expected = [(at, n * 7 % 110, n) for at in (3, 50, 97) for n in range(300) if n * 7 % 110 == 99 - at]
    assert [tuple(row.values()) for row in rows.to_pylist()] == expected
    assert rows.column_names == [POSITION, "rid", "n"]


def test_positions_without_rows_and_no_positions_get_an_empty_table_of_the_same_columns(staged: Stage):
    assert staged.fetch("roots", []).num_rows == 0
    assert staged.fetch(ODD, [1000]).schema.names == [POSITION, "rid", "n"]


def test_a_table_of_which_no_unit_has_a_row_is_served_empty(tmp_path: Path):
    keys = pa.table({POSITION: pa.array([0], pa.int64()), "id": pa.array([-1], pa.int64())})
    found = build_stage(tmp_path / "stage", UNIT, keys, scan, [ODD]).fetch(ODD, [0])
    assert found.num_rows == 0
    assert found.column_names == [POSITION, "rid", "n"]


def test_only_the_row_groups_that_can_hold_the_positions_are_read(staged: Stage, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    inner = pq.ParquetFile.read_row_groups

    def listening(self, groups, *arguments, **more):
        read.extend(groups)
        return inner(self, groups, *arguments, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", listening)
    assert staged.fetch("roots", [40]).num_rows == 1
    assert len(read) == 1
    read.clear()
    assert staged.fetch("roots", [3, 96]).column("id").to_pylist() == [96, 3], "units of a retry lie far apart"
    assert len(read) == 2


def test_another_process_opens_what_was_staged_counts_orphans_and_faults_included(staged: Stage, tmp_path: Path):
    again = Stage(tmp_path / "stage")
    assert set(again.tables) == {"roots", ODD}
    lost = sum(n * 7 % 110 >= 100 for n in range(300))
    assert again.counts == {"roots": 100, ODD: 300 - lost}
    assert again.orphans(ODD).num_rows == lost
    assert {at: fault.reason for at, fault in again.faults.items()} == {99 - 7: f"{ODD}.n: is bad"}
    assert again.fetch(ODD, [3]).equals(staged.fetch(ODD, [3]))


def test_rows_of_units_that_are_not_in_the_list_are_neither_served_nor_counted_nor_orphans(tmp_path: Path):
    staged = build_stage(tmp_path / "stage", UNIT, units(7, 0), scan, [ODD])
    mine = sum(n * 7 % 110 in (0, 7) for n in range(300))
    assert staged.counts == {ODD: mine}
    assert staged.fetch(ODD, [0, 1]).num_rows == mine
    assert staged.orphans(ODD).num_rows == sum(n * 7 % 110 >= 100 for n in range(300))


def test_a_disk_without_room_for_what_memory_does_not_hold_is_an_error_of_the_disk(small_disk: Path):
    rows = pa.table({"n": pa.array(range(50_000)), "text": pa.array([f"{n} {n * 7919}" * 4 for n in range(50_000)])})
    with UnitDatabase(memory_limit="20MB", spill=str(small_disk / "spill")) as database:
        with pytest.raises(OSError, match="No space left") as full:
            database.stream("t", (rows for _ in range(200)))
        assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(small_disk / "spill"))
    with pytest.raises(RoomError, match="No space left"), writing_below(small_disk):
        raise full.value
