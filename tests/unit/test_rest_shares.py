"""What the operator allows a system goes for all workers together: each takes its share."""

import asyncio
from types import SimpleNamespace

import pytest

from ludb.dialects.http.pace import Gate
from ludb.engine.workplace import Told
from ludb.model.run import RunState
from ludb.model.steering import CallLimits, Live, Orders
from ludb.service.worker_process import Obedience


class Target:
    """Notes how it is steered."""

    def __init__(self):
        self.limits = []

    def steer(self, pace, in_flight):
        self.limits.append((pace, in_flight))

    def halt(self):
        pass


@pytest.mark.parametrize(
    ("workers", "at_work", "share"),
    [(1, 1, (200.0, 16)), (4, 4, (50.0, 4)), (2, 5, (40.0, 3)), (4, 1, (50.0, 4)), (40, 40, (5.0, 1))],
)
def test_a_worker_takes_its_share_of_pace_and_places_and_one_place_at_least(workers, at_work, share):
    """Five workers that are at work while two are wanted still share what five use."""
    target = Target()
    at = SimpleNamespace(told=Told(), migration=SimpleNamespace(calls={"crm": target}))
    live = Live(workers, 500, {"crm": CallLimits(200.0, 16)})
    obey = Obedience(at)
    obey(Orders(RunState.RUNNING, live, at_work=at_work))
    obey(Orders(RunState.RUNNING, live, at_work=at_work))
    assert target.limits == [share]


def test_whoever_gives_up_waiting_at_a_gate_keeps_no_place():
    async def story():
        gate = Gate(1)
        async with gate:
            waiting = [asyncio.create_task(gate.__aenter__()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()  # while it waits
            await asyncio.sleep(0)
        waiting[1].cancel()  # when it was let in, before it knows
        await asyncio.gather(*waiting, return_exceptions=True)
        assert gate.inside == 1, "the third is inside"
        await gate.__aexit__(None, None, None)
        async with gate:
            assert gate.inside == 1

    asyncio.run(asyncio.wait_for(story(), 10))
