"""Which unit does each row belong to? Answered for whole tables, by joins over one scan of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from ludb.errors import Fault
from ludb.model.unit import POSITION, Fetched, Refusal, UnitSchema, UnitTable
from ludb.unitdb.database import UnitDatabase, quote

Scan = Callable[[UnitTable, tuple[str, ...] | None], Iterator[Fetched]]
"""Reads a whole table, or the named columns of it."""

_ROW = "ludb_row"
_OUTSIDE = -1
"""The position of rows whose unit exists in the source but is not in the list."""


class Locator:
    """Tables of a unit with the list position of every row, whatever systems they live in.

    `wanted` names unit tables and the columns to keep of each (None: all); their ancestors are scanned for their link
    columns alone. Links are followed by value. Used inside one `with`.
    """

    def __init__(
        self,
        unit: UnitSchema,
        keys: pa.Table,
        scan: Scan,
        wanted: Mapping[str, tuple[str, ...] | None],
        *,
        memory_limit: str = "2GB",
        spill: Path | None = None,
    ) -> None:
        """Scan and locate; `keys` is the list: `ludb_position` and the key columns."""
        # Nobody else is at work while a run is planned, and every query here says its order.
        threads = min(4, len(os.sched_getaffinity(0)))
        self._database = UnitDatabase(memory_limit=memory_limit, spill=str(spill) if spill else None, threads=threads)
        self._unit = unit
        self._refused: dict[str, list[tuple[int, Fault]]] = {}
        self._types: dict[str, pa.Schema] = {}
        self._database.put("list", keys)
        needed = {table.name for name in wanted for table in unit.path(name)}
        for table in unit.tables:
            if table.name not in needed:
                continue
            extra = wanted.get(table.name, ())
            columns = None if extra is None else tuple(dict.fromkeys((*_link_columns(unit, table), *extra)))
            refused = self._refused.setdefault(table.name, [])
            self._database.stream(quote(f"raw_{table.name}"), self._numbered(table, scan(table, columns), refused))
            self._locate(table)

    def _locate(self, table: UnitTable) -> None:
        """Create `at_<table>`: (row number, position) for every row that a chain of links leads to."""
        raw, at = quote(f"raw_{table.name}"), quote(f"at_{table.name}")
        if table.parent is None:
            same = " AND ".join(f"r.{quote(key)} = l.{quote(key)}" for key in self._unit.key)
            self._database.execute(
                f"CREATE TABLE {at} AS SELECT r.{_ROW}, coalesce(l.{POSITION}, {_OUTSIDE}) AS {POSITION} "
                f"FROM {raw} r LEFT JOIN list l ON {same}"
            )
            return
        parent_raw, parent_at = quote(f"raw_{table.parent}"), quote(f"at_{table.parent}")
        linked = ", ".join(f"p.{quote(parent)} AS k{i}" for i, (_, parent) in enumerate(table.on))
        links = [(f"c.{quote(child)}", child, f"k.k{i}", up) for i, (child, up) in enumerate(table.on)]
        same = self._same(table.name, table.parent, links)
        self._database.execute(
            f"CREATE TABLE {at} AS SELECT c.{_ROW}, k.{POSITION} FROM {raw} c JOIN (SELECT DISTINCT {linked}, "
            f"a.{POSITION} FROM {parent_raw} p JOIN {parent_at} a USING ({_ROW})) k ON {same}"
        )
        if table.recursive:
            links = [(f"c.{quote(child)}", child, f"p.{quote(up)}", up) for child, up in table.recursive]
            step = self._same(table.name, table.name, links)
            self._database.execute(
                f"CREATE OR REPLACE TABLE {at} AS WITH RECURSIVE walk AS (SELECT {_ROW}, {POSITION} FROM {at} UNION "
                f"SELECT c.{_ROW}, w.{POSITION} FROM walk w JOIN {raw} p ON p.{_ROW} = w.{_ROW} JOIN {raw} c ON {step}) "
                f"SELECT * FROM walk"
            )

    def _numbered(
        self, table: UnitTable, batches: Iterable[Fetched], refused: list[tuple[int, Fault]]
    ) -> Iterator[pa.Table]:
        """Rows with their number from 1 on; the rows that the scan refuses, by their number."""
        start = 1
        for fetched in batches:
            self._types[table.name] = fetched.rows.schema
            refused.extend((start + bad.row, _fault(table.name, bad)) for bad in fetched.refused)
            numbers = pa.array(range(start, start + fetched.rows.num_rows), pa.int64())
            start += fetched.rows.num_rows
            yield fetched.rows.append_column(_ROW, numbers)

    def _same(self, child: str, parent: str, links: Iterable[tuple[str, str, str, str]]) -> str:
        """The condition of a link: (child's SQL, column, parent's SQL, column). Text meets another type as that type, as
        SQL databases compare them; a text that is none of it meets nothing.
        """
        terms = []
        for left, column, right, key in links:
            kinds = self._types[child].field(column).type, self._types[parent].field(key).type
            terms.append(f"{_met(left, *kinds)} = {_met(right, *reversed(kinds))}")
        return " AND ".join(terms)

    def rows(self, name: str) -> pa.Table:
        """The rows of listed units, `ludb_position` first, sorted by it, in table order within a unit."""
        return pa.concat_tables(self.stream(name))

    def stream(self, name: str) -> Iterator[pa.Table]:
        """As `rows`, in pieces, at least one: a whole table need not fit into memory."""
        raw, at = quote(f"raw_{name}"), quote(f"at_{name}")
        found = self._database.pieces(
            f"SELECT a.{POSITION}, r.* FROM {raw} r JOIN {at} a USING ({_ROW}) WHERE a.{POSITION} >= 0 "
            f"ORDER BY a.{POSITION}, r.{_ROW}"
        )
        for piece in found:
            yield piece.drop_columns([_ROW])

    def faults(self, name: str) -> dict[int, Fault]:
        """Listed units with a row in this table that could not be carried."""
        numbers = dict(reversed(self._refused[name]))
        if not numbers:
            return {}
        at = self._database.query(
            f"SELECT {_ROW}, {POSITION} FROM {quote(f'at_{name}')} WHERE {POSITION} >= 0 ORDER BY ALL"
        )
        hit = at.filter(pc.is_in(at.column(_ROW), value_set=pa.array(sorted(numbers), pa.int64())))
        pairs = zip(hit.column(_ROW).to_pylist(), hit.column(POSITION).to_pylist(), strict=True)
        return {position: numbers[row] for row, position in pairs}

    def orphans(self, name: str) -> pa.Table:
        """Rows that no chain of links leads to: `row_id`, `missing` and `direct`, as `CanFetch.orphans` has them."""
        table = self._unit.table(name)
        raw, at = quote(f"raw_{name}"), quote(f"at_{name}")
        missing = " || '|' || ".join(f"CAST(r.{quote(child)} AS VARCHAR)" for child, _ in table.on) or "NULL"
        parent = quote(f"raw_{table.parent}") if table.parent else raw
        links = [(f"r.{quote(child)}", child, f"p.{quote(up)}", up) for child, up in table.on]
        same = self._same(name, table.parent or name, links) or "FALSE"
        return self._database.query(
            f"SELECT CAST(r.{_ROW} AS VARCHAR) AS row_id, CAST({missing} AS VARCHAR) AS missing, "
            f"NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same}) AS direct FROM {raw} r "
            f"WHERE NOT EXISTS (SELECT 1 FROM {at} a WHERE a.{_ROW} = r.{_ROW}) ORDER BY r.{_ROW}"
        )

    def shared(self, name: str, links: Iterable[str]) -> pa.Table:
        """Rows that several units claim, once for every listed unit: `ludb_position`, the first listed unit's position
        as `ludb_first`, and their `links`.
        """
        raw, at = quote(f"raw_{name}"), quote(f"at_{name}")
        columns = ", ".join(f"r.{quote(link)}" for link in links)
        return self._database.query(
            f"SELECT DISTINCT a.{POSITION}, m.ludb_first, {columns} FROM (SELECT {_ROW}, min({POSITION}) FILTER "
            f"({POSITION} >= 0) AS ludb_first FROM {at} GROUP BY {_ROW} HAVING count(DISTINCT {POSITION}) > 1) m "
            f"JOIN {at} a USING ({_ROW}) JOIN {raw} r USING ({_ROW}) WHERE a.{POSITION} >= 0 ORDER BY ALL"
        )

    def count(self, name: str) -> int:
        """How many rows of the table belong to listed units."""
        at = quote(f"at_{name}")
        return int(
            self._database.query(f"SELECT count(DISTINCT {_ROW}) FROM {at} WHERE {POSITION} >= 0").column(0)[0].as_py()
        )

    def close(self) -> None:
        """Free the memory; safe to repeat."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fault(table: str, bad: Refusal) -> Fault:
    row = f" (row {bad.row_id})" if bad.row_id else ""
    return Fault(f"{table}.{bad.column}: {bad.reason}", f"{bad.detail}{row}")


def _link_columns(unit: UnitSchema, table: UnitTable) -> tuple[str, ...]:
    names = [child for child, _ in (*table.on, *table.recursive)] + [parent for _, parent in table.recursive]
    names += list(unit.key) if table.parent is None else []
    names += [parent for other in unit.tables if other.parent == table.name for _, parent in other.on]
    return tuple(dict.fromkeys(names))


def _met(sql: str, kind: pa.DataType, other: pa.DataType) -> str:
    """A value as it is compared with one of another type."""
    if pa.types.is_string(kind) and not pa.types.is_string(other):
        return f"TRY_CAST({sql} AS {_sql_type(other)})"
    return sql


def _sql_type(kind: pa.DataType) -> str:
    """The SQL type that text is compared as where it meets this type."""
    if pa.types.is_integer(kind):
        return "HUGEINT"
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return next((name for test, name in _SQL_TYPES if test(kind)), "VARCHAR")


_SQL_TYPES = (
    (pa.types.is_floating, "DOUBLE"),
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_timestamp, "TIMESTAMP"),
)
