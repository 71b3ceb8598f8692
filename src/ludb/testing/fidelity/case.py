"""What a fidelity probe is: a nasty value as a system's own SQL writes it, where it goes, and what must happen there.

The rule for every value and every target: it arrives unchanged, compared in its source's own text form; or its unit alone is
refused with table, column and reason; or a conversion that the job asks for changes it and counts it. Never a crash of the
run, never a silent change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Form = Literal["text", "number", "float", "real", "moment", "instant", "boolean", "bytes", "uuid", "json"]
"""How two texts of one value are compared: letter by letter (`text`), or as what they name (`ludb.testing.fidelity.forms`)."""

Outcome = Literal["arrives", "refused", "planning", "converted", "gap"]
"""What happens to a value: `planning` means that its table is refused before any unit runs."""

SYSTEMS = ("postgres", "mysql", "sqlite", "files")
"""The systems that are sources and targets of the pairs."""

SOURCE, PLAN = "source", "plan"
"""Keys of `Probe.refused` for what no target ever sees."""

TEXT = {"postgres": "text", "mysql": "longtext", "sqlite": "text", "files": ""}
"""Columns of each target that hold any text."""
BYTES = {"postgres": "bytea", "mysql": "longblob", "sqlite": "blob", "files": ""}
"""Columns of each target that hold any bytes."""
DATE = {"postgres": "date", "mysql": "date", "sqlite": "date", "files": ""}
"""Columns of each target that hold days."""
STAMP = {"postgres": "timestamp", "mysql": "datetime(6)", "sqlite": "timestamp", "files": ""}
"""Columns of each target that hold moments without a zone."""
INSTANT = {"postgres": "timestamptz", "mysql": "timestamp(6) null", "sqlite": "datetime", "files": ""}
"""Columns of each target that hold instants."""
DOUBLE = {"postgres": "double precision", "mysql": "double", "sqlite": "double", "files": ""}
"""Columns of each target that hold floats of 64 bits."""
REAL = {"postgres": "real", "mysql": "float", "sqlite": "real", "files": ""}
"""Columns of each target that hold floats of 32 bits."""
WHOLE = {"postgres": "bigint", "mysql": "bigint", "sqlite": "bigint", "files": ""}
"""Columns of each target that hold integers of 64 bits."""
TRUTH = {"postgres": "boolean", "mysql": "boolean", "sqlite": "boolean", "files": ""}
"""Columns of each target that hold true and false."""


def exact(precision: int, scale: int) -> dict[str, str]:
    """Columns of each target that hold decimals of so many digits; SQLite holds more than 15 as text only."""
    native = f"decimal({precision},{scale})"
    return {"postgres": native, "mysql": native, "sqlite": native if precision <= 15 else "text", "files": ""}


@dataclass(frozen=True, slots=True)
class Probe:
    """Nasty values of one column type, all with the same fate, and a good neighbour that always moves.

    `values` and `good` are literals as the source writes them (SQL; for files the field's own text, or an Arrow value).
    `into` maps a target system to its column type; a system that is left out has no place for the value. `carry` is the
    job's `types:` for the column, `step` the step's expression over `v`. `refused` maps a target, `source` or `plan` to
    words of the reason; `converted` names the counting function that the step calls, and `becomes` what it makes of each
    value; `gaps` maps a target to the reason why the rule does not hold there yet.
    """

    case: int
    name: str
    native: str
    values: tuple[Any, ...]
    good: Any
    into: Mapping[str, str]
    form: Form = "text"
    carry: str = ""
    step: str = "v"
    refused: Mapping[str, str] = field(default_factory=dict)
    converted: str = ""
    becomes: tuple[str | None, ...] = ()
    gaps: Mapping[str, str] = field(default_factory=dict)

    def expected(self, target: str) -> Outcome:
        """What must happen on the way to a target of that name."""
        if PLAN in self.refused:
            return "planning"
        if SOURCE in self.refused:
            return "refused"
        if target in self.gaps:
            return "gap"
        if target in self.refused:
            return "refused"
        return "converted" if self.converted else "arrives"

    def reason(self, target: str) -> str:
        """Words that the refusal's reason must hold; empty where nothing is refused."""
        return self.refused.get(PLAN) or self.refused.get(SOURCE) or self.refused.get(target, "")

    def __str__(self) -> str:
        return f"case_{self.case:02}_{self.name.replace(' ', '_')}"
