"""What the work of runs cost, and which chunks took or take long: sums that workers note, and looks at chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ludb.model.figures import Figures
from ludb.model.run import ChunkState


@dataclass(frozen=True, slots=True)
class ChunkTime:
    """A chunk and its time: `seconds` from its newest claim to its end, or to now. `first` and `last` are keys of its
    units, in list order.
    """

    id: str
    kind: str
    state: ChunkState
    units: int
    owner: str
    attempt: int
    claimed_at: float
    seconds: float
    error: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker has settled: finished chunks, their units, those of them that moved, and when."""

    owner: str
    chunks: int
    units: int
    done: int
    seconds: float
    first_at: float
    last_at: float


class RunFigures(Protocol):
    """Figures of runs. Looks are one transaction each, and read little, whatever the size of the run."""

    def note(self, owner_id: str, run_id: str, figures: Figures) -> None:
        """Keep what a worker has counted since its process began; the newest word replaces the one before."""

    def of(self, run_ids: Sequence[str]) -> Mapping[str, Mapping[str, Figures]]:
        """What workers have noted: by run and worker. Runs without any are left out."""

    def load(self, run_id: str) -> list[Load]:
        """What each worker has settled, the busiest first."""

    def held(self, run_id: str) -> list[ChunkTime]:
        """Chunks that workers hold now, the one held longest first."""

    def waiting(self, run_id: str, limit: int = 10) -> list[ChunkTime]:
        """Chunks that were given back and have waited longest, with what they wait for; `seconds` since they were claimed."""

    def slowest(self, run_id: str, limit: int = 10) -> list[ChunkTime]:
        """Finished chunks that took longest for each of their units, the slowest first."""

    def typical(self, run_id: str, newest: int = 200) -> float | None:
        """The median of the seconds that the newest finished chunks took; None where none has."""
