"""Every nasty value from every system into every system: it arrives, or its one unit is refused by name. The outcomes stand in
docs/reference/fidelity.md; a value that begins to arrive, or no longer does, fails until the page says so.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pairs import Place, cases_of, outcomes

from ludb.testing.fidelity.cases import SYSTEMS
from ludb.testing.fidelity.page import read_page, render_page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fidelity.md"
ALL = [(source, target) for source in SYSTEMS for target in SYSTEMS]
QUICK = [(one, one) for one in SYSTEMS]
MARKED = [pair if pair in QUICK else pytest.param(*pair, marks=pytest.mark.long) for pair in ALL]


@pytest.fixture
def place(request, tmp_path, desk):
    def make(kind: str, role: str) -> Place:
        folder = tmp_path / role
        folder.mkdir()
        if kind == "postgres":
            return Place(kind, request.getfixturevalue("postgres_database")(""), folder)
        if kind == "mysql":
            return Place(kind, request.getfixturevalue("mariadb_database")(), folder)
        return Place(kind, str(desk.database(role, "")) if kind == "sqlite" else "", folder)

    return make


@pytest.mark.parametrize(("source", "target"), MARKED)
def test_every_value_arrives_or_its_unit_is_refused_by_name(desk, place, source, target):
    found = outcomes(desk, place(source, "old"), place(target, "new"), move=desk.run)
    told = read_page(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    if os.environ.get("LUDB_WRITE_FIDELITY"):
        told[f"{source} to {target}"] = found
        PAGE.write_text(render_page(told), encoding="utf-8")
    assert told[f"{source} to {target}"] == found


def test_the_page_holds_every_case_of_every_pair():
    told = read_page(PAGE.read_text(encoding="utf-8"))
    assert told.keys() == {f"{source} to {target}" for source, target in ALL}
    for source, target in ALL:
        assert told[f"{source} to {target}"].keys() == {case.title for case in cases_of(source)}
    assert PAGE.read_text(encoding="utf-8") == render_page(told)
