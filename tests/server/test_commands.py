"""What is asked over the API is done: by rows that a supervisor obeys, and by processes that outlive the server."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from ludb.engine.liveness import OwnerLock
from ludb.model.access import Role
from ludb.model.run import Owner, RunState
from ludb.server.config import ServerConfig
from ludb.server.keeper import Keeper
from ludb.server.world import World
from ludb.service.steering import at_work
from ludb.testing.repository_world import RUN, started

NEVER = 120.0


def until(found, what, patience=NEVER):
    end = time.monotonic() + patience
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


@pytest.fixture
def server(shop, people):
    """A server of the shop's job that carries tasks out; gives (people, keeper)."""
    os.environ.update(pytest_environment := {name: shop.environment[name] for name in ("LEGACY", "BILLING")})
    site = replace(shop.site, environment=shop.environment)
    keeper = Keeper(World(site, ServerConfig(jobs=(shop.folder,)), passwords=people.world.passwords))
    people.world = people.app.state.world = keeper.world
    keeper.start()
    yield people, keeper
    keeper.close()
    for name in pytest_environment:
        del os.environ[name]


def post(client, path, body=None, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1{path}", json=body, headers=headers)


def kind(answer):
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def waits_for_a_file(shop):
    """The job's second step waits until the file `go` is there: meanwhile anything may be killed."""
    (shop.job / "steps/20_order/billing.charge.sql").unlink()
    text = f"""
        import pathlib, time
        def transform(unit):
            while not pathlib.Path({str(shop.folder / "go")!r}).exists():
                time.sleep(0.02)
            (account,) = unit.billing.account
            for one in unit.orders:
                yield {{"oid": one.oid, "account": account.id, "amount": one.amount}}
    """
    shop.write({"steps/20_order/billing.charge.py": text})


def ended(client, task):
    def look():
        told = client.get(f"/api/v1/tasks/{task}").json()
        return told if told["state"] in {"done", "failed"} else None

    return until(look, f"task {task} does not end")


def test_a_run_is_started_mended_and_tried_again(server, shop):
    people, _ = server
    client = people.token(Role.OPERATOR)
    shop.write({"rules/all_named.sql": "select unit_key, 'no name' as reason from legacy.customers where name = 'Bo'"})
    put = post(client, "/runs", {"job": "shop", "workers": 1}, key="k1")
    again = post(client, "/runs", {"job": "shop", "workers": 1}, key="k1")
    assert (put.status_code, again.json(), again.headers["Idempotency-Replayed"]) == (202, put.json(), "true")
    task = ended(client, put.json()["id"])
    assert task["state"] == "done", task
    run = task["run"]

    def state():
        told = client.get(f"/api/v1/runs/{run}").json()
        return told if told["state"] == "completed_with_exceptions" and not told["held"] else None

    told = until(state, "the run does not end")
    assert (told["counters"]["done"], told["counters"]["quarantined"], told["actor"]) == (2, 1, "the-operator")
    assert [one["id"] for one in client.get("/api/v1/runs").json()["items"]] == [run], "started once"
    (shop.job / "rules/all_named.sql").unlink()
    task = ended(client, post(client, f"/runs/{run}/retry", {"reason": "no name"}).json()["id"])
    assert task["state"] == "done", task
    until(lambda: client.get(f"/api/v1/runs/{run}").json()["state"] == "completed", "the retry does not end")
    assert shop.rows("billing", "select count(*) from account") == [(3,)]
    names = [one["name"] for one in client.get(f"/api/v1/runs/{run}/events").json()["items"]]
    assert names.count("task.done") == 2
    failed = ended(client, post(client, "/runs", {"job": "shop"}).json()["id"])
    assert (failed["state"], "complete" in failed["outcome"]["message"]) == ("failed", True)
    assert failed["outcome"]["remedy"]


def test_what_cannot_be_is_refused_with_why(server, shop):
    people, _ = server
    client = people.token(Role.OPERATOR)
    run = shop.run().run.id
    for path in ("stop", "pause", "resume", "abandon"):
        refused = post(client, f"/runs/{run}/{path}")
        assert kind(refused) == (409, "conflict"), path
        assert run in refused.json()["detail"]
    assert kind(post(client, f"/runs/{run}/retry", {"all": True})) == (409, "conflict")
    assert kind(post(client, f"/runs/{run}/retry", {"all": True, "reason": "x"})) == (422, "invalid")
    assert kind(post(client, "/runs/nonesuch/stop")) == (404, "not-found")
    assert kind(post(client, "/runs", {"job": "nonesuch"})) == (404, "not-found")
    asked = {"job": "shop", "selection": {"where": "1=1"}}
    assert kind(post(client, "/runs", asked)) == (403, "forbidden"), "SQL on the source is for editors"
    (shop.job / "job.yaml").write_text("name: [")
    until(lambda: kind(post(client, "/runs", {"job": "job"}))[0] == 409, "a job that does not load is refused")


def test_a_key_used_for_something_else_is_refused(server):
    people, keeper = server
    keeper.close()
    client = people.token(Role.OPERATOR)
    assert post(client, "/runs", {"job": "shop"}, key="k").status_code == 202
    assert kind(post(client, "/runs", {"job": "shop", "dry_run": True}, key="k")) == (409, "conflict")
    other = people.token(Role.EDITOR)
    assert post(other, "/runs", {"job": "shop"}, key="k").json()["by"] == "the-editor", (
        "another caller's keys are theirs"
    )
    assert len(client.get("/api/v1/tasks").json()["items"]) == 2


def test_commands_wait_for_the_supervisor_and_tell_what_came_of_them(people):
    repository = people.world.repository
    started(repository)
    repository.runs.adjust(RUN, {"calls": {"crm": {"pace": None, "in_flight": 8}}})
    repository.owners.enrol(Owner("s1", RUN, "supervisor", "elsewhere", 1, "/none"))
    client = people.token(Role.OPERATOR)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(post(client, f"/runs/{RUN}/pause")))
    asking.start()
    command = until(lambda: repository.commands.take(RUN), "nothing was asked")[0]
    repository.runs.change(RUN, RunState.PAUSED)
    repository.commands.acknowledge(command.number, "paused")
    asking.join()
    told = answers[0].json()
    assert (told["name"], told["held"], told["outcome"], told["by"]) == ("pause", True, "paused", "the-operator")
    wrong = client.patch(f"/api/v1/runs/{RUN}/settings", json={"settings": {"workers": 0, "crm.pace": "fast", "x": 1}})
    assert (kind(wrong), len(wrong.json()["errors"])) == ((422, "invalid"), 3)
    audited = people.world.repository.access.audit.page(action="run.pause")[0]
    assert (audited.actor, audited.subject, audited.outcome) == ("the-operator", RUN, "paused")


def test_a_setting_of_a_run_that_nobody_holds_is_in_force_at_once(people):
    started(people.world.repository)
    client = people.token(Role.OPERATOR)
    told = client.patch(f"/api/v1/runs/{RUN}/settings", json={"settings": {"workers": 7, "chunk": "9"}}).json()
    assert (told["outcome"], told["held"]) == ("done", False)
    live = client.get(f"/api/v1/runs/{RUN}").json()["live"]
    assert (live["workers"], live["chunk"]) == (7, 9)
    assert client.get(f"/api/v1/runs/{RUN}/commands").json()[0]["outcome"] == "done"


def test_a_run_whose_supervisor_was_killed_is_held_again(server, shop):
    people, keeper = server
    keeper.close()
    waits_for_a_file(shop)
    client, site = people.token(Role.OPERATOR), people.world.site
    task = post(client, "/runs", {"job": "shop", "workers": 1}).json()["id"]
    once = Keeper(people.world)
    until(lambda: once.look() or people.world.repository.tasks.get(task).state == "done", "not started")
    run = people.world.repository.tasks.get(task).run
    worker = until(lambda: at_work(site, run, "worker"), "no worker starts")[0]
    (supervisor,) = at_work(site, run, "supervisor")
    os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: not at_work(site, run, "supervisor"), "the supervisor does not die")
    for child in once._children:
        child.wait()
    again = Keeper(people.world)
    until(lambda: again.look() or at_work(site, run, "supervisor"), "nobody adopts the run")
    assert [one.id for one in at_work(site, run, "worker")] == [worker.id], (
        "the worker went on, and no other was started"
    )
    (shop.folder / "go").touch()

    def over():
        again.look()
        return site.repository.runs.get(run).state == RunState.COMPLETED and not at_work(site, run)

    until(over, "nobody went on with the run")
    until(lambda: again.look() or not again._children, "a supervisor stays")
    assert shop.rows("billing", "select count(*) from account") == [(3,)]


def test_a_run_that_is_held_is_not_adopted(server, shop):
    people, keeper = server
    keeper.close()
    run = shop.run().run
    site = people.world.site
    with site.repository._database.write() as connection:
        connection.exec_driver_sql("update run set state = 'running'")
    lock = OwnerLock(site.locks / "s-mine.lock")
    site.repository.owners.enrol(Owner("s-mine", run.id, "supervisor", site.host, os.getpid(), str(lock.path)))
    look = Keeper(people.world)
    look.look()
    assert look._children == []
    lock.release()
    look._looked = float("-inf")
    look.look()
    assert len(look._children) == 1
    assert [event.name for _, _, event in site.repository.pages.events(run.id)][:1] == ["run.adopted"]
    until(lambda: look._children[0].poll() is not None, "the supervisor does not end")
