"""APIs that take a request and do it later: the answer names a job, and the job is asked until it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import aiohttp

from ludb.dialects.http.heard import Heard, retry_after_of
from ludb.dialects.http.paths import JsonPath, Template
from ludb.errors import ConfigError
from ludb.model.job import AcceptedSpec


@dataclass(frozen=True, slots=True)
class Later:
    """An output's `accepted:`, read once."""

    spec: AcceptedSpec
    state: JsonPath
    job: JsonPath
    address: JsonPath | None
    request: Template | None
    returns: Mapping[str, JsonPath]

    @classmethod
    def of(cls, spec: AcceptedSpec, needed: set[str], field: str) -> Later:
        """Read it; ConfigError for a path or line that is none, and for a value of `needed` that a job does not give."""
        try:
            request = None if spec.poll.startswith("$") else Template.parse(spec.poll)
            paths = {name: JsonPath.parse(path) for name, path in spec.returns.items()}
            state, job = JsonPath.parse(spec.state), JsonPath.parse(spec.job)
            address = JsonPath.parse(spec.poll) if request is None else None
        except ValueError as error:
            raise ConfigError(str(error), field=field, remedy="Mend the text of this field") from None
        if request is not None and set(request.holes) != {"job"}:
            raise ConfigError(f"`{spec.poll}` must hold {{job}}", field=f"{field}.poll", remedy="Write GET /jobs/{job}")
        missing = sorted(needed - set(paths))
        if missing:
            raise ConfigError(
                f"a job's answer is not the object: nothing says where it holds {', '.join(missing)}",
                field=f"{field}.returns",
                remedy=f"Say accepted: {{returns: {{{missing[0]}: $.path}}}}",
            )
        return cls(spec, state, job, address, request, paths)


class Asker(Protocol):
    """What a job is asked with: the exchange of the system."""

    async def ask(self, session: aiohttp.ClientSession, path: str) -> Heard:
        """A GET, by a path or by a whole address."""

    async def pause(self, seconds: float) -> bool:
        """Wait; False if nothing is to leave any more."""

    def elapsed(self) -> float:
        """Seconds on a monotonic clock."""

    def here(self, location: str, path: str) -> str | None:
        """The whole address of a Location that was answered to a path; None where it leads to another server."""


async def brought_to_its_end(
    asker: Asker, session: aiohttp.ClientSession, later: Later, first: Heard, path: str
) -> Heard:
    """What became of work that was accepted: the job's last answer with `ended` set, its values where the output says.

    `ended` is `done`, `failed`, or why nobody knows. Asking again after errors is safe: it changes nothing.
    """
    where = _where(asker, later, first, path)
    if where is None:
        return replace(first, ended="the answer names no job that could be asked for here")
    spec, began, heard = later.spec, asker.elapsed(), first
    while True:
        left = spec.within - (asker.elapsed() - began)
        asked = retry_after_of(heard)
        if left <= 0:
            return replace(heard, ended=f"the job was not done within {spec.within:g} s")
        if not await asker.pause(min(max(spec.every, asked or 0.0), left)):
            return replace(heard, ended="stopped while the job was not done")
        heard = await asker.ask(session, where)
        ended = _ended(later, heard)
        if ended:
            return replace(heard, ended=ended, status=first.status)


def _where(asker: Asker, later: Later, first: Heard, path: str) -> str | None:
    document = _document(first)
    if later.request is not None:
        job = later.job.text_in(document, first.headers)
        return None if not job else later.request.fill({"job": job})
    assert later.address is not None
    address = later.address.text_in(document, first.headers)
    return asker.here(address, path) if address else None


def _ended(later: Later, heard: Heard) -> str:
    """`done`, `failed`, or nothing while it goes on or cannot be told: then it is asked again."""
    if heard.status == 303:
        return "done"  # it leads to the object
    if heard.status is None or not 200 <= heard.status < 300:
        return ""
    state = later.state.text_in(_document(heard), heard.headers)
    if state in later.spec.done:
        return "done"
    return "failed" if state in later.spec.failed else ""


def _document(heard: Heard) -> Any:
    try:
        return heard.json()
    except ValueError:
        return None


def values(later: Later, heard: Heard) -> dict[str, str]:
    """The values of a job's last answer, as text."""
    document = _document(heard)
    found = {name: path.text_in(document, heard.headers) for name, path in later.returns.items()}
    return {name: text for name, text in found.items() if text is not None}
