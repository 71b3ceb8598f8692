"""A look at every system of a job before anything moves: what a start would stumble over, and what it would cost."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ludb.engine.migration import Migration
from ludb.engine.plan import reflect
from ludb.engine.preflight import preflight
from ludb.engine.unit_list import check_keys, read_keys
from ludb.errors import ConfigError, ConfigErrors, LudbError, TransientError
from ludb.model.findings import Finding
from ludb.model.job import OutputSpec
from ludb.model.run import Run, RunState
from ludb.model.unit import UnitSchema, UnitTable
from ludb.ports.inspect import CanInspect, CanPrice, HasRoom
from ludb.ports.target import Target
from ludb.project.folder import JobFolder
from ludb.project.places import placed
from ludb.service.planning import bound_place, texts_of
from ludb.service.site import Site
from ludb.service.staging import STAGED
from ludb.wording import plural

T = TypeVar("T")

CHEAP = 10_000
"""Rows that a look without an index may read before it is worth a word."""
SPARE = 1.2
"""Free bytes that a disk should have, for each byte of the sources."""
_TABLE = re.compile(r"unit\.tables\.([^.]+)")


def examine(site: Site, job: JobFolder, migration: Migration) -> list[Finding]:
    """Connect to every system, read-only, and tell what stands in the way (errors) or should be known (warnings). Systems
    that are away, refused logins and missing tables are findings, not exceptions. `site` is a scratch: nothing is kept.
    """
    found = _Findings(migration.job.unit, job.folder)
    for name, called in migration.calls.items():
        found.ask(name, called.check)
    for name, target in migration.targets.items():
        outputs = [spec for spec in migration.job.outputs.values() if spec.system == name and spec.call is None]
        _look_at_target(found, name, target, outputs)
    root = migration.job.unit.root.table.system
    size = _look_at_sources(found, migration)
    if size is None:
        return found
    _look_for_room(found, site, migration, size)
    columns = found.ask(root, reflect, migration)
    keys = found.ask(root, read_keys, migration)
    units = 0 if keys is None else keys.num_rows
    if keys is not None:
        found.ask(root, check_keys, migration.job.unit, keys, table=migration.job.unit.root.name)
    elif not found.wrong:
        found.append(Finding("error", root, "there is no unit to move: the table has no rows",
                             "Check the table and the system's URL", migration.job.unit.root.name))  # fmt: skip
    _look_for_indexes(found, migration, units)
    if columns is not None and not found.wrong_besides(migration.calls):
        # An API that is away keeps nothing from being bound: its description is a file.
        run = _run(site, job, units)
        seen = found.ask(root, lambda: preflight(bound_place(site, run, migration), columns, texts_of(job)))
        found += [Finding("warning", root, text) for text in (seen.warnings if seen else ())]
    return found


class _Findings(list[Finding]):
    """What was found so far. What a system raises when it is asked something is a finding too."""

    def __init__(self, unit: UnitSchema, folder: Path) -> None:
        super().__init__()
        self._unit, self._folder = unit, folder
        self.away: set[str] = set()

    @property
    def wrong(self) -> bool:
        """Whether there is an error among them."""
        return any(one.severity == "error" for one in self)

    def wrong_besides(self, systems: Collection[str]) -> bool:
        """Whether there is an error that is not of these systems."""
        return any(one.severity == "error" and one.system not in systems for one in self)

    def ask(self, system: str, asked: Callable[..., T], *given: object, table: str = "") -> T | None:
        """The answer, None where there was an error instead."""
        try:
            with placed(self._folder):
                return asked(*given)
        except ConfigErrors as errors:
            for error in errors.errors:
                self._keep(self._finding(system, error, table))
        except LudbError as error:
            if isinstance(error, TransientError):
                self.away.add(system)
            self._keep(self._finding(system, error, table))
        return None

    def _keep(self, new: Finding) -> None:
        """What two tables meet alike (a refused login) is the system's fault, and told once."""
        for at, one in enumerate(self):
            if (one.system, one.text) == (new.system, new.text):
                self[at] = replace(one, table="")
                return
        self.append(new)

    def _finding(self, system: str, error: LudbError, table: str) -> Finding:
        if not isinstance(error, ConfigError):
            remedy = "See that the system is there, and ask again" if isinstance(error, TransientError) else ""
            return Finding("error", system, str(error), remedy, table)
        place = ":".join(str(part) for part in (error.file, error.line, error.column) if part is not None)
        text = f"{place}: {error.message}" if place and place != "job.yaml" else error.message
        named = _TABLE.match(error.field or "")
        if named and not table:  # one question may be about tables of several systems
            table = named[1]
            system = next((one.table.system for one in self._unit.tables if one.name == table), system)
        return Finding("error", system, text, error.remedy or "", table)


def _look_at_target(found: _Findings, name: str, target: Target, outputs: Sequence[OutputSpec]) -> None:
    """Every table by itself, so that one that is missing hides no other; then the target as a whole. Rows that stand there
    already are what outputs that update or replace are for.
    """
    there = [
        table
        for table in dict.fromkeys(spec.table for spec in outputs)
        if name not in found.away and found.ask(name, target.columns, table, table=table) is not None
    ]
    if isinstance(target, CanInspect) and name not in found.away:
        rewritten = {spec.table for spec in outputs if spec.mode != "insert"}
        told = found.ask(name, target.inspect, there) or ()
        found += [one for one in told if one.severity == "error" or one.table not in rewritten]


def _look_at_sources(found: _Findings, migration: Migration) -> int | None:
    """Every table of the unit and every shared one, by itself: whether it is there and may be read. Gives the bytes that
    they take, None if one of them cannot be read.
    """
    size, whole = 0, True
    for table in _tables(migration):
        name = table.table.system
        source = migration.sources[name]
        if name in found.away or found.ask(name, source.columns, table, table=table.name) is None:
            whole = False
        elif isinstance(source, CanPrice):
            taken = found.ask(name, source.size, table, table=table.name)
            whole = whole and taken is not None
            size += taken or 0
    return size if whole else None


def _tables(migration: Migration) -> Iterator[UnitTable]:
    yield from migration.job.unit.tables
    for ref in migration.job.unit.reference:
        yield UnitTable(ref.name, ref)


def _look_for_indexes(found: _Findings, migration: Migration, units: int) -> None:
    """Links that no index leads along, with what they cost over the whole run."""
    unit, settings = migration.job.unit, migration.job.settings
    chunks = -(-units // settings.chunk_units)
    for table in unit.tables if settings.extract != STAGED and units else ():
        name = table.table.system
        source = migration.sources[name]
        if not isinstance(source, CanPrice) or any(
            one.severity == "error" and one.table == table.name for one in found
        ):
            continue
        links = unit.key if table.parent is None else tuple(child for child, _ in table.on)
        for columns in (links, tuple(child for child, _ in table.recursive)):
            price = found.ask(name, source.price, table, columns, table=table.name) if columns else None
            if price is not None and price.rows > CHEAP:
                found.append(Finding(
                    "warning", name,
                    f"no index leads to {', '.join(columns)}: each chunk reads about {price.rows:,} rows, "
                    f"{plural(chunks, 'chunk')} about {price.rows * chunks:,}",
                    f"{price.remedy}; or settings: {{extract: staged}}", table.name, ", ".join(columns),
                ))  # fmt: skip


def _look_for_room(found: _Findings, site: Site, migration: Migration, size: int) -> None:
    place = next(path for path in (site.state, *site.state.parents) if path.exists())
    will = "the journal (with staged sources their copies too) will lie there"
    _compare(
        found, "state directory", place, shutil.disk_usage(place).free, size, will, "Name another place with --state"
    )
    for name, target in migration.targets.items():
        room = found.ask(name, target.room) if isinstance(target, HasRoom) else None
        if room is not None:
            _compare(found, name, *room, size, "what is made of them will lie there", "Name another place in job.yaml")


def _compare(found: _Findings, system: str, place: Path, free: int, size: int, will: str, remedy: str) -> None:
    if free < size * SPARE:
        found.append(Finding(
            "warning", system,
            f"{place} has {free / 1e9:,.1f} GB free; the sources hold about {size / 1e9:,.1f} GB, and {will}",
            f"{remedy}, or make room",
        ))  # fmt: skip


def _run(site: Site, job: JobFolder, units: int) -> Run:
    values: Mapping[str, object] = {spec.name: spec.default for spec in job.job.parameters}
    return Run(
        id="check", job=job.job.name, instance=job.job.name, state=RunState.PLANNED, version=job.job.version,
        pinned=job.job.pinned, clock=time.time(), units=units, actor=site.actor, host=site.host, parameters=values,
    )  # fmt: skip
