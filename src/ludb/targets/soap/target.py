"""A SOAP service as call target: documents become messages by its WSDL, faults become what is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa

from ludb.dialects.files import parse_json
from ludb.dialects.http.answer import BODY_LIMIT, conclude
from ludb.dialects.http.auth import by_reference
from ludb.dialects.http.client import HttpClient, utc
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.paths import is_segment
from ludb.dialects.http.pool import Session
from ludb.dialects.http.request import Route
from ludb.dialects.http.waiting import BACKOFF_LIMIT
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.calls import Ability, Action, Answer, CallRequest, Result
from ludb.model.findings import Finding
from ludb.model.job import CallSpec, OutputSpec
from ludb.model.unit import POSITION
from ludb.targets.soap.message import arguments, compare, merged, operation_of
from ludb.targets.soap.reply import Reply, understood
from ludb.targets.soap.settings import SoapSystem
from ludb.targets.soap.wsdl import Description

_METHOD = "SOAP"
_OF_REST: Mapping[str, str] = {
    "query": "query", "statuses": "status", "echo": "echo", "accepted": "accepted", "bulk": "bulk", "undo_body": "undo.body",
}  # fmt: skip
"""Fields of a call that SOAP has no place for, and how `job.yaml` names them."""


class SoapTarget(HttpClient):
    """Writes documents to a SOAP service, one row one call (`ludb.ports.target.CallTarget`; docs/reference/soap.md).

    What is journaled is the document, not the envelope: no credential and no time is in it. An envelope is made when it is
    sent. The WSDL is read with the first request, or by `check`.
    """

    Settings: ClassVar[type[SoapSystem]] = SoapSystem

    def __init__(
        self,
        name: str,
        settings: SoapSystem,
        surroundings: Surroundings,
        outputs: Mapping[str, OutputSpec],
        *,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = utc,
    ) -> None:
        """`outputs` by full name (`billing.account`). ConfigError names a call, marker or path that is wrong."""
        super().__init__(name, settings, surroundings, jitter, now, "text/xml")
        self._settings, self._surroundings = settings, surroundings
        by_reference(settings.security, "security", surroundings.variables, f"systems.{name}")
        if settings.security is not None:
            self._identity = _known_by(self._identity, settings, surroundings)
        self._routes = {output.name: _route(output) for output in outputs.values()}
        self._read: Description | None = None

    def ability(self, output: str) -> Ability:
        """What the output's operations allow; see the port."""
        route = self._route(output)
        return Ability(
            undo=route.undo is not None,
            probe=route.probe is not None,
            update=route.update is not None,
            idempotent_ttl=route.spec.idempotent_ttl,
            settle=route.spec.settle,
            max_delay=self._settings.max_delay,
            patience=self._settings.patience(route.spec.set_aside),
            flight=self._settings.in_flight,
        )

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """The document as journaled, marker included, held to the operation's types; see the port."""
        route = self._route(output)
        request = route.request(document, call_id)
        try:
            content, _ = self._message(request.path, request.body, call_id)
        except ValueError as error:
            raise UnitError(f"output {output}: {error}. Mend the step, or reject the unit in a rule") from None
        most = self._settings.max_document
        if most is not None and len(content) > most:
            raise UnitError(
                f"output {output}: the message has {len(content):,} bytes, and system {self._name} takes {most:,} "
                "(`max_document`). Send less of it, or raise the limit"
            )
        return request

    def compare(self, output: str, columns: pa.Schema) -> Sequence[Finding]:
        """An output's columns against its operation's input; see `ludb.ports.target.CanCompare`."""
        route = self._route(output)
        operation, given = operation_of(route.send.path)
        sent = {field.name: field.type for field in columns if field.name not in {POSITION, *route.spec.row}}
        sent |= {name: pa.null() for name in given}
        filled = set[str]()
        if route.marker is not None:
            filled.add(
                ".".join(("$", *route.marker.holder, *((route.marker.name,) if not route.marker.holder else ())))
            )
        return [
            Finding(severity, self._name, f"{output}: {text}", "Mend the step that fills it", output.partition(".")[2])
            for severity, text in compare(self._description.input(operation), sent, filled)
        ]

    def described(self) -> bool:
        """Never: a WSDL in a file may still name others at addresses; see `ludb.ports.target.CanCompare`."""
        return False

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """Results as they end, one per action; see the port. Nothing is sent before the first result is asked for."""
        jobs = [partial(self._act, action, self._path(action)) for action in actions]
        for result in self._pool.run(jobs):
            self._exchange.meter.answered(result.answer)
            yield result

    def check(self) -> None:
        """Reach the service once, and hold the outputs to its WSDL; see the port."""
        super().check()
        for route in self._routes.values():
            for line in (route.send, route.probe, route.undo, route.update):
                if line is not None:
                    self._description.input(operation_of(line.path)[0])

    @property
    def _description(self) -> Description:
        if self._read is None:
            own, security = self._settings, self._settings.security
            headers = {name: value.get_secret_value() for name, value in own.headers.items()}
            headers |= own.auth.headers() if own.auth else {}
            self._read = Description(
                self._name, own.wsdl, self._surroundings.folder, self._surroundings.state / "wsdl",
                service=own.service, port=own.port, headers=headers,
                security=(security.user, security.password.get_secret_value(), security.digest) if security else None,
            )  # fmt: skip
        return self._read

    def _message(self, path: str, body: str | None, key: str | None) -> tuple[bytes, dict[str, str]]:
        """An envelope and its headers; ValueError names what does not fit. A look-up has no key: a service that recognises
        keys would answer it, or the call itself, with what it said before.
        """
        operation, given = operation_of(path)
        document = merged(parse_json(body) if body else {}, given)
        head = (self._settings.call_id_header, key) if self._settings.call_id_header and key else None
        told = arguments(document, self._description.input(operation))
        return self._description.envelope(operation, told, head)

    def _route(self, output: str) -> Route:
        route = self._routes.get(output)
        if route is None:
            raise ConfigError(
                f"system {self._name} has no output {output}",
                field=f"outputs.{output}",
                remedy="Declare it with `call:`",
            )
        return route

    def _path(self, action: Action) -> str | None:
        """The operation with its arguments; None where no server id is known that it needs."""
        call, route = action.call, self._route(action.call.output)
        if action.kind == "send":
            return call.request.path
        template = {"probe": route.probe, "undo": route.undo, "update": route.update}[action.kind]
        if template is None:
            raise ConfigError(
                f"output {route.output} has no `{action.kind}`",
                field=f"outputs.{route.output}.{action.kind}",
                remedy=f"Give it one, such as `{action.kind}: SOAP /Operation?id={{id}}`",
            )
        if action.kind == "probe":
            return template.fill({"call_id": call.id})
        return template.fill({"id": call.server_id or ""}) if is_segment(call.server_id) else None

    async def _act(self, action: Action, path: str | None, session: Session) -> Result:
        call, route = action.call, self._route(action.call.output)
        if path is None:
            reason = f"output {call.output}: no server id is known, so its {action.kind} was not sent"
            return Result(action, Answer.REJECTED, reason=reason)
        key = {"send": call.id, "update": f"{call.id}-{call.request.sha[:16]}", "undo": f"{call.id}-undo"}.get(
            action.kind
        )
        body = call.request.body if action.kind in {"send", "update"} else None
        try:
            content, headers = self._message(path, body, key)
        except ValueError as error:
            return Result(action, Answer.REJECTED, reason=f"output {call.output}: {error}")
        headers |= route.headers(call.id)
        if key and self._settings.idempotency_header:
            headers[self._settings.idempotency_header] = key
        heard = await self._exchange.send(session, "POST", "", body=content.decode(), headers=headers)
        output = self._description.output(operation_of(path)[0])
        again = BACKOFF_LIMIT * (0.5 + self._jitter() / 2)
        return self._result(action, understood(heard, output, self._settings.faults, again), heard, route)

    def _result(self, action: Action, reply: Reply, heard: Heard, route: Route) -> Result:
        """The result by the rules of HTTP calls; a fault is named by its code, and its text is for the detail alone."""
        result = conclude(action, reply.heard, route, self._identity)
        if not reply.fault:
            return result
        line = {"send": route.send, "probe": route.probe, "undo": route.undo, "update": route.update}[action.kind]
        means = f", which means {reply.means}" if reply.means else ""
        reason = f"fault {reply.fault} from {self._identity.system} at {self._identity.address} to {line}{means}"
        if result.answer is Answer.DENIED:
            reason = f"{reason}: {self._identity.credential} was refused"
        fatal = reply.means == "fatal" and action.kind != "probe"
        return replace(
            result,
            answer=Answer.FATAL if fatal else result.answer,
            status=heard.status,
            reason=reason if result.reason or fatal else "",
            body=self._identity.mask(heard.text)[:BODY_LIMIT],
        )


def _route(output: OutputSpec) -> Route:
    spec = output.call
    if spec is not None:
        _refuse(output.name, spec)
    return Route.of(output)


def _refuse(output: str, spec: CallSpec) -> None:
    """ConfigError for what SOAP has no place for."""
    alien = next((named for name, named in _OF_REST.items() if getattr(spec, name)), None)
    if alien is not None:
        raise ConfigError(
            f"output {output} is called by SOAP, which has no `{alien}`",
            field=f"outputs.{output}.{alien}", remedy=f"Remove `{alien}:`; faults are given their meaning by the system",
        )  # fmt: skip
    lines = {"call": f"{spec.method} {spec.path}", "probe": spec.probe, "undo": spec.undo, "update": spec.update}
    for field, line in lines.items():
        if line is not None and not line.startswith(f"{_METHOD} /"):
            raise ConfigError(
                f"output {output}: `{line}` names no operation",
                field=f"outputs.{output}.{field}", remedy="Write SOAP /Operation, or SOAP /Operation?argument={id}",
            )  # fmt: skip


def _known_by(identity: Any, settings: SoapSystem, surroundings: Surroundings) -> Any:
    """The identity, with what opens messages: named by its variables, and masked."""
    assert settings.security is not None
    names = surroundings.variables.get("security.password", ())
    told = f"credential {', '.join(names)}" if names else "credential in security"
    if not identity.credential.startswith("missing"):
        told = f"{identity.credential}, or {told}"
    secret = settings.security.password.get_secret_value()
    return replace(
        identity, credential=told, secrets=(*identity.secrets, secret) if len(secret) > 3 else identity.secrets
    )
