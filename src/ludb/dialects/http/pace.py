"""How fast requests may leave, and how many at a time; both may change while requests wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

SLICE = 0.2
"""Seconds after which whoever waits looks whether the pace has changed, or nothing is to leave any more."""
BURST = 0.05
"""Seconds of pace that may leave together: timers are not exact, and a pace is meant over seconds."""


class Bucket:
    """A token bucket: at most `rate` requests in a second over any longer time. A new rate takes effect at once."""

    def __init__(self, rate: float | None, now: float = 0.0) -> None:
        """`rate` in requests a second, None for no limit. It starts with one token."""
        self._rate, self._tokens, self._at = rate, 1.0, now

    def set_rate(self, rate: float | None) -> None:
        """Change the rate; tokens that were saved stay, as far as the new rate allows."""
        self._rate = rate

    def wait(self, now: float) -> float:
        """Seconds until a request may leave; 0 if it may leave now."""
        if self._rate is None:
            return 0.0
        self._fill(now, self._rate)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def take(self, now: float) -> None:
        """A request leaves."""
        if self._rate is not None:
            self._fill(now, self._rate)
            self._tokens -= 1.0

    def _fill(self, now: float, rate: float) -> None:
        self._tokens = min(max(1.0, rate * BURST), self._tokens + max(0.0, now - self._at) * rate)
        self._at = now


class Pace:
    """The order in which requests leave: first come, first served, as the bucket allows. Used on one event loop; `steer`
    and `halt` may be called from any thread. `may_leave` is asked before each: where it says no, nothing leaves.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float]) -> None:
        """`clock` in seconds, monotonic."""
        self._clock, self._bucket = clock, Bucket(rate, clock())
        self._resume_at = 0.0
        self._halted = False
        self.may_leave: Callable[[], bool] = _always

    def halt(self) -> None:
        """Nothing leaves any more."""
        self._halted = True

    @property
    def halted(self) -> bool:
        """Whether nothing is to leave now."""
        return self._halted or not self.may_leave()

    def begin(self) -> None:
        """Requests wait on this event loop from now on."""
        self._turn = asyncio.Lock()

    def steer(self, rate: float | None) -> None:
        """Another pace, in requests a second; None for none."""
        self._bucket.set_rate(rate)

    def hold(self, until: float) -> None:
        """Nothing leaves before this moment of the clock: the server has asked for it."""
        self._resume_at = max(self._resume_at, until)

    async def leave(self) -> bool:
        """Wait until a request may leave; False if nothing is to leave any more."""
        if not self.halted and not self._turn.locked() and self._left(now := self._clock()) <= 0:
            self._bucket.take(now)  # nobody waits, and nothing is waited for
            return True
        async with self._turn:
            while not self.halted and (left := self._left(self._clock())) > 0:  # noqa: ASYNC110  (time is what is waited for)
                await asyncio.sleep(min(left, SLICE))
            if not self.halted:
                self._bucket.take(self._clock())
        return not self.halted

    async def sleep_until(self, due: float) -> bool:
        """Wait until a moment of the clock; False as in `leave`."""
        while not self.halted and (left := due - self._clock()) > 0:  # noqa: ASYNC110  (as above)
            await asyncio.sleep(min(left, SLICE))
        return not self.halted

    def _left(self, now: float) -> float:
        return max(self._resume_at - now, self._bucket.wait(now))


def _always() -> bool:
    return True


class Gate:
    """Lets so many through at a time, first come, first served; the number may change, and whoever is inside then stays.
    Used on one event loop.
    """

    def __init__(self, places: int) -> None:
        """So many places."""
        self._places, self._inside = places, 0
        self._waiting: dict[asyncio.Future[None], None] = {}

    @property
    def inside(self) -> int:
        """How many are inside."""
        return self._inside

    def resize(self, places: int) -> None:
        """Another number of places."""
        self._places = places
        self._let_in()

    async def __aenter__(self) -> None:
        """Wait for a place."""
        if self._inside < self._places and not self._waiting:
            self._inside += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(turn, 0) is not None:  # it was let in already
                self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it."""
        self._leave()

    def _leave(self) -> None:
        self._inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._inside < self._places:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
