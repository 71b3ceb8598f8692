"""What the server sends becomes Arrow columns of exactly the planned type; a value that does not fit is refused by row.

Each column is asked for by an expression (`asked`) whose text holds every digit and every byte, then cast in Arrow. The
quick way casts a whole column; where it fails, the slow way finds the rows at fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.mysql import quote
from ludb.dialects.mysql_schema import BYTES, SPATIAL, TEXTS, Detail, Reflected
from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.unit import Column

Faults = Mapping[int, tuple[str, str]]
"""Row number -> (reason without the value, detail with it)."""

NO_TEXT = "0xFF"
"""What `asked` sends for a value that has no text: a byte that begins no UTF-8 character."""
_UTF8 = frozenset({"utf8", "utf8mb3", "ascii"})
"""Character sets whose bytes are UTF-8: asked for as they stand, so that broken ones are seen and not replaced."""
_WIDE = frozenset({"utf8mb4", "latin1", "ucs2", "utf16", "utf16le", "utf32", ""})
"""Character sets that the server turns into utf8mb4 without loss, whatever the bytes."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """How one column travels. `chosen` is true where the job names the type: then the column's text becomes that type
    where it has its usual form.
    """

    column: Column
    detail: Detail
    chosen: bool = False


def plan(table: Reflected, types: Sequence[tuple[str, str]], system: str) -> tuple[Carriage, ...]:
    """The carriage of every column in its order; `types` are the job's overrides. `ConfigError` for an unknown column."""
    chosen: dict[str, pa.DataType] = {}
    for name, text in types:
        detail = table.find(name)
        if detail is None:
            known = ", ".join(detail.name for detail in table.details)
            raise ConfigError(
                f"types: names column {name!r}, which {system}.{table.name} has not",
                remedy=f"Columns that are there: {known}",
            )
        chosen[detail.name] = arrow_type(text)
    return tuple(
        _chosen(detail, chosen[detail.name]) if detail.name in chosen else Carriage(detail.column, detail)
        for detail in table.details
    )


def _chosen(detail: Detail, kind: pa.DataType) -> Carriage:
    refused = detail.column.refused if detail.kind in SPATIAL and not pa.types.is_binary(kind) else None
    column = replace(detail.column, type=kind, refused=refused)
    return Carriage(column, detail, chosen=kind != detail.column.type)


def asked(how: Carriage, alias: str) -> str:
    """The SQL that sends the column's value in full: FLOAT with all its digits, BIT as a number, text as utf8mb4 bytes
    or `NO_TEXT` where a conversion would have put a question mark.
    """
    detail = how.detail
    name = f"{alias}.{quote(detail.name)}"
    if detail.kind == "float" or (detail.kind == "double" and detail.scale is not None):
        return f"{name} + 0e0"
    if detail.kind == "bit" or "zerofill" in detail.column.native.lower():
        return f"{name} + 0"
    if detail.kind in TEXTS:
        if pa.types.is_binary(how.column.type):
            return f"CAST({name} AS BINARY)"
        return _text_of(detail, name, strict=not how.chosen)
    return name


def exact(detail: Detail, alias: str) -> str:
    """The SQL of a value that is equal to another exactly where both are: text as bytes, whatever its collation."""
    name = f"{alias}.{quote(detail.name)}"
    if detail.kind in TEXTS:
        return f"CAST(CONVERT({name} USING utf8mb4) AS BINARY)"
    return asked(Carriage(detail.column, detail), alias)


def _text_of(detail: Detail, name: str, *, strict: bool) -> str:
    if detail.charset in _WIDE:
        sent = name
    elif detail.charset in _UTF8:
        sent = f"CAST({name} AS BINARY)"
    else:
        there = f"CONVERT({name} USING utf8mb4)"
        back = f"CAST(CONVERT({there} USING {detail.charset}) AS BINARY)"
        sent = f"IF({name} IS NULL, NULL, IF(CAST({name} AS BINARY) = {back}, CAST({there} AS BINARY), {NO_TEXT}))"
    if detail.kind == "enum" and strict:
        return f"IF({name} + 0 = 0, {NO_TEXT}, CAST(CONVERT({name} USING utf8mb4) AS BINARY))"
    return sent


def carry(raw: pa.Array, how: Carriage) -> tuple[pa.Array, Faults]:
    """One column's values, as `asked` for and sent (`pa.binary()`), as an array of the planned type, and the rows that do
    not fit (NULL in the array).
    """
    try:
        return _quick(raw, how), {}
    except (pa.ArrowInvalid, ValueError):
        pass
    carried: list[Any] = []
    faults: dict[int, tuple[str, str]] = {}
    for row, value in enumerate(raw.to_pylist()):
        try:
            carried.append(None if value is None else _carry_one(value, how))
        except ValueError as error:
            carried.append(None)
            faults[row] = (str(error), repr(plain(value)))
    return pa.array(carried, how.column.type), faults


def plain(value: bytes | None) -> str | bytes | None:
    """A value as a person knows it: text where it is UTF-8."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _quick(raw: pa.Array, how: Carriage) -> pa.Array:
    """The whole column at once; `ValueError` where the slow way must look at each value."""
    kind = how.column.type
    if pa.types.is_binary(kind):
        return raw
    text = raw.cast(pa.string())
    if pa.types.is_string(kind):
        return text
    if how.chosen:
        raise ValueError("a chosen type is read value by value")
    if pa.types.is_boolean(kind):
        return text.cast(pa.int64()).cast(kind)
    if pa.types.is_floating(kind):
        return text.cast(pa.float64()).cast(kind, safe=False)
    if pa.types.is_timestamp(kind):
        found = text.cast(pa.timestamp("us"))
        if (pc.min(pc.year(found)).as_py() or 1) < 1:
            raise ValueError("year 0")
        return found.cast(pa.int64()).cast(kind)
    found = text.cast(kind)
    if pa.types.is_date(kind) and (pc.min(pc.year(found)).as_py() or 1) < 1:
        raise ValueError("year 0")
    return found


def _carry_one(value: bytes, how: Carriage) -> Any:
    kind = how.column.type
    if pa.types.is_binary(kind):
        return value
    if value == b"\xff" and how.detail.kind == "enum" and not how.chosen:
        raise ValueError("holds the empty value that an ENUM has for what is none of its members")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        if how.detail.kind in BYTES:
            raise ValueError("holds bytes that are not UTF-8") from None
        raise ValueError(f"holds text that cannot be turned into UTF-8 ({how.detail.charset})") from None
    if pa.types.is_string(kind):
        return text
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _moment(text, kind, how)
    try:
        return _number(text, kind) if not how.chosen else from_text(text, kind)
    except ValueError as error:
        raise ValueError(f"{error} ({how.detail.column.native})") from None


def _moment(text: str, kind: pa.DataType, how: Carriage) -> Any:
    if how.detail.kind in ("date", "datetime", "timestamp"):
        if text.startswith("0000-") or "-00" in text[4:10]:
            raise ValueError(f"holds a date that no calendar has ({how.detail.column.native}): zero year, month or day")
        if how.chosen and pa.types.is_date(kind) and not text[10:].strip(" 0:."):
            text = text[:10]
        elif how.chosen and pa.types.is_timestamp(kind) and len(text) == 10:
            text += " 00:00:00"
    return pa.scalar(from_text(text, pa.timestamp("us") if pa.types.is_timestamp(kind) else kind)).as_py()


def _number(text: str, kind: pa.DataType) -> Any:
    return pa.scalar(text).cast(kind).as_py()
