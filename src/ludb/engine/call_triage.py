"""When a call is tried no more: its server fails it again and again, and is well otherwise (docs/adr/0013)."""

from __future__ import annotations

from ludb.engine.call_health import ANSWERED, Trouble
from ludb.engine.call_items import Item
from ludb.engine.call_moves import Move
from ludb.engine.workplace import Workplace
from ludb.model.calls import Ability, Action, Answer, Result
from ludb.model.job import OutputSpec
from ludb.model.run import Chunk
from ludb.ports.target import CallTarget

DOUBTFUL = 4
"""So many times more patient we are where the end would be doubt, which a person has to clear up."""
LAST = 2
"""And so many times more where nothing else is left that could prove that the system is well."""
KIND = {Move.SEND: "send", Move.RESEND: "send", Move.PROBE: "probe", Move.UNDO: "undo", Move.UPDATE: "update"}


class Triage:
    """Judges the failing calls of one output of one chunk, by what this worker has seen of their system."""

    def __init__(self, spec: OutputSpec, chunk: Chunk, target: CallTarget, ability: Ability, at: Workplace) -> None:
        """Nothing has failed yet."""
        self._spec, self._chunk, self._target, self._ability, self._at = spec, chunk, target, ability, at
        self._health = at.health
        self._rest: bool | None = None

    def note(self, result: Result) -> None:
        """Take note of an exchange of this output."""
        self._health.note(self._spec.system, self._chunk.id, result)

    def most(self, call_id: str) -> int | None:
        """With how many documents in one request a call may go, itself included: half as many as when it last failed."""
        trouble = self._health.troubles.get(call_id)
        return max(1, trouble.together // 2) if trouble else None

    def failures(self, items: list[Item]) -> int:
        """How often the one of these that failed most has failed; 0 where none has."""
        known = [self._health.troubles.get(item.call.id) for item in items if item.call]
        return max((len(trouble.marks) for trouble in known if trouble), default=0)

    def next(self, item: Item, move: Move) -> Move:
        """The next move for a call: `move`, unless it has failed too often while the system was well."""
        if move not in KIND or item.call is None or not self._spent(item, move):
            return move
        trouble = self._health.troubles[item.call.id]
        if move is Move.RESEND and self._ability.probe:
            return Move.PROBE
        told = f"tried {trouble.tries[KIND[move]]} times while the system was well otherwise; the last time: {trouble.reason}"
        item.body, item.status = trouble.body, trouble.status
        self._at.announce(
            "call.given_up", self._chunk, level="warning", lasting=True, output=self._spec.name, system=self._spec.system,
            kind=KIND[move], tries=trouble.tries[KIND[move]], status=trouble.status,
        )  # fmt: skip
        del self._health.troubles[item.call.id]
        item.reason = told
        if move in {Move.SEND, Move.UPDATE}:  # what is there is known: nothing, or an object that can be taken back
            item.given_up = True
            return Move.NONE
        return Move.DOUBT

    def look_again(self) -> None:
        """Time has passed: what is left of the run is asked for anew."""
        self._rest = None

    def look(self, item: Item) -> Answer:
        """Look a call up, whatever its state: it shows whether the system is at work. The journal does not change."""
        assert item.call is not None
        result = next(iter(self._target.perform([Action("probe", item.call)])))
        if result.answer in ANSWERED:
            self._health.answered[self._spec.system] += 1
        return result.answer

    def _spent(self, item: Item, move: Move) -> bool:
        assert item.call is not None
        trouble = self._health.troubles.get(item.call.id)
        if trouble is None:
            return False
        doubtful = move in {Move.PROBE, Move.UNDO} or (move is Move.RESEND and not self._ability.probe)
        enough = self._ability.patience.tries * (DOUBTFUL if doubtful else 1)
        tries = trouble.tries[KIND[move]]
        if tries < enough:
            return False
        return self._others_passed(trouble) or (tries >= enough * LAST and self._nothing_else(item, trouble, move))

    def _others_passed(self, trouble: Trouble) -> bool:
        """Whether it failed once more after a crowd had got through since its second failure: the system is well. (When it
        failed first, so many may have been on their way before the system went down; and what failed while the system was
        away is tried once more when others get through again.)
        """
        return len(trouble.marks) > 1 and trouble.marks[-1] - trouble.marks[1] >= self._ability.patience.others

    def _nothing_else(self, item: Item, trouble: Trouble, move: Move) -> bool:
        """Whether nobody else is left to prove that the system is well, and it answered between the last two failures. A
        crowd that fails is the system's fault, unless the system went on taking others after the first of it had failed.
        """
        health, system, patience = self._health, trouble.system, self._ability.patience
        if self._rest is None:
            self._rest = self._waits_for_this()
        if not self._rest:
            return False
        crowd = sum(one.system == system for one in health.troubles.values()) >= patience.others
        went_on = health.written[system] - trouble.marks[0] >= patience.others + self._ability.flight
        if crowd and not went_on:
            return False
        answered = trouble.answered
        if health.answered[system] <= answered[-1] and move in {Move.UNDO, Move.UPDATE} and self._ability.probe:
            self.look(item)
        return len(answered) > 1 and answered[-1] > answered[-2]

    def _waits_for_this(self) -> bool:
        """Whether every unit of the run that is not settled is in a chunk that waits for this system."""
        views, run = self._at.repository.views, self._at.run.id
        chunks = views.chunks(run, unresolved=True)
        here = {chunk.id for chunk, _, _ in chunks}
        for call_id, trouble in list(self._health.troubles.items()):
            if trouble.chunk not in here:  # another worker has ended it
                del self._health.troubles[call_id]
        waiting = all(
            chunk.id == self._chunk.id or error.startswith(f"{self._spec.system}: ") for chunk, error, _ in chunks
        )
        return waiting and views.counters(run).pending <= sum(len(chunk.positions) for chunk, _, _ in chunks)
