"""Cases of FIDELITY.md that MariaDB can hold: from its tables to Arrow, and from Arrow into its tables. Each value arrives
unchanged, or its row is refused by name.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

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


def test_case_29_zero_dates_are_refused_by_row_or_carried_as_text(read, write):
    literals = ("'0000-00-00'", "'0001-00-00'", "'2024-00-15'", "'2024-02-29'", "NULL", "'9999-12-31'")
    column, refused = read("DATE", *literals)
    assert column.to_pylist() == [None, None, None, dt.date(2024, 2, 29), None, dt.date(9999, 12, 31)]
    assert [row for row, _ in refused] == ["1", "2", "3"]
    assert "0000" not in refused[0][1]
    column, refused = read(
        "DATETIME(6)", "'0000-00-00 00:00:00'", "'2024-01-31 23:59:59.123456'", "'0000-01-01 00:00:00'"
    )
    assert column.to_pylist()[1] == moment(2024, 1, 31, 23, 59, 59, 123456)
    assert [row for row, _ in refused] == ["1", "3"]
    column, refused = read("DATE", *literals, types=(("v", "text"),))
    assert column.to_pylist()[:4] == ["0000-00-00", "0001-00-00", "2024-00-15", "2024-02-29"]
    assert not refused
    stored, faults = write("DATE", ["0000-00-00", "2024-02-29", "2024-02-30", "18-04-01"])
    assert (stored, sorted(faults)) == ([b"2024-02-29"], [0, 2, 3])
    stored, faults = write("DATE", ["0000-00-00", "2024-00-15"], zero_dates=True)
    assert (stored, faults) == ([b"0000-00-00", b"2024-00-15"], {})


def test_case_30_a_time_is_a_duration(read, write):
    texts = ["-838:59:59.999999", "517:51:04.777000", "24:00:00.000000"]
    column, _ = read("TIME(6)", *(f"'{text}'" for text in texts))
    assert column.to_pylist() == texts
    stored, faults = write("TIME(6)", [*texts, "839:00:00", "noon"])
    assert ([value.decode() for value in stored], sorted(faults)) == (texts, [3, 4])
    assert write("TIME(6)", pa.array([dt.time(23, 59, 59, 7)]))[0] == [b"23:59:59.000007"]


def test_case_31_unsigned_integers_keep_64_bits(read, write):
    column, _ = read("BIGINT UNSIGNED", "18446744073709551615", "0")
    assert column.to_pylist() == [18446744073709551615, 0]
    assert write("BIGINT UNSIGNED", pa.array([2**64 - 1], pa.uint64()))[0] == [b"18446744073709551615"]
    stored, faults = write("BIGINT", pa.array([2**64 - 1, 5], pa.uint64()))
    assert (stored, list(faults)) == ([b"5"], [0])


def test_case_32_a_tinyint_is_a_number_until_the_job_says_boolean(read, write):
    assert read("TINYINT(1)", "5", "-128", "1")[0].to_pylist() == [5, -128, 1]
    column, refused = read("TINYINT(1)", "5", "0", "1", types=(("v", "boolean"),))
    assert column.to_pylist() == [None, False, True]
    assert [row for row, _ in refused] == ["1"]
    assert write("BOOLEAN", [True, False, None])[0] == [b"1", b"0", None]


def test_case_33_bits_are_numbers_and_a_single_one_a_boolean(read, write):
    assert read("BIT(1)", "b'1'", "b'0'", "NULL")[0].to_pylist() == [True, False, None]
    assert read("BIT(64)", "18446744073709551615", "1")[0].to_pylist() == [2**64 - 1, 1]
    assert write("BIT(8)", [5, 255])[0] == [b"\x05", b"\xff"]
    assert list(write("BIT(8)", [256])[1]) == [0]
    assert write("BIT(1)", [True, False])[0] == [b"\x01", b"\x00"]


def test_cases_9_and_34_decimals_keep_every_digit(read, write):
    wide = "12345678901234567890123456789012345.123456789012345678901234567890"
    assert read("DECIMAL(65,30)", wide)[0].to_pylist() == [wide]
    assert write("DECIMAL(65,30)", [wide])[0] == [wide.encode()]
    column, _ = read("DECIMAL(20,4)", "1.1000", "-0.0001")
    assert column.type == pa.decimal128(20, 4)
    assert [str(value) for value in column.to_pylist()] == ["1.1000", "-0.0001"]
    stored, faults = write("DECIMAL(10,2)", [Decimal("1.005"), Decimal("99999999.99"), Decimal(100000000)])
    assert (stored, sorted(faults)) == ([b"99999999.99"], [0, 2])  # case 10: no rounding
    assert list(write("DECIMAL(5,2)", [0.1 + 0.2, 1.25])[1]) == [0]


def test_cases_11_and_35_floats_are_exact_to_the_bit(read, write):
    column, _ = read("FLOAT", "5.6", "16777217", "-0.1")
    assert column.type == pa.float32()
    assert column.to_pylist() == [5.599999904632568, 16777216.0, -0.10000000149011612]
    numbers = [1 / 109489, 5e-324, 1.7976931348623157e308, 0.1]
    assert read("DOUBLE", *map(repr, numbers))[0].to_pylist() == numbers
    assert [float(value) for value in write("DOUBLE", numbers)[0]] == numbers
    assert write("DOUBLE", [float("nan"), float("inf"), -0.0])[0] == []
    assert list(write("FLOAT", [0.1, 0.5])[1]) == [0]


def test_case_36_enum_members_stay_and_the_error_value_is_told_from_an_empty_member(read, write):
    native = r"ENUM('a,b','g''h','')"
    column, refused = read(native, "'a,b'", "'g''h'", "''", "'zzz'")
    assert column.to_pylist() == ["a,b", "g'h", "", None]
    assert [row for row, _ in refused] == ["4"]
    stored, faults = write(native, ["a,b", "g'h", "", "A,B", "1"])
    assert (stored, sorted(faults)) == ([b"a,b", b"g'h", b""], [3, 4])


def test_case_37_sets_keep_order_and_separators(read, write):
    native = "SET('x','y','z')"
    assert read(native, "'x,z'", "''")[0].to_pylist() == ["x,z", ""]
    stored, faults = write(native, ["x,z", "", "z,x", "x,w"])
    assert (stored, sorted(faults)) == ([b"x,z", b""], [2, 3])


def test_cases_18_38_and_50_text_is_byte_exact_or_refused(read, write):
    texts = ["👨‍👩‍👦", "é é", "αβ中文", "\\", "'); DROP TABLE t", 'a"b', "x\ny\t\0z", "", "'", "ab  "]
    assert [value.decode() for value in write("VARCHAR(60)", texts, table="CHARACTER SET utf8mb4")[0]] == texts
    stored, faults = write("VARCHAR(60)", ["👨", "é"], table="CHARACTER SET utf8mb3")
    assert (stored, list(faults)) == (["é".encode()], [0])
    assert list(write("VARCHAR(60)", ["中", "ü"], table="CHARACTER SET latin1")[1]) == [0]
    assert read("VARCHAR(9)", "'é'", "'ü'", table="CHARACTER SET utf8mb3")[0].to_pylist() == ["é", "ü"]


def test_cases_13_and_14_blanks_and_lengths(read, write):
    stored, faults = write("VARCHAR(3)", ["ab      ", "abc", "äöü", "ab "])
    assert ([value.decode() for value in stored], list(faults)) == (["abc", "äöü", "ab "], [0])
    assert sorted(write("CHAR(5)", ["ab ", "ab", "abcdef"])[1]) == [0, 2]
    assert list(write("TINYTEXT", ["x" * 255, "x" * 256, "x" * 255 + " "], table="CHARACTER SET utf8mb4")[1]) == [1, 2]


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


def test_case_7_fractions_of_a_second_are_refused_not_cut(write):
    moments = [moment(2024, 1, 1, 23, 59, 59, 900000), moment(2024, 1, 1)]
    stored, faults = write("DATETIME", moments)
    assert (stored, list(faults)) == ([b"2024-01-01 00:00:00"], [0])
    assert not write("DATETIME(1)", moments)[1]


def test_case_44_years_are_four_digits_or_0(read, write):
    assert read("YEAR", "1901", "2155", "0000")[0].to_pylist() == [1901, 2155, 0]
    stored, faults = write("YEAR", [18, 2018, 0])
    assert (stored, list(faults)) == ([b"2018", b"0000"], [0])


def test_cases_19_to_21_and_45_json_is_carried_as_its_text(read, write):
    text = '{"a":1.10, "a":12345678901234567890}'
    assert read("JSON", f"'{text}'", "'null'", "NULL")[0].to_pylist() == [text, "null", None]
    stored, faults = write("JSON", [text, "null", None, "{"])
    assert (stored, list(faults)) == ([text.encode(), b"null", None], [3])


def test_cases_15_and_46_bytes_are_exact_and_padding_is_refused(read, write):
    assert read("BINARY(5)", "'ab'", "0x6100620000")[0].to_pylist() == [b"ab\0\0\0", b"a\0b\0\0"]
    assert read("VARBINARY(9)", "0x6100", "0xff")[0].to_pylist() == [b"a\0", b"\xff"]
    assert write("VARBINARY(9)", [b"a\0", b"\\'\xff", b""])[0] == [b"a\0", b"\\'\xff", b""]
    assert list(write("BINARY(5)", [b"ab", b"abcde"])[1]) == [0]


def test_case_47_out_of_range_is_an_error_of_its_unit(write):
    stored, faults = write("TINYINT", [300, 127, -129])
    assert (stored, sorted(faults)) == ([b"127"], [0, 2])
    assert "300" not in faults[0]


def test_case_25_spatial_values_are_refused_at_planning_unless_taken_as_bytes(mariadb_database, tmp_path, read):
    url = mariadb_database("CREATE TABLE t (id INT PRIMARY KEY, v POINT)")
    source = MysqlSource("legacy", MysqlSystem(type="mysql", url=url), Surroundings(tmp_path, tmp_path))
    assert "spatial" in source.columns(unit_table("t"))[1].refused
    source.close()
    column, _ = read("POINT", "ST_GeomFromText('POINT(1 2)', 4326)", types=(("v", "binary"),))
    assert column[0].as_py()[:4] == (4326).to_bytes(4, "little")


def test_case_23_uuids_and_addresses_are_text(read, write):
    text = "5b2c1f34-0000-4000-8000-00000000000a"
    assert read("UUID", f"'{text.upper()}'")[0].to_pylist() == [text]
    assert read("INET6", "'::1'")[0].to_pylist() == ["::1"]
    assert list(write("UUID", [text, "no uuid"])[1]) == [1]
