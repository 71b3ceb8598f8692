"""How hard a system is called within what its owner allows: less where it shows that it is too much, slowly more again.

Two numbers are governed. The *rate* goes down where the system refuses (429) more than single requests, to what it took; the
*places* (requests on their way at a time) go down where it fails or grows slow. Both go up again while it is well, never above
the operator's own. Pure: time is an argument.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from ludb.model.calls import Governed

WINDOW = 1.0
"""Seconds that are looked at, and between two cuts of the places."""
SPACING = 0.2
"""Seconds between two cuts of the rate: what was sent before a cut says nothing about it."""
RECENT = 20
"""Answers that are looked at: the newest, since the last cut."""
FEW, MANY, ENOUGH = 3, 6, 8
"""Fewer refusals among them are no reason: they are waited out one by one; so many tell what share is taken. Fewer answers
say too little.
"""
OFTEN = 0.04
"""A share of a whole window that is a reason too, however evenly the refusals lie in it."""
SHORT = 0.5
"""Seconds that a rate has to be measured over to be believed."""
LOWEST_RATE = 0.2
"""Requests a second below which nothing is cut: somebody has to find out whether the system is well again."""
CAUTION = 0.95
"""Share of what a system took that is asked of it after a cut."""
SLOWER = 4.0
"""A system that takes so many times as long as in its best seconds has too much to do."""
NOTICEABLE = 0.25
"""Seconds below which nobody calls a system slow."""
FEWEST = 10
"""Answers that a second must have had to be compared with others; it is slow where two in a row were."""
TOLD = 0.2
"""A change is told where it is this share away from what was told last."""


class Governor:
    """One system's rate and places in this process. `rate` is None while the operator's own goes."""

    def __init__(self, places: int) -> None:
        """All places are free to be used, and the rate is the operator's."""
        self._cap, self._places = places, float(places)
        self.rate: float | None = None
        self._allowed: float | None = None
        self._seen: deque[tuple[float, bool]] = deque()
        self._unsure = False
        self._cut_rate_at = self._cut_places_at = self._raised_at = float("-inf")
        self._took = 0.0
        self._best: float | None = None
        self._sum, self._timed, self._timed_at, self._slow = 0.0, 0, float("-inf"), False
        self._told: dict[str, float | None] = {}
        self.changes: list[Governed] = []

    @property
    def places(self) -> int:
        """Requests that may be on their way at a time."""
        return max(1, int(self._places))

    def allow(self, rate: float | None, places: int) -> None:
        """The operator's own limits; what was cut stays cut, below them."""
        grown = places / self._cap
        self._cap, self._allowed = places, rate
        self._places = min(float(places), max(1.0, self._places * grown))
        if rate is not None and self.rate is not None and self.rate >= rate:
            self.rate = None

    def effective_rate(self) -> float | None:
        """Requests a second that may leave."""
        limits = [limit for limit in (self.rate, self._allowed) if limit is not None]
        return min(limits) if limits else None

    def refused(self, now: float) -> None:
        """The system said 429 (or what the output calls `retry`): nothing happened."""
        self._see(now, refused=True)
        newest = list(self._seen)[-RECENT:]
        refused = sum(1 for _, no in newest if no)
        lasting = sum(1 for _, no in self._seen if no) > max(OFTEN * len(self._seen), FEW - 1)
        if (refused < FEW and not lasting) or len(newest) < ENOUGH or now - self._cut_rate_at < SPACING:
            return
        span = max(now - self._seen[0][0], 0.05)
        before = self.effective_rate()
        sent = min(len(self._seen) / span, before if before is not None else float("inf"))
        if refused >= MANY:
            self._took = sent * (1.0 - refused / len(newest))
        else:  # a little too quick: so few tell no share, but the whole window does
            self._took = min(sent, sum(1 for _, no in self._seen if not no) / span)
        after = max(LOWEST_RATE, sent * max(0.5, CAUTION * self._took / sent))
        if before is not None and after >= before:
            return
        self._unsure = span < SHORT and before is None
        self.rate, self._cut_rate_at, self._raised_at = after, now, now
        self._tell("pace", before, after, f"it refused {refused} of {len(newest)} requests")
        self._seen.clear()

    def failed(self, now: float) -> None:
        """The system answered 5xx, or nothing."""
        self._see(now, refused=False)
        self._cut_places(now, 0.5, "it failed, or did not answer")

    def answered(self, now: float, latency: float) -> None:
        """The system answered as it should, after so many seconds."""
        self._see(now, refused=False)
        self._time(now, latency)
        if self._places < self._cap and not self._slow:
            before = self.places
            self._places = min(float(self._cap), self._places + 1.0 / self._places)
            self._tell("in_flight", before, self.places, "it is well", rising=True)
        self._raise(now)

    def _time(self, now: float, latency: float) -> None:
        """Compare whole seconds by their mean: a single stall, of the system or of ours, is none of its habits."""
        self._sum, self._timed = self._sum + latency, self._timed + 1
        if now - self._timed_at < WINDOW:
            return
        if self._timed >= FEWEST:
            mean = self._sum / self._timed
            self._best = mean if self._best is None else min(mean, self._best * 1.01)  # it may grow slower for good
            slow = mean > max(SLOWER * self._best, NOTICEABLE)
            if slow and self._slow:
                self._cut_places(now, 0.7, f"it takes {mean / self._best:.1f} times as long as in its best time")
            self._slow = slow
        self._sum, self._timed, self._timed_at = 0.0, 0, now

    def _raise(self, now: float) -> None:
        """More again: quickly up to what the system took, or where that is hardly known, then by a hundredth a second, and by
        more the longer it is well.
        """
        if self.rate is None or now - self._cut_rate_at < WINDOW:
            return
        quiet = now - self._cut_rate_at
        slow = min(0.1, 0.01 * 2.0 ** (quiet / 15.0))
        step = 0.25 if self._unsure else 0.1 if self.rate < 0.9 * self._took else slow
        before = self.rate
        self.rate = before + (step * before + 0.02) * min(now - self._raised_at, 1.0)
        self._raised_at = now
        if self._allowed is not None and self.rate >= self._allowed:
            self.rate = None
        self._tell("pace", before, self.rate, "it is well", rising=True)

    def _cut_places(self, now: float, factor: float, why: str) -> None:
        if now - self._cut_places_at < WINDOW or self._places <= 1.0:
            return
        before = self.places
        self._places, self._cut_places_at = max(1.0, self._places * factor), now
        self._tell("in_flight", before, self.places, why)

    def _see(self, now: float, *, refused: bool) -> None:
        self._seen.append((now, refused))
        while self._seen and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()

    def _tell(
        self,
        what: Literal["pace", "in_flight"],
        before: float | None,
        after: float | None,
        why: str,
        *,
        rising: bool = False,
    ) -> None:
        """Note a change that is worth a word: every real step down, and the way up in a few steps."""
        full = after is None or (what == "in_flight" and after >= self._cap)
        last = self._told.get(what, None if what == "pace" else float(self._cap))
        near = last is not None and after is not None and abs(after - last) <= TOLD * last
        if near and not (full and last != after):
            return
        if rising and not full:
            return
        if after != last:
            self._told[what] = after
            self.changes.append(Governed(what, last if last is not None else before, after, why))
