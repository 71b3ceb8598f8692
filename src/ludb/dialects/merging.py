"""What every database asks of the keys of merged rows before it is asked itself."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ludb.errors import ConfigError, Fault
from ludb.model.unit import POSITION


def key_columns(names: Sequence[str], key: Sequence[str], place: str) -> list[int]:
    """Places of the key's columns among the names; `ConfigError` if one is not written."""
    missing = [name for name in key if name not in names]
    if missing:
        raise ConfigError(f"{place}: no step fills {', '.join(missing)}, which upsert needs", remedy="Select it")
    return [list(names).index(name) for name in key]


def key_faults(rows: pa.Table, key: Sequence[str], place: str) -> dict[int, Fault]:
    """Units with NULL in a key, and all units that write one key twice or share it with another of the chunk."""
    told = f"{place}, key ({', '.join(key)})"
    columns = [rows.column(name).to_pylist() for name in key]
    holders: dict[tuple[object, ...], list[int]] = {}
    faults: dict[int, Fault] = {}
    for position, *values in zip(rows.column(POSITION).to_pylist(), *columns, strict=True):
        if None in values:
            faults.setdefault(position, Fault(f"{told}: is NULL", repr(values)))
        else:
            holders.setdefault(tuple(values), []).append(position)
    for same, positions in holders.items():
        if len(positions) > 1:
            others = sorted(set(positions))
            what = (
                "two units of the chunk write the same one" if len(others) > 1 else "the unit writes the same one twice"
            )
            for position in others:
                faults.setdefault(position, Fault(f"{told}: {what}", f"{same!r}, units at list positions {others}"))
    return faults
