"""The page says what the data says, for every case; that the data is true is said by the suites and the pairs."""

from __future__ import annotations

import re
from pathlib import Path

from ludb.testing.fidelity.catalogue import PROBES, TITLES
from ludb.testing.fidelity.from_arrow import PROBES as ARROW
from ludb.testing.fidelity.page import expected, render_page
from tests.fidelity.numbered import count_by_case

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fidelity.md"


def test_the_page_is_not_out_of_date():
    assert PAGE.read_text(encoding="utf-8") == render_page(expected(), count_by_case()), "make fidelity"


def test_every_case_is_tried_by_a_value_or_by_a_test_of_its_number():
    tried = {probe.case for probes in PROBES.values() for probe in probes} | {probe.case for probe in ARROW}
    tested = {case for case, count in count_by_case().items() if count}
    assert set(TITLES) == set(range(1, 63))
    assert set(TITLES) - tried - tested == set()
    assert (tried | tested) - set(TITLES) == set()


def test_no_two_values_of_a_system_bear_one_name():
    for probes in (*PROBES.values(), ARROW):
        names = [(probe.case, probe.name) for probe in probes]
        assert len(names) == len(set(names))
        assert not [name for _, name in names if re.search(r"[|`]", name)]
