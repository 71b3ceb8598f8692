"""A job folder is read into one value: the design's own text, every form of a field, versions, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from ludb.dialects.settings import SystemSettings
from ludb.errors import ConfigError
from ludb.model.job import CallSpec, KeySpec, QuarantineLimit
from ludb.model.unit import TableRef, UniqueAcross
from ludb.project import registry
from ludb.project.folder import read_job

ROOT = Path(__file__).parents[2]
DESIGN = """\
# job.yaml: the taste; the settings models are yours to finish. The project tests this very text.
name: telco
systems:
  legacy:    {type: sqlite, url: "${LEGACY_URL}"}
  billing:   {type: sqlite, url: "${BILLING_URL}"}
  crm:       {type: rest, url: "${CRM_URL}", in_flight: 16}
  inventory: {type: rest, url: "${INVENTORY_URL}", in_flight: 16}
unit:
  root: legacy.customers
  key: customer_id
  tables:
    contracts:     {parent: customers, on: customer_id}
    subscriptions: {parent: contracts, on: contract_id}
    services:      {parent: subscriptions, on: subscription_id}
    invoices:      {parent: customers, on: customer_id}
    payments:      {parent: customers, on: customer_id, also: {invoices: invoice_id}, on_stray: reject}   # a second parent outside the unit
  reference: [legacy.tariffs]
  unique_across_units: {services.msisdn: reject_later}
keys:
  account_id: {for: customers.customer_id, kind: sequence, start: 100000}
outputs:
  billing.account:   {mode: insert}
  crm.customer:
    {call: POST /customer, row: [unit_key], marker: $.characteristic.ludbCall, undo: "DELETE /customer/{id}", returns: {crm_id: $.id},
     probe: "GET /customer?characteristic.name=ludbCall&characteristic.value={call_id}"}
  inventory.service:
    {call: POST /service, row: [service_id], marker: $.serviceCharacteristic.ludbCall, undo: "DELETE /service/{id}",
     probe: "GET /service?serviceCharacteristic.name=ludbCall&serviceCharacteristic.value={call_id}"}
settings: {chunk_units: 500, workers: 2, quarantine_limit: 5%}
"""  # noqa: E501
DESIGN_FILES = (
    "steps/10_customer/crm.customer.sql",
    "steps/10_customer/billing.account.sql",
    "steps/20_contract/billing.contract.sql",
    "steps/20_contract/inventory.service.py",
    "steps/30_transaction/billing.charge.sql",
    "rules/10_customer/has_contact.sql",
    "rules/charges_add_up.sql",
    "lookups/status_codes.csv",
    "macros/text.sql",
    "lib/phone.py",
)
URLS = {
    "LEGACY_URL": "sqlite:///legacy.db",
    "BILLING_URL": "sqlite:///billing.db",
    "CRM_URL": "http://crm/?token=hunter22",
    "INVENTORY_URL": "http://inventory",
}
SMALL = """\
name: small
systems:
  old: {type: sqlite, url: old.db}
  new: {type: sqlite, url: new.db}
unit:
  root: old.customers
  key: id
"""


class Database(SystemSettings):
    url: SecretStr


class Api(SystemSettings):
    url: SecretStr
    in_flight: int = Field(default=8, ge=1)
    headers: dict[str, SecretStr] = Field(default_factory=dict)


class Entry:
    """An entry point of a fake adapter."""

    def __init__(self, name: str, settings: type[SystemSettings]) -> None:
        self.name, self.adapter = name, type("Adapter", (), {"Settings": settings})

    def load(self) -> object:
        return self.adapter


@pytest.fixture(autouse=True)
def _adapters(monkeypatch):
    """Adapters of our own, so that these tests are about the reading of a job and nothing else."""
    known = {
        registry.SOURCES: [Entry("sqlite", Database)],
        registry.TARGETS: [Entry("sqlite", Database)],
        registry.CALL_TARGETS: [Entry("rest", Api)],
        registry.STEPS: [Entry("sql", Database), Entry("py", Database)],
    }
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group, name=None: [entry for entry in known.get(group, []) if name in (None, entry.name)],
    )


def write(folder: Path, yaml: str, *files: str, **texts: str) -> Path:
    for name, text in {"job.yaml": yaml, **dict.fromkeys(files, "x"), **texts}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def small(folder: Path, more: str = "", *files: str):
    return read_job(write(folder, SMALL + more, "steps/10_all/new.person.sql", *files), {})


def test_the_design_page_and_this_test_show_the_same_job():
    page = ROOT.parent / "shared" / "DESIGN.md"
    if page.is_file():
        assert f"```yaml\n{DESIGN}```" in page.read_text(encoding="utf-8")


def test_the_job_of_the_design_page_loads(tmp_path):
    read = read_job(write(tmp_path, DESIGN, *DESIGN_FILES), URLS)
    job = read.job
    assert (job.name, job.unit.key, job.unit.root.table) == ("telco", ("customer_id",), TableRef("legacy", "customers"))
    assert [table.name for table in job.unit.path("services")] == [
        "customers",
        "contracts",
        "subscriptions",
        "services",
    ]
    payments = job.unit.table("payments")
    assert payments.also == (("invoices", (("invoice_id", "invoice_id"),)),)
    assert payments.on_stray == "reject"
    assert job.unit.reference == (TableRef("legacy", "tariffs"),)
    assert job.unit.unique_across == (UniqueAcross("services", ("msisdn",), "reject_later"),)
    assert job.keys == (KeySpec("account_id", "customers", ("customer_id",), "sequence", 100000),)
    assert job.outputs["crm.customer"].call == CallSpec(
        method="POST",
        path="/customer",
        row=("unit_key",),
        marker="$.characteristic.ludbCall",
        undo="DELETE /customer/{id}",
        probe="GET /customer?characteristic.name=ludbCall&characteristic.value={call_id}",
        returns={"crm_id": "$.id"},
    )
    assert job.settings.quarantine_limit == QuarantineLimit(percent=5.0)
    assert job.targets == ("billing", "crm", "inventory")


def test_the_files_of_the_design_page_are_found_in_the_order_they_run(tmp_path):
    read = read_job(write(tmp_path, DESIGN, *DESIGN_FILES), URLS)
    assert [(folder.name, [step.output for step in folder.steps]) for folder in read.step_folders] == [
        ("10_customer", ["billing.account", "crm.customer"]),
        ("20_contract", ["billing.contract", "inventory.service"]),
        ("30_transaction", ["billing.charge"]),
    ]
    assert [rule.name for rule in read.step_folders[0].rules] == ["rules/10_customer/has_contact.sql"]
    assert [rule.name for rule in read.rules] == ["rules/charges_add_up.sql"]
    assert [name for _, name in read.lookups] == ["status_codes"]
    assert dict(read.macros) == {"macros/text.sql": "x"}
    assert read.files == tuple(sorted(("job.yaml", *DESIGN_FILES)))
    assert read.lib == tmp_path / "lib"


def test_outputs_without_an_entry_are_inserted(tmp_path):
    outputs = read_job(write(tmp_path, DESIGN, *DESIGN_FILES), URLS).job.outputs
    assert list(outputs) == [
        "billing.account", "crm.customer", "inventory.service", "billing.contract", "billing.charge",
    ]  # fmt: skip
    assert outputs["billing.charge"].mode == "insert"
    assert outputs["billing.charge"].call is None


def test_each_system_knows_its_roles_and_where_its_settings_came_from(tmp_path):
    systems = read_job(write(tmp_path, DESIGN, *DESIGN_FILES), URLS).systems
    assert {name: entry.roles for name, entry in systems.items()} == {
        "legacy": {registry.SOURCES},
        "billing": {registry.TARGETS},
        "crm": {registry.CALL_TARGETS},
        "inventory": {registry.CALL_TARGETS},
    }
    crm = systems["crm"].settings[registry.CALL_TARGETS]
    assert isinstance(crm, Api)
    assert (crm.url.get_secret_value(), crm.in_flight) == (URLS["CRM_URL"], 16)
    assert systems["crm"].variables == {"url": ("CRM_URL",)}


def test_a_secret_is_not_in_the_repr_of_a_job(tmp_path):
    assert "hunter22" not in repr(read_job(write(tmp_path, DESIGN, *DESIGN_FILES), URLS))


def test_variables_reach_nested_fields_and_a_literal_is_kept(tmp_path):
    yaml = SMALL.replace(
        "unit:",
        """\
  api: {type: rest, url: "http://${HOST}:${PORT}", in_flight: "${FLIGHT}", headers: {Auth: "Bearer ${TOKEN}", Raw: "$${X}"}}
unit:""",
    )
    steps = ("steps/1/api.person.sql", "steps/1/new.person.sql")
    yaml += "outputs: {api.person: {call: POST /person, row: unit_key}}\n"
    environment = {"HOST": "h", "PORT": "1", "FLIGHT": "3", "TOKEN": "abcdef"}
    entry = read_job(write(tmp_path, yaml, *steps), environment).systems["api"]
    settings = entry.settings[registry.CALL_TARGETS]
    assert isinstance(settings, Api)
    assert (settings.url.get_secret_value(), settings.in_flight) == ("http://h:1", 3)
    assert settings.headers["Auth"].get_secret_value() == "Bearer abcdef"
    assert settings.headers["Raw"].get_secret_value() == "${X}"
    assert entry.variables == {"url": ("HOST", "PORT"), "in_flight": ("FLIGHT",), "headers.Auth": ("TOKEN",)}


def test_a_variable_comes_from_the_environment_first_and_then_from_the_secrets_file(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text(
        '# mine\n\nLEGACY_URL=from file\nBILLING_URL = "b=1"\nCRM_URL=c\nINVENTORY_URL=i\n', encoding="utf-8"
    )
    folder = write(tmp_path / "job", DESIGN, *DESIGN_FILES)
    systems = read_job(folder, {"LUDB_SECRETS": str(secrets), "LEGACY_URL": "from environment"}).systems
    url = {name: next(iter(entry.settings.values())).url.get_secret_value() for name, entry in systems.items()}  # type: ignore[attr-defined]
    assert url == {"legacy": "from environment", "billing": "b=1", "crm": "c", "inventory": "i"}


def test_links_may_be_written_in_every_form_and_in_any_order(tmp_path):
    read = small(
        tmp_path,
        """\
  name: people
  types: {born: date}
  tables:
    items: {parent: orders, on: [shop, order_id], table: order_lines}
    orders: {parent: people, on: {person: id}, recursive: {previous: order_id}}
    new.notes: {parent: items, on: item_id}
    odd: {parent: people, on: id, table: new.Some.Table, types: {a: "decimal(9,2)"}, on_stray: warn, also: {orders: {o: x}}}
  unique_across_units: {items.x: reject_all, "orders.a, b": reject_later}
""",
    )
    unit = read.job.unit
    assert [table.name for table in unit.tables] == ["people", "orders", "items", "notes", "odd"]
    assert unit.root.types == (("born", "date"),)
    assert unit.table("items").on == (("shop", "shop"), ("order_id", "order_id"))
    assert unit.table("items").table == TableRef("old", "order_lines")
    assert unit.table("orders").on == (("person", "id"),)
    assert unit.table("orders").recursive == (("previous", "order_id"),)
    assert unit.table("notes").table == TableRef("new", "notes")
    assert unit.table("odd").table == TableRef("new", "Some.Table")
    assert unit.table("odd").also == (("orders", (("o", "x"),)),)
    assert unit.unique_across[1] == UniqueAcross("orders", ("a", "b"), "reject_later")
    assert read.systems["new"].roles == {registry.SOURCES, registry.TARGETS}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("5%", QuarantineLimit(percent=5.0)),
        ("2.5 %", QuarantineLimit(percent=2.5)),
        ("50", QuarantineLimit(count=50)),
        ("{percent: 1, count: 9, minimum: 20}", QuarantineLimit(count=9, percent=1.0, minimum=20)),
    ],
)
def test_a_quarantine_limit_is_a_share_or_a_count_or_both(tmp_path, text, limit):
    assert small(tmp_path, f"settings: {{quarantine_limit: {text}}}\n").job.settings.quarantine_limit == limit


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("60s", 60.0), ("5m", 300.0), ("2h", 7200.0), ("1500ms", 1.5)]
)
def test_durations_are_seconds_or_have_a_unit(tmp_path, text, seconds):
    read = small(tmp_path, f"settings: {{lease: {text}, retry: {{base: {text}, cap: 1d}}}}\n")
    assert (read.job.settings.lease, read.job.settings.retry_base, read.job.settings.retry_cap) == (
        seconds,
        seconds,
        86400,
    )


def test_the_severity_of_a_rule_is_said_by_name_and_more_exactly_by_folder(tmp_path):
    read = small(
        tmp_path,
        "rules: {same: warn, 10_all/same: stop}\n",
        "rules/10_all/same.sql",
        "rules/same.sql",
        "rules/other.sql",
    )
    assert [rule.severity for rule in read.step_folders[0].rules] == ["stop"]
    assert {rule.name: rule.severity for rule in read.rules} == {"rules/other.sql": "reject", "rules/same.sql": "warn"}


def test_hidden_files_and_caches_are_not_part_of_a_job(tmp_path):
    read = small(
        tmp_path, "", "steps/10_all/.swp", "steps/10_all/__pycache__/a.pyc", "lib/__pycache__/b.pyc", "README.md"
    )
    assert read.files == ("job.yaml", "steps/10_all/new.person.sql")


def test_one_output_may_be_filled_in_two_folders(tmp_path):
    read = small(tmp_path, "", "steps/20_more/new.person.sql")
    assert [step.name for folder in read.step_folders for step in folder.steps] == [
        "steps/10_all/new.person.sql",
        "steps/20_more/new.person.sql",
    ]
    assert list(read.job.outputs) == ["new.person"]


def test_the_version_follows_the_content_and_not_the_place(tmp_path):
    first = small(tmp_path / "a", "", "lib/x.py").job.version
    assert small(tmp_path / "b", "", "lib/x.py").job.version == first
    assert len(first) == 16
    (tmp_path / "b" / "lib" / "x.py").write_text("y", encoding="utf-8")
    assert read_job(tmp_path / "b", {}).job.version != first
    (tmp_path / "a" / "lib" / "x.py").rename(tmp_path / "a" / "lib" / "z.py")
    assert read_job(tmp_path / "a", {}).job.version != first


def test_steps_and_settings_may_change_in_a_started_run_but_unit_keys_and_systems_are_pinned(tmp_path):
    one = small(tmp_path / "a").job
    steps = small(tmp_path / "b", "settings: {workers: 7}\n", "steps/20/new.other.sql").job
    assert steps.pinned == one.pinned
    assert steps.version != one.version
    for number, more in enumerate(("  reference: [old.codes]\n", "keys: {k: {for: customers.id}}\n")):
        assert small(tmp_path / f"c{number}", more).job.pinned != one.pinned
    other = write(tmp_path / "d", SMALL.replace("url: new.db", "url: newer.db"), "steps/10_all/new.person.sql")
    assert read_job(other, {}).job.pinned != one.pinned


def test_a_secret_may_be_changed_without_changing_the_job(tmp_path):
    folder = write(tmp_path, DESIGN, *DESIGN_FILES)
    one, two = read_job(folder, URLS).job, read_job(folder, {**URLS, "CRM_URL": "http://other"}).job
    assert (one.version, one.pinned) == (two.version, two.pinned)


def test_a_key_map_is_of_uuids_unless_it_says_sequence(tmp_path):
    keys = small(
        tmp_path, "keys: {a: {for: customers.id}, b: {for: [customers.x, customers.y], kind: sequence}}\n"
    ).job.keys
    assert keys == (KeySpec("a", "customers", ("id",), "uuid"), KeySpec("b", "customers", ("x", "y"), "sequence", 1))


def test_a_folder_without_a_job_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no job\.yaml") as caught:
        read_job(tmp_path, {})
    assert caught.value.remedy
