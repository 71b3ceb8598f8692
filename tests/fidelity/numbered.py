"""The tests that bear a case's number in their names: `test_case_29_...`, `test_cases_18_and_50_...`."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]


def numbers(name):
    """The numbers at the front of a test's name."""
    found = re.match(r"test_cases?_((?:\d+|and|to)(?:_(?:\d+|and|to)(?=_))*)_", name)
    if not found:
        return []
    listed = []
    for word, before in pairwise(["and", *found[1].split("_")]):
        if before.isdigit():
            listed.extend(range(listed[-1] + 1, int(before) + 1) if word == "to" else [int(before)])
    return listed


def count_by_case():
    """How many tests there are for each case, beside the probes."""
    counted = Counter()
    for path in (*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("src/ludb/testing/**/*.py")):
        for name in re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            counted.update(numbers(name))
    return counted
