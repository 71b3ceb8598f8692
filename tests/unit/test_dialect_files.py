"""Files keep values exactly, say where they are malformed, and refuse single values by row."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest

from ludb.dialects.files import FilesSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.unit import POSITION
from ludb.sources.files import FilesSource
from ludb.targets.files import FilesTarget
from ludb.testing.source import unit_table
from ludb.testing.target import TXN


@pytest.fixture
def folder(tmp_path):
    """Makes a source over files given by name, as text or bytes."""

    def folder(files, **tables):
        for name, content in files.items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return FilesSource(
            "legacy", FilesSystem(type="files", path=".", tables=tables), Surroundings(tmp_path, tmp_path)
        )

    return folder


def rows(source, name="t", **links):
    pieces = list(source.scan(unit_table(name, **links)))
    return pa.concat_tables(piece.rows for piece in pieces).to_pylist(), [r for piece in pieces for r in piece.refused]


def test_csv_values_are_text_and_null_is_not_the_empty_text(folder):
    source = folder({"t.csv": '\ufeffid,name\n007,""\n8,\n9,"a,b\nc"\n'})
    assert rows(source)[0] == [{"id": "007", "name": ""}, {"id": "8", "name": None}, {"id": "9", "name": "a,b\nc"}]


def test_csv_of_another_country_is_read_as_the_job_says(folder):
    table = {"file": "export.txt", "format": "csv", "delimiter": ";", "encoding": "latin-1", "null": ["NULL"]}
    source = folder(
        {"export.txt": "name;x\nMüller;NULL\n;1\n".encode("latin-1")}, t={**table, "types": {"x": "integer"}}
    )
    assert rows(source)[0] == [{"name": "Müller", "x": None}, {"name": "", "x": 1}]


def test_case_52_a_value_that_is_no_utf8_is_refused_by_row(folder):
    found, refused = rows(folder({"t.csv": b"a,b\n1,good\n2,M\xfcller\n"}))
    assert [row["b"] for row in found] == ["good", None]
    assert [(one.row_id, one.column) for one in refused] == [("2", "b")]


def test_a_value_of_another_type_is_refused_by_row(folder):
    source = folder({"t.csv": "day,n\n2024-02-29,1\n2024-13-45,x\n"}, t={"types": {"day": "date", "n": "integer"}})
    found, refused = rows(source)
    assert found == [{"day": dt.date(2024, 2, 29), "n": 1}, {"day": None, "n": None}]
    assert sorted((one.row_id, one.column) for one in refused) == [("2", "day"), ("2", "n")]


def test_a_malformed_csv_says_file_and_line_but_no_values(folder, tmp_path):
    with pytest.raises(ConfigError) as caught:
        rows(folder({"t.csv": 'a,b\n1,"x\ny"\nsecret,2,3\n'}))
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "t.csv"), 4)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("text", "match"), [("", "no header"), ("a,a\n1,2\n", "'a' twice")])
def test_a_csv_header_must_be_there_and_distinct(folder, text, match):
    with pytest.raises(ConfigError, match=match):
        folder({"t.csv": text}).columns(unit_table("t"))


def test_case_21_json_numbers_keep_every_digit(folder):
    lines = '{"n": 1.10, "i": 12345678901234567890, "s": "x", "doc": {"a": [1.10, null]}}\n\n{"n": 3, "i": 1}\n'
    source = folder({"t.jsonl": lines})
    assert rows(source)[0] == [
        {"n": Decimal("1.10"), "i": Decimal(12345678901234567890), "s": "x", "doc": '{"a": [1.10, null]}'},
        {"n": Decimal("3.00"), "i": Decimal(1), "s": None, "doc": None},
    ]


@pytest.mark.parametrize("line", ['{"a": NaN}', '{"a": 1, "a": 2}', "[1]", "{"])
def test_cases_19_61_a_line_that_is_no_json_object_is_named(folder, line):
    with pytest.raises(ConfigError) as caught:
        folder({"t.jsonl": f'{{"a": 1}}\n{line}\n'}).columns(unit_table("t"))
    assert caught.value.line == 2


def test_two_files_for_one_table_are_a_mistake(folder):
    with pytest.raises(ConfigError, match="several files"):
        folder({"t.csv": "a\n1\n", "t.jsonl": '{"a": 1}\n'}).columns(unit_table("t"))


def target_of(tmp_path, form):
    target = FilesTarget("lake", FilesSystem(type="files", path="out", format=form), Surroundings(tmp_path, tmp_path))
    target.prepare_schema()
    return target


def commit(target, table, columns):
    participant = target.begin(TXN)
    try:
        participant.write(
            table, pa.table({POSITION: pa.array(range(len(columns.column(0))), pa.int64()), **_named(columns)})
        )
        participant.prepare()
        participant.commit()
    finally:
        participant.rollback()


def _named(columns):
    return dict(zip(columns.column_names, columns.columns, strict=True))


MONEY = pa.table(
    {"d": pa.array([Decimal("1.10"), Decimal("0.0000000001"), None], pa.decimal128(38, 10)), "s": ["", None, "x"]}
)


def test_case_9_decimals_are_exact_in_every_format(tmp_path):
    for form in ("parquet", "csv", "jsonl"):
        (tmp_path / form).mkdir()
        target = target_of(tmp_path / form, form)
        commit(target, "money", MONEY)
        found = target.read("money")
        assert [value and Decimal(value) for value in found.column("d").to_pylist()] == MONEY.column("d").to_pylist()
        assert found.column("s").to_pylist() == ["", None, "x"]


def test_nested_rows_are_written_as_parquet_and_json_but_not_as_csv(tmp_path):
    nested = pa.table({"doc": [{"a": [1, None], "t": dt.date(2024, 1, 1)}]})
    target = target_of(tmp_path, "jsonl")
    commit(target, "x/y", nested)
    (part,) = (tmp_path / "out").glob("x%2Fy/part-*.jsonl")
    assert json.loads(part.read_text()) == {"doc": {"a": [1, None], "t": "2024-01-01"}}
    for form, error in (("parquet", None), ("csv", ConfigError)):
        (tmp_path / form).mkdir()
        if error is None:
            commit(target_of(tmp_path / form, form), "t", nested)
        else:
            with pytest.raises(error, match="column doc"):
                commit(target_of(tmp_path / form, form), "t", nested)


def test_case_61_nan_is_no_json_and_refuses_its_unit(tmp_path):
    target = target_of(tmp_path, "jsonl")
    with pytest.raises(UnitError) as caught:
        commit(target, "t", pa.table({"v": [1.0, float("nan")]}))
    assert list(caught.value.faults) == [1]
    assert "column v" in caught.value.faults[1].reason
    assert target.read("t").num_rows == 0


def test_the_folder_above_must_exist(tmp_path):
    with pytest.raises(ConfigError, match="cannot make"):
        target_of(tmp_path / "nowhere", "csv")
