"""The OpenAPI document: whole, with examples, written down for whoever builds on it, and kept by the server."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ludb.model.access import Role
from ludb.testing.repository_world import RUN, claimed, fault, moved, started

PAGE = Path(__file__).parents[2] / "docs/reference/openapi.json"


def test_the_document_that_is_written_down_is_the_server_s(people):
    document = people.app.openapi()
    text = json.dumps(document | {"info": document["info"] | {"version": "-"}}, indent=1, sort_keys=True) + "\n"
    if os.environ.get("LUDB_WRITE_OPENAPI"):
        PAGE.write_text(text, encoding="utf-8")
    assert document["openapi"] == "3.1.0"
    assert PAGE.read_text(encoding="utf-8") == text, (
        "write it anew: LUDB_WRITE_OPENAPI=1 pytest tests/server/test_document.py"
    )


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(people):
    operations = [one for path in people.app.openapi()["paths"].values() for one in path.values()]
    assert [one["operationId"] for one in operations if not one.get("description")] == []
    assert len({one["operationId"] for one in operations}) == len(operations)


def test_what_is_sent_is_shown_by_an_example(people):
    document = people.app.openapi()
    named = {
        content["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for one in path.values()
        for content in one.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content["schema"]
    }
    shapes = document["components"]["schemas"]
    assert [name for name in named if not any("examples" in one for one in shapes[name]["properties"].values())] == []


KNOWN = {"run": RUN, "key": "101", "name": "the-viewer", "job": "telco"}
"""Names that lead to something, so that not every call ends in 404."""


def cases(operation, mode, client, known):
    """Calls one operation with all that its description allows, or with what it does not."""
    named = {one.name for one in operation.path_parameters}
    wanted = {name: value for name, value in KNOWN.items() if name in named}
    strategy = operation.as_strategy(generation_mode=mode, **({"path_parameters": wanted} if known and wanted else {}))

    @settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def call(case):
        answer = case.call(headers={"Authorization": client.headers["Authorization"]})
        kept = [not_a_server_error, response_schema_conformance, status_code_conformance, content_type_conformance]
        case.validate_response(answer, checks=kept)

    with contextlib.suppress(Unsatisfiable):  # nothing is sent with it that could be wrong
        call()


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_that_can_be_sent_ends_in_an_error_that_nobody_foresaw(people, mode):
    repository = people.world.repository
    started(repository)
    moved(repository, claimed(repository), [fault(1)])
    admin = people.token(Role.ADMIN, personal=True)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", people.app)
    called = [found.ok() for found in schema.get_all_operations()]
    for operation in called:
        if not operation.path.endswith("/stream"):
            people.user(Role.VIEWER)
            cases(operation, mode, admin, known=False)
            cases(operation, mode, admin, known=True)
    assert len(called) > 40
