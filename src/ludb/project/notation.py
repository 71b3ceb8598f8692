"""How values are written in `job.yaml`: columns, links, durations, shares, table names. Each is read one way only."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from ludb.errors import ConfigError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def columns(value: object) -> object:
    """A column name or a list of them means the same as a tuple of names."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError("must be a column name or a list of column names")
    if len(set(value)) != len(value):
        raise ValueError("names a column twice")
    return tuple(value)


def pairs(value: object) -> object:
    """A link means pairs (child column, parent column): one name or a list where both sides are called alike."""
    if isinstance(value, Mapping):
        if not value or not all(isinstance(name, str) and name for pair in value.items() for name in pair):
            raise ValueError("must map columns of the child to columns of the parent")
        return tuple(value.items())
    try:
        names = columns(value)
    except ValueError as error:
        if "twice" in str(error):
            raise
        raise ValueError("must be a column, a list of columns, or a mapping {child column: parent column}") from None
    assert isinstance(names, tuple)
    return tuple((name, name) for name in names)


def seconds(value: object) -> object:
    """A duration is a number of seconds, or text with a unit: `500ms`, `60s`, `5m`, `24h`, `7d`."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be seconds, or a duration such as 500ms, 60s, 5m or 24h")
    return float(found[1]) * _SECONDS[found[2]]


def limit(value: object) -> object:
    """A quarantine limit is a count (`50`), a share (`5%`), or the mapping that says both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"count": value}
    if isinstance(value, str):
        found = _PERCENT.fullmatch(value.strip())
        if found is None:
            raise ValueError("must be a count such as 50, a share such as 5%, or {percent, count, minimum}")
        return {"percent": float(found[1])}
    return value


def undo(value: object) -> object:
    """An undo is a request line, or the mapping that gives it a document too."""
    return {"call": value} if isinstance(value, str) else value


def status(value: object) -> object:
    """A status is a number (`404`) or a class (`4xx`), kept as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def echo(value: object) -> object:
    """Places are `all`, or a list of JSON paths."""
    if value == "all":
        return ("$",)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) and one.startswith("$") for one in value):
        raise ValueError("must be all, or a list of JSON paths such as $.name")
    return tuple(value)


def table_name(text: str) -> tuple[str, str]:
    """`system.table`, split at the first dot; `ConfigError` if a half is missing."""
    system, dot, table = text.partition(".")
    if not (system and dot and table):
        raise ConfigError(
            f"{text!r} is not of the form system.table", remedy="Write the system's name, a dot, the table"
        )
    return system, table


_NAMES: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "uniqueItems": True,
}
_NAME: dict[str, Any] = {"type": "string", "minLength": 1}
_MAP: dict[str, Any] = {"type": "object", "additionalProperties": _NAME, "minProperties": 1}

Columns = Annotated[tuple[str, ...], BeforeValidator(columns), WithJsonSchema({"anyOf": [_NAME, _NAMES]})]
"""Column names; text means one."""

Echo = Annotated[
    tuple[str, ...],
    BeforeValidator(echo),
    WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string", "pattern": r"^\$"}}]}),
]
"""Places of a document; `all` means the whole of it."""

Pairs = Annotated[tuple[tuple[str, str], ...], BeforeValidator(pairs), WithJsonSchema({"anyOf": [_NAME, _NAMES, _MAP]})]
"""(child column, parent column) pairs of a link."""

Mapped = Annotated[tuple[tuple[str, str], ...], BeforeValidator(pairs), WithJsonSchema(_MAP)]
"""(child column, parent column) pairs of a self reference."""

Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|min|h|d)$"},
            ]
        }
    ),
]
"""Seconds, as a number or as text with a unit."""
