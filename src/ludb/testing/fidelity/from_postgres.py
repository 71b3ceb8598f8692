"""What PostgreSQL can hold (cases 1 to 28, and 31, 44, 50): each value as a literal, and where it may go."""

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
    WHOLE,
    Probe,
    exact,
)

_INFINITE = {SOURCE: "infinite"}
_DAY = "'2024-02-29'"
_ROUNDED = {"postgres": "rounded", "mysql": "decimals", "sqlite": "decimals"}


def _own(native: str) -> dict[str, str]:
    """PostgreSQL's own type there, text elsewhere."""
    return TEXT | {"postgres": native}


MOMENTS = (
    Probe(1, "date", "date", ("'infinity'", "'-infinity'"), _DAY, DATE, "moment", refused=_INFINITE),
    Probe(1, "timestamp", "timestamp", ("'infinity'", "'-infinity'"), _DAY, STAMP, "moment", refused=_INFINITE),
    Probe(1, "instant", "timestamptz", ("'infinity'", "'-infinity'"), _DAY, INSTANT, "instant", refused=_INFINITE),
    Probe(
        1, "date as text", "date", ("'infinity'", "'-infinity'"), _DAY, DATE | {"sqlite": "text"}, carry="text",
        refused={"mysql": "no date"},
    ),
    Probe(1, "instant as text", "timestamptz", ("'infinity'",), _DAY, _own("timestamptz"), carry="text"),
    Probe(2, "date", "date", ("'0044-03-15 BC'", "'4713-12-31 BC'", "'21016-11-04'"), _DAY, DATE, "moment",
          refused={SOURCE: "beyond the years"}),
    Probe(2, "timestamp", "timestamp", ("'294247-01-01'", "'0001-01-01 BC'"), _DAY, STAMP, "moment",
          refused={SOURCE: "beyond the years"}),
    Probe(2, "date as text", "date", ("'0044-03-15 BC'", "'4713-12-31 BC'", "'21016-11-04'"), _DAY,
          DATE | {"sqlite": "text"}, carry="text", refused={"mysql": "no date"}),
    Probe(2, "timestamp as text", "timestamp", ("'294247-01-01'",), _DAY, _own("timestamp"), carry="text"),
    Probe(2, "first and last day", "date", ("'0001-01-01'", "'9999-12-31'"), _DAY, DATE, "moment"),
    Probe(3, "time", "time", ("'24:00:00'", "'23:59:60'"), "'23:59:59.999999'",
          {"postgres": "time", "mysql": "time(6)", "sqlite": "time", "files": ""}, "moment",
          refused={SOURCE: "24:00:00"}),
    Probe(3, "time as text", "time", ("'24:00:00'",), "'23:59:59.999999'",
          {"postgres": "time", "mysql": "time(6)", "sqlite": "time", "files": ""}, "moment", carry="text"),
    Probe(4, "interval", "interval", ("'1 year 2 mons 3 days'", "'1 mon'", "'30 days'", "'-00:00:00.000001'"),
          "'1 day'", _own("interval")),
    Probe(4, "into whole seconds", "interval", ("'00:00:01.7'", "'1 mon 00:00:00.5'"), "'1 mon 00:00:01'",
          {"postgres": "interval(0)"}, refused={"postgres": "round"}),
    Probe(5, "timetz", "timetz", ("'13:51:30.123789+02'", "'00:00+14'", "'24:00:00-15:59'"), "'12:00+00'",
          _own("timetz")),
    Probe(6, "instant", "timestamptz",
          ("'2024-03-31 02:30+01'", "'2024-10-27 00:30+00'", "'2024-10-27 01:30+00'", "'2024-10-27 02:30+02'"),
          "'2024-01-01 12:00+00'", INSTANT, "instant"),
    Probe(6, "digits", "timestamp", ("'2024-03-31 02:30'", "'2024-10-27 02:30:00.000001'"), _DAY, STAMP, "moment"),
    Probe(7, "into whole seconds", "timestamp", ("'2024-12-31 23:59:59.9'", "'2024-01-01 00:00:00.123456'"), _DAY,
          {"postgres": "timestamp(0)", "mysql": "datetime"}, "moment",
          refused={"postgres": "decimals of a second", "mysql": "digits of a second"}),
    Probe(7, "milliseconds", "timestamp(3)", ("'2024-01-01 10:00:00.123'",), _DAY,
          STAMP | {"postgres": "timestamp(3)", "mysql": "datetime(3)"}, "moment"),
    Probe(42, "beyond TIMESTAMP", "timestamptz", ("'1900-01-01 00:00+00'", "'2040-01-01 00:00+00'"), _DAY, INSTANT,
          "instant", refused={"mysql": "column"}),
    Probe(44, "two digits", "text", ("'18-04-01'",), _DAY, {"postgres": "date", "mysql": "date"},
          refused={"postgres": "ISO", "mysql": "no date"}),
    Probe(44, "a word", "text", ("'today'", "'now'"), _DAY, {"postgres": "date", "mysql": "date"},
          refused={"postgres": "ISO", "mysql": "no date"}),
)  # fmt: skip
"""Dates, times and durations."""

NUMBERS = (
    Probe(8, "without digits", "numeric", ("'NaN'", "'Infinity'", "'-Infinity'"), "1.5",
          exact(65, 30) | {"postgres": "numeric"}, "number", refused={"mysql": "not a number"}),
    Probe(8, "with digits", "numeric(5,2)", ("'NaN'",), "1.5", exact(5, 2), "number", refused={SOURCE: "NaN"}),
    Probe(9, "as they are", "numeric",
          ("'1.10'", "31943874831932418390.01", "0.00000000000696", "1e-40", "1" * 50, "NULL"), "2.0",
          _own("numeric")),
    Probe(9, "with digits", "numeric(38,14)", ("0.00000000000696", "-1.10", "999999999999999999999999.99999999999999"),
          "0", exact(38, 14), "number"),
    Probe(9, "into numbers", "numeric", ("31943874831932418390.01", "1234567.12345678901"), "1.5",
          {"mysql": "decimal(65,20)", "sqlite": "numeric"}, "number", refused={"sqlite": "more digits"}),
    Probe(9, "odd digits", "numeric(3,-2)", ("12300", "-100"), "0", _own("numeric(3,-2)"), "number"),
    Probe(9, "more decimals than digits", "numeric(2,5)", ("0.00012",), "0", _own("numeric(2,5)"), "number"),
    Probe(10, "rounding", "numeric(10,3)", ("1.005",), "1.5",
          {"postgres": "numeric(10,2)", "mysql": "decimal(10,2)", "sqlite": "decimal(10,2)"}, "number",
          refused=_ROUNDED),
    Probe(10, "overflow", "numeric(10,2)", ("1000.00", "-999999.99"), "999.99",
          {"postgres": "numeric(5,2)", "mysql": "decimal(5,2)", "sqlite": "decimal(5,2)"}, "number",
          refused={"postgres": "out of range", "mysql": "digits before", "sqlite": "digits before"}),
    Probe(11, "nan", "float8", ("'NaN'",), "0.5", DOUBLE, "float",
          refused={"mysql": "not a finite", "sqlite": "NaN"}),
    Probe(11, "infinity", "float8", ("'Infinity'", "'-Infinity'"), "0.5", DOUBLE, "float",
          refused={"mysql": "not a finite"}),
    Probe(11, "minus zero", "float8", ("'-0'",), "0.5", DOUBLE, "float",
          refused={"mysql": "sign", "sqlite": "sign"}),
    Probe(11, "last bit", "float8", ("1/109489::float8", "5e-324", "1.7976931348623157e308", "0.1"), "0.5", DOUBLE,
          "float"),
    Probe(11, "real", "real", ("0.1", "3.4028235e38", "1.1754944e-38", "16777216"), "0.5", REAL, "real"),
    Probe(11, "smallest real", "real", ("1e-45",), "0.5", REAL, "real"),
    Probe(11, "into real", "float8", ("0.1", "16777217"), "0.5", {"postgres": "real", "mysql": "float"}, "float",
          refused={"postgres": "real", "mysql": "FLOAT"}),
    Probe(11, "into decimal", "float8", ("0.1::float8 + 0.2",), "0.5",
          {"postgres": "numeric(10,2)", "mysql": "decimal(10,2)", "sqlite": "decimal(10,2)"}, "float",
          refused=_ROUNDED),
    Probe(12, "money", "money", ("'-1234.56'", "0.01", "NULL"), "1",
          {"postgres": "money", "mysql": "decimal(19,2)", "sqlite": "decimal(19,2)", "files": ""}, "number"),
    Probe(31, "numeric of 20 digits", "numeric(20)", ("18446744073709551615",), "5",
          {"postgres": "numeric(20)", "mysql": "bigint unsigned", "sqlite": "text", "files": ""}, "number"),
    Probe(31, "into 64 bits", "numeric(20)", ("18446744073709551615",), "5",
          {"postgres": "bigint", "mysql": "bigint", "sqlite": "bigint"}, "number",
          refused={"postgres": "out of range", "mysql": "out of range", "sqlite": "64 bits"}),
)  # fmt: skip
"""Numbers and money."""

TEXTS = (
    Probe(13, "padding", "char(5)", ("'ab'", "''", "'éé   '"), "'abcde'", TEXT | {"postgres": "char(5)"}),
    Probe(13, "into char", "char(5)", ("'ab'",), "'abcde'", {"mysql": "char(5)"}, refused={"mysql": "blank"}),
    Probe(14, "cut", "text", ("'ab      '", "'abcd'"), "'abc'",
          {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"},
          refused={"postgres": "longer than 3", "mysql": "longer than 3", "sqlite": "longer than 3"}),
    Probe(14, "fits", "varchar(3)", ("'ab '", "'é😀x'", "''"), "'abc'",
          TEXT | {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"}),
    Probe(15, "bytes", "bytea", (r"'\x00ff5c'", "''", "NULL"), r"'\x61'", BYTES, "bytes"),
    Probe(15, "array", "bytea[]", (r"ARRAY['\x00'::bytea, NULL, '\x5c22']",), r"ARRAY['\x61'::bytea]",
          _own("bytea[]")),
    Probe(16, "escaped nul in json", "json", (r"""'"\u0000"'""",), "'1'",
          {"postgres": "jsonb", "mysql": "json", "sqlite": "text", "files": ""},
          refused={"postgres": "column v"}),
    Probe(17, "escaped surrogate in json", "json", (r"""'"\ud83d"'""",), "'1'",
          {"postgres": "jsonb", "mysql": "longtext", "sqlite": "text", "files": ""}, refused={"postgres": "column v"}),
    Probe(18, "unicode", "text",
          ("'👨‍👩‍👦'", "'é'", "U&'e\\0301'", "'αβ 中文'", "''", "NULL", "'NULL'"), "'a'", TEXT),
    Probe(19, "json", "json", ("""'{"a": 1, "a":  2, "b":1}'""",), "'{}'", TEXT | {"postgres": "json", "mysql": "json"}),
    Probe(19, "repeated key into jsonb", "json", ("""'{"a": 1, "b": {"c": 1, "c": 2}}'""",), """'{"b": 1,  "a": [1.10]}'""",
          {"postgres": "jsonb"}, "json", refused={"postgres": "twice"}),
    Probe(20, "null in json", "jsonb", ("'null'", "NULL", "'\"null\"'"), "'1'",
          TEXT | {"postgres": "jsonb", "mysql": "json"}),
    Probe(21, "numbers in json", "jsonb", ("'[1.10, 12345678901234567890, 1e400]'",), "'1'",
          TEXT | {"postgres": "jsonb", "mysql": "json"}),
    Probe(22, "arrays", "text[]", ("'{}'", "'{NULL,1}'", "'{{1,2},{3,4}}'",
          """ARRAY['a,b','c"d',NULL,'NULL','']""", "'[2:3]={7,8}'"), "'{a}'", _own("text[]")),
    Probe(22, "rounded elements", "numeric(10,3)[]", ("'{1.005}'", "'{{1.5},{0.001}}'"), "'{NULL,NaN}'",
          {"postgres": "numeric(10,2)[]"}, refused={"postgres": "round"}),
    Probe(22, "elements that fit", "varchar(3)[]", ("""'{abc,"ab ",NULL}'""", "'{}'"), "'{é😀x}'", _own("varchar(3)[]")),
    Probe(22, "cut elements", "text[]", ("""'{"ab     "}'""", "'{abcd}'"), "'{abc}'", {"postgres": "varchar(3)[]"},
          refused={"postgres": "cut"}),
    Probe(22, "reals", "real[]", ("'{0.1,-0,16777216}'", "'{NULL,3.4028235e38}'"), "'{0.5}'", _own("real[]")),
    Probe(22, "doubles into reals", "float8[]", ("'{0.123456789}'", "'{0.5,16777217}'"), "'{0.5}'", {"postgres": "real[]"},
          refused={"postgres": "round"}),
    Probe(23, "uuid", "uuid", ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",),
          "'00000000-0000-4000-8000-000000000001'", TEXT | {"postgres": "uuid", "mysql": "uuid"}),
    Probe(23, "into char", "uuid", ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",),
          "'00000000-0000-4000-8000-000000000001'", TEXT | {"postgres": "char(36)", "mysql": "char(36)"}),
    Probe(23, "into bytes", "uuid", ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",),
          "'00000000-0000-4000-8000-000000000001'", BYTES | {"mysql": "binary(16)"}, "uuid",
          step="unhex(replace(v, '-', ''))"),
    Probe(24, "bit", "bit(8)", ("B'00000101'",), "B'11111111'", _own("bit(8)")),
    Probe(24, "varbit", "varbit", ("B'111011010001000110000001000000001'", "B''", "B'0'"), "B'1'", _own("varbit")),
    Probe(50, "escapes", "text",
          (r"'\'", r"'\\'", "'''); DROP TABLE'", "'a\n\\.\nb'", "E'\\\\N'", "E'\\r\\n\\t'", "'\"'"), "'a'", TEXT),
)  # fmt: skip
"""Texts, bytes, JSON, arrays and bits."""

KINDS = (
    Probe(25, "inet", "inet", ("'192.168.2.0/12'", "'::1'", "'10.0.0.0/32'"), "'10.0.0.1'", _own("inet")),
    Probe(25, "cidr", "cidr", ("'10.0.0.0/8'",), "'10.0.0.0/16'", _own("cidr")),
    Probe(25, "macaddr8", "macaddr8", ("'08:00:2b:01:02:03:04:05'",), "'08:00:2b:01:02:03:04:06'", _own("macaddr8")),
    Probe(25, "xml", "xml", ("'<a b=\"c\">&lt;</a>'",), "'<a/>'", _own("xml")),
    Probe(25, "point", "point", ("'(0.1,-0)'",), "'(1,2)'", _own("point")),
    Probe(25, "tsvector", "tsvector", ("'fat:2 cat:3A'",), "'a:1'", _own("tsvector")),
    Probe(25, "ltree", "ltree", ("'Top.Science'",), "'Top'", _own("ltree")),
    Probe(25, "hstore", "hstore", ("'a=>NULL, b=>\"NULL\"'",), "'a=>1'", _own("hstore")),
    Probe(25, "range", "daterange", ("'[2019-03-31, infinity)'", "'empty'"), "'[2020-01-01,2020-01-02)'",
          _own("daterange")),
    Probe(25, "enum", "mood", ("'it''s, ok'",), "'sad'",
          _own("mood") | {"mysql": "enum('sad','it''s, ok')"}),
    Probe(25, "no member", "text", ("'glad'", "'SAD'"), "'sad'", {"postgres": "mood", "mysql": "enum('sad')"},
          refused={"postgres": "column v", "mysql": "none of the members"}),
    Probe(25, "domain", "price", ("1.10",), "1", exact(8, 2) | {"postgres": "price"}, "number"),
    Probe(25, "composite", "pair", ("ROW(1, 'a,\"b')", "ROW(NULL, '')"), "ROW(1, 'a')", _own("pair")),
    Probe(25, "rounded field", "text", ("'(1.005)'",), "'(1.50)'", {"postgres": "amount"}, refused={"postgres": "round"}),
    Probe(25, "citext", "citext", ("'Straße'",), "'a'", _own("citext")),
    Probe(28, "large object", "oid", ("1",), "2", WHOLE, "number", refused={PLAN: "large object"}),
)  # fmt: skip
"""Types that PostgreSQL alone knows."""

PROBES = (*MOMENTS, *NUMBERS, *TEXTS, *KINDS)
"""All of them."""

SETUP = (
    "CREATE EXTENSION IF NOT EXISTS citext",
    "CREATE EXTENSION IF NOT EXISTS hstore",
    "CREATE EXTENSION IF NOT EXISTS ltree",
    "CREATE TYPE mood AS ENUM ('sad', 'it''s, ok')",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TYPE amount AS (value numeric(5,2))",
    "CREATE DOMAIN price AS numeric(8,2) CHECK (value > 0)",
)
"""What a database needs before it can hold them, as a source or as a target."""
