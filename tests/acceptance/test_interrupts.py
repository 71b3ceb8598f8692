"""The operator's hand: stopped, pulled, killed, started twice. Nothing is lost and nothing is done twice."""

from __future__ import annotations

import os
import signal
import socket

import pytest

from ludb.cli.holding import Interrupts
from ludb.errors import TransientError

WHOLE = [(f"c{number}", number * 10, 100 + number - 1) for number in range(1, 9)]
ARRIVED = "select name, oid, account.id from account join charge on charge.account = account.id order by oid"


def state_of(shop):
    return shop.site.repository.views.runs(limit=1)[0].state


def test_ctrl_c_ends_the_chunks_in_flight_and_the_run_goes_on_later(shop):
    process = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    workers = shop.inside(2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the foreground hears it
    shop.until(lambda: state_of(shop) == "stopping", "the run is stopping")
    assert {one.pid for one in shop.workers()} == set(workers), "a worker was killed in the middle of its chunk"
    shop.gate.touch()
    said = shop.said(process)
    assert said.code == 4, said.err
    assert "press Ctrl-C again to stop at once" in said.err
    assert state_of(shop) == "stopped"
    assert shop.rows("billing", "select count(*) from account") == [(4,)]
    assert shop.workers() == []
    again = shop.ludb("run", "job")
    assert again.code == 0, again.err
    assert "going on with run" in again.err
    assert sorted(name for name, _, _ in shop.rows("billing", ARRIVED)) == [name for name, _, _ in WHOLE]


def test_ctrl_c_twice_ends_at_once_and_the_next_run_moves_the_same(shop):
    process = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    shop.inside(2)
    process.send_signal(signal.SIGINT)
    shop.until(lambda: state_of(shop) == "stopping", "the run is stopping")
    process.send_signal(signal.SIGINT)
    said = shop.said(process)
    assert said.code == 130, said.err
    assert shop.workers() == []
    assert shop.rows("billing", "select count(*) from account") == [(0,)]
    assert state_of(shop) == "stopped"
    again = shop.ludb("run", "job")
    assert again.code == 0, again.err
    arrived = shop.rows("billing", ARRIVED)
    assert [(name, oid) for name, oid, _ in arrived] == [(name, oid) for name, oid, _ in WHOLE]
    assert len({account for _, _, account in arrived}) == 8


def test_workers_outlive_a_killed_supervisor_and_the_next_one_adopts_them(shop):
    first = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    workers = shop.inside(2)
    first.kill()
    first.wait()
    status = shop.ludb("status", "--job", "job")
    assert "nobody holds this run; go on with it: ludb run job" in status.out
    second = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    shop.until(
        lambda: any(o.role == "supervisor" and o.pid == second.pid for o in owners(shop)), "the second supervisor"
    )
    assert {one.pid for one in shop.workers()} == set(workers)
    shop.gate.touch()
    said = shop.said(second)
    assert said.code == 0, said.err
    assert set(workers) == {one.pid for one in owners(shop) if one.role == "worker"}, "others were started"
    assert len(shop.rows("billing", ARRIVED)) == 8


def owners(shop):
    return shop.site.repository.owners.all(shop.site.repository.views.runs(limit=1)[0].id)


def test_a_live_run_is_not_started_twice_and_can_be_stopped_from_elsewhere(shop):
    process = shop.start("run", "job", "--workers", "2", GATE=str(shop.gate))
    shop.inside(2)
    refused = shop.ludb("run", "job")
    assert refused.code == 2
    run = shop.site.repository.views.runs(limit=1)[0].id
    assert f"run {run} on {socket.gethostname()}, process {process.pid}" in refused.err
    status = shop.ludb("status", "--job", "job")
    assert f"supervisor {supervisor(shop)} on {socket.gethostname()}, process {process.pid}" in status.out
    assert status.out.count("\nworker w-") == 2
    assert "0 moved, 0 quarantined, 8 pending" in status.out
    stopped = shop.ludb("stop", "--job", "job")
    assert stopped.code == 0
    assert f"asked {run} to stop" in stopped.out
    shop.gate.touch()
    assert shop.said(process).code == 4


def supervisor(shop):
    return next(one.id for one in owners(shop) if one.role == "supervisor")


def test_a_worker_that_died_is_told_and_the_run_goes_on(shop):
    process = shop.start("run", "job", GATE=str(shop.gate))
    (pid,) = shop.inside(1)
    os.kill(pid, signal.SIGKILL)
    shop.until(lambda: shop.events("worker.died"), "the death is told")
    shop.gate.touch()
    said = shop.said(process)
    assert said.code == 0, said.err
    assert f"process {pid}, has died; its chunk is given to others" in said.err
    assert shop.rows("billing", "select count(*), count(distinct id) from account") == [(8, 8)]


def test_ctrl_c_while_the_repository_is_away_waits_for_it_and_twice_leaves_at_once(capsys):
    """A run whose repository never comes back was held for ever: it took no wish to stop, and said so with each look."""
    did = []

    class Held:
        away = True

        def stop(self, actor):
            if self.away:
                raise TransientError("the repository does not answer", system="repository")
            did.append(f"stop by {actor}")

        def kill(self):
            did.append("kill")

    held = Held()
    with Interrupts(held, "ada") as keys:
        os.kill(os.getpid(), signal.SIGTERM)
        keys.obey()
        keys.obey()
        assert capsys.readouterr().err.count("the repository is away: the run stops once it is back") == 1
        held.away = False
        keys.obey()
        assert did == ["stop by ada"]
    held.away = True
    with Interrupts(held, "ada") as keys:
        os.kill(os.getpid(), signal.SIGTERM)
        keys.obey()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            keys.obey()
    assert did == ["stop by ada", "kill"]
