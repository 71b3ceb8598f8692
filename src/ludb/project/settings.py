"""What `job.yaml` may say, field by field. The JSON Schema for editors is made from these models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from ludb.project.notation import Columns, Echo, Mapped, Pairs, Seconds, limit, status, undo

NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
"""Names that become part of file names, SQL schemas and variables."""
_CALL = r"^[A-Z]+ /\S*$"
_JSON_PATH = r"^\$"
_HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
_HEADER_TEXT = r"^[\t -~]*$"

Name = Annotated[str, Field(pattern=NAME)]


class Entry(BaseModel):
    """A mapping in `job.yaml`: unknown fields are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=False)


class LinkSettings(Entry):
    """One table of the unit below the root: where its rows live and how they hang together."""

    parent: str = Field(description="The unit table that these rows belong to")
    on: Pairs = Field(description="Linking columns: a name, a list, or {child column: parent column}")
    table: str | None = Field(
        default=None,
        description="Where the rows live: system.table or table; default: the entry's name in the root's system",
    )
    also: dict[str, Pairs] = Field(
        default_factory=dict, description="Second parents: {unit table: columns}; they must be in the same unit"
    )
    on_stray: Literal["reject", "warn"] = Field(
        default="reject",
        description="A row whose second parent is in another unit: reject its unit, or warn and drop the row",
    )
    recursive: Mapped = Field(
        default=(), description="Self reference: {child column: parent column}, walked to its end"
    )
    types: dict[str, str] = Field(default_factory=dict, description="How columns are read: {column: type name}")


class UnitSettings(Entry):
    """The unit: a root row and all rows linked to it."""

    root: str = Field(description="system.table with one row per unit")
    key: Columns = Field(description="The root's column, or columns, that identify a unit")
    name: str | None = Field(default=None, description="What steps call the root table; default: its own name")
    types: dict[str, str] = Field(
        default_factory=dict, description="How columns of the root are read: {column: type name}"
    )
    tables: dict[str, LinkSettings] = Field(default_factory=dict, description="The unit's other tables, in any order")
    reference: list[str] = Field(
        default_factory=list, description="Shared tables (system.table), read once, as ref.<table>"
    )
    unique_across_units: dict[str, Literal["reject_later", "reject_all"]] = Field(
        default_factory=dict,
        description="Values that one unit alone may hold: {table.column: rule}; columns joined by commas",
    )


class KeySettings(Entry):
    """A key map: old keys to new ones, the same answer on every retry, restart and re-run."""

    for_: Columns = Field(alias="for", description="The old key: table.column, or a list of them (one table)")
    kind: Literal["sequence", "uuid"] = Field(
        default="uuid", description="New keys: numbers, or UUIDs named by the old key"
    )
    start: int | None = Field(default=None, description="First number of a sequence; default 1")


class IdempotentSettings(Entry):
    """What the API promises about a repeated call id."""

    ttl: Seconds = Field(gt=0, description="How long the API recognises a repeated call id")


class UndoSettings(Entry):
    """What takes an object back where a DELETE does not: another request, with a document."""

    call: str = Field(pattern=_CALL, description="The call that takes it back: PATCH /customer/{id}")
    body: dict[str, Any] | None = Field(
        default=None, description="The document it sends; {id} and {call_id} are filled in within texts"
    )


Undo = Annotated[
    UndoSettings,
    BeforeValidator(undo),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _CALL}, {**UndoSettings.model_json_schema(), "title": "Undo"}]}
    ),
]
_STATUS = r"^([1-5]\d\d|[2-5]xx)$"
Status = Annotated[str, BeforeValidator(status), Field(pattern=_STATUS), WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": _STATUS}]}
)]  # fmt: skip
"""A status, `404`, or a class of them, `4xx`."""


class StatusSettings(Entry):
    """What statuses of the API mean where it is not the usual: each a status (404) or a class (4xx)."""

    success: list[Status] = Field(default_factory=list, description="It happened")
    retry: list[Status] = Field(default_factory=list, description="Nothing happened, and it may later")
    reject: list[Status] = Field(
        default_factory=list, description="Nothing happened, and never will: set the unit aside"
    )
    fatal: list[Status] = Field(default_factory=list, description="Nothing happened, and the run is to stop")

    @property
    def meanings(self) -> dict[str, str]:
        """Status or class to its meaning."""
        return {status: name for name in type(self).model_fields for status in getattr(self, name)}

    @model_validator(mode="after")
    def _told_once(self) -> StatusSettings:
        told = [status for name in type(self).model_fields for status in getattr(self, name)]
        twice = next((status for status in told if told.count(status) > 1), None)
        if twice is not None:
            raise ValueError(f"status {twice} has two meanings")
        return self


class AcceptedSettings(Entry):
    """An API that takes a request and does it later: where to ask for it, and what the answers mean."""

    status: int = Field(default=202, ge=200, le=299, description="The status that says so")
    poll: str = Field(
        pattern=r"^(\$|GET /)",
        description="Where to ask: $header.Location, a JSON path of the address, or GET /jobs/{job}",
    )
    job: str = Field(default="$.id", pattern=_JSON_PATH, description="Where the answer names the job, for {job}")
    state: str = Field(default="$.status", pattern=_JSON_PATH, description="Where the job says how far it is")
    done: list[str] = Field(min_length=1, description="What it says there when it is done")
    failed: list[str] = Field(default_factory=list, description="What it says there when it will never be done")
    within: Seconds = Field(gt=0, description="How long it is asked for; after that nobody knows")
    every: Seconds = Field(default=1.0, gt=0, description="How often it is asked for; a Retry-After goes before")
    returns: dict[Name, Annotated[str, Field(pattern=_JSON_PATH)]] = Field(
        default_factory=dict, description="Values of the job's last answer: id, and every name of the output's returns"
    )


class BulkSettings(Entry):
    """An endpoint that takes many documents in one request and answers for each."""

    size: int = Field(ge=1, le=10_000, description="Documents in one request, at most")
    call: str | None = Field(default=None, pattern=_CALL, description="Its request; default: the output's own call")
    items: str = Field(
        default="$", pattern=_JSON_PATH, description="Where the list stands in what is sent; $: it is all"
    )
    results: str = Field(
        default="$", pattern=_JSON_PATH, description="Where the answer lists the results, in the same order"
    )
    status: str | None = Field(
        default=None,
        pattern=_JSON_PATH,
        description="Where a result tells its status; default: that of the whole answer",
    )
    document: str = Field(default="$", pattern=_JSON_PATH, description="Where a result holds the object")


class SetAsideSettings(Entry):
    """When a call that its API fails each time is tried no more; what is left out is as the system says."""

    tries: int | None = Field(default=None, ge=2, description="Failed tries before a call is given up")
    others: int | None = Field(
        default=None, ge=1, description="Other calls to the system that must have got through meanwhile"
    )


class OutputSettings(Entry):
    """An output: rows for a table (`mode`), or documents for an API (`call` and what belongs to it)."""

    mode: Literal["insert", "upsert", "replace_unit"] | None = Field(
        default=None, description="How rows are written: insert (default), upsert, or replace_unit"
    )
    key: Columns | None = Field(
        default=None, description="Columns by which upsert finds a row; default: the table's primary key"
    )
    by: Pairs | None = Field(
        default=None,
        description="Which rows replace_unit replaces: {column: part of the unit key, keys.<map> or system.table.column}",
    )
    call: str | None = Field(default=None, pattern=_CALL, description="The call one row becomes: POST /customer")
    row: Columns | None = Field(
        default=None, description="Columns that tell a unit's rows apart; [unit_key] if it has one"
    )
    marker: str | None = Field(default=None, pattern=_JSON_PATH, description="JSON path where the call id is written")
    undo: Undo | None = Field(
        default=None, description="The call that takes it back: DELETE /customer/{id}, or {call, body}"
    )
    probe: str | None = Field(
        default=None, pattern=_CALL, description="The call that finds it by its marker: GET ...{call_id}"
    )
    update: str | None = Field(default=None, pattern=_CALL, description="The call that replaces it: PUT /customer/{id}")
    returns: dict[Name, Annotated[str, Field(pattern=_JSON_PATH)]] = Field(
        default_factory=dict, description="Values of the response that later steps read: {key map: JSON path}"
    )
    idempotent: IdempotentSettings | None = Field(
        default=None, description="Declare that the API recognises repeated call ids"
    )
    settle: Seconds | None = Field(default=None, ge=0, description="How long the API's look-up may lag; default 0s")
    headers: dict[Annotated[str, Field(pattern=_HEADER_NAME)], Annotated[str, Field(pattern=_HEADER_TEXT)]] = Field(
        default_factory=dict, description="Headers of this output's requests, no secrets; {call_id} is filled in"
    )
    query: dict[str, str] = Field(
        default_factory=dict, description="Query parameters of the call: {name: text}; texts may hold columns in braces"
    )
    status: StatusSettings | None = Field(
        default=None, description="What statuses mean where it is not the usual: {success, retry, reject, fatal}"
    )
    accepted: AcceptedSettings | None = Field(
        default=None,
        description="The API does it later: {status, poll, job, state, done, failed, within, every, returns}",
    )
    bulk: BulkSettings | None = Field(
        default=None, description="Many documents in one request: {size, call, items, results, status, document}"
    )
    set_aside: SetAsideSettings | None = Field(
        default=None, description="When a call that fails each time is given up: {tries, others}; default: the system's"
    )
    echo: Echo = Field(
        default=(), description="Places where the answer must say what was sent: all, or a list of JSON paths"
    )


class LimitSettings(Entry):
    """How many units may be set aside before the run fails."""

    percent: float | None = Field(default=None, ge=0, le=100, description="Share of settled units, in percent")
    count: int | None = Field(default=None, ge=0, description="Number of units")
    minimum: int = Field(default=100, ge=1, description="The share counts once so many units are settled")


class RetrySettings(Entry):
    """How long a chunk waits after a transient error: `base` doubled each time, up to `cap`."""

    base: Seconds = Field(default=0.5, gt=0, description="First wait")
    cap: Seconds = Field(default=30.0, gt=0, description="Longest wait")


Limit = Annotated[
    LimitSettings,
    BeforeValidator(limit),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*%$"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "percent": {"type": "number", "minimum": 0, "maximum": 100},
                        "count": {"type": "integer", "minimum": 0},
                        "minimum": {"type": "integer", "minimum": 1},
                    },
                },
            ]
        }
    ),
]


class RunSettings(Entry):
    """How the job runs; every field has a default."""

    chunk_units: int = Field(default=500, ge=1, description="Units that are moved together")
    chunk_bytes: int = Field(
        default=64 << 20,
        ge=1 << 16,
        description="Fewer units are moved together where their source rows hold more than this",
    )
    workers: int = Field(default=2, ge=1, le=1024, description="Worker processes at the start")
    quarantine_limit: Limit = Field(default=LimitSettings(), description="When too many quarantined units fail the run")
    lease: Seconds = Field(default=60.0, ge=1, description="After how long without a heartbeat a worker is given up")
    memory_limit: str = Field(
        default="1GB", pattern=r"^\d+(\.\d+)? ?([KMGT]i?B)$", description="Memory of one chunk's database: 512MB, 2GB"
    )
    extract: Literal["direct", "staged"] = Field(
        default="direct",
        description="direct: each chunk asks the sources for its rows; staged: every table is read once, and kept here",
    )
    retry: RetrySettings = Field(default=RetrySettings(), description="Waiting after transient errors")


class ParameterSettings(Entry):
    """A value that is given when a run starts."""

    type: Literal["text", "integer", "number", "boolean", "date"] = Field(default="text", description="Its type")
    default: str | int | float | bool | None = Field(default=None, description="Its value where none is given")
    identifying: bool = Field(default=True, description="Whether another value makes another instance of the job")


class HookSettings(Entry):
    """Something done once per run: SQL on a system, or a Python function."""

    sql: str | None = Field(default=None, description="A file of SQL statements, from the job folder: hooks/off.sql")
    on: Name | None = Field(default=None, description="The system that the statements run on")
    python: str | None = Field(
        default=None, pattern=r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$", description="A function: lib/hooks.py:notify"
    )
    name: str | None = Field(default=None, description="What the hook is called; default: what it runs")


class LookupSettings(Entry):
    """How a lookup file is read."""

    types: dict[str, str] = Field(
        default_factory=dict, description="Types of CSV columns: {column: type name}; default text"
    )


Severity = Literal["warn", "reject", "stop"]


class JobSettings(Entry):
    """The whole of `job.yaml`."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", description="The job's name: first part of every instance")
    description: str | None = Field(default=None, description="What the job is for, in words")
    systems: dict[Name, dict[str, Any]] = Field(
        min_length=1, description="Places data lives in or goes to: {name: {type: ..., fields of that type}}"
    )
    unit: UnitSettings = Field(description="The business entity that moves whole")
    keys: dict[Name, KeySettings] = Field(default_factory=dict, description="Key maps, read by steps as keys.<name>")
    outputs: dict[str, OutputSettings] = Field(
        default_factory=dict,
        description="How outputs are written, by <system>.<table>; not listed means {mode: insert}",
    )
    rules: dict[str, Severity] = Field(
        default_factory=dict,
        description="Severity of rules, by file name or folder/file name without .sql; default reject",
    )
    lookups: dict[str, LookupSettings] = Field(default_factory=dict, description="How lookup files are read, by name")
    parameters: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ParameterSettings] = Field(
        default_factory=dict, description="Values given at the start: getvariable('<name>') in SQL"
    )
    before: list[HookSettings] = Field(
        default_factory=list, description="What is done once before the first worker starts, in this order"
    )
    after: list[HookSettings] = Field(
        default_factory=list, description="What is done once after the run is complete, in this order"
    )
    settings: RunSettings = Field(default=RunSettings(), description="How the job runs")
