"""Every attack of the protocol has a test, and the page that tells of them names every test."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "explanation" / "commit-protocol.md").read_text(encoding="utf-8")
ATTACKS = {*range(1, 10), *range(12, 23)}
"""Those that SQLite, files and calls can meet; 10 and 11 need database servers."""
OF_CALLS = {2, 3, 4, 5, 16, 17}
"""Those that are about calls: SOAP, bulk and asynchronous outputs have to meet them too."""


def by_attack(files: str = "test_attack_*.py") -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for path in HERE.glob(files):
        for name, number in re.findall(
            r"^def (test_attack_(\d\d)_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            found.setdefault(int(number), set()).add(name)
    return found


def test_every_attack_has_a_test():
    assert set(by_attack()) == ATTACKS


def test_every_attack_on_calls_is_played_with_every_kind_of_api():
    assert set(by_attack("test_other_*.py")) == OF_CALLS


def test_the_page_names_every_test_beside_its_attack():
    rows = dict(re.findall(r"^\| (\d+) (.*)$", PAGE, re.MULTILINE))
    told = {int(number): set(re.findall(r"`(test_attack_\w+)`", row)) for number, row in rows.items()}
    assert told == by_attack()
