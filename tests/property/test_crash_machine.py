"""Two workers, crashes between any two operations, zombies, lost answers, servers that misbehave: nothing is ever lost.

A failing example prints its rules and the operations of every worker; `Fate` and the kinds of customers are explained in
`ludb.testing.turnstile` and `crash_estate`.
"""

from __future__ import annotations

from enum import StrEnum
from unittest import mock

import pytest
from crash_estate import Kind, Power, TinyDatabase
from crash_world import RUN, World
from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ludb.testing.calls import Mischief
from ludb.testing.turnstile import Fate

POINTS = (
    "calls.intend", "calls.mark", ".send", "calls.settle", "keymap.store", ".undo", ".update", "chunks.split",
    "journal.append", "journal.sync", *3 * ("chunks.decide", ".commit"), *2 * (".apply", "chunks.finish"),
)  # fmt: skip
"""Operations that are worth meeting trouble at; all others are met by counting."""
MISCHIEFS = (
    Mischief.BUSY, Mischief.LATER, Mischief.FAIL_BEFORE, Mischief.FAIL_AFTER, Mischief.DROP_BEFORE, Mischief.DROP_AFTER,
    Mischief.HANG, Mischief.GARBLE, Mischief.DENY,
)  # fmt: skip


class Plight(StrEnum):
    """What happens to a worker at one operation, beyond the fates of the operation itself."""

    DIE_UNSEEN = "it dies after it, and nobody knows"
    HOST_DIES = "it dies after it, with what its host had not synced"
    DIE_SENDING = "it dies, and its request is on its way for a while"
    FREEZE = "it stops there, as by SIGSTOP, until it is woken"
    SLEEP = "it sleeps while others work for longer than its lease, then goes on"
    SLEEP_DEEP = "it sleeps while others work and the source is edited, then goes on"


FATES = (Fate.DO, *2 * (Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.LOSE, Fate.FAIL), *Plight)


class CrashMachine(RuleBasedStateMachine):
    """The rules are what the world does to a run; the engine is the real one. There are always two workers."""

    @initialize(
        kinds=st.lists(st.sampled_from(Kind), min_size=6, max_size=8),
        chunk_units=st.integers(2, 3),
        power=st.sampled_from(Power),
        survivors=st.booleans(),
    )
    def plan(self, kinds, chunk_units, power, survivors):
        self.tiny = mock.patch("ludb.unitdb.batch.UnitDatabase", TinyDatabase)
        self.tiny.start()
        self.world = World(kinds, chunk_units=chunk_units, power=power)
        self.survivors = survivors

    def member(self, who):
        """One of the workers that are awake, None if all are frozen or the run is over."""
        world = self.world
        world.resume()
        while not world.ended and len(world.living) < 2:
            world.hire()
        return world.awake[who % len(world.awake)] if world.awake else None

    @rule(
        who=st.integers(0, 1),
        where=st.integers(0, 20) | st.sampled_from(POINTS),
        fate=st.sampled_from(FATES),
        edited=st.booleans(),
    )
    def strike(self, who, where, fate, edited):
        """A worker goes on for so many operations, or to such an operation; what happens there is its fate."""
        world, member = self.world, self.member(who)
        if member is None:
            return
        if isinstance(where, str):
            world.go_to(member, where)
        else:
            world.go(member, where)
        if not member.alive:
            return
        if fate is Plight.FREEZE:
            member.frozen = True
        elif fate in {Plight.SLEEP, Plight.SLEEP_DEEP}:
            world.sleep(member, edited=fate is Plight.SLEEP_DEEP, beats=edited)
        else:
            real = fate if isinstance(fate, Fate) else Fate.CRASH_AFTER
            world.suffer(member, real, sending=fate is Plight.DIE_SENDING)
            if fate is Plight.HOST_DIES:
                world.parts.lose_power(member.actor.name)
            if fate is not Plight.DIE_UNSEEN:
                world.bury()
        if edited:
            world.edit()

    @rule(
        system=st.sampled_from(["crm", "inventory"]),
        mischiefs=st.lists(st.sampled_from(MISCHIEFS), max_size=2),
        mended=st.none() | st.integers(0, 7),
        seconds=st.sampled_from([0.0, 0.5, 1.5, 5.0]),
        shift=st.sampled_from([0.0, 0.0, -3600.0, 3600.0]),
        what=st.sampled_from(["thaw", "thaw and beat", "bury", "mute", "unmute"]),
    )
    def meddle(self, system, mischiefs, mended, seconds, shift, what):
        """The world around the workers changes: servers misbehave, a customer is mended and retried, zombies wake up,
        heartbeats do not get through, clocks are set, time passes.
        """
        world = self.world
        world.apis[system].misbehave(*mischiefs)
        if mended is not None:
            world.mend_and_retry(mended)
        world.shift += shift
        if what == "bury":
            world.bury()
        elif what.startswith("thaw"):
            world.thaw(beats=what == "thaw and beat")
        elif world.awake:
            world.awake[0].muted = what == "mute"
        world.advance(seconds)

    @invariant()
    def everything_holds(self):
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            self.world.finish(survivors=self.survivors)
        except BaseException:
            note("\n".join(self.world.trace))
            raise
        finally:
            self.world.close()
            self.tiny.stop()


QUICK = settings(
    max_examples=10,  # beyond the first ten, hypothesis mostly varies what it has: many short rounds see more
    stateful_step_count=20,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def play(number, how):
    run_state_machine_as_test(seed(number)(type("Round", (CrashMachine,), {})), settings=how)


@pytest.mark.parametrize("number", range(3))
def test_whatever_happens_every_unit_is_everywhere_or_nowhere(number):
    play(number, QUICK)


@pytest.mark.long
@pytest.mark.parametrize("number", range(100, 300))
def test_whatever_happens_for_long_every_unit_is_everywhere_or_nowhere(number):
    play(number, settings(QUICK, stateful_step_count=40))


@pytest.mark.parametrize(
    ("power", "tiny"), [*((power, True) for power in Power), (Power.UPDATE, False), (Power.NOTHING, False)]
)
def test_without_faults_every_kind_of_customer_ends_as_expected(power, tiny, monkeypatch):
    """What the machine compares with is true of an uninterrupted run, and of one over the real unit database."""
    if tiny:
        monkeypatch.setattr("ludb.unitdb.batch.UnitDatabase", TinyDatabase)
    world = World([*Kind, Kind.GOOD, Kind.TWIN], power=power)
    world.hire()
    try:
        world.finish(survivors=True)
        assert world.repository.views.counters(RUN).done == 3
    finally:
        world.close()
