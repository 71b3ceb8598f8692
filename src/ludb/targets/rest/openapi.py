"""The API's own description (Swagger 2, OpenAPI 3.0 and 3.1): which requests there are, and what their documents must be."""

from __future__ import annotations

import difflib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from openapi_schema_validator import OAS30WriteValidator, OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4, DRAFT202012
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ludb.dialects.http.paths import Template
from ludb.errors import ConfigError, UnitError

SHOWN = 5
"""Mistakes of one document that are named; the others are counted."""
_HOLE = re.compile(r"\{[^{}]*\}")
_FORMATS = FormatChecker(("date", "date-time", "uuid", "email", "ipv4", "ipv6"))
_BASE = "urn:openapi"


@dataclass(frozen=True, slots=True)
class Operation:
    """One request of an API: `schema` is what its document must be, None where it takes none or any."""

    method: str
    path: str
    schema: Mapping[str, Any] | None


class Description:
    """A description, read whole. References within the file are followed, others are not."""

    def __init__(self, file: Path, field: str) -> None:
        """Read it; ConfigError at `field` (a place in job.yaml) for a file that is none."""
        self._file, self._field = file.name, field
        self._spec = _read(file, field)
        if not isinstance(self._spec.get("paths"), dict):
            raise ConfigError(
                f"{file} describes no API: it has no `paths`", field=field, remedy="Name a Swagger 2 or OpenAPI 3 file"
            )
        version = str(self._spec.get("swagger") or self._spec.get("openapi") or "")
        kinds = {
            "2": (Draft4Validator, DRAFT4),
            "3.0": (OAS30WriteValidator, DRAFT4),
            "3": (OAS31Validator, DRAFT202012),
        }
        kind = next((kinds[start] for start in kinds if version == start or version.startswith(f"{start}.")), None)
        if kind is None:
            raise ConfigError(
                f"{file} is of version {version or 'unknown'}",
                field=field,
                remedy="Swagger 2 and OpenAPI 3 are understood",
            )
        self._swagger = version.startswith("2")
        self._validator, dialect = kind
        self._registry: Registry[Any] = Registry().with_resource(
            _BASE, Resource.from_contents(self._spec, default_specification=dialect)
        )

    @cached_property
    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """Every request by method and path, names of parameters left out; paths are told with the description's base too."""
        found: dict[tuple[str, str], Operation] = {}
        for path, item in self._spec["paths"].items():
            for method, operation in item.items() if isinstance(item, dict) else ():
                if isinstance(operation, dict):
                    made = Operation(method.upper(), path, self._document(path, method, operation))
                    for prefix in ("", self._prefix):
                        found.setdefault((made.method, _plain(prefix + path)), made)
        return found

    def operation(self, template: Template, field: str) -> Operation:
        """The request that an output names; ConfigError with the nearest ones where the API has no such request."""
        wanted = (template.method, _plain(template.path))
        found = self.operations.get(wanted)
        if found is None:
            known = self._lines
            close = difflib.get_close_matches(str(template), known, n=3, cutoff=0.4)
            raise ConfigError(
                f"{self._file} has no {template}",
                field=field,
                remedy=f"It has {', '.join(close or known[:3])}" + ("" if close else ", ..."),
            )
        return found

    @property
    def listed(self) -> list[Operation]:
        """Every request once, in the description's own order."""
        return list({(one.method, one.path): one for one in self.operations.values()}.values())

    def has(self, method: str, path: str) -> bool:
        """Whether there is such a request, whatever its parameters are called."""
        return (method, _plain(path)) in self.operations

    def answer(self, operation: Operation) -> Mapping[str, Any]:
        """The schema of what a successful request answers; empty where none is told."""
        told = self._spec["paths"][operation.path][operation.method.lower()].get("responses") or {}
        said = self.resolved(next((told[code] for code in ("201", "200", 201, 200) if code in told), {}))
        contents = [one for one in (said.get("content") or {}).values() if isinstance(one, dict)]
        return self.resolved(said.get("schema") or (contents[0].get("schema") if contents else None) or {})

    @property
    def _lines(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.listed]

    def resolved(self, schema: Any) -> Mapping[str, Any]:
        """A schema with its own reference followed; empty where that leads nowhere."""
        for _ in range(50):
            reference = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(reference, str):
                break
            schema = self._at(reference)
        return schema if isinstance(schema, dict) else {}

    def check(self, output: str, operation: Operation, body: str) -> None:
        """UnitError with the place of each mistake (`$.a.b[0]`), where a document is not what the API takes.

        Messages hold places, names of members and what the description says, never a value; `detail` does.
        """
        if operation.schema is None:
            return
        validator = self._validators(operation)
        document = json.loads(body, parse_float=Decimal)
        errors = sorted(validator.iter_errors(document), key=lambda error: error.json_path)
        if errors:
            told = "; ".join(dict.fromkeys(words for error in errors for words in _words(error)))
            places = told.split("; ")
            more = f"; and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
            raise UnitError(
                f"output {output}: the document is not what {operation.method} {operation.path} takes ({self._file}): "
                f"{'; '.join(places[:SHOWN])}{more}. Mend the step, or reject the unit in a rule",
                detail="\n".join(f"{error.json_path}: {error.message[:500]}" for error in errors[:SHOWN]),
            )

    def _validators(self, operation: Operation) -> Any:
        made = self._made.get((operation.method, operation.path))
        if made is None:
            made = self._validator(operation.schema, registry=self._registry, format_checker=_FORMATS)
            self._made[operation.method, operation.path] = made
        return made

    @cached_property
    def _made(self) -> dict[tuple[str, str], Any]:
        return {}

    @cached_property
    def _prefix(self) -> str:
        if self._swagger:
            return str(self._spec.get("basePath") or "").rstrip("/")
        servers = self._spec.get("servers")
        first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
        return urlsplit(str(first.get("url") or "")).path.rstrip("/")

    def _document(self, path: str, method: str, operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A reference to the schema of the operation's document, so that references within it lead on."""
        here = ["paths", path, method]
        if self._swagger:
            for at, parameter in enumerate(operation.get("parameters") or ()):
                if self.resolved(parameter).get("in") == "body":
                    if isinstance(parameter.get("$ref"), str):
                        return {"$ref": f"{_BASE}{parameter['$ref']}/schema"}
                    return _reference(*here, "parameters", str(at), "schema")
            return None
        body = operation.get("requestBody")
        place = f"{_BASE}{body['$ref']}" if isinstance(body, dict) and "$ref" in body else None
        content = self.resolved(body or {}).get("content")
        kind = next((name for name in content if "json" in name), None) if isinstance(content, dict) else None
        if kind is None or content is None or "schema" not in content[kind]:
            return None
        if place is None:
            return _reference(*here, "requestBody", "content", kind, "schema")
        return {"$ref": f"{place}/content/{_escaped(kind)}/schema"}

    def _at(self, reference: str) -> Any:
        place: Any = self._spec
        for step in reference.removeprefix(_BASE).removeprefix("#").strip("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict):
                place = place.get(name)
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                return {}
        return place


def _read(file: Path, field: str) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if text.lstrip().startswith("{"):
            found = json.loads(text, parse_float=Decimal)
        else:
            found = YAML(typ="safe", pure=True).load(io.StringIO(text))
    except (OSError, ValueError, YAMLError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is neither JSON nor YAML"
        raise ConfigError(f"{file} cannot be read: {why}", field=field, remedy="Name the API's description") from None
    return found if isinstance(found, dict) else {}


def _plain(path: str) -> str:
    """A path without its query and without the names of its parameters."""
    return _HOLE.sub("{}", path.partition("?")[0]).rstrip("/")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _reference(*steps: str) -> dict[str, str]:
    return {"$ref": f"{_BASE}#/" + "/".join(_escaped(step) for step in steps)}


def _words(error: ValidationError) -> Iterator[str]:
    """What is wrong and where, without the value."""
    place, rule, wanted = error.json_path, error.validator, error.validator_value
    if rule == "required" and isinstance(error.instance, dict):
        names = wanted if isinstance(wanted, list) else []
        yield from (f"{place}.{name} is missing" for name in names if name not in error.instance)
    elif rule in {"additionalProperties", "unevaluatedProperties"} and isinstance(error.instance, dict):
        known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
        names = [name for name in error.instance if name not in known]
        yield f"{place} has members that are not known: {', '.join(names[:SHOWN])}"
    elif rule == "type":
        yield f"{place} must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    elif rule == "enum" and isinstance(wanted, list):
        yield f"{place} must be one of {', '.join(str(one) for one in wanted[:20])}"
    elif rule in {"anyOf", "oneOf"}:
        yield f"{place} is none of the documents that it may be"
    else:
        shown = wanted if isinstance(wanted, str | int | float | Decimal) else "what the description says"
        yield f"{place} does not keep to {rule}: {shown}"
