"""From a document to the arguments of an operation, by the types of the WSDL: exactly, or not at all."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.types as pt

from ludb.targets.soap.wsdl import Shape

Complaint = tuple[Literal["error", "warning"], str]
_TEXT, _NUMBER, _MOMENT = "text", "a number", "a moment"
_KINDS = {
    "boolean": "a boolean", "decimal": _NUMBER, "float": _NUMBER, "double": _NUMBER,
    "date": _MOMENT, "dateTime": _MOMENT, "time": _MOMENT,
    **dict.fromkeys(("integer", "int", "long", "short", "byte", "unsignedInt", "unsignedLong", "unsignedShort",
                     "unsignedByte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger", "negativeInteger"), _NUMBER),
}  # fmt: skip


def operation_of(path: str) -> tuple[str, dict[str, Any]]:
    """`/Name?a.b=c` as the operation's name and the arguments that the query gives, nested by their dots."""
    parts = urlsplit(path)
    given: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=False):
        *outer, last = name.split(".")
        place = given
        for one in outer:
            place = place.setdefault(one, {})
        place[last] = value
    return parts.path.strip("/"), given


def merged(document: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The document with arguments put in; they win."""
    found = dict(document)
    for name, value in given.items():
        inner = found.get(name)
        found[name] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found


def arguments(document: Mapping[str, Any], shape: Shape, place: str = "$") -> dict[str, Any]:
    """The document as zeep takes it, every value as its exact text. ValueError names the place of what does not fit."""
    members = shape.members or {}
    found: dict[str, Any] = {}
    for name, value in document.items():
        if value is None:
            continue
        if name not in members:
            raise ValueError(f"{place}.{name} is not known to {shape.kind}; it has {', '.join(members) or 'nothing'}")
        found[name] = _several(value, members[name], f"{place}.{name}")
    missing = next((name for name, one in members.items() if one.required and name not in found), None)
    if missing is not None:
        raise ValueError(f"{place}.{missing} is missing or NULL, and must be sent")
    return found


def _several(value: Any, shape: Shape, place: str) -> Any:
    if not shape.several:
        return _value(value, shape, place)
    values: Sequence[Any] = value if isinstance(value, list) else [value]
    return [_value(one, shape, f"{place}[{at}]") for at, one in enumerate(values)]


def _value(value: Any, shape: Shape, place: str) -> Any:
    if shape.members is not None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{place} is no STRUCT, and must hold {', '.join(shape.members)}")
        return arguments(value, shape, place)
    if isinstance(value, Mapping | list):
        what = "a STRUCT" if isinstance(value, Mapping) else "a LIST"
        raise ValueError(f"{place} is {what}, and must be one value")  # noqa: TRY004  (data, not code)
    text = _text(value)
    if shape.kind == "base64Binary":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError(f"{place} is no base64Binary: give it as BLOB") from None
    if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in text):
        raise ValueError(f"{place} holds a control character, which XML cannot carry")
    if shape.simple is not None and shape.misfit(text):
        raise ValueError(f"{place} is no {shape.kind}")
    return text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def compare(
    shape: Shape, columns: Mapping[str, pa.DataType], filled: set[str], place: str = "$"
) -> Iterator[Complaint]:
    """What a document of these columns lacks, has wrong, or holds beside what the operation knows."""
    members = shape.members or {}
    for name, one in members.items():
        if one.required and name not in columns and f"{place}.{name}" not in filled:
            yield "error", f"{place}.{name} is missing"
    for name, kind in columns.items():
        if name not in members:
            yield "error", f"{place}.{name} is not known to {shape.kind}"
            continue
        yield from _compare_one(members[name], kind, filled, f"{place}.{name}")


def _compare_one(shape: Shape, kind: pa.DataType, filled: set[str], place: str) -> Iterator[Complaint]:
    listed = pt.is_list(kind) or pt.is_large_list(kind)
    if listed and not shape.several:
        yield "error", f"{place} is a LIST, and must be one value"
        return
    kind = kind.value_type if listed else kind
    if shape.members is not None:
        if pt.is_struct(kind):
            yield from compare(shape, {field.name: field.type for field in kind}, filled, place)
        elif not pt.is_null(kind):
            yield "error", f"{place} is no STRUCT, and must be one"
    elif pt.is_struct(kind):
        yield "error", f"{place} is a STRUCT, and must be one value ({shape.kind})"
    else:
        wanted, carried = _KINDS.get(shape.kind), _carried(kind)
        if wanted and carried and wanted != carried:
            severity: Literal["error", "warning"] = "warning" if carried == _TEXT else "error"
            yield severity, f"{place} is {carried}, and must be {wanted} ({shape.kind})"


def _carried(kind: pa.DataType) -> str:
    if pt.is_boolean(kind):
        return "a boolean"
    if pt.is_integer(kind) or pt.is_decimal(kind) or pt.is_floating(kind):
        return _NUMBER
    if pt.is_temporal(kind):
        return _MOMENT
    return _TEXT if pt.is_string(kind) or pt.is_large_string(kind) else ""
