"""The contract suite of job repositories: what every adapter of `ludb.repositories` proves before it is trusted.

Subclass `RepositoryContract` in a test module and give it a fixture `repository` that opens an empty one with the
clock it is handed:

    class TestMine(RepositoryContract):
        @pytest.fixture
        def repository(self, clock):
            repository = MyRepository(url, clock=clock)
            yield repository
            repository.close()
"""

from __future__ import annotations

import pytest

from ludb.testing.repository_access import AccessContract, TasksContract
from ludb.testing.repository_calls import CallsContract, KeyMapContract
from ludb.testing.repository_claims import ClaimsContract
from ludb.testing.repository_counters import CountersContract
from ludb.testing.repository_doubts import DoubtsContract
from ludb.testing.repository_evidence import EvidenceContract, RetentionContract
from ludb.testing.repository_figures import FiguresContract
from ludb.testing.repository_outcomes import OutcomesContract
from ludb.testing.repository_pages import PagesContract
from ludb.testing.repository_people import PeopleContract
from ludb.testing.repository_recovery import RecoveryContract
from ludb.testing.repository_runs import RunsContract
from ludb.testing.repository_world import ManualClock


class RepositoryContract(
    RunsContract,
    ClaimsContract,
    OutcomesContract,
    CountersContract,
    CallsContract,
    KeyMapContract,
    PeopleContract,
    EvidenceContract,
    FiguresContract,
    RetentionContract,
    RecoveryContract,
    DoubtsContract,
    AccessContract,
    TasksContract,
    PagesContract,
):
    """All promises of the repository ports, as tests: `repository`, `views`, `evidence`, `retention`, `recovery`, `doubts`,
    `access`, `tasks`, `pages`.
    """

    @pytest.fixture
    def clock(self) -> ManualClock:
        """The clock that the repository under test must use."""
        return ManualClock()
