"""Every nasty value from every system into every system, through the real engine: it arrives, or its one unit is refused by
name, or a conversion that the job asks for is counted.
"""

from __future__ import annotations

import pytest

from ludb.testing.fidelity.case import SYSTEMS
from ludb.testing.fidelity.catalogue import PROBES
from tests.fidelity.moving import moved

QUICK = {("sqlite", "sqlite")}
PAIRS = [
    (one, two) if (one, two) in QUICK else pytest.param(one, two, marks=pytest.mark.long)
    for one in SYSTEMS
    for two in SYSTEMS
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_value_arrives_or_its_unit_is_refused_by_name(desk, store, source, target, record_property):
    probes = PROBES[source]
    found = moved(desk, store(source, "old"), store(target, "new"), probes, target)
    wanted = {str(probe): probe.expected(target) for probe in probes if target in probe.into}
    for probe in probes:
        if str(probe) in found:
            record_property("fidelity", (probe.case, f"{source} > {target}", found[str(probe)], probe.name))
    assert found == wanted
