"""A person holds the wheel: pause, resume, stop, set, from another window, while a run goes on. Nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

from ludb.model.run import Owner

ARRIVED = "select name, oid, account.id from account join charge on charge.account = account.id order by oid"


def run_of(shop):
    return shop.site.repository.views.runs(limit=1)[0]


def state_of(shop):
    return run_of(shop).state


def owners(shop, role="worker"):
    return [one for one in shop.site.repository.owners.all(run_of(shop).id) if one.role == role]


def whole(shop, count=8):
    """Every customer has arrived, once, with an account of its own."""
    found = shop.rows("billing", ARRIVED)
    assert [name for name, _, _ in found] == [f"c{number}" for number in range(1, count + 1)]
    assert len({account for _, _, account in found}) == count
    assert shop.rows("billing", "select count(*), count(distinct id) from account") == [(count, count)]
    return True


def test_a_pause_ends_the_chunks_in_flight_and_the_run_goes_on_where_it_is_held(shop):
    process = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    shop.inside(2)
    said = shop.ludb("pause", "--job", "job", LUDB_ACTOR="ann")
    assert (said.code, said.out.endswith("pauses after the chunks in flight: paused\n")) == (0, True), said
    shop.gate.touch()
    shop.until(lambda: not shop.workers(), "the workers have left")
    assert process.poll() is None, "the run is no longer held"
    assert shop.rows("billing", "select count(*) from account") == [(4,)]
    status = shop.ludb("status", "--job", "job")
    assert "paused by ann" in status.out
    assert f"let it go on: ludb resume {run_of(shop).id} --job job" in status.out
    assert "ann: pause: paused" in status.out
    shop.until(lambda: "paused by ann" in (shop.folder / "0.err").read_text(encoding="utf-8"), "who holds it is told")
    assert shop.ludb("resume", "--job", "job").code == 0
    said = shop.said(process)
    assert said.code == 0, said.err
    assert "paused by ann" in said.err
    assert whole(shop)
    told = shop.events("command.done")
    assert [(one["command"], one["by"], one["outcome"]) for one in told] == [
        ("pause", "ann", "paused"), ("resume", "tester", "running"),
    ]  # fmt: skip
    finished = shop.ludb("pause", "--job", "job")
    assert (finished.code, "is completed: there is nothing to pause" in finished.err) == (2, True)


def test_a_paused_run_is_stopped_and_then_resumed_from_another_window(shop):
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    assert shop.ludb("pause", "--job", "job").code == 0
    shop.gate.touch()
    shop.until(lambda: not shop.workers(), "the workers have left")
    assert shop.ludb("stop", "--job", "job").code == 0
    assert shop.said(process).code == 4
    assert state_of(shop) == "stopped"
    refused = shop.ludb("pause", "--job", "job", "--json")
    assert (refused.code, "is stopped" in refused.json["message"]) == (2, True)
    kept = shop.ludb("set", "--job", "job", "workers=2", "chunk=3")
    assert (kept.code, "kept for when it goes on" in kept.out) == (0, True)
    again = shop.ludb("resume", "--job", "job")
    assert again.code == 0, again.err
    assert whole(shop)
    assert len(owners(shop)) == 3, "two workers were wanted from then on"
    over = shop.ludb("resume", "--job", "job")
    assert (over.code, "is completed: nothing is left to do" in over.err) == (2, True)


def test_workers_come_and_go_and_the_supervisor_dies_meanwhile(shop):
    """Killed while three workers become one: whoever resumes adopts those that live, and all customers arrive once."""
    people = range(9, 25)
    shop.database(
        "legacy",
        *(f"insert into customers values ({n}, 'c{n}'); insert into orders values ({n}0, {n}, 1)" for n in people),
    )
    first = shop.start("run", "job", "--workers", "3", GATE=str(shop.gate))
    working = set(shop.inside(3))
    assert shop.ludb("set", "--job", "job", "workers=1").code == 0
    shop.until(lambda: sum(one.state == "dismissed" for one in owners(shop)) == 2, "two workers are dismissed")
    first.kill()
    first.wait()
    assert {one.pid for one in shop.workers()} == working
    dismissed = [one.id for one in owners(shop) if one.state == "dismissed"]
    killed = next(one for one in owners(shop) if one.id == dismissed[0])
    os.kill(killed.pid, signal.SIGKILL)  # a dismissed worker dies with its chunk in its hands
    second = shop.start("resume", "--job", "job", "--workers", "2", GATE=str(shop.gate))
    shop.until(lambda: any(o.pid == second.pid for o in owners(shop, "supervisor")), "the second supervisor")
    shop.until(lambda: len(shop.workers()) == 3, "one more worker; the dismissed one is still in its chunk")
    shop.gate.touch()
    said = shop.said(second)
    assert said.code == 0, said.err
    assert whole(shop, 24)
    assert len(owners(shop)) == 4
    finished = dict(shop.rows("job/.ludb/repository", "select owner, count(*) from chunk group by owner"))
    assert [finished[one] for one in dismissed if one != killed.id] == [1], "a dismissed worker has claimed again"
    assert killed.id not in finished


def test_settings_that_cannot_be_are_refused_and_chunks_are_cut_as_was_said(shop):
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    for word, allowed in (
        ("workers=0", "1 to 1024"),
        ("chunk=100001", "1 to 100000"),
        ("crm.pace=1/s", "workers (1 to"),
    ):
        said = shop.ludb("set", run_of(shop).id, word, "--job", "job")
        assert (said.code, allowed in said.err) == (2, True), said
    assert shop.ludb("set", "--job", "job").code == 2
    assert shop.site.repository.commands.recent(run_of(shop).id) == []
    told = shop.ludb("set", "chunk=1", "--job", "job", "--json").json
    assert (told["held"], told["outcome"]) == (True, "done")
    beat = owners(shop)[0].beat
    shop.until(lambda: owners(shop)[0].beat > beat + 1, "the worker has heard it")
    shop.gate.touch()
    assert shop.said(process).code == 0
    sizes = [sum(row) for row in shop.rows("job/.ludb/repository", "select units from chunk order by lo")]
    assert sizes == [2, 1, 1, 1, 1, 1, 1]


def test_a_detached_run_outlives_a_hang_up_and_writes_its_log(shop):
    shop.gate.touch()
    said = shop.ludb("run", "job", "--detach", "--json", GATE=str(shop.gate))
    assert said.code == 0, said.err
    told = said.json
    assert told["run"] == run_of(shop).id
    (supervisor,) = owners(shop, "supervisor")
    assert supervisor.pid == told["pid"]
    assert supervisor.state == "ended" or os.getsid(told["pid"]) == told["pid"], "no session of its own"
    shop.until(lambda: owners(shop, "supervisor")[0].state == "ended", "the run is over")
    assert state_of(shop) == "completed"
    assert whole(shop)
    log = shop.state / "logs" / told["run"]
    shop.until(lambda: "8 moved" in (log / "supervisor.out").read_text(), "the summary is in the log")
    assert (log / "supervisor.log").exists()


def test_a_held_run_goes_on_when_its_terminal_has_gone(shop):
    window = shop.terminal("run", "job", GATE=str(shop.gate))
    window.read("pending")
    shop.inside(1)
    os.close(window._master)  # the kernel sends SIGHUP, and whatever is written afterwards fails
    log = shop.state / "logs" / run_of(shop).id / "supervisor.out"
    shop.until(log.exists, "the words go elsewhere")
    assert window.process.poll() is None
    shop.gate.touch()
    assert window.process.wait(60) == 0
    assert "8 moved" in log.read_text()
    assert whole(shop)


def test_a_pipe_that_nobody_reads_any_more_ends_nothing(shop):
    process = subprocess.Popen(
        [sys.executable, "-m", "ludb", "run", "job"], cwd=shop.folder, env=shop.environment | {"GATE": str(shop.gate)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    shop.processes.append(process)
    while b"started run" not in process.stdout.readline():
        pass
    process.stdout.close()
    shop.gate.touch()
    assert process.wait(60) == 0
    assert whole(shop)


def test_a_worker_of_a_lost_host_is_declared_dead_by_a_person(shop):
    process = shop.start("run", "job", GATE=str(shop.gate))
    shop.inside(1)
    run, living = run_of(shop), owners(shop)[0]
    refused = shop.ludb("declare-dead", run.id, living.id, "--job", "job")
    assert (refused.code, f"process {living.pid} of this host" in refused.err) == (2, True)
    lost = Owner("w-lost", run.id, "worker", "a-host-that-burnt", 1, "/locks/w-lost.lock")
    shop.site.repository.owners.enrol(lost)
    assert "w-lost" in shop.ludb("declare-dead", run.id, "w-found", "--job", "job").err
    said = shop.ludb("declare-dead", run.id, "w-lost", "--job", "job", LUDB_ACTOR="ann")
    assert said.code == 0, said.err
    assert replace(lost, state="dead") in owners(shop)
    assert shop.events("command.done")[-1]["by"] == "ann"
    assert shop.ludb("declare-dead", run.id, "w-lost", "--job", "job").code == 2
    shop.gate.touch()
    assert shop.said(process).code == 0
    assert whole(shop)
