"""Arrow rows as PostgreSQL's binary COPY: the server reads numbers and moments without parsing them.

Format: https://www.postgresql.org/docs/current/sql-copy.html (binary), and each type's `recv` function in the server's source.
Fields of one width stand first in a row and are laid out by numpy; the others follow, joined by Arrow. Types that are not
known here go as CSV.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.postgres_schema import Type

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
TRAILER = struct.pack(">h", -1)
ROWS = 20_000
"""Rows that are laid out at a time."""
_NULL = pa.scalar(struct.pack(">i", -1), pa.large_binary())
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = 946_684_800_000_000
"""From 1970, where Arrow counts from, to 2000, where PostgreSQL does."""
_MOST = 18
"""Decimal digits that 64 bits hold."""
_INTEGERS = {"int2": ">i2", "int4": ">i4", "int8": ">i8"}
_TEXTS = ("text", "varchar", "bpchar")

Wide = tuple[str, Callable[[pa.Array], Any]]
"""How a field of one width is laid out (a numpy type behind its length), and its values as such an array."""


def binary(rows: pa.Table, types: Mapping[str, Type]) -> tuple[list[str], Iterator[bytes | pa.Buffer]] | None:
    """The columns in the order of the stream, and the stream; None where a value or a type goes as CSV."""
    fixed: dict[str, Wide] = {}
    for name in rows.column_names:
        if _is_free(rows.column(name).type, types[name]):
            continue
        wide = _wide(rows.column(name), types[name])
        if wide is None:
            return None
        fixed[name] = wide
    whole = [name for name in fixed if not rows.column(name).null_count]
    rest = [name for name in rows.column_names if name not in whole]
    return [*whole, *rest], _stream(rows.select([*whole, *rest]), fixed, len(whole))


def _stream(rows: pa.Table, fixed: Mapping[str, Wide], whole: int) -> Iterator[bytes | pa.Buffer]:
    names = rows.column_names
    yield HEADER
    for start in range(0, rows.num_rows, ROWS):
        some = rows.slice(start, ROWS).combine_chunks()
        columns = [some.column(name).chunk(0) for name in names]
        pieces = [_together(columns[:whole], [fixed[name] for name in names[:whole]], (len(some), len(names)))]
        for name, column in zip(names[whole:], columns[whole:], strict=True):
            pieces += [_alone(column, fixed[name])] if name in fixed else _sized(column)
        yield _data(pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.large_binary())))
    yield TRAILER


def _together(columns: Sequence[pa.Array], wide: Sequence[Wide], shape: tuple[int, int]) -> pa.Array:
    """The number of fields of each row, and all fields of one width that are never NULL; `shape` is (rows, fields)."""
    parts: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, (layout, _) in enumerate(wide):
        parts += [(f"n{number}", ">i4"), (f"v{number}", layout)]
    held = np.empty(shape[0], np.dtype(parts))
    held["fields"] = shape[1]
    for number, (column, (layout, values)) in enumerate(zip(columns, wide, strict=True)):
        held[f"n{number}"] = np.dtype(layout).itemsize
        held[f"v{number}"] = values(column)
    return _pieces(held)


def _alone(column: pa.Array, wide: Wide) -> pa.Array:
    """One field of one width, which may be NULL."""
    layout, values = wide
    held = np.empty(len(column), np.dtype([("n", ">i4"), ("v", layout)]))
    held["n"] = np.dtype(layout).itemsize
    held["v"] = values(column)
    return pc.if_else(pc.is_valid(column), _pieces(held), _NULL)


def _sized(column: pa.Array) -> list[pa.Array]:
    """A text or bytes, each behind its length."""
    sizes = pc.fill_null(pc.binary_length(column).cast(pa.int32()), -1).to_numpy(zero_copy_only=False).astype(">i4")
    return [_pieces(sizes), pc.fill_null(column.cast(pa.large_binary()), b"")]


def _pieces(held: Any) -> pa.Array:
    """A numpy array as one piece of bytes for each row."""
    width = pa.binary(held.dtype.itemsize)
    return pa.Array.from_buffers(width, len(held), [None, pa.py_buffer(held)]).cast(pa.large_binary())


def _data(joined: pa.Array) -> pa.Buffer:
    """The bytes of all values, one behind the other."""
    offsets = np.frombuffer(joined.buffers()[1], "<i8")[joined.offset : joined.offset + len(joined) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    return joined.buffers()[2].slice(first, last - first)


def _is_free(held: pa.DataType, kind: Type) -> bool:
    """Whether the field's width is its value's."""
    return bool(
        (pa.types.is_string(held) and kind.name in _TEXTS) or (pa.types.is_binary(held) and kind.name == "bytea")
    )


def _wide(values: pa.ChunkedArray, kind: Type) -> Wide | None:  # noqa: PLR0911  (one answer for each type)
    held = values.type
    if kind.name in _INTEGERS and pa.types.is_integer(held):
        return _integer(values, _INTEGERS[kind.name])
    if kind.name == "float8" and pa.types.is_float64(held):
        return ">f8", _plain
    if kind.name == "float4" and pa.types.is_float32(held):
        return ">f4", _plain
    if kind.name == "bool" and pa.types.is_boolean(held):
        return ">u1", lambda column: _plain(column.cast(pa.uint8()))
    if kind.name == "date" and pa.types.is_date32(held):
        return ">i4", lambda column: _plain(column.cast(pa.int32())).astype("i8") - _EPOCH_DAYS
    if kind.name in ("timestamp", "timestamptz") and pa.types.is_timestamp(held) and held.unit == "us":
        return ">i8", lambda column: _plain(column.cast(pa.int64())) - _EPOCH_MICROSECONDS
    if kind.name == "numeric" and (pa.types.is_decimal128(held) or pa.types.is_signed_integer(held)):
        return _decimal(values)
    return None


def _plain(column: pa.Array) -> Any:
    """Values as numpy has them, with anything where there is none."""
    return (pc.fill_null(column, pa.scalar(0, column.type)) if column.null_count else column).to_numpy(
        zero_copy_only=False
    )


def _integer(values: pa.ChunkedArray, layout: str) -> Wide | None:
    """Integers that the column holds; where one is too large the server itself is to say so."""
    found = pc.min_max(values)
    limits = np.iinfo(layout[1:])
    low, high = found["min"].as_py(), found["max"].as_py()
    return (layout, _plain) if low is None or (low >= limits.min and high <= limits.max) else None


def _decimal(values: pa.ChunkedArray) -> Wide | None:
    """Decimals whose digits 64 bits hold, all in as many groups of four as the longest may need: the server drops zeros."""
    if pa.types.is_integer(values.type):
        found = pc.min_max(values.cast(pa.int64()))
        inside = (
            found["min"].as_py() is None or found["min"].as_py() > np.iinfo("i8").min
        )  # which has no absolute value
        return (f"V{8 + 2 * 5}", lambda column: _groups(_plain(column.cast(pa.int64())), 0, 5, 0)) if inside else None
    scale = values.type.scale
    behind = -(-scale // 4)
    digits = _MOST - (4 * behind - scale)
    if not 0 <= scale <= digits:
        return None
    kind = pa.decimal128(min(digits, values.type.precision), scale)
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return None
    before = max(-(-(kind.precision - scale) // 4), 1)
    return (
        f"V{8 + 2 * (before + behind)}",
        lambda column: _groups(_units(column), scale, before, behind),
    )


def _groups(units: Any, scale: int, before: int, behind: int) -> Any:
    """Whole numbers of 10**-scale as the server's numerics: groups of four digits, so many before and behind the point."""
    held = np.empty(len(units), np.dtype([("head", ">i2", 4), ("digits", ">i2", before + behind)]))
    held["head"][:, 0], held["head"][:, 1], held["head"][:, 3] = before + behind, before - 1, scale
    held["head"][:, 2] = np.where(units < 0, 0x4000, 0)
    left = np.abs(units) * 10 ** (4 * behind - scale)
    for group in range(before + behind - 1, -1, -1):
        left, held["digits"][:, group] = np.divmod(left, 10_000)
    return held.view(f"V{held.dtype.itemsize}")


def _units(decimals: pa.Array) -> Any:
    """1.25 of scale 2 as 125: the lower half of each value's 128 bits."""
    words = np.frombuffer(decimals.buffers()[1], "<i8")[2 * decimals.offset : 2 * (decimals.offset + len(decimals))]
    return np.where(pc.is_valid(decimals).to_numpy(zero_copy_only=False), words[::2], 0)
