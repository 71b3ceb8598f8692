"""The sums over a whole run that its page begins with: kept for whoever asks, and made before anybody does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ludb.errors import LudbError
from ludb.model.run import Counters, Run
from ludb.ports.evidence import ReasonGroup
from ludb.ports.figures import ChunkTime, Load
from ludb.ports.views import RowCounts
from ludb.server.world import World

NAMED, SLOW = 5, 8
"""Keys told with each reason, and slowest chunks, as a run's page asks for them."""


def rows(world: World, run_id: str, counters: Counters) -> RowCounts:
    """Rows by table and state."""
    return world.kept.of(_rows(run_id), counters, lambda: world.repository.views.rows(run_id))


def reasons(world: World, run_id: str, counters: Counters, named: int = NAMED) -> Sequence[ReasonGroup]:
    """Groups of units set aside."""
    made = world.repository.evidence
    return world.kept.of(("reasons", run_id, named), counters, lambda: made.reasons(run_id, named=named))


def slowest(world: World, run_id: str, counters: Counters, limit: int = SLOW) -> Sequence[ChunkTime]:
    """The slowest chunks."""
    made = world.repository.figures
    return world.kept.of(("slowest", run_id, limit), counters, lambda: made.slowest(run_id, limit))


def typical(world: World, run_id: str, counters: Counters) -> float | None:
    """Seconds that a chunk takes."""
    return world.kept.of(("typical", run_id), counters, lambda: world.repository.figures.typical(run_id))


def load(world: World, run_id: str, counters: Counters) -> Sequence[Load]:
    """How the work was spread."""
    return world.kept.of(("load", run_id), counters, lambda: world.repository.figures.load(run_id))


def is_new(world: World, run_id: str) -> bool:
    """Whether no sums of this run were made or asked for on this server."""
    return not world.kept.knows(_rows(run_id))


def make_ready(world: World, run: Run) -> None:
    """Make the sums and the forecast of a run once; later ones are made when somebody looks."""
    with suppress(LudbError):  # whoever asks is told
        counters = world.counters(run.id)
        for make in (rows, reasons, slowest, typical, load):
            make(world, run.id, counters)
        world.forecasts.of(world.repository, run, counters.pending, world.now())


def _rows(run_id: str) -> tuple[str, str]:
    return ("rows", run_id)
