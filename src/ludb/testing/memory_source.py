"""A source whose tables are Arrow tables in memory: it can be looked up by key, and edited while a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pyarrow as pa

from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.keys import key_bytes, key_text
from ludb.model.unit import MATCH, Column, Fetched, KeySet, Pairs, Refusal, UnitTable

_ORPHANS = pa.schema([("row_id", pa.string()), ("missing", pa.string()), ("direct", pa.bool_())])


class MemorySource:
    """Implements `Source` and `CanFetch` over a mapping of tables, read anew at every call; row order is the table's.

    Nothing but `types:` changes a value: a text that is not of its type is refused by row number, counted from 1.
    """

    def __init__(self, name: str, tables: Mapping[str, pa.Table]) -> None:
        """The mapping stays the caller's: a table put into it is seen from the next call on."""
        self._name, self._tables = name, tables

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's columns, typed as they are or as `types:` says."""
        own = self._rows(table).schema
        return tuple(
            Column(column.name, column.type, str(own.field(column.name).type), nullable=column.nullable)
            for column in self._schema(table)
        )

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The keys in the table's order, in one piece."""
        (fetched,) = self.scan(table, columns)
        if fetched.refused:
            bad = fetched.refused[0]
            raise ConfigError(
                f"a unit key cannot be carried: {table.table}, column {bad.column}, row {bad.row_id}: it {bad.reason}",
                remedy="Mend the row, or carry the key as text with types:",
            )
        yield fetched.rows

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table, in one piece."""
        rows = self._rows(table)
        names = self._known(table, columns or rows.column_names)
        yield self._carried(table, list(range(rows.num_rows)), names, None)

    def snapshot(self) -> AbstractContextManager[None]:
        """Nothing to hold: nobody edits a table while a thread reads it."""
        return nullcontext()

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows by following the links from the asked keys, one look-up per link."""
        wanted = dict.fromkeys(_keys(by.values, by.values.column_names))
        matched = {key: [at] for key, at in self._where(path[0], by.columns, wanted)}
        pairs = [(key, at) for at, key in self._places(path[0], by.columns) if key in matched]
        for above, below in zip(path, path[1:], strict=False):
            pairs = self._linked(pairs, above, below)
        pairs.sort(key=lambda pair: pair[1])
        matches = _match_columns([key for key, _ in pairs], self._schema(path[0], by.columns))
        return self._carried(path[-1], [at for _, at in pairs], self._rows(path[-1]).column_names, matches)

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, by following all links from every row of the root."""
        if len(path) == 1:
            return _ORPHANS.empty_table()
        reached = [((), at) for at in range(self._rows(path[0]).num_rows)]
        for above, below in zip(path, path[1:], strict=False):
            reached = self._linked(reached, above, below)
        found = {at for _, at in reached}
        parents = {key for _, key in self._places(path[-2], [parent for _, parent in path[-1].on])}
        lost = [
            {
                "row_id": str(at + 1),
                "missing": None if None in key else key_text(key),
                "direct": None in key or key not in parents,
            }
            for at, key in self._places(path[-1], [child for child, _ in path[-1].on])
            if at not in found
        ]
        return pa.Table.from_pylist(lost, schema=_ORPHANS)

    def count(self, table: UnitTable) -> int:
        """How many rows the table has."""
        return int(self._rows(table).num_rows)

    def close(self) -> None:
        """Nothing is open."""
