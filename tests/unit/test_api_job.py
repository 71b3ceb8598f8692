"""A job drafted from an API's description is read and bound as it stands, and says what is to be filled in."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from ludb.cli.app import app
from ludb.errors import ConfigError
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
    assert "NULL::VARCHAR AS name,  -- must be there: What she is called\n" in step
    assert "{'it''s': NULL::BIGINT} AS \"o'clock\"" in step
    assert "[{'city': NULL::VARCHAR}] AS address" in step
    assert "NULL::DATE AS born" in step
    assert "-- , NULL::VARCHAR AS note" in step
    assert " id" not in step.replace("unit_key", "")


@pytest.mark.parametrize(("folder", "output"), [("tmf629", "customer"), ("tmf638", "service")])
def test_an_open_api_becomes_a_job(tmp_path, folder, output):
    files = sorted((ROOT.parent / "shared" / "data" / folder).glob("*.swagger.json"))
    if not files:
        pytest.skip("NOT TESTED: the TM Forum descriptions are not beside this folder")
    said = CliRunner().invoke(app, ["init", str(tmp_path / "job"), "--openapi", str(files[0]), "--json"])
    assert json.loads(said.stdout)["variables"] == ["API_URL"]
    assert (tmp_path / "job" / f"steps/0010_{output}/api.{output}.sql").exists()


def test_an_api_that_takes_no_documents_makes_no_job(tmp_path):
    (tmp_path / "shop.yaml").write_text("openapi: 3.0.0\npaths: {/ping: {get: {}}}")
    with pytest.raises(ConfigError, match="no POST with a document"):
        make_for_api(tmp_path / "job", tmp_path / "shop.yaml")
    assert not (tmp_path / "job").exists()


def test_a_database_and_a_description_are_not_drafted_together(tmp_path):
    said = CliRunner().invoke(app, ["init", str(tmp_path / "job"), "--openapi", "a.json", "--from", "b.sqlite"])
    assert isinstance(said.exception, ConfigError)
    assert "--from" in str(said.exception)
