"""The report as one HTML file that needs nothing else: no script, no font, no picture, no network."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ludb import __version__
from ludb.model.events import Event
from ludb.model.run import RunState
from ludb.service.report import TOLD, Pace, Report
from ludb.service.summary import SourceLine

_TONES = {
    "completed": "good", "adds up": "good", "done": "good", "completed_with_exceptions": "warn", "quarantined": "warn",
    "gone": "warn", "rolled_back": "warn", "failed": "bad", "differs": "bad", "in_doubt": "bad", "abandoned": "bad",
}  # fmt: skip
_UNFINISHED = {
    RunState.PLANNED: "It was planned and has not begun.",
    RunState.RUNNING: "It is running.",
    RunState.PAUSED: "It is paused.",
    RunState.STOPPING: "It is being stopped.",
    RunState.STOPPED: "It was stopped and can go on where it was.",
    RunState.FAILED: "It failed and can go on once the reason is mended.",
}
_LEFT, _RIGHT, _TOP, _BOTTOM = 70.0, 1000.0, 12.0, 236.0
"""The plot's field in the units of its viewBox; the template draws labels around it."""


def render_report(report: Report) -> bytes:
    """The report as UTF-8. A pure function: the same report is the same bytes. Everything that came from a job, a source
    or a server is escaped by the template engine.
    """
    environment = Environment(
        loader=PackageLoader("ludb.service"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    summary = report.summary
    largest = max((group.units for group in report.reasons), default=1)
    text = environment.get_template("report.html").render(
        report=report, summary=summary, run=summary.run, counters=summary.counters, version=__version__,
        tone=lambda word: _TONES.get(str(word), "plain"), moment=_moment, duration=_duration, held=_held,
        bar=lambda units: round(100 * units / largest, 1), rate=_rate(summary.rate),
        unfinished=_UNFINISHED.get(summary.run.state, ""), states=list(_states(report)), totals=_totals(summary.source),
        plot=_plot(report.pace, report.root), story=list(_story(report)), events_shown=TOLD,
    )  # fmt: skip
    # A lone surrogate can hide in a user's own error text.
    return text.encode("utf-8", "replace")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _rate(rate: float) -> str:
    return f"{rate:,.1f}" if rate < 10 else f"{rate:,.0f}"


def _held(line: SourceLine) -> int:
    return sum(count for state, count in line.by_state.items() if state != "done")


def _totals(lines: Sequence[SourceLine]) -> list[int]:
    rows = [
        (line.planned, line.by_state.get("done", 0), _held(line), line.stray, line.pending, line.orphans)
        for line in lines
    ]
    return [sum(column) for column in zip(*rows, strict=True)]


def _states(report: Report) -> Iterator[dict[str, object]]:
    """The parts of the strip, left to right; a part that is there is never thinner than one can see."""
    counters = report.summary.counters
    parts = [
        ("moved", "done", counters.done), ("quarantined", "aside", counters.quarantined),
        ("in doubt", "bad", counters.in_doubt), ("gone", "aside", counters.gone),
        ("rolled back", "aside", counters.rolled_back), ("pending", "wait", counters.pending),
    ]  # fmt: skip
    parts = [part for part in parts if part[2]]
    widths = [max(4.0, 1000.0 * units / counters.total) for _, _, units in parts]
    at, scale = 0.0, 1000.0 / sum(widths) if widths else 1.0
    for (name, tone, units), width in zip(parts, widths, strict=True):
        share = f"{100 * units / counters.total:.1f}%"
        yield {
            "name": name,
            "tone": tone,
            "units": units,
            "share": share,
            "x": round(at, 2),
            "width": round(width * scale, 2),
        }
        at += width * scale


def _plot(pace: Pace, root: str) -> Mapping[str, Any]:
    """Where bars, lines and labels stand."""
    if not pace.bars:
        return {"bars": []}
    step = (_RIGHT - _LEFT) / len(pace.bars)
    top = _round_up(pace.peak)
    high = (_BOTTOM - _TOP) / top
    bars = []
    for number, (done, aside) in enumerate(pace.bars):
        done_y = _BOTTOM - done * high
        bars.append({
            "x": round(_LEFT + number * step + step * 0.08, 2), "width": round(step * 0.84, 2),
            "done_y": round(done_y, 2), "done_height": round(done * high, 2),
            "aside_y": round(done_y - aside * high, 2), "aside_height": round(aside * high, 2),
        })  # fmt: skip
    end = pace.start + pace.width * len(pace.bars)
    best = max(range(len(pace.bars)), key=lambda at: sum(pace.bars[at]))
    told = (
        f"{root} settled per {_duration(pace.width)}, from {_moment(pace.start)} to {_moment(end)}; at most {pace.peak:,}, "
        f"at {_moment(pace.start + best * pace.width)}"
    )
    marks = [
        {"x": _LEFT, "anchor": "", "text": _moment(pace.start)[5:]},
        {"x": (_LEFT + _RIGHT) / 2, "anchor": "middle", "text": _moment((pace.start + end) / 2)[5:]},
        {"x": _RIGHT, "anchor": "end", "text": _moment(end)[5:]},
    ]
    lines = [{"y": round(_BOTTOM - value * high, 2), "value": value} for value in sorted({0, top // 2, top})]
    return {"bars": bars, "lines": lines, "marks": marks, "told": told}


def _round_up(value: int) -> int:
    """The next 2, 4, 6 or 10 times a power of ten: a scale that can be halved."""
    size = 1
    while True:
        for digit in (2, 4, 6, 10):
            if value <= digit * size:
                return digit * size
        size *= 10


def _story(report: Report) -> Iterator[dict[str, object]]:
    """What people asked for and what happened, by time."""
    run = report.summary.run
    lines: list[tuple[float, str, str, str]] = [
        (run.created_at, run.actor, "planned the run", f"{run.units:,} {report.root}, on {run.host}")
    ]
    if run.started_at is not None:
        lines.append((run.started_at, "", "the run began", ""))
    for one in report.asked:
        told = f"asked: {one.name} {_told(one.arguments)}".rstrip()
        lines.append((one.at, one.actor, told, one.outcome or "not obeyed yet"))
    lines += [(at, str(event.data.get("by", "")), event.name, _event(event)) for at, event in report.events]
    if run.ended_at is not None:
        lines.append((run.ended_at, "", f"the run ended: {str(run.state).replace('_', ' ')}", run.reason))
    for at, who, what, outcome in sorted(lines, key=lambda line: line[0]):
        yield {"at": at, "who": who, "what": what, "outcome": outcome}


def _event(event: Event) -> str:
    return _told({name: value for name, value in event.data.items() if name != "by"})


def _told(data: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, default=str)}" for name, value in data.items()
    )
