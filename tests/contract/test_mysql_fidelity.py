"""Cases of MariaDB that turn on a setting or on `types:` of the job; single values stand in `tests/fidelity`."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from ludb.dialects.mysql import MysqlSystem
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.unit import POSITION
from ludb.sources.mysql import MysqlSource
from ludb.targets.mysql import MysqlTarget
from ludb.testing.source import unit_table
from ludb.testing.target import TXN


def moment(*parts: int) -> dt.datetime:
    """Digits of a clock, without a zone."""
    return dt.datetime(*parts, tzinfo=dt.UTC).replace(tzinfo=None)


@pytest.fixture
def read(mariadb_database, tmp_path):
    """Puts literals into a column of a type and reads them as the source does: (values, refused row numbers)."""
    opened = []

    def read(native, *literals, types=(), table="", mode=""):
        more = f" {table}" if table else " DEFAULT CHARACTER SET utf8mb4"
        rows = ",".join(f"({number},{text})" for number, text in enumerate(literals, 1))
        url = mariadb_database(
            f"SET sql_mode='{mode}';\nSET time_zone='+00:00';\nSET NAMES utf8mb4;\n"
            f"CREATE TABLE t (id INT PRIMARY KEY, v {native}){more};\nINSERT INTO t VALUES {rows}"
        )
        source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
        opened.append(source)
        (piece,) = source.scan(unit_table("t", types=types))
        column = piece.rows.column("v")
        return column, [(refusal.row_id, refusal.reason) for refusal in piece.refused]

    yield read
    for source in opened:
        source.close()


@pytest.fixture
def write(mariadb_database, tmp_path, execute):
    """Writes values into a column of a type, each as a unit of its own: (what the server holds as bytes, refused units)."""

    def write(native, values, *, table="", **settings):
        url = mariadb_database(f"CREATE TABLE t (id INT PRIMARY KEY, v {native}) {table}")
        system = MysqlSystem(type="mysql", url=url, **settings)
        target = MysqlTarget("billing", system, Surroundings(tmp_path, tmp_path))
        target.prepare_schema()
        array = values if isinstance(values, pa.Array) else pa.array(values)
        numbers = pa.array(range(len(array)), pa.int64())
        rows = pa.table([numbers, numbers, array], names=[POSITION, "id", "v"])
        faults = {}
        participant = target.begin(TXN)
        try:
            participant.write("t", rows)
        except UnitError as error:
            faults = {at: fault.reason for at, fault in error.faults.items()}
            participant.rollback()
            participant = target.begin(TXN)
            participant.write("t", rows.filter(pa.array([at not in faults for at in range(len(array))])))
        participant.prepare()
        participant.commit()
        return [value for (value,) in execute(url, "SELECT CAST(v AS BINARY) FROM t ORDER BY id")], faults

    return write


def test_case_29_a_target_that_lets_zero_dates_in_gets_them(write):
    stored, faults = write("DATE", ["0000-00-00", "2024-00-15"], zero_dates=True)
    assert (stored, faults) == ([b"0000-00-00", b"2024-00-15"], {})


def test_case_41_every_byte_of_latin1_arrives_and_mojibake_can_be_read_as_bytes(read):
    table = "CHARACTER SET latin1"
    every = "".join(f"{number:02x}" for number in range(1, 256))
    column, refused = read("VARCHAR(300)", f"0x{every}", "0xc3bc", table=table)
    assert not refused
    assert len(column[0].as_py()) == 255
    assert column[1].as_py() == "Ã¼"
    column, _ = read("VARCHAR(300)", f"0x{every}", "0xc3bc", table=table, types=(("v", "binary"),))
    assert column.to_pylist() == [bytes(range(1, 256)), "ü".encode()]


def test_case_42_a_timestamp_is_an_instant_and_a_datetime_is_digits(read, write):
    column, _ = read("TIMESTAMP", "'2024-07-01 12:00:00'")
    assert column.to_pylist() == [dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)]
    instants = pa.array([moment(2024, 7, 1, 12)], pa.timestamp("us", "Europe/Berlin"))
    assert write("TIMESTAMP NULL", instants)[0] == [b"2024-07-01 12:00:00"]
    with pytest.raises(ConfigError, match="zone"):
        write("DATETIME", instants)


def test_case_25_spatial_values_are_refused_at_planning_unless_taken_as_bytes(mariadb_database, tmp_path, read):
    url = mariadb_database("CREATE TABLE t (id INT PRIMARY KEY, v POINT)")
    source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
    assert "spatial" in source.columns(unit_table("t"))[1].refused
    source.close()
    column, _ = read("POINT", "ST_GeomFromText('POINT(1 2)', 4326)", types=(("v", "binary"),))
    assert column[0].as_py()[:4] == (4326).to_bytes(4, "little")
