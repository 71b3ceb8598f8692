"""What the generic adapters (`type: sqlalchemy`) do with each value, by the dialects that were run: where it differs from the
databases' own adapters it is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ludb.testing.fidelity import from_arrow, from_mysql, from_postgres, from_sqlite
from ludb.testing.fidelity.case import SOURCE, Probe

_LEAVES = {(51, "too long")}
"""Values of SQLite that leave it as they are: lengths are the target's affair."""
_STAYS = {(55, "no moment, as text"), (29, "no date")}
"""Values of SQLite that do not leave it: a column declared as a moment holds moments."""
_ELSEWHERE = {(6, "instant"): "sqlite", (22, "rounded elements"): "postgres"}
"""Columns that take no such value at all: no zone in SQLite, and no arrays whose elements the server would round."""


def _own(probes: Sequence[Probe]) -> list[Probe]:
    """What must happen; the words of a reason are the generic adapters' own."""
    found = []
    for probe in probes:
        refused: Mapping[str, str] = dict.fromkeys(probe.refused, "")
        if (probe.case, probe.name) in _LEAVES:
            refused = {}
        if (probe.case, probe.name) in _STAYS:
            refused = {SOURCE: ""}
        without = _ELSEWHERE.get((probe.case, probe.name))
        into = {target: native for target, native in probe.into.items() if target != without}
        found.append(replace(probe, refused=refused, into=into))
    return found


HELD: Mapping[str, Sequence[Probe]] = {
    "postgres": _own(from_postgres.PROBES),
    "mysql": _own(from_mysql.PROBES),
    "sqlite": _own(from_sqlite.PROBES),
}
"""What leaves a source, by the database behind it."""
TAKEN: Sequence[Probe] = _own(from_arrow.PROBES)
"""What a step hands over."""


def label(database: str) -> str:
    """What the page calls the generic adapter over it."""
    return f"sqlalchemy {database}"
