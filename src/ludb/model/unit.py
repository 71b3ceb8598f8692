"""What a unit is: its root table, the links that lead to its other tables, and the columns as the source has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Pairs = tuple[tuple[str, str], ...]
"""Column pairs of a link: (column of the child, column of the parent)."""

POSITION = "ludb_position"
"""Column that carries a row's unit as list position (int64) wherever rows travel inside the engine."""
UNIT_KEY = "unit_key"
"""Column that carries a row's unit key in the UnitBatch (composite: STRUCT); stripped before writing."""
MATCH = "ludb_match_"
"""Prefix of the columns in which `CanFetch.fetch` returns the matched keys: `ludb_match_0`, `ludb_match_1`, ..."""


@dataclass(frozen=True, slots=True, order=True)
class TableRef:
    """A table of a system: `legacy.customers`."""

    system: str
    name: str

    def __str__(self) -> str:
        return f"{self.system}.{self.name}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column as reflected, and how it is carried.

    `type` is the Arrow type it travels in; `native` the type as the system names it; `refused` says why it cannot be
    carried at all (decided at planning, before any unit runs). `generated` columns are never written.
    """

    name: str
    type: pa.DataType
    native: str
    nullable: bool = True
    key: bool = False
    required: bool = False
    generated: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class UnitTable:
    """One table of the unit. `name` is how steps call it; `table` is where its rows live.

    The root has no parent. `on` links to the parent; `also` names second parents by unit table; a row whose second
    parent is in another unit is a stray (`on_stray`). `recursive` follows a self reference: (child column, parent
    column) of the same table, walked until no new row appears. `unique_on` is true where the parent's linked columns are
    a key of the parent, so that a join cannot repeat a child row.
    """

    name: str
    table: TableRef
    parent: str | None = None
    on: Pairs = ()
    also: tuple[tuple[str, Pairs], ...] = ()
    on_stray: Literal["reject", "warn"] = "reject"
    recursive: Pairs = ()
    types: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class UniqueAcross:
    """Values that only one unit may hold; who keeps them is decided at planning, in list order."""

    table: str
    columns: tuple[str, ...]
    rule: Literal["reject_later", "reject_all"]


@dataclass(frozen=True, slots=True)
class UnitSchema:
    """The shape of a unit: `tables` holds the root first and every parent before its children."""

    key: tuple[str, ...]
    tables: tuple[UnitTable, ...]
    reference: tuple[TableRef, ...] = ()
    unique_across: tuple[UniqueAcross, ...] = ()

    @property
    def root(self) -> UnitTable:
        """The table with one row per unit."""
        return self.tables[0]

    def table(self, name: str) -> UnitTable:
        """The unit table called `name`; KeyError if there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def path(self, name: str) -> tuple[UnitTable, ...]:
        """The tables from the root down to `name`, both included."""
        found = [self.table(name)]
        while found[0].parent is not None:
            found.insert(0, self.table(found[0].parent))
        return tuple(found)

    def stretch(self, name: str) -> tuple[UnitTable, ...]:
        """The longest tail of `path(name)` that lives in one system: what one source can join by itself."""
        path = self.path(name)
        system = path[-1].table.system
        start = len(path)
        while start > 0 and path[start - 1].table.system == system:
            start -= 1
        return path[start:]

    @property
    def systems(self) -> tuple[str, ...]:
        """The source systems of the unit and of its reference tables, in name order."""
        refs = [table.table for table in self.tables] + list(self.reference)
        return tuple(sorted({ref.system for ref in refs}))


@dataclass(frozen=True, slots=True)
class KeySet:
    """Key values to look rows up by: one Arrow column per name in `columns`, row by row one key."""

    columns: tuple[str, ...]
    values: pa.Table

    def __len__(self) -> int:
        return int(self.values.num_rows)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be carried: its unit is rejected by name. `match` is the row's key as `fetch` returns it, `row` its
    place among the rows that are handed over with it.
    """

    match: tuple[object, ...]
    table: str
    column: str
    reason: str
    detail: str = ""
    row_id: str = ""
    row: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows with their `ludb_match_<i>` columns, and the rows that could not be carried (also counted in `rows`)."""

    rows: pa.Table
    refused: Sequence[Refusal] = field(default=())
