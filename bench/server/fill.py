"""A repository as it looks after years, filled by bulk inserts: one large run that goes on, and many small ones that are over."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Table, insert

from ludb.model.access import Role, Token, User
from ludb.repositories.store import tables as t
from ludb.repositories.store import tables_server as s
from ludb.repositories.store.repository import StoreRepository
from ludb.repositories.store.tally import recount

SEGMENT, BATCH = 50_000, 2_000
BIG, JOB = "large-run", "telco"
SECRET = "ludb_bench"  # noqa: S105  (of a repository that is thrown away)
REASONS = ("tariff is not known", "no contact", "charges do not add up", "birthday cannot be read", "crm: 422")
TABLES = tuple(f"table_{number}" for number in range(9))
Rows = Iterable[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is. Calls and events belong to the large run."""

    units: int = 1_000_000
    chunks: int = 20_000
    quarantined: int = 5_000
    runs: int = 2_000
    calls: int = 20_000
    events: int = 20_000
    samples: int = 720

    def scaled(self, scale: float) -> Size:
        """The same at another scale."""
        return Size(*(max(20, round(getattr(self, name) * scale)) for name in self.__slots__))


def fill(repository: StoreRepository, size: Size, share: float = 1.0) -> None:
    """Fill an empty repository. Nothing but its own columns is made up: what is written is what a run writes. Of the large run
    that goes on, `share` has been claimed.
    """
    admit(repository)
    with repository._database.write() as connection:  # noqa: SLF001  (the bench writes what workers would take hours to)
        for table, rows in _everything(size, time.time(), share):
            _insert(connection, table, rows)
        recount(connection)
        if connection.dialect.name == "postgresql":  # which analyzes by itself, later; nobody does it for SQLite
            connection.exec_driver_sql("ANALYZE")


def admit(repository: StoreRepository) -> None:
    """Make a user with a token that opens everything (`SECRET`)."""
    admin = User("bench", Role.ADMIN, "no password", personal=True)
    repository.access.users.add(admin)
    sha = hashlib.sha256(SECRET.encode()).hexdigest()
    token = Token("bench", "bench", admin.name, Role.ADMIN, sha, personal=True, expires_at=time.time() + 1e7)
    repository.access.tokens.add(token)


def _insert(connection: Connection, table: Table, rows: Rows) -> None:
    held: list[dict[str, Any]] = []
    for row in rows:
        held.append(row)
        if len(held) == BATCH:
            connection.execute(insert(table), held)
            held = []
    if held:
        connection.execute(insert(table), held)


def _everything(size: Size, now: float, share: float) -> Iterator[tuple[Table, Rows]]:
    began = now - 20_000
    yield t.run, [_run(BIG, "running", size.units, began, None)]
    yield t.run, (_run(f"run-{n:05}", "completed_with_exceptions", 10, began - n * 60, began - n * 60 + 30)
                  for n in range(size.runs - 1, 0, -1))  # fmt: skip
    each, claimed = max(1, size.units // size.chunks), round(size.chunks * share)
    yield t.segment, _segments(BIG, size.units, size.units if share == 1 else claimed * each)
    for number in range(1, size.runs):
        yield t.segment, _segments(f"run-{number:05}", 10, 10)
    aside = set(range(0, size.units, max(1, size.units // size.quarantined)))
    done = claimed - 8
    yield t.chunk, (_chunk(BIG, n, each, began, sum(at in aside for at in range(n * each, n * each + each)), n < done)
                    for n in range(claimed))  # fmt: skip
    yield t.decision, (_decision(BIG, n, each, began) for n in range(done))
    yield t.chunk_rows, (row for n in range(done) for row in rows_of(f"{BIG}-{n}", each))
    yield t.chunk, (_chunk(f"run-{n:05}", 0, 10, began - n * 60, 1, True) for n in range(1, size.runs))
    yield t.decision, (_decision(f"run-{n:05}", 0, 10, began - n * 60) for n in range(1, size.runs))
    yield t.unit_exception, (exception(BIG, at, began) for at in sorted(aside) if at < done * each)
    yield t.unit_exception, (exception(f"run-{n:05}", 3, began - n * 60) for n in range(1, size.runs))
    yield t.unit_history, ({"run": BIG, "position": at, "at": began, "what": "quarantined", "data": {"reason": "x"}}
                           for at in sorted(aside) if at < done * each)  # fmt: skip
    yield t.call, (_call(n, each, began) for n in range(size.calls))
    yield t.event, ({"run": BIG, "at": began + n, "name": "chunk.recovered", "chunk": f"{BIG}-{n}", "level": "info",
                     "lasting": 1, "data": {"targets": ["billing"], "in_doubt": 0}} for n in range(size.events))  # fmt: skip
    yield t.owner, [_owner(n, now) for n in range(8)]
    yield s.figure, [{"owner": f"w-{n}", "run": BIG, "at": now, "data": _figures()} for n in range(8)]
    yield s.sample, [{"run": BIG, "at": began + 27 * n, "span": 27.0, "settled": round(n * size.units * share) // size.samples,
                      "data": {"cpu": 3.2, "memory": 2e9, "workers": 8.0, "host_cpu": 0.8, "host_memory": 0.5,
                               "doing.steps": 3.0, "doing.writing": 5.0}} for n in range(size.samples)]  # fmt: skip


def _figures() -> Mapping[str, object]:
    one = {
        "count": 2500,
        "seconds": 310.5,
        "rows": 125_000,
        "latencies": [900, 800, 500, 200, 100, 0, 0, 0, 0, 0, 0, 0, 0],
    }
    names: dict[str, tuple[str, ...]] = {
        "phase": ("claim", "extract", "assemble", "steps", "rules", "prepare", "journal", "decide", "commit", "record")
    }
    names |= {"step": tuple(f"steps/10/billing.{name}.sql" for name in TABLES), "system": ("legacy", "billing", "crm")}
    return {kind: dict.fromkeys(named, one) for kind, named in names.items()}


def _run(name: str, state: str, units: int, began: float, ended: float | None) -> dict[str, Any]:
    return {
        "id": name, "job": JOB, "instance": f"{JOB}:{name}", "state": state, "version": "5f0c1a2b3c4d5e6f", "pinned": "p",
        "clock": began, "units": units, "actor": "operator", "host": "elsewhere", "parameters": {"region": name},
        "settings": {"workers": 8, "chunk_units": 50, "calls": {"crm": {"pace": "200/s"}}},
        "counts": {name: {"rows": units, "orphans": 0} for name in TABLES}, "notes": {}, "reason": "",
        "created_at": began, "started_at": began, "ended_at": ended,
    }  # fmt: skip


def _segments(run: str, units: int, taken: int) -> Iterator[dict[str, Any]]:
    for number, first in enumerate(range(0, units, SEGMENT)):
        until = min(units, first + SEGMENT)
        sink = pa.BufferOutputStream()
        keys = pa.table({"customer_id": pa.array(range(100_000 + first, 100_000 + until), pa.int64())})
        with pa.ipc.new_stream(sink, keys.schema) as writer:
            writer.write_table(keys)
        data = sink.getvalue().to_pybytes()
        yield {
            "run": run, "seg": number, "first_pos": first, "n": until - first, "next_pos": max(first, min(until, taken)),
            "written_at": 0.0, "keys_sha": hashlib.sha256(data).hexdigest(), "keys": data,
        }  # fmt: skip


def _chunk(run: str, number: int, units: int, began: float, aside: int, finished: bool) -> dict[str, Any]:
    at = began + number
    return {
        "id": f"{run}-{number}", "run": run, "kind": "move", "state": "finished" if finished else "claimed", "seg": 0,
        "lo": number * units, "hi": number * units + units, "units": units, "done": units - aside if finished else 0,
        "txn": f"txn-{run}-{number}", "seq": number + 1, "owner": f"w-{number % 8}", "attempt": 1, "claimed_at": at - 8,
        "finished_at": at if finished else None, "error": "",
    }  # fmt: skip


def finished(number: int, first: int, units: int, aside: int, began: float, ended: float) -> dict[str, Any]:
    """A chunk of the large run that has moved just now."""
    chunk = _chunk(BIG, number, units, began, aside, True)
    return chunk | {"lo": first, "hi": first + units, "claimed_at": began, "finished_at": ended}


def rows_of(chunk: str, units: int) -> Iterator[dict[str, Any]]:
    """What a chunk of the large run read and wrote."""
    return (
        {"chunk": chunk, "side": side, "name": name, "run": BIG, "n": units}
        for side in ("source", "output") for name in TABLES
    )  # fmt: skip


def _decision(run: str, number: int, units: int, began: float) -> dict[str, Any]:
    return {
        "txn": f"txn-{run}-{number}", "chunk": f"{run}-{number}", "run": run, "seq": number + 1,
        "participants": ["billing"], "journal": {"billing": "0" * 64}, "done": units,
        "rows": {"source": dict.fromkeys(TABLES, units), "output": dict.fromkeys(TABLES, units)},
        "job_version": "5f0c1a2b3c4d5e6f", "conversions": {}, "decided_at": began + number, "exceptions": b"",
        "undo": b"",
    }  # fmt: skip


def exception(run: str, position: int, began: float) -> dict[str, Any]:
    """A unit that was set aside."""
    reason = REASONS[position % len(REASONS)]
    return {
        "run": run, "position": position, "state": "quarantined", "unit_key": str(100_000 + position), "phase": "rules",
        "step": "rules/10_customer/has_contact.sql", "reason": reason, "message": f"rules/has_contact.sql: {reason}",
        "job_version": "5f0c1a2b3c4d5e6f", "at": began + position % 20_000, "chunk": f"{run}-0",
        "rows": {"source": dict.fromkeys(TABLES, 1), "output": {}}, "detail": "x" * 200, "body": "", "trace": "y" * 2000,
        "source_rows": '{"customers": [{"name": "' + "z" * 3000 + '"}]}',
    }  # fmt: skip


def _call(number: int, units: int, began: float) -> dict[str, Any]:
    key = str(100_000 + number)
    return {
        "id": f"call-{number}", "instance": f"{JOB}:{BIG}", "output": "crm.customer", "unit_key": key, "row_key": key,
        "generation": 0, "run": BIG, "position": number, "chunk": f"{BIG}-{number // units}", "seq": number + 1,
        "state": "in_doubt" if number % 500 == 0 else "done", "server_id": key, "status": 201, "reason": "",
        "changed_at": began + number, "request_sha": "0" * 64, "method": "POST", "path": "/customer",
        "request": '{"name": "' + "n" * 800 + '"}', "returned": {"crm_id": key}, "body": "b" * 300,
    }  # fmt: skip


def _owner(number: int, now: float) -> dict[str, Any]:
    return {
        "id": f"w-{number}", "run": BIG, "role": "worker", "host": "elsewhere", "pid": 100 + number,
        "lock": f"/nowhere/w-{number}.lock", "beat": 100, "state": "alive", "doing": "writing", "cpu": 0.9,
        "memory": 300_000_000, "beat_at": now,
    }  # fmt: skip
