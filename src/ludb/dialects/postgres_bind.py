"""Arrow columns become columns that PostgreSQL reads as the very same values, by CSV or binary COPY, or the row is refused.

What the server itself refuses is left to it: it speaks, and the unit is found. Here are the changes that it makes without a
word: it rounds numbers and seconds, cuts trailing blanks, drops an offset or a time of day, reads 'today' as a date,
and turns a decimal into the nearest double.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ludb.dialects.postgres_schema import Type
from ludb.dialects.types import EXACT_FLOAT, check_names
from ludb.errors import ConfigError
from ludb.wording import plural

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""

_TEXTS = ("text", "varchar", "bpchar", "name", "citext")
_INTEGERS = ("int2", "int4", "int8", "oid")
_FLOATS = ("float4", "float8")
_DECIMALS = ("numeric", "money")
_DAY = r"[0-9]{4,}-[0-9]{2}-[0-9]{2}"
_ERA = r"(?: BC)?"
_OFFSET = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)"
_MOMENTS = ("date", "timestamp", "timestamptz", "time", "timetz")
_NUL = "holds a NUL character, which PostgreSQL cannot keep"
_TRUTHS = {"t": "t", "true": "t", "1": "t", "f": "f", "false": "f", "0": "f"}


def bind(values: pa.ChunkedArray, kind: Type, place: str) -> tuple[pa.Array, Faults]:
    """The values of one output column as `as_csv` and `binary` write them, and the rows that the column would not keep as they
    are.

    Raises `ConfigError` where no value of this Arrow type can go into the column unchanged; `place` names the column.
    """
    held = values.combine_chunks()
    if isinstance(held, pa.ChunkedArray):
        held = held.chunk(0) if held.num_chunks else pa.array([], held.type)
    if pa.types.is_dictionary(held.type):
        held = held.dictionary_decode()
    if pa.types.is_null(held.type):
        return held.cast(pa.string()), {}
    return _bound(held, kind, place)


def as_csv(rows: pa.Table) -> memoryview:
    """Bound columns as CSV."""
    columns = [_csv_column(rows.column(name).combine_chunks()) for name in rows.column_names]
    text = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="all_valid")
    pyarrow.csv.write_csv(pa.table(columns, names=rows.column_names), text, options)
    return text.getbuffer()


def _csv_column(held: pa.Array) -> pa.Array:
    if pa.types.is_binary(held.type):
        return pa.array([None if value is None else "\\x" + value.hex() for value in held.to_pylist()], pa.string())
    return _moment_text(held) if _is_moment(held.type) else held


def _bound(held: pa.Array, kind: Type, place: str) -> tuple[pa.Array, Faults]:
    if kind.name == "bytea" or _is_binary(held.type):
        return _bytes(held, kind, place), {}
    if _is_nested(held.type):
        raise _no_place(held, kind, place, "Turn it into text in the step, for example with to_json()")
    if kind.name in _MOMENTS:
        return _moments(held, kind, place)
    if _is_moment(held.type):
        held = _moment_text(held)
    if kind.name in _DECIMALS:
        return _checked(held, lambda value: _decimal(value, kind), _plainly_decimal(held, kind))
    if kind.name in _FLOATS:
        return _checked(held, lambda value: _double(value, kind), _plainly_float(held, kind))
    if kind.name in _INTEGERS:
        return _checked(held, _integer, pa.types.is_integer(held.type))
    if pa.types.is_boolean(held.type) and kind.name != "bool":
        held = pc.if_else(held, "true", "false")
    text = held.cast(pa.string()) if _is_text(held.type) else None
    form = _FORMS.get(kind.name) if text is not None else None
    check = form or (lambda value: _text(value, kind))
    plainly = pa.types.is_boolean(held.type) or (form is None and _fits(text, kind))
    return _checked(held if text is None else text, check, plainly)


def _checked(held: pa.Array, check: Callable[[Any], Any], plainly: Any) -> tuple[pa.Array, Faults]:
    """All values as they are where they plainly fit; else value by value, by a check that gives the text to write."""
    if plainly:
        return held, {}
    bound: list[str | None] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, value in enumerate(held.to_pylist()):
        try:
            bound.append(None if value is None else str(check(value)))
        except ValueError as error:
            bound.append(None)
            faults[row] = (str(error), repr(value))
    return pa.array(bound, pa.string()), faults


def _bytes(held: pa.Array, kind: Type, place: str) -> pa.Array:
    if kind.name != "bytea" or not _is_binary(held.type):
        raise _no_place(held, kind, place, "Convert it in the step, for example with encode() or decode()")
    return held.cast(pa.binary())


def _text(value: Any, kind: Type) -> str:
    text = value if isinstance(value, str) else _plain(value)
    if "\0" in text:
        raise ValueError(_NUL)
    length = 63 if kind.name == "name" else kind.length
    size = len(text.encode()) if kind.name == "name" else len(text.rstrip(" ") if kind.name == "bpchar" else text)
    if length is not None and size > length:
        raise ValueError(f"is longer than {plural(length, 'character')}")
    return text


def _truth(text: str) -> str:
    """PostgreSQL would also take `yes`, `on`, `tr` and blanks around them."""
    if text.lower() not in _TRUTHS:
        raise ValueError("is no boolean (t, f, true, false, 1, 0)")
    return _TRUTHS[text.lower()]


def _json(text: str) -> str:
    """JSON for `jsonb`, which would keep one of several members of one name. What is no JSON is left to the server."""
    check_names(text)
    if "\0" in text:
        raise ValueError(_NUL)
    return text


_FORMS: Mapping[str, Callable[[str], str]] = {"bool": _truth, "jsonb": _json}
"""Texts whose form is looked at: the server would read more than one form, or keep less than what stands there."""


def _fits(text: pa.Array | None, kind: Type) -> bool:
    if text is None or kind.name == "name" or pc.any(pc.match_substring(text, "\0")).as_py():
        return False
    return kind.length is None or (pc.max(pc.utf8_length(text)).as_py() or 0) <= kind.length


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]+", value, re.ASCII):
            raise ValueError("is no integer")
        return int(value)
    if isinstance(value, float) and not (value.is_integer() and abs(value) <= EXACT_FLOAT):
        raise ValueError("is no integer")
    if isinstance(value, Decimal) and value != value.to_integral_value():
        raise ValueError("is no integer")
    return int(value)


def _plainly_decimal(held: pa.Array, kind: Type) -> bool:
    """Whether all values have no more digits than the column, by their type or by a cast that would tell."""
    if not pa.types.is_decimal(held.type) and not pa.types.is_integer(held.type):
        return False
    if kind.name == "numeric" and kind.digits is None:
        return True
    _, scale = kind.digits or (19, 2)
    return scale >= 0 if pa.types.is_integer(held.type) else bool(held.type.scale <= scale)


def _decimal(value: Any, kind: Type) -> str:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity") and kind.name == "numeric":
        return value
    number = _number(value)
    if not number.is_finite():
        return {True: "NaN", False: "Infinity" if number > 0 else "-Infinity"}[number.is_nan()]
    digits = (19, 2) if kind.name == "money" else kind.digits
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    if digits is not None and number and -exponent > digits[1]:
        raise ValueError(f"has more than {digits[1]} decimals, and would be rounded")
    return format(number, "f")


def _number(value: Any) -> Decimal:
    """A value as a decimal with all its digits; a double is what it prints."""
    try:
        return Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError, TypeError):
        raise ValueError("is no number") from None


def _plainly_float(held: pa.Array, kind: Type) -> bool:
    if pa.types.is_float32(held.type):
        return kind.name == "float4"
    return bool(pa.types.is_float64(held.type) and kind.name == "float8")


def _double(value: Any, kind: Type) -> str:
    """The shortest text that the server reads back as this very number."""
    if isinstance(value, float):
        number = value
    else:
        exact = _number(value)
        number = float(exact)
        if exact.is_finite() and (math.isinf(number) or Decimal(repr(number)) != exact):
            raise ValueError("has more digits than a double can hold")
    if kind.name == "float4":
        single = pa.scalar(number).cast(pa.float32(), safe=False)
        same = single.as_py() == number or math.isnan(number)
        if not same and not (isinstance(value, str | Decimal) and _printed(single) == Decimal(repr(number))):
            raise ValueError("has more digits than a real can hold: cast it to REAL in the step")
    return repr(number)


def _printed(single: Any) -> Decimal:
    """A float of four bytes as it is printed: 0.1."""
    return Decimal(single.cast(pa.string()).as_py())


def _moments(held: pa.Array, kind: Type, place: str) -> tuple[pa.Array, Faults]:
    if _is_text(held.type):
        pattern = re.compile(_pattern(kind), re.ASCII)
        return _all_matching(held.cast(pa.string()), pattern, kind)
    zoned = pa.types.is_timestamp(held.type) and held.type.tz is not None
    if (
        pa.types.is_timestamp(held.type)
        and kind.name in ("timestamp", "timestamptz")
        and zoned != (kind.name == "timestamptz")
    ):
        raise _no_place(held, kind, place, "Say in the step which zone is meant: <column> AT TIME ZONE 'UTC'")
    fitting = {
        "date": pa.types.is_date(held.type) or (pa.types.is_timestamp(held.type) and not zoned),
        "timestamp": pa.types.is_date(held.type) or pa.types.is_timestamp(held.type),
        "timestamptz": zoned,
        "time": pa.types.is_time(held.type),
    }
    if not fitting.get(kind.name, False):
        raise _no_place(held, kind, place, "Convert it in the step")
    if _plainly_moment(held, kind):
        return held, {}
    pattern = re.compile(_pattern(kind), re.ASCII)
    if kind.name == "date" and pa.types.is_timestamp(held.type):
        pattern = re.compile(f"({_DAY}) 00:00:00(?:\\.0+)?", re.ASCII)
    return _all_matching(_moment_text(held), pattern, kind)


def _plainly_moment(held: pa.Array, kind: Type) -> bool:
    """Whether all moments are of the column's own type and precision, in the years that everybody writes alike."""
    if pa.types.is_date32(held.type):
        return kind.name == "date" and _within(held, pa.scalar(dt.date.min), pa.scalar(dt.date.max))
    own = pa.types.is_timestamp(held.type) and held.type.unit == "us" and kind.fraction == 6
    if not own or kind.name not in ("timestamp", "timestamptz"):
        return False
    utc = pa.timestamp("us", "UTC")
    first, last = (one.replace(tzinfo=dt.UTC) for one in (dt.datetime.min, dt.datetime.max))  # noqa: DTZ901
    return _within(held.cast(utc), pa.scalar(first, utc), pa.scalar(last, utc))


def _within(values: pa.Array, first: pa.Scalar, last: pa.Scalar) -> bool:
    inside = pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    return bool(pc.all(inside).as_py() is not False)


def _all_matching(text: pa.Array, pattern: re.Pattern[str], kind: Type) -> tuple[pa.Array, Faults]:
    """Moments in the form that the column keeps; one look at all of them where none has to be cut to its day."""
    plainly = (
        not pattern.groups and pc.all(pc.match_substring_regex(text, f"^(?:{pattern.pattern})$")).as_py() is not False
    )
    return _checked(text, lambda value: _matching(value, pattern, kind), plainly)


def _matching(value: str, pattern: re.Pattern[str], kind: Type) -> str:
    found = pattern.fullmatch(value)
    if found is None:
        finer = f" with at most {kind.fraction} decimals of a second" if kind.fraction < 6 else ""
        raise ValueError(f"is no {kind.name} in ISO form{finer}, or not one that the column would keep unchanged")
    return found[1] if pattern.groups else value


def _pattern(kind: Type) -> str:
    seconds = rf"(?:\.[0-9]{{1,{kind.fraction}}}0*)?" if kind.fraction else r"(?:\.0*)?"
    clock = rf"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9]{seconds})?|24:00(?::00{seconds})?)"
    moment = rf"{_DAY}(?:[ T]{clock})?"
    return {
        "date": rf"-?infinity|{_DAY}{_ERA}",
        "timestamp": rf"-?infinity|{moment}{_ERA}",
        "timestamptz": rf"-?infinity|{_DAY}[ T]{clock}{_OFFSET}{_ERA}",
        "time": clock,
        "timetz": rf"{clock}{_OFFSET}",
    }[kind.name]


def _moment_text(held: pa.Array) -> pa.Array:
    """Moments in ISO form; nanoseconds keep their digits, so that they are seen."""
    if pa.types.is_timestamp(held.type) and held.type.tz is not None:
        plain = held.cast(pa.timestamp(held.type.unit, "UTC")).cast(pa.timestamp(held.type.unit))
        return pc.binary_join_element_wise(plain.cast(pa.string()), "+00", "")
    return held.cast(pa.string())


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return repr(value) if isinstance(value, float) else str(value)


def _no_place(held: pa.Array, kind: Type, place: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"{place}: a value of type {held.type} has no place in a column of type {kind.name}", remedy=remedy
    )


def _is_text(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_binary(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(test(kind) for test in tests)


def _is_moment(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_date, pa.types.is_time, pa.types.is_timestamp))


def _is_nested(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_interval(kind) or pa.types.is_duration(kind))
