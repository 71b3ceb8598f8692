"""What explains a job: where its columns come from, its versions, what stands in the way of a start."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.server.catalogue import Entry
from ludb.server.children import ask
from ludb.server.lookup import known_job
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.insight import FindingShape, PreflightShape, StepLineageShape, VersionShape
from ludb.server.shaping import NOTHING
from ludb.server.world import AnyWorld, World

router = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=ReadRoute)


@router.get("/jobs/{job}/lineage", **rule(Role.VIEWER))
def lineage(job: str, world: AnyWorld) -> list[StepLineageShape]:
    """Where each column of each output comes from, as far as the texts of the steps tell; nothing is run."""
    entry = known_job(world, job)
    if entry.job is None:
        raise Problem(409, "conflict", f"job {entry.name} does not load", remedy=f"See GET /api/v1/jobs/{entry.name}")
    folder = entry.job
    from ludb.project.lineage import lineage_of  # noqa: PLC0415  (the parser is loaded when somebody asks)

    found = world.kept.of(("lineage", str(entry.folder), folder.job.version), NOTHING, lambda: lineage_of(folder))
    return [StepLineageShape(**asdict(one)) for one in found]


@router.get("/jobs/{job}/versions", **rule(Role.VIEWER))
def versions(job: str, world: AnyWorld) -> list[VersionShape]:
    """The versions of a job that were run, and the one that its folder holds now; the newest first."""
    entry = known_job(world, job)
    current = entry.job.job.version if entry.job else None
    found = [
        VersionShape(**asdict(one), current=one.version == current)
        for one in world.repository.overview.versions(entry.name)
    ]
    if current is not None and not any(one.current for one in found):
        unused = VersionShape(
            version=current, current=True, runs=0, units=0, first_run=None, last_run=None, first_at=None, last_at=None
        )
        found.insert(0, unused)
    return found


@router.get("/jobs/{job}/preflight", **rule(Role.VIEWER))
def preflight(
    job: str, world: AnyWorld, caller: AnyCaller,
    connect: Annotated[bool, Query(description="Also look at every system, read-only (role operator)")] = False,
) -> PreflightShape:  # fmt: skip
    """What `ludb check` says of a job now, by a process of its own. May take seconds; it is kept for a moment."""
    entry = known_job(world, job)
    if connect and not caller.role.covers(Role.OPERATOR):
        raise Problem(
            403, "forbidden", "to look at the systems of a job needs the role operator", where="query.connect"
        )
    name = ("preflight", str(entry.folder), connect)
    return world.kept.of(name, NOTHING, lambda: _checked(world, entry, caller.name, connect=connect))


def _checked(world: World, entry: Entry, actor: str, *, connect: bool) -> PreflightShape:
    version = entry.job.job.version if entry.job else None
    made = PreflightShape(job=entry.name, version=version, ok=False, connected=connect, modes={}, findings=[])
    if entry.job is None:
        return made.model_copy(update={"findings": [_mistake(one) for one in entry.errors]})
    try:
        told = ask(world, actor, ["check", str(entry.folder), *(["--connect"] if connect else [])])
    except ConfigError as error:
        return made.model_copy(update={"findings": [_mistake(error)]})
    findings = [FindingShape(**one) for one in told.get("findings", ())]
    return made.model_copy(
        update={"version": told["version"], "ok": told["ok"], "modes": told["modes"], "findings": findings}
    )


def _mistake(error: ConfigError) -> FindingShape:
    place = ":".join(str(part) for part in (error.file, error.line, error.field) if part is not None)
    text = f"{place}: {error.message}" if place else error.message
    return FindingShape(severity="error", system="", text=text, remedy=error.remedy or "", table="", column="")
