"""One bad customer must not keep the others: a failing chunk is taken apart until the bad unit stands alone."""

from __future__ import annotations

import pytest

from ludb.model.run import ChunkState, RunState
from ludb.service.summary import Summary

JOB = """
    name: parts
    systems:
      legacy: {{type: sqlite, url: "${{LEGACY}}"}}
      new: {{type: sqlite, url: "${{NEW}}"}}
    unit:
      root: legacy.customers
      key: id
      tables:
        items: {{parent: customers, on: {{cid: id}}}}
    settings: {{chunk_units: {chunk}{limit}}}
"""


def customers(desk, number: int, bad: dict[int, str], *, each: int = 3, chunk: int = 100, limit: str = "") -> None:
    """`number` customers with `each` items; the last item of the customers in `bad` has that text as its amount."""
    desk.database(
        "legacy",
        f"""
        create table customers (id integer primary key, name text);
        create table items (item integer primary key, cid int, amount text);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < {number})
        insert into customers select i, 'c' || i from n;
        with recursive n(i) as (select 0 union all select i + 1 from n where i < {number * each - 1})
        insert into items select i, i / {each} + 1, (i % 100) || '.50' from n;
        create index items_of on items (cid);
        """
        + "".join(f"update items set amount = '{text}' where item = {unit * each - 1};" for unit, text in bad.items()),
    )
    desk.database(
        "new",
        "create table customer (id integer primary key, name text);"
        "create table item (item integer primary key, cid int not null, amount decimal(10,2), check (amount < 1000));",
    )
    desk.write(
        {
            "job.yaml": JOB.format(chunk=chunk, limit=f", quarantine_limit: {limit}" if limit else ""),
            "steps/10_a/new.customer.sql": "select unit_key, id, name from legacy.customers",
            "steps/20_b/new.item.sql": "select unit_key, item, cid, cast(amount as decimal(10,2)) as amount from legacy.items",
        }
    )


def adds_up(desk, summary: Summary) -> None:
    """The counters, the balances and the target agree, whatever was taken apart."""
    counters = summary.counters
    assert counters.done + counters.quarantined + counters.pending == counters.total
    aside = desk.set_aside(summary.run.id)
    assert len(aside) == counters.quarantined
    for line in summary.source:
        assert line.balances, line
        assert sum(line.by_state.values()) + line.pending == line.planned
    there = {name: len(desk.rows("new", f"select * from {name}")) for name in ("customer", "item")}
    assert there == {name: {o.output: o.written for o in summary.outputs}.get(f"new.{name}", 0) for name in there}
    done = {str(key) for (key,) in desk.rows("new", "select id from customer")}
    assert len(done) == counters.done
    assert not done & aside.keys()
    assert {str(key) for (key,) in desk.rows("new", "select distinct cid from item")} == done


def test_a_data_error_that_names_no_unit_is_narrowed_down_to_the_one_bad_customer_of_forty(desk):
    customers(desk, 40, {23: "twelve"})
    summary = desk.run()
    (found,) = desk.set_aside(summary.run.id).values()
    assert found.unit_key == "23"
    assert found.step == "steps/20_b/new.item.sql"
    assert found.phase == "steps"
    assert found.message == "steps/20_b/new.item.sql: conversion error in the data, line 1 (unit 23)"
    assert "twelve" in found.detail
    assert "twelve" not in found.message
    assert '"amount": "twelve"' in found.source_rows
    assert summary.counters.done == 39
    adds_up(desk, summary)


def test_the_boundaries_of_every_part_are_recorded(desk):
    customers(desk, 40, {23: "twelve"})
    summary = desk.run()
    chunks = {chunk.id: chunk for chunk, _, _ in desk.site.repository.views.chunks(summary.run.id)}
    split = [chunk for chunk in chunks.values() if chunk.state is ChunkState.SPLIT]
    finished = [chunk for chunk in chunks.values() if chunk.state is ChunkState.FINISHED]
    assert len(split) + len(finished) == len(chunks)
    assert sorted(at for chunk in finished for at in chunk.positions) == list(range(40))
    for parent in split:
        parts = [chunk for chunk in chunks.values() if chunk.parent == parent.id]
        assert len(parts) == 2
        assert sorted(at for part in parts for at in part.positions) == sorted(parent.positions)
    assert [len(chunk.positions) for chunk in finished if 22 in chunk.positions] == [1]
    assert len(split) <= 6  # halving, not one by one
    assert len({chunk.seq for chunk in chunks.values()}) == len({chunk.txn for chunk in chunks.values()}) == len(chunks)


def test_case_59_one_bad_child_row_out_of_ten_thousand_keeps_its_customer_back_and_the_report_names_the_row(desk):
    customers(desk, 200, {117: "n/a"}, each=50)
    summary = desk.run()
    (found,) = desk.set_aside(summary.run.id).values()
    assert (found.unit_key, summary.counters.done) == ("117", 199)
    assert "n/a" in found.detail
    assert '"item": 5849, "cid": 117, "amount": "n/a"' in found.source_rows
    assert len(desk.rows("new", "select * from item")) == 9_950
    adds_up(desk, summary)


def test_a_row_that_the_target_refuses_keeps_its_customer_back_without_taking_the_chunk_apart(desk):
    customers(desk, 200, {117: "5000"}, each=50)
    summary = desk.run()
    (found,) = desk.set_aside(summary.run.id).values()
    assert (found.unit_key, found.phase, summary.counters.done) == ("117", "prepare", 199)
    assert "CHECK constraint failed" in found.reason
    assert "'item': 5849" in found.detail
    assert {chunk.state for chunk, _, _ in desk.site.repository.views.chunks(summary.run.id)} == {ChunkState.FINISHED}
    adds_up(desk, summary)


def test_several_bad_customers_of_several_kinds_are_found_in_one_run(desk):
    bad = {1: "x", 2: "y", 20: "99999", 39: "z", 40: "1e400"}
    customers(desk, 40, bad)
    desk.write({"rules/20_b/not_seven.sql": "select unit_key, 'seven' as reason from new.customer where id = 7"})
    summary = desk.run()
    found = desk.set_aside(summary.run.id)
    assert found.keys() == {str(unit) for unit in bad} | {"7"}
    assert found["20"].phase == "prepare"
    assert found["7"].reason == "seven"
    adds_up(desk, summary)


def test_a_step_that_fails_for_everybody_quarantines_everybody_where_no_limit_is_set(desk):
    customers(desk, 8, dict.fromkeys(range(1, 9), "no"), chunk=4)
    summary = desk.run()
    assert summary.run.state is RunState.EXCEPTIONS
    assert (summary.counters.quarantined, summary.counters.done) == (8, 0)
    adds_up(desk, summary)


def test_mended_customers_move_when_they_are_tried_again_in_one_chunk(desk):
    customers(desk, 40, {3: "x", 23: "y", 24: "5000"})
    summary = desk.run()
    assert desk.set_aside(summary.run.id).keys() == {"3", "23", "24"}
    desk.database("legacy", "update items set amount = '1' where amount in ('x', '5000')")
    desk.site.repository.chunks.retry(summary.run.id, [2, 22, 23])
    summary = desk.go_on(summary.run.id)
    assert desk.set_aside(summary.run.id).keys() == {"23"}
    assert summary.counters.done == 39
    adds_up(desk, summary)
    desk.write(
        {
            "steps/20_b/new.item.sql": """
                select unit_key, item, cid, try_cast(amount as decimal(10,2)) as amount from legacy.items"""
        }
    )
    desk.site.repository.chunks.retry(summary.run.id, [22])
    summary = desk.go_on(summary.run.id)
    assert summary.run.state is RunState.COMPLETED
    assert len(desk.rows("new", "select * from item")) == 120
    adds_up(desk, summary)


@pytest.mark.parametrize(
    ("limit", "bad", "fails"),
    [
        ("2", 3, True),
        ("3", 3, False),
        ("{percent: 10, minimum: 10}", 5, True),
        ("{percent: 10, minimum: 10}", 1, False),
    ],
)
def test_too_many_quarantined_customers_fail_the_run_and_the_counters_stay_true(desk, limit, bad, fails):
    customers(desk, 40, dict.fromkeys(range(2, 2 + bad), "no"), chunk=10, limit=limit)
    summary = desk.run()
    assert (summary.run.state is RunState.FAILED) is fails
    if not fails:
        assert summary.counters.pending == 0
        adds_up(desk, summary)
        return
    assert "quarantine" in summary.run.reason
    assert "the limit is" in summary.run.reason
    assert summary.counters.pending > 0
    adds_up(desk, summary)
    desk.database("legacy", "update items set amount = '1' where amount = 'no'")
    aside = desk.set_aside(summary.run.id).values()
    desk.site.repository.chunks.retry(summary.run.id, [found.position for found in aside])
    summary = desk.go_on(summary.run.id)
    assert summary.run.state is RunState.COMPLETED
    assert summary.counters.done == 40
    adds_up(desk, summary)


def test_a_share_counts_only_once_enough_customers_are_settled(desk):
    customers(desk, 24, {1: "no"}, chunk=4, limit="{percent: 10, minimum: 12}")
    summary = desk.run()  # one of four would be too many, one of twelve is not
    assert summary.run.state is RunState.EXCEPTIONS
    assert summary.counters.done == 23
