"""Whose row is it? Rows meet the units that hold their keys, by the keys' bytes (PROTOCOL R11)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from ludb.model.keys import key_bytes
from ludb.model.unit import MATCH, POSITION, Fetched

EXACT = (pa.types.is_integer, pa.types.is_string, pa.types.is_binary, pa.types.is_boolean, pa.types.is_date)
"""Types whose values are equal in Arrow exactly where their key bytes are: no -0.0, no NaN, no scale."""


class Owners:
    """Which units hold which keys, as read from `rows` (with `ludb_position`): looked up by the bytes of the key.

    A single column whose keys each have one holder is looked up by Arrow; everything else row by row, with the same
    answer. A key that holds a NULL has no holder.
    """

    def __init__(self, rows: pa.Table, columns: Sequence[str], *, quick: bool = True) -> None:
        """`quick` may be switched off to compare the two ways."""
        self._rows, self._columns = rows, tuple(columns)
        self._held: dict[bytes, list[int]] | None = None
        self._keys: pa.ChunkedArray | None = None
        if quick and len(self._columns) == 1 and is_exact(rows.column(self._columns[0]).type):
            pairs = rows.select([POSITION, self._columns[0]]).group_by([POSITION, self._columns[0]], use_threads=False)
            held = pairs.aggregate([]).drop_null()
            if pc.count_distinct(held.column(self._columns[0])).as_py() == held.num_rows:
                self._keys, self._at = held.column(self._columns[0]), held.column(POSITION)

    def of(self, key: Sequence[object]) -> Sequence[int]:
        """The list positions of the units that hold the key, none if a part of it is NULL."""
        if self._held is None:
            self._held = {}
            for position, held in keys_of(self._rows, self._columns):
                holders = self._held.setdefault(key_bytes(held), [])
                if position not in holders:
                    holders.append(position)
        return () if None in key else self._held.get(key_bytes(key), ())

    def tag(self, fetched: Fetched) -> pa.Table:
        """The rows, `ludb_position` first, without their `ludb_match_` columns: once for every holder of the key they
        matched. A match by collation that is none by bytes falls away.
        """
        rows = fetched.rows
        matches = [name for name in rows.column_names if name.startswith(MATCH)]
        bare = rows.drop_columns(matches)
        if self._keys is not None and len(matches) == 1 and rows.column(matches[0]).type == self._keys.type:
            column = self._at.take(pc.index_in(rows.column(matches[0]), value_set=self._keys))
        else:
            indices: list[int] = []
            positions: list[int] = []
            for index, key in enumerate(_values(rows, matches)):
                holders = self.of(key)
                indices.extend(repeat(index, len(holders)))
                positions.extend(holders)
            if indices != list(range(bare.num_rows)):
                bare = bare.take(pa.array(indices, pa.int64()))
            column = pa.chunked_array([pa.array(positions, pa.int64())])
        tagged = bare.add_column(0, POSITION, column)
        return tagged.filter(pc.is_valid(column)) if column.null_count else tagged


def keys_of(rows: pa.Table, columns: Sequence[str]) -> list[tuple[int, tuple[object, ...]]]:
    """Position and key of every row whose key has no NULL."""
    keys = zip(rows.column(POSITION).to_pylist(), _values(rows, columns), strict=True)
    return [(position, key) for position, key in keys if None not in key]


def _values(rows: pa.Table, columns: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(rows.column(name).to_pylist() for name in columns), strict=True))


def is_exact(kind: pa.DataType) -> bool:
    """Whether Arrow may compare keys of this type."""
    return any(test(kind) for test in EXACT)


def distinct(rows: pa.Table, columns: Sequence[str], names: Sequence[str]) -> pa.Table:
    """The distinct keys of the rows, without those that hold a NULL, under other names."""
    picked = rows.select(list(dict.fromkeys(columns)))
    unique = picked.group_by(picked.column_names, use_threads=False).aggregate([]).drop_null()
    return pa.table([unique.column(column) for column in columns], names=list(names))


def unheld(
    rows: pa.Table, links: Sequence[str], held: pa.Table, keys: Sequence[str], *, quick: bool = True
) -> pa.Array:
    """True for rows whose link leads to no row of `held` of the same unit; a link that holds a NULL leads nowhere and
    is not asked.
    """
    pairs = list(zip(links, keys, strict=True))
    if quick and all(
        rows.column(link).type == held.column(key).type and is_exact(held.column(key).type) for link, key in pairs
    ):
        names = [f"k{number}" for number in range(len(pairs))]
        wanted = pa.table(
            [rows.column(POSITION), *(rows.column(link) for link in links)], names=[POSITION, *names]
        ).append_column("row", pa.array(range(rows.num_rows), pa.int64()))
        there = pa.table([held.column(POSITION), *(held.column(key) for key in keys)], names=[POSITION, *names])
        lost = wanted.drop_null().join(
            there.group_by([POSITION, *names], use_threads=False).aggregate([]),
            keys=[POSITION, *names], join_type="left anti", use_threads=False,
        )  # fmt: skip
        return pc.is_in(wanted.column("row"), value_set=lost.column("row")).combine_chunks()
    known = {(position, key_bytes(key)) for position, key in keys_of(held, keys)}
    asked = zip(rows.column(POSITION).to_pylist(), _values(rows, links), strict=True)
    return pa.array(
        [None not in key and (position, key_bytes(key)) not in known for position, key in asked], pa.bool_()
    )
