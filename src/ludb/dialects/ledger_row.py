"""What stands in a ledger row, alike in every database: positions as ranges, a digest over what was written, who was left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

SCHEMA = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])
"""What `Target.ledger` returns."""


def ranges(positions: Sequence[int]) -> list[list[int]]:
    """Positions as [first, last] ranges in ascending order: [1, 2, 3, 7] is [[1, 3], [7, 7]]."""
    found: list[list[int]] = []
    for position in sorted(positions):
        if found and found[-1][1] == position - 1:
            found[-1][1] = position
        else:
            found.append([position, position])
    return found


def written(positions: Sequence[int], rows: Mapping[str, int]) -> tuple[str, str]:
    """The row's `positions` and its `digest`, for units that wrote so many rows by table."""
    held = ranges(positions)
    return json.dumps(held), hashlib.sha256(json.dumps([held, sorted(rows.items())]).encode()).hexdigest()


def missing(text: str, positions: Collection[int]) -> list[int]:
    """Those of the positions that a row's `positions` do not hold, in ascending order."""
    held = json.loads(text)
    return sorted(at for at in positions if not any(first <= at <= last for first, last in held))
