"""Small languages of an output's call: `$.a.b[0]` reads a value, `GET /x/{id}` is a request, a marker is a place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_STEP = re.compile(r"\.([^.\[\]'\"\s]+)|\[(\d+)\]|\['([^']+)'\]")
_HOLE = re.compile(r"\{([^{}]*)\}")
_LINE = re.compile(r"([A-Z]+)\s+(/\S*)")


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A place in an answer: `$.a.b[0].c`, `$['a b']`, `$` for all of it, or `$header.Location` (JSONPath without filters)."""

    text: str
    steps: tuple[str | int, ...] = ()
    header: str | None = None

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path; ValueError says what is wrong with it."""
        if text.startswith("$header."):
            return cls(text, header=text.removeprefix("$header.").lower())
        steps: list[str | int] = []
        at = 1
        while text.startswith("$") and at < len(text) and (found := _STEP.match(text, at)):
            name, index, quoted = found.groups()
            steps.append(int(index) if index is not None else name or quoted)
            at = found.end()
        if text == "$":
            return cls(text)
        if not steps or at != len(text):
            raise ValueError(f"{text!r} is no path like $.id, $.a.b[0].c or $header.Location")
        return cls(text, tuple(steps))

    def find(self, document: Any) -> Any:
        """The value at this place; None where there is none."""
        for step in self.steps:
            if isinstance(step, int):
                document = document[step] if isinstance(document, list) and step < len(document) else None
            else:
                document = document.get(step) if isinstance(document, dict) else None
        return document

    def text_in(self, document: Any, headers: Mapping[str, str]) -> str | None:
        """The single value at this place as text, numbers with the digits they came with; None if there is none."""
        value = headers.get(self.header) if self.header is not None else self.find(document)
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Template:
    """A request line with holes, `DELETE /customer/{id}`; what fills a hole is quoted, so that it stays one segment."""

    method: str
    path: str

    @classmethod
    def parse(cls, line: str) -> Template:
        """Read `METHOD /path`; ValueError says what is wrong with it."""
        found = _LINE.fullmatch(line.strip())
        if found is None or "#" in line or not line.isascii():
            raise ValueError(f"{line!r} is no request line like GET /customer/{{id}} (other letters percent-encoded)")
        template = cls(found[1], found[2])
        if "" in template.holes or "{" in _HOLE.sub("", template.path) or "}" in _HOLE.sub("", template.path):
            raise ValueError(f"{line!r} has a brace without a name")
        return template

    @property
    def holes(self) -> tuple[str, ...]:
        """The names between braces, in order."""
        return tuple(_HOLE.findall(self.path))

    def fill(self, values: Mapping[str, str]) -> str:
        """The path with its holes filled; KeyError for a missing value."""
        return _HOLE.sub(lambda hole: quote(values[hole[1]], safe=""), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def is_segment(text: str | None) -> bool:
    """Whether a value can stand in a path: an empty one or a dot would address the whole collection."""
    return text not in {None, "", ".", ".."}


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a document carries its call id: an element `{name, value}` of a list, or a plain member of the document.

    `$.characteristic.ludbCall` is the element named `ludbCall` of the list `characteristic`; `$.externalId` a member.
    """

    holder: tuple[str, ...]
    name: str

    @classmethod
    def parse(cls, text: str) -> Marker:
        """Read a marker's path; ValueError says what is wrong with it."""
        steps = JsonPath.parse(text).steps
        names = tuple(step for step in steps if isinstance(step, str))
        if not names or len(names) != len(steps):
            raise ValueError(f"{text!r} is no marker like $.characteristic.ludbCall or $.externalId")
        return cls(names[:-1], names[-1])

    def put(self, document: dict[str, Any], call_id: str) -> None:
        """Write the call id into the document, in place; ValueError where the document already uses that place."""
        if not self.holder:
            if document.get(self.name) is not None:
                raise ValueError(f"member `{self.name}` is the marker's and must not be filled")
            document[self.name] = call_id
            return
        place: Any = document
        for name in self.holder[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise ValueError(f"member `{name}` must be an object, as it holds the marker")  # noqa: TRY004  (data, not code)
        elements = place.setdefault(self.holder[-1], [])
        if not isinstance(elements, list):
            raise ValueError(f"member `{self.holder[-1]}` must be a list, as it holds the marker")  # noqa: TRY004
        if any(isinstance(element, dict) and element.get("name") == self.name for element in elements):
            raise ValueError(f"`{self.holder[-1]}` already holds an element named `{self.name}`, which is the marker's")
        elements.append({"name": self.name, "value": call_id})

    def readable(self, document: Mapping[str, Any]) -> bool:
        """Whether the document shows the place where a marker would be (a summary view may leave it out)."""
        return isinstance(self._place(document), list) if self.holder else self.name in document

    def is_in(self, document: Mapping[str, Any], call_id: str) -> bool:
        """Whether the document truly carries this call's id, letter by letter."""
        if not self.holder:
            return bool(document.get(self.name) == call_id)
        place = self._place(document)
        wanted = (self.name, call_id)
        return isinstance(place, list) and any(
            isinstance(element, dict) and (element.get("name"), element.get("value")) == wanted for element in place
        )

    def names(self, document: Mapping[str, Any]) -> bool:
        """Whether the document carries an element with the marker's name, whosesoever id it holds."""
        place = self._place(document)
        return isinstance(place, list) and any(isinstance(one, dict) and one.get("name") == self.name for one in place)

    def _place(self, document: Mapping[str, Any]) -> Any:
        return JsonPath("", self.holder).find(document)
