"""A look at every system of a job before anything moves: what a start would stumble over, and what it would cost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from ludb.engine.migration import Migration
from ludb.engine.plan import reflect
from ludb.engine.preflight import preflight
from ludb.engine.unit_list import root_keys
from ludb.errors import ConfigError, ConfigErrors, LudbError, TransientError
from ludb.model.findings import Finding
from ludb.model.run import Run, RunState
from ludb.ports.inspect import CanInspect, CanPrice
from ludb.project.folder import JobFolder
from ludb.service.planning import bound_place, texts_of
from ludb.service.site import Site
from ludb.service.staging import STAGED

T = TypeVar("T")

CHEAP = 10_000
"""Rows that a look without an index may read before it is worth a word."""
SPARE = 1.2
"""Free bytes that the state directory should have, for each byte of the source."""


def examine(site: Site, job: JobFolder, migration: Migration) -> list[Finding]:
    """Connect to every system, read-only, and tell what stands in the way (errors) or should be known (warnings). Systems
    that are away, refused logins and missing tables are findings, not exceptions. `site` is a scratch: nothing is kept.
    """
    found = _Findings()
    for name, called in migration.calls.items():
        found.ask(name, called.check)
    for name, target in migration.targets.items():
        tables = [spec.table for spec in migration.job.outputs.values() if spec.system == name and spec.call is None]
        if isinstance(target, CanInspect):
            found += found.ask(name, target.inspect, tables) or ()
        else:
            for table in tables:
                found.ask(name, target.columns, table, table=table)
    root = migration.job.unit.root.table.system
    columns = found.ask(root, reflect, migration)
    if columns is None:
        return found
    keys = found.ask(root, root_keys, migration)
    _weigh(found, site, migration, 0 if keys is None else keys.num_rows)
    if not any(one.severity == "error" for one in found):
        run = _run(site, job, 0 if keys is None else keys.num_rows)
        found.ask(root, lambda: preflight(bound_place(site, run, migration), columns, texts_of(job)))
    return found


class _Findings(list[Finding]):
    """What was found so far. What a system raises when it is asked something is a finding too."""

    def ask(self, system: str, asked: Callable[..., T], *given: object, table: str = "") -> T | None:
        """The answer, None where there was an error instead."""
        try:
            return asked(*given)
        except ConfigErrors as errors:
            self.extend(_finding(system, error, table) for error in errors.errors)
        except LudbError as error:
            self.append(_finding(system, error, table))
        return None


def _weigh(found: _Findings, site: Site, migration: Migration, units: int) -> None:
    """Rights to read, links that no index leads along with what they cost over the whole run, and room on the disk."""
    unit, settings = migration.job.unit, migration.job.settings
    size = 0
    for table in unit.tables:
        name = table.table.system
        source = migration.sources[name]
        if not isinstance(source, CanPrice):
            continue
        size += found.ask(name, source.size, table, table=table.name) or 0
        links = unit.key if table.parent is None else tuple(child for child, _ in table.on)
        for columns in (links, tuple(child for child, _ in table.recursive)) if settings.extract != STAGED else ():
            price = found.ask(name, source.price, table, columns, table=table.name) if columns else None
            if price is not None and price.rows > CHEAP:
                chunks = -(-units // settings.chunk_units)
                found.append(Finding(
                    "warning", name,
                    f"no index leads to {', '.join(columns)}: each chunk reads about {price.rows:,} rows, {chunks:,} chunks "
                    f"about {price.rows * chunks:,}", f"{price.remedy}; or settings: {{extract: staged}}", table.name,
                ))  # fmt: skip
    _room(found, site, size)


def _room(found: _Findings, site: Site, size: int) -> None:
    place = next(path for path in (site.state, *site.state.parents) if path.exists())
    status = os.statvfs(place)
    free = status.f_bavail * status.f_frsize
    if free < size * SPARE:
        found.append(Finding(
            "warning", "state directory",
            f"{place} has {free / 1e9:,.1f} GB free; the sources hold about {size / 1e9:,.1f} GB, and the journal (with staged "
            "sources their copies too) will lie there", "Name another place with --state, or make room",
        ))  # fmt: skip


def _finding(system: str, error: LudbError, table: str) -> Finding:
    remedy = "See that the system is there, and ask again" if isinstance(error, TransientError) else ""
    text = error.message if isinstance(error, ConfigError) else str(error)
    if isinstance(error, ConfigError):
        place = ":".join(str(part) for part in (error.file, error.line, error.column) if part is not None)
        text = f"{place}: {text}" if place and place != "job.yaml" else text
        remedy = error.remedy or ""
    return Finding("error", system, text, remedy, table)


def _run(site: Site, job: JobFolder, units: int) -> Run:
    values: Mapping[str, object] = {spec.name: spec.default for spec in job.job.parameters}
    return Run(
        id="check", job=job.job.name, instance=job.job.name, state=RunState.PLANNED, version=job.job.version,
        pinned=job.job.pinned, clock=time.time(), units=units, actor=site.actor, host=site.host, parameters=values,
    )  # fmt: skip
