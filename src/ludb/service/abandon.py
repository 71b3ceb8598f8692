"""Giving up a run: what its undecided units left at APIs is taken back first (PROTOCOL R6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from ludb.engine.calls import alive_calls, take_back
from ludb.engine.liveness import Liveness
from ludb.engine.recover import recover, undo
from ludb.engine.workplace import Workplace, unit_texts
from ludb.errors import ConfigError, LudbError
from ludb.model.run import DONE_STATES, Chunk, ChunkState, Decision, Run, RunState, UnitException, UnitState
from ludb.model.unit import POSITION
from ludb.service.holding import hold
from ludb.service.pinning import load_pinned
from ludb.service.site import Site
from ludb.service.worker_process import at_work
from ludb.wording import plural

NAMED = 20
"""Units in doubt that a refusal names; it counts all of them."""


def abandon(site: Site, run_id: str) -> Run:
    """End a stopped or failed run for good; returns it. Done units stay done, all others may be moved by another run.

    Decided chunks are finished and calls of units that are not done are taken back first. `ConfigError` while anybody is
    at work, for a complete run, and where units are in doubt (named); `TransientError` and `PauseError` where a system is
    away or refuses the credential: nothing is lost, ask again.
    """
    run = site.repository.runs.get(run_id)
    if run.state in DONE_STATES | {RunState.ABANDONED}:
        raise ConfigError(f"run {run.id} is {run.state}: there is nothing to abandon")
    lock = hold(site, run.instance)
    try:
        _refuse_workers(site, run)
        if run.state is not RunState.PLANNED:
            _settle(site, run)
            _refuse_doubt(site, run)
        return site.repository.runs.change(run.id, RunState.ABANDONED, f"abandoned by {site.actor}")
    finally:
        lock.release()


def _refuse_workers(site: Site, run: Run) -> None:
    lease = float(str(run.settings.get("lease", 60)))
    for owner in Liveness(site.repository.owners, run.id, lease, host=site.host).living("worker"):
        raise ConfigError(
            f"run {run.id}: process {owner.pid} on {owner.host} is still at work",
            remedy="Start the run again and stop it, then abandon it",
        )


def _refuse_doubt(site: Site, run: Run) -> None:
    doubtful = site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)
    if doubtful:
        names = ", ".join(one.unit_key for one in doubtful[:NAMED]) + (", ..." if len(doubtful) > NAMED else "")
        raise ConfigError(
            f"run {run.id}: nobody can tell what {plural(len(doubtful), 'unit')} left behind: {names}",
            remedy="See `ludb unit KEY` for what is known of each; a person has to look at its systems, and says what is there "
            "with `ludb resolve`",
        )


def _settle(site: Site, run: Run) -> None:
    """Finish what is decided and take back what is not. The run is `running` meanwhile: a crash leaves it to be gone on
    with, or to be abandoned again.
    """
    runs = site.repository.runs
    if run.state in {RunState.RUNNING, RunState.PAUSED}:
        runs.change(run.id, RunState.STOPPING, "the process that ran it ended")
    if runs.get(run.id).state is RunState.STOPPING:
        runs.change(run.id, RunState.STOPPED, "the process that ran it ended")
    pinned = load_pinned(site, run)
    runs.change(run.id, RunState.RUNNING)
    try:
        with at_work(site, run, pinned) as (at, liveness):
            while any(True for _ in _unsettled(at)):
                _, dead = liveness.look(at.owner)
                chunk = at.repository.chunks.claim(run.id, at.owner, 0, dead=dead | {at.owner})
                if chunk is None:
                    at.wait(0.1)
                else:
                    _settle_chunk(chunk, at)
    finally:
        runs.change(run.id, RunState.STOPPING, "being abandoned")
        runs.change(run.id, RunState.STOPPED, "being abandoned")


def _unsettled(at: Workplace) -> Iterator[Chunk]:
    """Chunks that are decided, or whose units have something at an API."""
    views = at.repository.views
    keys = views.keys(at.run.id).drop_columns([POSITION])
    for chunk, _, _ in views.chunks(at.run.id, unresolved=True):
        mine = replace(chunk, keys=keys.take(pa.array(chunk.positions, pa.int64())))
        if chunk.state is ChunkState.DECIDED or chunk.kind == "undo" or alive_calls(mine, chunk.positions, at):
            yield chunk


def _settle_chunk(chunk: Chunk, at: Workplace) -> None:
    if chunk.state is ChunkState.DECIDED:
        recover(chunk, at)
        return
    try:
        if chunk.kind == "undo":
            undo(chunk, at)
            return
        doubtful = take_back(chunk, chunk.positions, at)
    except LudbError as error:
        at.repository.chunks.release(chunk, str(error), 0.0)
        raise
    rest = [position for position in chunk.positions if position not in doubtful]
    if doubtful:
        _record_doubt(chunk, doubtful, rest, at)
    else:
        at.repository.chunks.release(chunk, "given back: the run is being abandoned", 0.0)


def _record_doubt(chunk: Chunk, doubtful: dict[int, str], rest: list[int], at: Workplace) -> None:
    """Units whose calls cannot be taken back are in doubt from now on; the others of their chunk stay pending."""
    parts = at.repository.chunks.split(chunk, [sorted(doubtful), rest]) if rest else (chunk,)
    bad, texts = parts[0], unit_texts(chunk)
    found = tuple(
        UnitException(
            position=position, unit_key=texts[position], state=UnitState.IN_DOUBT, phase="undo", step="",
            reason=f"not taken back: {why}", message=f"not taken back: {why} (unit {texts[position]})",
            job_version=at.run.version, at=at.clock(), chunk=bad.id,
        )
        for position, why in sorted(doubtful.items())
    )  # fmt: skip
    decision = Decision(bad.txn, bad.id, bad.seq, (), {}, 0, found, job_version=at.run.version)
    at.repository.chunks.finish(at.repository.chunks.decide(bad, decision))
    for good in parts[1:]:
        at.repository.chunks.release(good, "given back: the run is being abandoned", 0.0)
