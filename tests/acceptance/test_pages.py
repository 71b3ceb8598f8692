"""The pages about commands and errors tell what is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import typer.main

from ludb import errors
from ludb.cli.app import app
from ludb.model.run import RunState
from ludb.observers.doing import WORDS

DOCS = Path(__file__).parents[2] / "docs" / "reference"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")


def options(group, prefix="ludb"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from options(command, f"{prefix} {name}")
        else:
            for parameter in command.params:
                yield from ((f"{prefix} {name}", option) for option in parameter.opts if option.startswith("--"))


def test_every_option_is_on_the_page_and_every_command_takes_json():
    found = list(options(typer.main.get_command(app)))
    spoken = {command for command, _ in found} - {"ludb nursery"}  # which speaks with programs alone
    assert spoken == {command for command, option in found if option == "--json"}
    assert [(command, option) for command, option in found if option not in CLI and option != "--param"] == []


def test_every_error_has_a_row_that_says_what_to_do():
    named = [name for name, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.LudbError)]
    rows = {
        row[0].strip("` "): row
        for row in (line.strip("|").split("|") for line in ERRORS.splitlines() if line[:1] == "|")
    }
    for name in named:
        assert name in rows, name
        assert len(rows[name]) == 4
        assert name == "LudbError" or all(cell.strip() for cell in rows[name])


def test_every_state_that_a_run_ends_with_is_explained():
    table = ERRORS.split("## What a run may end with")[1].split("\n## ")[0]
    assert {state for state in RunState if f"`{state}`" in table} == set(RunState) - {RunState.PLANNED}


@pytest.mark.parametrize("reason", [
    "nobody can tell what became of the call", "the API refused the call", "the API keeps something else than was sent",
    "rejected, but not taken back",
    "the decided rows no longer fit", "is also held by another unit, which keeps it", "outside the unit",
])  # fmt: skip
def test_the_reasons_on_the_page_are_the_ones_that_are_given(reason):
    assert reason in ERRORS
    texts = [path.read_text(encoding="utf-8") for path in (DOCS.parents[1] / "src" / "ludb" / "engine").glob("*.py")]
    assert any(reason in re.sub(r'"\s+f?"', "", text) for text in texts)


def test_what_a_worker_does_has_words_for_every_phase_but_calls():
    from ludb.engine.pipeline import PHASES

    assert set(PHASES) - set(WORDS) == {"call"}
