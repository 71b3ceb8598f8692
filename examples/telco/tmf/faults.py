"""How the simulator is told to misbehave."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FIELDS: Mapping[str, Any] = {
    "slow_ms": 0,
    "status_before": {},
    "after_write": {},
    "next": [],
    "methods": ["POST"],
    "retry_after": 1,
    "late_ms": 500,
    "hang_ms": 3_600_000,
    "lookup_lag_ms": 0,
    "seed": 0,
}
"""What can be told, with what holds where nothing is told."""

WORDS = frozenset({"ok", "drop_before", "drop_after", "timeout", "timeout_after", "late", "garbage_after"})
"""Words of `next` besides `<status>` (nothing was done) and `<status>_after` (it was done all the same)."""


@dataclass
class Behaviour:
    """The misbehaviour in force. `next` is used up first, one word a request; then the shares are drawn by the seed."""

    told: dict[str, Any]
    random: random.Random
    coming: deque[str] = field(default_factory=deque)

    @classmethod
    def of(cls, told: object) -> Behaviour:
        """Read what was told; ValueError names the field that makes no sense."""
        if not isinstance(told, dict):
            raise ValueError("behaviour is a JSON object")  # noqa: TRY004  (one error for every mistake)
        unknown = sorted(set(told) - set(FIELDS))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; there are {', '.join(FIELDS)}")
        merged = {**FIELDS, **told}
        words = [str(word) for word in merged["next"]]
        words += [str(word) for word in merged["status_before"]] + [f"{word}_after" for word in merged["after_write"]]
        wrong = sorted({word for word in words if not _known(word)})
        if wrong:
            raise ValueError(f"unknown fault: {', '.join(wrong)}; a status, or one of {', '.join(sorted(WORDS))}")
        return cls(merged, random.Random(merged["seed"]), deque(str(word) for word in merged["next"]))

    def word(self, method: str) -> str:
        """What happens to the next request of this method: `ok` or a fault."""
        if method not in self.told["methods"]:
            return "ok"
        if self.coming:
            return self.coming.popleft()
        if not self.told["status_before"] and not self.told["after_write"]:
            return "ok"
        drawn = self.random.random()
        for word, share in self.told["status_before"].items():
            if (drawn := drawn - share) < 0:
                return str(word)
        for word, share in self.told["after_write"].items():
            if (drawn := drawn - share) < 0:
                return f"{word}_after"
        return "ok"

    def seconds(self, name: str) -> float:
        """A time that was told in milliseconds."""
        return self.told[name] / 1000


def _known(word: str) -> bool:
    return word in WORDS or (word.removesuffix("_after").isdigit() and 400 <= int(word.removesuffix("_after")) <= 599)
