"""A worker's own lease: what keeps it from acting when others may hold its chunk."""

from __future__ import annotations

import pytest

from ludb.engine.workplace import Fence
from ludb.errors import LeaseLost


def test_a_worker_whose_heart_wakes_up_first_does_not_go_on_with_a_chunk_that_it_may_have_lost():
    """A stopped process goes on with all its threads at once: the heartbeat may be quicker than the sender."""
    now = [0.0]
    fence = Fence(10.0, lambda: now[0])
    now[0] = 9.0
    fence.beat()
    now[0] = 18.0
    fence.check()
    now[0] = 30.0
    fence.beat()
    with pytest.raises(LeaseLost):
        fence.check()
    with pytest.raises(LeaseLost):
        fence.check(decided=True)
    fence.renew()  # it has let go of the chunk, and was seen alive
    fence.check()


def test_a_worker_that_nobody_has_seen_again_does_not_renew_its_lease_by_itself():
    now = [0.0]
    fence = Fence(10.0, lambda: now[0])
    now[0] = 11.0
    fence.renew()
    assert fence.expired()
    fence.beat()
    fence.renew()
    fence.declared_dead()
    fence.renew()
    assert fence.expired()
