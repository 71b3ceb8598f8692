"""A run over everything that is selected, with nothing written and no call sent: the report comes before the deed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ludb.dialects.settings import DRY_RUNS
from ludb.model.run import Run, RunState
from ludb.service.dry_adapters import dried
from ludb.service.holding import hold
from ludb.service.pinning import pin
from ludb.service.planning import plan_run
from ludb.service.runs import Started
from ludb.service.selection import Selection
from ludb.service.site import Site, open_site


def start_dry(site: Site, folder: Path, given: Mapping[str, str], selection: Selection) -> tuple[Site, Started]:
    """Plan a dry run and start it in a state directory of its own, `dry-runs/<run>` below the site's; returns that one.

    Units that were moved are left out, as in a run; those that another run still has to move are not. Numbers of key maps
    are the next ones, and stay free. A dry run is never gone on with: it is started anew. `ConfigError` as for planning,
    and for a target that cannot rehearse.
    """
    planned = plan_run(site, folder, given, selection, dry=True)
    try:
        dried(planned.migration)
        skipped = [f"{hook.moment}: {hook.name}" for hook in planned.job.job.hooks]
        run = replace(planned.run, notes={**planned.run.notes, "dry_run": True, "hooks_skipped": skipped})
        place = open_site(state=site.state / DRY_RUNS / run.id, environment=site.environment)
        place = replace(place, keys_of=site.repository_url)
        lock = hold(place, run.instance)
        try:
            run = place.repository.runs.create(run, planned.units.segments())
            pin(place, run, planned.job, planned.migration, planned.units)
            run = place.repository.runs.change(run.id, RunState.RUNNING)
        except BaseException:
            lock.release()
            raise
    finally:
        planned.migration.close()
    return place, Started(run, resumed=False, changed=False, lock=lock)


def is_dry(run: Run) -> bool:
    """Whether nothing of the run was written anywhere."""
    return bool(run.notes.get("dry_run"))
