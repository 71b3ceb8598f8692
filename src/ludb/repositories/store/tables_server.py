"""The tables of the server: who may use it, what they did, what is to be done for them, and how a run went by the minute.

They stand in the same `metadata` as the tables of runs, and follow the same rules. Flags are 0 or 1.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Integer, String, Table
from sqlalchemy.dialects.mysql import VARCHAR

from ludb.repositories.store.types import MYSQL, Big, Json, Long, Name, Serial, metadata

account = Table(
    "account",
    metadata,
    Column("name", Name, primary_key=True),
    Column("role", Name, nullable=False),
    Column("password", Long, nullable=False),
    Column("personal", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    Column("must_change", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Name, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("sha", String(64), primary_key=True),
    Column("user", Name, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("address", Name, nullable=False),
    Index("session_by_user", "user"),
)

token = Table(
    "token",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", Name, nullable=False, unique=True),
    Column("name", Name, nullable=False),
    Column("user", Name, nullable=False),
    Column("role", Name, nullable=False),
    Column("sha", String(64), nullable=False, unique=True),
    Column("personal", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Name, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("revoked_at", Double),
    Column("used_at", Double),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("at", Double, nullable=False),
    Column("actor", Name, nullable=False),
    Column("address", Name, nullable=False),
    Column("action", Name, nullable=False),
    Column("subject", Long, nullable=False),
    Column("outcome", Long, nullable=False),
    Column("before", Json, nullable=False),
    Column("after", Json, nullable=False),
    Index("audit_by_actor", "actor", "number"),
    sqlite_autoincrement=True,
)

failure = Table(
    "failure",
    metadata,
    Column("name", Name, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", Double, nullable=False),
)

task = Table(
    "task",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("id", Name, nullable=False, unique=True),
    Column("name", Name, nullable=False),
    Column("job", Name, nullable=False),
    Column("run", Name, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("actor", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("host", Name, nullable=False),
    Column("lock", Long, nullable=False),
    Column("put_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("outcome", Json, nullable=False),
    Index("task_by_state", "state"),
    Index("task_by_run", "run"),
    sqlite_autoincrement=True,
)

idempotent = Table(
    "idempotent",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", Double, nullable=False),
    Column("request_sha", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Json, nullable=False),
)

sample = Table(
    "sample",
    metadata,
    Column("run", Name, primary_key=True),
    Column("at", Double, primary_key=True),
    Column("span", Double, nullable=False),
    Column("settled", Big, nullable=False),
    Column("data", Json, nullable=False),
    Column("rates", Json),
)

figure = Table(
    "figure",
    metadata,
    Column("owner", Name, primary_key=True),
    Column("run", Name, nullable=False),
    Column("at", Double, nullable=False),
    Column("data", Json, nullable=False),
    Index("figure_by_run", "run"),
)

alert = Table(
    "alert",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("run", Name, nullable=False),
    Column("job", Name, nullable=False),
    Column("rule", Name, nullable=False),
    Column("severity", Name, nullable=False),
    Column("text", Long, nullable=False),
    Column("raised_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("acknowledged_by", Name, nullable=False),
    Column("acknowledged_at", Double),
    Column("stands", String(250).with_variant(VARCHAR(250, collation="utf8mb4_bin"), *MYSQL), unique=True),
    Index("alert_by_run", "run"),
    sqlite_autoincrement=True,
)

schedule = Table(
    "schedule",
    metadata,
    Column("id", Name, primary_key=True),
    Column("name", Name, nullable=False),
    Column("job", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("spec", Long, nullable=False),
    Column("zone", Name, nullable=False),
    Column("owner", Name, nullable=False),
    Column("arguments", Json, nullable=False),
    Column("enabled", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("next_at", Double),
    Column("last_at", Double),
    Column("last_task", Name, nullable=False),
    Column("note", Long, nullable=False),
)

slot = Table(
    "schedule_slot",
    metadata,
    Column("schedule", Name, primary_key=True),
    Column("slot", Name, primary_key=True),
    Column("at", Double, nullable=False),
)

setup = Table(
    "setup",
    metadata,
    Column("kind", Name, primary_key=True),
    Column("id", Name, primary_key=True),
    Column("data", Json, nullable=False),
    Column("by", Name, nullable=False),
    Column("at", Double, nullable=False),
)
