"""The type names of `types:` in a job, and how text becomes a value of such a type: exactly, or not at all."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from decimal import Context, Decimal, InvalidOperation

import pyarrow as pa

from ludb.errors import ConfigError

NAMES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
"""Type name -> the Arrow type that it travels in; `decimal(p,s)` comes on top."""

INT64 = range(-(2**63), 2**63)
"""The integers that an int64 holds."""
EXACT_FLOAT = 2**53
"""Integers up to this size survive a double."""
EXACT_DIGITS = 15
"""Decimals of so many digits survive a double (IEEE 754: DBL_DIG)."""

_DECIMAL = re.compile(r"decimal\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?", re.ASCII)
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}


def arrow_type(name: str) -> pa.DataType:
    """A type name of a job (`text`, `decimal(10,2)`, ...) always means the same Arrow type; `ConfigError` otherwise."""
    plain = name.strip().lower()
    if plain in NAMES:
        return NAMES[plain]
    found = _DECIMAL.fullmatch(plain)
    if found:
        return decimal_type(int(found[1]), int(found[2] or 0))
    known = ", ".join([*NAMES, "decimal(p,s)"])
    raise ConfigError(f"no type is called {name!r}", remedy=f"Use one of: {known}")


def decimal_type(precision: int, scale: int) -> pa.DataType:
    """A decimal of up to 38 digits is exact in Arrow; `ConfigError` for more, or for a scale beyond the precision."""
    if not 1 <= precision <= 38 or scale > precision:
        raise ConfigError(
            f"decimal({precision},{scale}) cannot be carried",
            remedy="Use 1 to 38 digits, and no more decimals than digits",
        )
    return pa.decimal128(precision, scale)


def is_number(text: str) -> bool:
    """True for a number in its usual form: `7`, `-1.50`, `1e5`, but not `007`, `+1`, ` 1` or `nan`."""
    return _NUMBER.fullmatch(text) is not None


def to_decimal(value: Decimal, kind: pa.DataType) -> Decimal:
    """A decimal fits its type with every digit; `ValueError` says what does not fit."""
    if not value.is_finite():
        raise ValueError("is not a finite number")
    _, digits, exponent = value.normalize(Context(prec=max(len(value.as_tuple().digits), 1))).as_tuple()
    assert isinstance(exponent, int)
    if -exponent > kind.scale:
        raise ValueError(f"has more than {kind.scale} decimals")
    if value and len(digits) + exponent > kind.precision - kind.scale:
        raise ValueError(f"has more than {kind.precision - kind.scale} digits before the point")
    return value


def from_text(text: str, kind: pa.DataType) -> object:  # noqa: C901, PLR0911  (one case per type)
    """Text becomes a value of the type only in that type's usual form; `ValueError` says what is wrong, without the
    text.

    Integers and numbers as in JSON (no leading zeros), decimals without an exponent limit, booleans `0 1 true false`,
    dates and timestamps in ISO form without an offset and with at most microseconds.
    """
    if pa.types.is_string(kind):
        return text
    if pa.types.is_binary(kind):
        return text.encode()
    if pa.types.is_boolean(kind):
        if text.lower() not in _BOOLEANS:
            raise ValueError("is not a boolean (0, 1, true, false)")
        return _BOOLEANS[text.lower()]
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _moment(text, kind)
    if pa.types.is_integer(kind):
        if not _INTEGER.fullmatch(text) or len(text) > 20 or int(text) not in INT64:
            raise ValueError("is not an integer of 64 bits")
        return int(text)
    if not is_number(text):
        raise ValueError("is not a number")
    if pa.types.is_floating(kind):
        return float(text)
    try:
        return to_decimal(Decimal(text), kind)
    except InvalidOperation:
        raise ValueError("is not a number") from None


def _moment(text: str, kind: pa.DataType) -> object:
    pattern, name = (
        (_DATE, "date (YYYY-MM-DD)") if pa.types.is_date(kind) else (_TIMESTAMP, "timestamp (ISO, no offset)")
    )
    if pattern.fullmatch(text):
        try:
            return dt.date.fromisoformat(text) if pa.types.is_date(kind) else dt.datetime.fromisoformat(text)
        except ValueError:
            pass
    raise ValueError(f"is not a {name}")


def check_names(text: str) -> None:
    """`ValueError` for JSON in which an object names a member twice, of which a server's own form would keep one. What is no
    JSON is left to the server.
    """
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        json.loads(text, object_pairs_hook=_apart, parse_int=str, parse_float=str)


def _apart(members: list[tuple[str, object]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("names a member of an object twice, of which jsonb would keep one: use a json column")
