"""Servers for tests: real, shared by the processes of one session, and gone after it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from ludb.testing.shared_services import shared

USE = (
    "import sys, pathlib\n"
    "from ludb.testing.shared_services import shared\n"
    "with shared('postgres', pathlib.Path(sys.argv[1])) as server:\n"
    "    print(server.port, server.folder, flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_a_postgres_database_is_there_and_empty(postgres_database):
    for _ in range(2):
        with psycopg.connect(postgres_database("create table t (id int); insert into t values (1)")) as connection:
            assert connection.execute("select count(*) from t").fetchone() == (1,)


def test_a_mariadb_database_is_there_and_strict_enough_to_load(mariadb_database):
    url = mariadb_database("create table t (id int);\ninsert into t values (1);\n")
    assert url.startswith("mysql://root@127.0.0.1:")


def test_processes_share_a_server_that_outlives_the_first_and_ends_with_the_last_even_when_killed(
    tmp_path, postgres_server
):
    first = subprocess.Popen(
        [sys.executable, "-c", USE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    port, folder = first.stdout.readline().split()
    with shared("postgres", tmp_path) as server:
        first.send_signal(signal.SIGKILL)
        first.communicate()
        assert str(server.port) == port
        with psycopg.connect(server.url("postgres")) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    until = time.monotonic() + 30
    while Path(folder).exists():
        assert time.monotonic() < until
        time.sleep(0.02)
