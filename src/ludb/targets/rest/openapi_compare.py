"""An output's columns against what the API takes, before any unit runs: what is missing, unknown or of another type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pt

from ludb.targets.rest.openapi import Description, Operation

Complaint = tuple[Literal["error", "warning"], str]
_DEEPEST = 20


def compare(
    description: Description, operation: Operation, columns: Mapping[str, pa.DataType], filled: str | None
) -> Iterator[Complaint]:
    """What a document of these columns would lack (errors), hold in another type (errors) or hold beside (warnings).

    `filled` is a member that is put in later (the marker's).
    """
    if operation.schema is not None:
        yield from _object(description, operation.schema, columns, "$", {filled} if filled else set(), 0)


def members_of(description: Description, schema: Any) -> tuple[dict[str, Any], list[str]]:
    """Members of a document by name, and those that must be sent."""
    members, required, _ = _members(description, schema, 0)
    return members, required


def _object(
    description: Description, schema: Any, columns: Mapping[str, pa.DataType], place: str, filled: set[str], depth: int
) -> Iterator[Complaint]:
    members, required, whole = _members(description, schema, 0)
    for name in required:
        if name not in columns and name not in filled:
            yield "error", f"{place}.{name} is missing"
    for name, kind in columns.items():
        if name in members:
            yield from _value(description, members[name], kind, f"{place}.{name}", depth + 1)
        elif whole and members:
            yield "warning", f"{place}.{name} is not known to the API"


def _value(description: Description, schema: Any, kind: pa.DataType, place: str, depth: int) -> Iterator[Complaint]:
    found = description.resolved(schema)
    if depth > _DEEPEST:
        return
    wanted = found.get("type")
    allowed = {wanted} if isinstance(wanted, str) else set(wanted or ())
    carried = _carried(kind)
    if allowed and carried and not carried & allowed:
        yield "error", f"{place} is {' or '.join(sorted(carried))}, and must be {' or '.join(sorted(allowed))}"
    elif pt.is_struct(kind):
        inner = {field.name: field.type for field in kind}
        yield from _object(description, found, inner, place, set(), depth)
    elif pt.is_list(kind) or pt.is_large_list(kind):
        yield from _value(description, found.get("items") or {}, kind.value_type, f"{place}[]", depth + 1)


def _members(description: Description, schema: Any, depth: int) -> tuple[dict[str, Any], list[str], bool]:
    """Members by name, those that must be there, and whether these are all that the description knows."""
    found = description.resolved(schema)
    members = dict(found.get("properties") or {})
    required = list(found.get("required") or [])
    whole = not ({"anyOf", "oneOf", "patternProperties", "discriminator"} & set(found))
    whole = whole and found.get("additionalProperties") in (None, False)
    for part in found.get("allOf") or () if depth < _DEEPEST else ():
        more, needed, all_of_it = _members(description, part, depth + 1)
        members, required, whole = {**more, **members}, [*required, *needed], whole and all_of_it
    hidden = {name for name in members if description.resolved(members[name]).get("readOnly")}
    return members, [name for name in dict.fromkeys(required) if name not in hidden], whole


def _carried(kind: pa.DataType) -> set[str]:
    """The JSON types that a column's values have; none where nobody can tell."""
    if pt.is_boolean(kind):
        return {"boolean"}
    if pt.is_integer(kind) or (pt.is_decimal(kind) and kind.scale == 0):
        return {"integer", "number"}
    if pt.is_floating(kind) or pt.is_decimal(kind):
        return {"number"}
    if pt.is_struct(kind):
        return {"object"}
    if pt.is_list(kind) or pt.is_large_list(kind):
        return {"array"}
    return set() if pt.is_null(kind) or isinstance(kind, pa.OpaqueType) else {"string"}
