"""What SQLite can hold (cases 51 to 55, and older ones again): each value as a literal, and where it may go."""

from __future__ import annotations

from ludb.testing.fidelity.case import BYTES, DATE, DOUBLE, SOURCE, STAMP, TEXT, TRUTH, WHOLE, Probe, exact

PROBES = (
    Probe(51, "text in integer", "integer", ("'lots'", "1.5"), "7", WHOLE, "number", refused={SOURCE: "integer"}),
    Probe(51, "no boolean", "boolean", ("'yes'", "2"), "1", TRUTH, "boolean", refused={SOURCE: "boolean"}),
    Probe(51, "too long", "varchar(3)", ("'abcd'",), "'abc'", TEXT, refused={SOURCE: "longer than 3"}),
    Probe(52, "no utf-8", "text", ("cast(x'c3' as text)", "cast(x'ff61' as text)"), "'a'", TEXT,
          refused={SOURCE: "not UTF-8"}),
    Probe(52, "no utf-8, as bytes", "blob", ("x'c3'", "x'ff61'"), "x'61'", BYTES, "bytes"),
    Probe(17, "surrogate", "text", ("cast(x'eda0bd' as text)",), "'a'", TEXT, refused={SOURCE: "not UTF-8"}),
    Probe(53, "nul", "text", ("'a' || char(0) || 'b'",), "'a'", TEXT, refused={"postgres": "NUL"}),
    Probe(16, "nul", "text", ("char(0)",), "'a'", TEXT, refused={"postgres": "NUL"}),
    Probe(53, "nul, replaced by the job", "text", ("'a' || char(0) || 'b'",), "'a'", TEXT, step="replace_nul(v)",
          converted="replace_nul", becomes=("ab",)),
    Probe(54, "beyond 64 bits", "integer", ("9223372036854775808",), "9223372036854775807", WHOLE, "number",
          refused={SOURCE: "integer"}),
    Probe(54, "no number", "real", ("0.0/0.0",), "0.5", DOUBLE, "float"),
    Probe(54, "infinity", "real", ("9e999", "-9e999"), "0.5", DOUBLE, "float", refused={"mysql": "not a finite"}),
    Probe(55, "no moment", "datetime", ("'2024-13-45'",), "'2024-01-31 10:00:00'", STAMP, "moment", carry="timestamp",
          refused={SOURCE: "timestamp"}),
    Probe(55, "no moment, as text", "datetime", ("'2024-13-45'",), "'2024-01-31 10:00:00'", STAMP, "moment",
          refused={"postgres": "", "mysql": ""}),
    Probe(55, "a number", "datetime", ("2460310.5", "1704067200"), "'2024-01-31 10:00:00'", STAMP, "moment",
          refused={SOURCE: "text column"}),
    Probe(55, "epoch, as declared", "datetime", ("1704067200",), "0", STAMP, "moment", carry="integer",
          step="to_timestamp(v)::timestamp", becomes=("2024-01-01 00:00:00",)),
    Probe(29, "no date", "date", ("'0000-00-00'",), "'2024-01-31'", DATE, "moment",
          refused={"postgres": "", "mysql": ""}),
    Probe(9, "decimals", "decimal(10,2)", ("1.10", "0.29", "12345678.9", "7"), "1", exact(10, 2), "number"),
    Probe(9, "decimals kept as text", "text", ("'31943874831932418390.01'", "'1.10'"), "'1.00'",
          TEXT | {"postgres": "numeric"}),
    Probe(10, "more decimals than declared", "decimal(10,2)", ("1.005",), "1", exact(10, 2), "number",
          refused={SOURCE: "more than 2 decimals"}),
    Probe(11, "last bit", "real", ("1.0/109489", "5e-324", "1.7976931348623157e308", "0.1"), "0.5", DOUBLE, "float"),
    Probe(14, "cut", "text", ("'ab      '",), "'abc'",
          {"postgres": "varchar(3)", "mysql": "varchar(3)", "sqlite": "varchar(3)"},
          refused={"postgres": "longer than 3", "mysql": "longer than 3", "sqlite": "longer than 3"}),
    Probe(15, "bytes", "blob", ("x'00ff5c'", "x''", "NULL"), "x'61'", BYTES, "bytes"),
    Probe(18, "unicode", "text", ("'👨‍👩‍👦'", "'é'", "'é'", "'αβ 中文'", "''", "NULL", "'NULL'"), "'a'", TEXT),
    Probe(19, "json", "json", ("""'{"a": 1, "a":  2, "b":1.10}'""",), "'{}'", TEXT | {"postgres": "json", "mysql": "json"}),
    Probe(50, "escapes", "text", (r"'\'", r"'\\'", "'''); DROP TABLE t'", "'a' || char(10) || 'b'", r"'\N'", "'\"'"), "'a'",
          TEXT),
)  # fmt: skip
"""All of them."""
