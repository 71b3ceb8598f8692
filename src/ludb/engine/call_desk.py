"""The calls of one output of one chunk: what is wanted, joined with what the journal knows, moved on until it is so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.call_items import REFUSED, Item, may_have_left
from ludb.engine.call_moves import Move, leaves_nothing, next_move
from ludb.engine.call_waves import WAVE, Waves
from ludb.engine.retry import backoff
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace, unit_texts
from ludb.errors import Fault, LudbError, UnitError
from ludb.model.calls import Action, Answer, Call, CallRequest, Result
from ludb.model.data import rows_of
from ludb.model.job import OutputSpec
from ludb.model.keys import key_text, namer
from ludb.model.run import CallState, Chunk, UnitState
from ludb.model.unit import POSITION, UNIT_KEY, UnitSchema

RESTORED = "restored"
"""Setting of a run whose repository was restored: when that was told (Unix seconds)."""
CallKey = tuple[int, str, str]
"""(position, output, row key)."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The rows of one call output: one row, one document, one call."""

    spec: OutputSpec
    rows: pa.Table | None
    unit_keys: pa.Table

    def key_text(self, values: Sequence[object]) -> str:
        """A row key as text."""
        return key_text(values)

    def row_keys(self, unit: UnitSchema) -> pa.Table:
        """`ludb_position` and the row key columns (the unit key's own, where `row:` names `unit_key`)."""
        assert self.spec.call is not None
        if self.rows is None:
            return self.unit_keys.select([POSITION, *unit.key]).slice(0, 0)
        at = pc.index_in(self.rows.column(POSITION), value_set=self.unit_keys.column(POSITION))
        columns = {POSITION: self.rows.column(POSITION)}
        for name in self.spec.call.row:
            if name == UNIT_KEY:
                columns |= {key: self.unit_keys.column(key).take(at) for key in unit.key}
            else:
                columns[name] = self.rows.column(name)
        return pa.table(columns)


def latest(calls: Iterable[Call]) -> list[Call]:
    """The newest generation of each call."""
    found: dict[CallKey, Call] = {}
    for call in calls:
        key = (call.position, call.output, call.row_key)
        if key not in found or call.generation > found[key].generation:
            found[key] = call
    return list(found.values())


class Desk:
    """The calls of one output of one chunk."""

    def __init__(self, spec: OutputSpec, chunk: Chunk, at: Workplace) -> None:
        """Nothing is wanted yet."""
        self.spec, self.chunk, self.at = spec, chunk, at
        self.waves = Waves(spec, chunk, at)
        self._name = namer("call", at.run.instance, spec.name)
        self.target, self.ability, self.journal = self.waves.target, self.waves.ability, self.waves.journal
        self.triage = self.waves.triage

    def item(self, call: Call, wanted: CallRequest | None, document: Mapping[str, object] | None) -> Item:
        """A call that the journal knows, with what is wanted of it now."""
        return Item(call.position, call.unit_key, call.row_key, wanted, document, call, self.at.monotonic())

    def items(self, output: Documents, alive: Sequence[int], verdicts: Verdicts) -> list[Item]:
        """What is wanted, joined with what the journal knows; unwanted calls of an earlier attempt too."""
        texts = unit_texts(self.chunk)
        known = {
            (call.position, call.row_key): call
            for call in latest(self.journal.of_units(self.chunk, self.at.run.instance, alive))
            if call.output == self.spec.name
        }
        items: dict[tuple[int, str], Item] = {}
        rows = output.rows if output.rows is None else rows_of(output.rows, alive)
        keys = Documents(self.spec, rows, output.unit_keys).row_keys(self.at.migration.job.unit)
        values = zip(*(keys.column(name).to_pylist() for name in keys.column_names), strict=True)
        bodies = [] if rows is None else rows.drop_columns([POSITION]).to_pylist()
        for (position, *key), document in zip(values, bodies, strict=True):
            row_key = key_text(key)
            if (position, row_key) in items:
                fault = Fault(f"{self.spec.name}: two rows with one row key ({', '.join(keys.column_names[1:])})")
                verdicts.reject({position: fault}, phase="call", step=self.spec.name)
            call = known.get((position, row_key))
            call_id = call.id if call else self._id(texts[position], row_key, 0)
            try:
                wanted = self.target.request(self.spec.name, document, call_id)
            except UnitError as error:
                fault = Fault(str(error), error.detail)
                verdicts.reject({position: fault}, phase="call", step=self.spec.name)
                continue
            items[(position, row_key)] = Item(
                position, texts[position], row_key, wanted, document, call, self.at.monotonic(),
                inherited=may_have_left(call), call_id=call_id,
            )  # fmt: skip
        rejected = verdicts.rejected
        kept = {key: item for key, item in items.items() if item.position not in rejected}
        stale = [self.item(call, None, None) for key, call in known.items() if key not in items]
        return [*stale, *kept.values()]

    def bring_about(self, items: list[Item]) -> None:
        """Move every item on until what is wanted is so, is refused, or is in doubt."""
        setback: LudbError | None = None
        failures = self.triage.failures(items)
        while setback is None:
            moves: dict[Move, list[Item]] = {}
            for item in items:
                if item.last not in REFUSED and not item.given_up:
                    moves.setdefault(self._next(item), []).append(item)
            resolved = self._note_doubt(moves.pop(Move.DOUBT, []))
            moves.pop(Move.NONE, None)
            if not moves and not resolved:
                return
            self._intend(moves.pop(Move.NEW, []))
            failures = self._catch_breath(items, failures)
            for move, group in moves.items():
                setback = setback or self.waves.exchange(move, group)
        self.at.fence.check()  # where the run is to stop now, what kept the calls from being sent was that
        raise setback

    def _next(self, item: Item) -> Move:
        return self.triage.next(item, next_move(item.call, item.wanted, self.ability, self._age(item)))

    def _catch_breath(self, items: list[Item], failures: int) -> int:
        """Before a call is tried again that has failed again since it was last looked at, wait; returns how often it has."""
        self.triage.look_again()
        now = self.triage.failures(items)
        if now > max(failures, 1):
            settings = self.at.migration.job.settings
            pause = backoff(now - 1, settings.retry_base, settings.retry_cap, self.at.random)
            self.waves.sleep_until(self.at.monotonic() + pause)
        return now

    def _age(self, item: Item) -> float:
        """How long the server may have known the call: a clock that was set back since makes it too old to be resent."""
        changed_at = item.changed_at or (item.call.changed_at if item.call else 0.0)
        if not changed_at:
            return math.inf
        age = self.at.clock() - changed_at
        return max(age, self.at.monotonic() - item.since) if age >= 0 else math.inf

    def _note_doubt(self, asked: list[Item]) -> bool:
        """Journal what is in doubt from now on; true where a last look made some of it definite."""
        items = [item for item in asked if not self._is_gone(item)]
        marked = [item for item in items if item.call and item.call.state in {CallState.SENT, CallState.UNDOING}]
        for item in items:
            done = item.call is not None and item.call.state is CallState.DONE
            unknown = "nobody can tell whether the request reached the server (no probe declared)"
            item.reason = item.reason or ("the object cannot be taken back (no undo declared)" if done else unknown)
        for reason in dict.fromkeys(item.reason for item in marked):
            alike = [item for item in marked if item.reason == reason]
            self.journal.mark(self.chunk, [item.call for item in alike if item.call], CallState.IN_DOUBT, reason)
            for item in alike:
                assert item.call is not None
                item.call = replace(item.call, state=CallState.IN_DOUBT)
        return len(items) < len(asked)

    def _is_gone(self, item: Item) -> bool:
        """Whether an object that could not be taken back is not there any more, however the server answered."""
        call = item.call
        if call is None or call.state is not CallState.UNDOING or not self.ability.probe:
            return False
        self.waves.sleep_until(item.since + self.ability.max_delay + self.ability.settle)
        if self.triage.look(item) is not Answer.ABSENT:
            return False
        self.journal.settle(self.chunk, [(CallState.UNDONE, Result(Action("undo", call), Answer.ABSENT))])
        item.call = replace(call, state=CallState.UNDONE)
        return True

    def _intend(self, items: list[Item]) -> None:
        fresh = []
        for item in items:
            generation = item.call.generation + 1 if item.call else 0
            item.call = self._call(item, generation)
            fresh.append(item.call)
        if fresh:
            self.journal.intend(self.chunk, fresh)
            self.at.announce("call.intended", self.chunk, level="debug", output=self.spec.name, calls=len(fresh))
            self._doubt_the_journal(items, fresh)

    def _doubt_the_journal(self, items: list[Item], fresh: list[Call]) -> None:
        """Where the repository was restored, a call that it does not know may have been made: it counts as sent, and is
        looked up.
        """
        restored_at = self.at.run.settings.get(RESTORED)
        if not isinstance(restored_at, int | float):
            return
        self.journal.mark(self.chunk, fresh, CallState.SENT)
        for item in items:
            assert item.call is not None
            item.call = replace(item.call, state=CallState.SENT)
            item.since = self.at.monotonic() - max(0.0, self.at.clock() - restored_at)

    def _call(self, item: Item, generation: int) -> Call:
        instance, name = self.at.run.instance, self.spec.name
        call_id = self._id(item.unit_key, item.row_key, generation) if generation else item.call_id
        assert item.wanted is not None
        assert item.document is not None
        if generation:  # the marker holds the id, and that is another one now
            item.wanted = self.target.request(name, item.document, call_id)
        return Call(call_id, instance, name, item.unit_key, item.row_key, generation, item.position, item.wanted)

    def _id(self, unit_key: str, row_key: str, generation: int) -> str:
        """The identity of a call (PROTOCOL R4): idempotency key and marker."""
        return self._name(unit_key, row_key, str(generation))

    def confirm(self, items: Sequence[Item]) -> None:
        """Look once more, before the decision, for what somebody who had the chunk before may have sent after we took it over:
        a second object under one call id is seen here or never. What a look-up does not tell changes nothing.
        """
        if self.chunk.attempt <= 1 or not self.ability.probe or self.ability.idempotent_ttl is not None:
            return
        doubted = [item for item in items if item.inherited and item.wanted and item.call]
        by_id = {item.call.id: item for item in doubted if item.call and item.call.state is CallState.DONE}
        for start in range(0, len(by_id), WAVE):
            self.at.fence.check()
            wave = [item.call for item in list(by_id.values())[start : start + WAVE] if item.call]
            for result in self.target.perform([Action("probe", call) for call in wave]):
                if result.answer is Answer.SEVERAL:
                    item = by_id[result.action.call.id]
                    item.last, item.reason, item.body, item.status = (
                        result.answer,
                        result.reason,
                        result.body,
                        result.status,
                    )

    def judge(self, item: Item, verdicts: Verdicts) -> None:
        """Reject the unit of a call that is refused or in doubt."""
        if item.call is None or (item.wanted is None and leaves_nothing(item.call)):
            return
        refused = REFUSED.get(item.last) if item.last is not None else None
        several = item.last is Answer.SEVERAL
        if item.given_up:
            said = f"status {item.status}" if item.status is not None else "no answer"
            reason = f"{self.spec.name}: the API fails this call each time, and is well otherwise ({said})"
            fault = {item.position: Fault(reason, item.reason)}
            verdicts.reject(fault, phase="call", step=self.spec.name, body=item.body)
            return
        if item.call.state is CallState.DONE and item.wanted is not None and not refused and not several:
            return
        unclear = "the API holds several objects of the call" if several else "nobody can tell what became of the call"
        reason = f"{refused} (status {item.status})" if refused else unclear
        state = UnitState.QUARANTINED if refused else UnitState.IN_DOUBT
        fault = {item.position: Fault(f"{self.spec.name}: {reason}", item.reason)}
        verdicts.reject(fault, phase="call", step=self.spec.name, body=item.body, state=state)
