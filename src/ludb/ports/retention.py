"""What may be forgotten of a run that is over. What recovery, ledgers and later runs need is out of reach here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

What = Literal["journal", "quarantine", "runs"]
"""What a purge removes. `journal`: texts of requests and answers. `quarantine`: source rows, details, answers and stacks of
units set aside. `runs`: events, histories and samples, but for what people did, and who wrote which key of merged outputs.
"""


@dataclass(frozen=True, slots=True)
class Room:
    """What is, or was, in the way: rows changed or deleted, and their bytes (about)."""

    rows: int = 0
    size: int = 0


class Retention(Protocol):
    """Forgetting, in steps that may be killed and repeated. Run, unit list, chunks, decisions, key maps, unit keys, states,
    reasons, counts and the identity of every call always stay: balances, `seq` and who was moved are read from them.
    """

    def measure(self, run_id: str, what: What) -> Room:
        """What `clear` would still remove."""

    def mark(self, run_id: str, what: What, by: str, *, finished: bool) -> None:
        """Write into the run's notes (`purged`) that it is being purged or, `finished`, that it was: by whom, and when it
        began. `ConfigError` unless the run is over (completed, completed_with_exceptions, abandoned).
        """

    def clear(self, run_id: str, what: What, rows: int = 2000) -> int:
        """Remove at most so many rows' worth in one transaction; returns how many, 0 when nothing is left. `ConfigError`
        unless the run is marked.
        """
