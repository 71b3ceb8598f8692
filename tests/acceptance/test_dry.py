"""Commands that promise to write nothing write nothing: everything is compared before and after."""

from __future__ import annotations

import hashlib
from pathlib import Path

ACCOUNT = """
    select c.unit_key, k.new as id, name from legacy.customers c join keys.account k using (unit_key)
    join keys.crm_id crm using (unit_key)
"""
CUSTOMER = """
    select unit_key, name, {'id': 'legacy-' || id, '@referredType': 'Individual'} as "engagedParty" from legacy.customers
"""
OUTPUTS = """
    outputs:
      crm.customer: {call: POST /customer, row: [unit_key], undo: "DELETE /customer/{id}", returns: {crm_id: $.id}}
"""


def print_of(folder: Path) -> dict[str, str]:
    """Every file with a hash of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def with_crm(shop, crm) -> None:
    shop.environment["CRM_URL"] = crm.url
    shop.change(
        "job.yaml", "    unit:".strip(), 'crm: {type: rest, url: "${CRM_URL}"}\nunit:'.replace("crm", "  crm", 1)
    )
    text = (shop.job / "job.yaml").read_text() + "\n".join(line[4:] for line in OUTPUTS.splitlines())
    (shop.job / "job.yaml").write_text(text)
    shop.write({"steps/05_crm/crm.customer.sql": CUSTOMER, "steps/10_customer/billing.account.sql": ACCOUNT})


def test_a_plan_writes_nothing_but_its_own_state_directory(shop, simulator):
    with_crm(shop, simulator("crm"))
    before = print_of(shop.folder)
    said = shop.ludb("plan", "job")
    assert said.code == 0, said.err
    for part in ("8 units in 4 chunks of 2", "nothing was moved", "customers", "name (TEXT: string)"):
        assert part in said.out
    after = print_of(shop.folder)
    made = {name for name in after if after[name] != before.get(name)}
    assert {name.split("/")[1] for name in made} == {".ludb"}
    assert {name for name in made if "repository.sqlite" not in name} == set()
    assert shop.site.repository.views.runs() == []


def test_a_trial_before_the_first_run_shows_the_calls_and_makes_nothing_at_all(shop, simulator):
    crm = simulator("crm")
    with_crm(shop, crm)
    crm.stop()  # a step is written while the API is away
    before = print_of(shop.folder)
    said = shop.ludb("unit", "3", "--try", "--job", "job")
    assert said.code == 0, said.err
    for part in (
        "output billing.account  1 row",
        "id=100, name=c3",
        "call crm.customer  POST /customer",
        "the unit would move if billing and crm will have it (not asked); nothing was written",
    ):
        assert part in said.out
    assert print_of(shop.folder) == before
    crm.start()


def test_a_trial_after_a_run_takes_the_job_as_it_is_now_and_keeps_the_keys_of_the_unit(moved):
    moved.site.repository.close()
    moved._site = None
    before = print_of(moved.folder)
    told = moved.ludb("unit", "5", "--try", "--job", "job", "--json").json
    assert told["outputs"]["billing.account"] == [{"id": 104, "name": "c5"}]
    assert told["verdict"]["reason"] == "an order is negative"
    rule = (moved.job / "rules/no_negative.sql").read_text()
    moved.write({"rules/no_negative.sql": rule.replace("< 0", "< -5")})
    said = moved.ludb("unit", "5", "--try", "--job", "job")
    assert "the unit would move if billing will have it (not asked); nothing was written" in said.out
    moved.write({"rules/no_negative.sql": rule})
    assert print_of(moved.folder) == before


def test_a_trial_of_a_unit_that_would_be_set_aside_ends_with_3_and_shows_no_output_that_was_never_made(shop):
    shop.write({"rules/10_customer/bad.sql": "select unit_key, 'no' as reason from legacy.customers where id = 3"})
    said = shop.ludb("unit", "3", "--try", "--job", "job")
    assert said.code == 3, said.err
    assert "output billing.account  1 row" in said.out
    assert "output billing.charge" not in said.out
    assert "not reached: steps/20_order/billing.charge.sql, steps/30_visit/billing.visit.py" in said.out
    assert "the unit would be set aside: rules/10_customer/bad.sql: no (unit 3)" in said.out
    shop.write(
        {"steps/20_order/billing.charge.py": "def transform(unit):\n    raise ValueError(unit.customers[0].id)\n"}
    )
    (shop.job / "steps/20_order/billing.charge.sql").unlink()
    made = shop.ludb("unit", "4", "--try", "--job", "job", "--json")
    assert (made.code, list(made.json["outputs"])) == (3, ["billing.account"])
    assert made.json["unreached"] == ["steps/30_visit/billing.visit.py"]
