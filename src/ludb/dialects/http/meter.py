"""What passed between this process and one system: counted as it happens, told as one value."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from ludb.model.calls import LATENCIES, Answer, Metered


class Meter:
    """Counts requests, what came of them, and time. Written on one event loop and by whoever takes the results; read from
    any thread, when the numbers may be a request apart from each other.
    """

    def __init__(self) -> None:
        """Nothing has passed."""
        self._requests: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self._latencies = [0] * (len(LATENCIES) + 1)
        self._seconds = self._paced = 0.0
        self._sent = self._received = self._flying = 0

    def left(self) -> None:
        """A request is on its way."""
        self._flying += 1

    def came(self, status: int | None, seconds: float, sent: int, received: int) -> None:
        """It ended: with a status or none, after so many seconds, with so many bytes of documents either way."""
        self._flying -= 1
        self._requests["none" if status is None else str(status) if status == 429 else f"{status // 100}xx"] += 1
        self._latencies[bisect_left(LATENCIES, seconds)] += 1
        self._seconds += seconds
        self._sent += sent
        self._received += received

    def waited(self, seconds: float) -> None:
        """A request waited so long for the pace, or for the moment that the server had named."""
        self._paced += seconds

    def answered(self, answer: Answer) -> None:
        """What a call's exchange came to."""
        self._answers[str(answer)] += 1

    def told(self) -> Metered:
        """All of it so far."""
        return Metered(
            requests=dict(self._requests), answers=dict(self._answers), latencies=tuple(self._latencies),
            seconds=round(self._seconds, 6), sent_bytes=self._sent, received_bytes=self._received,
            paced_seconds=round(self._paced, 6), in_flight=self._flying,
        )  # fmt: skip
