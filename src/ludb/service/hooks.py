"""Hooks: what a job does once before the first worker starts, and once after its run is complete.

A round of hooks begins with the run, and anew when a complete run is opened again. What was done in a round is written
down as events, so that a restart repeats no hook that was done; one that was interrupted runs again (at least once).
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from ludb.errors import ConfigError, LudbError
from ludb.model.hooks import HookOutcome
from ludb.model.job import HookSpec
from ludb.model.run import DONE_STATES, Run, RunState
from ludb.ports.execute import CanExecute
from ludb.project.folder import JobFolder, read_job
from ludb.project.load import bind
from ludb.service.pinning import origin, pinned_job
from ludb.service.site import Site
from ludb.steps.python import load_module

BEGUN, OVER = "hooks.begun", "hooks.over"
"""Events around a round."""
PAGE = 1000
NOTES = "hooks.log"
"""The file of stacks of failed hooks: with words that may hold row values, so for whoever owns the state directory alone."""


@dataclass(frozen=True, slots=True)
class HookFacts:
    """What a hook is told. `counts` holds units by state (`done`, `quarantined`, ...; `total`), as they are then."""

    moment: Literal["before", "after"]
    run: str
    job: str
    instance: str
    state: str
    actor: str
    params: Mapping[str, object]
    counts: Mapping[str, int]


def outcomes(site: Site, run_id: str) -> tuple[HookOutcome, ...]:
    """The hooks of the newest round, in the order in which they were run."""
    return tuple(_round(site, run_id)[1].values())


def hooks_open(site: Site, run_id: str) -> bool:
    """Whether a round has begun that is not over: hooks after a complete run are still to be done."""
    return _round(site, run_id)[0]


def _round(site: Site, run_id: str) -> tuple[bool, dict[tuple[str, str], HookOutcome]]:
    """Whether the newest round is open, and what happened in it."""
    is_open, last = False, 0
    found: dict[tuple[str, str], HookOutcome] = {}
    while page := site.repository.events.since(run_id, last, PAGE):
        last = page[-1][0]
        for _, at, event in page:
            if event.name == BEGUN:
                is_open, found = True, {}
            elif event.name == OVER:
                is_open = False
            elif event.name.startswith("hook."):
                moment, name, reason = (str(event.data.get(key, "")) for key in ("moment", "hook", "reason"))
                found[moment, name] = HookOutcome(moment, name, event.name.removeprefix("hook."), reason, at)
    return is_open, found


class Hooks:
    """The hooks of one run, done by the process that holds it. `tell` keeps an event."""

    def __init__(self, site: Site, run_id: str, tell: Callable[..., None]) -> None:
        """Nothing is done yet."""
        self._site, self._run_id, self._tell = site, run_id, tell

    def before(self) -> None:
        """Do what is due before the first worker, in order; the run fails with the first hook that does."""
        run = self._site.repository.runs.get(self._run_id)
        if run.state is not RunState.RUNNING or run.notes.get("dry_run"):
            return
        job = self._job(run)
        if not job.job.hooks:
            return
        if not hooks_open(self._site, run.id):
            self._tell(BEGUN)
        failed = self._do("before", run, job, stop=True)
        if failed:
            with contextlib.suppress(ConfigError):  # somebody stopped the run meanwhile
                self._site.repository.runs.change(run.id, RunState.FAILED, f"nothing has run: {failed}")

    def after(self) -> None:
        """Do what is due after a complete run, each hook whatever becomes of the others; the run stays complete."""
        run = self._site.repository.runs.get(self._run_id)
        if run.state in DONE_STATES and hooks_open(self._site, run.id) and not self._do("after", run, self._job(run)):
            self._tell(OVER)

    def _job(self, run: Run) -> JobFolder:
        return read_job(pinned_job(self._site, run), self._site.environment, home=origin(self._site, run))

    def _do(self, moment: Literal["before", "after"], run: Run, job: JobFolder, *, stop: bool = False) -> str:
        """Do the hooks of a moment that are not done; what the first that fails says."""
        _, known = _round(self._site, run.id)
        failed = ""
        for hook in job.job.hooks:
            standing = known.get((moment, hook.name))
            if hook.moment != moment or (standing is not None and standing.state == "done"):
                continue
            self._tell("hook.started", moment=moment, hook=hook.name, again=standing is not None)
            reason = self._call(hook, run, job)
            self._tell("hook.failed" if reason else "hook.done", moment=moment, hook=hook.name, reason=reason)
            failed = failed or (f"the {moment} hook {hook.name!r} failed: {reason}" if reason else "")
            if failed and stop:
                break
        return failed

    def _call(self, hook: HookSpec, run: Run, job: JobFolder) -> str:
        """Run one hook; why it failed, empty if it did not."""
        facts = self._facts(hook, run)
        try:
            if hook.system:
                self._execute(hook, facts, run, job)
            else:
                function = getattr(load_module(hook.path, job.folder / hook.path, job.folder), hook.function)
                with contextlib.redirect_stdout(sys.stderr):  # standard output is for the answer
                    function(facts)
        except LudbError as error:
            return str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever a person's code raises is the hook's failure)
            return f"{type(error).__name__}; see {self._note(hook)}"
        return ""

    def _execute(self, hook: HookSpec, facts: HookFacts, run: Run, job: JobFolder) -> None:
        home = origin(self._site, run)
        migration = bind(job, state=self._site.state, reference={}, parameters=run.parameters, home=home)
        try:
            found = [where[hook.system] for where in (migration.targets, migration.sources) if hook.system in where]
            able = next(system for system in found if isinstance(system, CanExecute))
            told = {f"ludb_{name}": value for name, value in asdict(facts).items() if isinstance(value, str)}
            counts = {f"ludb_{name}": value for name, value in facts.counts.items()}
            try:
                able.execute((job.folder / hook.path).read_text(encoding="utf-8"), {**facts.params, **told, **counts})
            except ConfigError as error:
                error.file = hook.path
                raise
        finally:
            migration.close()

    def _facts(self, hook: HookSpec, run: Run) -> HookFacts:
        counters = self._site.repository.views.counters(run.id)
        counts = {**asdict(counters), "pending": counters.pending}
        return HookFacts(
            hook.moment, run.id, run.job, run.instance, str(run.state), self._site.actor, dict(run.parameters), counts
        )

    def _note(self, hook: HookSpec) -> str:
        """Write the stack of the exception at hand where only the run's owner reads it; returns the file's name."""
        path = self._site.logs(self._run_id) / NOTES
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {hook.moment} {hook.name}\n{traceback.format_exc()}\n")
        return str(path)
