"""What is done to a UnitBatch between reading and writing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ludb.unitdb.batch import UnitBatch


class Step(Protocol):
    """An ordered transformation. Run once per chunk and attempt; must give the same answer for the same batch."""

    @property
    def name(self) -> str:
        """The step's file, relative to the job folder: `steps/10_customer/crm.customer.sql`."""

    @property
    def output(self) -> str:
        """The output that the step's rows are appended to: `crm.customer`."""

    def run(self, batch: UnitBatch) -> None:
        """Append rows to the output. Raises `UnitError`, with the units at fault where they are known, or `ConfigError`
        where no data could make the step work.
        """


@runtime_checkable
class CanVary(Protocol):
    """A step that can tell whether its columns depend on the data: then a chunk may lack the output, or some of its
    columns, and texts that read them still work.
    """

    @property
    def varying(self) -> bool:
        """True if no column is sure to come."""
