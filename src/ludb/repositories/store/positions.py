"""List positions as columns of a chunk: a range where they are one, else a compressed list."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any


def pack(positions: Sequence[int]) -> bytes:
    """The positions as compressed little-endian int64, in order."""
    return zlib.compress(struct.pack(f"<{len(positions)}q", *positions))


def unpack(data: bytes | None) -> tuple[int, ...]:
    """The positions that `pack` made bytes of; none where there are no bytes."""
    if data is None:
        return ()
    raw = zlib.decompress(data)
    return struct.unpack(f"<{len(raw) // 8}q", raw)


def place(positions: Sequence[int]) -> dict[str, object]:
    """The columns `lo`, `hi` (exclusive), `positions` and `units` that hold these positions."""
    lo, hi = min(positions), max(positions) + 1
    straight = list(positions) == list(range(lo, hi))
    return {"lo": lo, "hi": hi, "units": len(positions), "positions": None if straight else pack(positions)}


def positions_of(row: Any) -> tuple[int, ...]:
    """The positions of a chunk's row, in the order in which it was born."""
    return tuple(range(row.lo, row.hi)) if row.positions is None else unpack(row.positions)
