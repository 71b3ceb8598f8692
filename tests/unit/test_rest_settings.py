"""What `job.yaml` may say of a `rest` system, and that no mistake in it shows a secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ludb.dialects.http.settings import Identity, RestSystem
from ludb.dialects.settings import Surroundings

URL = "https://crm.example/tmf-api"


def settings(**fields):
    return RestSystem.model_validate({"type": "rest", "url": URL, **fields})


def identity(variables=None, **fields):
    return Identity.of("crm", settings(**fields), Surroundings(Path(), Path(), variables or {}))


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30.0), ("500ms", 0.5), ("2m", 120.0), ("1.5h", 5400.0), (7, 7.0), ("0.25", 0.25)]
)
def test_spans_of_time_may_have_a_unit(text, seconds):
    assert settings(timeout=text).timeout == seconds


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "soon"},
        {"timeout": 0},
        {"timeout": "nan"},
        {"in_flight": 0},
        {"health": "health"},
        {"unknown": 1},
        {"url": "ftp://tell-nobody.example"},
        {"url": "https://host:tell-nobody/"},
        {"url": "https://host/?key=tell-nobody"},
        {"headers": {"Authorization": "tell-nobody\r\nX: y"}},
        {"headers": {"bad name": "tell-nobody"}},
        {"idempotency_header": "bad name"},
        {"url": "https://me:tell-nobody@host", "headers": {"authorization": "tell-nobody"}},
    ],
)
def test_a_mistake_is_refused_without_showing_a_secret(fields):
    with pytest.raises(ValidationError) as refused:
        settings(**fields)
    assert "tell-nobody" not in str(refused.value)


def test_the_settings_themselves_do_not_show_a_secret():
    text = repr(settings(url="https://me:tell-nobody@host", headers={"X-Key": "tell-nobody"}))
    assert "tell-nobody" not in text


def test_a_system_is_named_by_host_and_port_only():
    assert identity(url="https://me:pass-word@crm.example/secret-path").address == "crm.example:443"
    assert identity(url="http://crm.example:8080").address == "crm.example:8080"


def test_a_credential_is_named_by_its_variable_else_by_its_header():
    headers = {"Authorization": "Bearer abcdef"}
    assert identity({"headers.Authorization": ("CRM_TOKEN",)}, headers=headers).credential == "credential CRM_TOKEN"
    assert identity(headers=headers).credential == "credential in header Authorization"
    assert identity({"url": ("CRM_URL",)}, url="https://me:pass-word@host").credential == "credential CRM_URL"
    assert identity({"url": ("CRM_URL",)}).credential == "missing credential (no headers are set)"


def test_secrets_are_masked_whole_and_in_part():
    masked = identity(headers={"Authorization": "Bearer abcdef"}).mask("Bearer abcdef, abcdef, bearer")
    assert masked == "***, ***, bearer"


def test_editors_learn_that_a_span_may_be_text():
    schema = RestSystem.model_json_schema()["properties"]["timeout"]
    assert {"number", "string"} == {one["type"] for one in schema["anyOf"]}
