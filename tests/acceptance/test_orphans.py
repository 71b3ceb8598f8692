"""Every row that belongs to nobody can be named, however many there are."""

from __future__ import annotations

import csv
import io

import pytest

from tests.acceptance.conftest import make_shop

MANY = 150


@pytest.fixture(scope="module")
def littered(tmp_path_factory, ready):
    made = make_shop(tmp_path_factory.mktemp("littered"), ready, count=2)
    lost = ",".join(f"({1000 + n},{500 + n},1)" for n in range(MANY))
    made.database("legacy", f"insert into orders values {lost}")
    said = made.ludb("run", made.job)
    assert said.code == 0, said.err
    yield made
    made.close()


def orphans(bench, *arguments):
    return bench.ludb("orphans", "--job", bench.job, *arguments)


def test_all_orphans_are_listed_not_only_samples(littered):
    told = orphans(littered, "--json").json
    assert (told["counts"], told["whole"]) == ({"customers": 0, "orders": MANY}, True)
    assert [(one["table"], one["row"], one["missing"], one["direct"]) for one in told["orphans"]] == [
        ("orders", str(1000 + n), str(500 + n), True) for n in range(MANY)
    ]
    status = littered.ludb("status", "--job", littered.job, "--json").json
    assert {line["table"]: line["orphans"] for line in status["source"]} == told["counts"]


def test_csv_has_one_line_per_orphan(littered):
    rows = list(csv.DictReader(io.StringIO(orphans(littered, "--csv", "--table", "orders").out)))
    assert (len(rows), rows[0]) == (MANY, {"table": "orders", "row": "1000", "missing": "500", "direct": "True"})


def test_a_person_reads_counts_and_rows(littered):
    said = orphans(littered)
    assert f"{MANY} orphans in orders" in said.out
    assert f"orders row {1000 + MANY - 1}: parent {500 + MANY - 1}" in said.out
    assert said.err == ""
    assert "no row of customers belongs to nobody" in orphans(littered, "--table", "customers").out


def test_an_unknown_table_is_named_with_those_that_exist(littered):
    said = orphans(littered, "--table", "bills")
    assert (said.code, "customers, orders" in said.err) == (2, True)
    assert orphans(littered, "--csv", "--json").code == 2


def test_where_only_samples_are_left_it_is_said(littered):
    (run,) = littered.site.repository.views.runs()
    kept = littered.site.pinned(run.id) / "orphans"
    kept.rename(kept.with_name("away"))
    try:
        said = orphans(littered, "--json")
        assert (said.json["whole"], len(said.json["orphans"])) == (False, 100)
        assert "only samples are kept" in said.err
    finally:
        kept.with_name("away").rename(kept)
