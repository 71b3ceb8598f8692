"""What files can hold: CSV fields as they stand in the file, JSON values as they stand in a line, and in Parquet the Arrow
values of `from_arrow`. The cases are those of the databases that such files come from.
"""

from __future__ import annotations

from ludb.testing.fidelity.case import DATE, SOURCE, TEXT, TRUTH, WHOLE, Probe, exact
from ludb.testing.fidelity.from_arrow import PROBES as PARQUET

CSV = (
    Probe(18, "unicode in csv", "csv", ("👨‍👩‍👦", "é", "e\u0301", "αβ 中文", '""', "NULL"), "a", TEXT),
    Probe(50, "escapes in csv", "csv", ("\\", "\\\\", "'); DROP TABLE t", '"a\nb"', '"a""b"', '"a,b"', "\\N"), "a", TEXT),
    Probe(9, "decimals in csv", "csv", ("31943874831932418390.01", "1.10", "0.00000000000696"), "1.0",
          TEXT | {"postgres": "numeric"}),
    Probe(9, "declared decimals in csv", "csv", ("1.10", "-0.01"), "1", exact(10, 2), "number", carry="decimal(10,2)"),
    Probe(10, "more decimals than declared", "csv", ("1.005",), "1", exact(10, 2), "number", carry="decimal(10,2)",
          refused={SOURCE: "more than 2 decimals"}),
    Probe(29, "no date in csv", "csv", ("0000-00-00", "2024-02-30"), "2024-02-29", DATE, "moment", carry="date",
          refused={SOURCE: "date"}),
    Probe(32, "no boolean in csv", "csv", ("5", "yes"), "1", TRUTH, "boolean", carry="boolean",
          refused={SOURCE: "boolean"}),
    Probe(44, "two digits in csv", "csv", ("18-04-01",), "2024-02-29", DATE, "moment", carry="date",
          refused={SOURCE: "date"}),
    Probe(51, "no integer in csv", "csv", ("lots", "007", "1.5"), "7", WHOLE, "number", carry="integer",
          refused={SOURCE: "integer"}),
    Probe(52, "no utf-8 in csv", "csv", (b"\xc3", b"\xed\xa0\xbd"), "a", TEXT, refused={SOURCE: "not UTF-8"}),
    Probe(54, "beyond 64 bits in csv", "csv", ("9223372036854775808",), "9223372036854775807", WHOLE, "number",
          carry="integer", refused={SOURCE: "64 bits"}),
)  # fmt: skip
"""Fields of CSV files."""

JSON = (
    Probe(16, "nul in json lines", "jsonl", (r'"a\u0000b"',), '"a"', TEXT, refused={"postgres": "NUL"}),
    Probe(17, "surrogate in json lines", "jsonl", (r'"\ud83d"', r'"a\udc00"'), '"a"', TEXT, refused={SOURCE: "not UTF-8"}),
    Probe(18, "unicode in json lines", "jsonl", (r'"\ud83d\udc68"', '"αβ 中文"', '"e\u0301"', '""', "null"), '"a"', TEXT),
    Probe(21, "numbers in json lines", "jsonl", ("1.10", "12345678901234567890"), "1.5",
          TEXT | {"postgres": "numeric(30,10)", "mysql": "decimal(30,10)"}, "number"),
    Probe(50, "escapes in json lines", "jsonl", (r'"\\"', r'"\"); DROP TABLE t"', r'"a\nb\t\r\n"'), '"a"', TEXT),
)  # fmt: skip
"""Values of JSON lines."""

PROBES = (*CSV, *JSON, *PARQUET)
"""All of them; a Parquet probe's `native` is an Arrow type."""
