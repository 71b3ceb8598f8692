"""What the two APIs demand of a document: the mandatory attributes and types of TMF629 and TMF638, version 4."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

STATES = ("feasibilityChecked", "designed", "reserved", "inactive", "active", "terminated")
"""Values of `Service.state`."""


@dataclass(frozen=True)
class Kind:
    """One resource of one API: where it lives, which attribute lists its characteristics, what it must have."""

    api: str
    base: str
    collection: str
    traits: str
    check: Callable[[Document], Iterator[str]]

    @property
    def path(self) -> str:
        """The path of the collection."""
        return f"{self.base}/{self.collection}"


def mistakes(kind: Kind, document: object) -> list[str]:
    """Why the API refuses the document, one sentence each, without its values; empty where it takes it."""
    if not isinstance(document, dict):
        return [f"a {kind.collection} is a JSON object"]
    found = [f"{name} is assigned by the server" for name in ("id", "href") if document.get(name) is not None]
    return found + list(kind.check(document))


def _customer(document: Document) -> Iterator[str]:
    yield from _text(document, "name", mandatory=True)
    yield from _text(document, "status")
    party = document.get("engagedParty")
    if party is None:
        yield "engagedParty is mandatory"
    else:
        yield from _reference("engagedParty", party, "id", "@referredType")
    for at, one in _elements(document, "account"):
        yield from _reference(at, one, "name")
    for at, one in _elements(document, "contactMedium"):
        yield from _reference(at, one, "mediumType")
        if isinstance(one, dict) and not isinstance(one.get("characteristic"), dict):
            yield f"{at}.characteristic is mandatory"
    yield from _lists(document, "account", "contactMedium", "characteristic", "relatedParty")
    yield from _traits(document, "characteristic")
    yield from _related(document)


def _service(document: Document) -> Iterator[str]:
    yield from _text(document, "name")
    state = document.get("state")
    if state is None:
        yield "state is mandatory"
    elif state not in STATES:
        yield f"state is none of {', '.join(STATES)}"
    specification = document.get("serviceSpecification")
    if specification is None:
        yield "serviceSpecification is mandatory"
    else:
        yield from _reference("serviceSpecification", specification, "id")
    yield from _lists(document, "serviceCharacteristic", "relatedParty", "supportingResource", "place", "note")
    yield from _traits(document, "serviceCharacteristic")
    yield from _related(document)


def _related(document: Document) -> Iterator[str]:
    for at, one in _elements(document, "relatedParty"):
        yield from _reference(at, one, "id", "@referredType")


def _traits(document: Document, attribute: str) -> Iterator[str]:
    for at, one in _elements(document, attribute):
        yield from _reference(at, one, "name")
        if isinstance(one, dict) and one.get("value") is None:
            yield f"{at}.value is mandatory"


def _reference(place: str, value: object, *mandatory: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is an object"
        return
    for name in mandatory:
        for mistake in _text(value, name, mandatory=True):
            yield f"{place}.{mistake}"


def _text(document: Document, name: str, *, mandatory: bool = False) -> Iterator[str]:
    value = document.get(name)
    if value is None:
        if mandatory:
            yield f"{name} is mandatory"
    elif not isinstance(value, str):
        yield f"{name} is a string"
    elif mandatory and not value.strip():
        yield f"{name} must not be blank"


def _lists(document: Document, *names: str) -> Iterator[str]:
    for name in names:
        if document.get(name) is not None and not isinstance(document[name], list):
            yield f"{name} is an array"


def _elements(document: Document, name: str) -> Iterator[tuple[str, object]]:
    value = document.get(name)
    if isinstance(value, list):
        for at, one in enumerate(value):
            yield f"{name}[{at}]", one


CUSTOMER = Kind("crm", "/tmf-api/customerManagement/v4", "customer", "characteristic", _customer)
SERVICE = Kind("inventory", "/tmf-api/serviceInventory/v4", "service", "serviceCharacteristic", _service)
KINDS: Mapping[str, Kind] = {kind.api: kind for kind in (CUSTOMER, SERVICE)}
"""The simulated APIs by name."""
