"""Who takes part, and their runs in turns: ours, the limit, and the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.databases import ours, peers
from bench.databases.estate import Estate, Wrong
from bench.databases.ours import Moved
from bench.environments import Missing
from bench.harness import Plan, interleaved, median

Runners = dict[str, Callable[[], Moved]]

DIRECT, STAGED = "ludb, direct", "ludb, staged"
LIMIT, SPRING = "COPY", "Spring Batch"
COPIES = ("dlt at its best", "dlt as it comes", "ConnectorX + ADBC", "ingestr", "sling")
SLOW = 3.0
"""Whoever needs more than this times the time of the first side runs once: its median would change no verdict."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The runs by side; who is missing, and why; and what Spring Batch's sweep gave (rows per second)."""

    runs: Mapping[str, list[Moved]]
    missing: Mapping[str, str]
    sweep: Mapping[peers.Tuning, float] = field(default_factory=dict)

    def paces(self, rows: int) -> dict[str, float]:
        """Rows per second by side: the median of its runs."""
        return {name: rows / median(one.seconds for one in runs) for name, runs in self.runs.items()}


def from_postgres(estate: Estate, asked: Plan) -> Taken:
    """Everybody, from the PostgreSQL source. Spring Batch takes part with the best of its sweep."""
    place = asked.folder
    missing: dict[str, str] = {}
    sweep: dict[peers.Tuning, float] = {}
    runners: Runners = {
        DIRECT: lambda: ours.move(estate, place / "direct"),
        STAGED: lambda: ours.move(estate, place / "staged", extract="staged"),
        LIMIT: lambda: peers.limit(estate, place / "copy"),
        "dlt at its best": lambda: peers.dlt(estate, place / "dlt", "best"),
        "dlt as it comes": lambda: peers.dlt(estate, place / "dlt", "default"),
        "ConnectorX + ADBC": lambda: peers.arrow(estate, place / "arrow"),
        "ingestr": lambda: peers.ingestr(estate, place / "ingestr"),
        "sling": lambda: peers.sling(estate, place / "sling"),
    }
    try:
        sweep = peers.tunings(estate, place / "spring", asked.tell)
    except (Missing, Wrong) as error:
        _miss(SPRING, error, missing, asked)
    else:
        best = max(sweep, key=lambda tuning: sweep[tuning])
        runners[SPRING] = lambda: peers.spring(estate, place / "spring", best)
    asked.tell(f"databases: {asked.runs} x {estate.rows:,} rows, {estate.units:,} customers: {', '.join(runners)}")
    return Taken(taken(runners, asked, missing), missing, sweep)


def from_mariadb(estate: Estate, source: str, asked: Plan) -> Taken:
    """Those who read MariaDB, which holds the same rows at the address `source`."""
    place = asked.folder
    missing: dict[str, str] = {}
    runners: Runners = {
        "ludb from MariaDB": lambda: ours.move(estate, place / "mariadb", source=source, kind="mysql"),
        "ConnectorX + ADBC from MariaDB": lambda: peers.arrow(estate, place / "arrow", source),
        "pgloader from MariaDB": lambda: peers.pgloader(estate, place / "pgloader", source),
    }
    return Taken(taken(runners, asked, missing), missing)


def taken(runners: Runners, asked: Plan, missing: dict[str, str]) -> Mapping[str, list[Moved]]:
    """The runs of everybody who can run. A peer that fails is out from then on, and told; one that is slow runs once."""
    first: dict[str, float] = {}
    yardstick = next(iter(runners))

    def out(name: str) -> bool:
        return name in missing or first.get(name, 0.0) > SLOW * first.get(yardstick, float("inf"))

    def guarded(name: str, runner: Callable[[], Moved]) -> Callable[[], Moved | None]:
        def once() -> Moved | None:
            if out(name):
                return None
            try:
                moved = runner()
            except (Missing, Wrong) as error:
                if name.startswith("ludb"):
                    raise
                _miss(name, error, missing, asked)
                return None
            first.setdefault(name, moved.seconds)
            asked.tell(f"databases: {name}: {moved.seconds:.2f} s")
            return moved

        return once

    found = interleaved({name: guarded(name, runner) for name, runner in runners.items()}, asked.runs)
    return {name: [one for one in runs if one is not None] for name, runs in found.items() if name not in missing}


def _miss(name: str, error: Exception, missing: dict[str, str], asked: Plan) -> None:
    missing[name] = str(error)
    asked.tell(f"databases: !!! {name} IS MISSING FROM THE TABLE: {error}")
