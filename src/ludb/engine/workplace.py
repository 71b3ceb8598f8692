"""Where a worker stands: the run, the compiled job, the repository, and the way it tells what it does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ludb.engine.call_health import Health
from ludb.engine.meter import Meter
from ludb.engine.migration import Migration
from ludb.engine.strays import Shared
from ludb.errors import Fault, LeaseLost, TransientError
from ludb.model.events import Event
from ludb.model.figures import PHASE
from ludb.model.keys import key_text
from ludb.model.run import Chunk, ChunkState, Run, RunState, Txn
from ludb.model.steering import Orders
from ludb.ports.journal import Journal
from ludb.ports.observer import Observer
from ludb.ports.repository import Repository
from ludb.unitdb.stage import Stage


class Halted(TransientError):  # noqa: N818  (a state of the run, not a mistake)
    """The run is to stop now: the chunk goes back undecided."""


class Deferred(LeaseLost):
    """A decided chunk is left as it is, for whoever goes on with the run: its target is away and the run is stopping."""


class Fence:
    """What keeps a worker from acting after its time: no beat within `lease` means that others may hold its chunks.

    `beat` is called by the heartbeat after every success; `check` before anything that others can see. A beat that comes
    after the lease was over does not bring it back: whoever slept for so long may have lost its chunk, and its heart may
    wake up first. Only `renew`, where no chunk is held, does. `halted` makes the next `check` give an undecided chunk back
    (stop now); `declared_dead` ends the lease for good.
    """

    def __init__(self, lease: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start with a full lease."""
        self._lease, self._monotonic = lease, monotonic
        self._last = monotonic()
        self._dead = self._lapsed = False
        self.halted = False

    def beat(self) -> None:
        """The repository has seen this worker alive."""
        now = self._monotonic()
        self._lapsed = self._lapsed or now - self._last > self._lease
        self._last = now

    def renew(self) -> None:
        """The worker holds no chunk: that its lease was over meanwhile costs nothing, if it has been seen alive since."""
        self._lapsed = False

    def declared_dead(self) -> None:
        """Others have been told that this worker is dead, and may hold its chunks already."""
        self._dead = True

    def expired(self) -> bool:
        """Whether the worker's own lease is over."""
        return self._dead or self._lapsed or self._monotonic() - self._last > self._lease

    def check(self, *, decided: bool = False) -> None:
        """Raise `LeaseLost` if the lease is over, `Halted` if the run is to stop now and nothing is decided yet."""
        if self.expired():
            raise LeaseLost("the worker was not seen alive for a whole lease")
        if self.halted and not decided:
            raise Halted("the run is stopping now", retry_after=0.0)


@dataclass(slots=True)
class Told:
    """What a worker was last told, by its heartbeat: `orders` are replaced whole, in another thread; None until then."""

    orders: Orders | None = None

    @property
    def dismissed(self) -> bool:
        """Whether this worker is to leave after the chunk that it holds."""
        return self.orders is not None and self.orders.dismissed

    @property
    def leaving(self) -> bool:
        """Whether this worker is to go: what it has decided and cannot finish now is for others to finish."""
        return self.orders is not None and (self.orders.dismissed or self.orders.state is RunState.STOPPING)


@dataclass(slots=True)
class Weight:
    """What a unit weighs, in bytes of its source rows, by the chunk that this worker has read last; 0 until then."""

    unit: float = 0.0

    def note(self, units: int, size: int) -> None:
        """A chunk of so many units was so large."""
        self.unit = size / units

    def limit(self, units: int, most: int) -> int:
        """How many units to ask for: not more than `most` bytes, but at least one."""
        return max(1, min(units, int(most / self.unit))) if self.unit else units


@dataclass(frozen=True, slots=True)
class Workplace:
    """Everything that moving a chunk needs. Time, waiting and randomness are injected."""

    run: Run
    migration: Migration
    repository: Repository
    journal: Journal
    observers: Sequence[Observer] = ()
    stage: Stage | None = None
    planned_faults: Mapping[int, Fault] = field(default_factory=dict)
    shared: Shared = field(default_factory=dict)
    owner: str = "worker"
    told: Told = field(default_factory=Told)
    weight: Weight = field(default_factory=Weight)
    meter: Meter = field(default_factory=Meter)
    health: Health = field(default_factory=Health)
    fence: Fence = field(default_factory=lambda: Fence(60.0))
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep
    random: random.Random = field(default_factory=random.Random)

    def announce(
        self, name: str, chunk: Chunk | None = None, *, level: str = "info", lasting: bool = False, **data: object
    ) -> None:
        """Tell every observer; `lasting` events are also kept in the repository."""
        event = Event(name, self.run.id, chunk.id if chunk else "", level, lasting, data)  # type: ignore[arg-type]
        for observer in self.observers:
            observer.on(event)
        if lasting:
            self.repository.events.append(event)

    @contextmanager
    def phase(self, name: str, chunk: Chunk) -> Iterator[None]:
        """One named phase of a chunk: announced before and after; refused if the worker's time is over."""
        self.fence.check(
            decided=chunk.state is ChunkState.DECIDED
        )  # what is decided is finished, also when stopping now
        self.announce("phase.begin", chunk, level="debug", phase=name)
        with self.meter.timed(PHASE, name):
            yield
        self.announce("phase.end", chunk, level="debug", phase=name)

    def txn(self, chunk: Chunk, positions: Collection[int]) -> Txn:
        """The ledger entry of a chunk's claim, for the units that move."""
        return Txn(chunk.txn, self.repository.id, self.run.id, chunk.id, chunk.seq, tuple(positions))


def unit_texts(chunk: Chunk) -> dict[int, str]:
    """Unit keys as text, by list position."""
    columns = [chunk.keys.column(i).to_pylist() for i in range(chunk.keys.num_columns)]
    return {at: key_text(values) for at, values in zip(chunk.positions, zip(*columns, strict=True), strict=True)}
