"""Curves as SVG: a few points, joined, with their values beside them; nothing that a browser cannot show by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 70, 50, 50, 30
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700")

Points = Sequence[tuple[float, float]]


def curves(path: Path, title: str, across: str, up: str, lines: Mapping[str, Points]) -> None:
    """Write a chart of lines over a logarithmic x axis; y begins at 0."""
    every = [point for points in lines.values() for point in points]
    if not every:
        return
    low, high = min(x for x, _ in every), max(x for x, _ in every)
    most = max(y for _, y in every) * 1.1 or 1.0
    span = math.log(high / low) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        right = LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / low) / span
        return right, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / most

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>',
        f'<text x="16" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 {HEIGHT / 2})">{escape(up)}</text>',
        f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="#888"/>',
    ]
    for x in sorted({x for x, _ in every}):
        right, down = at(x, 0)
        parts.append(f'<text x="{right:.1f}" y="{down + 16:.1f}" text-anchor="middle">{x:,g}</text>')
    for part in range(5):
        y = most * part / 4
        _, down = at(low, y)
        parts.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{_short(y)}</text>')
        parts.append(f'<path d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}" stroke="#eee"/>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [at(x, y) for x, y in sorted(points)]
        parts.append(f'<polyline points="{_path(placed)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (right, down), (_, y) in zip(placed, sorted(points), strict=True):
            parts.append(f'<circle cx="{right:.1f}" cy="{down:.1f}" r="3" fill="{colour}"/>')
            parts.append(
                f'<text x="{right:.1f}" y="{down - 8:.1f}" text-anchor="middle" fill="{colour}">{_short(y)}</text>'
            )
        parts.append(f'<text x="{LEFT + 150 * number}" y="40" fill="{colour}">{escape(name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _short(value: float) -> str:
    return f"{value / 1000:,.0f}k" if value >= 10_000 else f"{value:,.3g}"
