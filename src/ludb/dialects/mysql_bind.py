"""Arrow values become SQL literals that the server stores unchanged, or the row is refused.

Strict modes leave holes: 'ab   ' is cut to fit VARCHAR(3), 1.005 rounded to fit DECIMAL(10,2), microseconds cut, 'X' becomes
the ENUM member 'x', '18' the year 2018, all with a note at most. So every value is held against its column's declaration
here, whole columns at a time; what fails is looked at value by value.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.mysql import literal
from ludb.dialects.mysql_schema import BYTES, INTEGERS, SPATIAL, TEXTS, Detail
from ludb.dialects.types import EXACT_FLOAT, is_number
from ludb.errors import ConfigError
from ludb.wording import plural

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]{1,6}))?", re.ASCII)
_TIME = re.compile(r"-?[0-9]{1,3}:[0-5][0-9]:[0-5][0-9](?:\.([0-9]{1,6}))?", re.ASCII)
_WIDE = ("utf8mb4", "utf8mb3", "utf8")
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
_STRINGS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_MOMENTS = (pa.types.is_date, pa.types.is_timestamp, pa.types.is_time, pa.types.is_duration)
_RAW = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
_YEARS = range(1901, 2156)
_US = 6


def bind(values: pa.ChunkedArray, detail: Detail, place: str) -> tuple[pa.Array, Faults]:
    """The literals of one output column (`NULL` where there is no value), and the rows that the column cannot hold.

    Raises `ConfigError` for an Arrow type that has no place in the column, whatever the value; `place` names it.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    array = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if pa.types.is_null(array.type):
        return pa.array(["NULL"] * len(array), pa.string()), {}
    _check_kinds(array.type, detail, place)
    try:
        found = _quick(array, detail)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, OverflowError):
        found = None
    if found is not None:
        return pc.fill_null(found, "NULL"), {}
    literals: list[str] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, scalar in enumerate(array):
        try:
            literals.append(_slow(scalar, detail) if scalar.is_valid else "NULL")
        except (ValueError, OverflowError) as error:
            literals.append("NULL")
            reason = str(error) if isinstance(error, ValueError) else "is beyond what can be written"
            faults[row] = (reason, str(scalar))
    return pa.array(literals, pa.string()), faults


def _check_kinds(kind: pa.DataType, detail: Detail, place: str) -> None:
    if not _is(kind, (*_NUMBERS, *_STRINGS, *_MOMENTS, *_RAW)):
        raise ConfigError(
            f"{place}: a value of type {kind} has no place in a MySQL column",
            remedy="Turn it into text or numbers in the step, for example with to_json()",
        )
    zoned = pa.types.is_timestamp(kind) and kind.tz is not None
    if zoned and detail.kind == "datetime":
        raise ConfigError(
            f"{place}: a moment with a zone has no place in a DATETIME column, which knows no zone",
            remedy="Say in the step whose clock it shall show: moment AT TIME ZONE 'UTC'",
        )


def _quick(  # noqa: PLR0911  (one way out per kind)
    array: pa.Array, detail: Detail
) -> pa.Array | None:
    """All literals at once; None, or an error, where each value must be looked at."""
    kind = array.type
    if detail.kind in INTEGERS or detail.kind == "bit":
        return _quick_integers(array, detail)
    if detail.kind == "decimal" and detail.precision <= 38 and (pa.types.is_decimal(kind) or pa.types.is_integer(kind)):
        if pa.types.is_integer(kind):
            array = array.cast(pa.decimal128(20, 0))
        return array.cast(pa.decimal128(detail.precision, detail.scale or 0)).cast(pa.string())
    if detail.kind in ("float", "double") and pa.types.is_floating(kind) and detail.scale is None:
        return _quick_floats(array.cast(pa.float64()), detail)
    if detail.kind in ("date", "datetime", "timestamp") and _is(kind, (pa.types.is_date, pa.types.is_timestamp)):
        return _quick_moments(array, detail)
    if detail.kind in TEXTS and detail.kind not in ("enum", "set") and _is(kind, _STRINGS):
        return _quoted(array) if _fits(array.cast(pa.string()), detail) else None
    if (detail.kind in BYTES or detail.kind in SPATIAL) and _is(kind, _RAW):
        return _hex(array.cast(pa.binary()), detail)
    return None


def _quick_integers(array: pa.Array, detail: Detail) -> pa.Array | None:
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if not pa.types.is_integer(array.type):
        return None
    held = pc.min_max(array).as_py()
    low, high = _bounds(detail)
    if held["min"] is not None and (held["min"] < low or held["max"] > high):
        return None
    return array.cast(pa.string())


def _quick_floats(array: pa.Array, detail: Detail) -> pa.Array | None:
    if not pc.all(pc.is_finite(array), min_count=0).as_py():
        return None
    if pc.any(pc.and_(pc.equal(array, 0.0), pc.starts_with(array.cast(pa.string()), "-"))).as_py():
        return None  # -0.0
    if detail.kind == "float":
        near = array.cast(pa.float32(), safe=False).cast(pa.float64())
        if not pc.all(pc.equal(near, array), min_count=0).as_py():
            return None
    text = array.cast(pa.string())
    return pc.if_else(pc.match_substring(text, "e"), text, pc.binary_join_element_wise(text, "e0", ""))


def _quick_moments(array: pa.Array, detail: Detail) -> pa.Array | None:
    moments = array.cast(pa.timestamp("us", getattr(array.type, "tz", None))).cast(pa.timestamp("us"))
    years = pc.min_max(pc.year(moments)).as_py()
    if years["min"] is not None and not 1 <= years["min"] <= years["max"] <= 9999:
        return None
    ticks = moments.cast(pa.int64())
    step = 86_400_000_000 if detail.kind == "date" else 10 ** (_US - detail.fraction)
    if not pc.all(pc.equal(pc.multiply(pc.divide(ticks, step), step), ticks), min_count=0).as_py():
        return None
    text = moments.cast(pa.date32()).cast(pa.string()) if detail.kind == "date" else moments.cast(pa.string())
    return pc.binary_join_element_wise("'", text, "'", "")


def _fits(array: pa.Array, detail: Detail) -> bool:
    """Whether every text has room in its column, and keeps its trailing blanks there."""
    if detail.kind in ("char", "varchar"):
        if (pc.max(pc.utf8_length(array)).as_py() or 0) > detail.length:
            return False
        return detail.kind == "varchar" or not pc.any(pc.ends_with(array, " ")).as_py()
    size = pc.binary_length(array) if detail.charset in _WIDE else pc.utf8_length(array)
    return (pc.max(size).as_py() or 0) <= detail.octets


def _quoted(array: pa.Array) -> pa.Array:
    text = array.cast(pa.string())
    for found, put in (("\\", "\\\\"), ("'", "''"), ("\0", "\\0")):
        text = pc.replace_substring(text, found, put)
    return pc.binary_join_element_wise("'", text, "'", "")


def _hex(array: pa.Array, detail: Detail) -> pa.Array | None:
    sizes = pc.min_max(pc.binary_length(array)).as_py()
    if sizes["min"] is None:
        return array.cast(pa.string())
    if detail.kind in BYTES and sizes["max"] > detail.octets:
        return None
    if detail.kind == "binary" and sizes["min"] < detail.octets:
        return None
    return pa.array([None if value is None else _hex_literal(value) for value in array.to_pylist()], pa.string())


def _hex_literal(value: bytes) -> str:
    return f"0x{value.hex()}" if value else "''"


def _slow(scalar: Any, detail: Detail) -> str:
    """One value's literal; `ValueError` says why the column cannot hold it."""
    kind = scalar.type
    for kinds, write in _WRITERS:
        if detail.kind in kinds:
            return write(scalar, kind, detail)
    if not _is(kind, _STRINGS):
        raise ValueError(f"has no place in a column of type {detail.column.native}")
    return literal(scalar.as_py())


def _integer(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    number = _whole(scalar.as_py(), kind, detail)
    if detail.kind == "year":
        if number != 0 and number not in _YEARS:
            raise ValueError("is not a year from 1901 to 2155, nor 0")
        return str(number)
    low, high = _bounds(detail)
    if not low <= number <= high:
        raise ValueError(f"is out of range for {detail.column.native}")
    return str(number)


def _whole(value: Any, kind: pa.DataType, detail: Detail) -> int:
    if _is(kind, _STRINGS):
        if not _INTEGER.fullmatch(value):
            raise ValueError("is text that is not a whole number")
        return int(value)
    if not isinstance(value, int | float | Decimal):
        raise ValueError(f"is not a number, and the column is {detail.column.native}")  # noqa: TRY004  (a fault of the row)
    exact = not isinstance(value, float) or abs(value) <= EXACT_FLOAT
    if not exact or value != int(value):
        raise ValueError("is not a whole number")
    return int(value)


def _bounds(detail: Detail) -> tuple[int, int]:
    if detail.kind == "bit":
        return 0, 2**detail.precision - 1
    bits = INTEGERS[detail.kind]
    return (0, 2**bits - 1) if detail.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _as_decimal(scalar: Any, kind: pa.DataType, detail: Detail) -> Decimal:
    value = scalar.as_py()
    if _is(kind, _STRINGS):
        if not is_number(value):
            raise ValueError("is text that is not a number")
        return Decimal(value)
    if not _is(kind, _NUMBERS):
        raise ValueError(f"is not a number, and the column is {detail.column.native}")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is not a finite number, and MySQL knows no other")
        return Decimal(repr(value))
    return Decimal(value)


def _decimal(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    value, scale = _as_decimal(scalar, kind, detail), detail.scale or 0
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0")
    exponent += len(digits) - len(text) if text else 0
    if text and -exponent > scale:
        raise ValueError(f"has more than {scale} decimals ({detail.column.native})")
    if text and len(text.lstrip("0")) + exponent > detail.precision - scale:
        raise ValueError(f"has more than {detail.precision - scale} digits before the point ({detail.column.native})")
    if detail.unsigned and sign and text:
        raise ValueError(f"is negative ({detail.column.native})")
    return format(value, "f")


def _float(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    value = _as_decimal(scalar, kind, detail)
    number = float(value)
    if pa.types.is_floating(kind) and number == 0 and math.copysign(1, scalar.as_py()) < 0:
        raise ValueError("is -0.0, of which the server would lose the sign")
    if math.isinf(number) or Decimal(repr(number)) != value:
        raise ValueError(f"has more digits than {detail.column.native} can hold")
    if detail.kind == "float" and struct.unpack("f", struct.pack("f", number))[0] != number:
        raise ValueError("is not exact in a FLOAT column: use DOUBLE, or round it in the step")
    if detail.scale is not None:
        return _decimal(scalar, kind, detail)
    text = repr(number)
    return text if "e" in text else f"{text}e0"


def _moment(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    if _is(kind, _STRINGS):
        text = scalar.as_py()
        found = (_DATE if detail.kind == "date" else _MOMENT).fullmatch(text)
        if not found:
            raise ValueError(f"is text that is no {detail.kind}")
        fraction = (found[1] if detail.kind != "date" else None) or ""
        _check_fraction(fraction, detail)
        return literal(text)
    if not _is(kind, (pa.types.is_date, pa.types.is_timestamp)):
        raise ValueError(f"is no moment, and the column is {detail.column.native}")
    try:
        value = scalar.cast(pa.timestamp("us", getattr(kind, "tz", None))).as_py()
    except (ValueError, OverflowError, pa.ArrowInvalid):
        raise ValueError("is a moment beyond microseconds or the years 1 to 9999") from None
    value = value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
    if detail.kind == "date":
        if value.time() != dt.time():
            raise ValueError("has a time of day, and the column holds dates")
        return literal(value.date().isoformat())
    _check_fraction(f"{value.microsecond:06d}", detail)
    return literal(value.isoformat(sep=" "))


def _check_fraction(fraction: str, detail: Detail) -> None:
    if len(fraction.rstrip("0")) > detail.fraction:
        raise ValueError(f"has more than {detail.fraction} digits of a second ({detail.column.native})")


def _time(scalar: Any, _: pa.DataType, detail: Detail) -> str:
    value = scalar.as_py()
    if isinstance(value, dt.timedelta):
        ticks = value // dt.timedelta(microseconds=1)
        seconds, micros = divmod(abs(ticks), 1_000_000)
        value = (
            f"{'-' if ticks < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micros:06d}"
        )
    elif isinstance(value, dt.time):
        value = value.isoformat()
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found or int(value.lstrip("-").split(":")[0]) > 838:
        raise ValueError("is no duration of at most 838:59:59.999999")
    _check_fraction(found[1] or "", detail)
    return literal(value)


def _text(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    if _is(kind, _RAW):
        raise ValueError(f"is bytes, and the column is {detail.column.native}")
    value = scalar.as_py()
    if isinstance(value, dt.datetime):
        text = value.isoformat(sep=" ")
    elif isinstance(value, dt.date | dt.time):
        text = value.isoformat()
    elif isinstance(value, bool):
        text = str(int(value))
    elif isinstance(value, Decimal):
        text = format(value, "f")
    else:
        text = repr(value) if isinstance(value, float) else str(value)
    if detail.kind == "enum" and text not in detail.members:
        raise ValueError("is none of the members of the ENUM, letter by letter")
    if detail.kind == "set":
        _check_set(text, detail)
    elif detail.kind != "enum" and not _fits(pa.array([text]), detail):
        if detail.kind == "char" and text.endswith(" ") and len(text) <= detail.length:
            raise ValueError(f"ends with a blank, which {detail.column.native} would lose")
        room = (
            plural(detail.length, "character") if detail.kind in ("char", "varchar") else plural(detail.octets, "byte")
        )
        raise ValueError(f"is longer than {room} ({detail.column.native})")
    return literal(text)


def _check_set(text: str, detail: Detail) -> None:
    members = text.split(",") if text else []
    places = [detail.members.index(member) for member in members if member in detail.members]
    if len(places) < len(members):
        raise ValueError("names what is no member of the SET, letter by letter")
    if places != sorted(set(places)):
        raise ValueError("names the members of the SET twice or in another order than it is declared in")


def _bytes(scalar: Any, kind: pa.DataType, detail: Detail) -> str:
    if not _is(kind, _RAW):
        raise ValueError(f"is no bytes, and the column is {detail.column.native}")
    value = scalar.as_py()
    if detail.kind in BYTES and len(value) > detail.octets:
        raise ValueError(f"is longer than {plural(detail.octets, 'byte')} ({detail.column.native})")
    if detail.kind == "binary" and len(value) < detail.octets:
        raise ValueError(
            f"is shorter than {plural(detail.octets, 'byte')}, and the server would pad it ({detail.column.native})"
        )
    return _hex_literal(value)


def _is(kind: pa.DataType, tests: tuple[Callable[[pa.DataType], bool], ...]) -> bool:
    return any(test(kind) for test in tests)


_WRITERS: tuple[tuple[frozenset[str], Callable[[Any, pa.DataType, Detail], str]], ...] = (
    (frozenset({*INTEGERS, "bit", "year"}), _integer),
    (frozenset({"decimal"}), _decimal),
    (frozenset({"float", "double"}), _float),
    (frozenset({"date", "datetime", "timestamp"}), _moment),
    (frozenset({"time"}), _time),
    (TEXTS, _text),
    (BYTES | SPATIAL, _bytes),
)
