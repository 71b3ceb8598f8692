"""How hard a system is called: found out, kept below the operator's limits, and told. Time is simulated, step by step."""

import heapq
from datetime import UTC, datetime

import pytest

from ludb.dialects.http.governor import Governor
from ludb.dialects.http.limits import hold_for
from ludb.dialects.http.pace import Bucket

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
STEP, PLACES = 0.001, 16


class World:
    """A server with a limit (requests a second), a latency, and a client that sends as the governor lets it."""

    def __init__(self, *, pace=None, burst=0.05, latency=0.01):
        self.now, self.limit, self.burst, self.latency = 0.0, None, burst, latency
        self.governor = Governor(PLACES)
        self.governor.allow(pace, PLACES)
        self.client, self.tokens, self.filled = Bucket(pace), 1.0, 0.0
        self.on_way, self.taken, self.refused, self.told = [], [], [], []

    def live(self, seconds):
        """Live on; returns how many a second were taken and refused."""
        began, counts = self.now, (len(self.taken), len(self.refused))
        while self.now < began + seconds:
            self.client.set_rate(self.governor.effective_rate())
            while len(self.on_way) < self.governor.places and self.client.wait(self.now) <= 1e-9:
                self.client.take(self.now)
                heapq.heappush(self.on_way, self.now + self.latency)
            while self.on_way and self.on_way[0] <= self.now:
                heapq.heappop(self.on_way)
                self.arrive()
            self.now += STEP
        self.told += self.governor.changes
        self.governor.changes = []
        return (len(self.taken) - counts[0]) / seconds, (len(self.refused) - counts[1]) / seconds

    def arrive(self):
        if self.limit is not None:
            most = max(1.0, self.limit * self.burst)
            self.tokens, self.filled = min(most, self.tokens + (self.now - self.filled) * self.limit), self.now
            if self.tokens < 1.0:
                self.refused.append(self.now)
                self.governor.refused(self.now)
                return
            self.tokens -= 1.0
        self.taken.append(self.now)
        self.governor.answered(self.now, self.latency)


@pytest.mark.parametrize("burst", [0.05, 1.0], ids=["strict", "lenient"])
@pytest.mark.parametrize("pace", [None, 200.0], ids=["no pace", "paced"])
def test_a_limit_that_is_halved_is_found_at_once_without_a_burst_of_refusals(pace, burst):
    world = World(pace=pace, burst=burst)
    world.limit = 200.0
    world.live(15)
    world.limit = 100.0
    world.live(5)
    refused = len([at for at in world.refused if at > 15])
    taken, _ = world.live(10)
    assert refused < 60
    assert taken >= 90
    assert any(one.what == "pace" and "refused" in one.why for one in world.told)


def test_a_limit_that_nobody_told_is_found_and_nearly_used_up():
    world = World()
    world.limit = 200.0
    world.live(15)
    taken, refused = world.live(20)
    assert taken >= 180
    assert refused <= 0.05 * taken


def test_a_pace_that_is_right_is_left_alone():
    world = World(pace=200.0)
    world.limit = 200.0
    taken, refused = world.live(20)
    assert taken >= 198
    assert refused <= 0.005 * taken
    assert not [one for one in world.told if one.what == "pace"]


def test_a_limit_that_is_lifted_gives_the_operators_pace_back_and_says_so():
    world = World(pace=200.0)
    world.limit = 50.0
    world.live(10)
    assert world.governor.effective_rate() < 70
    world.limit = None
    world.live(60)
    assert world.governor.effective_rate() == 200.0
    assert (world.told[-1].what, world.told[-1].after, world.told[-1].why) == ("pace", None, "it is well")


def test_the_story_is_short_however_long_the_run():
    world = World()
    world.limit = 200.0
    world.live(60)
    assert 1 <= len(world.told) <= 10


def test_a_system_that_fails_gets_fewer_requests_at_a_time_and_all_of_them_once_it_is_well():
    governor = Governor(16)
    for at in range(40):
        governor.failed(at / 10)
    assert governor.places == 1
    for at in range(2000):
        governor.answered(10 + at / 100, 0.01)
    assert governor.places == 16
    assert [(one.what, one.before, one.after) for one in governor.changes] == [
        ("in_flight", 16, 8), ("in_flight", 8, 4), ("in_flight", 4, 2), ("in_flight", 2, 1), ("in_flight", 1, 16),
    ]  # fmt: skip
    assert "failed" in governor.changes[0].why


def test_one_failure_of_many_requests_halves_once():
    governor = Governor(16)
    for _ in range(16):
        governor.failed(1.0)
    assert governor.places == 8


def test_a_system_that_grows_slow_gets_fewer_requests_at_a_time():
    governor = Governor(16)
    for at in range(100):
        governor.answered(at / 100, 0.02)
    assert governor.places == 16
    for at in range(500):
        governor.answered(1 + at / 100, 0.3)
    assert governor.places < 8
    assert "times as long" in governor.changes[0].why


def test_a_single_stall_is_no_habit():
    """All that were on their way while a machine slept are late together."""
    governor = Governor(16)
    for at in range(1000):
        governor.answered(at / 100, 2.0 if 300 <= at < 316 else 0.005)
    assert governor.places == 16
    assert governor.changes == []


def test_a_quick_system_that_is_a_little_less_quick_is_left_alone():
    governor = Governor(16)
    for at in range(400):
        governor.answered(at / 100, 0.002 if at < 100 else 0.03)
    assert governor.places == 16


def test_the_operators_limits_hold_whatever_is_governed():
    governor = Governor(16)
    governor.failed(0.0)
    governor.allow(10.0, 4)
    assert (governor.places, governor.effective_rate()) == (2, 10.0)
    for at in range(500):
        governor.answered(1 + at / 10, 0.01)
    assert (governor.places, governor.effective_rate()) == (4, 10.0)
    governor.allow(None, 32)
    assert governor.places == 32


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit-remaining": "0", "ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW.timestamp() + 30)}, 30.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "2.5"}, 2.5),
        ({"ratelimit": '"default";r=0;t=12'}, 12.0),
        ({"ratelimit": "limit=100, remaining=0, reset=5"}, 5.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "99999"}, 3600.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW.timestamp() - 30)}, 0.0),
        ({"ratelimit-remaining": "1", "ratelimit-reset": "7"}, None),
        ({"ratelimit": '"default";r=1;t=12'}, None),
        ({"ratelimit-remaining": "0"}, None),
        ({"ratelimit-remaining": "none", "ratelimit-reset": "soon"}, None),
        ({"ratelimit-policy": '"default";q=100;w=10'}, None),
        ({}, None),
    ],
    ids=str,
)
def test_what_a_server_says_of_its_limit_is_understood(headers, seconds):
    assert hold_for(headers, NOW) == seconds
