"""A journal in memory that knows the difference between written and durable: what was not synced dies with its host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pyarrow as pa

from ludb.errors import FatalError
from ludb.model.data import WriteSet
from ludb.model.run import Chunk

PartKey = tuple[str, str, str, str]
"""(run, chunk, txn, target)."""


@dataclass(slots=True)
class Part:
    """One target's write-set of one claim; `owner` is whose host still holds it unsynced."""

    writes: WriteSet
    sha: str
    owner: str
    synced: bool = False


@dataclass(slots=True)
class MemoryParts:
    """What survives a crash: the parts of all claims. Any number of journals share it, as processes share a disk."""

    parts: dict[PartKey, Part] = field(default_factory=dict)

    def lose_power(self, owner: str | None = None) -> None:
        """The host of this owner (of everybody, if None) goes down: its parts that nobody synced are gone."""
        for key, part in list(self.parts.items()):
            if not part.synced and owner in {None, part.owner}:
                del self.parts[key]

    def durable(self, run: str, chunk: str, txn: str, target: str, sha: str) -> bool:
        """Whether this very part survives whatever happens."""
        part = self.parts.get((run, chunk, txn, target))
        return part is not None and part.synced and part.sha == sha


class MemoryJournal:
    """A `Journal` over `MemoryParts`. Write-sets are immutable, so they are kept as they are."""

    def __init__(self, store: MemoryParts) -> None:
        """Nothing of the store is changed."""
        self._store = store

    def append(self, chunk: Chunk, writes: WriteSet) -> str:
        """Keep a part; the same part again is the same part, another one is a `FatalError`."""
        key, sha = _key(chunk, writes.target), _sha256(writes)
        known = self._store.parts.get(key)
        if known is None:
            self._store.parts[key] = Part(writes, sha, chunk.owner)
        elif known.sha != sha:
            raise FatalError(
                f"journal: the part of {writes.target} in {chunk.txn} is there already, with other content"
            )
        return sha

    def sync(self, chunk: Chunk) -> None:
        """Make the claim's parts durable."""
        for key, part in self._store.parts.items():
            if key[:3] == _key(chunk, "")[:3]:
                part.synced = True

    def read(self, chunk: Chunk, target: str, sha: str) -> WriteSet:
        """The part; `FatalError` if it is missing or not the one of `sha`."""
        part = self._store.parts.get(_key(chunk, target))
        if part is None:
            raise FatalError(f"journal: the part of {target} in {chunk.txn} is missing, and its chunk was decided")
        if part.sha != sha:
            raise FatalError(f"journal: the part of {target} in {chunk.txn} has another sha256 than the decision says")
        return part.writes

    def discard(self, chunk: Chunk) -> None:
        """Forget the parts of the chunk's present txn, if any."""
        self._forget(_key(chunk, "")[:3])

    def drop(self, run: str) -> None:
        """Forget the run's parts, if any."""
        self._forget((run,))

    def _forget(self, start: tuple[str, ...]) -> None:
        for key in [key for key in self._store.parts if key[: len(start)] == start]:
            del self._store.parts[key]


def _key(chunk: Chunk, target: str) -> PartKey:
    return chunk.run, chunk.id, chunk.txn, target


def _sha256(writes: WriteSet) -> str:
    digest = hashlib.sha256(writes.target.encode())
    links = {name: (removal.parent, removal.through) for name, removal in writes.removals.items()}
    digest.update(repr((dict(writes.keys), links)).encode())
    for name, table in [*((name, one.units) for name, one in writes.removals.items()), *writes.tables.items()]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        digest.update(name.encode() + b"\0")
        digest.update(sink.getvalue())
    return digest.hexdigest()
