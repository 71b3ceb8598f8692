"""A unit key as a person types it, and where it stands in a part of a unit list: without a Python object for each key."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.model.keys import key_text

Bounds = tuple[Any, Any]
"""The least and the greatest first part of the keys of a segment."""
_FIRST = re.compile(r"(?:[^|]|\|\|)*")
_INTEGER = re.compile(r"-?[0-9]{1,40}", re.ASCII)


def bounds_of(keys: pa.Table) -> Bounds | None:
    """Of keys that begin with an integer, a text or a decimal; None for others, and of nothing."""
    if not keys.num_rows or _as(keys.column(0).type, "0") is None:
        return None
    found = pc.min_max(keys.column(0)).as_py()
    return None if found["min"] is None else (found["min"], found["max"])


def looked_for(key: str) -> Callable[[Bounds], bool]:
    """Whether keys between two bounds may read like this one; the key is understood once, for all segments of a job."""
    first = _first(key)
    if first is None:
        return lambda _: True
    try:
        number: Decimal | None = Decimal(first)
    except InvalidOperation:
        number = None
    if number is not None and number.is_nan():
        number = None

    def may_hold(bounds: Bounds) -> bool:
        least, greatest = bounds
        if isinstance(least, str):
            return bool(least <= first <= greatest)
        return number is not None and bool(least <= number <= greatest)

    return may_hold


def place(keys: pa.Table, key: str) -> int | None:
    """The row whose key reads like this."""
    column, first = keys.column(0), _first(key)
    if first is None or _as(column.type, "0") is None:
        return _one_by_one(keys, key)
    wanted = _as(column.type, first)
    try:
        scalar = pa.scalar(wanted, column.type)
    except (pa.ArrowInvalid, OverflowError):  # more than the column can hold
        return None
    if wanted is None:
        return None
    if keys.num_columns == 1:
        at = pc.index(column, scalar).as_py()
        return int(at) if at >= 0 and key_text([column[at].as_py()]) == key else None
    rows = pc.indices_nonzero(pc.equal(column, scalar))
    found = _one_by_one(keys.take(rows), key)
    return None if found is None else int(rows[found].as_py())


def _first(key: str) -> str | None:
    """What the key's first part reads like; None where three bars leave that open."""
    if "|||" in key:
        return None
    found = _FIRST.match(key)
    return (found[0] if found else "").replace("||", "|")


def _as(kind: pa.DataType, text: str) -> Any:
    """The text as a value of this type; None if it is not one, or if values of this type are not told by it alone."""
    if pa.types.is_string(kind):
        return text
    if pa.types.is_integer(kind):
        return int(text) if _INTEGER.fullmatch(text) else None
    if pa.types.is_decimal(kind):
        return Decimal(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text, re.ASCII) else None
    return None


def _one_by_one(keys: pa.Table, key: str) -> int | None:
    columns = [column.to_pylist() for column in keys.columns]
    return next((at for at, values in enumerate(zip(*columns, strict=True)) if key_text(values) == key), None)
