"""Every exit code, produced for real: scripts branch on them (docs/reference/cli.md)."""

from __future__ import annotations

import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

CLI = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
CRM = """
    name: shop
    systems:
      legacy: {type: sqlite, url: "${LEGACY_URL}"}
      crm:    {type: rest, url: "${CRM_URL}", max_delay: 100ms}
    unit: {root: legacy.customers, key: id}
    outputs:
      crm.customer: {call: POST /customer, row: [unit_key]}
    settings: {chunk_units: 4, workers: 1}
"""
CUSTOMER = """
    select unit_key, name, {'id': 'legacy-' || id, '@referredType': 'Individual'} as "engagedParty" from legacy.customers
"""


def test_the_page_lists_these_codes_and_no_others():
    page = CLI.read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "6", "130"]


def test_0_all_units_moved_and_3_some_were_set_aside_then_0_once_they_are_mended(shop):
    shop.write({"rules/no_five.sql": "select unit_key, 'no fives' as reason from legacy.customers where id = 5"})
    assert shop.ludb("run", "job").code == 3
    assert shop.rows("billing", "select count(*) from account") == [(7,)]
    (shop.job / "rules/no_five.sql").unlink()
    said = shop.ludb("quarantine", "retry", "--job", "job", "--unit", "5", "--json")
    assert said.code == 0, said.err
    assert said.json["counters"]["done"] == 8
    assert shop.rows("billing", "select name from account where name = 'c5'") == [("c5",)]


def test_a_retry_with_a_broken_job_leaves_the_units_set_aside(shop):
    shop.write({"rules/no_five.sql": "select unit_key, 'no fives' as reason from legacy.customers where id = 5"})
    assert shop.ludb("run", "job").code == 3
    shop.write({"rules/no_five.sql": "selec nothing"})
    said = shop.ludb("quarantine", "retry", "--job", "job", "--all")
    assert said.code == 2
    assert "rules/no_five.sql:1:1" in said.err
    assert [one.unit_key for one in shop.site.repository.views.exceptions(shop.site.repository.views.runs()[0].id)] == [
        "5"
    ]


def test_0_a_look_at_the_systems_with_warnings_and_2_with_errors(shop):
    billing = shop.environment["BILLING_URL"]
    with closing(sqlite3.connect(billing)) as connection, connection:
        connection.execute("insert into account (id, name) values (99, 'somebody')")
    said = shop.ludb("check", "job", "--connect", "--json")
    assert (said.code, said.json["ok"]) == (0, True), said.out + said.err
    assert [(one["severity"], one["system"], one["table"]) for one in said.json["findings"]] == [
        ("warning", "billing", "account")
    ]
    with closing(sqlite3.connect(billing)) as connection, connection:
        connection.execute("drop table account")
    said = shop.ludb("check", "job", "--connect")
    assert said.code == 2
    assert "error billing.account: system billing has no table 'account'" in said.out
    assert shop.ludb("check", "job").code == 0, "the text alone is right"


def test_1_a_rule_that_stops_the_run_fails_it_with_its_reason_and_the_command_to_go_on(shop):
    shop.change("job.yaml", "settings:", "rules: {nobody: stop}\nsettings:")
    shop.write({"rules/nobody.sql": "select unit_key, 'the export is of yesterday' as reason from legacy.customers"})
    said = shop.ludb("run", "job")
    assert said.code == 1
    assert "the export is of yesterday" in said.out
    assert "go on with it: ludb run job" in said.out
    assert shop.rows("billing", "select count(*) from account") == [(0,)]


def test_2_a_job_that_is_wrong_does_not_start(shop):
    shop.change("steps/10_customer/billing.account.sql", "name", "nmae")
    said = shop.ludb("run", "job", "--json")
    assert said.code == 2
    assert said.json["file"] == "steps/10_customer/billing.account.sql"
    assert (said.json["line"], said.json["column"]) == (2, 31)
    assert "nmae" in said.json["message"]
    assert shop.site.repository.views.runs() == []


def test_4_a_run_that_is_terminated_stops_gracefully(shop):
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    process.send_signal(signal.SIGTERM)
    shop.until(lambda: shop.site.repository.views.runs()[0].state == "stopping", "the run is stopping")
    shop.gate.touch()
    said = shop.said(process)
    assert said.code == 4, said.err
    assert "stopping after the chunks in flight" in said.err
    assert "2 moved, 0 quarantined, 6 pending" in said.out
    assert "go on with it: ludb run job" in said.out


def test_5_a_call_that_nobody_can_tell_about_leaves_its_unit_in_doubt(shop, simulator):
    crm = simulator("crm")
    crm.behave(next=["ok", "500_after"])
    shop.environment["CRM_URL"] = crm.url
    for step in (
        "steps/10_customer/billing.account.sql",
        "steps/20_order/billing.charge.sql",
        "steps/30_visit/billing.visit.py",
    ):
        (shop.job / step).unlink()
    shop.write({"job.yaml": CRM, "steps/10_customer/crm.customer.sql": CUSTOMER})
    said = shop.ludb("run", "job")
    assert said.code == 5, said.err
    assert "7 moved, 0 quarantined, 1 in doubt, 0 pending" in said.out
    assert "nobody can tell what became of the call" in said.out
    assert crm.count() == 8  # the eighth is there, and that is why nobody may send it again
    told = shop.ludb("quarantine", "list", "--job", "job", "--json").json
    assert [one["state"] for one in told] == ["in_doubt"]
    (doubtful,) = (one["unit"] for one in told)
    refused = shop.ludb("quarantine", "retry", "--job", "job", "--unit", doubtful)
    assert (refused.code, f"not quarantined: {doubtful} (it is in doubt)" in refused.err) == (2, True)
