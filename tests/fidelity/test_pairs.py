"""Every nasty value from every system into every system, through the real engine: it arrives, or its one unit is refused by
name, or a conversion that the job asks for is counted.
"""

from __future__ import annotations

import pytest

from ludb.errors import LudbError
from ludb.testing.fidelity.case import SYSTEMS, Probe
from ludb.testing.fidelity.catalogue import PROBES
from tests.fidelity.moving import moved

TOO_LONG = "case when v = 'b' then 'bcde' else v end"
QUICK = {("sqlite", "sqlite")}
PAIRS = [
    (one, two) if (one, two) in QUICK else pytest.param(one, two, marks=pytest.mark.long)
    for one in SYSTEMS
    for two in SYSTEMS
]


def open_gap(desk, old, new, probe, target):
    """A gap must fail as long as it is listed."""
    try:
        moved(desk, old, new, [probe], target)
    except (AssertionError, LudbError):
        return "gap"
    return "closed"


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_value_arrives_or_its_unit_is_refused_by_name(desk, store, source, target, record_property):
    probes = PROBES[source]
    held = [probe for probe in probes if target not in probe.gaps]
    found = moved(desk, store(source, "old"), store(target, "new"), held, target)
    for probe in probes:
        if target in probe.gaps:
            desk.forget()
            found[str(probe)] = open_gap(desk, store(source, "gap_old"), store(target, "gap_new"), probe, target)
    wanted = {str(probe): probe.expected(target) for probe in probes if target in probe.into}
    for probe in probes:
        if str(probe) in found:
            record_property("fidelity", (probe.case, f"{source} > {target}", found[str(probe)], probe.name))
    assert found == wanted


@pytest.mark.parametrize(("step", "found"), [("v", "closed"), (TOO_LONG, "closed"), ("upper(v)", "gap")])
def test_a_gap_that_has_closed_is_told(desk, store, step, found):
    """A value that arrives, or is refused for its length, keeps the rule; one that a step changes uncounted does not."""
    probe = Probe(14, "gap", "text", ("'b'",), "'A'", {"sqlite": "varchar(3)"}, step=step, gaps={"sqlite": "why"})
    assert open_gap(desk, store("sqlite", "old"), store("sqlite", "new"), probe, "sqlite") == found
