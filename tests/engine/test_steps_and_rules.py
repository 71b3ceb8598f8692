"""What a job folder holds decides what arrives: steps, rules, lookups, macros, lib, key maps."""

from __future__ import annotations

import json

import pytest

from ludb.errors import ConfigError
from ludb.model.run import RunState
from ludb.unitdb.batch import UnitBatch

PYTHON_ACCOUNT = """
    def transform(unit):
        (customer,) = unit.customers
        yield {"id": unit.keys.account(customer.id), "name": customer.name}
    """


def wanting(shop, table: str, columns: str) -> None:
    """A further table in the billing database."""
    shop.database("billing", f"create table {table} ({columns})")


def job_with(shop, more: str) -> None:
    text = (shop.job / "job.yaml").read_text().replace("settings:", f"{more}\nsettings:")
    (shop.job / "job.yaml").write_text(text)


# -- steps --------------------------------------------------------------------------------------------------------------


def test_a_step_in_python_moves_the_same_rows_as_the_step_in_sql(shop):
    (shop.job / "steps/10_customer/billing.account.sql").unlink()
    shop.write({"steps/10_customer/billing.account.py": PYTHON_ACCOUNT})
    assert shop.run().run.state is RunState.COMPLETED
    assert shop.rows("billing", "select id, name from account order by id") == [(100, "Ann"), (101, "Bo"), (102, "Cy")]
    assert shop.rows("billing", "select oid, account from charge order by oid") == [(1, 100), (2, 100), (3, 102)]


def test_a_unit_shows_its_tables_reference_keys_parameters_and_what_earlier_steps_made(shop):
    wanting(shop, "letter", "cid int, text text, run_at text, total decimal(10,2), lines int")
    shop.write(
        {
            "lookups/greetings.csv": "name,greeting\nAnn,Dear Ann\nBo,Hi Bo\n",
            "lib/words.py": "def polite(text):\n    return f'{text},'\n",
            "lib/deep/__init__.py": "",
            "lib/deep/sums.py": "from lib.words import polite\n\ndef total(rows):\n    return sum(row.amount for row in rows)\n",
            "steps/30_letter/billing.letter.py": """
                from lib.deep.sums import total
                from lib.words import polite

                GREETINGS = {}

                def transform(unit):
                    for row in unit.ref.greetings:
                        GREETINGS[row.name] = row.greeting
                    (account,) = unit.billing.account
                    (customer,) = unit.legacy.customers
                    assert unit.keys.account(customer.id) == account.id
                    assert account["name"] == customer.name and unit.key == customer.id
                    if not unit.orders:
                        return None
                    yield {
                        "cid": unit.key,
                        "text": polite(GREETINGS.get(customer.name, "Hello")),
                        "run_at": unit.params["run_clock"],
                        "total": total(unit.orders),
                        "lines": len(unit.billing.charge),
                    }
                """,
        }
    )
    summary = shop.run()
    assert shop.set_aside(summary.run.id) == {}
    found = shop.rows("billing", "select cid, text, total, lines from letter order by 1")
    assert found == [(1, "Dear Ann,", 13.5, 2), (3, "Hello,", 1.25, 1)]
    assert len({at for (at,) in shop.rows("billing", "select run_at from letter")}) == 1


def test_a_batch_step_answers_for_all_units_at_once(shop):
    (shop.job / "steps/20_order/billing.charge.sql").unlink()
    shop.write(
        {
            "steps/20_order/billing.charge.py": """
                def transform_batch(batch):
                    return batch.query(
                        "select o.unit_key, oid, a.id as account, amount * 2 as amount "
                        "from legacy.orders o join billing.account a using (unit_key)"
                    )
                """
        }
    )
    shop.run()
    assert shop.rows("billing", "select oid, amount from charge order by oid") == [(1, 21), (2, 6), (3, 2.5)]


def test_an_output_that_a_later_folder_repeats_is_appended_to_even_with_other_columns_and_types(shop):
    shop.database(
        "billing",
        "drop table charge; create table charge (oid integer primary key, account int, amount numeric, note text);",
    )
    shop.write(
        {
            "steps/20_order/billing.charge.sql": """
                select unit_key, oid, null as note, amount::decimal(5,2) as amount from legacy.orders""",
            "steps/30_fees/billing.charge.py": """
                def transform(unit):
                    for row in list(unit.billing.charge):
                        yield {"oid": row.oid + 100, "note": f"fee of {row.oid}", "account": unit.key}
                """,
            "steps/40_more/billing.charge.sql": """
                select unit_key, oid + 1000 as OID, 1234567.5 as amount from billing.charge where note like 'fee%'""",
        }
    )
    summary = shop.run()
    assert shop.set_aside(summary.run.id) == {}
    assert shop.rows("billing", "select * from charge where oid % 100 = 1 order by oid") == [
        (1, None, 10.5, None), (101, 1, None, "fee of 1"), (1101, None, 1234567.5, None),
    ]  # fmt: skip
    assert {line.output: line.written for line in summary.outputs}["billing.charge"] == 9


def test_two_steps_of_one_output_that_cannot_be_one_table_are_refused_before_anything_moves(shop):
    shop.write({"steps/30_more/billing.charge.sql": "select unit_key, 'x' as oid from legacy.orders"})
    with pytest.raises(ConfigError, match=r"(?s)30_more/billing\.charge\.sql.*'?oid'? is .*Cast"):
        shop.run()
    assert shop.rows("billing", "select * from account") == []


def test_rows_of_a_python_step_that_yields_nothing_in_a_chunk_can_still_be_read(shop):
    wanting(shop, "vip", "cid int, level text, note text")
    wanting(shop, "perk", "cid int, level text")
    shop.write(
        {
            "steps/30_vip/billing.vip.py": """
                def transform(unit):
                    if unit.key == 1:
                        yield {"cid": 1, "level": "gold"}
                """,
            "steps/40_perk/billing.perk.sql": """
                select c.unit_key, c.id as cid, coalesce(v.level, 'none') || coalesce(v.note, '') as level
                from legacy.customers c left join billing.vip v using (unit_key)""",
            "rules/levels.sql": "select unit_key, 'tin' as reason from billing.vip where level = 'tin' and note is null",
        }
    )
    summary = shop.run()
    assert summary.run.reason == ""
    assert shop.rows("billing", "select * from perk order by 1") == [(1, "gold"), (2, "none"), (3, "none")]


def test_macros_and_lookups_serve_every_step_and_rule(shop):
    shop.write(
        {
            "macros/text.sql": "create macro tidy(x) as upper(trim(x));\ncreate macro greet(x) as 'Hello ' || tidy(x);",
            "lookups/blocked.csv": "name\nBO\n",
            "steps/10_customer/billing.account.sql": """
                select unit_key, k.new as id, greet(name) as name from legacy.customers join keys.account k using (unit_key)""",
            "rules/10_customer/not_blocked.sql": """
                select unit_key, 'is blocked' as reason from legacy.customers
                where tidy(name) in (select name from ref.blocked)""",
        }
    )
    summary = shop.run()
    assert shop.set_aside(summary.run.id).keys() == {"2"}
    assert [name for (name,) in shop.rows("billing", "select name from account order by id")] == [
        "Hello ANN",
        "Hello CY",
    ]


def test_a_target_that_has_a_column_unit_key_gets_it(shop):
    shop.database(
        "billing", "drop table account; create table account (id integer primary key, name text, unit_key int not null)"
    )
    summary = shop.run()
    assert summary.run.reason == ""
    assert shop.rows("billing", "select name, unit_key from account order by id") == [("Ann", 1), ("Bo", 2), ("Cy", 3)]


# -- rules --------------------------------------------------------------------------------------------------------------


def test_a_warning_is_counted_by_rule_and_moves_the_unit(shop):
    shop.write(
        {
            "rules/10_customer/short_name.sql": "select unit_key, 'short' as reason from legacy.customers where length(name) < 3",
            "rules/everyone.sql": """
                select unit_key, 'here' as reason from legacy.customers
                union all select unit_key, 'twice' from legacy.customers""",
        }
    )
    job_with(shop, "rules: {10_customer/short_name: warn, everyone: warn}")
    summary = shop.run()
    assert summary.run.state is RunState.COMPLETED
    assert summary.warnings == {"rules/10_customer/short_name.sql": 2, "rules/everyone.sql": 3}


def test_a_warned_unit_that_is_then_rejected_is_not_counted_twice_when_it_is_tried_again(shop):
    shop.write(
        {
            "rules/everyone.sql": "select unit_key, 'here' as reason from legacy.customers",
            "rules/no_bo.sql": "select unit_key, 'Bo' as reason from legacy.customers where name = 'Bo'",
        }
    )
    job_with(shop, "rules: {everyone: warn}")
    summary = shop.run()
    assert summary.warnings == {"rules/everyone.sql": 2}
    (shop.job / "rules/no_bo.sql").unlink()
    shop.site.repository.chunks.retry(summary.run.id, [1])
    assert shop.go_on(summary.run.id).warnings == {"rules/everyone.sql": 3}


def test_a_rule_of_a_folder_rejects_before_later_steps_run_and_a_final_rule_after_all(shop):
    shop.write(
        {
            "rules/10_customer/no_bo.sql": "select unit_key, 'Bo is out' as reason from billing.account where name = 'Bo'",
            "rules/sums.sql": """
                select unit_key, 'sum ' || (sum(amount) > 13) as reason
                from billing.charge group by unit_key having sum(amount) > 13""",
            "steps/30_check/billing.charge.py": """
                def transform(unit):
                    assert unit.customers[0].name != "Bo", "the rule of 10_customer has run too late"
                    return ()
                """,
        }
    )
    summary = shop.run()
    found = shop.set_aside(summary.run.id)
    assert {key: (unit.step, unit.phase, unit.reason) for key, unit in found.items()} == {
        "1": ("rules/sums.sql", "rules", "sum true"),
        "2": ("rules/10_customer/no_bo.sql", "rules", "Bo is out"),
    }
    assert shop.rows("billing", "select name from account") == [("Cy",)]
    held = {line.output: (line.produced, line.written, dict(line.held)) for line in summary.outputs}
    assert held == {"billing.account": (3, 1, {"quarantined": 2}), "billing.charge": (3, 1, {"quarantined": 2})}


def test_a_rule_that_stops_ends_the_run_with_its_reason_and_the_chunk_stays_pending(shop):
    shop.write(
        {
            "rules/10_customer/no_cy.sql": """
                select unit_key, 'Cy must not be here' as reason from legacy.customers where name = 'Cy'"""
        }
    )
    job_with(shop, "rules: {no_cy: stop}")
    summary = shop.run()
    assert summary.run.state is RunState.FAILED
    assert "rules/10_customer/no_cy.sql: Cy must not be here" in summary.run.reason
    assert (summary.counters.done, summary.counters.pending) == (2, 1)
    job = (shop.job / "job.yaml").read_text().replace("no_cy: stop", "no_cy: warn")
    (shop.job / "job.yaml").write_text(job)
    assert shop.go_on(summary.run.id).run.state is RunState.COMPLETED


def test_a_rule_with_other_columns_is_refused_by_file_before_anything_moves(shop):
    shop.write({"rules/odd.sql": "select unit_key from legacy.customers"})
    with pytest.raises(ConfigError, match=r"rules/odd\.sql: .*unit_key and reason"):
        shop.run()


# -- key maps ---------------------------------------------------------------------------------------------------------------


def test_new_keys_stay_the_same_on_retry_on_restart_and_in_a_new_run(shop):
    wanting(shop, "seen", "what text, cid int, number int, uuid text")
    job_with(shop, "parameters: {round: {type: integer, default: 1}}")
    job = (shop.job / "job.yaml").read_text().replace("keys:\n", "keys:\n  order_id: {for: orders.oid}\n", 1)
    (shop.job / "job.yaml").write_text(job)
    shop.write(
        {
            "steps/30_seen/billing.seen.sql": """
                select c.unit_key, 'x' as what, c.id as cid, a.new as number, o.new as uuid from legacy.customers c
                join keys.account a using (unit_key) left join keys.order_id o using (unit_key)""",
            "rules/not_all.sql": "select unit_key, 'not now' as reason from legacy.customers where id in (1, 3)",
        }
    )
    first = shop.run(round="1")
    assert shop.rows("billing", "select cid, number, uuid from seen") == [(2, 101, None)]
    before = json.loads(json.dumps({key: unit.rows for key, unit in shop.set_aside(first.run.id).items()}))
    assert before["1"]["output"]["billing.seen"] == 2
    shop.write({"rules/not_all.sql": "select unit_key, 'not now' as reason from legacy.customers where id = 3"})
    shop.site.repository.chunks.retry(first.run.id, [0])
    shop.go_on(first.run.id)  # a retry, and a restart: 1 keeps the number of its first try
    assert shop.rows("billing", "select distinct cid, number from seen order by 1") == [(1, 100), (2, 101)]
    (shop.job / "rules/not_all.sql").unlink()
    second = shop.run(round="2")  # a new run: 3 was numbered in the first one, 1 and 2 have moved
    assert second.counters.total == 1
    assert shop.rows("billing", "select distinct cid, number from seen order by 1") == [(1, 100), (2, 101), (3, 102)]
    uuids = shop.rows("billing", "select cid, uuid from seen where uuid is not null order by 1")
    assert [cid for cid, _ in uuids] == [1, 1, 3]
    assert len({uuid for _, uuid in uuids}) == 3


def test_a_deterministic_uuid_is_named_by_job_map_and_old_key_alone(shop):
    wanting(shop, "seen", "oid int, uuid text")
    job = (shop.job / "job.yaml").read_text().replace("keys:\n", "keys:\n  order_id: {for: orders.oid}\n", 1)
    (shop.job / "job.yaml").write_text(job)
    shop.write({"steps/30_seen/billing.seen.sql": "select unit_key, old as oid, new as uuid from keys.order_id"})
    shop.run()
    first = shop.rows("billing", "select * from seen order by 1")
    shop.database("billing", "delete from charge; delete from account; delete from seen")
    shop._site = None  # another machine, with a state directory of its own
    shop.state = shop.folder / "elsewhere"
    shop.run()
    assert shop.rows("billing", "select * from seen order by 1") == first
    assert len({uuid for _, uuid in first}) == 3


def test_the_clock_of_the_run_is_pinned_at_planning_and_stays_when_the_run_goes_on(shop):
    wanting(shop, "stamp", "cid int, at text, month text")
    job_with(shop, "parameters: {month: {type: text, default: '2031-05'}}")
    shop.write(
        {
            "steps/30_stamp/billing.stamp.sql": """
                select unit_key, id as cid, getvariable('run_clock') as at, getvariable('month') as month
                from legacy.customers""",
            "rules/no_cy.sql": "select unit_key, 'Cy' as reason from legacy.customers where name = 'Cy'",
        }
    )
    summary = shop.run()
    (shop.job / "rules/no_cy.sql").unlink()
    shop.site.repository.chunks.retry(summary.run.id, [2])
    shop.go_on(summary.run.id)
    assert len(shop.rows("billing", "select cid from stamp")) == 3
    ((at, month),) = shop.rows("billing", "select distinct at, month from stamp")
    assert month == "2031-05"
    import datetime as dt

    assert dt.datetime.fromisoformat(at).replace(tzinfo=dt.UTC).timestamp() == int(summary.run.clock)


# -- what is kept of a unit that was set aside ------------------------------------------------------------------------------


def test_a_python_step_that_raises_sets_one_unit_aside_with_the_stack_of_the_users_code_and_the_source_rows(shop):
    shop.write(
        {
            "lib/phone.py": "import json\n\n\ndef parse(text):\n    return json.loads(text)\n",
            "steps/15_phone/billing.charge.py": """
                from lib.phone import parse


                def transform(unit):
                    if unit.customers[0].name == "Bo":
                        parse("{secret")
                    return []
                """,
        }
    )
    summary = shop.run()
    (found,) = shop.set_aside(summary.run.id).values()
    assert found.unit_key == "2"
    assert found.reason == "JSONDecodeError in steps/15_phone/billing.charge.py"
    assert found.message == "JSONDecodeError in steps/15_phone/billing.charge.py (unit 2)"
    lines = found.trace.splitlines()
    assert lines == [
        'steps/15_phone/billing.charge.py:7 in transform: parse("{secret")',
        "lib/phone.py:5 in parse: return json.loads(text)",
        "JSONDecodeError",
    ]
    assert json.loads(found.source_rows) == {"customers": [{"id": 2, "name": "Bo"}], "orders": []}
    assert found.job_version == summary.run.version
    assert summary.counters.done == 2


def test_units_of_a_chunk_that_fail_in_python_leave_it_together_however_many_they_are(desk, monkeypatch):
    calls: list[int] = []
    reject = UnitBatch.reject
    monkeypatch.setattr(
        UnitBatch, "reject", lambda self, faults, **more: (calls.append(len(faults)), reject(self, faults, **more))[1]
    )
    rows = ",".join(f"({number})" for number in range(400))
    desk.database("legacy", f"create table customers (id integer primary key); insert into customers values {rows};")
    desk.database("new", "create table c (id int)")
    desk.write(
        {
            "job.yaml": """
                name: all_fail
                systems: {legacy: {type: sqlite, url: "${LEGACY}"}, new: {type: sqlite, url: "${NEW}"}}
                unit: {root: legacy.customers, key: id}
                """,
            "steps/10_a/new.c.py": """
                def transform(unit):
                    raise KeyError(unit.key) if unit.key % 100 else ValueError("every hundredth")
                """,
        }
    )
    summary = desk.run()
    assert summary.counters.quarantined == 400
    assert sorted(count for _, _, count in summary.reasons) == [4, 396]
    assert [units for units in calls if units] == [400]  # every table is swept once, not once for each of them
