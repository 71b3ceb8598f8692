"""Steps written as one SELECT."""

from __future__ import annotations

from pathlib import Path

from ludb.unitdb.batch import UnitBatch
from ludb.unitdb.database import check_select


class SqlStep:
    """A step whose rows are the answer of one SELECT over the batch.

    The text is parsed when the job is loaded: a `ConfigError` names file, line and column before anything runs.
    """

    def __init__(self, name: str, output: str, path: Path) -> None:
        """Read and parse the text."""
        self.name, self.output = name, output
        self.text = path.read_text(encoding="utf-8")
        check_select(self.text, file=name)

    def run(self, batch: UnitBatch) -> None:
        """Append the SELECT's rows to the output."""
        batch.append(self.output, batch.query(self.text, file=self.name), step=self.name)
