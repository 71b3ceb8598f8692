"""One unit, one run: no unit may be moved by two runs of a job (PROTOCOL, attack 18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa

from ludb.errors import ConfigError
from ludb.model.keys import key_bytes, key_text
from ludb.model.run import ChunkState, Run, RunState, UnitState
from ludb.model.unit import POSITION
from ludb.service.hints import options_for
from ludb.service.site import Site

_ALL = 1 << 31
_OVER = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED})
"""States of runs that have no pending units, or never will move them."""


def moved_before(site: Site, job: str, but: str = "", *, again: bool = False) -> Collection[bytes]:
    """Key bytes of units that any run of the job (`but` one) has moved, or has left in doubt: `insert` must not move
    them twice. Where they may be moved `again`, only those in doubt.
    """
    found: set[bytes] = set()
    for run in _runs(site, job, but):
        doubtful = [one.position for one in site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)]
        done = [] if again else site.repository.views.done(run.id).to_pylist()
        found |= _keys(site, run, [*done, *doubtful])
    return found


def times_moved(site: Site, job: str) -> Mapping[bytes, int]:
    """How many runs of the job have moved each unit, by key bytes; units that none has moved are not in it."""
    return Counter(
        key for run in _runs(site, job, "") for key in _keys(site, run, site.repository.views.done(run.id).to_pylist())
    )


def set_aside_before(site: Site, job: str, reason: str = "") -> Collection[bytes]:
    """Key bytes of units that the newest run to set them aside has in quarantine, for a reason that contains the text
    (upper and lower case alike).
    """
    found: set[bytes] = set()
    seen: set[bytes] = set()
    for run in _runs(site, job, ""):
        aside = site.repository.views.exceptions(run.id, UnitState.QUARANTINED)
        matching = [one.position for one in aside if reason.casefold() in one.reason.casefold()]
        found |= _keys(site, run, matching) - seen
        seen |= _keys(site, run, [one.position for one in aside])
    return found


def check_unresolved(site: Site, job: str) -> None:
    """An older run with a decided chunk that is not applied yet must be finished first."""
    for run in _runs(site, job, ""):
        for chunk, _, _ in site.repository.views.chunks(run.id, unresolved=True):
            if chunk.state is ChunkState.DECIDED:
                raise ConfigError(
                    f"run {run.id} of {job} has a decided chunk that is not applied yet",
                    remedy=f"Go on with that run first ({run.instance})",
                )


def check_pending(site: Site, job: str, keys: pa.Table, but: str = "") -> None:
    """Units that another unfinished run still has to move cannot be in this one; `keys` holds the unit key columns."""
    unfinished = [run for run in _runs(site, job, but) if run.state not in _OVER]
    wanted = {key_bytes(key): key for key in _rows(keys)} if unfinished else {}
    for run in unfinished:
        settled = {one.position for one in site.repository.views.exceptions(run.id)}
        settled |= set(site.repository.views.done(run.id).to_pylist())
        pending = _keys(site, run, [position for position in range(run.units) if position not in settled])
        shared = [wanted[key] for key in wanted if key in pending]
        if shared:
            raise ConfigError(
                f"run {run.id} of {job} ({run.instance}, {run.state}) still has {len(shared):,} of these units to move "
                f"(first: {key_text(shared[0])})",
                remedy=f"Go on with that run, or give it up: ludb abandon {run.id}{options_for(site)}",
            )


def check_retry(site: Site, run: Run, positions: Sequence[int], *, again: bool = False) -> None:
    """Units of a run may be tried again only if no other run has moved them meanwhile (or left them in doubt, where units may
    be moved `again`), or is about to.
    """
    keys = site.repository.views.keys(run.id).take(pa.array(positions, pa.int64())).drop_columns([POSITION])
    moved = moved_before(site, run.job, but=run.id, again=again)
    twice = [key for key in _rows(keys) if key_bytes(key) in moved]
    if twice:
        raise ConfigError(
            f"{'in doubt in' if again else 'moved by'} another run of {run.job}: {len(twice):,} of these units "
            f"(first: {key_text(twice[0])})",
            remedy="Try the others again by name",
        )
    check_pending(site, run.job, keys, but=run.id)


def _runs(site: Site, job: str, but: str) -> Iterator[Run]:
    yield from (run for run in site.repository.views.runs(job, limit=_ALL) if run.id != but)


def _keys(site: Site, run: Run, positions: Sequence[int]) -> set[bytes]:
    keys = site.repository.views.keys(run.id).take(pa.array(positions, pa.int64())).drop_columns([POSITION])
    return {key_bytes(key) for key in _rows(keys)}


def _rows(keys: pa.Table) -> Iterator[tuple[object, ...]]:
    yield from zip(*(column.to_pylist() for column in keys.columns), strict=True)
