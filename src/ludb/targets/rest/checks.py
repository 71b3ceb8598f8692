"""The outputs of one system, each held to the request that the API describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from ludb.dialects.http.request import Route
from ludb.model.findings import Finding
from ludb.model.unit import POSITION
from ludb.targets.rest.openapi import Description, Operation
from ludb.targets.rest.openapi_compare import compare, members_of


class Checks:
    """The description of one system, and which of its requests each output makes."""

    def __init__(self, system: str, file: Path, routes: Mapping[str, Route]) -> None:
        """ConfigError for a file that cannot be read, and for a request (also an undo, update or probe) that it lacks."""
        self._system = system
        self._description = Description(file, f"systems.{system}.openapi")
        self._operations: dict[str, Operation] = {}
        for name, route in routes.items():
            self._operations[name] = self._description.operation(route.send, f"outputs.{name}.call")
            if route.bulk is not None:
                self._description.operation(route.bulk.request, f"outputs.{name}.bulk.call")
            for field in ("undo", "update", "probe"):
                template = getattr(route, field)
                if template is not None:
                    self._description.operation(template, f"outputs.{name}.{field}")

    def check(self, output: str, body: str) -> None:
        """UnitError where the document is not what the API takes."""
        self._description.check(output, self._operations[output], body)

    def compare(self, output: str, route: Route, columns: pa.Schema) -> Sequence[Finding]:
        """What an output's columns lack, and what of them the API does not know."""
        sent = {field.name: field.type for field in columns if field.name not in {POSITION, *route.spec.row}}
        filled = None
        if route.marker is not None:
            filled = route.marker.holder[0] if route.marker.holder else route.marker.name
        operation = self._operations[output]
        where, table = f"({operation.method} {operation.path})", output.partition(".")[2]
        found = [
            Finding(
                severity,
                self._system,
                f"{output}: {text} {where}",
                "Mend the SELECT" if severity == "error" else "",
                table,
            )
            for severity, text in compare(self._description, operation, sent, filled)
        ]
        for place in _open(self._description, operation.schema, sent, "$"):
            text = f"{output}: {place} is NULL, and the API must have it {where}"
            found.append(Finding("error", self._system, text, "Put a column or a value in the place of NULL", table))
        return found


def _open(description: Description, schema: Any, columns: Mapping[str, pa.DataType], place: str) -> Iterator[str]:
    """Members that must be there and are a NULL of no type: nobody has said yet what they hold, as `ludb init` leaves them."""
    members, required = members_of(description, schema)
    for name, carried in columns.items():
        here, inner, kind = f"{place}.{name}", members.get(name, {}), carried
        while pt.is_list(kind):
            here, kind, inner = f"{here}[]", kind.value_type, description.resolved(inner).get("items") or {}
        if pt.is_null(kind) and name in required:
            yield here
        elif pt.is_struct(kind):
            yield from _open(description, inner, {field.name: field.type for field in kind}, here)
