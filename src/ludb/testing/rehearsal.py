"""The contract suite of targets that can rehearse (`CanRehearse`); used beside `TargetContract`, with its `reopen`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import UnitError
from ludb.ports.target import CanRehearse, Participant
from ludb.testing.target import ACCOUNT, TXN, Reopen, accounts, rows_for, stored


class RehearsalContract:
    """Everything is tried and nothing is left, not even what a real run would leave of its own."""

    def test_a_rehearsal_leaves_no_trace_however_it_ends(self, reopen: Reopen, tmp_path: Path) -> None:
        """No ledger, no folder, no byte: `prepare_schema` was never called."""
        target = self._opened(reopen)
        before = _bytes(tmp_path)
        for ending in ("commit", "rollback", "both", "early"):
            participant = target.rehearse(TXN)
            assert isinstance(participant, Participant)
            participant.write("account", accounts(0, 1))
            if ending != "early":
                participant.prepare()
            if ending in {"commit", "both"}:
                participant.commit()
                participant.commit()
            if ending != "commit":
                participant.rollback()
        target.close()
        assert _bytes(tmp_path) == before

    def test_the_real_run_afterwards_finds_everything_free(self, reopen: Reopen) -> None:
        """Neither a lock nor a key is held, and the same transaction may begin."""
        target = self._opened(reopen)
        rehearsal = target.rehearse(TXN)
        rehearsal.write("account", accounts(0))
        rehearsal.prepare()
        rehearsal.commit()
        target.prepare_schema()
        assert target.ledger("repo").num_rows == 0
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        participant.commit()
        assert stored(target) == [0]

    @staticmethod
    def _opened(reopen: Reopen) -> Any:
        target = reopen()
        assert isinstance(target, CanRehearse)
        return target


class RehearsedConstraintContract:
    """A rehearsal hears what the real thing would hear."""

    def test_a_rehearsal_names_the_units_that_would_be_refused(self, reopen: Reopen) -> None:
        """A missing name, and the second of two equal ids; nothing is there afterwards."""
        target = reopen()
        participant = target.rehearse(TXN)
        with pytest.raises(UnitError) as caught:
            self._tried(participant, rows_for(ACCOUNT, [(0, 1, "a"), (1, 2, None), (2, 1, "b")]))
        participant.rollback()
        assert sorted(caught.value.faults) == [1, 2]
        assert stored(target) == []

    @staticmethod
    def _tried(participant: Participant, rows: pa.Table) -> None:
        """Constraints may speak at either."""
        participant.write("account", rows)
        participant.prepare()


def _bytes(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with its content."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}
