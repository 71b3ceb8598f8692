"""The bench judges others, so it is judged here: with areas whose numbers are known."""

from __future__ import annotations

import json

import pytest

from bench import report
from bench.__main__ import main
from bench.harness import Bar, interleaved, keep, median, result

AT_LEAST = Bar("at least", 0.35, of="ratio")


def area(name, value, against=100.0, bar=AT_LEAST):
    return lambda plan: [result(name, "rows per second", value, "rows/s", against=against, bar=bar)]


@pytest.fixture
def run(tmp_path):
    def run(*arguments, **areas):
        return main([*arguments, "--folder", str(tmp_path)], areas=areas, results=tmp_path / "results.json")

    run.results = lambda: json.loads((tmp_path / "results.json").read_text())
    return run


def test_a_bar_that_holds_ends_well_and_is_written_down(run):
    assert run(engine=area("engine", 35.0)) == 0
    assert run.results() == [
        {
            "area": "engine", "name": "rows per second", "value": 35.0, "unit": "rows/s", "against": 100.0, "ratio": 0.35,
            "bar": "at least 0.35 x", "holds": True,
        }
    ]  # fmt: skip


def test_a_bar_that_does_not_hold_ends_with_1_and_is_named(run, capsys):
    assert run(engine=area("engine", 34.9), api=area("api", 99.0)) == 1
    assert [one["holds"] for one in run.results()] == [False, True]
    told = capsys.readouterr()
    assert "rows per second" in told.err
    assert "at least 0.35 x" in told.err


def test_an_area_that_does_not_exist_yet_is_named_and_fails_nothing(run, capsys):
    assert run(engine=area("engine", 99.0), web=None) == 0
    assert run("web", engine=area("engine", 1.0), web=None) == 0
    assert "web: this area does not exist yet" in capsys.readouterr().err


def test_a_name_that_is_no_area_is_refused_with_those_there_are(run, capsys):
    assert run("engin", engine=area("engine", 1.0)) == 2
    assert "engine" in capsys.readouterr().err


def test_one_area_measured_again_leaves_the_others_results_alone(run):
    run(engine=area("engine", 50.0), api=area("api", 60.0))
    run("api", engine=area("engine", 1.0), api=area("api", 70.0))
    assert {one["area"]: one["value"] for one in run.results()} == {"engine": 50.0, "api": 70.0}


def test_a_number_without_a_bar_is_shown_and_judges_nothing(run):
    assert run(engine=area("engine", 1.0, bar=None)) == 0
    assert run.results()[0]["holds"] is None


@pytest.mark.parametrize(("value", "holds"), [(400.0, True), (400.1, False)])
def test_a_bar_may_be_an_upper_one_of_the_value_itself(value, holds):
    assert result("engine", "memory", value, "MB", bar=Bar("at most", 400)).holds is holds


def test_a_ratio_that_cannot_be_known_keeps_no_bar():
    assert result("engine", "rows", 5.0, "rows/s", against=0.0, bar=AT_LEAST).holds is False


def test_sides_take_turns_so_that_neither_has_the_better_minutes():
    order = []
    sides = {name: (lambda name=name: order.append(name) or float(len(order))) for name in ("ours", "plain")}
    found = interleaved(sides, 3)
    assert order == ["ours", "plain", "plain", "ours", "ours", "plain"]
    assert found == {"ours": [1.0, 4.0, 5.0], "plain": [2.0, 3.0, 6.0]}
    assert median(found["ours"]) == 4.0


def test_a_side_with_its_figures_is_one_line_of_the_page(tmp_path, capsys):
    found = [
        result("databases", "direct, against COPY", 30.0, "rows/s", against=60.0, bar=Bar("at least", 0.9, of="ratio")),
        result("databases", "COPY: pace", 60.0, "rows/s", against=60.0),
        result("databases", "COPY: blocks", 7, ""),
        result("databases", "direct, workers: 2", 31.0, "rows/s"),
    ]
    keep(found, tmp_path / "results.json")
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- databases: begin -->\nold\n<!-- databases: end -->\nAfter\n")
    places = {"results": tmp_path / "results.json", "page": page}
    assert report.main(["databases"], **places) == 0
    assert "| COPY | 60 (1 x) | 7 |" in capsys.readouterr().out
    assert report.main(["--write"], **places) == 0
    text = page.read_text()
    assert "| direct, against COPY | 30 rows/s | 60 | 0.5 | at least 0.9 x | **no** |" in text
    assert "| direct, workers: 2 | 31 rows/s |  |  |  |  |" in text
    assert "\nold\n" not in text
    assert text.startswith("Before")
    assert text.endswith("After\n")


def test_a_page_without_a_place_for_an_area_is_left_alone_and_told(tmp_path):
    keep([result("api", "calls", 1.0, "")], tmp_path / "results.json")
    page = tmp_path / "page.md"
    page.write_text("Before\n")
    assert report.main(["--write"], results=tmp_path / "results.json", page=page) == 2
    assert report.main(["engine"], results=tmp_path / "results.json", page=page) == 2
    assert page.read_text() == "Before\n"
