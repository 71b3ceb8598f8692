"""What the work of a run cost, by phase, step, rule and system: sums that only grow, so that any two moments can be compared."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from ludb.model.calls import LATENCIES

PHASE, STEP, RULE, SYSTEM = "phase", "step", "rule", "system"
"""What is counted: phases of chunks, step and rule files, systems that are read, written or called."""
REQUEST, CALL, FLYING = "request", "call", "flying"
"""Of systems that are called also: requests by what came back (`Metered.requests`) and calls by what they came to
(`Metered.answers`), both named `<system> <outcome>`; and requests on their way, which is no sum and has no rate.
"""
CLASSES = len(LATENCIES) + 1
Name = tuple[str, str]
"""(kind, name): (`step`, `steps/10_customer/crm.customer.sql`)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """Sums over all times that something was done: how often, seconds, rows; `latencies` counts by class (`LATENCIES`, one
    more above). Of systems also bytes, answers that said "later" (429), failures (5xx, no answer), and seconds that were
    waited for the pace.
    """

    count: float = 0
    seconds: float = 0.0
    rows: float = 0
    latencies: tuple[float, ...] = ()
    sent: float = 0
    received: float = 0
    throttled: float = 0
    failed: float = 0
    waited: float = 0.0

    def plus(self, other: Figure) -> Figure:
        """Both together."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMS}
        return Figure(**sums, latencies=_added(self.latencies, other.latencies))

    def less(self, other: Figure) -> Figure:
        """What came since `other` was taken; a sum that has become smaller (somebody began anew) counts whole."""
        if self.count < other.count:
            return self
        sums = {name: max(0.0, getattr(self, name) - getattr(other, name)) for name in _SUMS}
        before = tuple(-n for n in other.latencies)
        return Figure(**sums, latencies=tuple(max(0.0, n) for n in _added(self.latencies, before)))

    def quantile(self, share: float) -> float | None:
        """The seconds below which this share of the times lies, between the bounds of its class; None where none is known."""
        whole = sum(self.latencies)
        if not whole:
            return None
        below, low = 0.0, 0.0
        for bound, n in zip((*LATENCIES, LATENCIES[-1]), self.latencies, strict=False):
            if n and below + n >= share * whole:
                return low + (bound - low) * (share * whole - below) / n
            below, low = below + n, bound
        return LATENCIES[-1]


_SUMS = tuple(field.name for field in fields(Figure) if field.name != "latencies")
Figures = Mapping[Name, Figure]
"""Sums by kind and name."""


def once(seconds: float, *, rows: int = 0, sent: int = 0, received: int = 0) -> Figure:
    """One time that something was done."""
    latencies = [0.0] * CLASSES
    latencies[bisect.bisect_left(LATENCIES, seconds)] = 1.0
    return Figure(1, seconds, rows, tuple(latencies), sent, received)


def together(many: Sequence[Figures]) -> dict[Name, Figure]:
    """The sums of several workers, or of several runs."""
    found: dict[Name, Figure] = {}
    for figures in many:
        for name, figure in figures.items():
            found[name] = found[name].plus(figure) if name in found else figure
    return found


def landed(figures: Figures) -> Figures:
    """What is left of a worker that has died: nothing of it is on its way."""
    return {name: figure for name, figure in figures.items() if name[0] != FLYING}


def outcomes(figures: Figures, kind: str, system: str) -> dict[str, float]:
    """How often each outcome came of a system's requests or calls."""
    prefix = f"{system} "
    named = {name: figure.count for (of, name), figure in sorted(figures.items()) if of == kind}
    return {name.removeprefix(prefix): count for name, count in named.items() if name.startswith(prefix)}


def plain(figures: Figures) -> dict[str, dict[str, dict[str, object]]]:
    """As JSON keeps them, without zeros: kind -> name -> field -> sum."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for (kind, name), figure in figures.items():
        told: dict[str, object] = {field: round(value, 6) for field in _SUMS if (value := getattr(figure, field))}
        if any(figure.latencies):
            told["latencies"] = [round(n, 6) for n in figure.latencies]
        found.setdefault(kind, {})[name] = told
    return found


def figures_of(told: Mapping[str, Mapping[str, Mapping[str, object]]]) -> dict[Name, Figure]:
    """What `plain` has made, as figures again."""
    return {
        (kind, name): Figure(
            **{field: float(str(value)) for field, value in one.items() if field in _SUMS},
            latencies=_classes(one.get("latencies")),
        )
        for kind, named in told.items()
        for name, one in named.items()
    }


def rates(figures: Figures, span: float) -> dict[str, float]:
    """Figures of a span of seconds as sums by second, flat, as samples keep them; without zeros."""
    found: dict[str, float] = {}
    for (kind, name), figure in figures.items():
        if kind == FLYING:
            continue
        told = {field: getattr(figure, field) for field in _SUMS}
        told |= {f"latencies.{at}": n for at, n in enumerate(figure.latencies)}
        found |= {f"{kind} {name} {field}": round(value / span, 6) for field, value in told.items() if value}
    return found


def figures_in(data: Mapping[str, float]) -> dict[Name, Figure]:
    """What `rates` has written, as figures of one second."""
    told: dict[Name, dict[str, float]] = {}
    for key, value in data.items():
        kind, _, rest = key.partition(" ")
        name, _, field = rest.rpartition(" ")
        told.setdefault((kind, name), {})[field] = value
    found = {}
    for place, one in told.items():
        sums = {field: value for field, value in one.items() if field in _SUMS}
        latencies = tuple(one.get(f"latencies.{at}", 0.0) for at in range(CLASSES))
        found[place] = Figure(**sums, latencies=latencies if any(latencies) else ())
    return found


def _classes(said: object) -> tuple[float, ...]:
    return tuple(float(n) for n in said) if isinstance(said, list) else ()


def _added(a: Sequence[float], b: Sequence[float]) -> tuple[float, ...]:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    return tuple(n + (shorter[at] if at < len(shorter) else 0.0) for at, n in enumerate(longer))
