"""The contract suite of journals. Subclass it in a test module and say how a journal is opened:

class TestMine(JournalContract):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: MyJournal(tmp_path)      # over the same store, as another process would open it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import FatalError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Chunk, ChunkState
from ludb.model.unit import POSITION

CHUNK = Chunk("c1", "run-1", "move", ChunkState.CLAIMED, (0, 1), pa.table({"id": [1, 2]}), "txn-1", 3, "worker")
"""A chunk like any other."""


def writes(target: str = "billing") -> WriteSet:
    """A write-set with an empty table, a name that no file may have, exact decimals and nested rows, in writing
    order.
    """
    money = pa.array([Decimal("1.10"), None], pa.decimal128(38, 2))
    nested = pa.array([{"a": [1, 2]}, None], pa.struct([("a", pa.list_(pa.int64()))]))
    return WriteSet(
        target,
        {
            "z/first \u4e2d": pa.table({POSITION: [0, 1], "amount": money, "doc": nested}),
            "a": pa.schema([(POSITION, pa.int64()), ("x", pa.string())]).empty_table(),
        },
        keys={"a": ("x", "y")},
        removals={
            "child": Removal(pa.table({POSITION: [0, 1]}), "z", (("z_id", "id"),)),
            "z": Removal(pa.table({POSITION: [0, 1], "owner": ["ä", None]})),
        },
    )


class JournalContract:
    """What every journal promises: what was appended is read back as it was, or the run stops."""

    @pytest.fixture
    def journal(self, reopen: Callable[[], Any]) -> Any:
        """An empty journal."""
        return reopen()

    def test_a_part_is_read_back_as_it_was_by_another_process(self, journal: Any, reopen: Callable[[], Any]) -> None:
        """Values, types, empty tables and the writing order."""
        sha = journal.append(CHUNK, writes())
        journal.sync(CHUNK)
        read = reopen().read(CHUNK, "billing", sha)
        assert read.target == "billing"
        assert list(read.tables) == list(writes().tables)
        for name, table in writes().tables.items():
            assert read.tables[name].equals(table, check_metadata=True)
        assert dict(read.keys) == dict(writes().keys)
        assert list(read.removals.items()) == list(writes().removals.items())

    def test_a_write_set_without_tables_is_a_part_too(self, journal: Any) -> None:
        """A chunk of units without rows for this target is committed as well."""
        sha = journal.append(CHUNK, WriteSet("billing", {}))
        journal.sync(CHUNK)
        assert dict(journal.read(CHUNK, "billing", sha).tables) == {}

    def test_targets_of_a_chunk_have_parts_of_their_own(self, journal: Any) -> None:
        """Each participant is recovered by itself."""
        shas = {name: journal.append(CHUNK, writes(name)) for name in ("billing", "crm")}
        assert journal.read(CHUNK, "crm", shas["crm"]).target == "crm"

    def test_the_same_part_twice_is_the_same_part(self, journal: Any) -> None:
        """An append that is repeated after an error must not fail."""
        assert journal.append(CHUNK, writes()) == journal.append(CHUNK, writes())

    def test_another_part_in_its_place_stops_the_run(self, journal: Any) -> None:
        """Create-only: a decided write-set can never change under the decision."""
        sha = journal.append(CHUNK, writes())
        with pytest.raises(FatalError):
            journal.append(CHUNK, WriteSet("billing", {}))
        assert journal.read(CHUNK, "billing", sha).rows == 2

    def test_a_part_that_is_missing_or_changed_stops_the_run(self, journal: Any) -> None:
        """Recovery must never write something else than was decided."""
        journal.append(CHUNK, writes())
        with pytest.raises(FatalError):
            journal.read(CHUNK, "billing", "0" * 64)
        with pytest.raises(FatalError):
            journal.read(CHUNK, "crm", "0" * 64)

    def test_a_discarded_claim_is_gone_and_the_others_stay(self, journal: Any) -> None:
        """The next claim of the chunk has another txn and parts of its own."""
        sha = journal.append(CHUNK, writes())
        later = replace(CHUNK, txn="txn-2", seq=4)
        assert journal.append(later, writes()) == sha
        journal.discard(CHUNK)
        journal.discard(CHUNK)
        assert journal.read(later, "billing", sha).rows == 2
        with pytest.raises(FatalError):
            journal.read(CHUNK, "billing", sha)

    def test_dropping_a_run_leaves_other_runs(self, journal: Any) -> None:
        """Purge is per run."""
        sha = journal.append(CHUNK, writes())
        other = replace(CHUNK, run="run-2")
        journal.append(other, writes())
        journal.drop("run-1")
        journal.drop("run-1")
        assert journal.read(other, "billing", sha).rows == 2
        with pytest.raises(FatalError):
            journal.read(CHUNK, "billing", sha)

    def test_syncing_a_claim_without_parts_is_fine(self, journal: Any) -> None:
        """A job that only calls APIs journals no rows."""
        journal.sync(CHUNK)
