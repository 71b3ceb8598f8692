"""One server's API as values: who one is goes with every request, a command is sent again under its own key, and each
refusal becomes an error that says what to do.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from requests.exceptions import ConnectionError as NoAnswer
from requests.exceptions import RequestException, SSLError, Timeout

from ludb import __version__
from ludb.errors import ConfigError, TransientError
from ludb.remote.credentials import Address
from ludb.remote.refusals import refusal, told_by, why

Query = Mapping[str, Any]
WAITS = (0.3, 0.7, 1.5)
"""Seconds before a request that had no answer is sent again; then it is over."""
CONNECT, READ = 10.0, 90.0
"""Seconds for a connection; for an answer: some load a job first."""
SILENCE = 45.0
"""Seconds without a word after which a stream is lost: the server says something every 15."""
PAGE = 500
GREETING = "/info"


class Bearer(AuthBase):
    """The token, in every request, whatever else this machine keeps about the host (a `.netrc` would go before)."""

    def __init__(self, token: str) -> None:
        """Keep it."""
        self._token = token

    def __call__(self, request: Any) -> Any:
        """Put it into the request."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Client:
    """Speaks to one server. `ConfigError` where this side is wrong, `TransientError` where the server is away."""

    def __init__(self, address: Address, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is sent yet. `sleep` waits between two tries."""
        self.address, self._sleep = address, sleep
        self._session = requests.Session()
        self._session.auth = Bearer(address.token)
        self._session.headers["User-Agent"] = f"ludb/{__version__}"

    def greet(self) -> None:
        """See that a server of our version is there and knows the token; `ConfigError` naming both versions if not."""
        told = self._json(self._send("GET", GREETING, timeout=CONNECT))
        if told.get("name") != "ludb":
            raise self._stranger()
        mine, theirs = __version__.split(".")[:2], str(told.get("version", "")).split(".")[:2]
        if mine != theirs:
            raise ConfigError(
                f"the server at {self.address.shown} is ludb {told.get('version')}, this is ludb {__version__}",
                remedy="Install the server's version here",
            )

    def get(self, path: str, **query: object) -> Any:
        """What is at a path."""
        return self._json(self._send("GET", f"/api/v1{path}", query=query))

    def pages(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor, **query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Give a command. However often it has to be sent, it is done once: the server knows it by its key."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        told: dict[str, Any] = self._json(self._send(method, f"/api/v1{path}", body=body, headers=headers))
        return told

    def say(self, path: str, body: object) -> dict[str, Any]:
        """Give a command that must not be sent again by itself: the server knows it by no key."""
        told: dict[str, Any] = self._json(self._send("POST", f"/api/v1{path}", body=body, waits=()))
        return told

    def lines(self, path: str, last: str) -> Iterator[str]:
        """The lines of a stream, from the event after `last` on. It ends when the server ends it; `TransientError` when it
        is lost.
        """
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        answer = self._send("GET", f"/api/v1{path}", headers=headers, timeout=SILENCE, stream=True, waits=())
        try:
            with answer:
                for line in answer.iter_lines(chunk_size=1):
                    yield line.decode("utf-8")
        except (RequestException, OSError) as error:
            raise TransientError(f"the line to {self.address.shown} was lost: {why(error)}") from error

    def _send(
        self, method: str, path: str, *, query: Query | None = None, body: Any = None,
        headers: Mapping[str, str] | None = None, timeout: float = READ, stream: bool = False,
        waits: tuple[float, ...] | None = None,
    ) -> Any:  # fmt: skip
        """The answer, if it is a good one. What had none, or was told to come again, is sent again after each of `waits`."""
        for wait in (*(WAITS if waits is None else waits), None):
            try:
                answer = self._session.request(
                    method, self.address.url + path, params=dict(query or {}),
                    json=body, headers=headers, timeout=(CONNECT, timeout), stream=stream, allow_redirects=False,
                    verify=self.address.authorities or True,
                )  # fmt: skip
            except SSLError as error:
                raise self._untrusted(error) from error
            except (NoAnswer, Timeout) as error:
                if wait is None:
                    raise TransientError(
                        f"no answer from the server at {self.address.shown}: {why(error)}",
                        remedy="See that `ludb serve` is up there and can be reached, then give the command again",
                    ) from error
            except RequestException as error:
                raise ConfigError(f"{self.address.shown} cannot be asked: {why(error)}") from error
            else:
                if answer.ok and not answer.is_redirect:
                    return answer
                if wait is None or not _again(answer):
                    raise self._refused(answer, path)
                self._sleep(min(5.0, float(answer.headers.get("Retry-After") or 0)))
            self._sleep(wait or 0.0)
        raise AssertionError  # the last try returns or raises

    def _refused(self, answer: Any, path: str) -> Exception:
        problem = told_by(answer)
        if path == GREETING and answer.status_code == 404:
            return self._stranger()
        if problem is None and (answer.is_redirect or answer.status_code < 500):
            return self._stranger()
        return refusal(answer.status_code, problem or {}, self.address, path)

    def _json(self, answer: Any) -> Any:
        try:
            return json.loads(answer.content)
        except ValueError:
            raise self._stranger() from None

    def _stranger(self) -> ConfigError:
        return ConfigError(
            f"{self.address.shown} does not answer as a server of ludb does",
            remedy="Name the address that `ludb serve` tells when it starts",
        )

    def _untrusted(self, error: Exception) -> ConfigError:
        parts = urlsplit(self.address.url)
        return ConfigError(
            f"the certificate of {parts.hostname} is not trusted here: {why(error)}",
            remedy="Name the file of the authority that signed it: --ca-file FILE, or $LUDB_CA_FILE",
        )


def _again(answer: Any) -> bool:
    """Whether the server says that this very request may be sent again."""
    if answer.status_code in {429, 503}:
        return bool(answer.headers.get("Retry-After"))
    problem = told_by(answer) or {}
    return answer.status_code == 409 and "is not answered yet" in str(problem.get("detail"))
