"""What stands at the targets of a unit now, beside what was written: read by keys, cell by cell, nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import pyarrow as pa

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, LudbError
from ludb.model.run import Run
from ludb.model.unit import MATCH, KeySet, TableRef, UnitTable
from ludb.ports.source import CanFetch, Source
from ludb.project import registry
from ludb.project.folder import JobFolder, read_job
from ludb.service.pinning import origin, pinned_job
from ludb.service.site import Site
from ludb.service.units import UnitView

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is not as it was written, or a row that is `missing` (then `column` is empty). `row` counts the rows of
    `output` from 0, as they were written.
    """

    output: str
    row: int
    kind: Literal["differs", "missing"]
    column: str = ""
    meant: object = None
    found: object = None


@dataclass(frozen=True, slots=True)
class Compared:
    """Rows found by output, where they differ, and the outputs that could not be read, with why."""

    found: Mapping[str, list[dict[str, Any]]]
    differences: tuple[Difference, ...]
    unread: Mapping[str, str]


def compare_unit(site: Site, run: Run, view: UnitView) -> Compared:
    """Read the rows of a moved unit back, each by the key of its table."""
    job = read_job(pinned_job(site, run), site.environment, home=origin(site, run))
    found: dict[str, list[dict[str, Any]]] = {}
    unread: dict[str, str] = {}
    differences: list[Difference] = []
    for output, meant in view.outputs.items():
        try:
            rows, key = _read(site, run, job, output, meant)
        except LudbError as error:
            unread[output] = str(error)
            continue
        found[output] = rows
        differences += _differences(output, meant, rows, key)
    return Compared(found, tuple(differences), unread)


def _read(
    site: Site, run: Run, job: JobFolder, output: str, meant: Sequence[Row]
) -> tuple[list[dict[str, Any]], Sequence[str]]:
    """The rows at the target that have the keys of the written ones, and the columns of that key."""
    system, _, name = output.partition(".")
    source = _reader(site, run, job, system)
    try:
        table = UnitTable(name, TableRef(system, name))
        columns = source.columns(table)
        key = [column.name for column in columns if column.key]
        if not key or not set(key) <= set(meant[0]):
            raise ConfigError(f"{output} has no key by which the rows that were written could be found")
        types = {column.name: column.type for column in columns}
        try:
            values = pa.table({one: pa.array([row[one] for row in meant]).cast(types[one]) for one in key})
        except pa.ArrowInvalid as error:
            raise ConfigError(f"{output}: its key is of another type than what was written") from error
        assert isinstance(source, CanFetch)
        with source.snapshot():
            rows = source.fetch((table,), KeySet(tuple(key), values)).rows
        shown = [one for one in rows.column_names if not one.startswith(MATCH)]
        return rows.select(shown).to_pylist(), key
    finally:
        source.close()


def _reader(site: Site, run: Run, job: JobFolder, system: str) -> Source:
    """The system as a source: a target is only ever written by its own adapter."""
    entry = job.systems.get(system)
    settings = entry.settings.get(registry.TARGETS) if entry else None
    if entry is None or settings is None or entry.type not in registry.names(registry.SOURCES):
        raise ConfigError(f"what stands in {system} cannot be read back")
    make = registry.adapter(registry.SOURCES, entry.type)
    if not issubclass(make, CanFetch) or not isinstance(settings, make.Settings):
        raise ConfigError(f"rows of {system} cannot be looked up by key")
    made: Source = make(system, settings, Surroundings(origin(site, run), site.state, entry.variables))
    return made


def _differences(output: str, meant: Sequence[Row], found: Sequence[Row], key: Sequence[str]) -> Iterator[Difference]:
    standing = {tuple(_form(row[one]) for one in key): row for row in found}
    for at, row in enumerate(meant):
        other = standing.get(tuple(_form(row[one]) for one in key))
        if other is None:
            yield Difference(output, at, "missing")
            continue
        for column, value in row.items():
            if column in other and _form(value) != _form(other[column]):
                yield Difference(output, at, "differs", column, value, other[column])


def _form(value: object) -> object:
    """A value in the form in which two systems agree on it: numbers by their value, moments by their text."""
    if value is None or isinstance(value, bytes):
        return value
    text = str(value).replace("T", " ") if hasattr(value, "isoformat") else str(value)
    if isinstance(value, bool):
        return Decimal(int(value))
    try:
        return Decimal(text) + 0 if isinstance(value, (int, float, Decimal)) else text
    except InvalidOperation:
        return text


def with_found(site: Site, run: Run, view: UnitView) -> tuple[UnitView, Compared]:
    """The view with what the targets hold; outputs that could not be read are told in its note."""
    compared = compare_unit(site, run, view)
    notes = [view.note, *(f"{output} was not read back: {why}" for output, why in compared.unread.items())]
    return replace(view, note="; ".join(note for note in notes if note)), compared
