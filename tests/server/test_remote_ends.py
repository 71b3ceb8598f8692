"""Giving up, over the command line at a server: a run that is called off, a host that is lost."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

from ludb.model.access import Role
from ludb.model.run import Owner, RunState
from ludb.server.app import create_app
from ludb.server.config import ServerConfig
from ludb.server.keeper import Keeper
from ludb.server.world import World
from ludb.service.runs import start
from ludb.testing.repository_world import RUN, claimed, started
from tests.server.conftest import admitted


@contextmanager
def keeping(world):
    """The server carries tasks out meanwhile."""
    keeper = Keeper(world)
    keeper.start()
    try:
        yield
    finally:
        keeper.close()


def test_a_run_is_given_up_at_a_server_only_when_it_has_stopped_and_then_for_good(ludb, shop, listen):
    """Otherwise a migration that is called off would be ended by hand on the server's machine, at night."""
    site = replace(shop.site, environment=shop.environment)
    started_run = start(site, shop.job, {})
    started_run.lock.release()
    run = started_run.run.id
    world = World(site, ServerConfig(jobs=(shop.job,)))
    there = ("--server", listen(create_app(world)), "--token-file", ludb.file(admitted(site.repository)))
    with keeping(world):
        code, out, err = ludb(*there, "abandon", run)
        assert (code, out, err.count("\n"), "only a stopped or failed run" in err) == (2, "", 1, True), err
        assert site.repository.runs.get(run).state is RunState.RUNNING
        for state in (RunState.STOPPING, RunState.STOPPED):
            site.repository.runs.change(run, state)
        assert ludb(*there, "abandon", run) == (0, f"{run} is abandoned: 0 units stay moved, 3 not moved\n", "")
    assert site.repository.runs.get(run).state is RunState.ABANDONED
    assert site.repository.runs.get(run).reason == "abandoned by ann", "who did it stands there"
    entries = site.repository.access.audit.page(action="run.abandon")
    assert [(one.actor, one.subject) for one in entries] == [("ann", run)]
    names = [event.name for _, _, event in site.repository.events.since(run)]
    assert "task.done" in names, "an event acknowledges it"
    code, _, err = ludb(*there, "resume", run)
    assert (code, "abandoned" in err) == (2, True), "for good"


def test_a_host_is_declared_lost_at_a_server_and_its_chunk_is_taken_again(ludb, people, listening):
    """Otherwise the customers that it held would wait for ever for a machine that burnt down."""
    repository = people.world.repository
    started(repository)
    repository.owners.enrol(Owner("w-1", RUN, "worker", "elsewhere", 7, "/nowhere/w-1.lock"))
    held = claimed(repository, owner="w-1")
    there = ("--server", listening, "--token-file", ludb.token(people.token(Role.OPERATOR)))
    code, out, _ = ludb(*there, "declare-dead", RUN, "w-1", "--json")
    told = json.loads(out)
    assert (code, told["run"], told["owner"]["host"]) == (0, RUN, "elsewhere")
    dead = [one.id for one in repository.owners.all(RUN) if one.state == "dead"]
    again = claimed(repository, owner="w-2", dead=dead)
    assert (again.id, again.positions) == (held.id, held.positions)
    (said,) = people.token(Role.ADMIN).get("/api/v1/audit").json()["items"]
    assert (said["action"], said["actor"], said["after"]["owner"]) == ("run.declare-dead", "the-operator", "w-1")
    weak = ("--server", listening, "--token-file", ludb.token(people.token(Role.VIEWER)))
    code, _, err = ludb(*weak, "declare-dead", RUN, "w-1")
    assert (code, err.count("\n"), "role operator" in err) == (2, 1, True)
