"""A REST API as call target: builds requests, sends them concurrently, says what is known afterwards."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import aiohttp
import pyarrow as pa

from ludb.dialects.http.answer import conclude
from ludb.dialects.http.bulk import Bulk
from ludb.dialects.http.client import HttpClient
from ludb.dialects.http.heard import Heard
from ludb.dialects.http.later import brought_to_its_end
from ludb.dialects.http.paths import Template, is_segment
from ludb.dialects.http.request import Route
from ludb.dialects.http.settings import RestSystem
from ludb.dialects.http.statuses import meaning_of
from ludb.dialects.http.waiting import wait_for
from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.calls import Ability, Action, Answer, CallRequest, Result
from ludb.model.findings import Finding
from ludb.model.job import OutputSpec

if TYPE_CHECKING:
    from ludb.targets.rest.checks import Checks


def _utc() -> datetime:
    return datetime.now(UTC)


def _checks(name: str, settings: RestSystem, folder: Path, routes: Mapping[str, Route]) -> Checks | None:
    if settings.openapi is None:
        return None
    from ludb.targets.rest.checks import Checks  # noqa: PLC0415  (libraries that only this needs: 0.2 s)

    return Checks(name, folder / settings.openapi, routes)


class RestTarget(HttpClient):
    """Writes documents to an HTTP API, one row one call (`ludb.ports.target.CallTarget`; docs/reference/rest.md).

    Connections open with the first `perform` and live in one background thread until `close`.
    """

    Settings: ClassVar[type[RestSystem]] = RestSystem

    def __init__(
        self,
        name: str,
        settings: RestSystem,
        surroundings: Surroundings,
        outputs: Mapping[str, OutputSpec],
        *,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], datetime] = _utc,
    ) -> None:
        """`outputs` by full name (`crm.customer`). ConfigError names a template, marker or path that is wrong."""
        super().__init__(name, settings, surroundings, jitter, now)
        self._settings = settings
        self._routes = {output.name: Route.of(output) for output in outputs.values()}
        self._checks = _checks(name, settings, surroundings.folder, self._routes)

    def ability(self, output: str) -> Ability:
        """What the output's templates allow; see the port."""
        route = self._route(output)
        return Ability(
            undo=route.undo is not None,
            probe=route.probe is not None,
            update=route.update is not None,
            idempotent_ttl=route.spec.idempotent_ttl,
            settle=route.spec.settle,
            max_delay=self._settings.max_delay + (route.later.spec.within if route.later else 0.0),
            patience=self._settings.patience(route.spec.set_aside),
            flight=self._settings.in_flight * (route.bulk.spec.size if route.bulk else 1),
        )

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """The request for one document, marker included; see the port."""
        request = self._route(output).request(document, call_id)
        most, size = self._settings.max_document, len(request.body.encode())
        if most is not None and size > most:
            raise UnitError(
                f"output {output}: the document has {size:,} bytes, and system {self._name} takes {most:,} "
                "(`max_document`). Send less of it, or raise the limit"
            )
        if self._checks is not None:
            self._checks.check(output, request.body)
        return request

    def compare(self, output: str, columns: pa.Schema) -> Sequence[Finding]:
        """An output's columns against the API's description; see `ludb.ports.target.CanCompare`."""
        return [] if self._checks is None else self._checks.compare(output, self._route(output), columns)

    def described(self) -> bool:
        """Whether the system has an `openapi:` file; see `ludb.ports.target.CanCompare`."""
        return self._checks is not None

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """Results as they end, one per action; see the port. Nothing is sent before the first result is asked for.

        Closed early, it cancels the rest: an action without a result may or may not have reached the server. An action
        that the output has no template for raises ConfigError before anything is sent.
        """
        together: dict[str, list[Action]] = {}
        jobs: list[Callable[[aiohttp.ClientSession], Awaitable[list[Result]]]] = []
        for action in actions:
            template = self._template(action)
            if action.kind == "send" and self._route(action.call.output).bulk is not None:
                together.setdefault(action.call.output, []).append(action)
            else:
                jobs.append(partial(self._alone, action, template))
        for output, alike in together.items():
            bulk = self._route(output).bulk
            assert bulk is not None
            jobs += [partial(self._together, one, bulk) for one in bulk.batches(alike, self._settings.max_document)]
        for results in self._pool.run(jobs):
            for result in results:
                self._exchange.meter.answered(result.answer)
                yield result

    def _route(self, output: str) -> Route:
        route = self._routes.get(output)
        if route is None:
            raise ConfigError(
                f"system {self._name} has no output {output}",
                field=f"outputs.{output}",
                remedy="Declare it with `call:`",
            )
        return route

    def _template(self, action: Action) -> Template:
        route = self._route(action.call.output)
        templates = {"send": route.send, "probe": route.probe, "undo": route.undo, "update": route.update}
        template = templates[action.kind]
        if template is None:
            raise ConfigError(
                f"output {route.output} has no `{action.kind}`",
                field=f"outputs.{route.output}.{action.kind}",
                remedy=f"Give it one, such as `{action.kind}: METHOD /path`",
            )
        return template

    async def _alone(self, action: Action, template: Template, session: aiohttp.ClientSession) -> list[Result]:
        return [await self._act(action, template, session)]

    async def _together(self, actions: Sequence[Action], bulk: Bulk, session: aiohttp.ClientSession) -> list[Result]:
        """Many documents in one request. One that is refused as a whole did nothing: it is sent again in halves, until the
        document that the server does not take stands alone.
        """
        route = self._route(actions[0].call.output)
        statuses = route.spec.statuses
        heard = await self._exchange.send(
            session, bulk.request.method, route.bulk_path(bulk), body=bulk.body(actions),
            headers=route.headers("") | self._key(bulk.key(actions)), statuses=statuses,
        )  # fmt: skip
        taken = heard.status is not None and 200 <= heard.status < 300 and meaning_of(statuses, heard.status) is None
        if taken or meaning_of(statuses, heard.status) == "success":
            each = [self._waiting(one, statuses) for one in bulk.apart(heard, actions, route.marker)]
            return [conclude(action, one, route, self._identity) for action, one in zip(actions, each, strict=True)]
        results = [replace(conclude(action, heard, route, self._identity), together=len(actions)) for action in actions]
        if len(actions) == 1 or not any(result.answer is Answer.REJECTED for result in results):
            return results
        half = len(actions) // 2
        parts = [await self._together(part, bulk, session) for part in (actions[:half], actions[half:])]
        return [result for part in parts for result in part]

    def _waiting(self, heard: Heard, statuses: Mapping[str, str]) -> Heard:
        """One document of many that the server asks to send again later: its chunk comes back to it."""
        wait = wait_for(heard, 0, self._jitter(), self._now(), statuses)
        return heard if wait is None else replace(heard, wait=wait)

    async def _act(self, action: Action, template: Template, session: aiohttp.ClientSession) -> Result:
        call, route = action.call, self._route(action.call.output)
        headers = route.headers(call.id)
        body: str | None = None
        if action.kind == "send":
            method, path, body = call.request.method, call.request.path, call.request.body
            headers |= self._key(call.id)
        elif action.kind == "probe":
            method, path = template.method, template.fill({"call_id": call.id})
        elif not is_segment(call.server_id):
            reason = f"output {call.output}: no server id is known, so {template} was not sent"
            return Result(action, Answer.REJECTED, reason=reason)
        else:
            server_id = call.server_id or ""
            method, path = template.method, template.fill({"id": server_id})
            if action.kind == "update":
                # A key of its own: under the call's key, a server would repeat its first answer and change nothing.
                body, headers = call.request.body, headers | self._key(f"{call.id}-{call.request.sha[:16]}")
            elif method != "DELETE":
                body, headers = route.undo_document(server_id, call.id), headers | self._key(f"{call.id}-undo")
        heard = await self._exchange.send(
            session, method, path, body=body, headers=headers, statuses=route.spec.statuses
        )
        later = route.later
        if later is not None and heard.status == later.spec.status and action.kind != "probe" and heard.wait is None:
            heard = await brought_to_its_end(self._exchange, session, later, heard, path)
        return conclude(action, heard, route, self._identity)

    def _key(self, value: str) -> dict[str, str]:
        name = self._settings.idempotency_header
        return {name: value} if name else {}
