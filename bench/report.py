"""`python -m bench.report [AREA] [--write]`: the results as Markdown, by area; `--write` puts them into `bench/README.md`.

A page has a place for an area's tables between `<!-- AREA: begin -->` and `<!-- AREA: end -->`. Figures called
`<side>: <figure>`, where there is a pace among them, become a table with a line for each side.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.harness import Result, number

HERE = Path(__file__).resolve().parent
PACE = ": pace"


def main(
    arguments: Sequence[str] | None = None, *, results: Path = HERE / "results.json", page: Path = HERE / "README.md"
) -> int:
    """Print the tables, or write them. 2: there are no results, or the page has no place for them."""
    parser = argparse.ArgumentParser(prog="bench.report", description=__doc__)
    parser.add_argument("area", nargs="?", default="", help="default: all that were measured")
    parser.add_argument("--write", action="store_true", help="into the page, where it has a place for the area")
    options = parser.parse_args(arguments)
    known = [Result(**one) for one in json.loads(results.read_text(encoding="utf-8"))] if results.exists() else []
    areas = dict.fromkeys(one.area for one in known if options.area in ("", one.area))
    if not areas:
        print(f"nothing was measured of {options.area or 'any area'}: `make bench` does that", file=sys.stderr)  # noqa: T201
        return 2
    written = 0
    for area in areas:
        tables = markdown([one for one in known if one.area == area])
        if not options.write:
            print(f"### {area}\n\n{tables}")  # noqa: T201  (a program)
        elif placed(page, area, tables):
            written += 1
    return 0 if written or not options.write else 2


def markdown(results: Sequence[Result]) -> str:
    """Two tables: numbers with what they are compared with, and sides with their figures."""
    sides = [one.name.removesuffix(PACE) for one in results if one.name.endswith(PACE)]
    figures: dict[str, dict[str, Result]] = {side: {} for side in sides}
    plain = []
    for one in results:
        side, _, figure = one.name.rpartition(": ")
        if side in figures:
            figures[side][figure] = one
        else:
            plain.append(one)
    return "\n".join([*_numbers(plain), *_sides(figures)]) + "\n"


def placed(page: Path, area: str, tables: str) -> bool:
    """Put the tables between the area's marks; False if the page has none."""
    begin, end = f"<!-- {area}: begin -->\n", f"<!-- {area}: end -->"
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(before):
        return False
    page.write_text(pattern.sub(lambda _: f"{begin}{tables}{end}", before), encoding="utf-8")
    return True


def _numbers(results: Sequence[Result]) -> list[str]:
    lines = ["| number | value | against | ratio | bar | holds |", "|---|---|---|---|---|---|"]
    for one in results:
        against = "" if one.against is None else number(one.against)
        ratio = "" if one.ratio is None else f"{one.ratio:.3g}"
        verdict = {True: "yes", False: "**no**", None: ""}[one.holds]
        value = f"{number(one.value)} {one.unit}".strip()
        lines.append(f"| {one.name} | {value} | {against} | {ratio} | {one.bar or ''} | {verdict} |")
    return lines


def _sides(figures: Mapping[str, Mapping[str, Result]]) -> list[str]:
    if not figures:
        return []
    names = dict.fromkeys(name for side in figures.values() for name in side)
    units = {name: one.unit for side in figures.values() for name, one in side.items()}
    heads = [f"{name} ({units[name]})" if units[name] else name for name in names]
    lines = ["", f"| side | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for side, found in figures.items():
        cells = [_cell(found[name]) if name in found else "" for name in names]
        lines.append(f"| {side} | {' | '.join(cells)} |")
    return lines


def _cell(one: Result) -> str:
    return number(one.value) if one.ratio is None else f"{number(one.value)} ({one.ratio:.3g} x)"


if __name__ == "__main__":
    sys.exit(main())
