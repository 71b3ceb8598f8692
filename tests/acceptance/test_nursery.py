"""Workers are forks of a process that is ready: they live on without it, and come without it where it has gone."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from ludb.launchers.nursery import Nursery, serve
from tests.acceptance.test_steering import whole


def nursery_of(process):
    """The process that has everything imported, started by whoever holds the run."""
    return next(one for one in psutil.Process(process.pid).children() if "ludb nursery" in " ".join(one.cmdline()))


def test_workers_go_on_and_others_come_when_the_process_that_forks_them_dies(shop):
    process = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    shop.inside(2)
    nursery, born = nursery_of(process), [psutil.Process(one.pid) for one in shop.workers()]
    assert {one.ppid() for one in born} == {nursery.pid}, "a worker took a start of its own"
    assert all(os.getsid(one.pid) == one.pid for one in born), "a terminal's hangup would end it"
    nursery.kill()
    shop.until(lambda: not nursery.is_running() or nursery.status() == psutil.STATUS_ZOMBIE, "it is dead")
    assert all(one.is_running() for one in born), "workers died with the process that forked them"

    def come_without_it():
        return [one.pid for one in shop.workers() if psutil.Process(one.pid).ppid() == process.pid]

    assert shop.ludb("set", "--job", "job", "workers=3").code == 0
    shop.until(lambda: len(come_without_it()) == 1, "the one more that was asked for has come without it")
    born[0].kill()
    shop.until(lambda: len(come_without_it()) == 2, "another one in the place of the dead one has come without it")
    (told,) = shop.events("nursery.gone")
    assert told["reason"] == "the process that forks workers was killed by signal 9"
    assert "processes of their own" in told["goes_on"]
    logs = shop.site.logs(shop.site.repository.views.runs(limit=1)[0].id)
    lines = [json.loads(line) for line in (logs / "supervisor.log").read_text().splitlines()]
    assert [one["level"] for one in lines if one["event"] == "nursery.gone"] == ["warning"]
    shop.gate.touch()
    said = shop.said(process)
    assert said.code == 0, said.err
    assert whole(shop)


def test_nothing_is_left_of_it_when_whoever_holds_the_run_is_killed(shop):
    process = shop.start("run", "job", "--workers", "1", GATE=str(shop.gate))
    shop.inside(1)
    nursery, (worker,) = nursery_of(process), shop.workers()
    os.kill(process.pid, signal.SIGKILL)
    shop.until(lambda: not nursery.is_running() or nursery.status() == psutil.STATUS_ZOMBIE, "it has ended by itself")
    assert psutil.pid_exists(worker.pid), "the worker ended with it"
    shop.gate.touch()
    shop.until(lambda: not shop.workers(), "the worker has done the run")
    assert whole(shop)


def test_one_that_cannot_fork_safely_refuses_and_a_worker_that_it_cannot_make_is_none(tmp_path):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match=r"threads cannot be forked safely"):
            serve(lambda: None)
    finally:
        done.set()
        thread.join()
    with Nursery() as nursery:
        forked = nursery.start(["--version"], os.environ, Path(tmp_path / "out"))
        forked.wait()
        assert (forked.poll(), (tmp_path / "out").read_text().count("\n")) == (0, 1)
    assert nursery.start(["--version"], os.environ, Path(tmp_path / "out")) is None, "it has ended"


def test_one_that_hangs_or_ends_says_so_before_workers_come_without_it(tmp_path, monkeypatch):
    """Else a run would stand still for a while, and be slower from then on, and nobody could tell why."""
    told, out = [], tmp_path / "out"
    monkeypatch.setattr("ludb.launchers.nursery.PATIENCE", 0.2)
    with Nursery() as hanging:
        hanging.gave_up = told.append
        os.kill(hanging._process.pid, signal.SIGSTOP)
        assert hanging.start(["--version"], os.environ, out) is None
    monkeypatch.undo()
    monkeypatch.setenv("LUDB_REPOSITORY", "nothing-that-is-known:x")
    with Nursery() as ended:
        ended.gave_up = told.append
        assert ended.start(["--version"], os.environ, out) is None
        assert ended.start(["--version"], os.environ, out) is None
    assert told == ["did not answer within 0.2 s", "ended with status 2"], "once each"
    assert "nothing-that-is-known" in out.read_text(), "its own words are lost"


def test_a_repository_in_the_environment_that_nobody_uses_keeps_no_run_from_starting(shop):
    """The imports made ahead must not know better than the command line."""
    away = {"LUDB_REPOSITORY": "nothing-that-is-known:x"}
    said = shop.ludb("run", "job", "--repository", f"sqlite:///{shop.folder / 'own.sqlite'}", "--json", **away)
    assert said.code == 0, said.err
