"""Arrow values become parameters of a driver, exactly or not at all: what a column would change without a word is refused by row.

Servers speak up about much, but not about all: they cut blanks, round digits and seconds, pad bytes, drop offsets. What
reflection tells of a column is looked at before the row leaves.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ludb.dialects.sqlalchemy import MYSQL
from ludb.dialects.sqlalchemy_schema import Detail
from ludb.dialects.sqlalchemy_types import fraction
from ludb.dialects.types import EXACT_DIGITS, EXACT_FLOAT, INT64, check_names, is_number, to_decimal

Faults = Mapping[int, tuple[str, str]]
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)?", re.ASCII)
_DURATION = re.compile(r"-?[0-9]{2,3}:[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,6}))?", re.ASCII)
_BITS = {
    "TINYINT": 8,
    "SMALLINT": 16,
    "SMALL_INTEGER": 16,
    "MEDIUMINT": 24,
    "INTEGER": 32,
    "BIGINT": 64,
    "BIG_INTEGER": 64,
}
"""Bits of whole numbers, by the names that SQLAlchemy visits their types by."""
_BYTES = {"TINYTEXT": 255, "TEXT": 65_535, "MEDIUMTEXT": 2**24 - 1}
"""Bytes that MySQL's types without a length of their own hold."""
_ESCAPED = re.compile(r"""[\0\n\r\x1a"'\\]""")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)


def bind(values: pa.ChunkedArray, detail: Detail, dialect: str) -> tuple[list[Any], Faults]:
    """One column's values as the driver takes them, and the rows that the column would not keep as they are."""
    write = _WRITERS[detail.kind]
    found: list[Any] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, scalar in enumerate(values):
        try:
            value = scalar.as_py()
            if isinstance(value, list | dict):
                raise ValueError("is a list or a struct: turn it into text in the step")  # noqa: TRY004, TRY301  (a fault of the row)
            found.append(None if value is None else write(value, detail, dialect))
        except (ValueError, OverflowError, pa.ArrowInvalid) as error:
            told = str(error) if type(error) is ValueError else "is beyond what Python can hold: the years 1 to 9999"
            found.append(None)
            faults[row] = (f"{told} ({detail.column.native})", str(scalar))
    return found, faults


def oversized(columns: Sequence[Sequence[Any]], limit: int) -> dict[int, int]:
    """Rows that take more than so many bytes in a statement's text, each with the number of its largest column. What is short
    by its characters is not looked at.
    """
    longest = [max((len(value) for value in column if isinstance(value, str | bytes)), default=0) for column in columns]
    if sum(longest) * 8 <= limit:
        return {}
    found = {}
    for row, values in enumerate(zip(*columns, strict=True)):
        sizes = [_taken(value) for value in values]
        if sum(sizes) > limit:
            found[row] = sizes.index(max(sizes))
    return found


def _taken(value: Any) -> int:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
        return len(value) + len(_ESCAPED.findall(value))
    return len(value.encode()) + len(_ESCAPED.findall(value)) if isinstance(value, str) else 0


class Plain(sa.types.UserDefinedType[Any]):
    """The type of a parameter that the driver gets as it is. SQLAlchemy's own "no type" would take on the column's, and its
    conversions with it: JSON would be wrapped into a string, and SQLite's moments refused.
    """

    cache_ok = True


def bound_type(detail: Detail, dialect: str) -> sa.types.TypeEngine[Any]:
    """The type of the column's parameters: plain where the driver and the server agree by themselves; where they do not, for
    NULL or long values, SQLAlchemy knows better.
    """
    plain = detail.kind in ("other", "uuid", "money", "bits") or isinstance(detail.type, sa.Enum)
    return Plain() if plain or dialect in {"sqlite", *MYSQL} else detail.type


def _integer(value: Any, detail: Detail, dialect: str) -> int:
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise ValueError("is text that is no whole number")
        value = int(value)
    if not isinstance(value, int | float | Decimal):
        raise ValueError("is no number")  # noqa: TRY004  (a fault of the row)
    if isinstance(value, float) and not abs(value) <= EXACT_FLOAT:
        raise ValueError("is no whole number that a double holds exactly")
    if value != int(value):
        raise ValueError("is no whole number")
    number = int(value)
    if dialect == "sqlite" and number not in INT64:
        raise ValueError("is no integer of 64 bits")
    if detail.kind == "bits" and not 0 <= number < 2 ** (detail.length or 1):
        raise ValueError("has more bits")
    _check_range(number, detail.type, dialect)
    return number


def _check_range(number: int, kind: Any, dialect: str) -> None:
    name = str(kind.__visit_name__).upper()
    if dialect in MYSQL and name == "YEAR" and number and not 1901 <= number <= 2155:
        raise ValueError("is no year of 1901 to 2155, and the server would take another one for it")
    bits = _BITS.get(name) if dialect in {"postgresql", *MYSQL} else None
    if bits is not None:
        low = 0 if getattr(kind, "unsigned", False) else -(2 ** (bits - 1))
        if not low <= number < low + 2**bits:
            raise ValueError("is out of range")


def _digits(value: Any) -> Decimal:
    if isinstance(value, str):
        if not is_number(value):
            raise ValueError("is text that is no number")
        return Decimal(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is no finite number")
        return Decimal(repr(value))
    if not isinstance(value, int | Decimal):
        raise ValueError("is no number")  # noqa: TRY004  (a fault of the row)
    return Decimal(value)


def _decimal(value: Any, detail: Detail, dialect: str) -> Any:
    if detail.kind == "decimal" and value == "NaN" and dialect == "postgresql":
        return Decimal("NaN")
    number = _digits(value)
    precision, scale = getattr(detail.type, "precision", None), getattr(detail.type, "scale", None) or 0
    if detail.kind == "money":
        precision, scale = 19, 2
    if precision is not None and scale >= 0:
        _check_room(number, precision, scale)
    if number < 0 and getattr(detail.type, "unsigned", False):
        raise ValueError("is negative")
    if dialect != "sqlite":
        return number
    if number == number.to_integral_value() and int(number) in INT64:
        return int(number)
    if len(number.normalize().as_tuple().digits) > EXACT_DIGITS:
        raise ValueError(f"has more than the {EXACT_DIGITS} digits that SQLite keeps of a number")
    return float(number)


def _check_room(number: Decimal, precision: int, scale: int) -> None:
    if precision <= 38 and scale <= precision:
        to_decimal(number, pa.decimal128(precision, scale))
        return
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0")
    exponent += len(digits) - len(text)
    if text and (-exponent > scale or len(text.lstrip("0")) + exponent > precision - scale):
        raise ValueError("has more digits before or behind the point")


def _float(value: Any, detail: Detail, dialect: str) -> float:
    if isinstance(value, float):
        number = value
        if not math.isfinite(number) and dialect != "postgresql" and not (dialect == "sqlite" and math.isinf(number)):
            raise ValueError("is no finite number")
        if dialect in {"sqlite", *MYSQL} and number == 0 and math.copysign(1, number) < 0:
            raise ValueError("is -0.0, of which the database would lose the sign")
    else:
        digits = _digits(value)
        number = float(digits)
        if math.isinf(number) or Decimal(repr(number)) != digits:
            raise ValueError("has more digits than a double")
    if detail.kind == "single" and not math.isnan(number):
        try:
            kept = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            kept = None
        if kept != number:
            raise ValueError("is not exact in a float of 32 bits: round it in the step")
    return number


def _boolean(value: Any, _: Detail, dialect: str) -> Any:
    value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, int | Decimal) or value not in (0, 1):
        raise ValueError("is neither 0 nor 1")
    return bool(value) if dialect not in {"sqlite", *MYSQL} else int(value)


def _text(value: Any, detail: Detail, dialect: str) -> str:
    text = _spelled(value)
    if dialect == "postgresql" and "\0" in text:
        raise ValueError("holds NUL, which PostgreSQL cannot hold in text")
    most = _BYTES.get(str(detail.type.__visit_name__)) if dialect in MYSQL else None
    if most is not None and text.endswith(" ") and len(text.encode()) > most:
        raise ValueError(f"is longer than {most} bytes, and the server would cut its blanks")
    members = getattr(detail.type, "enums", None)
    if members and text not in members:
        raise ValueError("is none of the members, letter by letter")
    if dialect in MYSQL and str(detail.type.__visit_name__) == "SET":
        _check_set(text, detail.type)
    elif detail.length is not None and not members and len(text) > detail.length:
        raise ValueError(f"is longer than {detail.length} characters")
    elif dialect in MYSQL and isinstance(detail.type, sa.CHAR) and text.endswith(" "):
        raise ValueError("ends with a blank, which the server would lose")
    return text


def _check_set(text: str, kind: Any) -> None:
    members, known = text.split(",") if text else [], list(kind.values)
    places = [known.index(member) for member in members if member in known]
    if len(places) < len(members) or places != sorted(set(places)):
        raise ValueError("names no member of the SET, or names them in another order than it is declared in")


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        raise ValueError("is bytes, and the column holds text")  # noqa: TRY004  (a fault of the row)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    return repr(value) if isinstance(value, float) else str(value)


def _bytes(value: Any, detail: Detail, _: str) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("is no bytes, and the column holds bytes")  # noqa: TRY004  (a fault of the row)
    if detail.length is not None and len(value) > detail.length:
        raise ValueError(f"is longer than {detail.length} bytes")
    if str(detail.type.__visit_name__) == "BINARY" and detail.length is not None and len(value) < detail.length:
        raise ValueError(f"is shorter than {detail.length} bytes, and the server would pad it")
    return value


def _date(value: Any, _: Detail, dialect: str) -> Any:
    found = _moment_of(value)
    if found.time() != dt.time():
        raise ValueError("has a time of day, and the column holds dates")
    return found.date().isoformat() if dialect == "sqlite" else found.date()


def _timestamp(value: Any, detail: Detail, dialect: str) -> Any:
    found = _moment_of(value)
    _check_fraction(found.microsecond, detail, dialect)
    zoned = getattr(detail.column.type, "tz", None) is not None
    if zoned != (found.tzinfo is not None):
        there = "the column has one" if zoned else "the column has none"
        raise ValueError(
            f"is a moment {'without' if zoned else 'with'} a zone, and {there}: say in the step which zone is meant"
        )
    if dialect == "sqlite":
        return found.isoformat(sep=" ")
    # MySQL's sessions are in UTC, and its drivers leave offsets out.
    return found.astimezone(dt.UTC).replace(tzinfo=None) if zoned and dialect in MYSQL else found


def _moment_of(value: Any) -> dt.datetime:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return dt.datetime.fromisoformat(value)
    if isinstance(value, dt.datetime):
        if getattr(value, "nanosecond", 0):
            raise ValueError("has more than microseconds")
        return value
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    raise ValueError("is no moment")


def _time(value: Any, detail: Detail, dialect: str) -> Any:
    if isinstance(value, str) and _DURATION.fullmatch(value) and len(value.partition(".")[0]) == 8 and value < "24":
        value = dt.time.fromisoformat(value)
    if not isinstance(value, dt.time):
        raise ValueError("is no time of a day")  # noqa: TRY004  (a fault of the row)
    _check_fraction(value.microsecond, detail, dialect)
    return value.isoformat() if dialect == "sqlite" else value


def _check_fraction(microseconds: int, detail: Detail, dialect: str) -> None:
    kept = fraction(detail.type, dialect)
    if len(f"{microseconds:06d}".rstrip("0")) > kept:
        raise ValueError(f"has more than {kept} digits of a second")


def _other(value: Any, detail: Detail, dialect: str) -> Any:
    """Text in the server's own form, which it reads itself. MySQL's TIME would take much for a duration."""
    if dialect in MYSQL and isinstance(detail.type, sa.Time):
        if isinstance(value, dt.timedelta):
            ticks = value // dt.timedelta(microseconds=1)
            seconds, micros = divmod(abs(ticks), 1_000_000)
            value = f"{'-' if ticks < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"
        text = _spelled(value)
        found = _DURATION.fullmatch(text)
        if not found or int(text.lstrip("-").split(":")[0]) > 838:
            raise ValueError("is no duration of at most 838:59:59.999999")
        _check_fraction(int(f"{found[1] or '0':0<6}"), detail, dialect)
        return text
    text = _spelled(value)
    if dialect == "postgresql":
        _check_parts(text, detail.type)
    return text


def _check_parts(text: str, kind: Any) -> None:
    """What PostgreSQL would change within a value: it keeps one of two members of a name, and rounds and cuts elements."""
    if "\0" in text:
        raise ValueError("holds NUL, which PostgreSQL cannot hold in text")
    name = str(kind.__visit_name__).upper()
    if name == "JSONB":
        check_names(text)
    part = getattr(kind, "item_type", kind if name == "INTERVAL" else None)
    if any(getattr(part, limit, None) is not None for limit in ("precision", "length")):
        raise ValueError("could be rounded or cut by the server, which is not looked at here: say type: postgres")


_WRITERS: dict[str, Callable[[Any, Detail, str], Any]] = {
    "integer": _integer, "bits": _integer, "decimal": _decimal, "money": _decimal, "float": _float, "single": _float,
    "boolean": _boolean, "text": _text, "uuid": _other, "binary": _bytes, "date": _date, "timestamp": _timestamp, "time": _time,
    "other": _other,
}  # fmt: skip
