"""Lists of keys as constants of SQL, in the column's own type, so that its index finds them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from ludb.dialects.postgres import literal, quote
from ludb.dialects.postgres_values import Carriage
from ludb.dialects.types import INT64

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII)


def comparable(how: Carriage, values: pa.Array) -> tuple[str, str]:
    """The expression of the column (table alias a) and the array that it is compared with.

    Where a value is none of the column's type (a text beside numbers), both sides are compared as texts.
    """
    name = f"a.{quote(how.column.name)}"
    held = values.to_pylist()
    for kinds, test, cast in _NATIVE:
        if how.type.name in kinds and how.type.ours and all(value is None or test(value) for value in held):
            return name, _array(held, cast or how.type.name)
    return f"{name}::text", _array(held, "text")


def _is_int64(value: Any) -> bool:
    if isinstance(value, str):
        return _INTEGER.fullmatch(value) is not None and int(value) in INT64
    return isinstance(value, int) and value in INT64


def _is_uuid(value: Any) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def _named(*names: str) -> Callable[[Any], bool]:
    return lambda value: type(value).__name__ in names


_NATIVE: Sequence[tuple[tuple[str, ...], Callable[[Any], bool], str]] = (
    (("int2", "int4", "int8"), _is_int64, "int8"),
    (("numeric",), _named("int", "Decimal"), ""),
    (("text", "varchar", "name"), _named("str"), "text"),
    (("bpchar",), _named("str"), ""),
    (("uuid",), _is_uuid, ""),
    (("bool",), _named("bool"), ""),
    (("date",), _named("date"), ""),
    (("timestamp", "timestamptz"), _named("datetime"), ""),
    (("float8", "float4"), _named("float", "int"), "float8"),
    (("bytea",), _named("bytes"), ""),
)
"""Native types, what a value of them looks like in Python, and the type of the list where it is not the column's."""


def _array(values: Sequence[Any], kind: str) -> str:
    parts = []
    for value in values:
        if value is None:
            parts.append("NULL")
            continue
        text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
        parts.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    return f"{literal('{' + ','.join(parts) + '}')}::{kind}[]"
