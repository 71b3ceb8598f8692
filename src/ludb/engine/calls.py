"""Calls as part of the commit: what is wanted at an API is brought about, or taken back, and always known."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from ludb.engine.call_items import REFUSED, Item, as_kept, may_have_left, unknown, unsure
from ludb.engine.call_moves import Move, leaves_nothing, next_move, next_state
from ludb.engine.verdicts import Verdicts
from ludb.engine.workplace import Workplace, unit_texts
from ludb.errors import FatalError, Fault, LeaseLost, LudbError, PauseError, TransientError, UnitError
from ludb.model.calls import Ability, Action, Answer, Call, CallRequest, Result
from ludb.model.data import rows_of
from ludb.model.job import OutputSpec
from ludb.model.keys import key_text, named_uuid
from ludb.model.run import CallState, Chunk, UnitState
from ludb.model.unit import POSITION, UNIT_KEY, UnitSchema
from ludb.ports.target import CallTarget, CanMeter, CanTell

RESTORED = "restored"
"""Setting of a run whose repository was restored: when that was told (Unix seconds)."""
WAVE = 128
"""Calls marked `sent` in one repository transaction: what a crash can leave in doubt at once."""

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


def make_calls(
    documents: Iterable[Documents], chunk: Chunk, positions: Collection[int], verdicts: Verdicts, at: Workplace
) -> dict[CallKey, Call]:
    """Bring about the calls of these units, output by output; units whose call is refused or in doubt are rejected.

    Calls made by an earlier attempt are reused if their document is the same, else updated, or taken back and made
    again; calls that no row wants any more are taken back. Raises `TransientError` if a system is away, `PauseError` if
    it refuses the credential: everything done so far stays journaled.
    """
    made: dict[CallKey, Call] = {}
    for output in documents:
        alive = [position for position in positions if position not in verdicts.rejected]
        if not alive:
            break
        name = output.spec.name
        desk = _Desk(output.spec, chunk, at)
        items = desk.items(output, alive, verdicts)
        desk.bring_about(items)
        desk.confirm(items)
        for item in items:
            desk.judge(item, verdicts)
            if item.call is not None and item.call.state is CallState.DONE:
                made[(item.position, name, item.row_key)] = item.call
    return made


def take_back(chunk: Chunk, positions: Collection[int], at: Workplace) -> dict[int, str]:
    """Undo all calls of these units, the last outputs first. Returns the units that stay in doubt, with the reason."""
    doubtful: dict[int, str] = {}
    calls = at.repository.calls.of_units(chunk, at.run.instance, positions)
    for name in reversed([spec.name for spec in at.migration.job.outputs.values() if spec.call]):
        desk = _Desk(at.migration.job.outputs[name], chunk, at)
        items = [desk.item(call, None, None) for call in latest(calls) if call.output == name]
        desk.bring_about(items)
        for item in items:
            if item.call is not None and not leaves_nothing(item.call):
                doubtful.setdefault(item.position, f"{name}: {item.reason or 'the call cannot be taken back'}")
    for call in latest(calls):
        if call.output not in at.migration.job.outputs and not leaves_nothing(call):
            doubtful.setdefault(call.position, f"{call.output}: it is no longer an output of the job")
    return doubtful


def latest(calls: Iterable[Call]) -> list[Call]:
    """The newest generation of each call."""
    found: dict[CallKey, Call] = {}
    for call in calls:
        key = (call.position, call.output, call.row_key)
        if key not in found or call.generation > found[key].generation:
            found[key] = call
    return list(found.values())


def alive_calls(chunk: Chunk, positions: Collection[int], at: Workplace) -> dict[int, list[Call]]:
    """Calls of these units that may have left something at a server, by position."""
    if not positions or not at.migration.calls:
        return {}
    found: dict[int, list[Call]] = {}
    for call in latest(at.repository.calls.of_units(chunk, at.run.instance, positions)):
        if not leaves_nothing(call):
            found.setdefault(call.position, []).append(call)
    return found


def meter(system: str, target: CallTarget, at: Workplace, *, lasting: bool = False) -> None:
    """Tell what passed between this worker and a system so far: for observers after every wave, kept at the worker's end."""
    if isinstance(target, CanMeter):
        seen = target.metered()
        if seen.requests:
            level = "info" if lasting else "debug"
            at.announce("system.metered", level=level, lasting=lasting, system=system, worker=at.owner, **asdict(seen))


class _Desk:
    """The calls of one output of one chunk."""

    def __init__(self, spec: OutputSpec, chunk: Chunk, at: Workplace) -> None:
        self.spec, self.chunk, self.at = spec, chunk, at
        self.target: CallTarget = at.migration.calls[spec.system]
        self.ability: Ability = self.target.ability(spec.name)
        self.journal = at.repository.calls

    def item(self, call: Call, wanted: CallRequest | None, document: Mapping[str, object] | None) -> Item:
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
                inherited=may_have_left(call),
            )  # fmt: skip
        kept = {key: item for key, item in items.items() if item.position not in verdicts.rejected}
        stale = [self.item(call, None, None) for key, call in known.items() if key not in items]
        return [*stale, *kept.values()]

    def bring_about(self, items: list[Item]) -> None:
        """Move every item on until what is wanted is so, is refused, or is in doubt."""
        setback: LudbError | None = None
        while setback is None:
            moves: dict[Move, list[Item]] = {}
            for item in items:
                if item.last not in REFUSED:
                    moves.setdefault(self._next(item), []).append(item)
            self._note_doubt(moves.pop(Move.DOUBT, []))
            moves.pop(Move.NONE, None)
            if not moves:
                return
            self._intend(moves.pop(Move.NEW, []))
            for move, group in moves.items():
                for start in range(0, len(group), WAVE):
                    setback = setback or self._wave(move, group[start : start + WAVE])
        self.at.fence.check()  # where the run is to stop now, what kept the calls from being sent was that
        raise setback

    def _next(self, item: Item) -> Move:
        return next_move(item.call, item.wanted, self.ability, self._age(item))

    def _age(self, item: Item) -> float:
        """How long the server may have known the call: a clock that was set back since makes it too old to be resent."""
        if item.call is None or not item.call.changed_at:
            return math.inf
        age = self.at.clock() - item.call.changed_at
        return max(age, self.at.monotonic() - item.since) if age >= 0 else math.inf

    def _note_doubt(self, items: list[Item]) -> None:
        marked = [item for item in items if item.call and item.call.state in {CallState.SENT, CallState.UNDOING}]
        for item in items:
            done = item.call is not None and item.call.state is CallState.DONE
            unknown = "nobody can tell whether the request reached the server (no probe declared)"
            item.reason = item.reason or ("the object cannot be taken back (no undo declared)" if done else unknown)
        if marked:
            calls = [item.call for item in marked if item.call]
            self.journal.mark(self.chunk, calls, CallState.IN_DOUBT, marked[0].reason)
            for item in marked:
                assert item.call is not None
                item.call = replace(item.call, state=CallState.IN_DOUBT)

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
        call_id = self._id(item.unit_key, item.row_key, generation)
        assert item.wanted is not None
        assert item.document is not None
        if generation:  # the marker holds the id, and that is another one now
            item.wanted = self.target.request(name, item.document, call_id)
        return Call(call_id, instance, name, item.unit_key, item.row_key, generation, item.position, item.wanted)

    def _id(self, unit_key: str, row_key: str, generation: int) -> str:
        """The identity of a call (PROTOCOL R4): idempotency key and marker."""
        return str(named_uuid("call", self.at.run.instance, self.spec.name, unit_key, row_key, str(generation)))

    def _wave(self, move: Move, items: list[Item]) -> LudbError | None:
        """One exchange for up to `WAVE` items: journal, server, journal. Returns what keeps the chunk from going on."""
        self._wait_for([item for item in items if move is Move.PROBE or (move is Move.UPDATE and unsure(item))])
        self.at.fence.check()
        actions = self._prepare(move, items)
        by_id = {item.call.id: item for item in items if item.call}
        outcomes: list[tuple[CallState, Result]] = []
        setback: LudbError | None = None
        results = self.target.perform(actions)
        try:
            for result in results:
                self.at.announce(
                    "call.answered", self.chunk, level="debug", output=self.spec.name, answer=result.answer
                )
                item = by_id[result.action.call.id]
                state = next_state(move, result.answer)
                kept = as_kept(result)
                outcomes.append((state, kept))
                self._note(item, state, kept, result.answer)
                setback = setback or self._setback(move, result)
                if self.at.fence.expired():
                    raise LeaseLost("the lease ended while calls were made; what was not answered is looked up later")
        finally:
            if isinstance(results, Generator):
                results.close()  # nothing may leave any more once the journal says how the wave ended
            self.journal.settle(self.chunk, outcomes)
        self._tell()
        self.at.announce("call.settled", self.chunk, level="debug", output=self.spec.name, calls=len(outcomes))
        return setback

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

    def _tell(self) -> None:
        """Say what the target has changed by itself of how hard it calls."""
        meter(self.spec.system, self.target, self.at)
        if isinstance(self.target, CanTell):
            for one in self.target.told():
                self.at.announce(
                    "pace.governed", lasting=True, system=self.spec.system, worker=self.at.owner, what=one.what,
                    before=one.before, after=one.after, why=one.why,
                )  # fmt: skip

    def _prepare(self, move: Move, items: list[Item]) -> list[Action]:
        """Journal what is about to leave, and say what it is."""
        if move is Move.SEND:
            changed = []
            for item in items:
                assert item.call is not None
                assert item.wanted is not None
                item.last = Answer.ABSENT if item.call.state is CallState.ABSENT else None
                if item.call.request != item.wanted:
                    item.call = replace(item.call, request=item.wanted)
                    changed.append(item.call)
            if changed:
                self.journal.intend(self.chunk, changed)
        calls = [item.call for item in items if item.call]
        if move in {Move.SEND, Move.UNDO}:
            self.journal.mark(self.chunk, calls, CallState.SENT if move is Move.SEND else CallState.UNDOING)
            self._note_sent(items)
        if move is Move.UPDATE:
            calls = [replace(item.call, request=item.wanted) for item in items if item.call and item.wanted]
            self.journal.settle(self.chunk, [unknown(call) for call in calls])
        if move in {Move.SEND, Move.UNDO, Move.UPDATE}:
            self.at.announce("call.sent", self.chunk, level="debug", output=self.spec.name, calls=len(calls))
        kind = {Move.SEND: "send", Move.RESEND: "send", Move.PROBE: "probe", Move.UNDO: "undo", Move.UPDATE: "update"}
        repeated = {item.call.id for item in items if item.call and (move is Move.RESEND or item.last is Answer.ABSENT)}
        return [Action(kind[move], call, call.id in repeated) for call in calls]  # type: ignore[arg-type]

    def _note_sent(self, items: list[Item]) -> None:
        for item in items:
            assert item.call is not None
            item.call = replace(item.call, changed_at=self.at.clock())
            item.since = self.at.monotonic()

    def _note(self, item: Item, state: CallState, result: Result, answer: Answer) -> None:
        assert item.call is not None
        item.call = replace(
            item.call,
            state=state,
            server_id=result.server_id or item.call.server_id,
            returned=result.returned or item.call.returned,
            request=result.action.call.request,
        )
        item.last, item.reason, item.body, item.since = answer, result.reason, result.body, self.at.monotonic()
        item.status = result.status

    def _setback(self, move: Move, result: Result) -> LudbError | None:
        """What a result means for the chunk as a whole."""
        system = self.spec.system
        if result.answer is Answer.DENIED:
            return PauseError(f"{self.spec.name}: {result.reason}", system=system, credential=result.reason)
        if result.answer is Answer.FATAL:
            return FatalError(f"{self.spec.name}: {result.reason}")
        if result.answer in {Answer.AGAIN, Answer.UNSENT}:
            return TransientError(f"{system}: {result.reason}", system=system, retry_after=result.retry_after)
        # A first send in doubt is looked up at once; a second one means that the server is not well: the chunk waits.
        if result.answer is Answer.AMBIGUOUS and (move is not Move.SEND or result.action.repeat):
            return TransientError(f"{system}: {result.reason}", system=system, retry_after=result.retry_after)
        return None

    def _wait_for(self, items: list[Item]) -> None:
        """A look-up tells the truth only once no request can be on its way any more, and the look-up has caught up."""
        if not items:
            return
        until = max(item.since for item in items) + self.ability.max_delay + self.ability.settle
        while (left := until - self.at.monotonic()) > 0:
            self.at.fence.check()
            self.at.wait(min(left, 0.5))

    def judge(self, item: Item, verdicts: Verdicts) -> None:
        """Reject the unit of a call that is refused or in doubt."""
        if item.call is None or (item.wanted is None and leaves_nothing(item.call)):
            return
        refused = REFUSED.get(item.last) if item.last is not None else None
        several = item.last is Answer.SEVERAL
        if item.call.state is CallState.DONE and item.wanted is not None and not refused and not several:
            return
        unclear = "the API holds several objects of the call" if several else "nobody can tell what became of the call"
        reason = f"{refused} (status {item.status})" if refused else unclear
        state = UnitState.QUARANTINED if refused else UnitState.IN_DOUBT
        fault = {item.position: Fault(f"{self.spec.name}: {reason}", item.reason)}
        verdicts.reject(fault, phase="call", step=self.spec.name, body=item.body, state=state)
