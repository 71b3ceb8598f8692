"""What a run has done, from the repository alone: counters, balances per table, quarantine by reason."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ludb.model.hooks import HookOutcome
from ludb.model.run import DONE_STATES, Counters, Owner, Run, RunState, UnitException
from ludb.model.steering import Command
from ludb.service.activity import living
from ludb.service.site import Site

COMMANDS = 5
"""Commands that a summary shows."""
HALTED = frozenset({RunState.FAILED, RunState.STOPPED, RunState.PAUSED})
"""States in which nobody takes calls back."""
SETTLED = ("done", "quarantined", "in_doubt", "gone", "rolled_back")


@dataclass(frozen=True, slots=True)
class SourceLine:
    """The balance of one source table: `planned` rows in units = rows by unit state + strays + `pending` ones.

    `orphans` stand beside. `balances` is False once nothing is pending and the sum differs: the source has changed since
    planning.
    """

    table: str
    planned: int
    by_state: Mapping[str, int]
    stray: int
    pending: int
    orphans: int
    balances: bool


@dataclass(frozen=True, slots=True)
class OutputLine:
    """The balance of one output: rows produced = `written` + `held` back, by the state of their unit."""

    output: str
    produced: int
    written: int
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run at one moment. `reasons` counts units by (state, reason), the most frequent first; `seconds` is the time
    from start to end or now; `owners` are the supervisor and the workers that live; `conversions` counts the values of moved
    units that steps changed, by function of `ludb.sql`; `commands` are those that wait and the last ones that took
    effect, the newest first; `hooks` are those of the newest round; `live_calls` counts objects of quarantined units that are
    still at an API, in states in which nobody takes them back.
    """

    run: Run
    counters: Counters
    source: tuple[SourceLine, ...]
    outputs: tuple[OutputLine, ...]
    reasons: tuple[tuple[str, str, int], ...]
    warnings: Mapping[str, int]
    waiting: tuple[tuple[str, str, float | None], ...]
    seconds: float
    owners: tuple[Owner, ...] = ()
    conversions: Mapping[str, int] = field(default_factory=dict)
    commands: tuple[Command, ...] = ()
    hooks: tuple[HookOutcome, ...] = ()
    live_calls: int = 0

    @property
    def rate(self) -> float:
        """Units settled per second."""
        settled = self.counters.total - self.counters.pending
        return settled / self.seconds if self.seconds > 0 else 0.0


def summarize(site: Site, run_id: str, now: float | None = None) -> Summary:
    """Read everything that a summary shows."""
    from ludb.service.hooks import outcomes  # noqa: PLC0415  (it loads the engine)

    views = site.repository.views
    run = site.repository.runs.get(run_id)
    counters = views.counters(run_id)
    rows = views.rows(run_id)
    source = balances(run, rows.source, counters)
    outputs = tuple(_output_line(name, by) for name, by in sorted(rows.output.items()))
    ranked = tuple((str(one.state), one.reason, one.units) for one in site.repository.evidence.reasons(run_id))
    waiting = tuple(
        (chunk.id, error, until)
        for chunk, error, until in views.chunks(run_id, unresolved=True)
        if chunk.state == "released"
    )
    end = run.ended_at or now or time.time()
    seconds = max(0.0, end - (run.started_at or end))
    owners = (*living(site, run_id, "supervisor"), *living(site, run_id, "worker"))
    commands = tuple(site.repository.commands.recent(run_id, COMMANDS))
    alive = site.repository.evidence.accounts(run_id).live_calls if run.state in HALTED else 0
    return Summary(
        run, counters, source, outputs, ranked, rows.warnings, waiting, seconds, owners, rows.conversions, commands,
        outcomes(site, run_id), alive,
    )  # fmt: skip


def balances(run: Run, source: Mapping[str, Mapping[str, int]], counters: Counters) -> tuple[SourceLine, ...]:
    """The balance of each source table; `source` are its rows by unit state."""
    tables = list(run.counts) or list(source)
    return tuple(_source_line(name, run, source.get(name, {}), counters) for name in tables)


def _source_line(name: str, run: Run, by_state: Mapping[str, int], counters: Counters) -> SourceLine:
    planned = run.counts.get(name, {}).get("rows", 0)
    states = {state: by_state[state] for state in SETTLED if by_state.get(state)}
    stray = by_state.get("stray", 0)
    settled = sum(states.values()) + stray
    rest = planned - settled
    complete = counters.pending == 0
    return SourceLine(
        name, planned, states, stray, 0 if complete else rest, run.counts.get(name, {}).get("orphans", 0),
        balances=rest == 0 or (rest > 0 and not complete),
    )  # fmt: skip


def _output_line(name: str, by_state: Mapping[str, int]) -> OutputLine:
    held = {state: count for state, count in by_state.items() if state != "done" and count}
    return OutputLine(name, sum(by_state.values()), by_state.get("done", 0), held)


def exit_code(run: Run, counters: Counters, hooks: Sequence[HookOutcome] = ()) -> int:
    """The exit code that tells a script how the run stands (docs/reference/cli.md)."""
    if counters.in_doubt:
        return 5
    if run.state in DONE_STATES and any(hook.moment == "after" and hook.state == "failed" for hook in hooks):
        return 6
    return {"completed": 0, "completed_with_exceptions": 3, "failed": 1, "stopped": 4, "paused": 4}.get(run.state, 1)


def by_reason(exceptions: list[UnitException]) -> Mapping[str, list[UnitException]]:
    """Exceptions grouped by their reason, the largest group first."""
    groups: dict[str, list[UnitException]] = {}
    for found in exceptions:
        groups.setdefault(found.reason, []).append(found)
    return dict(sorted(groups.items(), key=lambda item: -len(item[1])))
