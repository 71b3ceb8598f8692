"""Job folders that people register at a server that runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel, Field

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.model.setup import FOLDER, Entry
from ludb.project.content import JOB_FILE
from ludb.server.problems import Problem
from ludb.server.reading import ReadRoute
from ludb.server.rules import AnyCaller, rule
from ludb.server.shapes.people import Asked
from ludb.server.world import AnyWorld

router = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=ReadRoute)


class FolderAsked(Asked):
    """A job folder on the server's host, or a folder whose sub-folders are jobs."""

    folder: str = Field(min_length=1, max_length=1000, pattern=r"^/[^\x00]*$", examples=["/srv/jobs/telco"])


class FolderShape(BaseModel):
    """A registered folder. It is looked at by the servers of its host."""

    id: str
    folder: str
    host: str
    added_by: str
    added_at: float


@router.get("/job-folders", **rule(Role.VIEWER))
def job_folders(world: AnyWorld) -> list[FolderShape]:
    """Folders that people have registered; those of the command line stand in the settings."""
    return [_shape(one) for one in world.repository.setup.all(FOLDER)]


@router.post("/job-folders", status_code=201, **rule(Role.EDITOR))
def add_job_folder(asked: FolderAsked, world: AnyWorld, caller: AnyCaller) -> FolderShape:
    """Have the server know a job folder. Its steps run with the rights of the server's user."""
    folder = Path(os.path.realpath(asked.folder))
    _check(folder)
    host = world.site.host
    number = hashlib.sha256(f"{host}\0{folder}".encode(errors="surrogateescape")).hexdigest()[:16]
    given = folder in {place.resolve() for place in world.config.jobs}
    data = {"folder": str(folder), "host": host}
    made = None if given else world.repository.setup.add(FOLDER, number, data, caller.name)
    if made is None:
        raise Problem(409, "conflict", f"{folder} is known already")
    world.catalogue.forget()
    world.note(caller.name, caller.address, "job-folder.add", str(folder))
    return _shape(made)


@router.delete("/job-folders/{folder}", status_code=204, **rule(Role.EDITOR))
def remove_job_folder(folder: str, world: AnyWorld, caller: AnyCaller) -> None:
    """Forget a job folder; its runs go on, and stay."""
    taken = world.repository.setup.take(FOLDER, folder)
    if taken is None:
        raise Problem(404, "not-found", "there is no such folder", remedy="See GET /api/v1/job-folders")
    world.catalogue.forget()
    world.note(caller.name, caller.address, "job-folder.remove", str(taken.data["folder"]))


def _check(folder: Path) -> None:
    """`ConfigError` for what holds no job, or what somebody else may write who would then have their code run."""
    try:
        jobs = (
            [folder]
            if (folder / JOB_FILE).is_file()
            else [one for one in folder.iterdir() if (one / JOB_FILE).is_file()]
        )
        places = [folder, *(place for job in jobs for place in (job, job / JOB_FILE))]
        known = [(place, place.stat()) for place in places]
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be read: {error.strerror}", field="folder", remedy="Name a folder of the server's host"
        ) from None
    if not jobs:
        raise ConfigError(f"{folder} holds no {JOB_FILE}", field="folder", remedy="Name a job folder, or one of such")
    for place, seen in known:
        if seen.st_mode & 0o002 or seen.st_uid not in {0, os.geteuid()}:
            raise ConfigError(
                f"{place} belongs to somebody else, or everybody may write it", field="folder",
                remedy="Give it to the server's user, and take the right to write from others",
            )  # fmt: skip


def _shape(entry: Entry) -> FolderShape:
    return FolderShape(
        id=entry.id,
        folder=str(entry.data["folder"]),
        host=str(entry.data["host"]),
        added_by=entry.by,
        added_at=entry.at,
    )
