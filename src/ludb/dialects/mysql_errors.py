"""What MySQL and MariaDB say went wrong, by what happens next: one function, by error number.

Numbers are those of the servers' own lists (`ER_...`); below 2100 and from 2000 on they are the client's.
"""

from __future__ import annotations

import re

import pymysql

from ludb.errors import ConfigError, LudbError, TransientError, UnitError

DUPLICATE = 1062
LOCKED, DEADLOCK = 1205, 1213

AWAY = frozenset({
    1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927, 2002, 2003, 2006, 2013, 2055, 3159, 4031,
})  # fmt: skip
"""The connection cannot be had or is lost: too many of them, a restart, a kill, a time-out of an idle one, the network."""
IN_THE_WAY = frozenset({
    LOCKED, DEADLOCK, 1020, 1021, 1028, 1114, 1180, 1206, 1290, 1317, 1412, 1613, 1614, 1637, 1836, 1969, 3024, 3058, 3572,
})  # fmt: skip
"""Locks, deadlocks, a record that another transaction changed, statement time-outs, a full disk, a server that is read-only
while another takes over.
"""
OF_THE_DATA = frozenset({
    1022, 1048, 1062, 1136, 1153, 1169, 1216, 1217, 1263, 1264, 1265, 1292, 1300, 1364, 1365, 1366, 1367, 1369, 1406, 1411,
    1416, 1441, 1451, 1452, 1525, 1526, 1557, 1586, 1644, 1690, 1748, 1761, 1762, 3140, 3141, 3155, 3156, 3157, 3158, 3819,
    3903, 4025, 4038, 4161,
})  # fmt: skip
"""A row broke a constraint, or a column cannot hold its value."""
CREDENTIALS = frozenset({1044, 1045, 1698, 1820, 1862, 3118, 4151})
"""The server does not let this user in, or not into this database."""

_NAMED = (
    re.compile(r"for key '(?P<key>[^']*)'\s*$"),
    re.compile(r"for column [`'](?P<column>[^`']+)['`](?: at row \d+)?\s*$"),
    re.compile(r"for column (?:`[^`]*`\.){0,2}`(?P<column>[^`]+)`(?: at row \d+)?\s*$"),
)
_WORDS = {
    1062: "Duplicate entry", 1586: "Duplicate entry", 1264: "Out of range value", 1265: "Data truncated",
    1292: "Incorrect value", 1366: "Incorrect value", 1406: "Data too long", 1411: "Incorrect value",
}  # fmt: skip
_PLAIN = frozenset({1048, 1364, 1216, 1217, 1451, 1452, 3819, 4025})
"""Their texts hold names only."""


def translate(error: pymysql.err.MySQLError, system: str, doing: str) -> LudbError:
    """A driver error by what happens next. No row value stands in the message; what the server said of a row is the
    `detail` of a `UnitError`, which names no unit: whoever wrote the rows finds it.
    """
    number, text = number_of(error), text_of(error)
    if number in OF_THE_DATA or (number == 0 and isinstance(error, pymysql.err.DataError)):
        return UnitError(told(error), detail=text)
    where = f"system {system}: could not {doing}: {text} (error {number})"
    if number in AWAY or number in IN_THE_WAY or isinstance(error, pymysql.err.InterfaceError):
        return TransientError(where, system=system)
    if isinstance(error, pymysql.err.IntegrityError | pymysql.err.DataError):
        return UnitError(told(error), detail=text)
    if number in CREDENTIALS:
        return ConfigError(where, remedy="Mend the user, the password or their rights")
    return ConfigError(where, remedy="Mend the job or the database")


def number_of(error: BaseException) -> int:
    """The server's error number; 0 where the driver gives none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def text_of(error: BaseException) -> str:
    """What the server said, in its own words."""
    return str(error.args[1]) if len(error.args) > 1 else str(error) or type(error).__name__


def told(error: BaseException) -> str:
    """What the server said of a row, without the row's values: the kind of fault and the names of key or column."""
    number, text = number_of(error), text_of(error)
    if number in _PLAIN:
        return text
    words = _WORDS.get(number, f"the server refused a row (error {number})")
    if number == 1644:
        return "a trigger refused the row"
    for pattern in _NAMED:
        found = pattern.search(text)
        if found:
            kind, name = next(iter(found.groupdict().items()))
            return f"{words} for {kind} {name}"
    return words
