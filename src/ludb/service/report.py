"""A run for people who were not there: everything that the report shows, from the repository alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from ludb.model.events import Event
from ludb.model.run import RunState, UnitException
from ludb.ports.evidence import Accounts, Asked, CallGroup, ChunkGroup, Decided, ReasonGroup, Settled
from ludb.service.site import Site
from ludb.service.summary import Summary, summarize
from ludb.wording import plural

REASONS = 50
"""Reasons that a report names; the units of the others are counted."""
NAMED = 20
"""Unit keys that a report names per reason."""
TOLD = 100
"""Events that a report tells from the start of the story, and from its end."""
BUCKETS = 60
"""Bars that a report's pace has at most."""
WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800)
"""Seconds that one bar may stand for; beyond the last one, whole multiples of it."""
_OVER = frozenset({RunState.COMPLETED, RunState.EXCEPTIONS, RunState.ABANDONED})
_AT_WORK = frozenset({RunState.RUNNING, RunState.STOPPING})


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant of the run as a sentence, and whether it holds."""

    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Pace:
    """Units settled per bar of `width` seconds from `start` on: (done, aside)."""

    start: float
    width: float
    bars: tuple[tuple[int, int], ...]

    @property
    def peak(self) -> int:
        """Units of the highest bar."""
        return max((done + aside for done, aside in self.bars), default=0)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown of a run at `at` (Unix seconds). Lists are cut; what they leave out is counted.

    `values` are row values of named units, by (state, reason): only where somebody asked for them.
    """

    summary: Summary
    at: float
    repository: str
    root: str
    checks: tuple[Check, ...]
    accounts: Accounts
    pace: Pace
    reasons: Sequence[ReasonGroup]
    reasons_left: tuple[int, int]
    chunks: Sequence[ChunkGroup]
    calls: Sequence[CallGroup]
    decided: Decided
    asked: Sequence[Asked]
    events: Sequence[tuple[float, Event]]
    events_left: int
    orphans: Mapping[str, Mapping[str, object]]
    purged: Mapping[str, Mapping[str, object]]
    values: Mapping[tuple[str, str], Sequence[UnitException]] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to the run by itself."""
        return self.summary.run.state in _OVER

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


def make_report(site: Site, run_id: str, *, open_values: bool = False, now: float | None = None) -> Report:
    """Read everything that a report shows. The same repository and the same `now` give the same report."""
    at = time.time() if now is None else now
    evidence, summary = site.repository.evidence, summarize(site, run_id, at)
    notes = summary.run.notes
    groups = evidence.reasons(run_id, named=NAMED)
    shown, left = groups[:REASONS], groups[REASONS:]
    accounts, decided, calls = evidence.accounts(run_id), evidence.decided(run_id), evidence.calls(run_id)
    events, events_left = _story(site, run_id)
    return Report(
        summary, at, site.repository.id, root=str(notes.get("root", "units")),
        checks=tuple(_checks(summary, accounts, decided, calls)), accounts=accounts,
        pace=_pace(evidence.pace(run_id), summary), reasons=shown,
        reasons_left=(len(left), sum(group.units for group in left)), chunks=evidence.chunks(run_id), calls=calls,
        decided=decided, asked=evidence.asked(run_id), events=events, events_left=events_left,
        orphans=_mapping(notes.get("orphans")), purged=_mapping(notes.get("purged")),
        values=_values(site, run_id, shown) if open_values else {},
    )  # fmt: skip


def _mapping(found: object) -> Mapping[str, Mapping[str, object]]:
    return found if isinstance(found, dict) else {}


def _values(site: Site, run_id: str, groups: Sequence[ReasonGroup]) -> Mapping[tuple[str, str], list[UnitException]]:
    ask = site.repository.views.exceptions
    return {
        (str(group.state), group.reason): ask(run_id, state=group.state, reason=group.reason, limit=NAMED)
        for group in groups
    }


def _story(site: Site, run_id: str) -> tuple[list[tuple[float, Event]], int]:
    """The first and the last events, and how many stand between them."""
    events = _events(site, run_id)
    first = list(islice(events, TOLD))
    last: deque[tuple[float, Event]] = deque(maxlen=TOLD)
    rest = 0
    for one in events:
        last.append(one)
        rest += 1
    return list(chain(first, last)), rest - len(last)


def _events(site: Site, run_id: str) -> Iterator[tuple[float, Event]]:
    number = 0
    while page := site.repository.events.since(run_id, number):
        yield from ((at, event) for _, at, event in page)
        number = page[-1][0]


def _pace(settled: Sequence[Settled], summary: Summary) -> Pace:
    if not settled:
        return Pace(summary.run.started_at or summary.run.created_at, 1.0, ())
    start = min(summary.run.started_at or settled[0].at, settled[0].at)
    span = max(settled[-1].at, summary.run.ended_at or 0.0) - start
    fitting = [width for width in WIDTHS if span / width < BUCKETS]
    width = float(fitting[0]) if fitting else WIDTHS[-1] * (span // (WIDTHS[-1] * BUCKETS) + 1)
    bars = [[0, 0] for _ in range(int(span / width) + 1)]
    for one in settled:
        bar = bars[int((one.at - start) / width)]
        bar[0] += one.done
        bar[1] += one.aside
    return Pace(start, width, tuple((done, aside) for done, aside in bars))


def _checks(summary: Summary, accounts: Accounts, decided: Decided, calls: Sequence[CallGroup]) -> Iterator[Check]:
    """The invariants of a run that the repository can speak of."""
    yield _units(summary, accounts)
    if summary.source:
        yield _sources(summary)
    if summary.outputs and summary.run.state not in _AT_WORK:  # rows and decisions are read one after the other
        yield _outputs(summary, decided)
    if calls:
        alive = accounts.live_calls
        yield Check(
            not alive,
            "No quarantined unit has left anything at an API"
            if not alive
            else f"{plural(alive, 'object')} of quarantined units still at an API",
        )
    if accounts.undecided:
        yield Check(False, f"{plural(accounts.undecided, 'finished chunk has', 'finished chunks have')} no decision")
    if summary.run.state in _OVER and accounts.committing:
        yield Check(False, f"{plural(accounts.committing, 'unit')} decided in chunks that were never finished")
    doubt = summary.counters.in_doubt
    yield Check(
        not doubt,
        "No unit is in doubt"
        if not doubt
        else f"{plural(doubt, 'unit is', 'units are')} in doubt: a person has to look",
    )


def _units(summary: Summary, accounts: Accounts) -> Check:
    total, root = summary.run.units, str(summary.run.notes.get("root", "units"))
    waiting = accounts.unclaimed + accounts.held + accounts.committing
    found = accounts.done + accounts.aside + waiting
    sums = f"{accounts.done:,} moved + {accounts.aside:,} set aside + {waiting:,} pending = {found:,}"
    if found == accounts.listed == total:
        return Check(True, f"Every one of {total:,} {root} is accounted for: {sums}")
    return Check(False, f"{accounts.listed:,} {root} are in the list, but {sums}")


def _sources(summary: Summary) -> Check:
    bad = [line.table for line in summary.source if not line.balances]
    if not bad:
        return Check(True, "The rows of every source table add up")
    return Check(False, f"The rows of {', '.join(bad)} do not add up: the source has changed since the run was planned")


def _outputs(summary: Summary, decided: Decided) -> Check:
    """Rows written against rows decided. Units that fell into doubt, or were rolled back, after their decision stand
    between the two.
    """
    bad = []
    for line in summary.outputs:
        later = line.held.get("in_doubt", 0) + line.held.get("rolled_back", 0)
        if not line.written <= decided.rows.get(line.output, 0) <= line.written + later:
            bad.append(line.output)
    if not bad:
        return Check(True, "In every output, the rows that were decided are the rows that were written")
    return Check(False, f"Rows decided and rows written differ in {', '.join(bad)}")
