"""Both built-in repositories keep the same promises."""

from __future__ import annotations

import pytest

from ludb.repositories.memory import MemoryRepository
from ludb.repositories.sqlite import SqliteRepository
from ludb.testing.repository import RepositoryContract


class TestMemory(RepositoryContract):
    @pytest.fixture
    def repository(self, clock):
        repository = MemoryRepository(clock=clock)
        yield repository
        repository.close()


class TestSqlite(RepositoryContract):
    @pytest.fixture
    def repository(self, clock, tmp_path):
        repository = SqliteRepository(f"sqlite:///{tmp_path}/repository.sqlite", clock=clock)
        yield repository
        repository.close()
