"""What MySQL and MariaDB can hold (cases 29 to 50, and older ones again): each value as a literal, and where it may go."""

from __future__ import annotations

from ludb.testing.fidelity.case import (
    BYTES,
    DATE,
    DOUBLE,
    INSTANT,
    PLAN,
    REAL,
    SOURCE,
    STAMP,
    TEXT,
    TRUTH,
    Probe,
    exact,
)

_ZERO = {SOURCE: "no calendar"}
_DAY = "'2024-02-29'"


def _own(native: str) -> dict[str, str]:
    """The server's own type there, text elsewhere."""
    return TEXT | {"mysql": native}


MOMENTS = (
    Probe(29, "date", "date", ("'0000-00-00'", "'0001-00-00'", "'2024-00-15'"), _DAY, DATE, "moment", refused=_ZERO),
    Probe(29, "datetime", "datetime(6)", ("'0000-00-00 00:00:00'", "'0000-01-01 00:00:00'"), _DAY, STAMP, "moment",
          refused=_ZERO),
    Probe(29, "date as text", "date", ("'0000-00-00'", "'2024-00-15'"), _DAY, DATE | {"sqlite": "text"}, carry="text",
          refused={"postgres": "", "mysql": ""}),
    Probe(29, "no date, made null by the job", "date", ("'0000-00-00'",), _DAY, DATE, "moment", carry="text",
          step="parse_date(v, 'YMD')", converted="parse_date", becomes=(None,)),
    Probe(29, "half a date, made null by the job", "date", ("'2024-00-15'",), _DAY, DATE, "moment", carry="text",
          step="try_parse_date(v, 'YMD')", converted="try_parse_date", becomes=(None,)),
    Probe(30, "duration", "time(6)", ("'-838:59:59.999999'", "'517:51:04.777'", "'24:00:00'"), "'12:00:00'",
          TEXT | {"postgres": "interval", "mysql": "time(6)"}, "moment"),
    Probe(30, "into a time of day", "time(6)", ("'-838:59:59.999999'", "'517:51:04.777'"), "'12:00:00'",
          {"postgres": "time"}, "moment", refused={"postgres": "ISO"}),
    Probe(42, "timestamp", "timestamp(6)", ("'2024-07-01 12:00:00'", "'2024-03-31 02:30:00.000001'"),
          "'2024-01-01 00:00:01'", INSTANT, "instant"),
    Probe(42, "datetime", "datetime(6)", ("'2024-07-01 12:00:00'", "'2024-03-31 02:30:00.123456'"), _DAY, STAMP,
          "moment"),
    Probe(43, "on update", "timestamp default current_timestamp on update current_timestamp",
          ("'2001-01-01 00:00:01'",), "'2024-01-01 00:00:01'", INSTANT, "instant"),
    Probe(44, "year", "year", ("1901", "2155", "0000"), "2024",
          {"postgres": "smallint", "mysql": "year", "sqlite": "integer", "files": ""}, "number"),
    Probe(44, "into year", "int", ("18", "1900"), "2024", {"mysql": "year"}, "number", refused={"mysql": "year"}),
    Probe(7, "into whole seconds", "datetime(6)", ("'2024-12-31 23:59:59.9'",), _DAY,
          {"postgres": "timestamp(0)", "mysql": "datetime"}, "moment",
          refused={"postgres": "decimals of a second", "mysql": "digits of a second"}),
)  # fmt: skip
"""Dates, times and durations."""

NUMBERS = (
    Probe(31, "unsigned", "bigint unsigned", ("18446744073709551615", "9223372036854775808"), "5",
          {"postgres": "numeric(20)", "mysql": "bigint unsigned", "sqlite": "text", "files": ""}, "number"),
    Probe(31, "into 64 bits", "bigint unsigned", ("18446744073709551615",), "5",
          {"postgres": "bigint", "mysql": "bigint", "sqlite": "bigint"}, "number",
          refused={"postgres": "out of range", "mysql": "out of range", "sqlite": "64 bits"}),
    Probe(32, "tinyint", "tinyint(1)", ("5", "-128"), "1",
          {"postgres": "smallint", "mysql": "tinyint", "sqlite": "integer", "files": ""}, "number"),
    Probe(32, "as boolean", "tinyint(1)", ("5", "-128"), "1", TRUTH, "boolean", carry="boolean",
          refused={SOURCE: "boolean"}),
    Probe(33, "one bit", "bit(1)", ("b'1'", "b'0'", "NULL"), "b'1'", TRUTH | {"mysql": "bit(1)"}, "boolean"),
    Probe(33, "64 bits", "bit(64)", ("18446744073709551615", "5"), "1",
          {"postgres": "numeric(20)", "mysql": "bit(64)", "sqlite": "text", "files": ""}, "number"),
    Probe(34, "65 digits", "decimal(65,30)",
          ("12345678901234567890123456789012345.123456789012345678901234567890", "-0." + "0" * 29 + "1"), "1.5",
          _own("decimal(65,30)") | {"postgres": "numeric"}),
    Probe(9, "scale", "decimal(20,4)", ("1.1000", "-0.0001"), "0", exact(20, 4), "number"),
    Probe(10, "rounding", "decimal(10,3)", ("1.005",), "1.5",
          {"postgres": "numeric(10,2)", "mysql": "decimal(10,2)", "sqlite": "decimal(10,2)"}, "number",
          refused={"postgres": "rounded", "mysql": "decimals", "sqlite": "decimals"}),
    Probe(35, "float", "float", ("5.6", "16777217", "-0.1"), "0.5", REAL, "real"),
    Probe(11, "double", "double", ("9.1333375955940055e-06", "5e-324", "1.7976931348623157e308", "0.1"), "0.5",
          DOUBLE, "float"),
    Probe(47, "out of range", "int", ("300", "-129"), "127", {"mysql": "tinyint"}, "number",
          refused={"mysql": "out of range"}),
    Probe(47, "into smallint", "int", ("70000",), "127", {"postgres": "smallint", "mysql": "smallint"}, "number",
          refused={"postgres": "out of range", "mysql": "out of range"}),
)  # fmt: skip
"""Numbers and bits."""

TEXTS = (
    Probe(36, "members", r"enum('a,b','g''h','')", ("'a,b'", "'g''h'", "''"), "'a,b'",
          _own(r"enum('a,b','g''h','')")),
    Probe(36, "error value", "enum('a','')", ("'zzz'",), "'a'", _own("enum('a','')"), refused={SOURCE: "ENUM"}),
    Probe(37, "set", "set('x','y','z')", ("'x,z'", "''"), "'y'", _own("set('x','y','z')")),
    Probe(37, "into array", "set('x','y','z')", ("'x,z'",), "'y'", {"postgres": "text[]"}, step="'{' || v || '}'",
          becomes=("{x,z}",)),
    Probe(37, "another order", "varchar(9)", ("'z,x'", "'x,w'"), "'x,z'", {"mysql": "set('x','y','z')"},
          refused={"mysql": "SET"}),
    Probe(38, "into three bytes", "varchar(20)", ("'👨'",), "'é'", {"mysql": "varchar(20) character set utf8mb3"},
          refused={"mysql": ""}),
    Probe(38, "out of three bytes", "varchar(20) character set utf8mb3", ("'é'", "'中'"), "'a'", TEXT),
    Probe(41, "latin1", "varchar(300) character set latin1",
          ("0x" + "".join(f"{number:02x}" for number in range(1, 256)), "0xc3bc"), "'a'", TEXT),
    Probe(41, "gbk", "varchar(20) character set gbk", ("'中文'",), "'a'", TEXT),
    Probe(41, "re-decoded by the job", "varchar(20) character set latin1", ("0x4dc3bc6c6c6572",), "'a'", TEXT,
          step="fix_mojibake(v)", converted="fix_mojibake", becomes=("Müller",)),
    Probe(45, "json", "json", ("""'{"a":1.10, "a":12345678901234567890}'""", "'null'", "NULL"), "'1'",
          _own("json") | {"postgres": "json"}),
    Probe(46, "padded bytes", "binary(5)", ("'ab'", "0x6100620000"), "'abcde'", BYTES | {"mysql": "binary(5)"}, "bytes"),
    Probe(46, "bytes", "varbinary(9)", ("0x6100", "0xff", "''"), "'a'", BYTES | {"mysql": "varbinary(9)"}, "bytes"),
    Probe(46, "would be padded", "varbinary(9)", ("'ab'",), "'abcde'", {"mysql": "binary(5)"}, "bytes",
          refused={"mysql": "pad"}),
    Probe(46, "uuid", "binary(16)", ("0x5b2c1f340000400080000000000000aa",), "0x00000000000040008000000000000001",
          BYTES | {"mysql": "binary(16)"}, "bytes"),
    Probe(14, "cut", "varchar(20)", ("'ab      '", "'abcd'"), "'abc'",
          {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"},
          refused={"postgres": "longer than 3", "mysql": "longer than 3", "sqlite": "longer than 3"}),
    Probe(16, "nul", "varchar(9)", ("'a\\0b'",), "'a'", TEXT, refused={"postgres": "NUL"}),
    Probe(16, "nul, replaced by the job", "varchar(9)", ("'a\\0b'",), "'a'", TEXT, step="replace_nul(v, '?')",
          converted="replace_nul", becomes=("a?b",)),
    Probe(18, "unicode", "varchar(60)", ("'👨‍👩‍👦'", "'é'", "'é'", "'αβ 中文'", "''", "NULL", "'NULL'"), "'a'", TEXT),
    Probe(23, "uuid", "uuid", ("'5B2C1F34-0000-4000-8000-00000000000A'",), "'00000000-0000-4000-8000-000000000001'",
          _own("uuid") | {"postgres": "uuid"}),
    Probe(50, "escapes", "varchar(60)", (r"'\\'", r"'\\\\'", "'''); DROP TABLE t'", r"'\\N'", r"'\r\n\t'", "'\"'"), "'a'",
          TEXT),
    Probe(25, "spatial", "point", ("ST_GeomFromText('POINT(1 2)')",), "ST_GeomFromText('POINT(0 0)')", TEXT,
          refused={PLAN: "spatial"}),
    Probe(25, "inet6", "inet6", ("'::1'",), "'::2'", _own("inet6") | {"postgres": "inet"}),
)  # fmt: skip
"""Texts, bytes and JSON."""

PROBES = (*MOMENTS, *NUMBERS, *TEXTS)
"""All of them."""

SETUP = ("SET sql_mode = ''", "SET time_zone = '+00:00'", "SET NAMES utf8mb4")
"""What a session needs before it can write them: a lax mode, as the systems have that hold such values."""
