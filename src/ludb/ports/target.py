"""Where rows and documents go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from ludb.errors import ConfigError
from ludb.model.calls import Ability, Action, CallRequest, Governed, Metered, Result
from ludb.model.data import Applied, Removal, WriteSet
from ludb.model.findings import Finding
from ludb.model.run import Txn
from ludb.model.unit import Column


@runtime_checkable
class Participant(Protocol):
    """A target's part in one chunk's commit. Used by one thread; `commit` or `rollback` ends it.

    Errors: `UnitError` with the units that break a constraint or cannot be carried (all that are known, not only the
    first), `TransientError`, `FatalError`. After any error the caller rolls back the whole participant.
    """

    def write(self, table: str, rows: pa.Table) -> None:
        """Write rows of one table; column `ludb_position` tells the unit and is not written. Constraints speak here, or
        in `prepare`.
        """

    def prepare(self) -> None:
        """Make `commit` unable to fail for reasons of data: deferred constraints speak, the ledger row is read back."""

    def commit(self) -> None:
        """Make the rows durable and visible. Called only after the decision. Safe to repeat after an error."""

    def rollback(self) -> None:
        """Leave nothing behind. Never raises; safe to repeat, also after `commit` (then it does nothing)."""


@runtime_checkable
class Target(Protocol):
    """A system written in transactions, with a ledger: the row that tells, in the same transaction, who committed."""

    def columns(self, table: str) -> Sequence[Column]:
        """The table's columns; empty where the target makes the table itself (files). `ConfigError` if there is none."""

    def order(self, tables: Sequence[str]) -> Sequence[str]:
        """The tables in an order that foreign keys allow (parents first)."""

    def begin(self, txn: Txn) -> Participant:
        """A transaction whose first statement inserts the ledger row of `txn`. A target with one writer at a time may wait
        with both until `prepare`, when all rows are ready; `FatalError` if `txn` was committed before.
        """

    def apply(self, txn: Txn, writes: WriteSet) -> Applied:
        """Recovery, after the decision: ledger row first; a duplicate means "already there". Units that no longer fit
        are left out and returned, the others are committed. Safe to repeat: "already there" still returns the units that
        were left out, because the ledger row names those that were written.
        """

    def ledger(self, repository: str) -> pa.Table:
        """What was committed for this repository: columns `txn`, `seq`, `run`, `chunk`; empty where there is no ledger."""

    def prepare_schema(self) -> None:
        """Create the ledger if it is missing and refuse a target that is not durable (`ConfigError`). Once per start."""

    def close(self) -> None:
        """Let go of connections; safe to repeat."""


@runtime_checkable
class Rewriting(Participant, Protocol):
    """A participant that can also write over what is there; what it does, and when constraints speak, is as for `write`."""

    def remove(self, removals: Mapping[str, Removal]) -> None:
        """Delete the rows of the units, table by table in this order (children before parents), before anything is
        written. Values are compared by bytes, whatever the collation. `UnitError` with every unit whose rows cannot go.
        """

    def merge(self, table: str, rows: pa.Table, key: Sequence[str]) -> None:
        """Write rows; one whose key is there already is updated with these columns, and its others stay.

        Refused by unit (`UnitError`): NULL in a key, a key that a second row of the chunk has, a key that the database
        takes for another one which differs in its bytes (the `detail` shows both), a unique constraint beside the key.
        """


@runtime_checkable
class CanRewrite(Protocol):
    """A target whose participants are `Rewriting`: the modes `upsert` and `replace_unit` need it. Called before any unit
    moves; errors are `ConfigError`s with a remedy.
    """

    def check_merge(self, table: str, key: Sequence[str], written: Sequence[str]) -> None:
        """Refuse a key that no unique constraint has exactly, columns that foreign keys of other rows point to and that an
        update would change, and rights that are missing.
        """

    def check_removal(self, table: str, columns: Sequence[str], removed: Sequence[str]) -> None:
        """Refuse columns that are not there, rights that are missing, and a table that would take rows of others with it
        (ON DELETE CASCADE, SET NULL, SET DEFAULT), unless these are `removed` as well.
        """


@runtime_checkable
class CanFit(Protocol):
    """A target that knows, without a value, what its columns can never hold. Called before any unit moves."""

    def misfits(self, table: str, made: pa.Schema) -> Sequence[ConfigError]:
        """An error with a remedy for every column of the table whose values of this type would all be refused (bytes for a
        text column). Names that are not the table's are left out.
        """


@runtime_checkable
class CanRead(Protocol):
    """A target whose tables can be read back: verification and the before-and-after view need it."""

    def read(self, table: str) -> pa.Table:
        """All rows of the table, in a stable order."""


@runtime_checkable
class HasLedger(Protocol):
    """A target whose ledger a DBA may make beforehand, and drop when the migration is over."""

    def ledger_ddl(self) -> str:
        """What makes the ledger, as text that can be run as it stands; comments say what it is for and which rights are
        needed. Opens nothing.
        """

    def ledger_entries(self) -> Mapping[str, int]:
        """Entries by repository, of all repositories that have written here; none where there is no ledger."""

    def drop_ledger(self) -> None:
        """Remove the ledger with everything of ours that is beside it; rows stay. Safe to repeat."""


@runtime_checkable
class CanRehearse(Protocol):
    """A target that can hear its constraints without being changed: a dry run needs it."""

    def rehearse(self, txn: Txn) -> Participant:
        """A transaction that can only be rolled back: `commit` rolls back too. No ledger row, and `prepare_schema` was
        not called: nothing of ours is there before, meanwhile (for others to see) or afterwards. Faults as of `begin`.
        """


@runtime_checkable
class CanSweep(Protocol):
    """A target that holds what was prepared until it is committed, also when whoever prepared it has died."""

    def sweep(self, txn: Txn) -> None:
        """Delete what other claims of this transaction's chunk have prepared: they were never decided. Safe to repeat."""


def write_all(participant: Participant, writes: WriteSet) -> None:
    """Carry out a write-set in its own order: removals, then rows. `ConfigError` if the participant cannot."""
    if writes.keys or writes.removals:
        if not isinstance(participant, Rewriting):
            raise ConfigError(f"system {writes.target} is only added to", remedy="Use mode: insert")
        participant.remove(writes.removals)
        for table, rows in writes.tables.items():
            if table in writes.keys:
                participant.merge(table, rows, writes.keys[table])
            else:
                participant.write(table, rows)
        return
    for table, rows in writes.tables.items():
        participant.write(table, rows)


@runtime_checkable
class CallTarget(Protocol):
    """A system that is written by calls. The adapter speaks its protocol; what to do when is the engine's."""

    def ability(self, output: str) -> Ability:
        """What the output's API can do; constant for a job."""

    def request(self, output: str, document: Mapping[str, Any], call_id: str) -> CallRequest:
        """The request for one document, marker included. Pure. Raises `UnitError` (no faults) for a document that cannot
        be written exactly (NaN, a path parameter that is NULL).
        """

    def perform(self, actions: Sequence[Action]) -> Iterator[Result]:
        """Do the actions concurrently, at most `in_flight` at a time; results come as they end, one per action.

        Never raises for what a server does. Resends by itself only where nothing happened (429, 503 with Retry-After)
        and only for a bounded time, then answers `again`.
        """

    def check(self) -> None:
        """Reach the system once, without changing it; `ConfigError` if it cannot be reached. Once per start."""

    def close(self) -> None:
        """End open connections; safe to repeat."""


@runtime_checkable
class CanSteer(Protocol):
    """A call target that can be steered while it performs. Both methods are called from another thread, and may be
    repeated.
    """

    def steer(self, pace: float | None, in_flight: int | None) -> None:
        """From now on at most `pace` requests a second leave this process (None: no limit), resent ones and look-ups
        among them, and at most `in_flight` are on their way at a time (None: as the settings say).
        """

    def halt(self) -> None:
        """Nothing leaves any more. Actions that wait to be sent end at once: a `send` as `again` or `unsent`, others as what
        tells nothing. What is on its way is waited for.
        """


@runtime_checkable
class CanGuard(Protocol):
    """A call target that asks, right before each request, whether it may still leave: a worker that slept through its lease
    must not send the rest of a wave when it wakes up.
    """

    def guard(self, may_leave: Callable[[], bool]) -> None:
        """Ask this from now on, on any thread; it answers at once. While it says no, actions that wait to be sent end as
        after `CanSteer.halt`. Called once, before the first action.
        """


@runtime_checkable
class CanTell(Protocol):
    """A call target that changes by itself how hard it calls."""

    def told(self) -> Sequence[Governed]:
        """What it has changed since it was last asked, oldest first."""


@runtime_checkable
class CanMeter(Protocol):
    """A call target that counts what passes."""

    def metered(self) -> Metered:
        """All of it so far; from any thread."""


@runtime_checkable
class CanCompare(Protocol):
    """A call target that knows what its API takes."""

    def compare(self, output: str, columns: pa.Schema) -> Sequence[Finding]:
        """What an output of these columns (all of its rows' own) lacks or has wrong (errors), and what of it the API does not
        know (warnings); nothing where the target has no description. Pure.
        """
        ...

    def described(self) -> bool:
        """Whether there is a description, and it is read without asking any system."""
