"""The page of outcomes: written from a run over all pairs, and read back by the tests that hold it true."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ludb.testing.fidelity.cases import CASES, SYSTEMS

Outcomes = Mapping[str, Mapping[str, str]]
"""`postgres to mysql` -> title of the case -> `arrives` or `refused`."""

_HEAD = """# Fidelity: what becomes of nasty values

Each value below was moved by a real run from a system that can hold it into every system, beside a good neighbour that
always moves. It *arrives*, compared in the text forms of the systems themselves, or its one unit is *refused*, with table
and column in the reason, and nothing of it is anywhere. Nothing else happens: no value is changed in silence, and no run
ends for it. A refused value can be carried in another form where its system's page says so ([PostgreSQL](postgres.md),
[MySQL and MariaDB](mysql.md), [SQLite](sqlite.md), [files](files.md)): `types:` in the unit, or a conversion in a step.

The page is written by `LUDB_WRITE_FIDELITY=1 make test-long`, and strict: a value that begins to arrive, or no longer does,
fails the tests until it says so. `mysql` is MariaDB 10.11, files are Parquet. The other cases (names, structure, collations,
sequences, APIs) are tests of their own, with their numbers in their names.

"""
_ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| (\w+) \|((?: \w+ \|)+)$", re.MULTILINE)


def render_page(found: Outcomes) -> str:
    """The whole page: a line per case and source, a column per target."""
    lines = [f"| case | value | from | {' | '.join(f'into {name}' for name in SYSTEMS)} |"]
    lines.append("|---|---|---|" + "---|" * len(SYSTEMS))
    for case in CASES:
        for source in (one for one in SYSTEMS if one in case.held):
            cells = [found.get(f"{source} to {target}", {}).get(case.title, "unknown") for target in SYSTEMS]
            lines.append(f"| {case.number} | {case.title} | {source} | {' | '.join(cells)} |")
    return _HEAD + "\n".join(lines) + "\n"


def read_page(text: str) -> dict[str, dict[str, str]]:
    """What the page says."""
    found: dict[str, dict[str, str]] = {}
    for _, title, source, cells in _ROW.findall(text):
        for target, cell in zip(SYSTEMS, re.findall(r"\w+", cells), strict=True):
            found.setdefault(f"{source} to {target}", {})[title] = cell
    return found
