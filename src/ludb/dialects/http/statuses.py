"""What an output says of the statuses of its API, where the usual meaning is not meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast, get_args

Meaning = Literal["success", "retry", "reject", "fatal"]
"""`success`: it happened. `retry`: it did not, and may later. `reject`: it did not and never will. `fatal`: it did not,
and the run is to stop.
"""
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)


def meaning_of(statuses: Mapping[str, str], status: int | None) -> Meaning | None:
    """What the output says of a status, itself (`404`) before its class (`4xx`); None where it says nothing."""
    if status is None or not statuses:
        return None
    said = statuses.get(str(status)) or statuses.get(f"{status // 100}xx")
    return cast("Meaning | None", said)
