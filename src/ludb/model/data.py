"""The data of one chunk as it moves: what was extracted, and what is to be written. Immutable Arrow throughout."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from ludb.errors import Fault
from ludb.model.unit import POSITION


def rows_of(table: pa.Table, positions: Collection[int]) -> pa.Table:
    """The rows of `table` whose `ludb_position` is one of `positions`."""
    wanted = pa.array(sorted(positions), pa.int64())
    kept = pc.is_in(table.column(POSITION), value_set=wanted)
    return table if pc.all(kept).as_py() is True else table.filter(kept)


@dataclass(frozen=True, slots=True)
class Extract:
    """A chunk's rows as read, before any step. Each table starts with `ludb_position`.

    `keys` holds `ludb_position` and the unit key columns, for every unit of the chunk. `faults` are units that cannot
    move for what was read (by position); `gone` are units whose root row is no longer there; `strays` counts rows
    dropped with a warning, by table and position; `warnings` are the positions that each warning is about.
    """

    keys: pa.Table
    tables: Mapping[str, pa.Table]
    faults: Mapping[int, Fault] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()
    strays: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    warnings: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def positions(self) -> tuple[int, ...]:
        """The list positions of all units of the extract."""
        return tuple(self.keys.column(POSITION).to_pylist())

    @property
    def size(self) -> int:
        """Bytes that the rows of all tables hold in memory."""
        return sum(table.nbytes for table in self.tables.values())

    def only(self, positions: Collection[int]) -> Extract:
        """The same extract for fewer units."""
        kept = set(positions)
        return replace(
            self,
            keys=rows_of(self.keys, kept),
            tables={name: rows_of(table, kept) for name, table in self.tables.items()},
            faults={at: fault for at, fault in self.faults.items() if at in kept},
            gone=self.gone & kept,
            strays={name: {at: n for at, n in by.items() if at in kept} for name, by in self.strays.items()},
            warnings={reason: positions & kept for reason, positions in self.warnings.items()},
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """The rows of one table that belong to a chunk's units and are deleted before the chunk writes.

    `units` starts with `ludb_position`, one row per unit; its other columns are the table's, with the values that the
    unit's rows share, compared by bytes. With `parent` they are instead the rows that lead to the unit's rows of that
    table, which has a removal of its own: by `through`, pairs (column, column of the parent); `units` has positions only.
    """

    units: pa.Table
    parent: str | None = None
    through: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WriteSet:
    """What one target gets from one chunk: rows by table, in writing order. Each table starts with `ludb_position`.

    `removals`, by table and in their order, are carried out before anything is written. Tables in `keys` are merged: a
    row whose key (these columns) is there already gets the columns that are written. All others are inserted.
    """

    target: str
    tables: Mapping[str, pa.Table]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removals: Mapping[str, Removal] = field(default_factory=dict)

    def only(self, positions: Collection[int]) -> WriteSet:
        """The same write-set for fewer units."""
        return replace(
            self,
            tables={name: rows_of(table, positions) for name, table in self.tables.items()},
            removals={
                name: replace(removal, units=rows_of(removal.units, positions))
                for name, removal in self.removals.items()
            },
        )

    @property
    def positions(self) -> set[int]:
        """The units that have rows here, or may lose some."""
        held = [*self.tables.values(), *(removal.units for removal in self.removals.values())]
        return {position for rows in held for position in rows.column(POSITION).to_pylist()}

    @property
    def rows(self) -> int:
        """How many rows all tables hold."""
        return sum(table.num_rows for table in self.tables.values())


@dataclass(frozen=True, slots=True)
class Applied:
    """What a target says of a write-set applied in recovery: `already` there, or written; units that no longer fit, also
    those that an earlier recovery had to leave out.
    """

    already: bool
    failed: Mapping[int, Fault] = field(default_factory=dict)


MISFIT = Fault("its rows did not fit when they were applied by an earlier recovery")
"""The fault of a unit that the ledger row of a committed transaction does not name, though its write-set does."""
