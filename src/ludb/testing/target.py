"""The contract suites of transactional targets. Subclass them in a test module and say how the target is opened:

    class TestMine(TargetContract, ConstraintContract):
        @pytest.fixture
        def reopen(self, tmp_path):
            def reopen(): ...      # -> Target over the same store, as another process would open it
            return reopen

The store must know the tables `account` (id integer, primary key; name text, NOT NULL, unique) and `charge` (id
integer, account integer); see `ACCOUNT` and `CHARGE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import ConfigError, FatalError, UnitError
from ludb.model.data import WriteSet
from ludb.model.run import Txn
from ludb.model.unit import POSITION
from ludb.ports.target import HasLedger, Participant, Target

TXN = Txn("5b2c1f34-0000-4000-8000-000000000001", "repo", "run-1", "chunk-1", 7, (0, 1, 2))
"""A transaction like any other."""
ACCOUNT = ("id", "name")
"""The columns of table `account` that the suites write."""
CHARGE = ("id", "account")
"""The columns of table `charge` that the suites write."""

Reopen = Callable[[], Any]


def rows_for(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Rows as targets get them: (position, value, ...) under `ludb_position` and the column names."""
    held = list(rows)
    values = [[row[at] for row in held] for at in range(len(columns) + 1)]
    types = [pa.int64(), *(pa.string() if name == "name" else pa.int64() for name in columns)]
    arrays = [pa.array(column, kind) for column, kind in zip(values, types, strict=True)]
    return pa.table(arrays, names=[POSITION, *columns])


def accounts(*numbers: int) -> pa.Table:
    """One account per unit: unit 3 gets account 3, named `n3`."""
    return rows_for(ACCOUNT, [(number, number, f"n{number}") for number in numbers])


def stored(target: Any, table: str = "account") -> list[int]:
    """The ids in a table, as a reader sees them."""
    found = target.read(table)
    return sorted(int(value) for value in found.column("id").to_pylist()) if found.num_columns else []


class TargetContract:
    """What every transactional target promises: all of a chunk or nothing of it, once, whatever dies in between."""

    @pytest.fixture
    def target(self, reopen: Reopen) -> Any:
        """The target with its ledger made."""
        target = reopen()
        target.prepare_schema()
        assert isinstance(target, Target)
        return target

    def test_committed_rows_and_the_ledger_row_are_there(self, target: Any, reopen: Reopen) -> None:
        """The plain good case, seen by another process; `ludb_position` is not written."""
        participant = target.begin(TXN)
        assert isinstance(participant, Participant)
        participant.write("account", accounts(0, 1))
        participant.write("charge", rows_for(CHARGE, [(0, 5, 0)]))
        participant.prepare()
        participant.commit()
        other = reopen()
        assert stored(other) == [0, 1]
        assert POSITION not in other.read("account").column_names
        assert other.ledger("repo").to_pylist() == [{"txn": TXN.id, "seq": 7, "run": "run-1", "chunk": "chunk-1"}]
        assert other.ledger("another repository").num_rows == 0

    def test_nothing_is_visible_before_commit(self, target: Any, reopen: Reopen) -> None:
        """A reader must never see half a customer."""
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        assert stored(reopen()) == []
        assert reopen().ledger("repo").num_rows == 0
        participant.rollback()

    def test_rollback_leaves_nothing(self, target: Any) -> None:
        """Neither rows nor ledger row nor lock: the next claim writes the same rows."""
        first = target.begin(TXN)
        first.write("account", accounts(0))
        first.prepare()
        first.rollback()
        first.rollback()
        assert stored(target) == []
        assert target.ledger("repo").num_rows == 0
        second = target.begin(replace(TXN, id="another", seq=8))
        second.write("account", accounts(0))
        second.prepare()
        second.commit()
        assert stored(target) == [0]

    def test_commit_may_be_repeated_and_rollback_after_it_does_nothing(self, target: Any) -> None:
        """The engine repeats what it is not sure of."""
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        participant.commit()
        participant.commit()
        participant.rollback()
        assert stored(target) == [0]

    def test_attack_1_a_decided_chunk_is_applied_after_its_worker_died(
        self, target: Any, reopen: Reopen, crash: Callable[[Any], None]
    ) -> None:
        """Killed between decide and COMMIT: recovery writes the journaled rows, once."""
        participant = target.begin(TXN)
        participant.write("account", accounts(0, 1))
        participant.prepare()
        crash(participant)
        del participant
        other = reopen()
        writes = WriteSet("billing", {"account": accounts(0, 1)})
        applied = other.apply(TXN, writes)
        assert (applied.already, dict(applied.failed)) == (False, {})
        assert stored(other) == [0, 1]
        assert other.apply(TXN, writes).already
        assert stored(other) == [0, 1]
        assert other.ledger("repo").num_rows == 1

    def test_attack_6_apply_after_commit_says_already(self, target: Any, reopen: Reopen) -> None:
        """The worker committed before it died: applying again must not write twice."""
        participant = target.begin(TXN)
        participant.write("account", accounts(0))
        participant.prepare()
        participant.commit()
        assert reopen().apply(TXN, WriteSet("billing", {"account": accounts(0)})).already
        assert stored(target) == [0]

    def test_a_committed_transaction_cannot_begin_again(self, target: Any) -> None:
        """A txn is made anew at each claim; the same one twice is a restored or cloned repository."""
        assert not target.apply(TXN, WriteSet("billing", {"account": accounts(0)})).already
        with pytest.raises(FatalError, match=TXN.id):
            target.begin(TXN)

    def test_an_empty_write_set_still_leaves_its_ledger_row(self, target: Any) -> None:
        """Without it recovery could not tell a committed empty chunk from a lost one."""
        participant = target.begin(TXN)
        participant.write("account", accounts())
        participant.prepare()
        participant.commit()
        assert target.ledger("repo").num_rows == 1
        assert target.apply(TXN, WriteSet("billing", {"account": accounts()})).already

    def test_rows_of_several_chunks_add_up(self, target: Any) -> None:
        """Each chunk adds; none replaces."""
        for number in range(3):
            txn = replace(TXN, id=f"txn-{number}", seq=number, chunk=f"c{number}")
            participant = target.begin(txn)
            participant.write("account", accounts(number))
            participant.prepare()
            participant.commit()
        assert stored(target) == [0, 1, 2]
        assert target.ledger("repo").column("seq").to_pylist() == [0, 1, 2]

    def test_the_ledger_is_made_once(self, target: Any) -> None:
        """Every start prepares the schema; what is there stays."""
        target.apply(TXN, WriteSet("billing", {"account": accounts(0)}))
        target.prepare_schema()
        assert target.ledger("repo").num_rows == 1

    def test_a_ledger_is_counted_and_dropped_without_its_rows(self, target: Any, reopen: Reopen) -> None:
        """A DBA drops it when all is over: what was moved stays, and nothing stands in the way of another migration."""
        droppable: object = target
        if not isinstance(droppable, HasLedger):
            pytest.skip("this target's ledger is not dropped by ludb")
        target.apply(TXN, WriteSet("billing", {"account": accounts(0)}))
        target.apply(replace(TXN, id="foreign", repository="other"), WriteSet("billing", {"account": accounts(1)}))
        assert target.ledger_entries() == {"other": 1, "repo": 1}
        target.drop_ledger()
        target.drop_ledger()
        other = reopen()
        assert (stored(other), other.ledger_entries(), other.ledger("repo").num_rows) == ([0, 1], {}, 0)
        other.prepare_schema()
        other.apply(replace(TXN, id="next"), WriteSet("billing", {"account": accounts(2)}))
        assert other.ledger_entries() == {"repo": 1}
        assert "ludb" in other.ledger_ddl()

    def test_closing_twice_is_fine(self, target: Any) -> None:
        """Every adapter is closed at the end, whatever happened before."""
        target.close()
        target.close()

    @pytest.fixture
    def crash(self) -> Callable[[Any], None]:
        """How a participant's process dies; by default the object is merely dropped, as its connection is with it."""
        return lambda _: None


class ConstraintContract:
    """What targets with constraints promise: exactly the bad units are named, and the good ones go on."""

    @pytest.fixture
    def target(self, reopen: Reopen) -> Any:
        """The target with its ledger made, and account 100 named `taken` in it."""
        target = reopen()
        target.prepare_schema()
        target.apply(replace(TXN, id="earlier", seq=1), WriteSet("billing", {"account": self.unit(9, 100, "taken")}))
        return target

    @staticmethod
    def unit(position: int, number: int, name: str | None) -> pa.Table:
        """One account of one unit."""
        return rows_for(ACCOUNT, [(position, number, name)])

    def test_case_59_the_one_bad_unit_of_ten_thousand_is_named(self, target: Any) -> None:
        """With its reason, and without its values in the reason."""
        rows = [(at, at + 1000, "taken" if at == 6789 else f"n{at}") for at in range(10_000)]
        participant = target.begin(replace(TXN, positions=tuple(range(10_000))))
        with pytest.raises(UnitError) as caught:
            _write_and_prepare(participant, rows_for(ACCOUNT, rows))
        participant.rollback()
        assert list(caught.value.faults) == [6789]
        fault = caught.value.faults[6789]
        assert "account" in fault.reason
        assert "name" in fault.reason
        assert "taken" not in fault.reason
        assert "7789" in fault.detail

    def test_all_bad_units_are_named_at_once(self, target: Any) -> None:
        """A taken name, a missing name, and the second of two equal ids."""
        rows = [(0, 1, "taken"), (1, 2, None), (2, 3, "c"), (3, 3, "d"), (4, 4, "e")]
        participant = target.begin(TXN)
        with pytest.raises(UnitError) as caught:
            _write_and_prepare(participant, rows_for(ACCOUNT, rows))
        participant.rollback()
        assert sorted(caught.value.faults) == [0, 1, 3]

    def test_a_unit_is_not_blamed_for_sharing_a_key_with_a_bad_one(self, target: Any) -> None:
        """Unit 0 falls by its second row, so the id of its first row is free for unit 1."""
        participant = target.begin(TXN)
        with pytest.raises(UnitError) as caught:
            _write_and_prepare(participant, rows_for(ACCOUNT, [(0, 1, "a"), (0, 2, "taken"), (1, 1, "b")]))
        participant.rollback()
        assert list(caught.value.faults) == [0]

    def test_recovery_leaves_out_units_that_no_longer_fit(self, target: Any, reopen: Reopen) -> None:
        """Somebody took the name after the decision: that unit is reported, the other is committed, whole."""
        writes = WriteSet(
            "billing",
            {
                "account": rows_for(ACCOUNT, [(0, 1, "free"), (1, 2, "taken")]),
                "charge": rows_for(CHARGE, [(0, 50, 1), (1, 51, 2), (1, 52, 2)]),
            },
        )
        applied = target.apply(TXN, writes)
        assert not applied.already
        assert list(applied.failed) == [1]
        assert stored(reopen()) == [1, 100]
        assert stored(reopen(), "charge") == [50]
        again = target.apply(TXN, writes)
        assert again.already
        assert list(again.failed) == [1]  # recovery may be killed before it has said so
        assert stored(reopen(), "charge") == [50]

    def test_an_unknown_column_is_a_mistake_of_the_job(self, target: Any) -> None:
        """No data could make it work, so nobody is quarantined for it."""
        participant = target.begin(TXN)
        with pytest.raises(ConfigError, match="nope") as caught:
            participant.write("account", pa.table({POSITION: [0], "nope": [1]}))
        participant.rollback()
        assert "name" in str(caught.value)

    def test_an_unknown_table_is_named_together_with_those_that_exist(self, target: Any) -> None:
        """A typing error in a file name must be mended in one look."""
        with pytest.raises(ConfigError, match="acount") as caught:
            target.columns("acount")
        assert "charge" in str(caught.value)

    def test_columns_tell_what_must_be_filled(self, target: Any) -> None:
        """`ludb check` compares steps with this."""
        columns = {column.name: column for column in target.columns("account")}
        assert columns["name"].required
        assert list(columns)[:2] == ["id", "name"]


def _write_and_prepare(participant: Any, rows: pa.Table) -> None:
    """Constraints may speak at either."""
    participant.write("account", rows)
    participant.prepare()
