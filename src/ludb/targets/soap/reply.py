"""What a SOAP answer means: its body as a document, or its fault as one of few meanings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from ludb.dialects.http.heard import Heard
from ludb.targets.soap.settings import FaultRule, Means
from ludb.targets.soap.wsdl import Shape

ENVELOPES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
_OURS = {"Client", "Sender"}
_CREDENTIAL = {
    "FailedAuthentication",
    "InvalidSecurityToken",
    "FailedCheck",
    "InvalidSecurity",
    "SecurityTokenUnavailable",
}
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
_SAID = {"reject": 400, "absent": 404, "fatal": 400, "denied": 401}
"""The HTTP status that says the same, by which the rules of HTTP calls go."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its codes without prefixes, its text, the names of elements in its detail."""

    codes: tuple[str, ...]
    text: str
    details: tuple[str, ...]

    def meaning(self, rules: Sequence[FaultRule]) -> Means | str:
        """What it means: the first rule that fits; else a refused credential, a document that is refused, or nobody knows."""
        for rule in rules:
            fits = (
                (rule.code is None or rule.code in self.codes)
                and (rule.text is None or re.search(rule.text, self.text) is not None)
                and (rule.detail is None or rule.detail in self.details)
            )
            if fits:
                return rule.means
        if _CREDENTIAL & set(self.codes):
            return "denied"
        return "reject" if _OURS & set(self.codes) else "ambiguous"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the rules of HTTP calls read it. `fault` is the code of a fault, `means` what it means."""

    heard: Heard
    fault: str = ""
    means: str = ""


def understood(heard: Heard, output: Shape | None, rules: Sequence[FaultRule], again: float) -> Reply:
    """The answer of an operation; `again` in seconds is when a fault that means `retry` is tried again.

    A success becomes a JSON document of texts. A status that speaks of the address and not of the object (404) is never
    taken for "there is no such object".
    """
    if heard.status is None or heard.wait is not None or heard.status in {401, 403, 409, 429}:
        return Reply(heard)
    body = _body(heard.body)
    if body is None:
        return Reply(_without_envelope(heard, heard.status))
    found = next((one for one in body if isinstance(one.tag, str)), None)
    if found is not None and _name(found) == "Fault" and _space(found) in ENVELOPES:
        return _faulty(heard, _fault(found), rules, again)
    if not 200 <= heard.status < 300:
        return Reply(heard)
    document = {} if found is None else _read(found, output)
    return Reply(replace(heard, status=200, body=json.dumps(document, ensure_ascii=False).encode()))


def _without_envelope(heard: Heard, status: int) -> Heard:
    if status in {202, 204} and not heard.body.strip():
        return replace(heard, status=200)
    if 400 <= status < 500 and status != 408:
        return replace(heard, status=400)
    if 200 <= status < 300:
        return replace(heard, status=None, failure=f"it answered {status} with what is no SOAP envelope")
    return heard


def _faulty(heard: Heard, fault: Fault, rules: Sequence[FaultRule], again: float) -> Reply:
    means, code = fault.meaning(rules), ".".join(fault.codes[:2]) or "without a code"
    if means == "retry":
        return Reply(replace(heard, wait=again), code, means)
    if means == "ambiguous":
        return Reply(replace(heard, status=500), code, means)
    return Reply(replace(heard, status=_SAID[means]), code, means)


def _body(content: bytes) -> Any:
    """The Body element; None where this is no SOAP envelope."""
    try:
        root = etree.fromstring(content, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root is None or _name(root) != "Envelope" or _space(root) not in ENVELOPES or root.getroottree().docinfo.doctype:
        return None
    return root.find(f"{{{_space(root)}}}Body")


def _fault(element: Any) -> Fault:
    """SOAP 1.1 (`faultcode`, `faultstring`, `detail`) or 1.2 (`Code`, `Reason`, `Detail`)."""
    parts = {_name(one): one for one in element if isinstance(one.tag, str)}
    code = parts["faultcode"] if "faultcode" in parts else parts.get("Code")
    codes = []
    if code is not None:
        told = [code.text] if _name(code) == "faultcode" else [one.text for one in code.iter() if _name(one) == "Value"]
        codes = [text.strip().rpartition(":")[2] for text in told if text]
    codes += [part for text in codes if "." in text for part in text.split(".")]
    reason = parts["faultstring"] if "faultstring" in parts else parts.get("Reason")
    detail = parts["detail"] if "detail" in parts else parts.get("Detail")
    names = (
        []
        if detail is None
        else [_name(one) for one in detail.iter() if one is not detail and isinstance(one.tag, str)]
    )
    text = "" if reason is None else "".join(reason.itertext()).strip()
    return Fault(tuple(codes), text, tuple(names))


def _read(element: Any, shape: Shape | None) -> Any:
    """An element as a document of texts: names without namespaces; what may repeat is a list, also where it is alone."""
    if element.get("{http://www.w3.org/2001/XMLSchema-instance}nil") in {"true", "1"}:
        return None
    children = [one for one in element if isinstance(one.tag, str)]
    members = (shape.members if shape else None) or {}
    if not children and not members:
        return element.text or ""
    found: dict[str, Any] = {name: [] for name, one in members.items() if one.several}
    found |= {re.sub(r"^\{.*\}", "", str(name)): value for name, value in element.attrib.items()}
    for one in children:
        name = _name(one)
        value = _read(one, members.get(name))
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _name(element: Any) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def _space(element: Any) -> str:
    return str(etree.QName(element).namespace or "")
