"""A run's parameters: typed, complete, and part of the instance's identity where the job says so."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from ludb.dialects.types import arrow_type, from_text
from ludb.errors import ConfigError
from ludb.model.job import Job, ParameterSpec
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.settings import ParameterSettings

RESERVED = ("run_clock",)
"""Variables that the engine sets itself."""


def build_parameters(parameters: Mapping[str, ParameterSettings], mistakes: Mistakes) -> tuple[ParameterSpec, ...]:
    """The parameters as the job declares them, defaults typed."""
    found = []
    for name, settings in parameters.items():
        if name in RESERVED:
            mistakes.at(("parameters", name), f"{name!r} is set by the run itself", "Choose another name")
        default: object = None
        if settings.default is not None:
            try:
                default = _value(name, settings.type, _text(settings.default))
            except ConfigError as error:
                mistakes.within(("parameters", name, "default"), error)
        found.append(ParameterSpec(name, settings.type, default, settings.identifying))
    return tuple(found)


def resolve_parameters(job: Job, given: Mapping[str, str]) -> dict[str, object]:
    """The values of every parameter of the job, by name. Dates stay ISO text, so that a run can be stored as JSON.

    `ConfigError` for an unknown name, a missing value without a default, or a text that is not of the type.
    """
    known = {spec.name: spec for spec in job.parameters}
    for name in given:
        if name not in known:
            raise ConfigError(
                f"job {job.name} has no parameter {name!r}", remedy=did_you_mean(name, known, otherwise="Leave it out")
            )
    values: dict[str, object] = {}
    for name, spec in known.items():
        if name in given:
            values[name] = _value(name, spec.type, given[name])
        elif spec.default is not None:
            values[name] = spec.default
        else:
            raise ConfigError(
                f"job {job.name} needs the parameter {name!r} ({spec.type})",
                remedy="Give it a value, or a default in job.yaml",
            )
    return values


def instance_of(job: Job, parameters: Mapping[str, object]) -> str:
    """The instance: the job's name and its identifying parameters in name order, `telco?day=2024-01-01&region=north`.

    Characters that would make two instances look alike are percent-encoded.
    """
    named = sorted(spec.name for spec in job.parameters if spec.identifying)
    parts = [f"{name}={quote(_text(parameters[name]), safe=':@')}" for name in named]
    return f"{job.name}?{'&'.join(parts)}" if parts else job.name


def _value(name: str, kind: str, text: str) -> object:
    try:
        value = from_text(text, arrow_type(kind))
    except ValueError as error:
        raise ConfigError(
            f"the value of parameter {name!r} {error}", remedy=f"Give the {kind} in its usual form"
        ) from None
    return text if kind == "date" else value


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
