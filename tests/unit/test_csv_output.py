"""CSV as another country writes it: what is written is what is read, and what a dialect cannot hold is refused by name."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludb.dialects.files import FilesSystem
from ludb.dialects.files_csv_writer import Dialect, write_csv
from ludb.dialects.files_writer import Output, encode, read_parts
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.unit import POSITION
from ludb.targets.files import FilesTarget

ROWS = pa.table(
    {
        POSITION: [4, 4, 7],
        "name": ['Zoë; "x"', "", None],
        "amount": pa.array([Decimal("1.50"), None, Decimal("0.00")], pa.decimal128(9, 2)),
        "rate": [0.1, 1e30, -0.0],
        "born": [dt.date(1990, 1, 2), None, None],
        "seen": [dt.datetime(2020, 1, 2, 3, 4, 5, 600), None, None],  # noqa: DTZ001
        "open": [True, False, None],
        "n": [1, None, 3],
    }
)  # fmt: skip


def output(**more: object) -> Output:
    return Output.of(FilesSystem.model_validate({"type": "files", "path": "out", "format": "csv", **more}))


def test_a_dialect_writes_what_the_quick_way_writes():
    """Otherwise the same job would write other digits because somebody chose a line end."""
    plain = ROWS.drop_columns([POSITION]).set_column(1, "amount", pa.array(["1.50", None, "0.00"]))
    assert write_csv(plain, Dialect(), (), "out.t") == encode(ROWS, output(), "out.t")


def test_every_setting_is_seen_in_the_file():
    made = output(delimiter=";", quote="'", null="NULL", line_end="crlf", encoding="cp1252", header=False)
    lines = encode(ROWS.select([POSITION, "name", "n"]), made, "out.t").decode("cp1252").split("\r\n")
    assert lines == ["'Zoë; \"x\"';1", "'';NULL", "NULL;3", ""]


@pytest.mark.parametrize(
    "how",
    [
        {"delimiter": "\t", "line_end": "crlf", "encoding": "utf-16", "compression": "gzip"},
        {"quote": "'", "null": "\\N", "encoding": "latin-1"},
        {"null": "0", "delimiter": "-"},
    ],
)
def test_what_is_written_in_a_dialect_is_read_back(tmp_path, how):
    texts = ["a;b", "it's", 'say "x"', "", None, "two\nlines", "\\N", "0", "-1", "ä"]
    rows = pa.table({POSITION: list(range(10)), "t": texts, "n": [0, None, -1, 3, 4, 5, 6, 7, 8, 9]})
    made = output(**how)
    path = tmp_path / f"part-1.{made.ending}"
    path.write_bytes(encode(rows, made, "out.t"))
    back = read_parts([path], made, "t").to_pydict()
    assert back == {"t": texts, "n": [None if n is None else str(n) for n in rows.column("n").to_pylist()]}


def test_without_a_header_columns_are_read_back_by_number(tmp_path):
    made = output(header=False)
    (tmp_path / "part-1.csv").write_bytes(encode(ROWS.select(["n", "open"]), made, "out.t"))
    back = read_parts([tmp_path / "part-1.csv"], made, "t")
    assert back.to_pydict() == {"column_1": ["1", None, "3"], "column_2": ["true", "false", None]}


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"encoding": "ascii"}, "column name: ascii has no such character"),
        ({"quote": "", "delimiter": ";"}, "column name: holds a delimiter"),
    ],
)
def test_a_value_that_the_dialect_cannot_hold_sets_its_unit_aside_by_column(how, named):
    with pytest.raises(UnitError) as caught:
        encode(ROWS, output(**how), "out.t")
    assert list(caught.value.faults) == [4]
    assert named in caught.value.faults[4].reason
    assert "Zoë" not in caught.value.faults[4].reason
    assert "Zoë" in caught.value.faults[4].detail


def test_a_column_name_that_the_dialect_cannot_hold_is_a_mistake_of_the_job():
    with pytest.raises(ConfigError, match="ascii"):
        encode(pa.table({"größe": [1]}), output(encoding="ascii"), "out.t")
    with pytest.raises(ConfigError, match="needs quotes"):
        encode(pa.table({"a,b": [1]}), output(quote=""), "out.t")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"format": "csv", "encoding": "klingon"}, "no encoding"),
        ({"format": "jsonl", "encoding": "latin-1"}, "encoding: is of CSV"),
        ({"format": "parquet", "header": False}, "header: is of CSV"),
        ({"format": "csv", "null": "a,b"}, "null: may hold neither"),
        ({"format": "csv", "delimiter": "'", "quote": "'"}, "differ"),
        ({"format": "csv", "compression": "snappy"}, "not for csv"),
        ({"format": "parquet", "compression": "bz2"}, "not for parquet"),
        ({"format": "csv", "line_end": "cr"}, "crlf"),
    ],
)
def test_an_output_that_cannot_be_is_a_named_mistake(given, named):
    with pytest.raises(ValueError, match=named):
        FilesSystem.model_validate({"type": "files", "path": "out", **given})


@pytest.mark.parametrize(
    ("given", "seen"), [(None, "ZSTD"), ("none", "UNCOMPRESSED"), ("gzip", "GZIP"), ("snappy", "SNAPPY")]
)
def test_parquet_is_compressed_as_the_job_says(given, seen, tmp_path):
    made = Output.of(FilesSystem.model_validate({"type": "files", "path": "out", "compression": given}))
    assert made.ending == "parquet"
    (tmp_path / "t.parquet").write_bytes(encode(ROWS, made, "out.t"))
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(0).column(0).compression == seen


def test_json_lines_are_compressed_as_the_job_says(tmp_path):
    settings = FilesSystem(type="files", path="out", format="jsonl", compression="gzip")
    assert (
        gzip.decompress(encode(ROWS.select(["n"]), Output.of(settings), "out.t"))
        == b'{"n": 1}\n{"n": null}\n{"n": 3}\n'
    )
    target = FilesTarget("out", settings, Surroundings(tmp_path, tmp_path))
    assert target.misfits("t", pa.schema([("a", pa.list_(pa.int64()))])) == []
