"""The world of the crash machine: a run, its crew under a scheduler, and what must be true whatever happened."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from crash_estate import (
    EXPECTED,
    FIRST_ID,
    FOLDERS,
    LEASE,
    MAX_DELAY,
    RULES,
    Api,
    Kind,
    Power,
    job,
    order_count,
    source_tables,
    stores,
)  # fmt: skip

from ludb.engine.liveness import Liveness
from ludb.engine.migration import Migration
from ludb.engine.pipeline import ALONE
from ludb.engine.worker import Worker
from ludb.engine.workplace import Fence, Workplace
from ludb.model.events import Event
from ludb.model.run import ChunkState, Decision, Owner, Run, RunState, Segment, UnitState
from ludb.repositories.memory import MemoryRepository
from ludb.testing.calls import Mischief
from ludb.testing.memory_calls import MemoryCalls
from ludb.testing.memory_journal import MemoryJournal, MemoryParts
from ludb.testing.memory_source import MemorySource
from ludb.testing.memory_target import MemoryTarget
from ludb.testing.turnstile import Actor, Fate, GatedCalls, GatedJournal, GatedRepository, GatedTarget

RUN = "run-1"
ENDED = {RunState.COMPLETED, RunState.EXCEPTIONS}
BEAT = LEASE / 6


@dataclass
class Member:
    """A worker: `frozen` as by SIGSTOP, `muted` while its heartbeat does not reach the repository."""

    actor: Actor
    fence: Fence
    frozen: bool = False
    muted: bool = False
    beat_at: float = 0.0

    @property
    def alive(self) -> bool:
        return self.actor.operation is not None


SUSPECTED = f"{ALONE} workers died with this unit in hand"


class World:
    """Everything outside the workers, and the workers themselves. Time moves only here."""

    def __init__(self, kinds: Sequence[Kind], *, chunk_units: int = 3, power: Power = Power.UNDO) -> None:
        self.now, self.shift = 1000.0, 1_000_000.0
        self.kinds, self.versions, self.power = list(kinds), [1] * len(kinds), power
        self.mended: set[int] = set()
        self.tables = source_tables(self.kinds, self.versions)
        self.stores, self.parts = stores(), MemoryParts()
        self.apis = {"crm": Api(self.monotonic), "inventory": Api(self.monotonic)}
        self.job = job(chunk_units=chunk_units, power=power)
        ids, self._names = itertools.count(1), itertools.count(1)
        self.repository = MemoryRepository(clock=lambda: self.now + self.shift, ids=lambda: f"id-{next(ids)}")
        keys = pa.table({"id": pa.array(range(FIRST_ID, FIRST_ID + len(kinds)), pa.int64())})
        run = Run(RUN, "shop", "shop:1", RunState.PLANNED, "v1", "p1", 5.0, 0, "operator", "host")
        self.repository.runs.create(run, [Segment(0, keys)])
        self.repository.runs.change(RUN, RunState.RUNNING)
        self.crew: list[Member] = []
        self.trace: list[str] = []
        self.bugs: list[str] = []
        self._checked: object = None
        self._decisions: dict[str, Decision] = {}

    def monotonic(self) -> float:
        return self.now

    def on(self, event: Event) -> None:
        """What workers tell; the trace of a bug in the engine fails the next check."""
        if event.name == "engine.bug":
            self.bugs.append(str(event.data["trace"]))

    # --- the crew -------------------------------------------------------------------------------------------------

    def hire(self) -> Member:
        name = f"w{next(self._names)}"
        self.repository.owners.enrol(Owner(name, RUN, "worker", "elsewhere", 1, "/no/lock"))
        fence = Fence(LEASE, self.monotonic)
        member = Member(Actor(name, lambda actor: self._work(actor, fence)), fence, beat_at=self.now + BEAT)
        self.crew.append(member)
        self._check_alive(member)
        return member

    def _work(self, actor: Actor, fence: Fence) -> Run:
        repository = GatedRepository(self.repository, actor)
        at = Workplace(
            run=self.repository.runs.get(RUN),
            migration=self._migration(actor),
            repository=repository,
            observers=[self],
            journal=GatedJournal(MemoryJournal(self.parts), actor),
            owner=actor.name,
            fence=fence,
            clock=lambda: self.now + self.shift,
            monotonic=self.monotonic,
            wait=lambda seconds: actor.perform("wait", lambda: None, may_fail=False, due=self.now + seconds),
            random=random.Random(actor.name),
        )
        ended = Worker(at, Liveness(repository.owners, RUN, LEASE, host="here", monotonic=self.monotonic)).work()
        actor.perform("leave", lambda: self.repository.owners.leave(actor.name, "ended"), may_fail=False)
        return ended

    def _migration(self, actor: Actor) -> Migration:
        outputs = self.job.outputs.values()
        calls = {}
        for name, api in self.apis.items():
            mine = {spec.name: spec for spec in outputs if spec.system == name}
            calls[name] = GatedCalls(MemoryCalls(api, mine, name=name, max_delay=MAX_DELAY, retry_for=0.0), name, actor)
        targets = {name: GatedTarget(MemoryTarget(name, store), name, actor) for name, store in self.stores.items()}
        return Migration(self.job, FOLDERS, RULES, {"legacy": MemorySource("legacy", self.tables)}, targets, calls)

    def _check_alive(self, member: Member) -> None:
        if member.actor.error is not None:
            raise AssertionError(f"{member.actor.name} died of an error") from member.actor.error

    @property
    def living(self) -> list[Member]:
        return [member for member in self.crew if member.alive]

    @property
    def awake(self) -> list[Member]:
        return [member for member in self.living if not member.frozen]

    def step(self, member: Member, fate: Fate = Fate.DO) -> None:
        """One operation of one worker. A wait that is not over yet takes its time."""
        operation = member.actor.operation
        if operation.due is not None and operation.due > self.now and not fate.kills:
            self.advance(operation.due - self.now)
        self.trace.append(f"{member.actor.name} {operation.name}" + ("" if fate is Fate.DO else f": {fate}"))
        member.actor.step(fate)
        self._check_alive(member)
        if operation.name.endswith((".decide", ".commit", ".apply")):
            self.check_decisions()

    def go(self, member: Member, steps: int) -> None:
        for _ in range(steps):
            if member.alive:
                self.step(member)

    def go_to(self, member: Member, point: str, limit: int = 40) -> bool:
        """Let a worker go on until it stands before an operation of this kind."""
        for _ in range(limit):
            if not member.alive:
                return False
            if member.actor.operation.name.endswith(point):
                return True
            self.step(member)
        return False

    def bury(self) -> None:
        """Say that the dead are dead, as their supervisor or their free lock would."""
        for member in self.crew:
            if member.actor.crashed:
                self.repository.owners.leave(member.actor.name, "dead")

    def thaw(self, *, beats: bool) -> None:
        """The zombie that slept longest wakes up; its heart or its hands may be the first to move."""
        for member in self.living:
            if member.frozen:
                member.frozen = False
                if beats:
                    self.beat(member)
                return

    def advance(self, seconds: float) -> None:
        """Let time pass: hearts beat, and what hangs on the network arrives."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + BEAT)
            for api in self.apis.values():
                api.arrive()
            for member in self.awake:
                if not member.muted and self.now >= member.beat_at:
                    self.beat(member)

    def beat(self, member: Member) -> None:
        self.repository.owners.beat(Owner(member.actor.name, RUN, "worker", "elsewhere", 1, "/no/lock"))
        member.fence.beat()
        member.beat_at = self.now + BEAT

    def sleep(self, member: Member, *, edited: bool, beats: bool) -> None:
        """A worker stops, the others go on for longer than its lease, and it wakes up in another world."""
        member.frozen = True
        if edited:
            self.edit()
        for _ in range(6):
            self.advance(LEASE / 4)
            for other in self.awake:
                self.go(other, 8)
        member.frozen = False
        if beats:
            self.beat(member)
        self.go(member, 5)

    def suffer(self, member: Member, fate: Fate, *, sending: bool = False) -> None:
        """The next operation of a worker has this fate, if it can; `sending`: what it sends arrives later."""
        system, _, what = member.actor.operation.name.partition(".")
        if sending and what in {"send", "update", "undo"}:
            self.apis[system].script.appendleft(Mischief.HANG)
        if fate in {Fate.LOSE, Fate.FAIL} and not member.actor.operation.may_fail:
            fate = Fate.DO
        self.step(member, fate)

    def resume(self) -> None:
        """A person mends the refused credential and lets a paused run go on."""
        if self.repository.runs.get(RUN).state is RunState.PAUSED:
            self.repository.runs.change(RUN, RunState.RUNNING)

    @property
    def ended(self) -> bool:
        return self.repository.runs.get(RUN).state in ENDED

    def edit(self) -> None:
        """Somebody changes every customer in the source while the run goes on (not where nothing could follow it)."""
        if self.power is not Power.NOTHING:
            self.versions = [version + 1 for version in self.versions]
            self.tables.update(source_tables(self.kinds, self.versions))

    def mend_and_retry(self, pick: int) -> None:
        """A person mends a quarantined customer and tries it again."""
        found = self.repository.views.exceptions(RUN, UnitState.QUARANTINED)
        if found:
            at = found[pick % len(found)].position
            self.kinds[at] = Kind.GOOD
            self.mended.add(at)
            self.tables.update(source_tables(self.kinds, self.versions))
            self.repository.chunks.retry(RUN, [at])
            if self.ended:
                self.repository.runs.change(RUN, RunState.RUNNING)

    # --- what must be true ----------------------------------------------------------------------------------------

    def check_decisions(self) -> set[int]:
        """What was decided stays so and can be done, and nothing else was committed: returns the units that decided
        chunks still move.
        """
        moving: set[int] = set()
        decided: dict[str, str] = {}
        for chunk, _, _ in self.repository.views.chunks(RUN):
            if chunk.state not in {ChunkState.DECIDED, ChunkState.FINISHED} or chunk.kind == "undo":
                assert chunk.id not in self._decisions, f"{chunk.id} was decided and is {chunk.state}"
                continue
            decision = self._decisions.get(chunk.id)
            if decision is None or chunk.state is ChunkState.DECIDED:
                decision = self.repository.chunks.decision(chunk.txn)
            assert decision is not None, f"{chunk.id} is {chunk.state} without a decision"
            assert self._decisions.setdefault(chunk.id, decision) == decision, f"{chunk.id} was decided twice"
            assert decision.txn == chunk.txn, f"{chunk.id} was claimed again after its decision"
            decided[chunk.txn] = chunk.id
            if chunk.state is ChunkState.DECIDED:
                moving |= set(chunk.positions) - {found.position for found in (*decision.exceptions, *decision.undo)}
                for target, sha in decision.journal.items():
                    assert self.parts.durable(RUN, chunk.id, chunk.txn, target, sha), f"{chunk.id}: {target} is lost"
        for name, store in self.stores.items():
            for txn in store.ledger.values():
                assert decided.get(txn.id) == txn.chunk, f"{name} committed {txn}, which was never decided"
        return moving

    def check(self) -> None:
        """What holds at every moment."""
        seen = (len(self.trace), self.now, self.mended.copy())
        if seen == self._checked:
            return
        self._checked = seen
        run, views = self.repository.runs.get(RUN), self.repository.views
        assert not self.bugs, self.bugs[0]
        assert run.state in {RunState.RUNNING, RunState.PAUSED, *ENDED}, f"{run.state}: {run.reason}"
        counters, done = views.counters(RUN), set(views.done(RUN).to_pylist())
        states = {found.position: found.state for found in views.exceptions(RUN)}
        assert not done & states.keys()
        assert (counters.total, counters.done) == (len(self.kinds), len(done))
        assert counters.quarantined + counters.in_doubt + counters.gone == len(states)
        assert 0 <= counters.committing <= counters.pending
        moving = self.check_decisions()
        for at in range(len(self.kinds)):
            self._check_unit(at, UnitState.DONE if at in done else states.get(at, UnitState.PENDING), moving)

    def _check_unit(self, at: int, state: UnitState, moving: set[int]) -> None:
        rows, objects = self._rows(at), self._objects(at)
        where = f"unit {at} ({self.kinds[at]}, {state}): {rows} {objects}"
        ids = [(one["href"].split("/")[1], one.get("number")) for one in objects]
        assert len(set(ids)) == len(ids), f"two objects for one row: {where}"
        full = {"billing": 1, "stock": 1 + order_count(at, self.kinds[at])}
        held = {name: len(found) for name, found in rows.items()}
        if state is UnitState.DONE:
            assert held == full, where
            assert len(ids) == full["stock"], where
            assert len({one["name"] for found in (*rows.values(), objects) for one in found}) == 1, f"mixed: {where}"
            (crm_id,) = (one["id"] for one in objects if "number" not in one)
            assert rows["billing"][0]["crm_id"] == crm_id, where
        elif state is UnitState.IN_DOUBT:
            assert self.may_doubt(at), where
        elif at in moving:
            assert all(held[name] in {0, full[name]} for name in full), where
        else:
            assert not any(held.values()), f"rows of a unit that was not moved: {where}"
            assert state is UnitState.PENDING or not objects, f"objects of a unit set aside: {where}"

    def _rows(self, at: int) -> dict[str, list[dict[str, object]]]:
        return {
            name: [row for rows in store.tables.values() for row in rows if row["customer"] == FIRST_ID + at]
            for name, store in self.stores.items()
        }

    def _objects(self, at: int) -> list[dict[str, object]]:
        return [one for api in self.apis.values() for one in api.objects() if one["customer"] == FIRST_ID + at]

    def may_doubt(self, at: int) -> bool:
        """Doubt is honest in two cases only: decided rows that no longer fit because a twin's were applied first, and a
        call of a unit rejected after it was made, by an API that cannot take it back.
        """
        return self.kinds[at] is Kind.TWIN or (self.power not in {Power.UNDO, Power.UPDATE} and self.is_suspected(at))

    def is_suspected(self, at: int) -> bool:
        """Whether the unit was set aside because workers died with it in hand: here they die of anything."""
        return any(one.position == at and SUSPECTED in one.message for one in self.repository.views.exceptions(RUN))

    # --- the end --------------------------------------------------------------------------------------------------

    def finish(self, *, survivors: bool) -> None:
        """No more faults: run to the end with those who are left, or with one fresh worker after the death of all."""
        for api in self.apis.values():
            api.script.clear()
        for member in self.living:
            member.frozen = member.muted = False
            if not survivors:
                self.step(member, Fate.CRASH_BEFORE)
        self.bury()
        for _ in range(80):
            assert not self.bugs, self.bugs[0]
            self.resume()
            run = self.repository.runs.get(RUN)
            assert run.state in {RunState.RUNNING, *ENDED}, f"{run.state}: {run.reason}"
            if self.ended and not self.living:
                break
            if not self.living:
                self.hire()
            for member in self.living:
                self.go(member, 20)
        else:
            raise AssertionError(f"the run does not end: {self.repository.views.chunks(RUN, unresolved=True)}")
        self.advance(2 * MAX_DELAY)
        self.check()
        self.check_end()

    def check_end(self) -> None:
        """The run ended as it would have ended without any fault."""
        views = self.repository.views
        found = {one.position: one for one in views.exceptions(RUN)}
        twins = [at for at, kind in enumerate(self.kinds) if kind is Kind.TWIN]
        for at, kind in enumerate(self.kinds):
            if self.may_doubt(at) and at in found and found[at].state is UnitState.IN_DOUBT:
                continue
            if self.is_suspected(at):
                assert found[at].state is UnitState.QUARANTINED, found[at]
                continue
            if kind is Kind.TWIN:
                assert at not in found or "UNIQUE" in found[at].reason, found[at]
                continue
            state, reason = EXPECTED[kind]
            assert (found[at].state if at in found else UnitState.DONE) is state, f"unit {at} ({kind}): {found.get(at)}"
            assert at not in found or reason in found[at].reason, found[at]
        if twins and not any(self.is_suspected(at) for at in twins):
            assert len([at for at in twins if at not in found]) == 1, [found.get(at) for at in twins]
        counters, rows = views.counters(RUN), views.rows(RUN)
        assert counters.pending == 0
        assert sum(rows.source.get("customers", {}).values()) == counters.total - counters.gone, rows
        assert rows.output.get("billing.account", {}).get("done", 0) == counters.done, rows

    def close(self) -> None:
        """End every thread."""
        for member in self.living:
            member.actor.step(Fate.CRASH_BEFORE)
        self.repository.close()
