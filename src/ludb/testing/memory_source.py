"""A source whose tables are Arrow tables in memory: it can be looked up by key, and edited while a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import pyarrow as pa

from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.keys import key_text
from ludb.model.unit import MATCH, Column, Fetched, KeySet, Refusal, UnitTable

Key = tuple[object, ...]
"""The values of some columns of a row."""

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
        fetched = self._carried(table, range(self._rows(table).num_rows))
        if columns is not None:
            kept = tuple(refusal for refusal in fetched.refused if refusal.column in columns)
            fetched = Fetched(fetched.rows.select(self._known(table, columns)), kept)
        yield fetched

    def snapshot(self) -> AbstractContextManager[None]:
        """Nothing to hold: nobody edits a table while a thread reads it."""
        return nullcontext()

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows by following the links from the asked keys; values are compared as they are stored."""
        wanted = set(_keys(by.values, by.values.column_names))
        pairs = [
            (key, at) for at, key in enumerate(self._keys(path[0], by.columns)) if key in wanted and None not in key
        ]
        for above, below in pairwise(path):
            pairs = self._linked(pairs, above, below)
        pairs.sort(key=lambda pair: pair[1])
        kinds = [self._rows(path[0]).schema.field(name).type for name in by.columns]
        return self._carried(path[-1], [at for _, at in pairs], [key for key, _ in pairs], kinds)

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows that no chain of links leads to, by following all links from every row of the root."""
        if len(path) == 1:
            return _ORPHANS.empty_table()
        reached: list[tuple[Key, int]] = [((), at) for at in range(self._rows(path[0]).num_rows)]
        for above, below in pairwise(path):
            reached = self._linked(reached, above, below)
        found = {at for _, at in reached}
        links = path[-1].on
        parents = set(self._keys(path[-2], [parent for _, parent in links]))
        lost = [
            {
                "row_id": str(at + 1),
                "missing": None if None in key else key_text(key),
                "direct": None in key or key not in parents,
            }
            for at, key in enumerate(self._keys(path[-1], [child for child, _ in links]))
            if at not in found
        ]
        return pa.Table.from_pylist(lost, schema=_ORPHANS)

    def count(self, table: UnitTable) -> int:
        """How many rows the table has."""
        return int(self._rows(table).num_rows)

    def close(self) -> None:
        """Nothing is open."""

    def _rows(self, table: UnitTable) -> pa.Table:
        name = table.table.name
        if name not in self._tables:
            known = ", ".join(sorted(self._tables))
            raise ConfigError(f"system {self._name} has no table {name!r}", remedy=f"Tables that are there: {known}")
        return self._tables[name]

    def _keys(self, table: UnitTable, columns: Sequence[str]) -> list[Key]:
        return _keys(self._rows(table).select(self._known(table, columns)), columns)

    def _known(self, table: UnitTable, columns: Sequence[str]) -> list[str]:
        there = self._rows(table).column_names
        for name in columns:
            if name not in there:
                raise ConfigError(
                    f"table {table.table} has no column {name!r}", remedy=f"Columns that are there: {', '.join(there)}"
                )
        return list(columns)

    def _schema(self, table: UnitTable) -> pa.Schema:
        types = dict(table.types)
        self._known(table, list(types))
        own = self._rows(table).schema
        return pa.schema(
            [field.with_type(arrow_type(types[field.name])) if field.name in types else field for field in own]
        )

    def _linked(self, pairs: Sequence[tuple[Key, int]], above: UnitTable, below: UnitTable) -> list[tuple[Key, int]]:
        """(matched key, row of `below`) from (matched key, row of `above`), each once."""
        children: dict[Key, list[int]] = {}
        for at, key in enumerate(self._keys(below, [child for child, _ in below.on])):
            if None not in key:
                children.setdefault(key, []).append(at)
        parents = self._keys(above, [parent for _, parent in below.on])
        return list(dict.fromkeys((match, child) for match, at in pairs for child in children.get(parents[at], ())))

    def _carried(
        self, table: UnitTable, places: Sequence[int], matches: Sequence[Key] = (), kinds: Sequence[pa.DataType] = ()
    ) -> Fetched:
        """The rows at these places behind their match columns; texts of `types:` become values or are refused."""
        rows = self._rows(table).take(pa.array(places, pa.int64()))
        columns = {f"{MATCH}{i}": pa.array([key[i] for key in matches], kind) for i, kind in enumerate(kinds)}
        refused: list[Refusal] = []
        for field in self._schema(table):
            column = rows.column(field.name)
            if column.type != field.type:
                values = []
                for at, value in enumerate(column.to_pylist()):
                    try:
                        values.append(None if value is None else from_text(str(value), field.type))
                    except ValueError as error:
                        match = matches[at] if matches else ()
                        detail, row_id = repr(value), str(places[at] + 1)
                        refused.append(Refusal(match, table.name, field.name, str(error), detail, row_id, at))
                        values.append(None)
                column = pa.array(values, field.type)
            columns[field.name] = column
        return Fetched(pa.table(columns), refused)


def _keys(rows: pa.Table, columns: Sequence[str]) -> list[Key]:
    return list(zip(*(rows.column(name).to_pylist() for name in columns), strict=True))
