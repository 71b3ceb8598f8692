"""A job drafted from an API's description is read and bound as it stands, and says what is to be filled in."""

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from ludb.cli.app import app
from ludb.errors import ConfigError
from ludb.project.folder import read_job
from ludb.service.scaffold import make_for_api

ROOT = Path(__file__).parents[2]
OPENAPI = """
openapi: 3.0.3
paths:
  /v1/customers:
    get: {}
    post:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [name, "o'clock", address, born, id]
              properties:
                id: {type: string, readOnly: true}
                name: {type: string, description: "What she is\\n called"}
                "o'clock": {type: object, required: ["it's"], properties: {"it's": {type: integer}}}
                address: {type: array, items: {type: object, required: [city], properties: {city: {type: string}}}}
                born: {type: string, format: date}
                note: {type: string}
      responses:
        "201": {content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}
  /v1/customers/{number}: {delete: {}, put: {}}
  /v1/hub: {post: {requestBody: {content: {application/json: {schema: {type: object}}}}}}
  /v1/ping: {get: {}}
"""


def test_every_document_becomes_an_output_and_a_step_that_bind(tmp_path):
    """The made job is read and bound by `make_for_api` itself: a mistake in it would be raised."""
    (tmp_path / "shop.yaml").write_text(OPENAPI)
    made = make_for_api(tmp_path / "job", tmp_path / "shop.yaml")
    job = YAML(typ="safe", pure=True).load((made.folder / "job.yaml").read_text())
    assert job["systems"]["api"]["openapi"] == "shop.yaml"
    assert job["outputs"] == {
        "api.customers": {
            "call": "POST /v1/customers", "row": ["unit_key"], "undo": "DELETE /v1/customers/{id}",
            "returns": {"customers_id": "$.id"}, "update": "PUT /v1/customers/{id}",
        }
    }  # fmt: skip
    assert [file for file in made.files if file.startswith("steps/")] == ["steps/0010_customers/api.customers.sql"]
    step = (made.folder / "steps/0010_customers/api.customers.sql").read_text()
    assert "NULL AS name,  -- must be there (VARCHAR): What she is called\n" in step
    assert "{'it''s': NULL} AS \"o'clock\"" in step
    assert "[{'city': NULL}] AS address" in step
    assert "NULL AS born  -- must be there (DATE)" in step
    assert "-- , NULL AS note (VARCHAR)" in step
    assert " id" not in step.replace("unit_key", "")


@pytest.mark.parametrize(
    ("properties", "marker", "probe"),
    [
        ("{externalId: {type: string}, traits: {type: array, items: {properties: {name: {}, value: {}}}}}",
         "$.traits.ludbCall", "GET /v1/things?traits.name=ludbCall&traits.value={call_id}"),
        ("{mark: &pairs {type: array, items: {properties: {name: {}, value: {}}}}, characteristic: *pairs}",
         "$.characteristic.ludbCall",
         "GET /v1/things?characteristic.name=ludbCall&characteristic.value={call_id}"),
        ("{name: {type: string}, external_id: {type: string}}", "$.external_id", "GET /v1/things?external_id={call_id}"),
        ("{externalId: {type: string, readOnly: true}, externalReference: {type: array, items: {properties: {name: {}}}}}",
         None, None),
    ],
    ids=["names and values", "characteristics first", "a plain member", "none that ludb could fill"],
)  # fmt: skip
def test_where_a_call_id_could_stand_is_proposed_and_binds_once_the_comment_is_taken_away(
    tmp_path, properties, marker, probe
):
    (tmp_path / "shop.yaml").write_text(
        f"openapi: 3.0.3\npaths: {{/v1/things: {{get: {{}}, post: {{requestBody: {{content: {{application/json: "
        f"{{schema: {{type: object, properties: {properties}}}}}}}}}}}}}}}"
    )
    job = make_for_api(tmp_path / "job", tmp_path / "shop.yaml").folder / "job.yaml"
    text = job.read_text()
    assert "lost answer" in text
    assert "probe" not in YAML(typ="safe", pure=True).load(text)["outputs"]["api.things"]
    job.write_text(text.replace("# marker:", "marker:").replace("# probe:", "probe:"))
    read = read_job(job.parent, {"API_URL": "http://127.0.0.1:9"}).job.outputs["api.things"].call
    assert (read.marker, read.probe) == (marker, probe)


@pytest.mark.parametrize(
    ("folder", "output", "open_members", "marker"),
    [
        (
            "tmf629",
            "customer",
            ["$.engagedParty.@referredType", "$.engagedParty.id", "$.name"],
            "$.characteristic.ludbCall",
        ),
        ("tmf638", "service", ["$.state", "$.serviceSpecification.id"], "$.serviceCharacteristic.ludbCall"),
        ("tmf678", "customerBillOnDemand", [], None),
    ],
)
def test_an_open_api_becomes_a_job(tmp_path, monkeypatch, folder, output, open_members, marker):
    """What is left to be filled in is named by `ludb check --connect`, API or not."""
    files = sorted((ROOT.parent / "shared" / "data" / folder).glob("*.swagger.json"))
    if not files:
        pytest.skip("NOT TESTED: the TM Forum descriptions are not beside this folder")
    said = CliRunner().invoke(app, ["init", str(tmp_path / "job"), "--openapi", str(files[0]), "--json"])
    assert json.loads(said.stdout)["variables"] == ["API_URL"]
    assert (tmp_path / "job" / f"steps/0010_{output}/api.{output}.sql").exists()
    text = (tmp_path / "job" / "job.yaml").read_text()
    assert marker is None or f"# marker: {marker}\n" in text
    monkeypatch.setenv("API_URL", "http://127.0.0.1:9")
    told = CliRunner().invoke(app, ["check", "--connect", str(tmp_path / "job"), "--json"]).stdout
    named = re.findall(rf"api\.{output}: (\S+) is NULL, and the API must have it \(POST /{output}\)", told)
    assert list(dict.fromkeys(named)) == open_members


def test_what_is_left_to_be_filled_in_is_named_down_to_members_of_lists(tmp_path, monkeypatch):
    (tmp_path / "shop.yaml").write_text(OPENAPI)
    job = make_for_api(tmp_path / "job", tmp_path / "shop.yaml").folder
    monkeypatch.setenv("API_URL", "http://127.0.0.1:9")
    told = CliRunner().invoke(app, ["check", "--connect", str(job), "--json"]).stdout
    named = re.findall(r"api\.customers: (\S+) is NULL", told)
    assert named == ["$.name", "$.o'clock.it's", "$.address[].city", "$.born"]
    step = job / "steps/0010_customers/api.customers.sql"
    step.write_text(step.read_text().replace("NULL AS name", "c.name"))
    told = CliRunner().invoke(app, ["check", "--connect", str(job), "--json"]).stdout
    assert "$.born is NULL" in told
    assert "$.name is NULL" not in told


def test_an_api_that_takes_no_documents_makes_no_job(tmp_path):
    (tmp_path / "shop.yaml").write_text("openapi: 3.0.0\npaths: {/ping: {get: {}}}")
    with pytest.raises(ConfigError, match="no POST with a document"):
        make_for_api(tmp_path / "job", tmp_path / "shop.yaml")
    assert not (tmp_path / "job").exists()


def test_a_database_and_a_description_are_not_drafted_together(tmp_path):
    said = CliRunner().invoke(app, ["init", str(tmp_path / "job"), "--openapi", "a.json", "--from", "b.sqlite"])
    assert isinstance(said.exception, ConfigError)
    assert "--from" in str(said.exception)
