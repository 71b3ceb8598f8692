"""The contract of counters: whatever happens to a run's units, in whatever order, all of them are counted, once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ludb.model.exceptions import decode_exceptions
from ludb.model.run import Chunk, ChunkState, UnitException, UnitState
from ludb.ports.repository import Repository
from ludb.testing.repository_world import RUN, ManualClock, decision, fault, planned, segments, started

UNITS, STEPS = 60, 45
REASONS = ("bad date", "no contact", "crm: 422")
PHASES = (("steps", "10_customer"), ("rules", "has_contact"), ("call", "crm.customer"), ("extract", ""))


class Walk:
    """One run to which the dice decide what happens. What it holds are the chunks that workers would hold."""

    def __init__(self, repository: Repository, dice: random.Random) -> None:
        """A run of `UNITS` units, beside another one whose counters must not move."""
        self.repository, self.dice = repository, dice
        self.held: list[Chunk] = []
        repository.runs.create(planned("beside", instance="telco:2"), segments(4))
        started(repository, UNITS, size=25)

    def step(self) -> None:
        """One thing that may happen now."""
        acts: list[Callable[[], None]] = [self.claim, self.retry]
        acts += [self.end] * 3 if self.held else []
        self.dice.choice(acts)()

    def claim(self) -> None:
        """A worker claims a chunk."""
        chunk = self.repository.chunks.claim(RUN, "a", self.dice.randint(1, 9))
        self.held += [] if chunk is None else [chunk]

    def end(self) -> None:
        """What is held is decided, finished, released or split."""
        chunk = self.held.pop(self.dice.randrange(len(self.held)))
        if chunk.kind == "undo":
            self.repository.chunks.finish(chunk, decode_exceptions(chunk.payload))
        elif chunk.state is ChunkState.DECIDED:
            left = [at for at in chunk.positions if at not in self.excluded(chunk)]
            self.repository.chunks.finish(chunk, self.faults(left, (UnitState.IN_DOUBT,)))
        elif self.dice.random() < 0.15:
            self.repository.chunks.release(chunk, "away", 0.0)
        elif self.dice.random() < 0.2 and len(chunk.positions) > 1:
            self.held += self.repository.chunks.split(chunk, [chunk.positions[:1], chunk.positions[1:]])
        else:
            self.held.append(self.decide(chunk))

    def decide(self, chunk: Chunk) -> Chunk:
        """Some units are set aside, some wait for their calls to be undone, the others move."""
        aside = self.faults(chunk.positions, (UnitState.QUARANTINED, UnitState.IN_DOUBT, UnitState.GONE))
        others = [at for at in chunk.positions if at not in {each.position for each in aside}]
        undo = self.faults(others, (UnitState.QUARANTINED,))
        return self.repository.chunks.decide(chunk, decision(chunk, aside, undo))

    def retry(self) -> None:
        """A person has some quarantined units tried again."""
        found = self.repository.views.exceptions(RUN, UnitState.QUARANTINED)
        some = [each.position for each in found if self.dice.random() < 0.4]
        self.repository.chunks.retry(RUN, some, "operator")

    def excluded(self, chunk: Chunk) -> set[int]:
        """Units that a decision left out."""
        found = self.repository.chunks.decision(chunk.txn)
        assert found is not None
        return {each.position for each in (*found.exceptions, *found.undo)}

    def faults(self, positions: Sequence[int], states: tuple[UnitState, ...]) -> list[UnitException]:
        """Some of these units, each with one of few reasons."""
        some = [at for at in positions if self.dice.random() < 0.2]
        return [self.fault(at, self.dice.choice(states)) for at in some]

    def fault(self, position: int, state: UnitState) -> UnitException:
        """A unit set aside somewhere."""
        phase, step = self.dice.choice(PHASES)
        return replace(fault(position, state), phase=phase, step=step, reason=self.dice.choice(REASONS))


class CountersContract:
    """Counters, and whoever counts again, never differ."""

    def test_states_add_up_at_every_instant_and_the_recount_agrees(
        self, repository: Repository, clock: ManualClock
    ) -> None:
        """Otherwise an operator would wait for units that nobody has, or a run would end with customers forgotten."""
        walk = Walk(repository, random.Random(2))  # noqa: S311  (what happens, no secret)
        for _ in range(STEPS):
            clock.now += 1
            walk.step()
            self._adds_up(repository)
        assert repository.views.counters(RUN).done, "the walk led somewhere"
        assert repository.views.exceptions(RUN)
        beside = repository.views.counters("beside")
        assert (beside.total, beside.pending) == (4, 4)

    def _adds_up(self, repository: Repository) -> None:
        counters, accounts = repository.views.counters(RUN), repository.evidence.accounts(RUN)
        rows = repository.views.exceptions(RUN)
        by_state = Counter(each.state for each in rows)
        told = {state: getattr(counters, state) for state in ("quarantined", "in_doubt", "gone", "rolled_back")}
        assert told == {state: by_state[UnitState(state)] for state in told}
        assert counters.done == accounts.done == len(repository.views.done(RUN))
        assert counters.total == UNITS == counters.done + sum(told.values()) + counters.pending
        assert counters.pending == accounts.unclaimed + accounts.held + accounts.committing
        by_reason = Counter((each.state, each.reason) for each in rows)
        assert {(one.state, one.reason): one.units for one in repository.evidence.reasons(RUN)} == by_reason
        assert repository.pages.counters([RUN]) == {RUN: counters}
        assert accounts.wrong == ()
        listed = {(one.state, one.reason): one.units for one in repository.overview.reasons()}
        assert listed == by_reason
