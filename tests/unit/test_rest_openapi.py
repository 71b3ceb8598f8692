"""Documents are held to the API's own description before anything is sent: Swagger 2, OpenAPI 3.0 and 3.1."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.targets.rest import RestTarget
from ludb.testing.calls import OUTPUT, make_call, raised

ROOT = Path(__file__).parents[2]
SWAGGER = {
    "swagger": "2.0",
    "basePath": "/crm/v4/",
    "paths": {
        "/customer": {
            "post": {"parameters": [
                {"in": "header", "name": "x", "type": "string"},
                {"in": "body", "name": "customer", "schema": {"$ref": "#/definitions/Customer"}},
            ]},
            "get": {},
        },
        "/customer/{number}": {"delete": {}, "patch": {"parameters": [{"$ref": "#/parameters/change"}]}},
    },
    "parameters": {"change": {"in": "body", "name": "c", "schema": {"type": "object"}}},
    "definitions": {
        "Customer": {
            "type": "object",
            "required": ["name", "party"],
            "properties": {
                "name": {"type": "string", "maxLength": 5},
                "balance": {"type": "number", "multipleOf": 0.01, "minimum": 0},
                "born": {"type": "string", "format": "date"},
                "state": {"type": "string", "enum": ["active", "closed"]},
                "party": {"$ref": "#/definitions/Party"},
                "characteristic": {"type": "array", "items": {"type": "object"}},
                "parties": {"type": "array", "items": {"$ref": "#/definitions/Party"}},
            },
        },
        "Party": {
            "type": "object", "required": ["id"], "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "kind": {"type": "string"}},
        },
    },
}  # fmt: skip
OPENAPI = """
openapi: {version}
servers: [{{url: "https://crm.example/crm/v4"}}]
paths:
  /customer:
    post: {{requestBody: {{$ref: "#/components/requestBodies/New"}}}}
    get: {{}}
  /customer/{{number}}:
    delete: {{}}
    patch:
      requestBody:
        content:
          application/merge-patch+json: {{schema: {{type: object}}}}
components:
  requestBodies:
    New:
      content:
        application/json: {{schema: {{$ref: "#/components/schemas/Customer"}}}}
  schemas:
    Customer:
      allOf:
        - {{$ref: "#/components/schemas/Named"}}
        - type: object
          required: [party]
          properties:
            party: {{$ref: "#/components/schemas/Party"}}
            characteristic: {{type: array, items: {{type: object}}}}
            note: {note}
    Named:
      type: object
      required: [name, id]
      properties:
        id: {{type: string, readOnly: true}}
        name: {{type: string, maxLength: 5}}
    Party:
      type: object
      required: [id]
      properties: {{id: {{type: string}}}}
"""
FILES = {
    "swagger 2": json.dumps(SWAGGER),
    "openapi 3.0": OPENAPI.format(version="3.0.3", note="{type: string, nullable: true}"),
    "openapi 3.1": OPENAPI.format(version="3.1.0", note='{type: [string, "null"]}').replace("id, readOnly", "id"),
}
GOOD = {"name": "Ada", "party": {"id": "7"}}


@pytest.fixture
def described(tmp_path):
    """Makes a target whose API is described by a text."""
    made = []

    def make(text=FILES["swagger 2"], output=OUTPUT):
        (tmp_path / "crm.api").write_text(text, encoding="utf-8")
        settings = RestTarget.Settings.model_validate({"type": "rest", "url": "http://crm", "openapi": "crm.api"})
        made.append(RestTarget("crm", settings, Surroundings(tmp_path, tmp_path), {output.name: output}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def output(**call):
    return replace(OUTPUT, call=replace(OUTPUT.call, **call))


@pytest.mark.parametrize("kind", ["swagger 2", "openapi 3.0"])
def test_a_document_that_fits_is_built_and_one_that_does_not_is_refused_by_its_places(described, kind):
    made = described(FILES[kind])
    assert json.loads(make_call(made, GOOD).request.body)["name"] == "Ada"
    said = raised(UnitError, lambda: make_call(made, {"name": "Bartholomew", "party": {"id": 4711}}))
    assert "crm.customer" in said
    assert "POST /customer" in said
    assert "$.name does not keep to maxLength: 5; $.party.id must be of type string" in said
    assert "Bartholomew" not in said
    assert "4711" not in said
    assert "$.party is missing" in raised(UnitError, lambda: make_call(made, {"name": "Ada"}))


def test_openapi_3_1_knows_several_types(described):
    made = described(FILES["openapi 3.1"].replace(", id]", "]"))
    make_call(made, {**GOOD, "note": "x"})
    assert "$.note must be of type string or null" in raised(UnitError, lambda: make_call(made, {**GOOD, "note": 1}))


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ({"state": "gone"}, "$.state must be one of active, closed"),
        ({"born": "1.2.1980"}, "$.born does not keep to format: date"),
        ({"balance": Decimal("1.005")}, "$.balance does not keep to multipleOf: 0.01"),
        ({"balance": Decimal(-1)}, "$.balance does not keep to minimum: 0"),
        ({"party": {"id": "7", "colour": 1, "size": 2}}, "$.party has members that are not known: colour, size"),
        ({"parties": [{"id": "1"}, {}]}, "$.parties[1].id is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mistake_is_told_by_place_and_rule_and_its_value_only_in_the_detail(described, member, told):
    with pytest.raises(UnitError) as refused:
        make_call(described(), {**GOOD, **member})
    assert told in str(refused.value)
    assert refused.value.detail


def test_a_decimal_is_checked_by_its_digits_and_not_by_a_float_near_it(described):
    make_call(described(), {**GOOD, "balance": Decimal("12345678901234567890.07")})


def test_a_document_with_many_mistakes_names_some_and_counts_the_others(described):
    parties = [{} for _ in range(30)]
    said = raised(UnitError, lambda: make_call(described(), {**GOOD, "parties": parties}))
    assert said.count("is missing") == 5
    assert "and 25 more" in said


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"path": "/customers"}, "crm.customer.call"),
        ({"undo": "DELETE /customer/{id}/all"}, "crm.customer.undo"),
        ({"update": "PUT /customer/{id}"}, "crm.customer.update"),
        ({"probe": "GET /customers?x={call_id}"}, "crm.customer.probe"),
    ],
    ids=["call", "undo", "update", "probe"],
)
def test_a_request_that_the_api_does_not_have_is_named_with_the_nearest_one(described, call, field):
    said = raised(ConfigError, lambda: described(output=output(**call)))
    assert field in said
    assert "/customer" in said


def test_paths_may_hold_the_base_of_the_description(described):
    described(output=output(path="/crm/v4/customer"))
    described(FILES["openapi 3.0"], output(path="/crm/v4/customer"))


@pytest.mark.parametrize("text", ["", "[1]", "{", "paths: 1", '{"paths": {}}', '{"openapi": "4.0", "paths": {}}'])
def test_a_file_that_describes_no_api_is_refused_at_its_place(described, text):
    assert "systems.crm.openapi" in raised(ConfigError, lambda: described(text))


def test_a_file_that_is_not_there_is_refused_at_its_place(tmp_path):
    settings = RestTarget.Settings.model_validate({"type": "rest", "url": "http://crm", "openapi": "none.json"})
    with pytest.raises(ConfigError, match=r"none\.json cannot be read"):
        RestTarget("crm", settings, Surroundings(tmp_path, tmp_path), {})


def found(made, **columns):
    schema = pa.schema([("ludb_position", pa.int64()), ("unit_key", pa.int64()), *columns.items()])
    return [
        (one.severity, one.text.removeprefix("crm.customer: ").partition(" (")[0])
        for one in made.compare(OUTPUT.name, schema)
    ]


@pytest.mark.parametrize("kind", ["swagger 2", "openapi 3.0"])
def test_columns_are_compared_before_any_unit_runs(described, kind):
    """What the API makes itself (`readOnly`) need not be there, nor what the marker fills; `party.id` must be."""
    party = pa.struct([("ident", pa.string())])
    told = found(described(FILES[kind]), name=pa.int32(), party=party, colour=pa.string())
    assert ("error", "$.name is integer or number, and must be string") in told
    assert ("error", "$.party.id is missing") in told
    assert ("warning", "$.colour is not known to the API") in told
    assert len([one for one in told if one[0] == "error"]) == 2


def test_columns_that_fit_are_not_complained_of(described):
    party = pa.struct([("id", pa.string())])
    assert found(described(), name=pa.string(), party=party, parties=pa.list_(party), born=pa.date32(),
                 balance=pa.decimal128(10, 2)) == []  # fmt: skip
    assert found(described(), name=pa.string()) == [("error", "$.party is missing")]


@pytest.mark.parametrize("folder", ["tmf629", "tmf638"])
def test_the_open_apis_of_the_telco_example_are_understood(described, folder):
    files = sorted((ROOT.parent / "shared" / "data" / folder).glob("*.swagger.json"))
    if not files:
        pytest.skip("NOT TESTED: the TM Forum descriptions are not beside this folder")
    name, probe = ("customer", "customer") if folder == "tmf629" else ("service", "service")
    made = described(files[0].read_text(), output(path=f"/{name}", undo=f"DELETE /{name}/{{id}}", update=f"PATCH /{name}/{{id}}",
                                                  probe=f"GET /{probe}?x={{call_id}}"))  # fmt: skip
    said = raised(UnitError, lambda: make_call(made, {"state": "active"}))
    assert "is missing" in said
