"""Staged tables that nothing uses any more: what `ludb purge` removes of takes."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ludb.errors import TransientError
from ludb.model.run import Run
from ludb.service.site import Site
from ludb.service.staging import alone, current_take, takes_of_run


@dataclass(frozen=True, slots=True)
class StaleTake:
    """A system's take that may go: where it lies, its bytes, when it was taken, and the runs that were planned from it."""

    system: str
    path: Path
    size: int
    taken_at: float
    runs: tuple[str, ...]


def stale_takes(
    site: Site, runs: Collection[Run], kept: Mapping[str, str], limit: float, job: str | None
) -> list[StaleTake]:
    """Takes older than `limit` that no run in `kept` was planned from. With a job, only takes that its runs, and no others,
    were planned from: a take that no run used says of no job. `runs` are all of the repository.
    """
    found = []
    for place in sorted(site.staged.iterdir()) if site.staged.is_dir() else ():
        take = current_take(place)
        if take is None or take.taken_at > limit:
            continue
        users = [run for run in runs if take.id in takes_of_run(run)]
        if any(run.id in kept for run in users) or (job and {run.job for run in users} != {job}):
            continue
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        names = tuple(run.id for run in users)
        found.append(StaleTake(str(take.told["system"]), place, size, take.taken_at, names))
    return found


def remove_take(site: Site, stale: StaleTake) -> bool:
    """Remove it, unless it was taken anew meanwhile; the runs that were planned from it keep who did."""
    with alone(site, stale.path, stale.system):
        take = current_take(stale.path)
        if take is None or take.taken_at != stale.taken_at:
            return False
        try:
            (stale.path / "current").unlink()  # first: what is half removed must not be read
            shutil.rmtree(stale.path)
        except OSError as error:
            raise TransientError(f"{stale.path} cannot be deleted: {error.strerror}") from error
    for run in stale.runs:
        number = site.repository.commands.put(run, "purge", {"what": "staged"}, site.actor)
        outcome = f"removed what was staged of {stale.system}, {stale.size:,} bytes"
        site.repository.commands.acknowledge(number, outcome)
    return True
