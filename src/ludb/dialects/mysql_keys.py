"""Keys to look up, as conditions over the first table of a path: a range where it is dense enough, else lists.

Ranges only for whole numbers and dates, whose order is the same everywhere (PROTOCOL R11). What a condition lets through
too much (numbers between the keys, texts that are equal by collation) is left out by `held`, which compares by bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ludb.dialects.mysql import literal, quote
from ludb.dialects.mysql_schema import INTEGERS, Detail
from ludb.model.keys import key_bytes
from ludb.model.unit import MATCH, KeySet

LIST = 5_000
"""Keys in one list."""
DENSITY = 0.5
"""The share of rows between the first and the last key that must be asked for, so that a range is worth it."""
_EXACT = (pa.types.is_integer, pa.types.is_string, pa.types.is_date, pa.types.is_binary)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Distinct keys without NULL, in ascending order where they are numbers or dates."""

    details: tuple[Detail, ...]
    keys: tuple[tuple[Any, ...], ...]

    @property
    def names(self) -> list[str]:
        """The key's columns over alias t0."""
        return [f"t0.{quote(detail.name)}" for detail in self.details]

    @property
    def orderable(self) -> bool:
        """Whether the order of the keys here is the server's."""
        kinds = [detail.kind in INTEGERS or detail.kind == "date" for detail in self.details]
        values = self.keys[0] if self.keys else ()
        whole = all(isinstance(value, int | dt.date) and not isinstance(value, bool | dt.datetime) for value in values)
        return all(kinds) and whole and len(self.keys) > 1

    @property
    def surely_dense(self) -> bool:
        """Whether the numbers themselves tell that the range is dense."""
        if len(self.details) > 1 or not isinstance(self.keys[0][0], int):
            return False
        return bool((self.keys[-1][0] - self.keys[0][0] + 1) * DENSITY <= len(self.keys))

    def between(self) -> str:
        """From the first to the last key. For several columns as MariaDB can use an index: `(a, b) >= (..)` it cannot."""
        low, high = ([_literal(value) for value in self.keys[at]] for at in (0, -1))
        first = f"{self.names[0]} BETWEEN {low[0]} AND {high[0]}"
        if len(self.details) == 1:
            return first
        return f"{first} AND {_beyond(self.names, low, '>')} AND {_beyond(self.names, high, '<')}"

    def lists(self) -> Iterator[str]:
        """Conditions that together name every key, each at most `LIST` of them."""
        for start in range(0, len(self.keys), LIST):
            rows = [[_literal(value) for value in key] for key in self.keys[start : start + LIST]]
            if len(self.details) == 1:
                yield f"{self.names[0]} IN ({', '.join(row[0] for row in rows)})"
                continue
            firsts = ", ".join(dict.fromkeys(row[0] for row in rows))
            tuples = ", ".join(f"({', '.join(row)})" for row in rows)
            yield f"{self.names[0]} IN ({firsts}) AND ({', '.join(self.names)}) IN ({tuples})"


def wanted(by: KeySet, details: Sequence[Detail]) -> Wanted:
    """The keys of a set, as they are asked for."""
    columns = [by.values.column(name).to_pylist() for name in by.columns]
    keys = dict.fromkeys(key for key in zip(*columns, strict=True) if None not in key)
    try:
        ordered = sorted(keys)
    except TypeError:
        ordered = list(keys)
    return Wanted(tuple(details), tuple(ordered))


class Held:
    """Which rows carry one of the keys, byte by byte."""

    def __init__(self, by: KeySet) -> None:
        """Keep the keys."""
        self._by = by
        self._bytes: set[bytes] | None = None

    def only(self, rows: pa.Table) -> pa.Table:
        """The rows whose `ludb_match_` columns are a key of the set."""
        if len(self._by.columns) == 1:
            match, values = rows.column(f"{MATCH}0"), self._by.values.column(self._by.columns[0])
            if match.type == values.type and any(test(match.type) for test in _EXACT):
                return rows.filter(pc.is_in(match, value_set=values.combine_chunks().drop_null()))
        columns = [rows.column(f"{MATCH}{at}").to_pylist() for at in range(len(self._by.columns))]
        keep = [self.has(key) for key in zip(*columns, strict=True)]
        return rows if all(keep) else rows.filter(pa.array(keep, pa.bool_()))

    def has(self, key: Sequence[object]) -> bool:
        """Whether the key is one of the set."""
        if self._bytes is None:
            columns = [self._by.values.column(name).to_pylist() for name in self._by.columns]
            self._bytes = {key_bytes(row) for row in zip(*columns, strict=True) if None not in row}
        return None not in key and key_bytes(key) in self._bytes


def _beyond(names: Sequence[str], ends: Sequence[str], sign: str) -> str:
    """(a, b, c) >= (x, y, z), spelled out."""
    if len(names) == 1:
        return f"{names[0]} {sign}= {ends[0]}"
    return f"({names[0]} {sign} {ends[0]} OR ({names[0]} = {ends[0]} AND {_beyond(names[1:], ends[1:], sign)}))"


def _literal(value: Any) -> str:
    """A key value as SQL."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return f"0x{value.hex()}" if value else "''"
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.UTC).replace(tzinfo=None)
        return literal(value.isoformat(sep=" "))
    return literal(value.isoformat() if isinstance(value, dt.date) else str(value))
