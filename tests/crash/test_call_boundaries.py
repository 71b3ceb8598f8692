"""Kill a sender, or put it to sleep through its lease, at every boundary of a call: each customer exists once or not at all."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

import pytest
from kill_processes import Process, await_that
from kill_world import UNITS, World, states_of_calls

from ludb.model.run import CallState, Owner, Run, UnitState


@dataclass(frozen=True)
class Boundary:
    """A place in the life of a chunk with calls: `open` says that requests may be on their way there, `locks` that its
    databases are locked; `server` is what the inventory does meanwhile.
    """

    name: str
    fault: str
    open: bool = False
    locks: bool = False
    server: tuple[str, ...] = ()


BOUNDARIES = [
    Boundary("before intent", "phase.begin:call"),
    Boundary("after intent", "call.intended:inventory.service"),
    Boundary("journaled as sent", "call.sent:inventory.service", open=True),
    # The first answer comes when the second request has been carried out, and its answer has not left.
    Boundary("after send", "call.answered:inventory.service", open=True, server=("late", "timeout_after")),
    Boundary("after response", "call.answered:inventory.service#3", open=True),
    Boundary("response journaled", "call.settled:inventory.service"),
    Boundary("before decide", "phase.begin:decide", locks=True),
    Boundary("after decide", "phase.end:decide", locks=True),
    Boundary("in commit", "participant.committed:archive", locks=True),
]
LEASE = 2.0


def every(*, cheap: tuple[str, ...], locks: bool = True) -> list:
    """All boundaries; but for the cheap ones they are the long round's."""
    return [
        pytest.param(one, id=one.name.replace(" ", "-"), marks=[] if one.name in cheap else [pytest.mark.long])
        for one in BOUNDARIES
        if locks or not one.locks
    ]


def prepare(world: World, boundary: Boundary) -> None:
    if boundary.server:
        world.inventory.behave(next=boundary.server, late_ms=200, hang_ms=8000)


@pytest.mark.parametrize("boundary", every(cheap=()))
def test_a_sender_killed_at_a_boundary_of_its_calls_leaves_each_customer_once_or_not_at_all(world, same, boundary):
    prepare(world, boundary)
    world.die(boundary.fault)
    if boundary.server and len(world.inventory.objects()) != 2:
        world.inventory.kill()  # what it still has in hand would arrive in the next test, under the same call ids
        pytest.fail("the second request had not been carried out: the server took longer than the job waits")
    same(world.finish())


def put_to_sleep(world: World, boundary: Boundary) -> tuple[Run, Process, Owner]:
    """A worker that sleeps at the boundary, and has slept through its lease."""
    prepare(world, boundary)
    world.edit("job.yaml", "lease: 3s", f"lease: {LEASE}s")
    for name in ("ARCHIVE", "BILLING"):
        world.edit("job.yaml", f'"${{{name}}}"', f'"${{{name}}}", busy_timeout: 0.2')
    run = world.start()
    zombie = world.worker(run, f"{boundary.fault}!stop@{world.folder / 'mute'}")
    await_that((world.folder / "mute").exists, f"{boundary.name} is not reached: {world.told()}")
    asleep = time.monotonic()
    await_that(lambda: time.monotonic() - asleep > LEASE, "")
    (owner,) = world.workers(run)
    return run, zombie, owner


def successor(world: World, run: Run, owner: Owner, boundary: Boundary, fault: str = "") -> Process:
    """Another worker, which has taken the sleeper's chunk over: where requests may be on their way, somebody had to say that
    the sleeper is dead, and was mistaken.
    """
    (held,) = [chunk.id for chunk, _, _ in world.site.repository.views.chunks(run.id) if chunk.owner == owner.id]
    if boundary.open:
        world.site.repository.owners.leave(owner.id, "dead")
    other = world.worker(run, fault)

    def taken() -> bool:
        return any(c.id == held and c.owner != owner.id for c, _, _ in world.site.repository.views.chunks(run.id))

    await_that(taken, f"nobody takes the chunk over: {world.told()}")
    return other


@pytest.mark.parametrize("boundary", every(cheap=("journaled as sent",), locks=False))
def test_a_sender_that_wakes_up_when_its_customers_have_moved_sends_nothing(world, same, boundary):
    """Its journal says what it was about to do; that time is over."""
    run, zombie, owner = put_to_sleep(world, boundary)
    assert successor(world, run, owner, boundary).wait() == 0
    same(world.summary())
    before = world.crm.requests(), world.inventory.requests()
    zombie.signal(signal.SIGCONT)
    assert zombie.wait() == 0
    assert (world.crm.requests(), world.inventory.requests()) == before
    same(world.summary())


@pytest.mark.parametrize("boundary", every(cheap=()))
def test_a_sender_that_wakes_up_while_another_moves_its_customers_disturbs_nothing(world, same, boundary):
    """Two live workers that both believe they hold the chunk, for a moment."""
    run, zombie, owner = put_to_sleep(world, boundary)
    other = successor(world, run, owner, boundary)
    zombie.signal(signal.SIGCONT)
    assert (zombie.wait(), other.wait()) == (0, 0), world.told()
    same(world.summary())


@pytest.mark.long
def test_two_senders_of_one_call_are_noticed_before_the_decision_and_left_to_a_person(world: World):
    """The dead worker's request is carried out long after `max_delay`, when its successor has looked and sent it again."""
    world.inventory.behave(next=["ok", "late"], late_ms=2500)
    run = world.die("call.answered:inventory.service")
    other = world.worker(run, f"call.settled:inventory.service#2!hold@{world.folder / 'held'}")
    await_that((world.folder / "held").exists, f"nothing was sent again: {world.told()}")

    def names() -> list[str]:
        return [one["name"] for one in world.inventory.objects()]

    await_that(lambda: len(names()) > len(set(names())), "the late request never arrives")
    (twice,) = {name for name in names() if names().count(name) > 1}
    (world.folder / "held.go").touch()
    assert other.wait() == 0
    key = str(int(twice.removeprefix("Line ")) // 10)
    counters = world.summary().counters
    assert (counters.in_doubt, counters.done, counters.pending) == (1, UNITS - 4, 0)
    (found,) = world.site.repository.views.exceptions(run.id, UnitState.IN_DOUBT)
    assert (found.unit_key, found.step) == (key, "inventory.service")
    assert "several objects" in found.reason
    assert world.sql("billing", f"select count(*) from account where legacy_id = {key}") == [(0,)]
    assert names().count(twice) == 2, "nobody knows whose which is: nothing is deleted"
    assert states_of_calls(world, run)["crm.customer", key] == [CallState.DONE]
