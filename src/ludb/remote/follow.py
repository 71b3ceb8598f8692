"""Following a run at a server: by its stream, and by asking where the stream is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ludb.errors import TransientError
from ludb.remote.client import Client
from ludb.remote.refusals import failed

OVER = frozenset({"stopped", "failed", "completed", "completed_with_exceptions", "abandoned"})
LETTING_GO = 30.0
"""Seconds that whoever holds a run which is over is given to let go of it (hooks are done then)."""
SOON, LATER = 0.1, 1.0
"""Seconds between two looks at a task: at first, and from the third second on; `LATER` is also that of polling."""
Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a stream; a comment has neither name nor data."""

    name: str
    data: str
    number: str


def events(lines: Iterator[str]) -> Iterator[Happened]:
    """A stream's lines as events (the form of server-sent events). Comments come too: they say that the line stands."""
    name, number = "", ""
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Happened(name, "\n".join(data), number)
            name, number, data = "", "", []
        elif not field:
            yield Happened("", "", "")
        elif field == "event":
            name = value
        elif field == "id":
            number = value
        elif field == "data":
            data.append(value)


def task_outcome(client: Client, task: Told, sleep: Callable[[float], None] = time.sleep) -> Told:
    """Wait until a task has ended, and give it; its error as ours."""
    began = time.monotonic()
    while task["state"] not in {"done", "failed"}:
        sleep(SOON if time.monotonic() - began < 3 else LATER)
        task = client.get(f"/tasks/{task['id']}")
    if task["state"] == "failed":
        raise failed(task["outcome"])
    return task


class Follower:
    """Looks at one run until it has ended. `seen` is told each new look (the shape of `/progress`), `away` that
    the server does not answer, and that it does again.
    """

    def __init__(
        self, client: Client, run: str, seen: Callable[[Told], None], *, away: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Nothing was seen yet."""
        self._client, self._run, self._seen, self._away, self._sleep = client, run, seen, away, sleep
        self._last = "0"
        self._over_since: float | None = None
        self._is_away = False

    def until_over(self) -> Told:
        """Follow until nobody goes on with the run, and give the last look."""
        while True:
            told = self._poll()
            if told is None:
                continue
            if self._is_over(told):
                return told
            self._last = max(self._last, str(told["last_event"]), key=int)
            over = self._listen(told)
            if over is not None:
                return over
            self._sleep(LATER)

    def _listen(self, told: Told) -> Told | None:
        """Hear the stream for as long as it stands; the last look if the run is over."""
        try:
            for event in events(self._client.lines(f"/runs/{self._run}/stream", self._last)):
                self._last = event.number or self._last
                if event.name == "progress":
                    told = json.loads(event.data)
                    self._seen(told)
                if self._is_over(told):
                    return told
        except TransientError:
            return None  # asked for again by itself
        return None

    def _poll(self) -> Told | None:
        """One look; None while the server is away."""
        try:
            told: Told = self._client.get(f"/runs/{self._run}/progress")
        except TransientError as error:
            if not self._is_away:
                self._away(f"{error}; the run goes on without it, this waits")
            self._is_away = True
            self._sleep(LATER)
            return None
        if self._is_away:
            self._away("the server is back")
        self._is_away = False
        self._seen(told)
        return told

    def _is_over(self, told: Told) -> bool:
        if told["state"] not in OVER:
            self._over_since = None
            return told["state"] == "paused" and not told["held"]
        now = time.monotonic()
        self._over_since = now if self._over_since is None else self._over_since
        return not told["held"] or now - self._over_since > LETTING_GO
