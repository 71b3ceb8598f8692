"""What a path names, or 404."""

from __future__ import annotations

from ludb.model.run import Run
from ludb.server.catalogue import Entry
from ludb.server.problems import Problem, refused_as
from ludb.server.world import World


def known_run(world: World, run_id: str) -> Run:
    """The run; 404 if there is none."""
    with refused_as(404):
        return world.repository.runs.get(run_id)


def known_unit(world: World, run_id: str, key: str) -> int:
    """The list position of a unit of a run; 404 if its list has no such unit."""
    position = world.repository.pages.position(run_id, key)
    if position is None:
        raise Problem(
            404, "not-found", f"run {run_id} has no such unit", where="path.key",
            remedy="A key is written as its value; the parts of a composite key are joined by |",
        )  # fmt: skip
    return position


def known_job(world: World, name: str) -> Entry:
    """The job, whether it loads or not; 404 if no folder holds it."""
    entry = world.catalogue.find(name)
    if entry is None:
        raise Problem(404, "not-found", f"there is no job {name}", remedy="See GET /api/v1/jobs")
    return entry
