"""The JSON Schema of `job.yaml`, for editors: fields, types and descriptions as this installation knows them."""

from __future__ import annotations

from typing import Any

from ludb.dialects.settings import SystemSettings
from ludb.errors import ConfigError
from ludb.project import registry
from ludb.project.settings import JobSettings

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = {"type": "string", "pattern": r"\$\{"}


def job_schema() -> dict[str, Any]:
    """A schema of draft 2020-12; `systems` allows all registered types, and `${NAME}` in any of their fields."""
    schema = JobSettings.model_json_schema(by_alias=True)
    definitions = schema.setdefault("$defs", {})
    kinds = sorted({name for group in registry.SYSTEMS for name in registry.names(group)})
    _close_names(schema)
    schema["properties"]["systems"]["additionalProperties"] = {"oneOf": [_system(kind, definitions) for kind in kinds]}
    return {"$schema": DRAFT, **schema, "title": "ludb job"}


def _close_names(node: Any) -> None:
    """Pydantic lets names pass that do not match a pattern; here they are mistakes, as they are to the reader."""
    if isinstance(node, list):
        for item in node:
            _close_names(item)
    elif isinstance(node, dict):
        for value in node.values():
            _close_names(value)
        patterns = node.get("patternProperties")
        if isinstance(patterns, dict) and len(patterns) == 1:
            ((pattern, value),) = node.pop("patternProperties").items()
            node["propertyNames"], node["additionalProperties"] = {"pattern": pattern}, value


def _system(kind: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """The entries that say `type: <kind>`: what any of its adapters accepts."""
    models: list[type[SystemSettings]] = []
    for group in registry.SYSTEMS:
        if kind not in registry.names(group):
            continue
        try:
            model = registry.adapter(group, kind).Settings
        except ConfigError:  # its extra is not installed here: any field may be right
            return {"type": "object", "properties": {"type": {"const": kind}}, "required": ["type"]}
        if model not in models:
            models.append(model)
    choices = [_entry(kind, number, model, definitions) for number, model in enumerate(models)]
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _entry(kind: str, number: int, model: type[SystemSettings], definitions: dict[str, Any]) -> dict[str, Any]:
    prefix = f"{kind}{number}"
    found = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, definition in found.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = definition
    for name, value in found.get("properties", {}).items():
        found["properties"][name] = {"anyOf": [value, _VARIABLE], "description": value.get("description", "")}
    found["properties"]["type"] = {"const": kind, "description": f"An adapter of type {kind}"}
    found["required"] = sorted({*found.get("required", []), "type"})
    return found
