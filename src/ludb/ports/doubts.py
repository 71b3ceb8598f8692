"""What nobody but a person can tell: calls in doubt, and the word of whoever looked at the system."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ludb.model.calls import Call
from ludb.model.run import CallState

Word = Literal["done", "absent"]
"""What a person saw at the system: the object is there and holds the document, or it is not there."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's word about one call: who said it and why; for `done` what the server calls the object and returned."""

    call: str
    word: Word
    actor: str
    reason: str
    server_id: str | None = None
    returned: Mapping[str, str] = field(default_factory=dict)


class Doubts(Protocol):
    """Calls of a run as a person sees them, and what a person decides about them."""

    def calls(self, run_id: str, states: Collection[CallState] = ()) -> list[Call]:
        """The run's calls in these states (all, if none is named), every generation, oldest first."""

    def resolve(self, run_id: str, resolution: Resolution) -> tuple[CallState, bool]:
        """Settle a call whose unit is in doubt, in one transaction with the unit's history. `done`: it is done; `absent`: its
        request never arrived, or its object, where the server has named one, is undone. Where no call of the unit is in
        doubt any more, the unit is pending in a `retry` chunk: then the second value is true.

        `ConfigError` where the unit is not in doubt for its calls, or nothing is in doubt about this call.
        """
