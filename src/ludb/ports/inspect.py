"""Systems that can be looked at before a job moves anything: `ludb check --connect`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from ludb.model.findings import Finding, Price
from ludb.model.unit import UnitTable


@runtime_checkable
class CanPrice(Protocol):
    """A source that knows what reading it costs. Nothing is written; no table is read but to count rows, up to a limit."""

    def size(self, table: UnitTable) -> int:
        """About how many bytes the table takes, 0 where nobody can tell. `ConfigError` where its rows may not be read."""

    def price(self, table: UnitTable, columns: Sequence[str]) -> Price | None:
        """What looking rows up by these columns costs, by the server's own plan (EXPLAIN); None where an index leads to
        them.
        """


@runtime_checkable
class CanInspect(Protocol):
    """A target that can tell whether a run could write into it. Nothing is written, not even a ledger. Safe to repeat."""

    def inspect(self, tables: Sequence[str]) -> Sequence[Finding]:
        """What stands in the way (durability, rights on tables, sequences and ledger), and tables that hold rows already:
        the only warning with a `table`.
        `ConfigError` for a table that is not there, `TransientError` where the system is away.
        """


@runtime_checkable
class HasRoom(Protocol):
    """A target that may lie on a disk of this machine."""

    def room(self) -> tuple[Path, int] | None:
        """A folder on that disk, and the bytes that are free there; None where it lies elsewhere."""
