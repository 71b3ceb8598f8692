"""The page of outcomes, written from a run over all suites and pairs; what the run must find can be told without it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ludb.testing.fidelity.case import PLAN, SOURCE, SYSTEMS, Outcome, Probe
from ludb.testing.fidelity.catalogue import EVERYWHERE, PROBES, TITLES
from ludb.testing.fidelity.from_arrow import PROBES as ARROW
from ludb.testing.fidelity.generic import HELD, TAKEN, label

Found = tuple[int, str, Outcome, str]
"""(case, column, outcome, probe's name); columns are `postgres >` (a source alone), `> mysql` (a target alone), and
`postgres > mysql`.
"""

_SIGNS: Mapping[str, str] = {"arrives": "A", "converted": "C", "planning": "P", "refused": "R", "gap": "**G**"}
_HEAD = """# Fidelity: what becomes of nasty values

62 cases that are known to break data on its way, each tried on every system that can hold it. The rule: a value **arrives**
unchanged, compared in its source's own text form (**A**); or its unit alone is **refused**, with table, column and reason,
while its good neighbour moves (**R**); or its table is refused at **planning**, before any unit runs (**P**); or a
**conversion** that the job asks for changes it and is counted (**C**). Never a crash of the run, never a change without a
word. A **gap** (**G**) is a case where the rule does not hold; each stands below with its reason, and fails the tests on the
day it closes.

Written by `make fidelity` from a run of the real engine between real servers (PostgreSQL 15, MariaDB 10.11 as `mysql`,
SQLite; files are CSV, JSON lines and Parquet as a source, and Parquet as a target of the pairs). The probes are data, shipped
in `ludb.testing.fidelity` with the suites that run them, so that other adapters can prove themselves by the same numbers.

"""
_ROWS = """## By case

`postgres >` is a source alone, `> postgres` a target alone; *tests* counts further tests that bear the case's number in their
names.

"""
_GENERIC = """
## Through SQLAlchemy

The generic adapters (`type: sqlalchemy`) over the dialects of the same servers. They refuse more: arrays of PostgreSQL
whose elements have digits or a length (`numeric(10,2)[]`), moments with a zone for SQLite, and text that is no moment in
SQLite's columns of moments.

"""
_PAIRS = """
## From system to system

`pg` is postgres, `my` mysql, `sq` sqlite, `fi` files; `my>pg` is from MySQL into PostgreSQL.

"""
_PROBES = """
## By value

What is tried, in which column of the source, and what becomes of it in each target, in the column named. An empty cell: that
target has no place for it.

"""


def expected() -> list[Found]:
    """What a run over all suites and pairs must find."""
    found: list[Found] = []
    for source, probes in PROBES.items():
        for probe in probes:
            found.append((probe.case, f"{source} >", alone(probe), probe.name))
            found += [
                (probe.case, f"{source} > {t}", probe.expected(t), probe.name) for t in SYSTEMS if t in probe.into
            ]
    for probe in ARROW:
        found += [(probe.case, f"> {t}", probe.expected(t), probe.name) for t in SYSTEMS if t in probe.into]
    for database, held in HELD.items():
        found += [(probe.case, f"{label(database)} >", alone(probe), probe.name) for probe in held]
        found += [
            (probe.case, f"> {label(database)}", probe.expected(database), probe.name)
            for probe in TAKEN
            if database in probe.into
        ]
    pairs = [f"{one} > {two}" for one in SYSTEMS for two in SYSTEMS]
    found += [(case, pair, outcome, "structure") for case, outcome in EVERYWHERE.items() for pair in pairs]
    return found + [(40, f"{one} > mysql", "refused", "collation") for one in SYSTEMS]


def alone(probe: Probe) -> Outcome:
    """What becomes of a probe on its way out of the source, whatever the target."""
    if PLAN in probe.refused:
        return "planning"
    return "refused" if SOURCE in probe.refused else "arrives"


def render_page(found: Iterable[Found], tests: Mapping[int, int]) -> str:
    """The whole page; `tests` counts the further tests of each case."""
    cells: dict[tuple[int, str], set[str]] = {}
    values: dict[tuple[int, str, str], Outcome] = {}
    for case, column, outcome, name in found:
        cells.setdefault((case, column), set()).add(_SIGNS[outcome])
        values[case, column, name] = outcome
    adapters = [*(f"{one} >" for one in SYSTEMS), *(f"> {one}" for one in SYSTEMS)]
    pairs = [f"{one} > {two}" for one in SYSTEMS for two in SYSTEMS]
    text = _HEAD + _ROWS + _table(adapters, cells, adapters, tests)
    generic = [*(f"{label(one)} >" for one in HELD), *(f"> {label(one)}" for one in HELD)]
    text += _GENERIC + _table(generic, cells, [head.replace("sqlalchemy ", "") for head in generic])
    text += _PAIRS + _table(pairs, cells, [f"{one[:2]}>{two[:2]}".replace("po", "pg") for one, two in _split(pairs)])
    return text + _PROBES + _by_value(values) + _gaps()


def _split(pairs: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, two) for one, _, two in (pair.partition(" > ") for pair in pairs)]


def _table(
    columns: Sequence[str],
    cells: Mapping[tuple[int, str], set[str]],
    heads: Sequence[str],
    tests: Mapping[int, int] | None = None,
) -> str:
    more = ["tests"] if tests is not None else []
    lines = [_line(["", "case", *heads, *more]), "|" + "---|" * (2 + len(heads) + len(more))]
    for case, title in TITLES.items():
        row = [" ".join(sorted(cells.get((case, column), ()))) for column in columns]
        if any(row) or tests is not None:
            lines.append(_line([str(case), title, *row, *([str(tests.get(case) or "")] if tests is not None else [])]))
    return "\n".join(lines) + "\n"


def _by_value(values: Mapping[tuple[int, str, str], Outcome]) -> str:
    lines = [_line(["case", "value", "from", *(f"into {one}" for one in SYSTEMS)]), "|" + "---|" * (3 + len(SYSTEMS))]
    listed = [(probe, source) for source, probes in PROBES.items() for probe in probes]
    for probe, source in sorted(listed, key=lambda one: one[0].case):
        row = [_cell(values.get((probe.case, f"{source} > {target}", probe.name)), probe, target) for target in SYSTEMS]
        place = probe.native if len(probe.native) <= 40 else f"{probe.native[:37]}..."
        lines.append(_line([str(probe.case), probe.name, f"{source} `{place}`", *row]))
    return "\n".join(lines) + "\n"


def _cell(outcome: Outcome | None, probe: Probe, target: str) -> str:
    if outcome is None:
        return ""
    place = f" `{probe.into[target]}`" if probe.into[target] and outcome != "planning" else ""
    return f"{outcome}{place}"


def _gaps() -> str:
    held = [
        (probe, target, why) for probes in PROBES.values() for probe in probes for target, why in probe.gaps.items()
    ]
    lines = [f"- case {probe.case}, {probe.name}, into {target}: {why}" for probe, target, why in held]
    return "\n## Gaps\n\n" + ("\n".join(lines) if lines else "None.") + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
