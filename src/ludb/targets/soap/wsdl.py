"""A WSDL as far as calls need it: operations, what goes in, what comes out, and envelopes. The one module that speaks zeep."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport
from zeep.wsse.username import UsernameToken
from zeep.xsd import AnySimpleType, ComplexType
from zeep.xsd.elements import Choice
from zeep.xsd.elements.indicators import Indicator

from ludb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Shape:
    """What an element holds: members by name, or one value (`members` is None) whose XSD type is `kind`."""

    name: str
    kind: str
    members: Mapping[str, Shape] | None
    required: bool
    several: bool
    simple: Any = None

    def misfit(self, text: str) -> bool:
        """Whether a text is no value of this simple type."""
        try:
            self.simple.pythonvalue(text)
        except (ValueError, ArithmeticError, TypeError, KeyError):
            return True
        return False


class _Kept:
    """Documents of a WSDL that came over the network, kept in the state directory: every process of a run reads the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.xml"

    def get(self, url: str) -> bytes | None:
        path = self._path(url)
        return path.read_bytes() if path.exists() else None

    def add(self, url: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(url)
        fresh = path.with_suffix(f".{id(self)}")
        fresh.write_bytes(content)
        fresh.replace(path)


class Description:
    """One port of a WSDL. ConfigError (with `field` of the system) where it cannot be read or has no such port."""

    def __init__(
        self,
        system: str,
        wsdl: str,
        folder: Path,
        kept: Path,
        *,
        service: str | None,
        port: str | None,
        security: tuple[str, str, bool] | None,
        headers: Mapping[str, str],
    ) -> None:
        """Read it: a file from `folder`, or an address, whose documents are kept in `kept`. `security` as user, password,
        digest.
        """
        self._system = system
        place = wsdl if wsdl.startswith(("http://", "https://")) else str(folder / wsdl)
        token = UsernameToken(security[0], security[1], use_digest=security[2]) if security else None
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update(headers)
            try:
                transport = Transport(session=session, cache=_Kept(kept), timeout=30, operation_timeout=30)
                self._client = zeep.Client(place, wsse=token, transport=transport)
                self._service = self._client.bind(service, port)
            except (OSError, requests.RequestException, ZeepError, etree.Error, ValueError, KeyError) as error:
                raise ConfigError(
                    f"system {system}: the WSDL {wsdl} cannot be used: {_why(error)}",
                    field=f"systems.{system}.wsdl", remedy="Mend wsdl:, service: or port:",
                ) from None  # fmt: skip
        self._binding = self._service._binding  # noqa: SLF001  (its only door)

    @property
    def is_newer(self) -> bool:
        """Whether messages are SOAP 1.2."""
        return type(self._binding).__name__ == "Soap12Binding"

    @property
    def operations(self) -> Sequence[str]:
        """Their names."""
        return sorted(self._binding.all())

    def input(self, operation: str) -> Shape:
        """What a message of the operation holds."""
        return _shape(operation, self._operation(operation).input.body, True, False, 0)

    def output(self, operation: str) -> Shape | None:
        """What its answer holds; None where it says nothing."""
        output = self._operation(operation).output
        return None if output is None or output.body is None else _shape(operation, output.body, True, False, 0)

    def envelope(
        self, operation: str, arguments: Mapping[str, Any], head: tuple[str, str] | None
    ) -> tuple[bytes, dict[str, str]]:
        """A message and its HTTP headers. `head` is a SOAP header element and its text. ValueError names what is wrong."""
        own = []
        if head is not None:
            element = etree.Element(head[0])
            element.text = head[1]
            own.append(element)
        try:
            made, headers = self._binding._create(  # noqa: SLF001  (as zeep's own transport does)
                operation, (), {**arguments, **({"_soapheaders": own} if own else {})}, client=self._client
            )
        except (ZeepError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise ValueError(_why(error)) from None
        text = etree.tostring(made, xml_declaration=True, encoding="utf-8")
        return text, {name: str(value) for name, value in headers.items()}

    def _operation(self, name: str) -> Any:
        found = self._binding.all().get(name)
        if found is None:
            raise ConfigError(
                f"system {self._system}: the WSDL has no operation {name!r}",
                remedy=f"Operations that are there: {', '.join(self.operations)}",
            )
        return found


def _shape(name: str, element: Any, required: bool, several: bool, depth: int) -> Shape:
    kind = getattr(element, "type", None)
    if isinstance(kind, ComplexType) and depth < 20:
        needed = _required(kind)
        members = {
            inner: _shape(inner, one, inner in needed, bool(one.accepts_multiple), depth + 1)
            for inner, one in kind.elements
        }
        for inner, one in kind.attributes:
            if inner is not None:
                members[inner] = _shape(inner, one, bool(one.required), False, depth + 1)
        if members or not any(inner == "_value_1" for inner, _ in kind.elements):
            return Shape(name, str(kind.name or name), members, required, several)
    simple = kind if isinstance(kind, AnySimpleType) else None
    return Shape(name, str(getattr(kind, "name", "") or "anyType"), None, required, several, simple)


def _required(kind: Any) -> set[str]:
    """Names of elements that must be there, whatever is chosen."""
    found: set[str] = set()

    def walk(group: Any) -> None:
        if isinstance(group, Choice) or int(group.min_occurs) == 0:
            return
        for one in group:
            if isinstance(one, Indicator):
                walk(one)
            elif int(one.min_occurs) > 0 and one.default is None and one.attr_name is not None:
                found.add(one.attr_name)

    for _, group in kind.elements_nested:
        if isinstance(group, Indicator):
            walk(group)
    return found


def _why(error: Exception) -> str:
    """What is wrong by zeep's own words, which hold names only; those of other libraries may hold addresses."""
    if isinstance(error, ZeepError | KeyError | TypeError):
        return str(error) or type(error).__name__
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
