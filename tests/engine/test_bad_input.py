"""Bad input gets a clear error that names the place and the remedy, and nothing is lost."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError, LudbError, TransientError
from ludb.model.run import RunState
from ludb.service.runs import start


def nothing_moved(shop) -> bool:
    assert shop.rows("billing", "select * from account") == []
    assert shop.rows("billing", "select * from charge") == []
    return True


def refused(shop, **parameters) -> str:
    """The text of the refusal; nothing has moved and no run is kept."""
    with pytest.raises(ConfigError) as caught:
        shop.run(**parameters)
    assert shop.site.repository.views.runs() == []
    assert nothing_moved(shop)
    return str(caught.value)


def edit(shop, old: str, new: str) -> None:
    text = (shop.job / "job.yaml").read_text()
    assert old in text
    (shop.job / "job.yaml").write_text(text.replace(old, new))


# -- systems, tables, columns -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LEGACY", "BILLING"])
def test_a_database_that_is_not_there_is_named_and_not_made(shop, name):
    missing = shop.folder / "elsewhere.sqlite"
    shop.environment[name] = str(missing)
    with pytest.raises(LudbError, match=rf"{name.lower()}.*no.*(file|database)") as caught:
        shop.run()
    assert isinstance(caught.value, ConfigError | TransientError)
    assert not missing.exists()
    assert shop.site.repository.views.runs() == []


def test_a_file_that_is_no_database_is_named(shop):
    (shop.folder / "text.sqlite").write_text(
        "this is no database, but a text that is long enough to be read as a header"
    )
    shop.environment["LEGACY"] = str(shop.folder / "text.sqlite")
    assert "legacy" in refused(shop)


def test_a_missing_environment_variable_is_named_with_its_field(shop):
    del shop.environment["BILLING"]
    with pytest.raises(ConfigError) as caught:
        shop.run()
    text = str(caught.value)
    assert "BILLING" in text
    assert text.startswith("job.yaml:5:")
    assert "systems.billing.url" in text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("legacy.customers\n", "legacy.clients\n", ["clients", "customers", "orders"]),
        ("    orders: {", "    bills: {", ["bills", "orders"]),
        ("{cid: id}", "{customer: id}", ["legacy.orders has no column 'customer'", "amount, cid, oid", "job.yaml"]),
        ("{cid: id}", "{cid: number}", ["legacy.customers has no column 'number'"]),
        ("key: id\n", "key: no\n", ["legacy.customers has no column 'no'"]),
        ("customers.id,", "customers.no,", ["legacy.customers has no column 'no'"]),
    ],
)
def test_a_table_or_column_that_is_not_there_is_named_with_those_that_are(shop, old, new, says):
    edit(shop, old, new)
    text = refused(shop)
    for words in says:
        assert words in text


def test_a_target_table_or_column_that_is_not_there_is_named_with_the_step(shop):
    shop.write({"steps/30_more/billing.ledger.sql": "select unit_key from legacy.customers"})
    assert "ledger" in refused(shop)
    (shop.job / "steps/30_more/billing.ledger.sql").unlink()
    shop.write({"steps/20_order/billing.charge.sql": "select unit_key, oid, cid as acount from legacy.orders"})
    text = refused(shop)
    assert (
        "steps/20_order/billing.charge.sql: billing.charge has no column 'acount'; it has account, amount, oid" in text
    )
    assert "billing.charge needs account (NOT NULL, no default)" in text


def test_a_column_that_cannot_be_carried_is_refused_with_its_type_and_the_remedy(shop):
    shop.database("legacy", "alter table orders add column weight decimal(60,2)")
    text = refused(shop)
    assert "legacy.orders.weight (decimal(60,2)) cannot be carried" in text
    assert "types:" in text


def test_a_value_of_the_wrong_type_sets_its_customer_aside_by_name_and_no_other(shop):
    shop.database("legacy", "update orders set amount = 'ten' where oid = 3")
    summary = shop.run()
    (found,) = shop.set_aside(summary.run.id).values()
    assert (found.unit_key, found.phase) == ("3", "extract")
    assert "orders.amount" in found.reason
    assert "ten" not in found.message
    assert "ten" in found.detail
    assert summary.counters.done == 2


def test_links_between_systems_whose_columns_have_two_types_are_refused(shop):
    """Compared by value, the text '1' of a file never meets the integer 1 of a database: all rows would be orphans."""
    folder = shop.folder / "export"
    folder.mkdir()
    (folder / "notes.csv").write_text("cid,note\n1,hello\n")
    shop.environment["EXPORT"] = str(folder)
    edit(shop, "systems:\n", 'systems:\n  export: {type: files, path: "${EXPORT}"}\n')
    edit(shop, "  tables:\n", "  tables:\n    export.notes: {parent: customers, on: {cid: id}}\n")
    text = refused(shop)
    assert "notes.cid (string) is linked to customers.id (int64)" in text
    assert "types:" in text
    edit(shop, "customers, on: {cid: id}}\n    orders", "customers, on: {cid: id}, types: {cid: integer}}\n    orders")
    assert shop.run().run.state is RunState.COMPLETED


# -- the unit list ------------------------------------------------------------------------------------------------------


def test_an_empty_unit_list_is_refused(shop):
    shop.database("legacy", "delete from orders; delete from customers")
    text = refused(shop)
    assert "legacy.customers has no rows" in text
    assert "unit.root" in text


def test_case_56_a_key_that_is_null_is_refused_and_counted(shop):
    shop.database(
        "legacy", "alter table customers add column code text; update customers set code = 'c' || id where id < 3"
    )
    edit(shop, "key: id", "key: code")
    text = refused(shop)
    assert "legacy.customers.code is NULL in 1 row:" in text
    assert "unit.key" in text


def test_case_56_a_key_that_two_rows_share_is_refused_by_name(shop):
    shop.database("legacy", "alter table customers add column code text; update customers set code = 'c' || (id % 2)")
    edit(shop, "key: id", "key: code")
    assert "1 row repeats a unit key (for example c1)" in refused(shop)


# -- steps --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("select unit_key,\n  oid frm legacy.orders o", ":2:", "syntax error"),
        ("select unit_key,\n  amout\nfrom legacy.orders", ":2:3:", "amout"),
        ("select unit_key, " + "oid + 1 as oid, " * 20 + "amout from legacy.orders", ":1:338:", "amout"),
        ("select unit_key, oid from legacy.order", ":1:", "order"),
        ("select unit_key, tidy(oid) as oid from legacy.orders", ":1:", "tidy"),
        ("delete from legacy.orders", "", "exactly one SELECT"),
        ("select 1; select 2", "", "exactly one SELECT"),
        ("select oid from legacy.orders", "", "no column unit_key"),
        ("select unit_key::date as unit_key, oid from legacy.orders", "", "unit_key"),
        ("select unit_key, oid from legacy.orders, ref.nothing", ":1:", "nothing"),
        ("select unit_key, oid from read_csv('/etc/passwd')", "", "/etc/passwd"),
    ],
)
def test_a_step_in_sql_that_cannot_work_is_refused_with_file_line_and_column(shop, text, place, says):
    shop.write({"steps/30_bad/billing.charge.sql": text})
    told = refused(shop)
    assert f"steps/30_bad/billing.charge.sql{place}" in told
    assert says in told


def test_all_mistakes_of_a_job_are_told_at_once(shop):
    shop.write(
        {
            "steps/30_bad/billing.charge.sql": "select unit_key, amout from legacy.orders",
            "rules/bad.sql": "select unit_key, 'x' as reason from legacy.clients",
        }
    )
    told = refused(shop)
    assert "steps/30_bad/billing.charge.sql:1:18: " in told
    assert "rules/bad.sql:1:" in told


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("def transform(unit):\n    return [\n", ":2", "was never closed"),
        ("import nothing_of_that_name\n\ndef transform(unit):\n    return []\n", ":1", "nothing_of_that_name"),
        ("def transfrom(unit):\n    return []\n", "", "exactly one of transform"),
        ("x = 1 / 0\n", ":1", "ZeroDivisionError"),
    ],
)
def test_a_step_in_python_that_cannot_be_loaded_is_refused_with_file_and_line(shop, text, place, says):
    shop.write({"steps/30_bad/billing.charge.py": text})
    told = refused(shop)
    assert f"steps/30_bad/billing.charge.py{place}:" in told
    assert says in told


LOST = "steps/30_bad/billing.charge.sql"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("case when oid = 2 then null else unit_key end", "1 row with a NULL unit_key"),
        ("unit_key + 100", "of a unit not in the chunk"),
    ],
)  # fmt: skip
def test_a_step_that_loses_the_unit_key_or_names_a_foreign_unit_stops_the_run_with_its_file(shop, text, says):
    shop.write({LOST: f"select {text} as unit_key, oid + 9 as oid, 1 as account from legacy.orders"})
    summary = shop.run()
    assert summary.run.state is RunState.FAILED
    assert summary.run.reason.startswith(f"{LOST}: ")
    assert says in summary.run.reason
    assert (summary.counters.done, summary.counters.pending) == (0, 3)
    assert nothing_moved(shop)
    (shop.job / LOST).unlink()
    assert shop.go_on(summary.run.id).run.state is RunState.COMPLETED


def test_a_python_row_that_says_it_belongs_to_another_unit_stops_the_run_with_its_file(shop):
    shop.write(
        {
            "steps/30_bad/billing.charge.py": """
                def transform(unit):
                    yield {"unit_key": 1, "oid": 100 + unit.key, "account": 100}
                """
        }
    )
    summary = shop.run()
    assert summary.run.state is RunState.FAILED
    assert "steps/30_bad/billing.charge.py" in summary.run.reason
    assert nothing_moved(shop)


def test_a_python_step_that_raises_sets_its_customer_aside_and_the_batch_form_is_taken_apart(shop):
    shop.write(
        {
            "steps/30_one/billing.charge.py": """
                def transform(unit):
                    return [] if unit.key != 1 else [1 / 0]
                """,
            "steps/40_all/billing.charge.py": """
                def transform_batch(batch):
                    rows = batch.query("select unit_key, oid + 100 as oid, cid + 99 as account from legacy.orders")
                    assert 3 not in rows.column("unit_key").to_pylist(), "three"
                    return rows
                """,
        }
    )
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: (unit.step, unit.reason) for key, unit in found.items()} == {
        "1": ("steps/30_one/billing.charge.py", "ZeroDivisionError in steps/30_one/billing.charge.py"),
        "3": ("steps/40_all/billing.charge.py", "AssertionError in transform_batch"),
    }
    assert "40_all/billing.charge.py:4 in transform_batch" in found["3"].trace
    assert summary.counters.done == 1


def test_a_constraint_of_the_target_keeps_back_the_customers_that_break_it_and_names_the_table(shop):
    shop.database("billing", "create unique index one_name on account(name)")
    shop.database("legacy", "update customers set name = 'Ann' where id = 3")
    summary = shop.run()
    (found,) = shop.set_aside(summary.run.id).values()
    assert found.unit_key == "3"
    assert found.reason == "billing.account: UNIQUE constraint failed: account.name"
    assert shop.rows("billing", "select oid from charge") == [(1,), (2,)]


# -- a run that goes on ---------------------------------------------------------------------------------------------------


def stopped(shop) -> str:
    """A run that a rule has stopped before its last customer."""
    shop.write({"rules/no_cy.sql": "select unit_key, 'Cy' as reason from legacy.customers where name = 'Cy'"})
    edit(shop, "settings:", "rules: {no_cy: stop}\nsettings:")
    summary = shop.run()
    assert summary.run.state is RunState.FAILED
    (shop.job / "rules/no_cy.sql").unlink()
    edit(shop, "rules: {no_cy: stop}\n", "")
    return summary.run.id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{parent: customers, on: {cid: id}}", "{parent: customers, on: {oid: id}}"),
        ("start: 100", "start: 200"),
        ("billing: {type: sqlite, url", "billing: {type: sqlite, busy_timeout: 5, url"),
    ],
)
def test_a_changed_unit_key_map_or_system_is_refused_when_the_run_goes_on_unless_accepted(shop, old, new):
    run = stopped(shop)
    edit(shop, old, new)
    with pytest.raises(ConfigError, match=r"have changed since run .* was planned.*--accept-change"):
        shop.run()
    assert shop.site.repository.runs.get(run).state is RunState.FAILED
    started = start(shop.site, shop.job, {}, accept_change=True)
    started.lock.release()
    assert (started.run.id, started.resumed, started.changed) == (run, True, True)


def test_a_changed_step_is_accepted_and_stored_with_the_units_that_it_moved(shop):
    run = stopped(shop)
    before = shop.site.repository.runs.get(run).version
    shop.write(
        {"steps/20_order/billing.charge.sql": "select unit_key, oid, 102 as account, -1 as amount from legacy.orders"}
    )
    summary = shop.go_on(run)
    assert summary.run.state is RunState.COMPLETED
    assert summary.run.version != before
    assert shop.rows("billing", "select oid, amount from charge order by 1") == [(1, 10.5), (2, 3), (3, -1)]


def test_a_complete_run_is_refused_naming_the_parameter_to_change(shop):
    edit(shop, "settings:", "parameters: {month: {default: may}, note: {default: x, identifying: false}}\nsettings:")
    shop.run()
    with pytest.raises(ConfigError, match=r"complete.*change parameter month \(-p month="):
        shop.run(note="y")
    assert len(shop.rows("billing", "select * from account")) == 3


def test_case_62_another_instance_of_the_job_moves_only_what_no_run_has_moved_and_its_rows_add_up(shop):
    edit(shop, "settings:", "parameters: {month: {default: may}}\nsettings:")
    shop.run()
    shop.database(
        "legacy",
        "insert into customers values (0,'Di'),(9,'Ed'); insert into orders values (8,9,1),(9,1,5),(10,77,1)",
    )
    summary = shop.run(month="june")
    assert summary.run.notes["moved_before"] == 3
    assert (summary.counters.total, summary.counters.done) == (2, 2)
    assert [name for (name,) in shop.rows("billing", "select name from account order by id")] == [
        "Ann",
        "Bo",
        "Cy",
        "Di",
        "Ed",
    ]
    lines = {line.table: (line.planned, dict(line.by_state), line.orphans, line.balances) for line in summary.source}
    assert lines == {"customers": (2, {"done": 2}, 0, True), "orders": (1, {"done": 1}, 1, True)}
