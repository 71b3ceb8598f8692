"""The contract suite of targets that can write over what is there (`CanRewrite`): `upsert`, `replace_unit`, their recovery.

    class TestMine(ModesContract):
        @pytest.fixture
        def reopen(self, tmp_path):
            def reopen(): ...      # -> Target over the same store, as another process would open it
            return reopen

The store must know the tables `holder` (id integer, primary key; owner text, whose collation takes A for a; name, note
text; main_item integer, a foreign key to `item`), `item` (id integer, primary key; holder integer, a foreign key to
`holder`; label text), `person` (email text, primary key, whose collation takes A for a; name text) and `seat` (id
integer, primary key; code integer, NOT NULL, unique). The two foreign keys form a circle, which must not be in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import ConfigError, UnitError
from ludb.model.data import Removal, WriteSet
from ludb.model.run import Txn
from ludb.model.unit import POSITION
from ludb.ports.target import CanRehearse, CanRewrite, Rewriting, write_all
from ludb.testing.target import TXN

HOLDER = ("id", "owner", "name", "main_item")
"""The columns of table `holder` that the suite writes; `note` stays out."""
ITEM = ("id", "holder", "label")
"""The columns of table `item`."""
PERSON = ("email", "name")
"""The columns of table `person`."""
_NUMBERS = frozenset({"id", "holder", "main_item", "code"})

Reopen = Callable[[], Any]


def filled(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> pa.Table:
    """Rows (position, value, ...) as targets get them."""
    held = list(rows)
    kinds = [pa.int64(), *(pa.int64() if name in _NUMBERS else pa.string() for name in columns)]
    arrays = [pa.array([row[at] for row in held], kind) for at, kind in enumerate(kinds)]
    return pa.table(arrays, names=[POSITION, *columns])


def upsert(holders: Iterable[tuple[Any, ...]] = (), people: Iterable[tuple[Any, ...]] = ()) -> WriteSet:
    """Rows merged by their primary keys."""
    tables = {"holder": filled(HOLDER, holders), "person": filled(PERSON, people)}
    kept = {name: rows for name, rows in tables.items() if rows.num_rows}
    return WriteSet("billing", kept, {"holder": ("id",), "person": ("email",)})


def replacing(
    owners: dict[int, str], holders: Iterable[tuple[Any, ...]] = (), items: Iterable[tuple[Any, ...]] = ()
) -> WriteSet:
    """Rows in place of all that the units had: holders by their owner, items by the holder that they lead to."""
    positions = pa.array(list(owners), pa.int64())
    removals = {
        "item": Removal(pa.table({POSITION: positions}), "holder", (("holder", "id"),)),
        "holder": Removal(pa.table({POSITION: positions, "owner": pa.array(list(owners.values()))})),
    }
    return WriteSet("billing", {"holder": filled(HOLDER, holders), "item": filled(ITEM, items)}, {}, removals)


def written(target: Any, writes: WriteSet, txn: Txn = TXN) -> None:
    """Write and commit."""
    participant = target.begin(txn)
    write_all(participant, writes)
    participant.prepare()
    participant.commit()


def refused(participant: Any, writes: WriteSet) -> dict[int, Any]:
    """The units that are refused when this is written; nothing stays."""
    with pytest.raises(UnitError) as caught:
        _prepared(participant, writes)
    participant.rollback()
    return dict(caught.value.faults)


def _prepared(participant: Any, writes: WriteSet) -> None:
    write_all(participant, writes)
    participant.prepare()


class ModesContract:
    """What targets that write over promise: the right row and no other, a unit's rows and nobody else's, once."""

    points = True
    """Whether the store minds its foreign keys."""

    @pytest.fixture
    def target(self, reopen: Reopen) -> Any:
        """Units 0 and 1 as an earlier run left them, and a stranger whose owner differs from unit 0's in case only."""
        target = reopen()
        target.prepare_schema()
        assert isinstance(target, CanRewrite)
        before = WriteSet("billing", {
            "holder": filled((*HOLDER, "note"), [
                (0, 1, "ann", "Ann", 11, "kept"), (1, 2, "bob", "Bob", 21, "kept"), (7, 9, "ANN", "Other", None, "kept"),
            ]),
            "item": filled(ITEM, [(0, 11, 1, "a"), (0, 12, 1, "b"), (1, 21, 2, "c"), (7, 91, 9, "z")]),
            "person": filled(PERSON, [(0, "ann@x", "Ann")]),
        })  # fmt: skip
        written(target, before, replace(TXN, id="earlier", seq=1))
        return target

    @pytest.fixture
    def crash(self) -> Callable[[Any], None]:
        """How a participant's process dies; by default the object is merely dropped."""
        return lambda _: None

    def test_an_upsert_updates_what_is_there_and_inserts_the_rest(self, target: Any, reopen: Reopen) -> None:
        """Columns that the step does not write stay as they are; so do all other rows."""
        before = self.rows(target)
        written(target, upsert([(0, 1, "ann", "New", 12), (2, 3, "cid", "Cid", None)], [(0, "ann@x", "New")]))
        after = self.rows(reopen())
        assert after["holder"] == sorted(
            [(1, "ann", "New", 12, "kept"), (3, "cid", "Cid", None, None), *(r for r in before["holder"] if r[0] != 1)]
        )
        assert after["person"] == [("ann@x", "New")]
        assert after["item"] == before["item"]

    def test_an_upsert_of_nothing_but_the_key_changes_nothing(self, target: Any) -> None:
        """A table of bare keys is a table too."""
        before = self.rows(target)
        written(target, WriteSet("billing", {"item": filled(("id",), [(0, 11)])}, {"item": ("id",)}) if not self.points
                else WriteSet("billing", {"item": filled(ITEM, [(0, 11, 1, "a")])}, {"item": ("id",)}))  # fmt: skip
        assert self.rows(target) == before

    def test_an_upsert_that_is_rolled_back_leaves_the_row_as_it_was(self, target: Any) -> None:
        """A quarantined unit changes nothing."""
        before = self.rows(target)
        for writes in (upsert([(0, 1, "ann", "New", None)]), replacing({0: "ann", 1: "bob"})):
            participant = target.begin(replace(TXN, id=f"txn-{len(writes.removals)}"))
            assert isinstance(participant, Rewriting)
            write_all(participant, writes)
            participant.prepare()
            participant.rollback()
            assert self.rows(target) == before

    def test_two_units_with_one_key_are_both_refused(self, target: Any) -> None:
        """The second would silently become the first; who is right is not for a database to say."""
        writes = upsert([(0, 5, "a", "A", None), (1, 5, "b", "B", None), (2, 6, "c", "C", None)])
        faults = refused(target.begin(TXN), writes)
        assert sorted(faults) == [0, 1]
        assert "[0, 1]" in faults[0].detail

    def test_a_null_in_a_key_is_refused(self, target: Any) -> None:
        """It equals nothing, so every run would add a row."""
        assert sorted(refused(target.begin(TXN), upsert(people=[(0, None, "A"), (1, "b@x", "B")]))) == [0]

    def test_cases_39_and_40_a_key_that_differs_in_case_merges_nobody(self, target: Any) -> None:
        """The database takes ANN@X for ann@x: the unit is refused, both keys are named, and the other unit goes on."""
        before = self.rows(target)
        faults = refused(target.begin(TXN), upsert(people=[(0, "ANN@X", "Somebody"), (1, "b@x", "B")]))
        assert sorted(faults) == [0]
        assert "ANN@X" in faults[0].detail
        assert "ann@x" in faults[0].detail
        assert "x" not in faults[0].reason.partition("person")[2].replace("other", "").split("key", maxsplit=1)[0]
        assert self.rows(target) == before

    def test_two_keys_of_one_chunk_that_differ_in_case_merge_nobody(self, target: Any) -> None:
        """At least one of the units is refused, and what is left is exact."""
        people = [(3, "New@x", "One"), (4, "nEW@x", "Two"), (5, "e@x", "Three")]
        faults = refused(target.begin(TXN), upsert(people=people))
        assert faults.keys() <= {3, 4}
        left = [row for row in people if row[0] not in faults]
        written(target, upsert(people=left), replace(TXN, id="again"))
        assert self.rows(target)["person"] == sorted([("ann@x", "Ann"), *((row[1], row[2]) for row in left)])

    @pytest.mark.parametrize("key", ["id", "code"])
    def test_an_upsert_minds_every_unique_key_but_follows_its_own(self, target: Any, key: str) -> None:
        """The row of another unique key must not be updated in place of the one that the key names."""
        columns = ("id", "code")
        there = WriteSet("billing", {"seat": filled(columns, [(7, 1, 10), (7, 2, 20), (7, 3, 30)])})
        written(target, there, replace(TXN, id="seats", seq=2))
        rows = [(0, 1, 20), (1, 4, 40)] if key == "id" else [(0, 2, 10), (1, 4, 40)]
        faults = refused(target.begin(TXN), WriteSet("billing", {"seat": filled(columns, rows)}, {"seat": (key,)}))
        assert sorted(faults) == [0]
        good = [(0, 1, 11)] if key == "id" else [(0, 5, 10)]
        written(target, WriteSet("billing", {"seat": filled(columns, good)}, {"seat": (key,)}))
        found = sorted(tuple(row.values()) for row in target.read("seat").to_pylist())
        assert found == sorted([(1, 11) if key == "id" else (5, 10), (2, 20), (3, 30)])

    def test_replacing_takes_all_old_rows_of_the_units_and_no_other(self, target: Any, reopen: Reopen) -> None:
        """Unit 1 has no rows any more: its old ones go. The stranger whose owner differs in case stays."""
        written(target, replacing({0: "ann", 1: "bob"}, [(0, 1, "ann", "Ann", 13)], [(0, 13, 1, "new")]))
        after = self.rows(reopen())
        assert after["holder"] == [(1, "ann", "Ann", 13, None), (9, "ANN", "Other", None, "kept")]
        assert after["item"] == [(13, 1, "new"), (91, 9, "z")]

    def test_a_row_that_others_still_point_to_cannot_go(self, target: Any) -> None:
        """Somebody else's item leads to the holder of unit 1: only that unit is refused."""
        if not self.points:
            pytest.skip("this store minds no foreign keys")
        other = WriteSet("billing", {"holder": filled(HOLDER, [(8, 8, "cid", "Cid", 21)])})
        written(target, other, replace(TXN, id="other", seq=2))
        faults = refused(target.begin(TXN), replacing({0: "ann", 1: "bob"}, [(0, 1, "ann", "Ann", None)]))
        assert sorted(faults) == [1]

    @pytest.mark.parametrize("mode", ["insert", "upsert", "replace"])
    def test_a_circle_of_foreign_keys_is_written_in_every_mode(self, target: Any, mode: str) -> None:
        """A holder leads to its main item, which leads to the holder."""
        tables = {"holder": filled(HOLDER, [(2, 3, "cid", "Cid", 31)]), "item": filled(ITEM, [(2, 31, 3, "x")])}
        ordered = {name: tables[name] for name in target.order(["holder", "item"])}
        writes = WriteSet("billing", ordered)
        if mode == "upsert":
            writes = replace(writes, keys={"holder": ("id",), "item": ("id",)})
        if mode == "replace":
            writes = replace(writes, removals=replacing({2: "cid"}).removals)
        for number in range(1 if mode == "insert" else 3):
            written(target, writes, replace(TXN, id=f"txn-{number}", seq=7 + number))
        after = self.rows(target)
        assert (3, "cid", "Cid", 31, None) in after["holder"]
        assert (31, 3, "x") in after["item"]

    def test_a_circle_that_leads_nowhere_is_refused(self, target: Any) -> None:
        """Keys that were put off are looked at before the decision."""
        if not self.points:
            pytest.skip("this store minds no foreign keys")
        faults = refused(target.begin(TXN), upsert([(2, 3, "cid", "Cid", 777), (3, 4, "dan", "Dan", None)]))
        assert sorted(faults) == [2]

    @pytest.mark.parametrize("mode", ["upsert", "replace"])
    def test_a_chunk_killed_between_decide_and_commit_is_applied_once(
        self, target: Any, reopen: Reopen, crash: Callable[[Any], None], mode: str
    ) -> None:
        """The journaled write-set does what the transaction would have done, and may be applied again."""
        writes = self.decided(mode)
        participant = target.begin(TXN)
        write_all(participant, writes)
        participant.prepare()
        crash(participant)
        del participant
        other = reopen()
        applied = other.apply(TXN, writes)
        assert (applied.already, dict(applied.failed)) == (False, {})
        after = self.rows(other)
        assert [row[:4] for row in after["holder"] if row[0] == 1] == [(1, "ann", "New", None)]
        assert other.apply(TXN, writes).already
        assert self.rows(other) == after

    @pytest.mark.parametrize("mode", ["upsert", "replace"])
    def test_recovery_that_meets_rows_of_somebody_else_does_what_was_decided(self, target: Any, mode: str) -> None:
        """As if they had been written before the chunk: an upsert updates them, replacing takes them away."""
        meanwhile = upsert([(5, 3, "ann", "Meanwhile", None), (5, 1, "ann", "Changed", None)])
        written(target, meanwhile, replace(TXN, id="meanwhile", seq=2))
        writes = self.decided(mode)
        assert not dict(target.apply(TXN, writes).failed)
        holders = {row[0]: row[2] for row in self.rows(target)["holder"]}
        expected = {1: "New", 2: "Bob", 9: "Other", 3: "Meanwhile"} if mode == "upsert" else {1: "New", 9: "Other"}
        assert holders == expected

    def test_recovery_leaves_out_a_unit_whose_key_is_taken_meanwhile(self, target: Any, reopen: Reopen) -> None:
        """Its key is now that of another row but for its case: in doubt, by name; the others are applied."""
        writes = upsert([(0, 1, "ann", "New", None)], [(0, "ann@x", "New"), (1, "ANN@x", "B"), (2, "c@x", "C")])
        applied = target.apply(TXN, writes)
        assert list(applied.failed) == [1]
        assert self.rows(reopen())["person"] == [("ann@x", "New"), ("c@x", "C")]
        again = target.apply(TXN, writes)
        assert (again.already, list(again.failed)) == (True, [1])

    def test_recovery_never_merges_two_units(self, target: Any) -> None:
        """Even if a journal held them: both are left out."""
        applied = target.apply(TXN, upsert([(0, 5, "a", "A", None), (1, 5, "b", "B", None), (2, 6, "c", "C", None)]))
        assert sorted(applied.failed) == [0, 1]
        assert [row[0] for row in self.rows(target)["holder"]] == [1, 2, 6, 9]

    @pytest.mark.parametrize("mode", ["upsert", "replace"])
    def test_a_rehearsal_hears_everything_and_changes_nothing(self, target: Any, mode: str) -> None:
        """A dry run of a job that writes over must not write over."""
        if not isinstance(target, CanRehearse):
            pytest.skip("this target cannot rehearse")
        before = self.rows(target)
        participant = target.rehearse(TXN)
        write_all(participant, self.decided(mode))
        participant.prepare()
        participant.commit()
        assert self.rows(target) == before
        assert sorted(refused(target.rehearse(TXN), upsert(people=[(0, "ANN@x", "N"), (1, None, "B")]))) in (
            [0, 1],
            [1],
        )

    def test_what_cannot_work_is_refused_before_any_unit_moves(self, target: Any) -> None:
        """A key without a unique constraint, and columns that are not there."""
        target.check_merge("holder", ("id",), HOLDER)
        target.check_removal("holder", ("owner",), ["holder", "item"])
        with pytest.raises(ConfigError, match="unique"):
            target.check_merge("holder", ("name",), HOLDER)
        with pytest.raises(ConfigError, match="nope"):
            target.check_removal("holder", ("nope",), ["holder"])

    @staticmethod
    def decided(mode: str) -> WriteSet:
        """A write-set of two units, in this mode."""
        if mode == "upsert":
            return upsert([(0, 1, "ann", "New", None)], [(1, "b@x", "B")])
        return replacing({0: "ann", 1: "bob"}, [(0, 1, "ann", "New", None)], [(0, 11, 1, "again")])

    @staticmethod
    def rows(target: Any) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the three tables."""
        columns = {"holder": (*HOLDER, "note"), "item": ITEM, "person": PERSON}
        return {
            table: sorted((tuple(row[name] for name in names) for row in target.read(table).to_pylist()), key=repr)
            for table, names in columns.items()
        }
