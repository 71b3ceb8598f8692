"""The demo's steps and rules, run over a whole generated estate without the engine."""

from __future__ import annotations

import decimal
import json
import os
import re
import sqlite3
import sys
import uuid
from collections import Counter, defaultdict
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.csv
import pytest

from ludb.errors import Fault
from ludb.model.data import Extract
from ludb.model.unit import POSITION, TableRef, UnitSchema, UnitTable
from ludb.steps.python import PythonStep
from ludb.steps.sql import SqlStep
from ludb.unitdb.batch import UnitBatch
from ludb.unitdb.database import UnitDatabase

ROOT = Path(__file__).parents[2]
TELCO = ROOT / "examples" / "telco"
JOB = TELCO / "job"
LINKS = {
    "addresses": ("customers", "customer_id"),
    "contacts": ("customers", "customer_id"),
    "contracts": ("customers", "customer_id"),
    "subscriptions": ("contracts", "contract_id"),
    "services": ("subscriptions", "subscription_id"),
    "usage_records": ("services", "service_id"),
    "invoices": ("customers", "customer_id"),
    "invoice_lines": ("invoices", "invoice_id"),
    "payments": ("customers", "customer_id"),
}
KEYS = {"contracts": "contract_id", "subscriptions": "subscription_id"}


@pytest.fixture(scope="module")
def telco():
    """The example's modules, importable while this module's tests run."""
    sys.path.insert(0, str(TELCO))
    import expect
    import generate
    from tmf import rules

    yield {"generate": generate.generate, "expect": expect, "rules": rules}
    sys.path.remove(str(TELCO))


class Journey:
    """The estate's way through the job by hand: `rejected` maps customer to reason, `outputs` hold what is left."""

    def __init__(self, folder: Path, truth: dict, check) -> None:
        self.truth, self.check = truth, check
        self.rejected: dict[int, str] = {}
        self.source = sqlite3.connect(folder / "legacy.sqlite")
        self.billing = sqlite3.connect(folder / "billing.sqlite")
        self.read()
        self.run()

    def read(self) -> None:
        keys = [key for (key,) in self.source.execute("SELECT customer_id FROM customers ORDER BY customer_id")]
        self.position = {key: at for at, key in enumerate(keys)}
        self.tables = {"customers": self.table("customers", "customer_id", self.position)}
        owners = {"customers": dict(self.position)}
        for child, (parent, column) in LINKS.items():
            self.tables[child] = self.table(child, column, owners[parent])
            first = self.tables[child].column_names[1]
            rows = self.tables[child]
            owners[child] = dict(zip(rows[first].to_pylist(), rows[POSITION].to_pylist(), strict=True))
        self.owners, self.keys = owners, keys

    def table(self, name: str, link: str, owner: dict) -> pa.Table:
        """Rows of units with their position, typed as the declared types say; a wrong type rejects the unit."""
        declared = [(row[1], row[2]) for row in self.source.execute(f"PRAGMA table_info({name})")]
        at = [column for column, _ in declared].index(link) if link else 0
        rows = [r for r in self.source.execute(f"SELECT * FROM {name} ORDER BY 1") if not link or r[at] in owner]
        columns: dict[str, pa.Array] = {}
        positions = [owner[row[at]] for row in rows] if link else []
        for index, (column, kind) in enumerate(declared):
            values = [row[index] for row in rows]
            if kind == "INTEGER":
                for row, value in enumerate(values):
                    if isinstance(value, str):
                        self.reject(positions[row], f"text in {name}.{column}, which is INTEGER")
                        values[row] = None
                columns[column] = pa.array(values, pa.int64())
            elif kind.startswith("DECIMAL"):
                exact = [
                    None if v is None else decimal.Decimal(str(v)).quantize(decimal.Decimal("0.01")) for v in values
                ]
                columns[column] = pa.array(exact, pa.decimal128(12, 2))
            else:
                columns[column] = pa.array(values, pa.string())
        return pa.table({POSITION: pa.array(positions, pa.int64()), **columns} if link else columns)

    def reject(self, position: int, reason: str) -> None:
        key = self.keys[position] if hasattr(self, "keys") else list(self.position)[position]
        self.rejected.setdefault(key, reason)

    def before_steps(self) -> dict[int, Fault]:
        """What planning and assembly refuse: strays and mobile numbers that somebody before them in the list holds."""
        payments = self.tables["payments"]
        for at, invoice in zip(payments[POSITION].to_pylist(), payments["invoice_id"].to_pylist(), strict=True):
            if invoice is not None and self.owners["invoices"].get(invoice) != at:
                self.reject(at, "payments.invoice_id points to a row of invoices outside the unit")
        holders: dict[str, int] = {}
        services = self.tables["services"]
        pairs = zip(services[POSITION].to_pylist(), services["msisdn"].to_pylist(), strict=True)
        for at, number in sorted(pairs, key=lambda pair: pair[0]):
            if number is not None and holders.setdefault(number, at) != at:
                self.reject(at, "services.msisdn is also held by another unit")
        return {self.position[key]: Fault(reason) for key, reason in self.rejected.items()}

    def run(self) -> None:
        schema = UnitSchema(
            key=("customer_id",),
            tables=(
                UnitTable("customers", TableRef("legacy", "customers")),
                *(UnitTable(n, TableRef("legacy", n), p, ((c, c),)) for n, (p, c) in LINKS.items()),
            ),
        )
        frame = {POSITION: pa.array(range(len(self.keys)), pa.int64()), "customer_id": pa.array(self.keys, pa.int64())}
        reference = {"tariffs": self.table("tariffs", "", {})}
        reference |= {file.stem: pyarrow.csv.read_csv(file) for file in sorted((JOB / "lookups").glob("*.csv"))}
        macros = {file.name: file.read_text() for file in sorted((JOB / "macros").glob("*.sql"))}
        with UnitBatch(Extract(pa.table(frame), self.tables), schema, reference=reference, macros=macros) as batch:
            batch.reject(self.before_steps(), step="assemble")
            self.allocate(batch)
            for folder in sorted((JOB / "steps").iterdir()):
                self.folder(batch, folder)
            self.rules(batch, sorted((JOB / "rules").glob("*.sql")))
            self.services = batch.output("inventory.service")
            self.refused(batch, "inventory.service", self.check.SERVICE)
            self.constraints(batch)
            self.outputs = {name: batch.output(name) for name in batch.outputs}

    def allocate(self, batch: UnitBatch) -> None:
        at = pa.array(batch.alive, pa.int64())
        keys = pa.array([self.keys[position] for position in batch.alive], pa.int64())
        new = pa.array(range(100_000, 100_000 + len(keys)), pa.int64())
        batch.put_keys("account_id", pa.table({POSITION: at, "old": keys, "new": new}))
        for table, column in KEYS.items():
            rows = self.tables[table]
            made = pa.array([str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table}{old}")) for old in rows[column].to_pylist()])
            batch.put_keys(column, pa.table({POSITION: rows[POSITION], "old": rows[column], "new": made}))

    def folder(self, batch: UnitBatch, folder: Path) -> None:
        for file in sorted(folder.iterdir()):
            name = file.relative_to(JOB).as_posix()
            if file.suffix == ".sql":
                SqlStep(name, file.stem, file).run(batch)
            elif file.suffix == ".py":
                PythonStep(name, file.stem, file, JOB).run(batch)
                for position, (_, fault, _) in list(batch.faults.items()):
                    self.reject(position, fault.reason)
        self.rules(batch, sorted((JOB / "rules" / folder.name).glob("*.sql")))
        if folder.name == "10_customer":
            self.customers = self.refused(batch, "crm.customer", self.check.CUSTOMER)
            made = {POSITION: pa.array(batch.alive, pa.int64())}
            keys = [self.keys[position] for position in batch.alive]
            made |= {"old": pa.array(keys, pa.int64()), "new": pa.array([f"crm-{key}" for key in keys])}
            batch.put_keys("crm_id", pa.table(made))

    def rules(self, batch: UnitBatch, files: list[Path]) -> None:
        for file in files:
            rows = batch.query(file.read_text(), file=file.name)
            assert rows.column_names == ["unit_key", "reason"]
            positions = batch.positions_of(rows.column("unit_key"), file.name).to_pylist()
            faults = dict(zip(positions, map(Fault, rows.column("reason").to_pylist()), strict=True))
            assert len(faults) == rows.num_rows, f"{file.name} names a unit twice"
            if file.stem == "has_contract":  # `warn` in job.yaml
                self.warned = {self.keys[position] for position in faults}
                continue
            for position, fault in faults.items():
                self.reject(position, fault.reason)
            batch.reject(faults, step=file.name)

    def refused(self, batch: UnitBatch, output: str, kind) -> list[dict]:
        """What the simulator's validation says of every document; returns those it takes."""
        rows = batch.output(output)
        taken, faults = [], {}
        for row in rows.to_pylist():
            position, document = row.pop(POSITION), without_nulls(row)
            wrong = self.check.mistakes(kind, document)
            if wrong:
                faults[position] = Fault(f"{output}: 400 {wrong[0]}")
                self.reject(position, faults[position].reason)
            else:
                taken.append(document)
        batch.reject(faults, step=output)
        return taken

    def constraints(self, batch: UnitBatch) -> None:
        """Write unit by unit into the billing database, as bisecting would find the bad ones."""
        self.billing.execute("PRAGMA foreign_keys = ON")
        order = ["account", "address", "contract", "subscription", "charge", "payment", "usage_summary"]
        by_unit = defaultdict(list)
        for table in order:
            rows = batch.output(f"billing.{table}")
            names = [name for name in rows.column_names if name != POSITION]
            sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            for row in rows.to_pylist():
                by_unit[row.pop(POSITION)].append((sql, [plain(value) for value in row.values()]))
        faults = {}
        for position, statements in by_unit.items():
            self.billing.execute("BEGIN")
            try:
                for sql, values in statements:
                    self.billing.execute(sql, values)
            except sqlite3.IntegrityError as error:
                self.billing.execute("ROLLBACK")
                faults[position] = Fault(f"billing: {error}")
                self.reject(position, faults[position].reason)
            else:
                self.billing.execute("COMMIT")
        batch.reject(faults, step="billing")


def plain(value):
    return (
        str(value)
        if isinstance(value, decimal.Decimal)
        else value.isoformat()
        if hasattr(value, "isoformat")
        else value
    )


def without_nulls(value):
    """A document as it is sent: what is NULL is not there."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def journey(tmp_path_factory, telco):
    folder = tmp_path_factory.mktemp("telco")
    truth = telco["generate"](folder, customers=600, seed=7, dirt_per_kind=2)
    done = Journey(folder, truth, telco["rules"])
    yield done
    done.source.close()
    done.billing.close()


def test_the_job_sets_aside_exactly_the_units_that_the_generator_spoilt_each_for_its_reason(journey, telco):
    actual = [(str(key), reason) for key, reason in journey.rejected.items()]
    assert telco["expect"].compare(journey.truth, actual) == []
    assert Counter(entry["reason"] for entry in journey.truth["quarantined"].values()) == dict.fromkeys(
        telco["expect"].REASONS, 2
    ), "every kind of defect must be in the estate"


def test_every_output_holds_as_many_rows_as_the_truth_says(journey):
    assert {name: rows.num_rows for name, rows in journey.outputs.items()} == journey.truth["outputs"]


def test_every_cent_of_the_moved_customers_arrives(journey):
    for name, cents in journey.truth["cents"].items():
        output, column = name.rsplit(".", 1)
        assert sum(journey.outputs[output][column].to_pylist()) * 100 == cents, name


def test_dates_in_two_formats_arrive_as_dates_and_unknown_ones_as_null(journey):
    arrived = dict(journey.billing.execute("SELECT legacy_id, opened_on FROM account"))
    forms = Counter()
    for key, text in journey.source.execute("SELECT customer_id, created_on FROM customers"):
        if key in arrived:
            day, dot = (
                re.fullmatch(r"(\d{4}-\d\d-\d\d)", text or ""),
                re.fullmatch(r"(\d\d)\.(\d\d)\.(\d{4})", text or ""),
            )
            assert arrived[key] == (day[1] if day else f"{dot[3]}-{dot[2]}-{dot[1]}")
            forms["iso" if day else "dotted"] += 1
    assert min(forms.values()) > 100
    born = dict(journey.billing.execute("SELECT legacy_id, born_on FROM account"))
    unknown = "SELECT customer_id, born_on FROM customers WHERE coalesce(born_on, '') IN ('', '0000-00-00')"
    blanks = {key: text for key, text in journey.source.execute(unknown) if key in born}
    assert {born[key] for key in blanks} == {None}
    assert set(blanks.values()) == {None, "", "0000-00-00"}


def test_mojibake_is_repaired_and_a_portuguese_name_is_left_alone(journey):
    broken = "SELECT customer_id FROM customers WHERE last_name LIKE '%Ã%' OR company_name LIKE '%Ã%'"
    arrived = dict(journey.billing.execute("SELECT legacy_id, name FROM account"))
    mended = {arrived[key] for (key,) in journey.source.execute(broken) if key in arrived}
    assert any("JOÃO" in name for name in arrived.values())
    assert len(mended) > 10
    assert not [name for name in arrived.values() if "Ã" in name.replace("JOÃO", "")]
    assert not [name for name in arrived.values() if name != name.strip()]


def test_customers_without_contracts_move_with_a_warning(journey):
    empty = "SELECT customer_id FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM contracts)"
    keys = {key for (key,) in journey.source.execute(empty)} - set(journey.rejected)
    assert len(keys) > 5
    assert keys <= journey.warned
    assert keys <= {key for (key,) in journey.billing.execute("SELECT legacy_id FROM account")}


def test_a_document_for_the_inventory_names_the_customer_by_its_crm_id_and_numbers_in_one_form(journey):
    documents = [without_nulls(row) for row in journey.outputs["inventory.service"].to_pylist()]
    for document in documents:
        assert re.fullmatch(r"crm-\d+", document["relatedParty"][0]["id"])
        values = {one["name"]: one["value"] for one in document["serviceCharacteristic"]}
        if document["serviceSpecification"]["id"] == "CFS-MOBILE-01":
            assert re.fullmatch(r"\+491\d{9}", values["msisdn"])
            assert luhn_holds(values["iccid"])
        else:
            assert values["ontSerial"].startswith("HWTC")


def test_a_document_for_the_crm_has_phone_numbers_in_one_form(journey):
    media = [one for row in journey.outputs["crm.customer"]["contactMedium"].to_pylist() for one in row]
    numbers = [one["characteristic"]["phoneNumber"] for one in media if one["mediumType"] == "phone"]
    assert len(numbers) > 100
    assert not [number for number in numbers if not re.fullmatch(r"\+4940\d{7}", number)]


def luhn_holds(digits: str) -> bool:
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def test_comparing_names_missing_wrong_and_needless_rejects(telco):
    truth = {"quarantined": {"1": {"reason": "no_contact"}, "2": {"reason": "nameless"}}}
    compare = telco["expect"].compare
    assert compare(truth, [("1", "the customer has no contact"), ("2", "crm.customer refused with status 400")]) == []
    wrong = compare(truth, [("1", "a date cannot be read: x"), ("3", "the customer has no contact")])
    assert [line.split(",")[0] for line in wrong] == [
        "customer 1 is set aside for another reason than no_contact: a date cannot be read: x",
        "customer 3 is set aside",
        "customer 2 moved",
    ]


def test_every_reason_code_has_a_pattern_that_matches_no_other_kind(telco, journey):
    for reason in set(journey.rejected.values()):
        assert telco["expect"].code_of(reason) is not None, json.dumps(reason)


def specification(folder: str) -> dict:
    """The published API, where the repository stands beside `shared/`; in CI it must."""
    files = sorted((ROOT.parent / "shared" / "data" / folder).glob("*.swagger.json"))
    if not files:
        missing = f"TM Forum specification {folder} is not beside the repository: payloads are not checked against it"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return json.loads(files[0].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("folder", "definition", "output"),
    [("tmf629", "Customer_Create", "crm.customer"), ("tmf638", "Service_Create", "inventory.service")],
)
def test_our_documents_are_what_the_published_api_asks_for(journey, folder, definition, output):
    definitions = specification(folder)["definitions"]
    dates = jsonschema.FormatChecker(formats=())
    dates.checks("date-time")(
        lambda value: bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value))
    )
    schema = {"$ref": f"#/definitions/{definition}", "definitions": definitions}
    validator = jsonschema.Draft4Validator(schema, format_checker=dates)
    assert list(validator.iter_errors({})), "an empty document must not pass, or this test checks nothing"
    rows = journey.outputs[output].drop_columns([POSITION]).to_pylist()
    for document in map(without_nulls, rows[::7]):
        assert [error.message for error in validator.iter_errors(document)] == []
        document.pop("service_id", None)  # `row:` tells a unit's calls apart and is not sent
        assert document.keys() <= definitions[definition]["properties"].keys()


def test_every_letter_that_the_generator_breaks_the_macro_mends(telco):
    from legacy.names import REPAIRABLE, mojibake

    with UnitDatabase() as database:
        database.execute((JOB / "macros" / "text.sql").read_text(encoding="utf-8"))
        for letter in REPAIRABLE:
            assert mojibake(letter) != letter
            assert database.query(f"SELECT repair_text('x{mojibake(letter)}')")[0].to_pylist() == [f"x{letter}"]
