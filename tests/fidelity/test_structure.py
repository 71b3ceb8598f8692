"""Names, shapes, one bad child of ten thousand, empty and huge units: from every system into every system."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludb.testing.fidelity.case import SYSTEMS
from ludb.testing.fidelity.catalogue import EVERYWHERE
from tests.fidelity.structure import CHILDREN, ROOT, UNITS, empty, fill, job, there, wanted

PAIRS = [
    (one, two) if one == two == "sqlite" else pytest.param(one, two, marks=pytest.mark.long)
    for one in SYSTEMS
    for two in SYSTEMS
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_cases_39_57_58_59_and_62_units_of_every_shape_move_whole_but_for_the_one_bad_child(
    desk, store, source, target, record_property
):
    old, new = store(source, "old"), store(target, "new")
    fill(old)
    empty(new)
    desk.write(job(old, new))
    summary = desk.run()
    (found,) = desk.set_aside(summary.run.id).values()
    assert "lines" in found.reason + found.step, found
    assert target == "files" or "amount" in found.reason, (
        found.reason
    )  # files take what the step makes: it speaks, with its file
    assert "n/a" in found.detail + found.source_rows
    assert summary.counters.done == len(UNITS) - 1
    for table in (ROOT, "lines", "tree"):
        assert there(new, table) == wanted(target, table)
    (line,) = [one for one in summary.source if one.table.endswith("lines")]
    assert line.by_state["quarantined"] == CHILDREN
    for case, outcome in EVERYWHERE.items():
        record_property("fidelity", (case, f"{source} > {target}", outcome, "structure"))


@pytest.mark.parametrize(
    "source", ["sqlite", *(pytest.param(one, marks=pytest.mark.long) for one in SYSTEMS if one != "sqlite")]
)
def test_case_40_customers_that_only_the_targets_collation_takes_as_one_are_not_merged(
    desk, store, source, record_property
):
    """Of each two, the first stays and the second is refused; the collation is utf8mb4_unicode_ci."""
    names = ["straße", "STRASSE", "Müller", "MULLER", "Ann"]
    old, new = store(source, "old"), store("mysql", "new")
    if source == "files":
        pq.write_table(pa.table({"name": names}), old.folder / "people.parquet")
    else:
        old.run(
            f"CREATE TABLE people (name varchar(20){' COLLATE utf8mb4_bin' if source == 'mysql' else ''} PRIMARY KEY)"
        )
        old.run(f"INSERT INTO people VALUES {', '.join(map(repr, zip(names)))}".replace(",)", ")"))
    new.run("CREATE TABLE people (name varchar(20) COLLATE utf8mb4_unicode_ci PRIMARY KEY)")
    unit = {"root": "old.people", "key": "name"}
    desk.write({
        "job.yaml": json.dumps({"name": "n", "systems": {"old": old.settings, "new": new.settings}, "unit": unit}),
        "steps/10/new.people.sql": "select unit_key, name from old.people",
    })  # fmt: skip
    summary = desk.run()
    aside = desk.set_aside(summary.run.id)
    arrived = {name for (name,) in new.run("SELECT name FROM people")}
    assert arrived == set(names) - set(aside)
    assert "Ann" in arrived
    for pair in ({"straße", "STRASSE"}, {"Müller", "MULLER"}):
        (refused,) = pair & set(aside)
        assert "people: key (name) equals that of another row but for its bytes" in aside[refused].reason
        assert all(name in aside[refused].detail for name in pair)
    record_property("fidelity", (40, f"{source} > mysql", "refused", "collation"))


HUGE = {
    "postgres": "INSERT INTO calls SELECT n, 1, n % 60 FROM generate_series(1, 1000000) AS n",
    "mysql": "INSERT INTO calls SELECT seq, 1, seq % 60 FROM seq_1_to_1000000",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)"
    " INSERT INTO calls SELECT i, 1, i % 60 FROM n",
}


@pytest.mark.long
@pytest.mark.parametrize("system", SYSTEMS)
def test_case_62_a_unit_with_a_million_children_moves_whole_beside_an_empty_one(desk, store, system):
    old, new = store(system, "old"), store(system, "new")
    if system == "files":
        pq.write_table(pa.table({"id": [1, 2]}), old.folder / "people.parquet")
        numbers = pa.array(range(1, 1_000_001), pa.int64())
        minutes = pa.array([n % 60 for n in range(1, 1_000_001)], pa.int64())
        ones = pa.array([1] * 1_000_000, pa.int64())
        pq.write_table(pa.table({"call_id": numbers, "person": ones, "minutes": minutes}), old.folder / "calls.parquet")
    else:
        old.run("CREATE TABLE people (id bigint PRIMARY KEY)")
        old.run("INSERT INTO people VALUES (1), (2)")
        old.run("CREATE TABLE calls (call_id bigint PRIMARY KEY, person bigint, minutes bigint)")
        old.run(HUGE[system])
        new.run("CREATE TABLE calls (call_id bigint PRIMARY KEY, person bigint, minutes bigint)")
    document = {
        "name": "huge",
        "systems": {"old": old.settings, "new": new.settings},
        "unit": {"root": "old.people", "key": "id", "tables": {"calls": {"parent": "people", "on": {"person": "id"}}}},
    }
    desk.write({
        "job.yaml": json.dumps(document),
        "steps/10/new.calls.sql": "select unit_key, call_id, person, minutes from old.calls",
    })  # fmt: skip
    summary = desk.run()
    assert (summary.counters.done, summary.counters.quarantined) == (2, 0), summary.reasons
    if system == "files":
        (part,) = (new.folder / "calls").glob("part-*.parquet")
        arrived = pq.read_table(part, columns=["call_id", "minutes"])
        assert (arrived.num_rows, sum(arrived.column("minutes").to_pylist())) == (1_000_000, 29_499_640)
    else:
        rows = new.run("SELECT count(*), count(DISTINCT call_id), sum(minutes) FROM calls")
        (found,) = rows if isinstance(rows, list | tuple) else rows.fetchall()
        assert tuple(map(int, found)) == (1_000_000, 1_000_000, 29_499_640)
