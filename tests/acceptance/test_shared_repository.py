"""Runs whose repository is on a database server: the same commands, the same restart, and no password in sight."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.long)])
def shared(request, shop):
    """A shop whose repository is on a server, named by the variable as it should be."""
    shop.environment["LUDB_REPOSITORY"] = request.getfixturevalue(f"{request.param}_database")()
    return shop


def test_a_killed_run_goes_on_where_it_was(shared):
    process = shared.start("run", "job", "--workers", "2", GATE=str(shared.gate))
    for worker in shared.inside(2):
        os.kill(worker, signal.SIGKILL)
    process.kill()
    process.wait()
    shared.gate.touch()
    said = shared.ludb("run", "job", "--json", GATE=str(shared.gate))
    assert said.code == 0, said.err
    assert said.json["counters"]["done"] == 8
    assert shared.rows("billing", "select count(*), count(distinct id) from account") == [(8, 8)]
    assert not (shared.state / "repository.sqlite").exists()
    assert shared.ludb("status", "--job", "job", "--json").json["counters"]["done"] == 8


def test_a_password_is_on_no_command_line_and_in_no_message(shop, postgres_database):
    url = postgres_database()
    with psycopg.connect(url, autocommit=True) as admin:
        name = url.rsplit("/", 1)[1]
        admin.execute(f"create role mover_{name} login superuser password 'geheim7'")
    address = url.replace("postgres@", f"mover_{name}:geheim7@")
    process = shop.start("run", "job", GATE=str(shop.gate), LUDB_REPOSITORY=address)
    for worker in [process.pid, *shop.inside(1)]:
        assert b"geheim7" not in Path(f"/proc/{worker}/cmdline").read_bytes()
    shop.gate.touch()
    said = shop.said(process)
    assert said.code == 0, said.err
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"reassign owned by mover_{name} to postgres")
        admin.execute(f"drop role mover_{name}")
    refused = shop.ludb("status", "--job", "job", LUDB_REPOSITORY=address)
    assert refused.code == 2
    assert "authentication failed" in refused.err or "does not exist" in refused.err
    assert "geheim7" not in refused.out + refused.err
    logs = [path for path in shop.state.rglob("*") if path.is_file()]
    assert logs
    assert not [path for path in logs if b"geheim7" in path.read_bytes()]
