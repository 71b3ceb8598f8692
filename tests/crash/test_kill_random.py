"""kill -9 at random moments of any process, any number of times, then the same start again."""

from __future__ import annotations

import random
import signal
import time

import pytest
from kill_processes import await_that

from ludb.model.run import DONE_STATES

ROUNDS, LONG = 20, 200


def unlucky(world, seed: int) -> None:
    """Start, kill somebody at some moment, and start again; perhaps more than once."""
    dice = random.Random(seed)
    victim = ("worker", "worker", "both workers", "server", "supervisor")[seed % 5]
    if victim == "supervisor":
        supervised(world, dice)
        return
    for _ in range(dice.choice([1, 1, 2])):
        run = world.start()
        workers = [world.worker(run) for _ in range(2 if victim == "both workers" else 1)]
        await_that(lambda run=run: world.workers(run), f"no worker began: {world.told()}")
        time.sleep(dice.random() ** 2 * 1.2)
        if victim == "server":
            server = dice.choice([world.crm, world.inventory])
            server.kill()
            time.sleep(dice.random() * 0.3)
            server.start()
            time.sleep(dice.random())
        for worker in workers if victim != "worker" else workers[:1]:
            worker.signal(signal.SIGKILL)
            worker.wait()
        if not world.pending(run):
            return  # it was too quick for us


def supervised(world, dice: random.Random) -> None:
    """`ludb run` with workers of its own: the supervisor dies, alone or with them; workers that live are adopted."""
    process = world.run("--workers", "2")
    await_that(lambda: world.runs() and world.workers(world.runs()[0]), f"no worker began: {world.told()}")
    time.sleep(dice.random() * 1.2)
    run = world.runs()[0]
    process.signal(signal.SIGKILL)
    if dice.random() < 0.5:
        world.kill_workers(run)
    process.wait()


def restarted(world, seed: int):
    """The same start again: in this process, or as a command."""
    if seed % 5 == 4:
        process = world.run("--workers", "1")
        # 2: workers that outlived their supervisor have completed the run meanwhile.
        assert process.wait() in {3, 2}, world.told()
        return world.summary()
    # A run whose last chunk is recorded may have lost its last process before that could close it.
    return world.summary() if world.runs()[0].state in DONE_STATES else world.finish()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_kill_at_a_random_moment_changes_nothing_in_the_end(world, same, seed):
    unlucky(world, seed)
    same(restarted(world, seed))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(ROUNDS, ROUNDS + LONG))
def test_a_kill_at_any_of_many_random_moments_changes_nothing_in_the_end(world, same, seed):
    unlucky(world, seed)
    same(restarted(world, seed))
