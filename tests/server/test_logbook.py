"""What the server says of itself: lines that a machine reads, with the run that they are about."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
import warnings
from dataclasses import replace

import httpx2
import pytest

from ludb.errors import FatalError
from ludb.model.access import Role
from ludb.server.app import create_app
from ludb.server.children import ask
from ludb.server.errands import ABANDON, put
from ludb.server.keeper import Keeper
from ludb.server.logbook import catch_all
from ludb.server.world import World
from ludb.testing.repository_world import RUN, started


@pytest.fixture
def said(capsys, monkeypatch):
    """All lines of standard error, as a process of its own would write them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    root.handlers = []  # what is there is the test runner's
    catch_all(chatty=False)
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


VALUE = "Ann, 10 Downing Street"


def broken(*_):
    raise ZeroDivisionError(f"nobody foresaw {VALUE}")


def test_an_answer_that_nobody_foresaw_is_one_line_of_json_with_its_run_and_every_answer_is_one(
    people, listen, said, monkeypatch
):
    """Otherwise whoever collects the log sees forty lines of a traceback, and not which run they belong to."""
    started(people.world.repository)
    token = people.token(Role.VIEWER).headers["Authorization"]
    url = listen(create_app(World(people.world.site, replace(people.world.config, json=True), people.world.now)))
    monkeypatch.setattr(people.world.repository.owners, "all", broken)
    answer = httpx2.get(f"{url}/api/v1/runs/{RUN}/workers", headers={"Authorization": token})
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:ludb:problem:bug")
    httpx2.get(f"{url}/api/v1/runs/{RUN}/units/4711")
    lines = said()
    (bug,) = [one for one in lines if one["event"] == "server.bug"]
    assert (bug["level"], bug["run"], bug["error"]) == ("error", RUN, "ZeroDivisionError")
    assert (bug["path"], "in broken" in bug["trace"]) == ("/api/v1/runs/{run}/workers", True)
    assert VALUE not in str(lines), "whoever reads logs may not see customers"
    told = [(one["status"], one["path"], one["run"]) for one in lines if one["event"] == "server.answered"]
    assert told == [(500, "/api/v1/runs/{run}/workers", RUN), (401, "/api/v1/runs/{run}/units/{key}", RUN)], "no key"
    assert len(lines) == 3, "the traceback is told once"


def test_what_nobody_foresaw_does_not_end_the_thread_that_starts_adopts_and_watches(world, said, monkeypatch):
    """Else a server would answer for weeks while no schedule fires and no alert is raised."""
    again, looks = threading.Event(), []

    def look(keeper):
        looks.append(keeper)
        if len(looks) == 1:
            broken()
        again.set()

    monkeypatch.setattr(Keeper, "look", look)
    keeper = Keeper(world)
    keeper.start()
    assert again.wait(30)
    keeper.close()
    (line,) = said()
    assert (line["event"], line["error"], line["thread"]) == ("server.bug", "ZeroDivisionError", "keeper")


def test_what_a_library_logs_of_an_error_is_its_place_and_not_its_words(said):
    """A task that nobody waited for is logged with its error written out."""
    try:
        broken()
    except ZeroDivisionError:
        logging.getLogger("asyncio").exception("a task ended with %s", VALUE)
    (line,) = said()
    assert (line["event"], line["logger"], "in broken" in line["trace"]) == ("server.bug", "asyncio", True)
    assert VALUE not in str(line)


def test_what_a_library_reports_is_told_without_what_it_puts_in(said):
    """A serializer that finds another type than it was told warns with the value."""
    logging.getLogger("httpcore").warning("sent %s to %s", VALUE, "a host")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit(f"expected int, got {VALUE}", UserWarning, "/lib/serializer.py", 7)
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("cancelled", exc_info=asyncio.CancelledError())
    lines = said()
    assert [one["message"] for one in lines] == [
        "sent %s to %s",
        "/lib/serializer.py:7: UserWarning",
        "Invalid HTTP request received.",
    ], "that a request was given up is no bug"
    assert VALUE not in str(lines)


@pytest.fixture
def housed(people, tmp_path):
    """A server that has a state directory."""
    site = replace(people.world.site, state=tmp_path)
    people.world = people.app.state.world = replace(people.world, site=site)
    return people


def test_what_a_process_that_broke_said_is_logged_by_its_places(said, housed, monkeypatch):
    """Otherwise a start that breaks leaves nothing: what it said is thrown away, or tells of a customer."""
    code = f"def start():\n    raise ValueError('cannot read {VALUE}\\n{VALUE}')\nstart()\n"
    monkeypatch.setattr("ludb.server.children.command_of", lambda *_: [sys.executable, "-c", code])
    monkeypatch.setattr("ludb.server.keeper.command_of", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(FatalError, match="see the server's log"):
        ask(housed.world, "ann", ["unit"])
    task = put(housed.world, ABANDON, "", "run-1", {}, "ann", "here")
    keeper = Keeper(housed.world)
    while housed.world.repository.tasks.get(task.id).state in {"waiting", "running"}:
        keeper.look()
        time.sleep(0.02)
    lines = [one for one in said() if one["event"] == "server.child"]
    assert [(one["command"], one["error"]) for one in lines] == [("unit", "ValueError"), ("abandon", "ValueError")]
    assert all("in start" in one["trace"] for one in lines)
    assert VALUE not in str(lines)


def test_the_stack_of_a_hook_is_no_log_line(housed):
    """It is written for the owner of the state directory, with the words of the job's code."""
    started(housed.world.repository)
    folder = housed.world.site.logs(RUN)
    folder.mkdir(parents=True)
    line = json.dumps({"timestamp": "t", "event": VALUE, "level": "error"})
    for name in ("hooks.log", "workers.out", "supervisor.out", "w-1.log"):
        (folder / name).write_text(line.replace(VALUE, "fine") if name == "w-1.log" else f"Traceback\n{line}\n")
    told = housed.token(Role.VIEWER).get(f"/api/v1/runs/{RUN}/logs").json()
    assert [(one["file"], one["event"]) for one in told] == [("w-1.log", "fine")]
