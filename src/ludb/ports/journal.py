"""Where write-sets wait until nobody can need them any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ludb.model.data import WriteSet
from ludb.model.run import Chunk


class Journal(Protocol):
    """Durable write-sets by chunk, transaction and target; create-only. Every worker of the run can read it."""

    def append(self, chunk: Chunk, writes: WriteSet) -> str:
        """Keep one target's part; returns its sha256. A part that is there already with other content is a `FatalError`."""

    def sync(self, chunk: Chunk) -> None:
        """Return only when everything appended for this claim survives a loss of power."""

    def read(self, chunk: Chunk, target: str, sha: str) -> WriteSet:
        """The part as appended under the chunk's txn; `FatalError` if it is missing or its sha256 differs."""

    def discard(self, chunk: Chunk) -> None:
        """Forget the parts of a claim that was not decided. Never raises; safe to repeat."""

    def drop(self, run: str) -> None:
        """Delete all parts of a run; safe to repeat."""


Parts = Mapping[str, str]
"""Target name -> sha256 of its journal part, as the decision keeps it."""
