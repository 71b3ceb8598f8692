"""The cases: a value in the source's own words, its kind, and how its column is read.

A case is moved beside a good neighbour from every system that can hold it into every system that can be written. Either the
value arrives, compared in text forms of the systems themselves, or that one unit is refused with table and column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Kind = Literal[
    "text", "short", "padded", "number", "exact", "small", "unsigned", "double", "float", "date", "timestamp", "instant",
    "time", "bytes", "bool", "json",
]  # fmt: skip
"""What a value is, whatever its column is called: it chooses the target's column and the form that is compared."""


@dataclass(frozen=True, slots=True)
class Held:
    """How one system holds a value: the column's type, and the value as an SQL expression (for files: as Arrow). `carried`
    is what `types:` of the job says of the column, empty for nothing.
    """

    column: str
    value: object
    carried: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One value. `number` is its place in the list of nasty cases; several values may share one."""

    number: int
    title: str
    kind: Kind
    held: Mapping[str, Held] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What its table is called, and its line in the table of outcomes."""
        return f"c{self.number:02}_{''.join(part[0] for part in self.title.lower().split())[:6]}"


def sql(value: str, postgres: str = "", mysql: str = "", sqlite: str = "", carried: str = "") -> dict[str, Held]:
    """The same expression in the databases that are given a column type."""
    types = {"postgres": postgres, "mysql": mysql, "sqlite": sqlite}
    return {system: Held(column, value, carried) for system, column in types.items() if column}


def arrow(kind: pa.DataType, value: object) -> dict[str, Held]:
    """The value as a Parquet file holds it."""
    return {"files": Held("", pa.array([value], kind))}


_FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f466"
_TEXT = {"postgres": "text", "mysql": "longtext", "sqlite": "text"}


def text(value: str, literal: str) -> dict[str, Held]:
    """A text in every system; `literal` is it in SQL."""
    return sql(literal, **_TEXT) | arrow(pa.string(), value)


CASES: tuple[Case, ...] = (
    Case(1, "infinite date", "date", sql("'infinity'", postgres="date")),
    Case(1, "minus infinite timestamp", "timestamp", sql("'-infinity'", postgres="timestamp")),
    Case(1, "infinite date as text", "date", sql("'infinity'", postgres="date", carried="text")),
    Case(2, "before christ", "date", sql("'0044-03-15 BC'", postgres="date")),
    Case(2, "five digit year", "date", sql("'21016-11-04'", postgres="date")),
    Case(3, "the hour 24", "time", sql("'24:00:00'", postgres="time", mysql="time")),
    Case(4, "an interval", "text", sql("'1 year 2 mons 3 days'", postgres="interval")),
    Case(5, "time with offset", "text", sql("'13:51:30.123789+02'", postgres="timetz")),
    Case(6, "an instant", "instant", sql("'2024-03-31 02:30:00+02'", postgres="timestamptz")
         | sql("'2024-03-31 00:30:00'", mysql="timestamp")
         | arrow(pa.timestamp("us", "UTC"), 1711845000000000)),
    Case(6, "digits in the gap", "timestamp", sql("'2024-03-31 02:30:00'", postgres="timestamp", mysql="datetime(6)")
         | arrow(pa.timestamp("us"), 1711852200000000)),
    Case(7, "microseconds", "timestamp", sql("'2024-01-01 23:59:59.999999'", postgres="timestamp", mysql="datetime(6)")
         | arrow(pa.timestamp("us"), 1704153599999999)),
    Case(8, "not a number", "exact", sql("'NaN'", postgres="numeric(10,2)")),
    Case(8, "not a number unbounded", "number", sql("'NaN'", postgres="numeric")),
    Case(9, "fifty digits", "number", sql("12345678901234567890123456789012345678901234567890", postgres="numeric",
                                          mysql="decimal(60,0)")),
    Case(9, "scale is kept", "exact", sql("1.10", postgres="numeric(10,2)", mysql="decimal(10,2)", sqlite="decimal(10,2)")),
    Case(10, "too many for the column", "small", sql("999.995", postgres="numeric(10,3)", mysql="decimal(10,3)",
                                                   sqlite="decimal(10,3)")),
    Case(11, "nan as a double", "double", sql("'NaN'", postgres="float8") | arrow(pa.float64(), float("nan"))),
    Case(11, "minus zero", "double", sql("'-0.0'", postgres="float8") | arrow(pa.float64(), -0.0)),
    Case(11, "a third digit by digit", "double", sql("9.173957e-06", postgres="float8", mysql="double", sqlite="double")
         | arrow(pa.float64(), 1 / 109489)),
    Case(12, "money", "exact", sql("'-1234.56'", postgres="money")),
    Case(13, "blanks behind", "padded", sql("'ab'", postgres="char(5)", mysql="char(5)", sqlite="char(5)")),
    Case(14, "blanks beyond the length", "short", text("ab   ", "'ab   '")),
    Case(15, "bytes with nul", "bytes", sql(r"'\x00ff00'", postgres="bytea") | sql("x'00ff00'", mysql="longblob",
                                                                                    sqlite="blob")
         | arrow(pa.binary(), b"\x00\xff\x00")),
    Case(16, "nul in text", "text", sql("concat('a', char(0), 'b')", mysql="longtext")
         | sql("'a' || char(0) || 'b'", sqlite="text") | arrow(pa.string(), "a\0b")),
    Case(18, "a family", "text", text(_FAMILY, f"'{_FAMILY}'")),
    Case(18, "combining forms stay apart", "text", text("e\u0301 \u00e9", "'e\u0301 \u00e9'")),
    Case(19, "json with blanks and doubles", "json", sql("""'{"a": 1,  "a": 2, "b": 1.10}'""", postgres="json", mysql="json",
                                                          sqlite="json")),
    Case(20, "json null is no null", "json", sql("'null'", postgres="jsonb", mysql="json", sqlite="json")),
    Case(21, "large json numbers", "json", sql("'[12345678901234567890]'", postgres="jsonb", mysql="json", sqlite="json")),
    Case(22, "an array", "text", sql("""'{"a,b","c\\"d",NULL,"NULL",""}'""", postgres="text[]")),
    Case(23, "uuid in capitals", "text", sql("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", postgres="uuid")
         | text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'")),
    Case(24, "leading zero bits", "text", sql("'00101'", postgres="varbit")),
    Case(25, "an address", "text", sql("'192.168.2.0/12'", postgres="inet")),
    Case(25, "a range", "text", sql("'[2019-03-31, infinity)'", postgres="daterange")),
    Case(29, "zero date", "date", sql("'0000-00-00'", mysql="date")),
    Case(29, "zero date as text", "text", sql("'0000-00-00'", mysql="date", carried="text")),
    Case(30, "838 hours", "time", sql("'-838:59:59'", mysql="time")),
    Case(31, "64 bits without sign", "unsigned", sql("18446744073709551615", mysql="bigint unsigned")
         | arrow(pa.uint64(), 18446744073709551615)),
    Case(32, "tinyint of 5", "number", sql("5", mysql="tinyint(1)")),
    Case(32, "tinyint of 5 as boolean", "bool", sql("5", mysql="tinyint(1)", carried="boolean")),
    Case(33, "one bit", "bool", sql("b'1'", mysql="bit(1)")),
    Case(34, "thirty decimals", "number", sql("12345678901234567890123456789012345.123456789012345678901234567891",
                                              mysql="decimal(65,30)")),
    Case(35, "a float", "float", sql("5.6", postgres="real", mysql="float") | arrow(pa.float32(), 5.6)),
    Case(36, "enum member with comma", "text", sql("'a,b'", mysql="enum('a,b','g''h')")),
    Case(37, "set", "text", sql("'x,z'", mysql="set('x','y','z')")),
    Case(42, "an instant of mysql", "instant", sql("'2024-07-01 10:00:00'", mysql="timestamp")),
    Case(44, "the year 0", "number", sql("0000", mysql="year")),
    Case(46, "padded binary", "bytes", sql("'ab'", mysql="binary(5)")),
    Case(50, "backslash and quote", "text", text("\\ ' \"); DROP", "'\\\\ '' \"); DROP'")),
    Case(51, "text in a number column", "number", sql("'lots'", sqlite="integer")),
    Case(51, "two in a boolean", "bool", sql("2", sqlite="boolean")),
    Case(52, "bytes that are no utf-8", "text", sql("cast(x'ff41' as text)", sqlite="text")),
    Case(54, "beyond 64 bits", "number", sql("9223372036854775808", sqlite="integer")),
    Case(54, "infinity", "double", sql("9e999", sqlite="double") | sql("'Infinity'", postgres="float8")
         | arrow(pa.float64(), float("inf"))),
    Case(55, "a date that is none", "date", sql("'2024-13-45'", sqlite="date")),
)  # fmt: skip
"""Every value that a column can hold. Structure (26 to 28, 56 to 59, 62), collations (38 to 41, 43, 45, 47 to 49, 53) and APIs
(17, 60, 61) have tests of their own."""

COLUMNS: Mapping[Kind, Mapping[str, str]] = {
    "text": _TEXT,
    "short": {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"},
    "padded": {"postgres": "varchar(5)", "mysql": "varchar(5)", "sqlite": "varchar(5)"},
    "number": {"postgres": "numeric", "mysql": "decimal(65,30)", "sqlite": "numeric"},
    "exact": {"postgres": "numeric(12,2)", "mysql": "decimal(12,2)", "sqlite": "decimal(12,2)"},
    "small": {"postgres": "numeric(5,2)", "mysql": "decimal(5,2)", "sqlite": "decimal(5,2)"},
    "unsigned": {"postgres": "numeric(20)", "mysql": "bigint unsigned", "sqlite": "integer"},
    "double": {"postgres": "float8", "mysql": "double", "sqlite": "double"},
    "float": {"postgres": "real", "mysql": "float", "sqlite": "double"},
    "date": {"postgres": "date", "mysql": "date", "sqlite": "date"},
    "timestamp": {"postgres": "timestamp", "mysql": "datetime(6)", "sqlite": "timestamp"},
    "instant": {"postgres": "timestamptz", "mysql": "timestamp", "sqlite": "timestamp"},
    "time": {"postgres": "time", "mysql": "time(6)", "sqlite": "time"},
    "bytes": {"postgres": "bytea", "mysql": "longblob", "sqlite": "blob"},
    "bool": {"postgres": "boolean", "mysql": "tinyint(1)", "sqlite": "boolean"},
    "json": {"postgres": "json", "mysql": "json", "sqlite": "json"},
}
"""The column that a value of each kind goes into. Files take what comes."""
SYSTEMS = ("postgres", "mysql", "sqlite", "files")
"""The systems that are source and target of the pairs."""
