"""Who leaves the chunk, and why."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.workplace import unit_texts
from ludb.errors import Fault
from ludb.model.data import Extract, rows_of
from ludb.model.run import Chunk, UnitException, UnitState
from ludb.model.unit import POSITION


class Verdicts:
    """The units of one chunk that cannot move, with everything a person needs to mend them.

    Whoever finds a fault says so here; the first fault of a unit stands.
    """

    def __init__(self, chunk: Chunk, extract: Extract, *, version: str, at: float) -> None:
        """Start with nobody rejected but those that the extract itself refuses."""
        self._chunk, self._extract = chunk, extract
        self._version, self._at = version, at
        self._positions = frozenset(chunk.positions)
        self._alive: tuple[int, ...] | None = None
        self._found: dict[int, UnitException] = {}
        self._warned: dict[str, set[int]] = {rule: set(at) for rule, at in extract.warnings.items()}
        gone = {position: Fault("the unit is no longer in the source") for position in extract.gone}
        self.reject(gone, phase="extract", step="", state=UnitState.GONE)
        self.reject(extract.faults, phase="extract", step="")

    def reject(
        self,
        faults: Mapping[int, Fault],
        *,
        phase: str,
        step: str,
        trace: str = "",
        body: str = "",
        state: UnitState = UnitState.QUARANTINED,
    ) -> None:
        """Set units aside. `reason` groups and holds no row values; they belong in `detail` and `body`."""
        if not faults:
            return
        keys, self._alive = self._keys, None
        for position, fault in faults.items():
            if position not in self._positions:
                raise KeyError(position)
            key = keys[position]
            message = (
                f"{fault.reason} (unit {key})" if _names(step, fault.reason) else f"{step}: {fault.reason} (unit {key})"
            )
            found = UnitException(
                position=position, unit_key=key, state=state, phase=phase, step=step, reason=fault.reason,
                message=message, detail=fault.detail, body=body, trace=trace, job_version=self._version,
                at=self._at, chunk=self._chunk.id,
            )  # fmt: skip
            self._found.setdefault(position, found)

    @cached_property
    def _keys(self) -> dict[int, str]:
        """Unit keys as people read them: most chunks set nobody aside."""
        return unit_texts(self._chunk)

    def warn(self, rule: str, positions: Iterable[int]) -> None:
        """Keep a warning that lets the units move."""
        self._warned.setdefault(rule, set()).update(positions)

    @property
    def warnings(self) -> dict[str, int]:
        """How many of the units that move each warning is about."""
        counted = {rule: len(positions - self._found.keys()) for rule, positions in self._warned.items()}
        return {rule: count for rule, count in counted.items() if count}

    @property
    def rejected(self) -> frozenset[int]:
        """Positions of the units that do not move."""
        return frozenset(self._found)

    @property
    def alive(self) -> tuple[int, ...]:
        """Positions of the units that may still move, in list order."""
        if self._alive is None:
            self._alive = tuple(position for position in self._chunk.positions if position not in self._found)
        return self._alive

    def exceptions(self, produced: Mapping[str, pa.Table]) -> tuple[UnitException, ...]:
        """The rejected units with their source rows and their row counts, in list order."""
        source = {name: self._read(name) for name in self._extract.tables}
        output = {name: counts(table, self._found) for name, table in produced.items()}
        theirs = {name: rows_of(table, self._found) for name, table in self._extract.tables.items()}
        complete = []
        for position in sorted(self._found):
            found = self._found[position]
            rows = {
                "source": {name: by[position] for name, by in source.items() if position in by},
                "output": {name: by[position] for name, by in output.items() if position in by},
            }
            complete.append(replace(found, rows=rows, source_rows=source_rows(theirs, position)))
        return tuple(complete)

    def _read(self, table: str) -> dict[int, int]:
        """Rows of the rejected units, strays that were dropped from them too: a unit that does not move drops nothing."""
        read = counts(self._extract.tables[table], self._found)
        for position, strays in self._extract.strays.get(table, {}).items():
            if position in self._found:
                read[position] = read.get(position, 0) + strays
        return read


def _names(step: str, reason: str) -> bool:
    """Whether a reason says already where it comes from, or there is nothing to be said."""
    return not step or reason.startswith((f"{step}:", f"{step}.")) or reason.endswith(f" in {step}")


def counts(table: pa.Table, positions: Iterable[int]) -> dict[int, int]:
    """How many rows of the table each of the positions has; positions without rows are left out."""
    kept = rows_of(table, list(positions))
    if not kept.num_rows:
        return {}
    counted = pc.value_counts(kept.column(POSITION))
    return {int(item["values"].as_py()): int(item["counts"].as_py()) for item in counted}


SOURCE_ROWS_LIMIT = 200
"""Rows per table kept with a quarantined unit: enough to see it, not a second copy of the database."""


def source_rows(tables: Mapping[str, pa.Table], position: int) -> str:
    """The unit's source rows as JSON text: unit table -> rows, and `...` -> rows left out."""
    shown: dict[str, object] = {}
    for name, table in tables.items():
        rows = rows_of(table, [position]).drop_columns([POSITION])
        shown[name] = rows.slice(0, SOURCE_ROWS_LIMIT).to_pylist()
        if rows.num_rows > SOURCE_ROWS_LIMIT:
            shown[f"{name}..."] = rows.num_rows - SOURCE_ROWS_LIMIT
    return json.dumps(shown, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value)
