"""What a worker does at this moment, in a few words: its heartbeat carries them, `ludb run` and `ludb status` show them."""

from __future__ import annotations

from collections.abc import Callable

from ludb.model.events import Event

WORDS = {
    "claim": "looking for work",
    "extract": "reading the source",
    "assemble": "loading",
    "steps": "steps",
    "rules": "rules",
    "rehearse": "rehearsing the writes",
    "prepare": "writing",
    "journal": "journaling",
    "decide": "deciding",
    "commit": "committing",
    "record": "recording",
    "recover": "applying decided rows",
    "undo": "taking calls back",
}
"""A phase as it is shown; a phase that is not here is shown by its name."""


class DoingObserver:
    """Tells the newest words to `tell`: the phase, for calls how many were answered, while a circuit is open the system.

    Knows names and numbers only: what it says may be shown to anybody.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """`tell` is called in the worker's thread and must be quick."""
        self._tell = tell
        self._away = ""
        self._output, self._answered = "", 0

    def on(self, event: Event) -> None:
        """Take note of the event."""
        name, data = event.name, event.data
        if name == "phase.begin":
            self._begin(str(data.get("phase")))
        elif name in {"call.sent", "call.answered"}:
            self._call(str(data.get("output")), answered=name == "call.answered")
        elif name == "circuit.open":
            self._away = str(data.get("system"))
        elif name == "circuit.closed":
            self._away = ""
        elif name == "chunk.released" and self._away:
            self._tell(f"waiting for {self._away}")
        elif name == "target.away":
            self._tell(f"waiting for {data.get('target')}")

    def _begin(self, phase: str) -> None:
        self._output, self._answered = "", 0
        if phase == "claim" and self._away:
            return  # it still waits; the next try is only a look
        self._tell(WORDS.get(phase, phase))

    def _call(self, output: str, *, answered: bool) -> None:
        if output != self._output:
            self._output, self._answered = output, 0
        self._answered += answered
        self._tell(f"calling {output}, {self._answered:,} answered")
