"""Calls to an API as values: what is journaled before a request leaves, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from ludb.model.run import CallState


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A request ready to be sent, as journaled. `sha` is over the document before the marker is put in."""

    method: str
    path: str
    body: str
    sha: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call: (instance, output, unit key, row key, generation); `id` is the UUID5 of these (PROTOCOL R4).

    `changed_at` is when its state last changed (Unix seconds, the repository's clock); 0 where it was never stored.
    """

    id: str
    instance: str
    output: str
    unit_key: str
    row_key: str
    generation: int
    position: int
    request: CallRequest
    state: CallState = CallState.INTENDED
    server_id: str | None = None
    returned: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    body: str = ""
    reason: str = ""
    changed_at: float = field(default=0.0, compare=False)

    def answered(
        self, state: CallState, request: CallRequest, server_id: str | None, returned: Mapping[str, str]
    ) -> Call:
        """The call after an exchange; what the answer lacks stays. Written out: `replace` takes three times as long."""
        return Call(
            self.id, self.instance, self.output, self.unit_key, self.row_key, self.generation, self.position, request,
            state, server_id or self.server_id, returned or self.returned, self.status, self.body, self.reason,
            self.changed_at,
        )  # fmt: skip


class Answer(StrEnum):
    """What is known after an exchange with a server.

    `done`: it happened. `rejected`: it did not and never will as sent. `again`: it did not, send it again after
    `retry_after` (429, 503 with Retry-After; None where nobody named a time: of what a job calls `retry`). `unsent`: no
    connection was made, nothing left. `ambiguous`: nobody knows. `absent`, `several`: of a probe. `denied`: the credential was
    refused. `different`: it happened, but the server says that it keeps something else than was sent. `fatal`: it did not
    happen, and the output says that nothing can go on.
    """

    DONE = "done"
    REJECTED = "rejected"
    AGAIN = "again"
    UNSENT = "unsent"
    AMBIGUOUS = "ambiguous"
    ABSENT = "absent"
    SEVERAL = "several"
    DENIED = "denied"
    DIFFERENT = "different"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do at a server for one call: send its request, look for its marker, take its object back.

    `repeat` is true where this very request may already have reached the server once. `most` is how many documents its
    request may carry, this one included (None: as many as the output says): others must not fail with it for ever.
    """

    kind: Literal["send", "probe", "undo", "update"]
    call: Call
    repeat: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action. `returned` holds the `returns:` values; `body` is what the server said (may hold row values);
    `together` is how many documents went in its request.
    """

    action: Action
    answer: Answer
    status: int | None = None
    server_id: str | None = None
    returned: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    reason: str = ""
    retry_after: float | None = None
    together: int = 1


@dataclass(frozen=True, slots=True)
class Governed:
    """A change that a target has made by itself of how hard it calls, and why: `pace` in requests a second, or `in_flight`.
    None stands for what the operator allows.
    """

    what: Literal["pace", "in_flight"]
    before: float | None
    after: float | None
    why: str


LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds of the classes that `Metered.latencies` counts; one more class lies above them."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What passed between one process and a system since the process began.

    `requests` counts by what came back: `2xx`, `3xx`, `4xx`, `5xx`, `429` (not in `4xx`), `none`. `answers` counts exchanges
    by `Answer`. `latencies` counts requests by class (`LATENCIES`), `seconds` is their sum. Bytes are those of documents.
    `paced_seconds` is time spent waiting for the pace; `in_flight` how many are on their way now.
    """

    requests: Mapping[str, int]
    answers: Mapping[str, int]
    latencies: tuple[int, ...]
    seconds: float
    sent_bytes: int
    received_bytes: int
    paced_seconds: float
    in_flight: int


@dataclass(frozen=True, slots=True)
class Patience:
    """When a call that fails each time is set aside: after `tries` of them, if `others` got through to the system meanwhile."""

    tries: int = 5
    others: int = 20


@dataclass(frozen=True, slots=True)
class Ability:
    """What an output's API can do, and how long doubt lasts (seconds): `max_delay` for a request on its way, `settle` for
    a look-up that lags. `idempotent_ttl` is how long a repeated id is recognised, None if never. `flight` is how many
    documents can be on their way at a time.
    """

    undo: bool
    probe: bool
    update: bool
    idempotent_ttl: float | None
    settle: float
    max_delay: float
    patience: Patience = Patience()
    flight: int = 1
