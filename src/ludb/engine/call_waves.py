"""Exchanges with a server, wave by wave: each is in the journal before it leaves, and so is what came of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace

from ludb.engine.call_health import failed
from ludb.engine.call_items import Item, as_kept, unknown, unsure
from ludb.engine.call_moves import Move, next_state
from ludb.engine.call_triage import KIND, Triage
from ludb.engine.workplace import Workplace
from ludb.errors import FatalError, LeaseLost, LudbError, PauseError, TransientError
from ludb.model.calls import Ability, Action, Answer, Result
from ludb.model.job import OutputSpec
from ludb.model.run import CallState, Chunk
from ludb.ports.target import CallTarget, CanMeter, CanTell

WAVE = 128
"""Calls marked `sent` in one repository transaction: what a crash can leave in doubt at once, and twice as many where doubt can
be resolved: there the next wave is journaled while one is on its way.
"""
Outcomes = list[tuple[CallState, Result]]


def meter(system: str, target: CallTarget, at: Workplace, *, lasting: bool = False) -> None:
    """Tell what passed between this worker and a system so far: for observers after every wave, kept at the worker's end."""
    if isinstance(target, CanMeter):
        seen = target.metered()
        if seen.requests:
            level = "info" if lasting else "debug"
            at.announce("system.metered", level=level, lasting=lasting, system=system, worker=at.owner, **asdict(seen))


class Waves:
    """The exchanges of one output of one chunk."""

    def __init__(self, spec: OutputSpec, chunk: Chunk, at: Workplace) -> None:
        """Nothing is sent yet."""
        self.spec, self.chunk, self.at = spec, chunk, at
        self.target: CallTarget = at.migration.calls[spec.system]
        self.ability: Ability = self.target.ability(spec.name)
        self.journal = at.repository.calls
        self.triage = Triage(spec, chunk, self.target, self.ability, at)

    def exchange(self, move: Move, items: Sequence[Item]) -> LudbError | None:
        """The same move for these items, wave by wave. Returns what keeps the chunk from going on; the rest is then not sent."""
        waves = [items[start : start + WAVE] for start in range(0, len(items), WAVE)]
        resolvable = self.ability.probe or self.ability.idempotent_ttl is not None
        if move is Move.SEND and resolvable and len(waves) > 1:
            return self._overlapped(waves)
        setback: LudbError | None = None
        for wave in waves:
            setback = setback or self._wave(move, wave)
        return setback

    def _wave(self, move: Move, items: Sequence[Item]) -> LudbError | None:
        self._wait_for([item for item in items if move is Move.PROBE or (move is Move.UPDATE and unsure(item))])
        self.at.fence.check()
        actions = self._prepare(move, items)
        self._announce_sent(move, len(actions))
        outcomes: Outcomes = []
        try:
            self.at.fence.check()  # it was journaled in time; it must leave in time too
        except LudbError:
            self._settle(_unsent(items) if move is Move.SEND else [])
            raise
        try:
            return self._collect(move, items, actions, outcomes)
        finally:
            self._settle(outcomes)
            self._tell(len(outcomes))

    def _overlapped(self, waves: Sequence[Sequence[Item]]) -> LudbError | None:
        """Send wave after wave, with the journal's work done while requests are on their way: the next wave is marked, and
        the last one settled, by a thread beside this one. What was marked and then not sent is put back.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="ludb-calls-journal") as scribe:
            self.at.fence.check()
            actions = self._prepare(Move.SEND, waves[0])
            settling: Future[None] | None = None
            before: Outcomes = []
            for wave, following in zip(waves, [*waves[1:], ()], strict=True):
                self._announce_sent(Move.SEND, len(actions))
                marking = scribe.submit(self._prepare, Move.SEND, following)
                outcomes: Outcomes = []
                setback: LudbError | None = None
                begun = sound = False
                try:
                    self.at.fence.check()
                    begun = True
                    setback = self._collect(Move.SEND, wave, actions, outcomes)
                    sound = setback is None
                finally:
                    failed = marking.exception() or (settling.exception() if settling else None)
                    if failed or not sound:
                        unsent = [] if marking.exception() else _unsent(following)
                        unsent += [] if begun else _unsent(wave)
                        self._settle([*before, *outcomes, *unsent])
                        self._tell(len(outcomes))
                if failed or setback:
                    if failed:
                        raise failed
                    return setback
                if settling:
                    self._tell(len(before))
                actions, before = marking.result(), outcomes
                settling = scribe.submit(self._settle, outcomes)
            if settling:
                settling.result()
                self._tell(len(before))
        return None

    def _prepare(self, move: Move, items: Sequence[Item]) -> list[Action]:
        """Journal what is about to leave, and say what it is."""
        if not items:
            return []
        if move is Move.SEND:
            self._rewrite(items)
        calls = [item.call for item in items if item.call]
        if move in {Move.SEND, Move.UNDO}:
            self.journal.mark(self.chunk, calls, CallState.SENT if move is Move.SEND else CallState.UNDOING)
            now, since = self.at.clock(), self.at.monotonic()
            for item in items:
                item.changed_at, item.since = now, since
        if move is Move.UPDATE:
            calls = [replace(item.call, request=item.wanted) for item in items if item.call and item.wanted]
            self.journal.settle(self.chunk, [unknown(call) for call in calls])
        repeated = {item.call.id for item in items if item.call and (move is Move.RESEND or item.last is Answer.ABSENT)}
        most = self.triage.most
        return [Action(KIND[move], call, call.id in repeated, most(call.id)) for call in calls]  # type: ignore[arg-type]

    def _rewrite(self, items: Sequence[Item]) -> None:
        """Give calls that were journaled with another request the one that is wanted now."""
        changed = []
        for item in items:
            assert item.call is not None
            assert item.wanted is not None
            item.last = Answer.ABSENT if item.call.state is CallState.ABSENT else None
            if item.call.request is not item.wanted and item.call.request != item.wanted:
                item.call = replace(item.call, request=item.wanted)
                changed.append(item.call)
        if changed:
            self.journal.intend(self.chunk, changed)

    def _announce_sent(self, move: Move, calls: int) -> None:
        if move in {Move.SEND, Move.UNDO, Move.UPDATE}:
            self.at.announce("call.sent", self.chunk, level="debug", output=self.spec.name, calls=calls)

    def _collect(
        self, move: Move, items: Sequence[Item], actions: Sequence[Action], outcomes: Outcomes
    ) -> LudbError | None:
        """Send, and take note of every answer; those that came before an error are in `outcomes` too."""
        by_id = {item.call.id: item for item in items if item.call}
        setback: LudbError | None = None
        failing: list[Result] = []
        again: list[Result] = []
        results = self.target.perform(actions)
        try:
            for result in results:
                self.at.announce(
                    "call.answered", self.chunk, level="debug", output=self.spec.name, answer=result.answer
                )
                state = next_state(move, result.answer)
                kept = as_kept(result)
                outcomes.append((state, kept))
                self._note(by_id[result.action.call.id], state, kept, result.answer)
                self.triage.note(result)
                setback = setback or self._setback(result)
                # A first send in doubt is looked up at once; a second one means that the server is not well: the chunk
                # waits, unless others got through.
                # What did nothing and may be tried again is tried once more, if anybody of the wave got through.
                if result.answer is Answer.AMBIGUOUS and (move is not Move.SEND or result.action.repeat):
                    failing.append(result)
                elif _refused_alone(result):
                    again.append(result)
                if self.at.fence.expired():
                    raise LeaseLost("the lease ended while calls were made; what was not answered is looked up later")
        finally:
            if isinstance(results, Generator):
                results.close()  # nothing may leave any more once the journal says how the wave ended
        passed = any(result.answer is Answer.DONE for _, result in outcomes)
        failing += [one for one in again if not (passed and self.at.health.first(one.action.call.id))]
        return setback or self._waits(failing)

    def _waits(self, failing: Sequence[Result]) -> LudbError | None:
        """What calls that failed again mean for the chunk: it goes back, unless others got through meanwhile."""
        for result in failing:
            if self.at.told.leaving or not self.at.health.moved_on(result.action.call.id):
                return TransientError(
                    f"{self.spec.system}: {result.reason}", system=self.spec.system, retry_after=result.retry_after
                )
        return None

    def _settle(self, outcomes: Outcomes) -> None:
        self.journal.settle(self.chunk, outcomes)

    def _tell(self, settled: int) -> None:
        """Say what was settled, and what the target has changed by itself of how hard it calls."""
        meter(self.spec.system, self.target, self.at)
        if isinstance(self.target, CanTell):
            for one in self.target.told():
                self.at.announce(
                    "pace.governed", lasting=True, system=self.spec.system, worker=self.at.owner, what=one.what,
                    before=one.before, after=one.after, why=one.why,
                )  # fmt: skip
        self.at.announce("call.settled", self.chunk, level="debug", output=self.spec.name, calls=settled)

    def _note(self, item: Item, state: CallState, result: Result, answer: Answer) -> None:
        assert item.call is not None
        item.call = item.call.answered(state, result.action.call.request, result.server_id, result.returned)
        item.last, item.reason, item.body, item.since = answer, result.reason, result.body, self.at.monotonic()
        item.status = result.status

    def _setback(self, result: Result) -> LudbError | None:
        """What a result means for the chunk as a whole."""
        system = self.spec.system
        if result.answer is Answer.DENIED:
            return PauseError(f"{self.spec.name}: {result.reason}", system=system, credential=result.reason)
        if result.answer is Answer.FATAL:
            return FatalError(f"{self.spec.name}: {result.reason}")
        if result.answer in {Answer.AGAIN, Answer.UNSENT} and not _refused_alone(result):
            return TransientError(f"{system}: {result.reason}", system=system, retry_after=result.retry_after)
        return None

    def _wait_for(self, items: Sequence[Item]) -> None:
        """A look-up tells the truth only once no request can be on its way any more, and the look-up has caught up."""
        if not items:
            return
        self.sleep_until(max(item.since for item in items) + self.ability.max_delay + self.ability.settle)

    def sleep_until(self, until: float) -> None:
        """Wait until a moment of the worker's clock; raises what the fence does."""
        while (left := until - self.at.monotonic()) > 0:
            self.at.fence.check()
            self.at.wait(min(left, 0.5))


def _refused_alone(result: Result) -> bool:
    """Whether a document is to be tried again, and nothing was said of when: that is no word on the whole system."""
    return result.answer is Answer.AGAIN and result.retry_after is None and failed(result)


def _unsent(items: Sequence[Item]) -> Outcomes:
    """What the journal says of calls that were marked, and then surely not sent."""
    never = [Result(Action("send", item.call), Answer.UNSENT, reason="not sent") for item in items if item.call]
    return [(CallState.UNSENT, result) for result in never]
