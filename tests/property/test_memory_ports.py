"""The in-memory source and journal keep the promises of their ports, so that what is proved over them holds elsewhere."""

from __future__ import annotations

import pytest

from ludb.errors import FatalError
from ludb.testing.journal import CHUNK, JournalContract, writes
from ludb.testing.memory_journal import MemoryJournal, MemoryParts
from ludb.testing.memory_source import MemorySource
from ludb.testing.source import FetchContract, SourceContract, unit_table


class TestMemorySource(SourceContract, FetchContract):
    @pytest.fixture
    def load(self):
        return lambda tables: MemorySource("legacy", tables)

    def test_an_edited_table_is_seen_at_the_next_look(self, load):
        import pyarrow as pa

        tables = {"t": pa.table({"id": [1]})}
        source = load(tables)
        tables["t"] = pa.table({"id": [1, 2]})
        assert source.count(unit_table("t")) == 2


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def store(self):
        return MemoryParts()

    @pytest.fixture
    def reopen(self, store):
        return lambda: MemoryJournal(store)

    def test_what_was_not_synced_dies_with_its_host(self, journal, store):
        """A journal that is only written would pass every test that kills a process, and lose a customer with the host."""
        sha = journal.append(CHUNK, writes())
        assert not store.durable(CHUNK.run, CHUNK.id, CHUNK.txn, "billing", sha)
        store.lose_power("somebody else")
        assert journal.read(CHUNK, "billing", sha).rows == 2
        store.lose_power(CHUNK.owner)
        with pytest.raises(FatalError, match="missing"):
            journal.read(CHUNK, "billing", sha)

    def test_what_was_synced_survives(self, journal, store):
        sha = journal.append(CHUNK, writes())
        journal.sync(CHUNK)
        store.lose_power()
        assert store.durable(CHUNK.run, CHUNK.id, CHUNK.txn, "billing", sha)
        assert journal.read(CHUNK, "billing", sha).rows == 2
