"""The outputs of a job: what its steps fill, and whether that is rows for a table or calls to an API."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ludb.errors import ConfigError
from ludb.model.job import AcceptedSpec, BulkSpec, CallSpec, OutputSpec
from ludb.model.unit import UnitSchema
from ludb.project import registry
from ludb.project.content import Content
from ludb.project.mistakes import Mistakes, did_you_mean
from ludb.project.notation import table_name
from ludb.project.settings import AcceptedSettings, JobSettings, OutputSettings

_CALL_FIELDS = (
    "row", "marker", "undo", "probe", "update", "returns", "idempotent", "settle", "headers", "query", "status", "echo",
    "accepted", "bulk", "set_aside",
)  # fmt: skip


def build_outputs(
    settings: JobSettings, content: Content, types: Mapping[str, str], mistakes: Mistakes
) -> dict[str, OutputSpec]:
    """Every output that a step fills: those of `outputs:` in their order, then the others, which are inserted."""
    steps: dict[str, str] = {}
    for step in content.steps:
        steps.setdefault(step.output, step.name)
    found: dict[str, OutputSpec] = {}
    for name, output in settings.outputs.items():
        spec = _listed(name, output, types, settings, mistakes)
        if spec is not None:
            found[name] = spec
            if name not in steps:
                mistakes.at(
                    ("outputs", name), f"no step fills {name}", did_you_mean(name, steps, otherwise="Add a step")
                )
    for name, file in steps.items():
        spec = None if name in settings.outputs else _unlisted(name, file, types, settings, mistakes)
        if spec is not None:
            found[name] = spec
    _check_case(found, steps, mistakes)
    _check_returns(settings, mistakes)
    return found


def roles_of(
    unit: UnitSchema, outputs: Mapping[str, OutputSpec], types: Mapping[str, str], mistakes: Mistakes
) -> dict[str, frozenset[str]]:
    """What each system is used for, by entry point group; a system that cannot be read or shares a table name with an
    output is a mistake.
    """
    roles: dict[str, set[str]] = {}
    for system in unit.systems:
        if system in types and types[system] not in registry.names(registry.SOURCES):
            mistakes.at(
                ("systems", system, "type"),
                f"system {system} is of type {types[system]}, which cannot be read, but the unit reads it",
                f"Types that can be read: {', '.join(registry.names(registry.SOURCES))}",
            )
        else:
            roles.setdefault(system, set()).add(registry.SOURCES)
    for output in outputs.values():
        group = registry.CALL_TARGETS if output.call else registry.TARGETS
        if types.get(output.system) in registry.names(group):  # else a mistake, and told as one
            roles.setdefault(output.system, set()).add(group)
    read = {(table.table.system.lower(), table.name.lower()) for table in unit.tables}
    for name, output in outputs.items():
        if (output.system.lower(), output.table.lower()) in read:
            mistakes.at(
                ("outputs", name), f"{name} is both a table of the unit and an output", "Rename the unit's table"
            )
    return {system: frozenset(groups) for system, groups in roles.items()}


def _listed(
    name: str, output: OutputSettings, types: Mapping[str, str], settings: JobSettings, mistakes: Mistakes
) -> OutputSpec | None:
    path = ("outputs", name)
    try:
        system, table = table_name(name)
    except ConfigError as error:
        mistakes.within(path, error)
        return None
    if system not in settings.systems:
        mistakes.at(path, f"there is no system {system!r}", did_you_mean(system, settings.systems))
        return None
    kind = types.get(system)
    if output.call is None:
        for field in (field for field in _CALL_FIELDS if field in output.model_fields_set):
            mistakes.at((*path, field), f"only a call has `{field}`", "Add `call:`, such as call: POST /customer")
        if kind is not None and kind not in registry.names(registry.TARGETS):
            mistakes.at(path, _takes(system, kind), "Add `call:` and `row:`")
        return OutputSpec(system, table)
    for field in output.model_fields_set & {"mode", "key", "by"}:
        mistakes.at((*path, field), f"a call has no {field}", f"Remove `{field}:` or `call:`")
    if kind is not None and kind not in registry.names(registry.CALL_TARGETS):
        mistakes.at(
            (*path, "call"), f"system {system} is of type {kind}, which takes rows and no calls", "Remove `call:`"
        )
    if output.row is None:
        mistakes.at((*path, "row"), "the field 'row' is missing", "Add `row:`; [unit_key] where a unit has one row")
    return OutputSpec(system, table, call=_call(output.call, output))


def _call(call: str, output: OutputSettings) -> CallSpec:
    method, _, path = call.partition(" ")
    return CallSpec(
        method=method,
        path=path,
        row=output.row or ("unit_key",),
        marker=output.marker,
        undo=output.undo.call if output.undo else None,
        probe=output.probe,
        update=output.update,
        returns=dict(output.returns),
        idempotent_ttl=output.idempotent.ttl if output.idempotent else None,
        settle=output.settle or 0.0,
        headers=dict(output.headers),
        query=dict(output.query),
        statuses={} if output.status is None else output.status.meanings,
        undo_body=json.dumps(output.undo.body, ensure_ascii=False) if output.undo and output.undo.body else None,
        echo=output.echo,
        accepted=_accepted(output.accepted) if output.accepted else None,
        bulk=BulkSpec(**output.bulk.model_dump()) if output.bulk else None,
        set_aside=output.set_aside.model_dump(exclude_none=True) if output.set_aside else {},
    )


def _accepted(said: AcceptedSettings) -> AcceptedSpec:
    return AcceptedSpec(
        said.status, said.poll, said.job, said.state, tuple(said.done), tuple(said.failed), said.within, said.every,
        dict(said.returns),
    )  # fmt: skip


def _unlisted(
    name: str, file: str, types: Mapping[str, str], settings: JobSettings, mistakes: Mistakes
) -> OutputSpec | None:
    system, table = table_name(name)
    if system not in settings.systems:
        mistakes.in_file(file, f"there is no system {system!r}", did_you_mean(system, settings.systems))
        return None
    kind = types.get(system)
    if kind is not None and kind not in registry.names(registry.TARGETS):
        mistakes.in_file(file, _takes(system, kind), f"Add outputs: {{{name}: {{call: ..., row: ...}}}} to job.yaml")
    return OutputSpec(system, table)


def _takes(system: str, kind: str) -> str:
    if kind in registry.names(registry.CALL_TARGETS):
        return f"system {system} is of type {kind}, which takes calls and no rows"
    return f"system {system} is of type {kind}, which cannot be written"


def _check_case(outputs: Mapping[str, OutputSpec], steps: Mapping[str, str], mistakes: Mistakes) -> None:
    """DuckDB does not tell case apart, so two outputs must not either."""
    seen: dict[str, str] = {}
    for name in outputs:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            mistakes.in_file(
                steps.get(name, mistakes.job.file), f"{name} and {other} differ in case only", "Write them alike"
            )


def _check_returns(settings: JobSettings, mistakes: Mistakes) -> None:
    """A returned value becomes a key map of its name, so no two may share one."""
    owners = dict.fromkeys(settings.keys, "keys")
    for name, output in settings.outputs.items():
        for value in output.returns:
            owner = owners.setdefault(value, name)
            if owner != name:
                place = "under `keys:`" if owner == "keys" else f"by {owner}"
                mistakes.at(
                    ("outputs", name, "returns", value), f"the name {value!r} is taken {place}", "Choose another name"
                )
