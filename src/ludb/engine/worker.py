"""The worker's loop: claim, process, and know what each error asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ludb.engine.liveness import Liveness
from ludb.engine.pipeline import Further, process
from ludb.engine.retry import backoff
from ludb.engine.workplace import Deferred, Workplace
from ludb.errors import (
    ConfigError,
    FatalError,
    LeaseLost,
    LudbError,
    PauseError,
    RoomError,
    TransientError,
    UnitError,
)
from ludb.model.data import Extract
from ludb.model.figures import PHASE
from ludb.model.run import LIMIT_REACHED, Chunk, Run, RunState
from ludb.model.stack import stack_of
from ludb.wording import plural

ENDED = frozenset(
    {RunState.COMPLETED, RunState.EXCEPTIONS, RunState.FAILED, RunState.STOPPED, RunState.PAUSED, RunState.ABANDONED}
)
"""Run states in which a worker has nothing to do."""

LOOK_EVERY = 0.5
"""Seconds between two looks at who is alive."""
TELL_EVERY = 60.0
"""Seconds between two lines of the log that say that the repository is away: a night of it must not fill the disk."""


@dataclass(slots=True)
class Breaker:
    """One circuit for all of a worker's systems: while a system is away, the worker claims nothing new.

    Opens on a transient error that names a system, for a growing time; any chunk that gets through closes it.
    """

    failures: int = 0
    until: float = 0.0

    def trip(self, at: Workplace, error: TransientError) -> float:
        """Open (further); returns for how many seconds."""
        self.failures += 1
        settings = at.migration.job.settings
        pause = error.retry_after
        if pause is None:
            pause = backoff(self.failures, settings.retry_base, settings.retry_cap, at.random)
        self.until = at.monotonic() + pause
        if self.failures == 1 and error.system:
            at.announce(
                "circuit.open", level="warning", lasting=True, system=error.system, error=str(error), wait=pause
            )
        return pause

    def close(self, at: Workplace) -> None:
        """Something got through."""
        if self.failures:
            at.announce("circuit.closed", lasting=True)
        self.failures, self.until = 0, 0.0


@dataclass(slots=True)
class Absence:
    """The repository does not answer: waits for it, for a growing time, and says so once a minute."""

    tries: int = 0
    since: float = 0.0
    told: float = 0.0

    def wait(self, at: Workplace, error: TransientError) -> None:
        """Wait before the next try."""
        now = at.monotonic()
        if not self.tries:
            self.since = now
        if not self.tries or now - self.told >= TELL_EVERY:
            at.announce("repository.away", level="warning", error=str(error), seconds=round(now - self.since, 1))
            self.told = now
        self.tries += 1
        at.wait(backoff(self.tries, 0.2, 1.0, at.random))

    def over(self, at: Workplace) -> None:
        """It has answered."""
        if self.tries:
            at.announce("repository.back", seconds=round(at.monotonic() - self.since, 1))
        self.tries = 0


class Worker:
    """Claims chunks of one run until there is nothing left to do, or nothing to be done now."""

    def __init__(self, at: Workplace, liveness: Liveness) -> None:
        """Nothing is claimed yet."""
        self._at, self._liveness = at, liveness
        self._breaker, self._away = Breaker(), Absence()
        self._looked = float("-inf")
        self._silent: frozenset[str] = frozenset()
        self._dead: frozenset[str] = frozenset()
        self._deferred = False
        self._leaves = False
        # Chunks that come back again and again must not keep the rest of the run waiting: who has given one back asks for
        # new keys next.
        self._returned = False
        self._seq = 0

    def work(self) -> Run:
        """Work until the run has ended, paused or stopped, or this worker is dismissed; returns the run as it then is."""
        at, idle = self._at, 0
        while True:
            at.fence.renew()
            # Once it leaves it leaves, however long the repository takes to say what became of the run.
            self._leaves = self._leaves or at.told.dismissed or at.fence.expired()
            try:
                if self._leaves:
                    return at.repository.runs.get(at.run.id)
                worked = self.turn()
                run = None if worked else at.repository.runs.settle(at.run.id)
            except TransientError as error:
                self._away.wait(at, error)
                continue
            self._away.over(at)
            if run is not None and run.state in ENDED | {RunState.STOPPING}:
                return run  # stopping: whatever is still decided waits for a target that is away
            idle = 0 if worked else idle + 1
            if not worked:
                at.wait(backoff(min(idle, 4), 0.1, 1.0, at.random))

    def turn(self) -> bool:
        """Claim and process one chunk; False if there was none."""
        at = self._at
        if at.monotonic() < self._breaker.until:
            at.wait(min(0.2, self._breaker.until - at.monotonic()))
            return at.repository.runs.get(at.run.id).state not in ENDED | {RunState.STOPPING}
        self._look()
        told = at.told.orders
        settings = at.migration.job.settings
        units = at.weight.limit(told.live.chunk_units if told else settings.chunk_units, settings.chunk_bytes)
        # Between two chunks this worker holds none: one that still bears its name was left half way (an answer lost, the
        # repository away after the decision), and nobody else would ever take it from a living owner.
        left = self._dead if self._deferred else self._dead | {at.owner}
        at.announce("phase.begin", level="debug", phase="claim")
        with at.meter.timed(PHASE, "claim"):
            chunk = at.repository.chunks.claim(
                at.run.id, at.owner, units, silent=self._silent, dead=left, new_first=self._returned
            )
        self._returned = False
        if chunk is None:
            return False
        at.announce("phase.end", chunk, level="debug", phase="claim")
        if chunk.seq <= self._seq:
            # Numbers only grow, so the repository went back in time while this worker was at work.
            self._end(RunState.FAILED, f"the repository gave out sequence number {chunk.seq} again: it was restored from a "
                      "backup, or failed over; `ludb recover JOB` shows what can be done")  # fmt: skip
            return True
        self._seq = chunk.seq
        pile: list[tuple[Chunk, Extract | None]] = [(chunk, None)]
        while pile:
            one, read = pile.pop(0)
            if not self.handle(one, read, pile):
                for rest, _ in pile:
                    self._release(rest, "given back with its sibling", 0.0)
                break
        return True

    def _look(self) -> None:
        if self._at.monotonic() - self._looked > LOOK_EVERY:
            self._silent, self._dead = self._liveness.look(self._at.owner)
            self._looked = self._at.monotonic()

    def handle(self, chunk: Chunk, read: Extract | None, pile: list[tuple[Chunk, Extract | None]]) -> bool:
        """Process one chunk and do what its error asks for; False if the worker should not go on with its siblings."""
        at = self._at
        try:
            further: Further = process(chunk, read, at)
        except LeaseLost as error:
            self._deferred = self._deferred or isinstance(error, Deferred)
            at.announce("chunk.lost", chunk, level="warning", reason=str(error))
            return True
        except (RoomError, PauseError, FatalError, ConfigError, UnitError) as error:
            self._give_up(chunk, error)
            return False
        except TransientError as error:
            pause = self._breaker.trip(at, error)
            # Longer than the circuit is open: what is claimed then is another chunk, and shows whether others get through.
            delay = pause + backoff(chunk.attempt, 0.1, at.migration.job.settings.retry_cap, at.random)
            self._release(chunk, str(error), delay if error.retry_after != 0.0 else 0.0)
            self._returned = True
            return True
        except Exception as error:  # noqa: BLE001  (a bug must end the run loudly, with its chunk intact, not loop)
            self._release(chunk, f"{type(error).__name__} in the engine", 0.0)
            at.announce("engine.bug", chunk, level="error", trace=stack_of(error))
            self._end(RunState.FAILED, f"{type(error).__name__} in the engine: see the worker's log")
            return False
        self._breaker.close(at)
        pile[:0] = further
        return self._within_limit()

    def _give_up(self, chunk: Chunk, error: LudbError) -> None:
        """Give the chunk back and pause or fail the run."""
        if isinstance(error, RoomError):
            # What is decided and could not be written is for whoever goes on: not for this worker.
            self._deferred = self._leaves = True
        self._release(chunk, str(error), 0.0)
        if isinstance(error, RoomError):
            self._end(RunState.PAUSED, str(error), by="room", system=error.system, path=error.path)
        elif isinstance(error, PauseError):
            self._end(RunState.PAUSED, str(error), by="credential", system=error.system)
        else:
            self._end(RunState.FAILED, str(error))

    def _release(self, chunk: Chunk, reason: str, delay: float) -> None:
        at = self._at
        at.announce("chunk.released", chunk, level="warning", reason=reason, delay=round(delay, 3))
        for _ in range(5):
            try:
                at.repository.chunks.release(chunk, reason, delay)
                at.journal.discard(chunk)
            except LeaseLost:
                return
            except TransientError:
                at.wait(0.2)
            else:
                return

    def _end(self, state: RunState, reason: str, **pause: str) -> None:
        """End or pause the run; `pause` says what for, to whoever holds it."""
        at = self._at
        try:
            at.repository.runs.change(at.run.id, state, reason, {"pause": pause} if pause else None)
        except ConfigError:
            return  # somebody else has ended the run already
        at.announce(f"run.{state}", level="error", lasting=True, reason=reason, pause=pause or None)

    def _within_limit(self) -> bool:
        """Whether the quarantine is still small enough to be a matter of single units."""
        at = self._at
        limit = at.migration.job.settings.quarantine_limit
        if limit.count is None and limit.percent is None:
            return True
        counters = at.repository.views.counters(at.run.id)
        settled = counters.total - counters.pending
        share = 100.0 * counters.quarantined / max(1, settled)
        over_count = limit.count is not None and counters.quarantined > limit.count
        over_share = limit.percent is not None and settled >= limit.minimum and share > limit.percent
        if not (over_count or over_share):
            return True
        bound = f"{limit.count}" if over_count else f"{limit.percent:g}% of {plural(settled, 'settled unit')}"
        reason = (
            f"{plural(counters.quarantined, 'unit is', 'units are')} quarantined, the limit is {bound}: {LIMIT_REACHED}; "
            "mend the cause and try them again, or raise settings.quarantine_limit"
        )
        self._end(RunState.FAILED, reason)
        return False


def measure_process() -> Callable[[], tuple[float, int]]:
    """A function that tells this process's share of a core since its last call, and its resident memory in bytes."""
    last = [time.monotonic(), time.process_time()]

    def measure() -> tuple[float, int]:
        now, used = time.monotonic(), time.process_time()
        share = (used - last[1]) / max(1e-9, now - last[0])
        last[:] = [now, used]
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no path object for /proc)
            pages = int(file.read().split()[1])
        return share, pages * 4096

    return measure
