"""Curves and bars as SVG, with their values beside them; nothing that a browser cannot show by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 70, 50, 84, 40
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
COLUMNS = 3
"""Names in a line of the legend."""
ROW = 26
"""Height of a bar with its space."""

Points = Sequence[tuple[float, float]]


def curves(
    path: Path, title: str, across: str, up: str, lines: Mapping[str, Points], flat: Mapping[str, float] | None = None
) -> None:
    """Write a chart of lines over a logarithmic x axis; y begins at 0. `flat` has values that depend on no x: dashed lines."""
    every = [point for points in lines.values() for point in points]
    if not every:
        return
    flat = flat or {}
    low, high = min(x for x, _ in every), max(x for x, _ in every)
    most = max([*(y for _, y in every), *flat.values()]) * 1.08 or 1.0
    span = math.log(high / low) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        right = LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / low) / span
        return right, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / most

    parts = [*_frame(title, across, up), *_scale(sorted({x for x, _ in every}), most, at)]
    values: dict[float, list[tuple[float, str, str]]] = {}
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [at(x, y) for x, y in sorted(points)]
        parts.append(f'<polyline points="{_path(placed)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (right, down), (_, y) in zip(placed, sorted(points), strict=True):
            parts.append(f'<circle cx="{right:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>')
            values.setdefault(right, []).append((down, _short(y), colour))
        parts.append(_name(number, name, colour))
    for number, (name, y) in enumerate(flat.items(), start=len(lines)):
        colour = COLOURS[number % len(COLOURS)]
        _, down = at(low, y)
        parts.append(f'<path d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}" stroke="{colour}" stroke-dasharray="6 4"/>')
        parts.append(_text(WIDTH - RIGHT + 3, down + 4, _short(y), colour, "start"))
        parts.append(_name(number, f"{name} (dashed)", colour))
    _write(path, HEIGHT, parts + _apart(values))


def bars(path: Path, title: str, along: str, values: Mapping[str, float]) -> None:
    """Write a chart of horizontal bars, the largest first; whoever begins with `ludb` has a colour of its own."""
    if not values:
        return
    height, left, most = TOP + ROW * len(values) + 16, 230, max(values.values()) or 1.0
    parts = [_text(16, 22, title, "black", "start", 15), _text(16, 44, along, "#57606a", "start")]
    for number, (name, value) in enumerate(sorted(values.items(), key=lambda one: -one[1])):
        top, colour = 60 + ROW * number, COLOURS[0] if name.startswith("ludb") else "#9da7b1"
        long = (WIDTH - left - 80) * value / most
        parts.append(_text(left - 8, top + 14, name, "black", "end"))
        parts.append(f'<rect x="{left}" y="{top}" width="{long:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        parts.append(_text(left + long + 6, top + 14, _short(value), "black", "start"))
    _write(path, height, parts)


def _frame(title: str, across: str, up: str) -> list[str]:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        _text(LEFT, 22, title, "black", "start", 15),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "black", "middle"),
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">{escape(up)}</text>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>',
    ]


def _scale(ticks: Sequence[float], most: float, at: Callable[[float, float], tuple[float, float]]) -> list[str]:
    parts = []
    for x in ticks:
        right, down = at(x, 0)
        parts.append(_text(right, down + 17, f"{x:,g}", "black", "middle"))
        parts.append(f'<path d="M{right:.1f} {down:.1f}v4" stroke="#888"/>')
    step = _step(most / 4)
    for y in (step * part for part in range(int(most / step) + 1)):
        _, down = at(ticks[0], y)
        parts.append(_text(LEFT - 6, down + 4, _short(y), "black", "end"))
        parts.append(f'<path d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}" stroke="#eee"/>')
    return parts


def _step(about: float) -> float:
    """A round number near this one."""
    power = float(10 ** math.floor(math.log10(about)))
    return min((power * part for part in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda step: abs(step - about))


def _apart(values: Mapping[float, Sequence[tuple[float, str, str]]]) -> list[str]:
    """Values above their points; where lines come near each other, one below the other."""
    parts = []
    for right, labels in values.items():
        free, anchor = 0.0, "start" if right <= LEFT else "middle"
        for down, said, colour in sorted(labels):
            free = max(down - 7, free + 13)
            text = _text(right + (4 if anchor == "start" else 0), free, said, colour, anchor)
            parts.append(text.replace("<text ", '<text paint-order="stroke" stroke="white" stroke-width="3" ', 1))
    return parts


def _name(number: int, name: str, colour: str) -> str:
    row, column = divmod(number, COLUMNS)
    return _text(LEFT + 215 * column, 44 + 17 * row, name, colour, "start")


def _text(x: float, y: float, said: str, colour: str, anchor: str, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(said)}</text>'
    )


def _write(path: Path, height: int, parts: Sequence[str]) -> None:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
    path.parent.mkdir(parents=True, exist_ok=True)
    white = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    path.write_text("\n".join([head, white, *parts, "</svg>"]) + "\n", encoding="utf-8")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _short(value: float) -> str:
    if value < 1000:
        return f"{value:,.3g}"
    return f"{value / 1000:,.0f}k" if value >= 10_000 else f"{value / 1000:.3g}k"
