"""What a database behind SQLAlchemy says went wrong, by what happens next: one function.

The server's own code decides where the driver hands it over (an SQLSTATE, or a number of MySQL, Oracle or SQL Server), else the
class that every driver of Python's database interface has to raise. Codes of Oracle, SQL Server and DB2 are from their manuals.
"""

from __future__ import annotations

import re

from ludb.errors import ConfigError, LudbError, TransientError, UnitError

_AWAY_STATES = re.compile(r"08...|40...|5[357]...|25P0[34]|58...|72000|HYT0.|IM00[0-9]?")
_DATA_STATES = re.compile(r"2[23]...|44000|P0001|P0004|09000")
_ACCESS_STATES = re.compile(r"28...|3D000|42501")
_NUMBERS: dict[str, tuple[frozenset[int], frozenset[int], frozenset[int]]] = {
    "mysql": (
        frozenset({1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1203, 1205, 1206, 1213, 1226, 1290, 1317, 1412,
                   1613, 1614, 1836, 1927, 1969, 2002, 2003, 2006, 2013, 2055, 3024, 3058, 3159, 3572, 4031}),
        frozenset({1022, 1048, 1062, 1136, 1153, 1169, 1216, 1217, 1263, 1264, 1265, 1292, 1300, 1364, 1365, 1366, 1367, 1369,
                   1406, 1411, 1451, 1452, 1586, 1644, 1690, 3140, 3819, 4025}),
        frozenset({1044, 1045, 1049, 1142, 1143, 1698, 1820}),
    ),
    "oracle": (
        frozenset({28, 54, 60, 1012, 1013, 1033, 1034, 1089, 1090, 1092, 2396, 3113, 3114, 3135, 8177, 12170, 12514, 12528,
                   12537, 12541, 12547, 25408, 30006}),
        frozenset({1, 1400, 1401, 1407, 1426, 1438, 1722, 1839, 1841, 1843, 1847, 2290, 2291, 2292, 12899, 22835,
                   *range(20000, 21000)}),
        frozenset({942, 1017, 1031, 1045, 28000, 28001}),
    ),
    "mssql": (
        frozenset({1204, 1205, 1222, 3960, 10053, 10054, 10060, 40197, 40501, 40613, 20003, 20006, 20047}),
        frozenset({220, 241, 242, 245, 515, 547, 2601, 2627, 2628, 8114, 8115, 8152}),
        frozenset({229, 230, 4060, 18452, 18456}),
    ),
}  # fmt: skip
"""By family: the world was in the way, the data did not fit, access was refused."""
_SQLITE_AWAY = re.compile(r"SQLITE_(BUSY|LOCKED|IOERR|FULL|INTERRUPT|PROTOCOL)")
_SQLITE_DATA = re.compile(r"SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)")
_HOPELESS = re.compile(
    r"authentication failed|no pg_hba|does not exist|is not permitted to log in|no password|could not translate host name"
    r"|certificate|access denied|unknown database|login failed|no such (?:table|column)|unable to open|read-?only",
    re.IGNORECASE,
)


def translate(error: Exception, system: str, doing: str) -> LudbError:
    """An error of SQLAlchemy or of a driver by what happens next. No row value stands in the message: what was said of a row
    is the `detail` of a `UnitError`, which names no unit: whoever wrote the rows finds it.
    """
    said = getattr(error, "orig", None) or error
    kind = _kind(error, said)
    text = _first_line(said)
    if kind == "data":
        return UnitError(f"system {system}: the database refused a row ({_code(said)})", detail=str(said))
    where = f"system {system}: could not {doing}: {text}"
    if kind == "away":
        return TransientError(where, system=system)
    remedy = "Mend the user, the password or their rights" if kind == "access" else "Mend the job or the database"
    return ConfigError(where, remedy=remedy)


def _kind(error: Exception, said: BaseException) -> str:  # noqa: PLR0911  (the order of what is trusted)
    if getattr(error, "connection_invalidated", False):
        return "away"
    sqlite = getattr(said, "sqlite_errorname", "") or ""
    if sqlite:
        return "away" if _SQLITE_AWAY.match(sqlite) else "data" if _SQLITE_DATA.match(sqlite) else "other"
    state, number = _state(said), _number(said)
    for name, numbers in zip(("away", "data", "access"), _NUMBERS.get(_family(said), ()), strict=False):
        if number in numbers:  # a number tells more: MySQL gives a row that is too large the state of a lost connection
            return name
    for name, pattern in (("away", _AWAY_STATES), ("data", _DATA_STATES), ("access", _ACCESS_STATES)):
        if pattern.fullmatch(state):
            return name
    classes = {kind.__name__ for kind in type(said).__mro__}
    if classes & {"IntegrityError", "DataError"}:
        return "data"
    if "InterfaceError" in classes and not state:
        return "away"
    if "OperationalError" in classes and not state:
        return "access" if _HOPELESS.search(str(said)) else "other" if number and _family(said) else "away"
    return "other"


def _state(said: BaseException) -> str:
    """The five letters of SQL's own list of conditions, wherever the driver keeps them; empty if it has none."""
    for name in ("sqlstate", "pgcode"):
        held = getattr(said, name, None)
        if held:
            return str(held)
    if said.args and isinstance(said.args[0], str) and re.fullmatch(r"[0-9A-Z]{5}", said.args[0]):
        return said.args[0]
    found = re.search(r"SQLSTATE[ =:]+([0-9A-Z]{5})", str(said))
    return found[1] if found else ""


def _number(said: BaseException) -> int:
    """The server's own number; 0 where the driver gives none."""
    first = said.args[0] if said.args else None
    code = getattr(first, "code", first)
    return code if isinstance(code, int) and not isinstance(code, bool) else 0


def _family(said: BaseException) -> str:
    """Whose numbers these are, by the driver."""
    module = type(said).__module__.lower()
    drivers = {"mysql": ("mysql", "mariadb"), "oracle": ("oracle",), "mssql": ("pymssql", "pytds")}
    return next((name for name, parts in drivers.items() if any(part in module for part in parts)), "")


def _code(said: BaseException) -> str:
    return _state(said) or getattr(said, "sqlite_errorname", "") or str(_number(said) or type(said).__name__)


def _first_line(said: BaseException) -> str:
    """The server's words; those of a pair (number, words) without the number."""
    text = str(said.args[1]) if len(said.args) > 1 and isinstance(said.args[1], str) else str(said)
    return next((line.strip() for line in text.splitlines() if line.strip()), type(said).__name__)
