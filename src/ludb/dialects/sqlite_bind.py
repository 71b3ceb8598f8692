"""Arrow values become SQLite values that read back unchanged, or the row is refused.

SQLite takes anything and converts some of it by the column's affinity: '007' becomes 7 in an INTEGER column, NaN
becomes NULL, 0.1 + 0.2 in a TEXT column loses digits, -0.0 loses its sign. What a column is declared to hold is taken
by its word here, though SQLite does not: the length of VARCHAR(3), the digits of DECIMAL(10,2), 0 and 1 in BOOLEAN.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.sqlite_schema import affinity, text_length
from ludb.dialects.types import EXACT_DIGITS, EXACT_FLOAT, INT64, from_text, is_number, to_decimal
from ludb.errors import ConfigError
from ludb.model.unit import Column
from ludb.wording import plural

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""

Binder = Callable[[Any, Column], Any]

_FIRST_DAY, _LAST_DAY = (day.toordinal() - dt.date(1970, 1, 1).toordinal() for day in (dt.date.min, dt.date.max))
_NUMERIC_LOOK = r"^\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*$"


def bind(values: pa.ChunkedArray, column: Column, place: str) -> tuple[list[Any], Faults]:
    """The values of one output column as `executemany` takes them, and the rows that the column cannot hold.

    Raises `ConfigError` for an Arrow type that no SQLite column can hold (nested, interval); `place` names the column.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    binder = _binder(kind, place)
    quick = _quick(values, column)
    if quick is not None:
        return quick.to_pylist(), {}
    raw, broken = _objects(values)
    bound: list[Any] = []
    faults = dict(broken)
    for row, value in enumerate(raw):
        try:
            bound.append(None if value is None else binder(value, column))
        except ValueError as error:
            bound.append(None)
            faults[row] = (str(error), repr(value))
    return bound, faults


def _quick(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
    """All values at once as SQLite stores them; None where each must be looked at, which gives the same answer."""
    if pa.types.is_date32(values.type) and _in_calendar(values):
        values = values.cast(pa.string())
    if pa.types.is_decimal128(values.type):
        return _doubles(values, column)
    return values if _fits_as_it_is(values, column) else None


def _fits_as_it_is(values: pa.ChunkedArray, column: Column) -> bool:
    """Whether all values can be bound without a look at each: integers into integer columns, text into text columns."""
    if pa.types.is_integer(values.type):
        return bool(values.type != pa.uint64() and pa.types.is_integer(column.type))
    if not pa.types.is_string(values.type) or not pa.types.is_string(column.type):
        return False
    length = text_length(column.native)
    if length is not None and (pc.max(pc.utf8_length(values)).as_py() or 0) > length:
        return False
    numeric = affinity(column.native) == "NUMERIC"
    return not numeric or not pc.any(pc.match_substring_regex(values, _NUMERIC_LOOK)).as_py()


def _in_calendar(days: pa.ChunkedArray) -> bool:
    """Whether all days lie in the years 1 to 9999, which ISO text can name."""
    found = pc.min_max(days.cast(pa.int32()))
    first, last = found["min"].as_py(), found["max"].as_py()
    return first is None or (first >= _FIRST_DAY and last <= _LAST_DAY)


def _doubles(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
    """Decimals as numbers, where the column keeps numbers and all their digits fit.

    So many digits survive a double, and n / 10**scale is the double nearest to them because both are exact. Affinity
    NUMERIC makes whole numbers integers by itself.
    """
    held, kind = column.type, values.type
    if kind.scale > EXACT_DIGITS or not (pa.types.is_floating(held) or pa.types.is_decimal(held)):
        return None
    digits = EXACT_DIGITS
    if pa.types.is_decimal(held):
        if kind.scale > held.scale:
            return None
        digits = min(digits, held.precision - held.scale + kind.scale)
    try:
        units = values.cast(pa.decimal128(digits, kind.scale)) if kind.precision > digits else values
    except pa.ArrowInvalid:  # somebody's value has more digits: who, and why, is found one by one
        return None
    step = pa.scalar(float(10**kind.scale))
    return pa.chunked_array(
        [pc.divide(_unscaled(chunk).cast(pa.float64()), step) for chunk in units.chunks], pa.float64()
    )


def _unscaled(decimals: pa.Array) -> pa.Array:
    """1.25 of scale 2 as 125."""
    bare = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(decimals), decimals.buffers(), decimals.null_count, decimals.offset
    )
    return bare.cast(pa.int64())


def _objects(values: pa.ChunkedArray) -> tuple[list[Any], dict[int, tuple[str, str]]]:
    """Python objects; moments that Python cannot express (nanoseconds, the year 10,000) are faults of their row."""
    if (
        not pa.types.is_timestamp(values.type)
        and not pa.types.is_date(values.type)
        and not pa.types.is_time(values.type)
    ):
        return values.to_pylist(), {}
    raw: list[Any] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, scalar in enumerate(values):
        try:
            raw.append(_moment(scalar))
        except (ValueError, OverflowError, pa.ArrowInvalid) as error:
            raw.append(None)
            faults[row] = ("is a moment beyond microseconds or the years 1 to 9999", str(error))
    return raw, faults


def _moment(scalar: Any) -> str | None:
    """Date, time or timestamp in ISO form; a timestamp with a zone keeps its offset."""
    if not scalar.is_valid:
        return None
    if pa.types.is_timestamp(scalar.type):
        return str(scalar.cast(pa.timestamp("us", scalar.type.tz)).as_py().isoformat(sep=" "))
    if pa.types.is_time64(scalar.type):
        scalar = scalar.cast(pa.time64("us"))
    return str(scalar.as_py().isoformat())


def _binder(kind: pa.DataType, place: str) -> Binder:
    for test, binder in _BINDERS:
        if test(kind):
            return binder
    raise ConfigError(
        f"{place}: a value of type {kind} has no place in a SQLite column",
        remedy="Turn it into text or numbers in the step, for example with to_json()",
    )


def _text(value: str, column: Column) -> Any:
    kind = affinity(column.native)
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return _integer(_checked(from_text(value, pa.int64())), column)
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        if not is_number(value):
            raise ValueError("is text that is not a number")
        return _decimal(Decimal(value), column)
    if pa.types.is_binary(column.type):
        raise ValueError("is text, and the column holds blobs")
    if kind == "NUMERIC" and re.match(_NUMERIC_LOOK, value):
        raise ValueError(f"is text that SQLite would turn into a number ({column.native} is no text type to it)")
    length = text_length(column.native)
    if length is not None and len(value) > length:
        raise ValueError(f"is longer than {plural(length, 'character')} ({column.native})")
    return value


def _integer(value: int, column: Column) -> Any:
    if pa.types.is_binary(column.type):
        raise ValueError("is a number, and the column holds blobs")
    if pa.types.is_boolean(column.type):
        if value not in (0, 1):
            raise ValueError("is a number other than 0 and 1 for a boolean column")
        return int(value)
    if affinity(column.native) == "TEXT":
        return _text(str(int(value)), column)
    if pa.types.is_decimal(column.type):
        to_decimal(Decimal(value), column.type)
    if value not in INT64:
        raise ValueError("is beyond the 64 bits of a SQLite integer")
    if pa.types.is_floating(column.type) and affinity(column.native) == "REAL" and abs(value) > EXACT_FLOAT:
        raise ValueError("is an integer beyond 2**53, which a double cannot hold")
    return int(value)


def _float(value: float, column: Column) -> Any:
    if math.isnan(value):
        raise ValueError("is NaN, which SQLite would store as NULL")
    if value == 0 and math.copysign(1, value) < 0:
        raise ValueError("is -0.0, of which SQLite would lose the sign")
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        if not value.is_integer() or abs(value) > EXACT_FLOAT:
            raise ValueError("is not an integer")
        return _integer(int(value), column)
    if pa.types.is_binary(column.type):
        raise ValueError("is a number, and the column holds blobs")
    if affinity(column.native) == "TEXT":
        return _text(repr(value), column)
    if pa.types.is_decimal(column.type):
        to_decimal(Decimal(repr(value)), column.type)
    return value


def _decimal(value: Decimal, column: Column) -> Any:
    """A decimal as a number where SQLite keeps all its digits; as text in columns that keep text."""
    kind = affinity(column.native)
    if kind == "TEXT" or not column.native:
        return _text(format(value, "f"), column)
    integral = value == value.to_integral_value()
    if integral and kind != "REAL":
        return _integer(int(value), column)
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        raise ValueError("is not an integer")
    if pa.types.is_binary(column.type):
        raise ValueError("is a number, and the column holds blobs")
    if pa.types.is_decimal(column.type):
        to_decimal(value, column.type)
    number = float(value)
    if math.isinf(number) or Decimal(repr(number)) != value:
        raise ValueError("has more digits than a SQLite number can hold: use a TEXT column")
    return number


def _binary(value: bytes, column: Column) -> bytes:
    if pa.types.is_binary(column.type) or not column.native:
        return value
    raise ValueError(f"is a blob, and the column is {column.native}")


def _checked(value: object) -> int:
    assert isinstance(value, int)
    return value


def _is_text(kind: pa.DataType) -> bool:
    """Moments are text by the time they are bound."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_date, pa.types.is_time)
    return pa.types.is_timestamp(kind) or any(test(kind) for test in tests)


def _is_binary(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)


_BINDERS: tuple[tuple[Callable[[pa.DataType], bool], Binder], ...] = (
    (_is_text, _text),
    (pa.types.is_boolean, _integer),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (_is_binary, _binary),
    (pa.types.is_null, _text),
)
