"""What a server, and the workers beside it, do when something is wrong that is nobody's mistake in a request."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest

from ludb.errors import RoomError, TransientError
from ludb.model.access import Role
from ludb.model.run import RunState
from ludb.repositories.postgres import PostgresRepository
from ludb.repositories.sqlite import SqliteRepository
from ludb.repositories.store.tables import SCHEMA_VERSION
from ludb.server.keeper import Keeper
from ludb.server.world import World
from ludb.service.alerts_channels import WEBHOOK
from ludb.testing.repository_world import RUN, claimed, moved, started
from ludb.testing.services import missing, running


def until(condition, what, patience=120.0):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def ludb(*words, environment):
    return [sys.executable, "-m", "ludb", *words], {**os.environ, **environment}


def test_a_repository_of_a_newer_version_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "repository.sqlite"
    SqliteRepository(str(path)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update meta set schema_version = 99")
    command, environment = ludb("serve", "--port", "0", "--state", str(tmp_path), environment={})
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "version 99" in ended.stderr
    assert f"up to {SCHEMA_VERSION}" in ended.stderr


def test_a_run_that_is_over_cannot_be_stopped_or_paused_and_the_answer_says_why(people):
    repository = people.world.repository
    started(repository, 4)
    moved(repository, claimed(repository))
    assert repository.runs.settle(RUN).state is RunState.COMPLETED
    client = people.token(Role.OPERATOR)
    for what in ("stop", "pause", "resume", "abandon"):
        answer = client.post(f"/api/v1/runs/{RUN}/{what}")
        told = answer.json()
        assert (answer.status_code, told["type"]) == (409, "urn:ludb:problem:conflict"), what
        assert "completed" in told["detail"], what


def test_a_server_whose_repository_is_away_reports_it_as_a_line_of_json(world, monkeypatch, capsys):
    """Whoever collects the logs of a night reads them by machine."""
    keeper = Keeper(world)

    def look(_):
        keeper._ended.set()
        raise TransientError("the repository does not answer", system="repository")

    monkeypatch.setattr(Keeper, "look", look)
    world.wake.set()
    keeper._loop()
    (line,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert (line["event"], line["level"], line["reason"]) == (
        "server.waits",
        "warning",
        "the repository does not answer",
    )
    assert line["timestamp"]


def test_a_server_that_waits_for_a_night_says_so_once_a_minute_and_that_it_goes_on(world, monkeypatch, capsys):
    """Each look was a line, five in a second, until the disk was full as well."""
    keeper, looks, clock = Keeper(world), iter(range(300)), iter(range(0, 3000, 1))
    monkeypatch.setattr("ludb.server.keeper.time.monotonic", lambda: float(next(clock)))

    def look(_):
        world.wake.set()
        if next(looks, None) is not None:
            raise TransientError("the repository does not answer", system="repository")
        keeper._ended.set()

    monkeypatch.setattr(Keeper, "look", look)
    keeper._loop()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["event"] for one in lines] == ["server.waits"] * 5 + ["server.goes_on"]
    assert [one["seconds"] for one in lines] == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]


@pytest.fixture
def away_and_back():
    """A PostgreSQL server of this test alone, which it may kill."""
    lacking = missing("postgres")
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(f"NOT TESTED: {lacking}")
    with running("postgres") as server:
        yield server


@pytest.mark.long
def test_while_the_repository_is_down_the_server_lives_says_so_and_goes_on_when_it_is_back(people, away_and_back):
    repository = PostgresRepository(away_and_back.url("postgres") + "?durability=off")
    people.world = World(
        replace(people.world.site, repository=repository), people.world.config, passwords=people.world.passwords
    )
    people.app.state.world = people.world
    with closing(repository):
        started(repository)
        client = people.token(Role.VIEWER)
        assert client.get(f"/api/v1/runs/{RUN}").status_code == 200
        away_and_back.kill()
        answer = client.get(f"/api/v1/runs/{RUN}")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:ludb:problem:away")
        assert "Retry-After" in answer.headers
        assert (client.get("/health/ready").status_code, client.get("/health/live").status_code) == (503, 200)
        away_and_back.start()
        until(lambda: client.get("/health/ready").status_code == 200, "the server does not find its repository again")
        assert client.get(f"/api/v1/runs/{RUN}").status_code == 200


@pytest.mark.long
def test_workers_wait_for_a_repository_that_is_down_and_the_run_ends_whole(shop, away_and_back):
    (shop.job / "steps/20_order/billing.charge.sql").unlink()
    gate, seen = shop.folder / "go", shop.folder / "seen"
    shop.write({"steps/20_order/billing.charge.py": f"""
        import pathlib, time
        def transform(unit):
            pathlib.Path({str(seen)!r}).touch()
            while not pathlib.Path({str(gate)!r}).exists():
                time.sleep(0.02)
            (account,) = unit.billing.account
            for one in unit.orders:
                yield {{"oid": one.oid, "account": account.id, "amount": one.amount}}
    """})  # fmt: skip
    url = away_and_back.url("postgres") + "?durability=off"
    words = ("run", str(shop.job), "--workers=1", "--state", str(shop.state), "--repository", url)
    command, environment = ludb(*words, environment=shop.environment)
    with (shop.folder / "said").open("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        try:
            until(seen.exists, "no unit came to the step")
            away_and_back.kill()
            gate.touch()
            logs = shop.state / "logs"
            told = lambda: any("repository.away" in path.read_text() for path in logs.rglob("w-*.log"))  # noqa: E731
            until(lambda: told() or process.poll() is not None, "the worker does not notice")
            assert process.poll() is None, (shop.folder / "said").read_text()
            away_and_back.start()
            assert process.wait(timeout=120) == 0, (shop.folder / "said").read_text()
        finally:
            process.kill()
            process.wait()
    assert shop.rows("billing", "select count(*), sum(amount) from charge") == [(3, 14.75)]
    assert shop.rows("billing", "select count(*) from account") == [(3,)]


def test_a_full_disk_of_the_state_directory_is_told_though_nothing_can_be_kept(people, hook, monkeypatch, capsys):
    """Otherwise a night's runs wait for room, and nobody who could make it hears of that."""
    site = replace(people.world.site, environment={WEBHOOK: hook.url})
    world = replace(people.world, site=site)
    room = {"left": False}
    monkeypatch.setattr("ludb.server.keeper.has_room", lambda _: room["left"])
    keeper = Keeper(world)

    def look():
        keeper._watched = float("-inf")
        keeper.look()

    for _ in range(2):
        look()
    until(lambda: hook.got, "people are told")
    room["left"] = True
    look()
    ((_, document, _),) = hook.got
    assert (document["rule"], document["severity"], document["number"]) == ("disk", "critical", 0)
    assert f"the state directory {site.state} is full" in document["text"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["event"] for one in lines] == ["server.waits", "server.goes_on"]


def test_a_command_that_a_full_disk_refuses_says_to_make_room(people, monkeypatch):
    started(people.world.repository)

    def full(*_):
        raise RoomError("job repository /x/repository.sqlite: database or disk is full", path="/x")

    monkeypatch.setattr(people.world.repository.commands, "put", full)
    answer = people.token(Role.OPERATOR).post(f"/api/v1/runs/{RUN}/pause")
    assert (answer.status_code, answer.json()["remedy"]) == (503, "Make room there, then try again")
