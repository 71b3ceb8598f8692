"""Adapters between a job and its systems that let nothing through: transactions are rolled back, calls answered here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pyarrow as pa

from ludb.engine.migration import Migration
from ludb.errors import ConfigError
from ludb.model.calls import Ability, Action, Answer, CallRequest, Result
from ludb.model.data import Applied, WriteSet
from ludb.model.job import OutputSpec
from ludb.model.keys import named_uuid
from ludb.model.run import Txn
from ludb.model.unit import Column
from ludb.ports.repository import KeyMap, Repository
from ludb.ports.target import CallTarget, CanRehearse, CanRewrite, Participant, Target

_LEDGER = pa.schema([("txn", pa.string()), ("seq", pa.int64()), ("run", pa.string()), ("chunk", pa.string())])


def dried(migration: Migration) -> Migration:
    """The job with all its steps and rules, over systems that stay as they are. `ConfigError` naming the targets that
    cannot rehearse.
    """
    unable = sorted(name for name, target in migration.targets.items() if not isinstance(target, CanRehearse))
    if unable:
        raise ConfigError(
            f"system {', '.join(unable)}: this type of target cannot be written without leaving a trace",
            remedy="Try single units: ludb unit KEY --try",
        )
    outputs = migration.job.outputs
    targets = {name: DryTarget(target) for name, target in migration.targets.items()}
    return replace(migration, targets=targets, calls={n: DryCalls(c, outputs) for n, c in migration.calls.items()})


class DryTarget:
    """A target whose transactions write everything, hear every constraint, and are rolled back. Implements `Target`."""

    def __init__(self, target: Target) -> None:
        """`target` can rehearse."""
        self._target = target

    def columns(self, table: str) -> Sequence[Column]:
        """As the real target has them."""
        return self._target.columns(table)

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """As the real target says."""
        return self._target.order(tables)

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:
        """As the real target says; `ConfigError` too if that is only added to."""
        self._rewriting().check_merge(table, key, written)

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """As the real target says; `ConfigError` too if that is only added to."""
        self._rewriting().check_removal(table, columns, removed)

    def _rewriting(self) -> CanRewrite:
        if not isinstance(self._target, CanRewrite):
            raise ConfigError("this system is only added to", remedy="Use mode: insert")
        return self._target

    def begin(self, txn: Txn) -> Participant:
        """A rehearsal."""
        return cast("CanRehearse", self._target).rehearse(txn)

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:  # noqa: ARG002  (the port names them)
        """Nothing: what was decided is nowhere."""
        return Applied(already=True)

    def ledger(self, repository: str) -> pa.Table:  # noqa: ARG002  (the port names it)
        """Nothing was committed."""
        return _LEDGER.empty_table()

    def prepare_schema(self) -> None:
        """No ledger is made."""

    def close(self) -> None:
        """Close the real target."""
        self._target.close()


class DryCalls:
    """A call target that never calls: requests are built as for the server, and every call is `done`. What it returns
    are placeholders: UUIDs, one for each call and name, the same again for the same call.
    """

    def __init__(self, target: CallTarget, outputs: Mapping[str, OutputSpec]) -> None:
        """Requests are built by the real target; `outputs` tell which values a call returns."""
        self._target, self._outputs = target, outputs

    def ability(self, output: str) -> Ability:
        """As the real target has it."""
        return self._target.ability(output)

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """As the real target builds it."""
        return self._target.request(output, document, call_id)

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """Answer for the server."""
        for action in actions:
            call = self._outputs[action.call.output].call
            names = call.returns if call else ()
            returned = {name: str(named_uuid("dry", action.call.id, name)) for name in names}
            server_id = str(named_uuid("dry", action.call.id))
            yield Result(action, Answer.DONE, status=201, server_id=server_id, returned=returned)

    def check(self) -> None:
        """Reach nothing."""

    def close(self) -> None:
        """Let go of the real target."""
        self._target.close()


class DryRepository:
    """A repository that knows the keys which units were given before by another one, and gives that one none."""

    def __init__(self, own: Repository, known: KeyMap) -> None:
        """`known` is only read."""
        self._own = own
        self.keymap = DryKeys(own.keymap, known)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


class DryKeys:
    """A key map that answers from what is known, and else makes up keys: the next numbers, which stay free."""

    def __init__(self, own: KeyMap, known: KeyMap) -> None:
        """`known` is only read."""
        self._own, self._known = own, known

    def allocate(self, job: str, name: str, old: Sequence[bytes], start: int) -> list[int]:
        """The numbers that the keys have, or examples."""
        known = self._known.lookup(job, name, old)
        missing = [key for key, new in zip(old, known, strict=True) if new is None]
        fresh = iter(self._own.allocate(job, name, missing, self._known.next(job, name, start)))
        return [next(fresh) if new is None else int(new) for new in known]

    def next(self, job: str, name: str, start: int) -> int:
        """The number that a new key would get."""
        return self._own.next(job, name, self._known.next(job, name, start))

    def store(self, job: str, name: str, pairs: Mapping[bytes, str]) -> None:
        """Keep values in the own map."""
        self._own.store(job, name, pairs)

    def lookup(self, job: str, name: str, old: Sequence[bytes]) -> list[str | None]:
        """The newest values: the own ones before those known."""
        pairs = zip(self._own.lookup(job, name, old), self._known.lookup(job, name, old), strict=True)
        return [mine if mine is not None else known for mine, known in pairs]
