"""Editors get a schema that accepts what the reader accepts, and marks what it refuses; the reference names every field."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from ruamel.yaml import YAML

from ludb.errors import ConfigError
from ludb.project import registry, settings
from ludb.project.schema import job_schema

ROOT = Path(__file__).parents[2]
JOB = """\
name: telco
systems:
  legacy:  {type: sqlite, url: "${LEGACY_URL}", busy_timeout: "${TIMEOUT}"}
  billing: {type: sqlite, url: "${BILLING_URL}"}
  crm:     {type: rest, url: "${CRM_URL}", in_flight: 16, headers: {Authorization: "Bearer ${TOKEN}"}, timeout: 5s}
unit:
  root: legacy.customers
  key: [country, customer_id]
  tables:
    contracts: {parent: customers, on: [country, customer_id]}
    payments:  {parent: customers, on: {payer: customer_id}, also: {contracts: contract_id}, on_stray: reject, recursive: {a: b}}
  reference: [legacy.tariffs]
  unique_across_units: {contracts.msisdn: reject_later}
keys:
  account_id: {for: customers.customer_id, kind: sequence, start: 100000}
outputs:
  billing.account: {mode: insert}
  crm.customer:
    {call: POST /customer, row: [unit_key], marker: $.x, undo: "DELETE /customer/{id}", returns: {crm_id: $.id},
     idempotent: {ttl: 24h}, settle: 2s}
rules: {has_contact: warn}
lookups: {codes: {types: {rank: integer}}}
parameters: {day: {type: date, default: "2024-01-01", identifying: false}}
settings: {chunk_units: 500, workers: 2, quarantine_limit: 5%, lease: 60s, memory_limit: 2GB, retry: {base: 1, cap: 5m}}
"""


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(job_schema())


def complaints(text: str, schema: Draft202012Validator | None = None) -> list[str]:
    data = YAML(typ="safe", pure=True).load(text)
    return [error.json_path for error in (schema or validator()).iter_errors(data)]


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(job_schema())


def test_the_schema_accepts_a_job_that_uses_every_form():
    assert complaints(JOB) == []


def test_the_schema_accepts_the_job_of_the_design_page():
    page = ROOT.parent / "shared" / "DESIGN.md"
    text = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0] if page.is_file() else JOB
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("workers: 2", "worker: 2", "$.settings"),
        ("workers: 2", "workers: 0", "$.settings.workers"),
        ("quarantine_limit: 5%", "quarantine_limit: few", "$.settings.quarantine_limit"),
        ("lease: 60s", "lease: soon", "$.settings.lease"),
        ("name: telco", "name: 1", "$.name"),
        ("type: rest", "type: rset", "$.systems.crm"),
        ("in_flight: 16", "inflight: 16", "$.systems.crm"),
        ("in_flight: 16", "in_flight: many", "$.systems.crm"),
        ("  key: [country, customer_id]\n", "", "$.unit"),
        ("kind: sequence", "kind: sequens", "$.keys.account_id.kind"),
        ("on_stray: reject", "on_stray: drop", "$.unit.tables.payments.on_stray"),
        ("on: {payer: customer_id}", "on: 3", "$.unit.tables.payments.on"),
        ("has_contact: warn", "has_contact: wran", "$.rules.has_contact"),
        ("call: POST /customer", "call: customer", "$.outputs['crm.customer'].call"),
        ("  legacy:  {", "  le.gacy:  {", "$.systems"),
    ],
)
def test_the_schema_marks_what_the_reader_refuses(old, new, path):
    assert JOB.count(old) == 1
    assert path in complaints(JOB.replace(old, new))


def test_a_type_whose_package_is_missing_is_not_marked_wrong(monkeypatch):
    real = registry.adapter

    def adapter(group, name):
        if name == "rest":
            raise ConfigError("not installed")
        return real(group, name)

    monkeypatch.setattr(registry, "adapter", adapter)
    assert complaints(JOB.replace("in_flight: 16", "anything: 16"), Draft202012Validator(job_schema())) == []


def test_every_field_of_the_schema_has_a_description():
    for model in MODELS:
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


MODELS = [
    model
    for model in vars(settings).values()
    if isinstance(model, type) and issubclass(model, settings.Entry) and model is not settings.Entry
]


def fields(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_reference_page_explains_every_field(model: Any):
    page = (ROOT / "docs" / "reference" / "job.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE))
    assert set(fields(model)) <= explained


def test_the_reference_page_shows_a_job_that_the_schema_accepts():
    page = (ROOT / "docs" / "reference" / "job.md").read_text(encoding="utf-8")
    assert complaints(page.split("```yaml\n")[1].split("```")[0]) == []
