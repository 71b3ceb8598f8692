"""When a job is to be started by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a schedule waits for: `cron` (an expression), `once` (a moment), `after` (a complete run of another job), `file`
    (a file that arrives), `webhook` (somebody who knows its secret).
    """

    CRON = "cron"
    ONCE = "once"
    AFTER = "after"
    FILE = "file"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Start `job` with `arguments` whenever it is due, in the name of `owner`. `spec` is the expression in time zone `zone`,
    the moment, the other job, the path of the file (its name may be a pattern), or the hash of the secret. `next_at` is None
    where no clock tells. Times are Unix seconds.
    """

    id: str
    name: str
    job: str
    kind: Kind
    spec: str
    zone: str
    owner: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    enabled: bool = True
    created_at: float = 0.0
    next_at: float | None = None
    last_at: float | None = None
    last_task: str = ""
    note: str = ""
