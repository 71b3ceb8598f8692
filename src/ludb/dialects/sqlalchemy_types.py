"""From a SQLAlchemy type to what travels: the kind of value, its Arrow type, and why a column cannot be carried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL

Kind = Literal[
    "integer", "bits", "decimal", "money", "float", "single", "boolean", "date", "timestamp", "time", "text", "uuid", "binary",
    "other",
]  # fmt: skip
"""What a column holds. `single` is a float of 32 bits; `other` is carried as the text that the server makes of it."""
Carried = tuple[Kind, pa.DataType, str | None]
Type = sa.types.TypeEngine[Any]

AS_TEXT = frozenset({"postgresql", "mysql", "mariadb", "sqlite"})
"""Dialects whose text form of every type is exact, and where a cast to text is known to give it."""
_SINGLE = {("postgresql", "REAL"), ("mssql", "REAL"), ("mysql", "FLOAT"), ("mariadb", "FLOAT")}
_INSTANTS = {("mysql", "TIMESTAMP"), ("mariadb", "TIMESTAMP"), ("mssql", "DATETIMEOFFSET")}
_FINE = {"DATETIME2", "DATETIMEOFFSET", "TIME"}
_OWN: dict[tuple[str, str], Carried] = {
    ("mssql", "MONEY"): ("decimal", pa.decimal128(19, 4), None),
    ("mssql", "SMALLMONEY"): ("decimal", pa.decimal128(10, 4), None),
    ("postgresql", "MONEY"): ("money", pa.decimal128(19, 2), None),
    ("postgresql", "OID"): ("other", pa.string(), "it points to a large object, which is not in the table"),
}
_UNKNOWN = "ludb knows no exact form of it: read it by a view that turns it into text or bytes"
_TOO_FINE = "it holds more than microseconds, which the driver would cut: read it by a view with six digits of a second"


def carried(native: Type, dialect: str) -> Carried:
    """How a column of this type travels; the last part says why it cannot, None if it can."""
    if hasattr(native, "data_type"):  # a domain is what it stands for
        return carried(native.data_type, dialect)
    name = str(native.__visit_name__).upper()
    special = _special(native, name, dialect)
    if special is not None:
        return special
    for kind, found in _FAMILIES:
        if isinstance(native, kind):
            return found(native, name, dialect)
    if isinstance(native, sa.types.NullType) and dialect == "sqlite":
        return "text", pa.string(), None  # no declared type: a number there is refused by row
    known = dialect in AS_TEXT and not (dialect in MYSQL and isinstance(native, sa.types.NullType))
    return "other", pa.string(), None if known else _UNKNOWN


def fraction(native: Type, dialect: str) -> int:
    """How many digits of a second a column keeps, as far as its type tells."""
    name = str(native.__visit_name__).upper()
    if dialect in MYSQL:
        return getattr(native, "fsp", None) or 0
    if (dialect, name) in (("oracle", "DATE"), ("mssql", "SMALLDATETIME"), ("mssql", "DATETIME")):
        return 0
    digits = getattr(native, "precision", None)
    return 6 if digits is None else int(digits)


def _special(native: Type, name: str, dialect: str) -> Carried | None:
    """What a dialect's own types are, which no family of SQLAlchemy tells."""
    if dialect in MYSQL:
        return _of_mysql(native, name)
    digits = getattr(native, "precision", None)
    if dialect == "mssql" and name in _FINE and (digits is None or digits > 6):
        return (*_moment(native, name, dialect)[:2], _TOO_FINE)
    return _OWN.get((dialect, name))


def _of_mysql(native: Any, name: str) -> Carried | None:
    if name == "BIT":
        length = native.length or 1
        return "bits", pa.bool_() if length == 1 else pa.uint64() if length == 64 else pa.int64(), None
    if name == "YEAR":
        return "integer", pa.int64(), None
    if name == "TIME":
        return "other", pa.string(), None  # a duration of up to 838 hours
    return ("integer", pa.uint64(), None) if name == "BIGINT" and native.unsigned else None


def _decimal(native: Any, _: str, __: str) -> Carried:
    precision, scale = native.precision, native.scale or 0
    if scale < 0:
        precision, scale = (precision or 0) - scale, 0
    if not precision or precision > 38 or scale > precision:
        return "decimal", pa.string(), None
    return "decimal", pa.decimal128(precision, scale), None


def _float(_: Type, name: str, dialect: str) -> Carried:
    single = (dialect, name) in _SINGLE
    return ("single", pa.float32(), None) if single else ("float", pa.float64(), None)


def _moment(native: Any, name: str, dialect: str) -> Carried:
    if isinstance(native, sa.Date):
        return "date", pa.date32(), None
    if isinstance(native, sa.Time):
        zoned = bool(getattr(native, "timezone", False))
        return (
            ("other", pa.string(), None if dialect in AS_TEXT else _UNKNOWN)
            if zoned
            else ("time", pa.time64("us"), None)
        )
    zoned = bool(getattr(native, "timezone", False)) or (dialect, name) in _INSTANTS
    return "timestamp", pa.timestamp("us", "UTC") if zoned else pa.timestamp("us"), None


def _plainly(kind: Kind, arrow: pa.DataType) -> Callable[[Any, str, str], Carried]:
    return lambda *_: (kind, arrow, None)


_FAMILIES: tuple[tuple[Any, Callable[[Any, str, str], Carried]], ...] = (
    (sa.Boolean, _plainly("boolean", pa.bool_())),
    (sa.Float, _float),
    (sa.Numeric, _decimal),
    (sa.Integer, _plainly("integer", pa.int64())),
    ((sa.DateTime, sa.Date, sa.Time), _moment),
    (sa.types._Binary, _plainly("binary", pa.binary())),  # noqa: SLF001  (the only name of what all byte types share)
    (sa.Uuid, _plainly("uuid", pa.string())),
    (sa.String, _plainly("text", pa.string())),
)
