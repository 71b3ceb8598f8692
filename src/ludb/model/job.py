"""The job as plain values: what the settings of `job.yaml` say once every mistake is out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ludb.model.unit import UnitSchema


@dataclass(frozen=True, slots=True)
class AcceptedSpec:
    """An API that takes a request and does it later: an answer of `status` names where to ask (`poll`: a JSON path or
    `$header.Location` for the address, or a request line with `{job}`, which is found at `job`). What `state` holds then is in
    `done` or `failed`, or it goes on: asked `every` so many seconds, for `within`. `returns` are values of the last answer.
    """

    status: int
    poll: str
    job: str
    state: str
    done: tuple[str, ...]
    failed: tuple[str, ...]
    within: float
    every: float = 1.0
    returns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BulkSpec:
    """An endpoint that takes up to `size` documents in one request: the line of that request (None: the call's own), where in
    its body the list stands (`items`), where in the answer the results do (`results`), one each, in the same order, and
    within a result its `status` (None: that of the whole answer) and the object (`document`). `$` is the whole of it.
    """

    size: int
    call: str | None = None
    items: str = "$"
    results: str = "$"
    status: str | None = None
    document: str = "$"


@dataclass(frozen=True, slots=True)
class CallSpec:
    """How the rows of an output become calls: one row, one JSON document, one call (DESIGN section 2).

    Templates may hold `{id}` (the server's id), `{call_id}` and, in paths, any column of the row. `row` names the
    columns that tell a unit's rows apart; `("unit_key",)` where a unit has one. Seconds throughout.

    `statuses` maps `404` or `4xx` to `success`, `retry`, `reject` or `fatal`; `undo_body` is a JSON text; `echo` names the
    places (JSON paths; `$`: all) where an answer must say what was sent. `set_aside` stands over the system's, by field.
    """

    method: str
    path: str
    row: tuple[str, ...]
    marker: str | None = None
    undo: str | None = None
    probe: str | None = None
    update: str | None = None
    returns: Mapping[str, str] = field(default_factory=dict)
    idempotent_ttl: float | None = None
    settle: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    undo_body: str | None = None
    echo: tuple[str, ...] = ()
    accepted: AcceptedSpec | None = None
    bulk: BulkSpec | None = None
    set_aside: Mapping[str, int] = field(default_factory=dict)


Mode = Literal["insert", "upsert", "replace_unit"]
"""How the rows of a table are written: added; merged by key; in place of all that the unit had there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value comes from that all rows of a unit share: a column of the unit's key, the unit's new key in the key
    map `name`, or column `name` of the unit's rows in the table `parent`, which is replaced as well.
    """

    kind: Literal["unit", "map", "table"]
    name: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """An output table of the job: rows for a target's table, or documents for a call. Name is `<target>.<table>`.

    `key` names the columns by which `upsert` finds a row; none: the table's primary key. `by` says which rows of the
    table are a unit's own for `replace_unit`: pairs (column, origin), see `Origin`.
    """

    system: str
    table: str
    mode: Mode = "insert"
    key: tuple[str, ...] = ()
    by: tuple[tuple[str, Origin], ...] = ()
    call: CallSpec | None = None

    @property
    def name(self) -> str:
        """The output's full name, as in file names and summaries."""
        return f"{self.system}.{self.table}"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """A key map: old keys (values of `columns` in unit table `table`) to new ones, in `keys.<name>` as (old, new)."""

    name: str
    table: str
    columns: tuple[str, ...]
    kind: Literal["sequence", "uuid"]
    start: int = 1


@dataclass(frozen=True, slots=True)
class QuarantineLimit:
    """How many units may be set aside before the run fails: a count, or a share once `minimum` units are settled."""

    count: int | None = None
    percent: float | None = None
    minimum: int = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """The run settings of a job. Times are seconds."""

    chunk_units: int = 500
    chunk_bytes: int = 64 << 20
    workers: int = 2
    quarantine_limit: QuarantineLimit = field(default_factory=QuarantineLimit)
    lease: float = 60.0
    memory_limit: str = "1GB"
    extract: Literal["direct", "staged"] = "direct"
    retry_base: float = 0.5
    retry_cap: float = 30.0


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter of the job: part of the instance's identity where `identifying`."""

    name: str
    type: Literal["text", "integer", "number", "boolean", "date"]
    default: object = None
    identifying: bool = True


@dataclass(frozen=True, slots=True)
class HookSpec:
    """Something done once per run: SQL of the file `path` on `system`, or `function` of the Python file `path`."""

    name: str
    moment: Literal["before", "after"]
    path: str
    system: str = ""
    function: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job without its steps: name, content version (a hash), unit, outputs by name, key maps, settings.

    `pinned` hashes the parts that a started run may not change without being told so (unit, key maps, systems).
    """

    name: str
    version: str
    pinned: str
    unit: UnitSchema
    outputs: Mapping[str, OutputSpec]
    keys: tuple[KeySpec, ...]
    settings: Settings
    parameters: tuple[ParameterSpec, ...] = ()
    hooks: tuple[HookSpec, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the systems written to, in name order (the order in which participants open)."""
        return tuple(sorted({output.system for output in self.outputs.values()}))

    @property
    def repeatable(self) -> bool:
        """Whether a unit may be moved again by another run: every output writes over what an earlier one wrote."""
        return all(output.call is None and output.mode != "insert" for output in self.outputs.values())
