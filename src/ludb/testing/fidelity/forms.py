"""When two texts name the same value: each form says what two systems may write differently, and nothing else."""

from __future__ import annotations

import datetime as dt
import json
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from ludb.testing.fidelity.case import Form

_OFFSET = re.compile(r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)$")
_FRACTION = re.compile(r"(\.[0-9]*?)0+(?=$|[^0-9])")
_TRUTHS = {"t": "true", "true": "true", "1": "true", "f": "false", "false": "false", "0": "false"}


def same(form: Form, text: str | None, other: str | None) -> bool:
    """Whether two texts, each in its own system's form, name one value. NULL equals NULL alone."""
    if text is None or other is None:
        return text is other
    return _CANONICAL[form](text) == _CANONICAL[form](other)


def arrow_text(value: pa.Scalar) -> str | None:
    """An Arrow value as text: bytes as hexadecimal digits, decimals and floats with every digit, moments in ISO form."""
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_timestamp(kind):
        bare = value.cast(pa.timestamp(kind.unit, "UTC" if kind.tz else None)).cast(pa.timestamp(kind.unit))
        return f"{bare.cast(pa.string()).as_py()}{'+00' if kind.tz else ''}"
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return str(value.cast(pa.string()).as_py())
    return python_text(value.as_py())


def python_text(value: Any) -> str | None:
    """A driver's value as text: bytes as hexadecimal digits, numbers with every digit."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _number(text: str) -> object:
    """A number by sign, digits and exponent, however many there are; what is none stays text."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return str(number)
    sign, digits, exponent = number.as_tuple()
    bare = "".join(map(str, digits)).rstrip("0")
    assert isinstance(exponent, int)
    return (sign, bare.lstrip("0"), exponent + len(digits) - len(bare)) if number else (0, "", 0)


def _float(text: str) -> str:
    return repr(float(text))


def _real(text: str) -> bytes:
    return struct.pack("f", float(text))


def _moment(text: str) -> str:
    return _FRACTION.sub(r"\1", text.replace("T", " ")).replace(". ", " ").rstrip(".")


def _instant(text: str) -> str:
    """ISO text as UTC digits; a text without an offset is in UTC already."""
    if not re.match(r"[0-9]{4}-", text):
        return text
    if not _OFFSET.search(text[10:]):
        text += "+00:00"
    moment = dt.datetime.fromisoformat(re.sub(r"([+-][0-9]{2})$", r"\1:00", text))
    return moment.astimezone(dt.UTC).isoformat()


_CANONICAL: Mapping[Form, Callable[[str], object]] = {
    "text": str,
    "bytes": str.lower,
    "number": _number,
    "float": _float,
    "real": _real,
    "moment": _moment,
    "instant": _instant,
    "boolean": lambda text: _TRUTHS.get(text.lower(), text),
    "json": lambda text: json.loads(text, parse_float=Decimal, object_pairs_hook=sorted),
    "uuid": lambda text: text.replace("-", "").lower(),
}
