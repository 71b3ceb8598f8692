"""Jobs, their text, and the systems that they name."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from ludb.model.access import Role
from ludb.project import registry
from ludb.project.folder import JobFolder
from ludb.server.catalogue import Entry
from ludb.server.lookup import known_job
from ludb.server.problems import Mistake, Problem, mistake_of
from ludb.server.reading import ReadRoute
from ludb.server.rules import rule
from ludb.server.shapes.jobs import (
    FileShape,
    JobDetailShape,
    JobShape,
    KeyMapShape,
    OutputShape,
    ParameterShape,
    SettingsShape,
    StepShape,
    SystemShape,
    UnitTableShape,
)
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=ReadRoute)
_ROLES = {registry.SOURCES: "source", registry.TARGETS: "target", registry.CALL_TARGETS: "calls"}


@router.get("/jobs", **rule(Role.VIEWER))
def jobs(world: AnyWorld) -> list[JobShape]:
    """All jobs, by name. One that does not load is listed with its errors; the others work."""
    return [JobShape(**_line(one)) for one in world.catalogue.all()]


@router.get("/jobs/{job}", **rule(Role.VIEWER))
def job(job: str, world: AnyWorld) -> JobDetailShape:
    """One job: its unit, steps, outputs, parameters."""
    entry = known_job(world, job)
    return JobDetailShape(**_line(entry), **(_detail(entry.job) if entry.job else {}))


@router.get("/jobs/{job}/files", **rule(Role.VIEWER))
def files(job: str, world: AnyWorld, path: Annotated[str | None, Query(max_length=500)] = None) -> list[FileShape]:
    """The texts that the job's version is made of, or one of them."""
    entry = known_job(world, job)
    known = entry.job.files if entry.job else ("job.yaml",)
    if path is not None and path not in known:
        raise Problem(404, "not-found", f"job {entry.name} has no such file", where="query.path")
    wanted = known if path is None else (path,)
    found = []
    for name in wanted:
        data = (entry.folder / name).read_bytes()
        if b"\0" not in data and len(data) <= 200_000:
            found.append(FileShape(path=name, text=data.decode("utf-8", "replace")))
    return found


@router.get("/systems", **rule(Role.VIEWER))
def systems(world: AnyWorld) -> list[SystemShape]:
    """The systems of all jobs that load, without their addresses."""
    return [
        SystemShape(
            job=entry.name, name=one.name, type=one.type,
            roles=sorted(_ROLES.get(role, role) for role in one.roles),
            variables=sorted({name for names in one.variables.values() for name in names}),
        )
        for entry in world.catalogue.all()
        if entry.job is not None
        for one in entry.job.systems.values()
    ]  # fmt: skip


@router.get("/settings", **rule(Role.ADMIN))
def settings(world: AnyWorld) -> SettingsShape:
    """How this server is set up; it is changed by starting it anew."""
    config = world.config
    return SettingsShape(
        state=str(world.site.state), jobs=[str(place) for place in config.jobs], adopt=config.adopt,
        session_hours=config.session_hours, idle_minutes=config.idle_minutes, tls=config.tls_cert is not None,
        behind_proxy=config.behind_proxy,
    )  # fmt: skip


def _line(entry: Entry) -> dict[str, object]:
    errors: list[Mistake] = [mistake_of(one) for one in entry.errors]
    told: dict[str, object] = {"name": entry.name, "folder": str(entry.folder), "loads": entry.job is not None}
    if entry.job is None:
        return told | {"errors": errors}
    job = entry.job.job
    parameters = [
        ParameterShape(name=one.name, type=one.type, default=one.default, identifying=one.identifying)
        for one in job.parameters
    ]
    steps = sum(len(folder.steps) for folder in entry.job.step_folders)
    return told | {
        "version": job.version, "steps": steps, "outputs": sorted(job.outputs), "systems": sorted(entry.job.systems),
        "parameters": parameters,
    }  # fmt: skip


def _detail(folder: JobFolder) -> dict[str, object]:
    job = folder.job
    unit = [
        UnitTableShape(
            name=one.name, table=str(one.table), parent=one.parent, on=[(a, b) for a, b in one.on],
            also={parent: [(a, b) for a, b in pairs] for parent, pairs in one.also}, on_stray=one.on_stray,
        )
        for one in job.unit.tables
    ]  # fmt: skip
    outputs = [
        OutputShape(
            name=one.name, mode=one.mode, call=f"{one.call.method} {one.call.path}" if one.call else None,
            undo=one.call.undo if one.call else None, probe=one.call.probe if one.call else None,
        )
        for one in job.outputs.values()
    ]  # fmt: skip
    return {
        "key": list(job.unit.key), "unit": unit, "reference": [str(ref) for ref in job.unit.reference],
        "keys": [one.name for one in job.keys], "key_maps": _key_maps(folder),
        "step_list": _steps(folder), "output_list": outputs,
        "settings": asdict(job.settings), "hooks": [f"{one.moment}: {one.name}" for one in job.hooks],
    }  # fmt: skip


def _key_maps(folder: JobFolder) -> list[KeyMapShape]:
    maps = [
        KeyMapShape(name=one.name, table=one.table, columns=list(one.columns), kind=one.kind) for one in folder.job.keys
    ]
    returned = [(name, one) for one in folder.job.outputs.values() if one.call for name in one.call.returns]
    return [*maps, *(KeyMapShape(name=name, table=one.name, columns=[], kind="returned") for name, one in returned)]


def _steps(folder: JobFolder) -> list[StepShape]:
    found = []
    for one in folder.step_folders:
        found += [StepShape(folder=one.name, name=s.name, kind=s.kind, output=s.output) for s in one.steps]
        found += [StepShape(folder=one.name, name=r.name, kind=r.severity) for r in one.rules]
    return [*found, *(StepShape(folder="", name=r.name, kind=r.severity) for r in folder.rules)]
