"""Every cleansing function is documented with an example, and every example gives what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ludb.errors import UnitError
from ludb.sql.library import FUNCTIONS, called_in
from ludb.unitdb.database import UnitDatabase

PAGE = (Path(__file__).parents[2] / "docs/reference/sql.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [tuple(re.split(r"\s+-- ", line, maxsplit=1)) for block in BLOCKS for line in block.splitlines()]


@pytest.fixture(scope="module")
def database():
    with UnitDatabase() as opened:
        opened.seal()
        yield opened


@pytest.mark.parametrize(("call", "answer"), EXAMPLES)
def test_an_example_gives_what_the_page_says(database, call, answer):
    sql = f"SELECT CAST({call} AS VARCHAR) AS a"
    if answer.startswith("error: "):
        with pytest.raises(UnitError) as caught:
            database.query(sql, file="steps/10/new.t.sql")
        assert str(caught.value) == f"steps/10/new.t.sql: {answer.removeprefix('error: ')}"
    else:
        (row,) = database.query(sql).to_pylist()
        assert row["a"] == (None if answer == "NULL" else answer)


def test_every_function_has_an_example_and_its_names_of_arguments_stand_on_the_page():
    shown = set().union(*(called_in(call) for call, _ in EXAMPLES))
    assert shown == set(FUNCTIONS)
    arguments = {name for function in FUNCTIONS.values() for name, _, _ in function.arguments}
    assert not [name for name in arguments if name not in PAGE]
