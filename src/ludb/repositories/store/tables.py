"""The tables of the job repository (PROTOCOL section 2), in types that every supported database has.

Times are Unix seconds, positions int64. JSON is kept as text with sorted keys, so that equal values are equal text and
can be grouped by. There are no foreign keys: segments are written before their run becomes visible.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Double, Index, Integer, String, Table, UniqueConstraint
from sqlalchemy.engine import Dialect

from ludb.repositories.store.types import MYSQL, Big, Blob, Digest, Json, Long, Name, OldKey, Serial, metadata

SCHEMA_VERSION = 10
"""The version of these tables, and of the newest file in `migrations/versions`; a store that says more is newer than this
program.
"""


def _has_long_keys(*_: Any, dialect: Dialect, **__: Any) -> bool:
    return dialect.name not in MYSQL


def _lacks_long_keys(*_: Any, dialect: Dialect, **__: Any) -> bool:
    return dialect.name in MYSQL


meta = Table(
    "meta",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("repository_id", Name, nullable=False),
    Column("seq", Big, nullable=False),
    Column("created_at", Double, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", Name, nullable=False, unique=True),
    Column("job", Name, nullable=False),
    Column("instance", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("version", Name, nullable=False),
    Column("pinned", Name, nullable=False),
    Column("clock", Double, nullable=False),
    Column("units", Big, nullable=False),
    Column("actor", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("settings", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("notes", Json, nullable=False),
    Column("reason", Long, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Index("run_by_instance", "job", "instance"),
    Index("run_by_state", "state", "number"),
    sqlite_autoincrement=True,
)

segment = Table(
    "segment",
    metadata,
    Column("run", Name, primary_key=True),
    Column("seg", Integer, primary_key=True, autoincrement=False),
    Column("first_pos", Big, nullable=False),
    Column("n", Big, nullable=False),
    Column("next_pos", Big, nullable=False),
    Column("written_at", Double, nullable=False),
    Column("keys_sha", String(64), nullable=False),
    Column("keys", Blob, nullable=False),
)

chunk = Table(
    "chunk",
    metadata,
    Column("id", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("seg", Integer),
    Column("lo", Big, nullable=False),
    Column("hi", Big, nullable=False),
    Column("units", Big, nullable=False),
    Column("done", Big, nullable=False, default=0),
    Column("txn", Name, nullable=False, unique=True),
    Column("seq", Big, nullable=False),
    Column("owner", Name, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("parent", Name),
    Column("not_before", Double),
    Column("released_at", Double),
    Column("finished_at", Double),
    Column("error", Long, nullable=False, default=""),
    Column("positions", Blob),
    Column("excluded", Blob),
    Column("payload", Blob, nullable=False, default=b""),
    Column("claimed_at", Double),
    Column("deaths", Integer, nullable=False, default=0, server_default="0"),
    Index("chunk_by_state", "run", "state", "seq"),
    Index("chunk_by_place", "run", "lo", "hi"),
    Index("chunk_done", "run", "state", "done"),  # counters are read from it alone
)

chunk_rows = Table(
    "chunk_rows",
    metadata,
    Column("chunk", Name, primary_key=True),
    Column("side", String(16), primary_key=True),
    Column("name", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("n", Big, nullable=False),
    Index("chunk_rows_summed", "run", "side", "name", "n"),  # the rows of a run are summed from it alone
)

decision = Table(
    "decision",
    metadata,
    Column("txn", Name, primary_key=True),
    Column("chunk", Name, nullable=False, unique=True),
    Column("run", Name, nullable=False),
    Column("seq", Big, nullable=False),
    Column("participants", Json, nullable=False),
    Column("journal", Json, nullable=False),
    Column("done", Big, nullable=False),
    Column("rows", Json, nullable=False),
    Column("job_version", Name, nullable=False),
    Column("conversions", Json, nullable=False),
    Column("decided_at", Double, nullable=False),
    Column("exceptions", Blob, nullable=False),
    Column("undo", Blob, nullable=False),
    Column("seconds", Json, nullable=True),
)

merged = Table(
    "merged",
    metadata,
    Column("run", Big, primary_key=True, autoincrement=False),
    Column("digest", Digest, primary_key=True),
    Column("position", Big, nullable=False),
    sqlite_with_rowid=False,
)

unit_exception = Table(
    "unit_exception",
    metadata,
    Column("run", Name, primary_key=True),
    Column("position", Big, primary_key=True, autoincrement=False),
    Column("state", Name, nullable=False),
    Column("unit_key", Long, nullable=False),
    Column("phase", Name, nullable=False),
    Column("step", Name, nullable=False),
    Column("reason", Long, nullable=False),
    Column("message", Long, nullable=False),
    Column("job_version", Name, nullable=False),
    Column("at", Double, nullable=False),
    Column("chunk", Name, nullable=False),
    Column("rows", Json, nullable=False),
    Column("detail", Long, nullable=False),
    Column("body", Long, nullable=False),
    Column("trace", Long, nullable=False),
    Column("source_rows", Long, nullable=False),
    Index("unit_exception_by_state", "run", "state"),
)

tally = Table(
    "tally",
    metadata,
    Column("run", Name, primary_key=True),
    Column("digest", Digest, primary_key=True),
    Column("state", Name, nullable=False),
    Column("phase", Name, nullable=False),
    Column("step", Name, nullable=False),
    Column("system", Name, nullable=False),
    Column("reason", Long, nullable=False),
    Column("n", Big, nullable=False),
    Column("last_at", Double, nullable=False),
)

unit_history = Table(
    "unit_history",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("run", Name, nullable=False),
    Column("position", Big, nullable=False),
    Column("at", Double, nullable=False),
    Column("what", Name, nullable=False),
    Column("data", Json, nullable=False),
    Index("unit_history_by_unit", "run", "position"),
    sqlite_autoincrement=True,
)

call = Table(
    "call",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", Name, nullable=False, unique=True),
    Column("instance", Name, nullable=False),
    Column("output", Name, nullable=False),
    Column("unit_key", Long, nullable=False),
    Column("row_key", Long, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("run", Name, nullable=False),
    Column("position", Big, nullable=False),
    Column("chunk", Name, nullable=False),
    Column("seq", Big, nullable=False),
    Column("state", Name, nullable=False),
    Column("server_id", Long),
    Column("status", Integer),
    Column("reason", Long, nullable=False, default=""),
    Column("changed_at", Double, nullable=False),
    Column("request_sha", Name, nullable=False),
    Column("method", Name, nullable=False),
    Column("path", Long, nullable=False),
    Column("request", Long, nullable=False),
    Column("returned", Json, nullable=False),
    Column("body", Long, nullable=False, default=""),
    # The unit comes before the output, so that the same index finds all calls of a unit.
    UniqueConstraint("instance", "unit_key", "output", "row_key", "generation", name="call_identity").ddl_if(
        callable_=_has_long_keys
    ),
    # Where long texts cannot be in a key, `id`, which is made of all five, says the same.
    Index(
        "call_by_unit", "instance", "unit_key", mysql_length={"unit_key": 190}, mariadb_length={"unit_key": 190}
    ).ddl_if(callable_=_lacks_long_keys),
    Index("call_by_chunk", "chunk", "state"),
    Index("call_by_run", "run", "state"),
    Index("call_by_state", "state", "number"),
    Index("call_in_order", "run", "number"),
    sqlite_autoincrement=True,
)

key_map = Table(
    "key_map",
    metadata,
    Column("job", Name, primary_key=True),
    Column("map", Name, primary_key=True),
    Column("old", OldKey, primary_key=True),
    Column("new", Name, nullable=False),
    UniqueConstraint("job", "map", "new", name="key_map_new"),
)

key_counter = Table(
    "key_counter",
    metadata,
    Column("job", Name, primary_key=True),
    Column("map", Name, primary_key=True),
    Column("next", Big, nullable=False),
)

command = Table(
    "command",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("run", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("actor", Name, nullable=False),
    Column("put_at", Double, nullable=False),
    Column("acknowledged_at", Double),
    Column("outcome", Long),
    Index("command_by_run", "run", "acknowledged_at"),
    sqlite_autoincrement=True,
)

owner = Table(
    "owner",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", Name, nullable=False, unique=True),
    Column("run", Name, nullable=False),
    Column("role", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("pid", Big, nullable=False),
    Column("lock", Long, nullable=False),
    Column("beat", Big, nullable=False),
    Column("state", Name, nullable=False),
    Column("doing", Long, nullable=False),
    Column("cpu", Double, nullable=False),
    Column("memory", Big, nullable=False),
    Column("beat_at", Double, nullable=False),
    Index("owner_by_run", "run"),
    sqlite_autoincrement=True,
)

event = Table(
    "event",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("run", Name, nullable=False),
    Column("at", Double, nullable=False),
    Column("name", Name, nullable=False),
    Column("chunk", Name, nullable=False),
    Column("level", Name, nullable=False),
    Column("lasting", Integer, nullable=False),
    Column("data", Json, nullable=False),
    Index("event_by_run", "run", "number"),
    sqlite_autoincrement=True,
)
