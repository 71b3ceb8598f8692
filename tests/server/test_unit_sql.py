"""A query on one unit's rows is answered, and can do nothing else: whatever is tried, by DuckDB's means or the system's."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import anyio
import anyio.lowlevel
import duckdb
import httpx2
import pytest

from ludb.errors import ConfigError
from ludb.model.access import Role
from ludb.server.config import ServerConfig
from ludb.server.problems import Problem
from ludb.server.routes import units
from ludb.server.turns import Turns
from ludb.server.world import World
from ludb.service.unit_sql import BoxLimits, ask_rows
from ludb.unitdb import box

SOURCE = {
    "customers": [{"id": 1, "name": "Ann", "born": dt.date(1970, 1, 2)}],
    "invoices": [{"id": 1, "amount": Decimal("12.30")}, {"id": 2, "amount": Decimal("1.05")}],
}
OUTPUTS = {"billing.account": [{"account_id": 7, "odd": 1}, {"account_id": 8, "odd": "text"}]}
QUICK = BoxLimits(seconds=2, memory=64)


def asked(sql, limits=QUICK):
    return ask_rows(SOURCE, OUTPUTS, sql, limits)


def refused(sql):
    with pytest.raises(ConfigError) as error:
        asked(sql)
    return error.value.message


def test_source_rows_and_outputs_are_tables_whose_values_stay_exact():
    told = asked(
        "SELECT c.name, born, sum(amount) AS paid, count(DISTINCT account_id) AS n"
        " FROM customers c, source.invoices, billing.account GROUP BY ALL; -- and no more"
    )
    assert [one["name"] for one in told.columns] == ["name", "born", "paid", "n"]
    assert (told.rows, told.more) == ([["Ann", "1970-01-02", "26.70", 2]], False)
    assert asked("SELECT 'ü;' AS ü /* ; */ ; -- ;").rows == [["ü;"]]
    assert asked("SELECT 'nan'::DOUBLE, {'a': [1]}, 'ab'::BLOB").rows == [["nan", "{'a': [1]}", "ab"]]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY customers TO '/tmp/stolen.csv'", "ATTACH '/tmp/other.db'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 8",
        "RESET memory_limit", "PRAGMA database_list", "EXPORT DATABASE '/tmp/out'", "CREATE TABLE x (a INT)",
        "DELETE FROM customers", "SELECT 1; SELECT 2", "CALL pragma_version()", "EXPLAIN ANALYZE SELECT 1", "",
    ],
    ids=[
        "copy", "attach", "install", "load", "set", "reset", "pragma", "export", "create", "delete", "two", "call", "explain",
        "nothing",
    ],
)  # fmt: skip
def test_only_one_query_is_answered(sql):
    with pytest.raises(ConfigError, match="only one query"):
        asked(sql)


def test_files_are_out_of_reach_for_a_query():
    for sql in (
        "FROM read_csv('/etc/passwd')", "FROM read_text('/etc/passwd')", "FROM glob('/*')", "FROM sniff_csv('/etc/passwd')",
        "FROM read_blob('/proc/self/environ')", "FROM duckdb_secrets()",
    ):  # fmt: skip
        assert "disabled by configuration" in refused(sql), sql
    assert "does not exist" in refused("FROM '/etc/passwd'")
    assert "does not exist" in refused("SELECT getenv('HOME')")
    assert "does not exist" in refused("FROM SOURCE_OF_THE_PROCESS")


def test_the_network_is_out_of_reach():
    called = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            called.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        refused(f"FROM read_csv('http://127.0.0.1:{server.server_address[1]}/stolen')")
        server.shutdown()
        thread.join()
    assert called == []


@pytest.mark.parametrize(
    "sql",
    [
        "SET threads = 8", "RESET memory_limit", "ATTACH '/tmp/other.db'", "COPY source.t TO '/tmp/stolen.csv'",
        "INSTALL httpfs", "SET lock_configuration = false", "EXPORT DATABASE '/tmp/out'", "PRAGMA enable_profiling",
    ],
    ids=["set", "reset", "attach", "copy", "install", "unlock", "export", "pragma"],
)  # fmt: skip
def test_the_database_is_locked_should_a_statement_slip_through(sql):
    connection = box._filled({}, 64)
    connection.execute("CREATE SCHEMA source; CREATE TABLE source.t (a INT)")
    with pytest.raises(duckdb.Error):
        connection.execute(sql)


@pytest.mark.parametrize(
    "what",
    [
        "os.fork()", "open('/tmp/ludb-stolen', 'w')", "open('/etc/hostname')", "socket.socket()", "bytearray(2 << 30)",
        "threading.Thread(target=print).start()", "subprocess.run(['/bin/true'])",
    ],
    ids=["fork", "write", "read", "socket", "memory", "thread", "process"],
)  # fmt: skip
def test_the_system_holds_should_the_database_not(what):
    code = f"""
import os, socket, subprocess, threading
from ludb.unitdb import box
box._lock_in(2)
try:
    {what}
except (OSError, MemoryError, RuntimeError):
    os.write(1, b"held")
else:
    os.write(1, b"got out")
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.stdout == b"held", done.stderr


def test_what_never_ends_or_takes_too_much_is_ended():
    endless = "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT count(*) FROM r"
    assert "took" in refused(endless)
    assert "64 MB" in refused("SELECT repeat('x', 900000000)")
    assert "64 MB" in refused("SELECT list(range) FROM range(1000000000)")
    assert "memory" in refused("SELECT count(DISTINCT a.range || b.range) FROM range(1000000) a, range(1000000) b")


def test_a_giant_answer_is_cut_and_says_so():
    told = asked("FROM range(100000000000)")
    assert (len(told.rows), told.more) == (1000, True)
    wide = asked("SELECT repeat('x', 50000) FROM range(1000)")
    assert len(json.dumps(wide.rows)) < 3_000_000
    assert (wide.more, len(wide.rows[0][0])) == (True, 10_000)


@pytest.fixture
def server(shop, people):
    """The server of the shop's job, whose run has moved two customers."""
    shop.run()
    site = replace(shop.site, environment=shop.environment)
    config = ServerConfig(jobs=(shop.folder,))
    people.world = people.app.state.world = World(site, config, passwords=people.world.passwords)
    return people


def test_who_may_see_row_values_asks_over_the_api_and_nobody_else(server, shop):
    path, body = "/api/v1/units/shop/1/sql", {"sql": "SELECT c.name, a.id FROM customers c, billing.account a"}
    trusted = server.token(Role.OPERATOR, personal=True)
    told = trusted.post(path, json=body)
    assert told.status_code == 200, told.text
    assert told.json()["rows"] == [["Ann", 100]]
    assert trusted.post(path, json={"sql": "SELECT nonsense FROM customers"}).status_code == 422
    masked = server.token(Role.ADMIN).post(path, json=body)
    assert (masked.status_code, "may not see row values" in masked.json()["detail"]) == (403, True)
    assert trusted.post("/api/v1/units/shop/4711/sql", json=body).status_code == 404
    assert trusted.post("/api/v1/units/other/1/sql", json=body).status_code == 404
    ((actor, subject),) = {
        (one.actor, one.subject) for one in server.world.repository.access.audit.page() if one.action == "unit.sql"
    }
    assert (actor, subject.endswith(" 1")) == ("the-operator", True)


def test_many_who_wait_for_their_queries_keep_nobody_else_waiting(server, listen, monkeypatch):
    """Otherwise whoever steers a run at night waits behind twenty queries that never end."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def ask(*_):
        begun.release()
        assert go_on.wait(60)
        return {"columns": [], "rows": [], "more": False, "note": ""}

    monkeypatch.setattr(units, "ask", ask)
    secret = {"Authorization": server.token(Role.OPERATOR, personal=True).headers["Authorization"]}
    url = f"{listen(server.app)}/api/v1"

    def query():
        return httpx2.post(f"{url}/units/shop/1/sql", json={"sql": "SELECT 1"}, headers=secret, timeout=60)

    with ThreadPoolExecutor(24) as crowd:
        asked = [crowd.submit(query) for _ in range(24)]
        for _ in range(2):
            assert begun.acquire(timeout=60)
        for path in ("runs", "jobs", "alerts"):
            assert httpx2.get(f"{url}/{path}", headers=secret, timeout=8).status_code == 200
        assert not begun.acquire(blocking=False), "two at a time"
        go_on.set()
        assert {one.result().status_code for one in asked} == {200}


def test_whoever_waited_for_a_turn_in_vain_is_told_so():
    async def both():
        turns, first = Turns(1, wait=0.0), threading.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(turns.take, first.wait, "a turn")
            await anyio.lowlevel.checkpoint()
            with pytest.raises(Problem) as refused:
                await turns.take(first.wait, "their queries answered")
            first.set()
        assert await turns.take(lambda: "done", "a turn") == "done"
        return refused.value

    refused = anyio.run(both)
    assert (refused.status, refused.detail) == (429, "others have their queries answered")


def test_a_query_on_rows_that_can_not_be_read_here_says_why_they_are_not_there(server, shop):
    """Otherwise it says that there is no such table, and that is not what is wrong."""
    shutil.rmtree(shop.state / "pinned")
    answer = server.token(Role.OPERATOR, personal=True).post(
        "/api/v1/units/shop/1/sql", json={"sql": "SELECT * FROM customers"}
    )
    assert (answer.status_code, "has nothing pinned in" in answer.json()["detail"]) == (422, True), answer.text
