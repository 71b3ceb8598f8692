"""Retention: what a run that is over has left behind is removed, and what others still need of it stays."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ludb.dialects.durable import file_name
from ludb.engine.liveness import OwnerLock, lock_is_free
from ludb.errors import TransientError
from ludb.model.run import Run, RunState
from ludb.ports.retention import Room, What
from ludb.service.activity import living
from ludb.service.holding import hold
from ludb.service.site import Site
from ludb.service.stale_takes import StaleTake, stale_takes
from ludb.wording import plural

EVERYTHING: tuple[What, ...] = ("journal", "quarantine", "runs")
"""All that can be purged, in the order in which it is."""
STAGED_TABLES = "staged"
"""What else a purge removes: takes of sources that nothing uses any more."""
_ALL = 1 << 31
_COMMAND = "purge"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What can be removed of one run: `rooms` in the repository and `paths` (bytes) on the disk, by what."""

    run: Run
    rooms: Mapping[What, Room] = field(default_factory=dict)
    paths: Mapping[What, Mapping[Path, int]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the repository that are emptied or deleted."""
        return sum(room.rows for room in self.rooms.values())

    @property
    def size(self) -> int:
        """Bytes, on the disk and (about) in the repository."""
        return sum(room.size for room in self.rooms.values()) + self.disk

    @property
    def disk(self) -> int:
        """Bytes of files."""
        return sum(sum(sizes.values()) for sizes in self.paths.values())


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would remove, oldest run first, and why other runs are kept (run id -> reason); `takes` that no kept run
    was planned from.
    """

    what: tuple[What, ...]
    runs: tuple[Leftovers, ...]
    kept: Mapping[str, str]
    takes: tuple[StaleTake, ...] = ()


def plan_purge(
    site: Site,
    job: str | None,
    older_than: float,
    what: Sequence[str] = EVERYTHING,
    *,
    with_exceptions: bool = False,
    now: float | None = None,
) -> PurgePlan:
    """Look for what can go of runs that ended more than `older_than` seconds ago, and, where `what` names them, of takes that are
    older than that and that nothing uses. Changes nothing.
    """
    limit = (time.time() if now is None else now) - older_than
    wanted = tuple(one for one in EVERYTHING if one in what)
    found, kept = [], {}
    runs = site.repository.views.runs(limit=_ALL)
    for run in reversed(runs):
        why = _kept(site, run, limit, with_exceptions=with_exceptions)
        if why:
            kept[run.id] = why
        if why or (job and run.job != job):
            continue
        left = leftovers(site, run, wanted)
        if left.rows or any(left.paths.values()) or _begun(site, run):
            found.append(left)
    takes = tuple(stale_takes(site, runs, kept, limit, job)) if STAGED_TABLES in what else ()
    if job:
        kept = {run.id: kept[run.id] for run in reversed(runs) if run.id in kept and run.job == job}
    return PurgePlan(wanted, tuple(found), kept, takes)


def leftovers(site: Site, run: Run, what: Sequence[What]) -> Leftovers:
    """What is there of a run."""
    rooms = {one: site.repository.retention.measure(run.id, one) for one in what}
    return Leftovers(run, rooms, {one: dict(_sized(_paths(site, run, one))) for one in what})


def purge(site: Site, plan: PurgePlan, *, older_than: float, with_exceptions: bool = False) -> Iterator[Leftovers]:
    """Remove it, run by run; yields what was removed. Killed and planned again, it ends the same: the command that tells
    who asked is acknowledged last.

    A run that has come to life since it was planned is left alone. `ConfigError` while somebody else holds its instance.
    """
    for planned in plan.runs:
        lock = hold(site, planned.run.instance)
        try:
            run = site.repository.runs.get(planned.run.id)
            if _kept(site, run, time.time() - older_than, with_exceptions=with_exceptions):
                continue
            left = leftovers(site, run, plan.what)
            number = _begun(site, run) or site.repository.commands.put(
                run.id, _COMMAND, {"what": ", ".join(plan.what)}, site.actor
            )
            for what in plan.what:
                _purge_one(site, run, what, left.paths[what])
            outcome = f"removed {plural(left.rows, 'row')} and {plural(left.disk, 'byte')} of files"
            site.repository.commands.acknowledge(number, outcome)
        finally:
            lock.release()
        yield left


def _purge_one(site: Site, run: Run, what: What, paths: Mapping[Path, int]) -> None:
    retention = site.repository.retention
    retention.mark(run.id, what, site.actor, finished=False)
    while retention.clear(run.id, what):
        pass
    for path in paths:
        _remove(path)
    retention.mark(run.id, what, site.actor, finished=True)


def _kept(site: Site, run: Run, limit: float, *, with_exceptions: bool) -> str:
    """Why nothing of the run is purged; empty if it may be."""
    if run.state not in {RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED} or run.ended_at is None:
        return f"it is {run.state}, not over"
    if run.ended_at > limit:
        return "it ended too recently"
    if site.repository.views.counters(run.id).in_doubt:
        return "units of it are in doubt: everything of it is evidence"
    if run.state is RunState.EXCEPTIONS and not with_exceptions:
        return "its quarantined units can still be tried again (--with-exceptions purges it all the same)"
    if living(site, run.id, "supervisor") or living(site, run.id, "worker"):
        return "somebody is still at work on it"
    return ""


def _begun(site: Site, run: Run) -> int:
    """The number of a purge that was asked for and not finished, 0 if there is none."""
    return next((one.number for one in site.repository.commands.take(run.id) if one.name == _COMMAND), 0)


def _paths(site: Site, run: Run, what: What) -> Iterator[Path]:
    if what == "journal":
        yield site.journal / file_name(run.id)
    if what == "runs":
        yield site.pinned(run.id)
        yield site.logs(run.id)
        yield from (Path(owner.lock) for owner in site.repository.owners.all(run.id) if owner.host == site.host)


def _sized(paths: Iterator[Path]) -> Iterator[tuple[Path, int]]:
    for path in paths:
        if path.is_dir():
            yield path, sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
        elif path.is_file() and lock_is_free(str(path)):
            yield path, path.stat().st_size


def _remove(path: Path) -> None:
    """Delete a folder, or the lock file of a dead process; one that was taken meanwhile stays."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            OwnerLock(path).release()
    except (FileNotFoundError, BlockingIOError):
        return
    except OSError as error:
        raise TransientError(f"{path} cannot be deleted: {error.strerror}") from error
