"""From a row to a request: exact JSON, path parameters, the marker, and the hash that tells a changed payload."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from ludb.dialects.http.bulk import Bulk
from ludb.dialects.http.later import Later
from ludb.dialects.http.paths import JsonPath, Marker, Template, is_segment
from ludb.errors import ConfigError, UnitError
from ludb.model.calls import CallRequest
from ludb.model.job import CallSpec, OutputSpec

T = TypeVar("T")
_HOLE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """An output's call settings, read once: how its requests are built and its answers understood."""

    output: str
    spec: CallSpec
    send: Template
    probe: Template | None
    undo: Template | None
    update: Template | None
    marker: Marker | None
    returns: Mapping[str, JsonPath]
    query: tuple[tuple[str, str], ...] = ()
    undo_body: Any = None
    echo: tuple[JsonPath, ...] = ()
    later: Later | None = None
    bulk: Bulk | None = None

    @classmethod
    def of(cls, output: OutputSpec) -> Route:
        """Read an output's call settings; ConfigError names the field that is wrong."""
        spec, field = output.call, f"outputs.{output.name}"
        if spec is None:
            raise ConfigError(f"output {output.name} has no call", field=field, remedy="Give it `call: POST /path`")
        if spec.probe is not None and spec.marker is None:
            raise ConfigError(
                f"output {output.name} has a probe but no marker to look for",
                field=f"{field}.marker",
                remedy="Name the place of the call id, such as `marker: $.externalId`",
            )
        needed = {*spec.returns, *(("id",) if spec.undo or spec.update else ())}
        return cls(
            later=Later.of(spec.accepted, needed, f"{field}.accepted") if spec.accepted else None,
            bulk=Bulk.of(spec.bulk, spec, f"{field}.bulk") if spec.bulk else None,
            output=output.name,
            spec=spec,
            send=_read(Template.parse, f"{spec.method} {spec.path}", f"{field}.call"),
            probe=_line(spec.probe, f"{field}.probe", "call_id"),
            undo=_line(spec.undo, f"{field}.undo", "id"),
            update=_line(spec.update, f"{field}.update", "id"),
            marker=_read(Marker.parse, spec.marker, f"{field}.marker") if spec.marker is not None else None,
            returns={key: _read(JsonPath.parse, path, f"{field}.returns.{key}") for key, path in spec.returns.items()},
            query=tuple((name, _read(_holed, text, f"{field}.query.{name}")) for name, text in spec.query.items()),
            undo_body=None if spec.undo_body is None else json.loads(spec.undo_body),
            echo=tuple(_read(JsonPath.parse, path, f"{field}.echo") for path in spec.echo),
        )

    @property
    def needs_id(self) -> bool:
        """Whether a call is of no use without the id that the server gave its object."""
        return self.undo is not None or self.update is not None

    def request(self, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """The request for one document. The path is relative to the system's URL; UnitError as in the port."""
        # The row key tells rows apart; it is the migration's own, and no member of the document.
        told = {name: value for name, value in document.items() if value is not None and name not in self.spec.row}
        plain = {name: _value(value, f"$.{name}", self.output) for name, value in told.items()}
        sha = hashlib.sha256(_dump(plain, ordered=True).encode()).hexdigest()
        path = self.send.fill({hole: self._parameter(hole, document, call_id) for hole in self.send.holes})
        path += self._query(document, call_id)
        if self.marker is not None:
            try:
                self.marker.put(plain, call_id)
            except ValueError as error:
                raise UnitError(f"output {self.output}: {error}. Mend the step that fills it") from None
        return CallRequest(self.send.method, path, _dump(plain, ordered=False), sha)

    def headers(self, call_id: str) -> dict[str, str]:
        """The headers that the output itself sends with every request."""
        return {name: text.replace("{call_id}", call_id) for name, text in self.spec.headers.items()}

    def undo_document(self, server_id: str, call_id: str) -> str | None:
        """What an undo sends, `{id}` and `{call_id}` filled in; None where it sends no document."""
        if self.undo_body is None:
            return None
        return _dump(_filled(self.undo_body, {"{id}": server_id, "{call_id}": call_id}), ordered=False)

    def bulk_path(self, bulk: Bulk) -> str:
        """The path of a request that takes many documents."""
        return bulk.request.path + self._query({}, "")

    def _query(self, document: Mapping[str, Any], call_id: str) -> str:
        """The query behind the path. A parameter that is one column is left out where that is NULL."""
        parts = []
        for name, text in self.query:
            holes = _HOLE.findall(text)
            lone = holes and text == f"{{{holes[0]}}}" and holes[0] != "call_id"
            if lone and holes[0] in document and document[holes[0]] is None:
                continue
            values = {hole: self._parameter(hole, document, call_id, within="query") for hole in holes}
            filled = _HOLE.sub(lambda hole, values=values: values[hole[1]], text)  # type: ignore[misc]
            parts.append(f"{quote(name, safe='')}={quote(filled, safe='')}")
        if not parts:
            return ""
        return ("&" if "?" in self.send.path else "?") + "&".join(parts)

    def _parameter(self, hole: str, document: Mapping[str, Any], call_id: str, within: str = "path") -> str:
        if hole == "call_id":
            return call_id
        if hole not in document:
            raise UnitError(
                f"output {self.output}: the {within} of {self.send} names `{hole}`, which is no column of the output"
            )
        text = _plain_text(document[hole])
        if text is None or (within == "path" and not is_segment(text)):
            raise UnitError(
                f"output {self.output}: column `{hole}` is NULL, empty or no single value, and the {within} of {self.send} "
                "needs it. Give it a value in the step, or reject the unit in a rule"
            )
        return text


def _holed(text: str) -> str:
    """A text with holes; ValueError for a brace that holds no column's name."""
    rest = _HOLE.sub("", text)
    if "" in _HOLE.findall(text) or "{" in rest or "}" in rest:
        raise ValueError(f"{text!r} is no value of a query parameter: braces hold the name of a column")
    return text


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """A JSON value with the holes in its texts filled."""
    if isinstance(value, dict):
        return {name: _filled(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    for hole, text in values.items():
        value = value.replace(hole, text) if isinstance(value, str) else value
    return value


def _line(line: str | None, field: str, *needed: str) -> Template | None:
    """A request line whose holes are exactly the needed ones (an undo without `{id}` would delete the collection)."""
    if line is None:
        return None
    template = _read(Template.parse, line, field)
    if set(template.holes) != set(needed):
        holes = " and ".join(f"{{{name}}}" for name in needed)
        raise ConfigError(
            f"`{line}` must hold {holes} and nothing else in braces", field=field, remedy="Mend the template"
        )
    return template


def _read(parse: Callable[[str], T], text: str, field: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(str(error), field=field, remedy="Mend the text of this field") from None


def _value(value: Any, place: str, output: str) -> Any:
    """The value as JSON carries it, members that are NULL left out; UnitError names the place, never the value."""
    if type(value) is str and value.isascii():
        return value
    if isinstance(value, Mapping):
        return {name: _value(inner, f"{place}.{name}", output) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_value(inner, f"{place}[{at}]", output) for at, inner in enumerate(value)]
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        raise _refused(output, place, "is NaN or infinite, which JSON has no number for")
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if value is None or isinstance(value, bool | int | float | Decimal):
        return value
    text = _plain_text(value)
    if text is None:
        raise _refused(
            output,
            place,
            f"has a type that JSON cannot carry ({type(value).__name__}). Cast it to text, STRUCT or LIST",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _refused(output, place, "is no valid Unicode text") from None
    return text


def _refused(output: str, place: str, why: str) -> UnitError:
    return UnitError(f"output {output}: `{place}` {why}")


def _plain_text(value: Any) -> str | None:
    """A single value as text, None where there is none: dates as ISO 8601, decimals with all their digits."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    if isinstance(value, int | UUID):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else None


_ORDERED, _AS_IT_COMES = (
    json.JSONEncoder(ensure_ascii=False, sort_keys=ordered, separators=(",", ":"), allow_nan=False)
    for ordered in (True, False)
)


def _dump(value: Any, *, ordered: bool) -> str:
    """JSON text of plain values, decimals with all their digits."""
    try:
        return (_ORDERED if ordered else _AS_IT_COMES).encode(value)
    except TypeError:
        return _dump_exact(value, ordered=ordered)


def _dump_exact(value: Any, *, ordered: bool) -> str:
    """As `_dump`, for values with a Decimal in them, which the standard library writes only by way of a float."""
    if isinstance(value, dict):
        names = sorted(value) if ordered else value
        return (
            "{"
            + ",".join(
                f"{json.dumps(name, ensure_ascii=False)}:{_dump_exact(value[name], ordered=ordered)}" for name in names
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_dump_exact(inner, ordered=ordered) for inner in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value, ensure_ascii=False)
