"""The contract suites of systems that can be looked at beforehand: `CanInspect` beside `TargetContract`, `CanPrice` beside
`SourceContract`, `HasRoom`, with their fixtures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import ConfigError
from ludb.ports.inspect import CanInspect, CanPrice, HasRoom
from ludb.ports.target import HasLedger
from ludb.testing.source import Load, unit_table
from ludb.testing.target import TXN, Reopen, accounts, stored


class InspectContract:
    """A look changes nothing, and says what a run would meet."""

    def test_a_target_that_is_ready_has_no_findings_and_keeps_no_trace(self, reopen: Reopen) -> None:
        """Looked at twice, by two processes, before there is a ledger; and again when there is one."""
        for _ in range(2):
            target = reopen()
            assert isinstance(target, CanInspect)
            assert list(target.inspect(["account", "charge"])) == []
            if isinstance(target, HasLedger):
                assert not target.ledger_entries()
        target.prepare_schema()
        assert list(target.inspect(["account", "charge"])) == []
        assert target.ledger("repo").num_rows == 0

    def test_rows_that_stand_there_are_a_warning_with_their_table(self, reopen: Reopen) -> None:
        """Nobody else's rows are taken for ours in silence; no value of theirs is told."""
        target: Any = reopen()
        target.prepare_schema()
        participant = target.begin(TXN)
        participant.write("account", accounts(7))
        participant.prepare()
        participant.commit()
        (found,) = reopen().inspect(["account", "charge"])
        assert (found.severity, found.table) == ("warning", "account")
        assert "n7" not in str(found)
        assert stored(target) == [7]

    def test_a_look_waits_for_nobody(self, reopen: Reopen) -> None:
        """A run that is on its way holds locks; whoever looks meanwhile sees what is committed."""
        target: Any = reopen()
        target.prepare_schema()
        participant = target.begin(TXN)
        participant.write("account", accounts(7))
        participant.prepare()
        try:
            assert list(reopen().inspect(["account"])) == []
        finally:
            participant.rollback()


class RoomContract:
    """What a target on a disk of this machine says of it (`HasRoom`)."""

    def test_the_room_is_that_of_a_folder_which_is_there(self, reopen: Reopen) -> None:
        """Also before the target has made its own."""
        target = reopen()
        assert isinstance(target, HasRoom)
        room = target.room()
        assert room is not None
        place, free = room
        assert Path(place).is_dir()
        assert free > 0


class PriceContract:
    """What a source says of its size and of look-ups; tables without any index."""

    def test_a_table_has_a_size(self, load: Load) -> None:
        """The state directory must hold about as much."""
        source: Any = load({"t": pa.table({"id": list(range(2000)), "a": ["x" * 50] * 2000})})
        assert isinstance(source, CanPrice)
        assert 0 < source.size(unit_table("t")) < 10_000_000

    def test_a_look_up_without_an_index_reads_the_table_and_names_what_would_help(self, load: Load) -> None:
        """Sources that are read once, from end to end, have no such price."""
        source: Any = load({"t": pa.table({"id": list(range(2000)), "a": ["x"] * 2000})})
        price = source.price(unit_table("t"), ["id"])
        if price is not None:
            assert price.rows > 0
            assert "CREATE INDEX" in price.remedy
            assert "id" in price.remedy

    def test_a_table_that_is_not_there_is_named(self, load: Load) -> None:
        """As everywhere."""
        source: Any = load({"t": pa.table({"id": [1]})})
        with pytest.raises(ConfigError, match="nowhere"):
            source.size(unit_table("nowhere"))
