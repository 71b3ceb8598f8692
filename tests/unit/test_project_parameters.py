"""Parameters are complete and typed before a run starts, and the same values always name the same instance."""

from __future__ import annotations

import json

import pytest

from ludb.errors import ConfigError
from ludb.model.job import Job, ParameterSpec, Settings
from ludb.model.unit import TableRef, UnitSchema, UnitTable
from ludb.project.parameters import instance_of, resolve_parameters


def job(*parameters: ParameterSpec) -> Job:
    unit = UnitSchema(("id",), (UnitTable("customers", TableRef("old", "customers")),))
    return Job("telco", "v", "p", unit, {}, (), Settings(), parameters)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", " as it is ", " as it is "),
        ("integer", "-7", -7),
        ("number", "1.5", 1.5),
        ("boolean", "true", True),
        ("date", "2024-02-29", "2024-02-29"),
    ],
)
def test_a_value_has_the_type_that_the_job_declares_and_can_be_stored(kind, text, value):
    values = resolve_parameters(job(ParameterSpec("p", kind)), {"p": text})
    assert values == {"p": value}
    assert type(values["p"]) is type(value)
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("kind", "text"),
    [("integer", "1.0"), ("integer", ""), ("number", "nan"), ("boolean", "yes"), ("date", "2023-02-29")],
)
def test_a_value_of_another_type_is_refused_by_the_name_of_its_parameter(kind, text):
    with pytest.raises(ConfigError, match="parameter 'p'"):
        resolve_parameters(job(ParameterSpec("p", kind)), {"p": text})


def test_an_unknown_parameter_is_refused_with_the_likely_one():
    with pytest.raises(ConfigError, match="Did you mean region"):
        resolve_parameters(job(ParameterSpec("region", "text")), {"regoin": "north"})


def test_a_parameter_without_value_or_default_is_asked_for():
    with pytest.raises(ConfigError, match=r"needs the parameter 'day' \(date\)"):
        resolve_parameters(job(ParameterSpec("day", "date")), {})
    assert resolve_parameters(job(ParameterSpec("day", "date", default="2024-01-01")), {}) == {"day": "2024-01-01"}


def test_a_default_that_means_no_is_a_default():
    specs = (ParameterSpec("a", "boolean", default=False), ParameterSpec("b", "integer", default=0))
    assert resolve_parameters(job(*specs), {}) == {"a": False, "b": 0}


def test_only_identifying_parameters_make_another_instance():
    one = job(
        ParameterSpec("region", "text"), ParameterSpec("day", "date"), ParameterSpec("note", "text", identifying=False)
    )
    values = {"region": "north", "day": "2024-01-01", "note": "again"}
    assert instance_of(one, values) == "telco?day=2024-01-01&region=north"
    assert instance_of(one, {**values, "note": "other"}) == instance_of(one, values)
    assert instance_of(job(), {}) == "telco"


def test_two_different_sets_of_values_never_look_alike():
    two = job(ParameterSpec("a", "text"), ParameterSpec("b", "text"))
    assert instance_of(two, {"a": "1&b=2", "b": "3"}) != instance_of(two, {"a": "1", "b": "2&b=3"})
