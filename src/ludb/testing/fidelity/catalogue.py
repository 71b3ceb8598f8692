"""The 62 cases by number, and the probes of each system."""

from __future__ import annotations

from collections.abc import Mapping

from ludb.testing.fidelity import from_files, from_mysql, from_postgres, from_sqlite
from ludb.testing.fidelity.case import Outcome, Probe

TITLES: Mapping[int, str] = {
    1: "infinite dates and moments",
    2: "dates before the year 1 and after the year 9999",
    3: "24:00:00 and leap seconds",
    4: "intervals of months, days and seconds",
    5: "times of day with an offset",
    6: "instants and digits around changes of the clock",
    7: "microseconds into a column of fewer digits",
    8: "numeric NaN and Infinity",
    9: "decimals of many digits, and their scale",
    10: "rounding and overflow of decimals",
    11: "floats to the last bit: NaN, infinity, -0.0",
    12: "money, shaped by a locale",
    13: "blanks that pad a char(n)",
    14: "text cut to fit without an error",
    15: "bytes with NUL, arrays of bytes",
    16: "NUL in text and in JSON",
    17: "half a surrogate pair",
    18: "emoji, combining forms, other scripts",
    19: "repeated keys, order and blanks of json",
    20: "JSON null and SQL NULL",
    21: "numbers in JSON with every digit",
    22: "arrays: empty, nested, quoted, with bounds",
    23: "UUIDs as uuid, text and bytes",
    24: "bit strings with leading zeros",
    25: "types that one system alone knows",
    26: "identity columns and their sequences",
    27: "generated columns",
    28: "large objects",
    29: "zero dates",
    30: "TIME as a duration of up to 838 hours",
    31: "unsigned integers of 64 bits",
    32: "TINYINT(1) that holds more than 0 and 1",
    33: "BIT(1) and BIT(64)",
    34: "DECIMAL(65,30)",
    35: "FLOAT 5.6 that is not 5.6",
    36: "ENUM members with commas, and the error value",
    37: "SET and its order",
    38: "three-byte character sets",
    39: "keys that a collation takes as equal",
    40: "keys that collide in the target's collation",
    41: "text in a wrong or another character set",
    42: "TIMESTAMP and the zone of the session",
    43: "ON UPDATE CURRENT_TIMESTAMP at the source",
    44: "YEAR, and dates with years of two digits",
    45: "JSON kept as text",
    46: "BINARY(n) and its padding",
    47: "servers that cut and clamp with warnings only",
    48: "AUTO_INCREMENT and the number 0",
    49: "a value beyond max_allowed_packet",
    50: "backslashes and quotes",
    51: "values of another kind than their column",
    52: "bytes that are no UTF-8 in text",
    53: "NUL inside a text of SQLite",
    54: "integers beyond 64 bits, results that are no number",
    55: "dates in several forms in one column",
    56: "NULL in keys, and orphans",
    57: "names of every kind",
    58: "shapes: no key, no column, duplicates, trees, circles",
    59: "one bad row of 10,000",
    60: "calls that are in doubt, repeated or answered late",
    61: "limits of JSON payloads",
    62: "empty and huge units, units moved or gone already",
}
"""What each case is about."""

EVERYWHERE: Mapping[int, Outcome] = {39: "arrives", 57: "arrives", 58: "arrives", 59: "refused", 62: "arrives"}
"""Cases of names and shapes, which every system can have: what becomes of them in every pair."""

PROBES: Mapping[str, tuple[Probe, ...]] = {
    "postgres": from_postgres.PROBES,
    "mysql": from_mysql.PROBES,
    "sqlite": from_sqlite.PROBES,
    "files": from_files.PROBES,
}
"""Source system -> what it can hold."""
