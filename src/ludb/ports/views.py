"""The read side of the repository: what CLI, API and dashboard show. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from ludb.model.calls import Call
from ludb.model.run import Chunk, Counters, Run, UnitException, UnitState


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows by table and by the state of their unit, from the repository alone: `source[table][state]`.

    States are unit states, and for sources `stray` (dropped with a warning). Undecided units are in none of them.
    `warnings` counts units by rule of severity `warn`; `conversions` values that steps changed, by function of `ludb.sql`.
    """

    source: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    output: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    conversions: Mapping[str, int] = field(default_factory=dict)


class RunViews(Protocol):
    """Read models over runs. Every answer is one consistent look."""

    def runs(self, job: str | None = None, limit: int = 100) -> list[Run]:
        """Runs, the newest first."""

    def counters(self, run_id: str) -> Counters:
        """Where the units are; the states add up to the total."""

    def rows(self, run_id: str) -> RowCounts:
        """Rows by table and unit state."""

    def exceptions(
        self, run_id: str, state: UnitState | None = None, reason: str | None = None, limit: int | None = None
    ) -> list[UnitException]:
        """Units that are neither done nor pending, in list order."""

    def chunks(self, run_id: str, *, unresolved: bool = False) -> list[tuple[Chunk, str, float | None]]:
        """Chunks with their last error and the time before which they wait; `unresolved` leaves out finished and split
        ones. `keys` of these chunks is empty.
        """

    def keys(self, run_id: str) -> pa.Table:
        """The whole unit list: `ludb_position` and the key columns."""

    def unit(
        self, run_id: str, position: int
    ) -> tuple[UnitState, list[tuple[float, str, Mapping[str, object]]], list[Call]]:
        """A unit's state, its history (time, what, data; oldest first) and its calls."""

    def done(self, run_id: str) -> pa.Array:
        """The positions of done units (int64)."""
