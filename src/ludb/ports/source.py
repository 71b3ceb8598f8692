"""Where rows come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from ludb.model.shape import TableShape
from ludb.model.unit import Column, Fetched, KeySet, Pairs, UnitTable


@runtime_checkable
class Source(Protocol):
    """A system that can be read. Every method may be repeated. Driver errors arrive as `TransientError` (the server is
    away, a lock) or `ConfigError` (no such table, no right); nothing else leaves an adapter.
    """

    def columns(self, table: UnitTable) -> Sequence[Column]:
        """The table's columns in their order, each with the way it is carried; called once per table and process.

        `table.types` overrides how a column is carried. Raises `ConfigError` if the table does not exist.
        """

    def keys(self, table: UnitTable, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The unit keys in the source's own order (PROTOCOL R11), streamed, columns named as `columns`.

        The order is total and repeatable while the source stands still. NULL and duplicate keys are handed over as they
        are: the planner names them.
        """

    def scan(self, table: UnitTable, columns: Sequence[str] | None = None) -> Iterator[Fetched]:
        """The whole table, streamed; `columns` narrows it. No `ludb_match_` columns; `Refusal.match` is empty,
        `row_id` names the row for people, and `row` is its place in `Fetched.rows`.
        """

    def close(self) -> None:
        """Let go of connections; safe to repeat."""


@runtime_checkable
class CanFetch(Protocol):
    """A source that can look rows up by key. Sources that cannot are staged first (files, topics)."""

    def snapshot(self) -> AbstractContextManager[None]:
        """One consistent read-only view for all `fetch` calls inside it: entered once per chunk."""

    def fetch(self, path: Sequence[UnitTable], by: KeySet) -> Fetched:
        """Rows of `path[-1]` that the links of `path` lead to from those rows of `path[0]` whose `by.columns` equal a key
        of `by.values`.

        Each row comes once per distinct matched key, with `ludb_match_<i>`: the values of `path[0]`'s `by.columns` as
        `path[0]` stores them. The caller compares those by bytes, so a match by collation may be returned. Row order is
        the table's own.
        """

    def orphans(self, path: Sequence[UnitTable]) -> pa.Table:
        """Rows of `path[-1]` that no chain of links leads to from `path[0]`: columns `row_id` (text), `missing` (the
        link value as text, null if NULL) and `direct` (true if the very parent is missing).
        """

    def count(self, table: UnitTable) -> int:
        """How many rows the table has."""


@runtime_checkable
class ReadsOnce(Protocol):
    """A source that can only be read from end to end, at a price: it is always staged as a take, whatever the job says."""

    def gather(self, tables: Sequence[str], folder: Path, before: Path | None) -> Sequence[str]:
        """Read all that these tables are made of, once, and keep it in `folder`; `columns`, `keys` and `scan` answer from it
        from then on. `before` is the folder of the take before, None without one: what has not changed since may be taken
        from it. Returns what a person should know of the reading, one sentence each.
        """


@runtime_checkable
class CanFilter(Protocol):
    """A source with an SQL of its own, for conditions that a person types."""

    def keys_where(self, table: UnitTable, columns: Sequence[str], where: str) -> Iterator[pa.Table]:
        """The keys of rows that meet the condition, as `keys` hands them over, in any order. `where` names columns bare or
        behind the table's name. Raises `ConfigError` with what the system says of a condition that it does not understand.
        """


@runtime_checkable
class CanFold(Protocol):
    """A source that takes some texts for equal whose bytes differ: by a collation, or by blanks at their end."""

    def folded(self, child: UnitTable, parent: UnitTable, on: Pairs) -> int:
        """How many pairs of rows the link `on` joins though a text in it differs in its bytes; 0, without reading a table,
        where the columns cannot hold such texts. Inside or outside of a snapshot.
        """


@runtime_checkable
class CanReflect(Protocol):
    """A source that knows its own tables: `ludb init` proposes a unit from them."""

    def tables(self) -> Sequence[TableShape]:
        """Every table and view that can be read, in name order, with columns as `Source.columns` gives them without
        `types`, keys, and foreign keys between these tables. Row counts may be estimates; those of views may be None.
        """
