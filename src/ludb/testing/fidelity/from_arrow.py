"""What steps hand to any target: Arrow values that some target cannot hold, and where each may go.

`native` is the Arrow type, `values` are Python values. A target's author says by `into` (`Probe.into`) which of its column
types takes them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ludb.testing.fidelity.case import BYTES, DATE, DOUBLE, INSTANT, REAL, STAMP, TEXT, TRUTH, WHOLE, Probe, exact

_ROUNDED = {"postgres": "rounded", "mysql": "decimals", "sqlite": "decimals"}
_CENTS = {"postgres": "numeric(10,2)", "mysql": "decimal(10,2)", "sqlite": "decimal(10,2)"}
_SHORT = {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"}
_UTC = dt.UTC


def array_of(native: str, values: Sequence[Any]) -> pa.Array:
    """The values as an Arrow array of the type that a probe names: `double`, `decimal128(38, 14)`, `timestamp[us, tz=UTC]`."""
    digits = re.fullmatch(r"decimal128\((\d+), (\d+)\)", native)
    zone = re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", native)
    if digits:
        kind = pa.decimal128(int(digits[1]), int(digits[2]))
    elif zone:
        kind = pa.timestamp(zone[1], zone[2])
    else:
        kind = pa.type_for_alias(native)
    return pa.array(values, kind)


def _moment(*parts: int) -> dt.datetime:
    """Digits of a clock, without a zone."""
    return dt.datetime(*parts, tzinfo=_UTC).replace(tzinfo=None)  # type: ignore[misc, arg-type]


MOMENTS = (
    Probe(2, "first and last day", "date32", (dt.date(1, 1, 1), dt.date(9999, 12, 31)), dt.date(2024, 2, 29), DATE,
          "moment"),
    Probe(3, "end of the day", "time64[us]", (dt.time(23, 59, 59, 999999),), dt.time(12),
          {"postgres": "time", "mysql": "time(6)", "sqlite": "time", "files": ""}, "moment"),
    Probe(3, "leap second", "string", ("23:59:60",), "12:00:00", {"postgres": "time", "mysql": "time"},
          refused={"postgres": "ISO", "mysql": "duration"}),
    Probe(6, "instant", "timestamp[us, tz=Europe/Berlin]",
          (dt.datetime(2024, 10, 27, 0, 30, tzinfo=_UTC), dt.datetime(2024, 10, 27, 1, 30, tzinfo=_UTC)),
          dt.datetime(2024, 1, 1, tzinfo=_UTC), INSTANT, "instant"),
    Probe(6, "digits", "timestamp[us]", (_moment(2024, 3, 31, 2, 30, 0, 1),), _moment(2024, 1, 1), STAMP, "moment"),
    Probe(6, "dropped offset", "string", ("2024-01-01 10:00:00+02",), "2024-01-01 10:00:00",
          {"postgres": "timestamp", "mysql": "datetime"}, refused={"postgres": "ISO", "mysql": "no datetime"}),
    Probe(7, "into whole seconds", "timestamp[us]", (_moment(2024, 12, 31, 23, 59, 59, 900000),), _moment(2024, 1, 1),
          {"postgres": "timestamp(0)", "mysql": "datetime"}, "moment",
          refused={"postgres": "decimals of a second", "mysql": "digits of a second"}),
    Probe(29, "no date", "string", ("0000-00-00", "2024-02-30"), "2024-02-29", {"postgres": "date", "mysql": "date"},
          refused={"postgres": "column v", "mysql": ""}),
    Probe(30, "duration", "string", ("-838:59:59.999999", "517:51:04.777000"), "12:00:00.000000",
          TEXT | {"postgres": "interval", "mysql": "time(6)"}, "moment"),
    Probe(30, "longer than any", "string", ("839:00:00", "noon"), "12:00:00", {"mysql": "time"},
          refused={"mysql": "838"}),
    Probe(44, "two digits", "string", ("18-04-01", "today"), "2024-02-29", {"postgres": "date", "mysql": "date"},
          refused={"postgres": "ISO", "mysql": "no date"}),
    Probe(44, "year", "int64", (18, 1900), 2024, {"mysql": "year"}, "number", refused={"mysql": "year"}),
)  # fmt: skip
"""Dates, times and durations."""

NUMBERS = (
    Probe(8, "nan as text", "string", ("NaN",), "1.5", exact(20, 4) | {"postgres": "numeric", "sqlite": "numeric"},
          "number", refused={"mysql": "not a number", "sqlite": "not a number"}),
    Probe(9, "38 digits", "decimal128(38, 14)", (Decimal("999999999999999999999999.99999999999999"), Decimal("-1.1")),
          Decimal(1), exact(38, 14), "number"),
    Probe(9, "65 digits as text", "string", ("12345678901234567890123456789012345.123456789012345678901234567890",),
          "1." + "5" * 30, TEXT | {"postgres": "numeric", "mysql": "decimal(65,30)"}, "number"),
    Probe(9, "more than 15 digits", "decimal128(38, 2)", (Decimal("31943874831932418390.01"),), Decimal(1),
          {"sqlite": "decimal(38,2)"}, "number", refused={"sqlite": "more digits"}),
    Probe(10, "rounding", "decimal128(12, 3)", (Decimal("1.005"),), Decimal("1.5"), _CENTS, "number", refused=_ROUNDED),
    Probe(10, "rounding of text", "string", ("1.005",), "1.5", _CENTS, "number", refused=_ROUNDED),
    Probe(10, "overflow", "decimal128(12, 2)", (Decimal("1000.00"),), Decimal("1.5"),
          {"postgres": "numeric(5,2)", "mysql": "decimal(5,2)", "sqlite": "decimal(5,2)"}, "number",
          refused={"postgres": "out of range", "mysql": "digits before", "sqlite": "digits before"}),
    Probe(11, "nan", "double", (float("nan"),), 0.5, DOUBLE, "float", refused={"mysql": "not a finite", "sqlite": "NaN"}),
    Probe(11, "infinity", "double", (float("inf"), float("-inf")), 0.5, DOUBLE, "float",
          refused={"mysql": "not a finite"}),
    Probe(11, "minus zero", "double", (-0.0,), 0.5, DOUBLE, "float", refused={"mysql": "sign", "sqlite": "sign"}),
    Probe(11, "last bit", "double", (1 / 109489, 5e-324, 1.7976931348623157e308, 0.1), 0.5, DOUBLE, "float"),
    Probe(11, "into real", "double", (0.1, 16777217.0), 0.5, {"postgres": "real", "mysql": "float"}, "float",
          refused={"postgres": "real", "mysql": "FLOAT"}),
    Probe(11, "into decimal", "double", (0.1 + 0.2,), 0.5, _CENTS, "float", refused=_ROUNDED),
    Probe(11, "decimal into double", "string", ("0.12345678901234567890",), "0.5", DOUBLE, "float",
          refused={"postgres": "double", "mysql": "more digits", "sqlite": "more digits"}),
    Probe(35, "float", "float", (5.599999904632568, 16777216.0), 0.5, REAL, "real"),
    Probe(31, "unsigned", "uint64", (2**64 - 1, 2**63), 5,
          {"postgres": "numeric(20)", "mysql": "bigint unsigned", "sqlite": "text", "files": ""}, "number"),
    Probe(31, "into 64 bits", "uint64", (2**64 - 1,), 5,
          {"postgres": "bigint", "mysql": "bigint", "sqlite": "bigint"}, "number",
          refused={"postgres": "out of range", "mysql": "out of range", "sqlite": "64 bits"}),
    Probe(32, "no boolean", "int64", (5, -128), 1, {"sqlite": "boolean", "mysql": "bit(1)"}, "number",
          refused={"sqlite": "boolean", "mysql": "out of range"}),
    Probe(33, "bits", "bool", (True, False, None), True, TRUTH | {"mysql": "bit(1)"}, "boolean"),
    Probe(32, "words", "string", ("yes", "on"), "true", {"postgres": "boolean"}, "boolean", refused={"postgres": "no boolean"}),
    Probe(47, "out of range", "int64", (300, -129), 127, {"mysql": "tinyint"}, "number", refused={"mysql": "out of range"}),
    Probe(47, "out of 16 bits", "int64", (70000,), 127, {"postgres": "smallint", "mysql": "smallint"}, "number",
          refused={"postgres": "out of range", "mysql": "out of range"}),
    Probe(51, "text into integer", "string", ("lots", "1.5"), "7", WHOLE, "number",
          refused={"postgres": "integer", "mysql": "whole number", "sqlite": "integer"}),
)  # fmt: skip
"""Numbers and bits."""

TEXTS = (
    Probe(13, "blanks into char", "string", ("ab ", "ab   "), "abcde", {"mysql": "char(5)"}, refused={"mysql": "blank"}),
    Probe(14, "cut", "string", ("ab      ", "abcd"), "abc", _SHORT,
          refused={"postgres": "longer than 3", "mysql": "longer than 3", "sqlite": "longer than 3"}),
    Probe(14, "fits", "string", ("ab ", "é😀x", ""), "abc", TEXT | _SHORT),
    Probe(14, "255 bytes", "string", ("x" * 256, "x" * 255 + " "), "x" * 255, {"mysql": "tinytext"},
          refused={"mysql": "longer than 255"}),
    Probe(15, "bytes", "binary", (b"\x00\xff\\", b"", None), b"a", BYTES, "bytes"),
    Probe(16, "nul", "string", ("a\0b",), "a", TEXT, refused={"postgres": "NUL"}),
    Probe(16, "nul in jsonb", "string", ('"\\u0000"',), "1", {"postgres": "jsonb"}, refused={"postgres": "column v"}),
    Probe(18, "unicode", "string", ("👨‍👩‍👦", "é", "e\u0301", "αβ 中文", "", None, "NULL"), "a", TEXT),
    Probe(19, "json", "string", ('{"a": 1, "a":  2, "b":1.10}',), "{}", TEXT | {"postgres": "json", "mysql": "json"}),
    Probe(19, "repeated key into jsonb", "string", ('{"a": 1, "a": 2}',), '{"b": 1,  "a": [1.10]}', {"postgres": "jsonb"}, "json",
          refused={"postgres": "twice"}),
    Probe(20, "null in json", "string", ("null", None, '"null"'), "1", TEXT | {"postgres": "jsonb", "mysql": "json"}),
    Probe(20, "no json", "string", ("{",), "1", {"postgres": "jsonb", "mysql": "json"},
          refused={"postgres": "column v", "mysql": ""}),
    Probe(22, "rounded elements", "string", ("{1.005}",), "{1.50,NULL}", {"postgres": "numeric(10,2)[]"},
          refused={"postgres": "round"}),
    Probe(23, "no uuid", "string", ("no uuid",), "00000000-0000-4000-8000-000000000001",
          {"postgres": "uuid", "mysql": "uuid"}, refused={"postgres": "column v", "mysql": ""}),
    Probe(25, "no member", "string", ("glad", "SAD", "1"), "sad", {"postgres": "mood", "mysql": "enum('sad')"},
          refused={"postgres": "column v", "mysql": "none of the members"}),
    Probe(36, "members", "string", ("a,b", "g'h", ""), "a,b", {"mysql": r"enum('a,b','g''h','')"}),
    Probe(37, "set", "string", ("x,z", ""), "y", {"mysql": "set('x','y','z')"}),
    Probe(37, "another order", "string", ("z,x", "x,w"), "x,z", {"mysql": "set('x','y','z')"}, refused={"mysql": "SET"}),
    Probe(38, "into three bytes", "string", ("👨",), "é", {"mysql": "varchar(20) character set utf8mb3"},
          refused={"mysql": ""}),
    Probe(38, "into latin1", "string", ("中",), "ü", {"mysql": "varchar(20) character set latin1"}, refused={"mysql": ""}),
    Probe(46, "would be padded", "binary", (b"ab",), b"abcde", {"mysql": "binary(5)"}, "bytes", refused={"mysql": "pad"}),
    Probe(46, "bytes", "binary", (b"a\x00", b"\\'\xff", b""), b"a", {"mysql": "varbinary(9)"}, "bytes"),
    Probe(50, "escapes", "string", ("\\", "\\\\", "'); DROP TABLE", "a\n\\.\nb", "\\N", "\r\n\t", '"'), "a", TEXT),
)  # fmt: skip
"""Texts, bytes and JSON."""

PROBES = (*MOMENTS, *NUMBERS, *TEXTS)
"""All of them."""
