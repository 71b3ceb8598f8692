"""What every area measures with: medians of interleaved runs, bars, `results.json` and the table."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rich.table import Table

T = TypeVar("T")

RUNS = 3
"""Runs of everything that is timed; the median counts."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit of a value, or of its ratio to what it is compared with: `at least 0.35 x`, `at most 400`."""

    side: Literal["at least", "at most"]
    limit: float
    of: Literal["value", "ratio"] = "value"

    def holds(self, value: float, ratio: float | None) -> bool:
        """Whether the limit is kept; a ratio that is not known keeps nothing."""
        judged = value if self.of == "value" else ratio
        if judged is None:
            return False
        return judged >= self.limit if self.side == "at least" else judged <= self.limit

    def __str__(self) -> str:
        return f"{self.side} {self.limit:g}{' x' if self.of == 'ratio' else ''}"


@dataclass(frozen=True, slots=True)
class Result:
    """One number: its value, what it is compared with, and whether its bar holds. Without a bar, `holds` is None."""

    area: str
    name: str
    value: float
    unit: str
    against: float | None = None
    ratio: float | None = None
    bar: str | None = None
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an area is asked for: its size (1 is the full one), how often, where it may write, whom it tells, and whether
    curves are left out (`quick`).
    """

    scale: float
    runs: int
    folder: Path
    tell: Callable[[str], None]
    quick: bool = False

    def scaled(self, count: int, least: int = 1) -> int:
        """A count at this scale."""
        return max(least, round(count * self.scale))


def result(
    area: str, name: str, value: float, unit: str, *, against: float | None = None, bar: Bar | None = None
) -> Result:
    """A number with its ratio and its verdict."""
    ratio = None if against is None or not against else value / against
    holds = None if bar is None else bar.holds(value, ratio)
    return Result(area, name, value, unit, against, ratio, None if bar is None else str(bar), holds)


def interleaved(sides: Mapping[str, Callable[[], T]], runs: int) -> dict[str, list[T]]:
    """What each side gave in each run. The sides take turns, and every other round goes backwards, so that neither has the
    machine's better minutes.
    """
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(runs):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            found[name].append(sides[name]())
    return found


def median(values: Iterable[float]) -> float:
    """The middle value: one disturbed run of three changes nothing."""
    return float(statistics.median(values))


def failed(results: Sequence[Result]) -> list[Result]:
    """The numbers whose bar does not hold."""
    return [one for one in results if one.holds is False]


def keep(results: Sequence[Result], path: Path) -> None:
    """Write `results.json`. Areas that were not measured this time keep what the file says of them."""
    measured = {one.area for one in results}
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    kept = [one for one in before if one["area"] not in measured]
    path.write_text(json.dumps(kept + [asdict(one) for one in results], indent=1) + "\n", encoding="utf-8")


def table(results: Sequence[Result]) -> Table:
    """The results as people read them."""
    shown = Table(title="bench", title_justify="left")
    for name in ("area", "what"):
        shown.add_column(name)
    for name in ("value", "against", "ratio"):
        shown.add_column(name, justify="right")
    shown.add_column("bar")
    shown.add_column("holds")
    for one in results:
        verdict = {True: "yes", False: "[bold red]NO[/]", None: ""}[one.holds]
        against = "" if one.against is None else number(one.against)
        ratio = "" if one.ratio is None else f"{one.ratio:.3g}"
        shown.add_row(one.area, one.name, f"{number(one.value)} {one.unit}", against, ratio, one.bar or "", verdict)
    return shown


def number(value: float) -> str:
    """Four digits, or all before the point where there are more."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
