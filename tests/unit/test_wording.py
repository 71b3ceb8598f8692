"""One thing is told as one."""

from __future__ import annotations

import pytest

from ludb.sql.library import FUNCTIONS, told
from ludb.wording import plural


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("chunk",), "0 chunks"),
        (1, ("chunk",), "1 chunk"),
        (2_000, ("chunk",), "2,000 chunks"),
        (1, ("unit is", "units are"), "1 unit is"),
        (2, ("unit is", "units are"), "2 units are"),
    ],
)
def test_a_person_never_reads_one_chunks(number, words, said):
    assert plural(number, *words) == said


def test_what_functions_changed_is_told_in_the_singular_too():
    assert told({"parse_date": 1_204, "blank_to_null": 1}) == "1,204 dates converted, 1 text trimmed or made NULL"
    counted = [name for name, function in FUNCTIONS.items() if function.label]
    assert all("{s}" in FUNCTIONS[name].label for name in counted)
