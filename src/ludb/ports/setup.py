"""What people set up at the server, kept: few small entries of some kinds, read whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ludb.model.setup import Entry


class Setup(Protocol):
    """Entries by kind and id. Every method is one transaction."""

    def all(self, kind: str) -> list[Entry]:
        """All entries of a kind, by id."""

    def get(self, kind: str, entry_id: str) -> Entry | None:
        """The entry, None if there is none."""

    def add(self, kind: str, entry_id: str, data: Mapping[str, object], by: str) -> Entry | None:
        """Keep a new entry; None if there is one of this kind and id already, whoever added it."""

    def put(self, kind: str, entry_id: str, data: Mapping[str, object], by: str) -> Entry:
        """Keep an entry in the place of what was there."""

    def take(self, kind: str, entry_id: str) -> Entry | None:
        """Remove an entry and return it: of all who ask, one gets it. None if there is none."""

    def forget(self, kind: str, before: float) -> int:
        """Remove the entries of a kind that are older; returns how many."""
