"""How long to wait before the next try."""

from __future__ import annotations

import random


def backoff(attempt: int, base: float, cap: float, dice: random.Random) -> float:
    """Seconds before try `attempt + 1`: doubling from `base` to `cap`, with full jitter above half of it, so that many
    workers do not come back together.
    """
    full = min(cap, base * 2.0 ** min(attempt - 1, 30))
    return full / 2 + dice.random() * full / 2
