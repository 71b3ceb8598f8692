"""Workers under a scheduler: every operation of every worker happens when a test says so, or does not happen at all.

A worker runs in a thread of its own, and each call of a port waits at the turnstile. Only one thread runs at any time, so
a test that chooses the order chooses it exactly, and finds the same end every time:

    actor = Actor("w1", lambda actor: Worker(workplace(actor), liveness).work())
    actor.operation.name            # "chunks.claim": what it would do next
    actor.step()                    # it does that, and stands before its next operation
    actor.step(Fate.CRASH_AFTER)    # it does that, and is dead
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from ludb.errors import TransientError
from ludb.model.calls import Ability, Action, CallRequest, Result
from ludb.model.data import WriteSet
from ludb.model.run import Chunk, Txn
from ludb.ports.journal import Journal
from ludb.ports.repository import Repository
from ludb.ports.target import CallTarget, Participant, Target

T = TypeVar("T")

PATIENCE = 60.0
"""Real seconds in which a thread must reach its next operation; longer means a deadlock."""


class Fate(StrEnum):
    """What becomes of one operation: whether it takes effect, and what its caller sees of it."""

    DO = "done"
    CRASH_BEFORE = "killed before it"
    CRASH_AFTER = "killed after it"
    LOSE = "done, but its answer is lost"
    FAIL = "not done, with a transient error"

    @property
    def kills(self) -> bool:
        """Whether the worker is dead afterwards."""
        return self in {Fate.CRASH_BEFORE, Fate.CRASH_AFTER}


class Crashed(BaseException):
    """The process is gone. Not an `Exception`: nothing in the engine may handle it, as nothing handles a kill -9."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What an actor does next. `may_fail`: its port allows a `TransientError`; `due`: for a wait, when it is over."""

    name: str
    may_fail: bool = True
    due: float | None = None


class Actor:
    """A thread that stands before an operation, or has ended. Driven by one scheduler, in another thread."""

    def __init__(self, name: str, work: Callable[[Actor], object]) -> None:
        """Start; returns when the first operation is reached or the work has ended."""
        self.name = name
        self.operation: Operation | None = None
        self.result: object = None
        self.error: BaseException | None = None
        self.crashed = False
        self._fate = Fate.DO
        self._dying: list[Callable[[], None]] = []
        # Two locks, both held, passed to and fro: the quickest way to hand over between threads.
        self._go, self._here = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._here.acquire()
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._thread.start()
        self._arrive()

    def step(self, fate: Fate = Fate.DO) -> None:
        """Let the next operation have this fate; returns when the following one is reached or the thread has ended.

        After a fate that kills, what `when_killed` was told is done: the thread unwinds first, without touching any port.
        """
        assert self.operation is not None, f"{self.name} has ended"
        assert self.operation.may_fail or fate not in {Fate.LOSE, Fate.FAIL}, f"{self.operation.name} never fails"
        self._fate = fate
        self._go.release()
        self._arrive()
        if fate.kills:
            assert self.operation is None
            for undo in self._dying:
                undo()

    def when_killed(self, undo: Callable[[], None]) -> None:
        """What the death of the process means to others: a server rolls its open transaction back."""
        self._dying.append(undo)

    def perform(self, name: str, do: Callable[[], T], *, may_fail: bool = True, due: float | None = None) -> T:
        """For the actor's own thread: stand before an operation until told its fate, then do it or not.

        Raises `Crashed`, and for ever after it, once the actor is killed; `TransientError` for a lost answer.
        """
        if self.crashed:
            raise Crashed(self.name)
        self.operation = Operation(name, may_fail, due)
        self._here.release()
        self._go.acquire()
        fate = self._fate
        if fate is Fate.CRASH_BEFORE:
            self.crashed = True
            raise Crashed(self.name)
        if fate is Fate.FAIL:
            raise TransientError(f"{name} was not done", system=name.partition(".")[0])
        try:
            answer = do()
        finally:
            if fate is Fate.CRASH_AFTER:  # also where the operation itself failed
                self.crashed = True
                raise Crashed(self.name)
        if fate is Fate.LOSE:
            raise TransientError(f"the answer of {name} was lost", system=name.partition(".")[0])
        return answer

    def _run(self, work: Callable[[Actor], object]) -> None:
        try:
            self.result = work(self)
        except Crashed:
            pass
        except BaseException as error:  # noqa: BLE001  (the scheduler's thread looks at it)
            self.error = error
        finally:
            self.operation = None
            self._here.release()

    def _arrive(self) -> None:
        if not self._here.acquire(timeout=PATIENCE):
            raise RuntimeError(f"{self.name} reaches no operation after {self.operation}: it hangs")
        if self.operation is None:
            self._thread.join()


class Gated:
    """A port whose every method is one operation, called `<port>.<method>`; what is no method is handed through."""

    def __init__(self, port: object, name: str, actor: Actor, never_fails: Collection[str] = ()) -> None:
        """`never_fails` are methods whose port promises that they raise no `TransientError`."""
        self._port, self._name, self._actor, self._never_fails = port, name, actor, never_fails

    def __getattr__(self, method: str) -> Any:
        """The method, behind the turnstile."""
        found = getattr(self._port, method)
        if not callable(found):
            return found

        def operation(*arguments: Any, **named: Any) -> Any:
            return self._actor.perform(
                f"{self._name}.{method}",
                lambda: found(*arguments, **named),
                may_fail=method not in self._never_fails,
            )

        return operation


class GatedRepository:
    """A repository whose ports are gated: `chunks.decide`, `calls.mark`, ..."""

    def __init__(self, repository: Repository, actor: Actor) -> None:
        """Share the store with everybody else."""
        self.id = repository.id
        self.runs: Any = Gated(repository.runs, "runs", actor)
        self.chunks: Any = Gated(repository.chunks, "chunks", actor)
        self.keymap: Any = Gated(repository.keymap, "keymap", actor)
        self.calls: Any = Gated(repository.calls, "calls", actor)
        self.commands: Any = Gated(repository.commands, "commands", actor)
        self.owners: Any = Gated(repository.owners, "owners", actor)
        self.events: Any = Gated(repository.events, "events", actor)
        self.views: Any = Gated(repository.views, "views", actor)


class GatedJournal:
    """A journal whose methods are gated: `journal.append`, `journal.sync`, ..."""

    def __init__(self, journal: Journal, actor: Actor) -> None:
        """Share the store with everybody else."""
        self._gated = Gated(journal, "journal", actor, never_fails={"discard"})

    def append(self, chunk: Chunk, writes: WriteSet) -> str:
        """As the port says."""
        return str(self._gated.append(chunk, writes))

    def sync(self, chunk: Chunk) -> None:
        """As the port says."""
        self._gated.sync(chunk)

    def read(self, chunk: Chunk, target: str, sha: str) -> WriteSet:
        """As the port says."""
        found: WriteSet = self._gated.read(chunk, target, sha)
        return found

    def discard(self, chunk: Chunk) -> None:
        """As the port says."""
        self._gated.discard(chunk)

    def drop(self, run: str) -> None:
        """As the port says."""
        self._gated.drop(run)


class GatedTarget(Gated):
    """A target whose methods, and those of its participants, are gated: `billing.begin`, `billing.commit`, ..."""

    def __init__(self, target: Target, name: str, actor: Actor) -> None:
        """Columns and order are no operations: they are the same at any time."""
        super().__init__(target, name, actor)
        self.columns, self.order = target.columns, target.order

    def begin(self, txn: Txn) -> Participant:
        """Open a transaction that dies with the actor. A lost answer leaves nobody to commit it: it is rolled back."""
        target: Any = self._port
        opened: list[Participant] = []
        try:
            self._actor.perform(f"{self._name}.begin", lambda: opened.append(target.begin(txn)))
        except TransientError:
            for participant in opened:
                participant.rollback()
            raise
        finally:
            for participant in opened:
                self._actor.when_killed(participant.rollback)
        gated: Any = Gated(opened[0], self._name, self._actor, never_fails={"rollback"})
        return gated  # type: ignore[no-any-return]


class GatedCalls:
    """A call target whose every exchange with its server is one operation: `crm.send`, `crm.probe`, `crm.undo`, ..."""

    def __init__(self, target: CallTarget, name: str, actor: Actor) -> None:
        """`perform` never raises: what a lost answer means is for the server's script to play."""
        self._target, self._name, self._actor = target, name, actor

    def ability(self, output: str) -> Ability:
        """As the port says."""
        return self._target.ability(output)

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """As the port says."""
        return self._target.request(output, document, call_id)

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """As the port says, one exchange after the other; the target must do nothing before a result is asked for."""
        results = iter(self._target.perform(actions))
        for action in actions:
            yield self._actor.perform(f"{self._name}.{action.kind}", lambda: next(results), may_fail=False)

    def check(self) -> None:
        """As the port says."""
        self._target.check()

    def close(self) -> None:
        """As the port says."""
        self._target.close()
