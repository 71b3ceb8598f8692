"""The main path: a customer moves whole, or not at all."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError
from ludb.model.run import RunState


def test_every_customer_arrives_with_all_rows_and_new_keys(shop):
    summary = shop.run()
    assert summary.run.state is RunState.COMPLETED
    assert (summary.counters.total, summary.counters.done, summary.counters.pending) == (3, 3, 0)
    assert shop.rows("billing", "select id, name from account order by id") == [(100, "Ann"), (101, "Bo"), (102, "Cy")]
    charges = shop.rows("billing", "select oid, account, amount from charge order by oid")
    assert charges == [(1, 100, 10.5), (2, 100, 3), (3, 102, 1.25)]


def test_every_table_and_output_balances(shop):
    summary = shop.run()
    lines = {line.table: (line.planned, dict(line.by_state), line.balances) for line in summary.source}
    assert lines == {"customers": (3, {"done": 3}, True), "orders": (3, {"done": 3}, True)}
    assert {line.output: (line.produced, line.written) for line in summary.outputs} == {
        "billing.account": (3, 3),
        "billing.charge": (3, 3),
    }


def test_a_customer_that_breaks_a_constraint_leaves_no_row_anywhere(shop):
    shop.database("billing", "create unique index one_amount on charge(account, amount)")
    shop.write(
        {
            "steps/20_order/billing.charge.sql": """
            select o.unit_key, oid, a.id as account, case when cid = 1 then 7 else amount end as amount
            from legacy.orders o join billing.account a using (unit_key)
        """
        }
    )
    summary = shop.run()
    assert summary.run.state is RunState.EXCEPTIONS
    assert (summary.counters.done, summary.counters.quarantined) == (2, 1)
    found = shop.set_aside(summary.run.id)["1"]
    assert "UNIQUE" in found.reason
    assert "billing" in found.message
    assert '"oid": 1' in found.source_rows
    assert shop.rows("billing", "select name from account order by id") == [("Bo",), ("Cy",)]
    assert shop.rows("billing", "select oid from charge") == [(3,)]


def test_a_complete_run_is_refused_and_says_what_to_do(shop):
    shop.run()
    with pytest.raises(ConfigError, match="complete"):
        shop.run()
    assert len(shop.rows("billing", "select * from account")) == 3


def test_a_mended_step_moves_the_quarantined_customer(shop):
    rule = "select unit_key, 'Bo is not welcome' as reason from legacy.customers where name = 'Bo'"
    shop.write({"rules/10_customer/no_bo.sql": rule})
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert found["2"].reason == "Bo is not welcome"
    assert found["2"].step == "rules/10_customer/no_bo.sql"
    (shop.job / "rules/10_customer/no_bo.sql").unlink()
    shop.site.repository.chunks.retry(summary.run.id, [found["2"].position])
    summary = shop.go_on(summary.run.id)
    assert summary.run.state is RunState.COMPLETED
    assert summary.counters.done == 3
    assert [name for (name,) in shop.rows("billing", "select name from account order by id")] == ["Ann", "Bo", "Cy"]


def test_large_customers_are_moved_in_smaller_chunks(shop):
    """A worker's memory is a matter of bytes: nobody knows beforehand how many rows a customer has."""
    shop.database(
        "legacy",
        "with recursive n(x) as (select 10 union all select x + 1 from n where x < 18)"
        " insert into customers select x, printf('%.1000000c', 'x') from n;"
        " delete from orders; delete from customers where id < 10",
    )
    job = (shop.job / "job.yaml").read_text()
    (shop.job / "job.yaml").write_text(job.replace("{chunk_units: 2}", "{chunk_units: 4, chunk_bytes: 2500000}"))
    summary = shop.run()
    assert summary.counters.done == 9
    sizes = [len(chunk.positions) for chunk, _, _ in shop.site.repository.views.chunks(summary.run.id)]
    assert sizes == [4, 2, 2, 1]
