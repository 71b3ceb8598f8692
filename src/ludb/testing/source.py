"""The contract suites of sources. Subclass them in a test module and say how a source with given tables is made:

class TestMine(SourceContract, FetchContract, FilterContract):
    @pytest.fixture
    def load(self, tmp_path):
        def load(tables): ...   # Mapping[str, pa.Table] -> Source, system name "legacy"
        return load
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
import pytest

from ludb.errors import ConfigError
from ludb.model.unit import KeySet, TableRef, UnitTable
from ludb.ports.source import CanFetch, CanFilter, Source

Load = Callable[[Mapping[str, pa.Table]], Any]
"""Makes a source that holds these tables."""

TRICKY = [
    "\U0001f468\u200d\U0001f469\u200d\U0001f466",
    "e\u0301 \u00e9",
    "\u03b1\u03b2",
    "\u4e2d\u6587",
    "\\",
    "'); DROP",
    'a"b',
    "x\ny",
]
"""Texts of FIDELITY cases 18 and 50: they arrive with every code point and every backslash."""


def unit_table(name: str, parent: str | None = None, **links: Any) -> UnitTable:
    """A unit table over the source table of the same name; `on` and the like go through `links`."""
    return UnitTable(name, TableRef("legacy", links.pop("table", name)), parent, **links)


def keyset(values: Iterable[object], column: str = "id") -> KeySet:
    """Keys of one column."""
    return KeySet((column,), pa.table({column: list(values)}))


class SourceContract:
    """What every source promises: order, types, nothing lost, clear errors."""

    def test_keys_come_in_full_and_twice_the_same(self, load: Load) -> None:
        """A resumed planning would otherwise freeze another unit list."""
        source: Source = load({"t": pa.table({"id": [3, 1, 2], "a": ["x", "y", "z"]})})
        first = pa.concat_tables(source.keys(unit_table("t"), ["id"])).column("id").to_pylist()
        assert sorted(first) == [1, 2, 3]
        assert pa.concat_tables(source.keys(unit_table("t"), ["id"])).column("id").to_pylist() == first

    def test_null_and_repeated_keys_are_handed_over(self, load: Load) -> None:
        """The planner names them; a source that drops them hides customers (FIDELITY 56)."""
        source: Source = load({"t": pa.table({"id": pa.array(["a", None, "a"], pa.string()), "n": [1, 2, 3]})})
        found = pa.concat_tables(source.keys(unit_table("t"), ["id"])).column("id").to_pylist()
        assert sorted(found, key=str) == [None, "a", "a"]

    def test_a_scan_gives_every_row_with_the_planned_schema(self, load: Load) -> None:
        """Staging and reference tables are read this way."""
        data = pa.table({"id": [1, 2], "name": ["a", None], "price": [1.5, None]})
        source: Source = load({"t": data})
        table = unit_table("t")
        pieces = list(source.scan(table))
        rows = pa.concat_tables(piece.rows for piece in pieces)
        assert [(field.name, field.type) for field in rows.schema] == [(c.name, c.type) for c in source.columns(table)]
        assert rows.to_pylist() == data.to_pylist()
        assert not [refusal for piece in pieces for refusal in piece.refused]

    def test_a_scan_tells_the_place_of_a_row_that_it_refuses(self, load: Load) -> None:
        """Staging finds the unit at fault by it."""
        source: Source = load({"t": pa.table({"id": [1, 2, 3], "a": ["7", "x", "9"]})})
        places, start = [], 0
        for piece in source.scan(unit_table("t", types=(("a", "integer"),)), ["a", "id"]):
            places += [start + refusal.row for refusal in piece.refused]
            start += piece.rows.num_rows
        assert (places, start) == ([1], 3)

    def test_an_empty_table_still_has_its_columns(self, load: Load) -> None:
        """Steps are SQL over these columns, rows or not (FIDELITY 62)."""
        source: Source = load({"t": pa.schema([("id", pa.int64()), ("name", pa.string())]).empty_table()})
        (piece,) = source.scan(unit_table("t"))
        assert piece.rows.column_names == ["id", "name"]
        assert piece.rows.num_rows == 0

    def test_a_scan_can_be_narrowed(self, load: Load) -> None:
        """Only the named columns travel, in the order asked for."""
        source: Source = load({"t": pa.table({"id": [1], "a": ["x"], "b": ["y"]})})
        (piece,) = source.scan(unit_table("t"), ["b", "id"])
        assert piece.rows.to_pylist() == [{"b": "y", "id": 1}]

    def test_cases_18_and_50_text_arrives_byte_exact(self, load: Load) -> None:
        """No normalisation, no escaping."""
        source: Source = load({"t": pa.table({"id": list(range(len(TRICKY))), "text": TRICKY})})
        rows = pa.concat_tables(piece.rows for piece in source.scan(unit_table("t")))
        assert rows.column("text").to_pylist() == TRICKY

    def test_a_type_can_be_chosen_by_the_job(self, load: Load) -> None:
        """`types:` turns text into what it says, and refuses by row what is no such thing."""
        source: Source = load({"t": pa.table({"id": [1, 2], "price": ["1.10", "cheap"]})})
        table = unit_table("t", types=(("price", "decimal(10,2)"),))
        (piece,) = source.scan(table)
        assert piece.rows.schema.field("price").type == pa.decimal128(10, 2)
        assert [str(value) for value in piece.rows.column("price").to_pylist()] == ["1.10", "None"]
        (refusal,) = piece.refused
        assert (refusal.table, refusal.column, refusal.match) == ("t", "price", ())
        assert refusal.row_id  # each system names rows in its own way
        assert "cheap" not in refusal.reason
        assert "cheap" in refusal.detail

    def test_a_missing_table_is_named_together_with_those_that_exist(self, load: Load) -> None:
        """A typing error in a job must be mended in one look."""
        source: Source = load({"customers": pa.table({"id": [1]})})
        with pytest.raises(ConfigError, match="custmers") as caught:
            source.columns(unit_table("custmers"))
        assert "customers" in str(caught.value)

    def test_a_missing_column_is_named_together_with_those_that_exist(self, load: Load) -> None:
        """Some databases read an unknown name as a text, and would answer with nonsense."""
        source: Source = load({"t": pa.table({"id": [1]})})
        with pytest.raises(ConfigError, match="nope") as caught:
            list(source.keys(unit_table("t"), ["nope"]))
        assert "id" in str(caught.value)

    def test_an_unknown_type_name_is_a_mistake_of_the_job(self, load: Load) -> None:
        """Not a crash in the middle of a run."""
        source: Source = load({"t": pa.table({"id": [1]})})
        with pytest.raises(ConfigError, match="varchar"):
            source.columns(unit_table("t", types=(("id", "varchar"),)))

    def test_closing_twice_is_fine(self, load: Load) -> None:
        """Every adapter is closed at the end, whatever happened before."""
        source: Source = load({"t": pa.table({"id": [1]})})
        source.columns(unit_table("t"))
        source.close()
        source.close()


class FilterContract:
    """What sources with an SQL of their own promise: the keys that a condition means, and a clear no to nonsense."""

    @pytest.fixture
    def shelf(self, load: Load) -> Any:
        """Three books, one without a title."""
        titles = pa.array(["a", None, "c"], pa.string())
        source = load({"books": pa.table({"shelf": [1, 1, 2], "number": [7, 8, 7], "title": titles})})
        assert isinstance(source, CanFilter)
        return source

    @pytest.mark.parametrize(
        ("where", "keys"),
        [
            ("number = 7", [(1, 7), (2, 7)]),
            ("books.number = 7 AND books.shelf < 2", [(1, 7)]),
            ("title IS NULL OR 1 = 0", [(1, 8)]),
            ("number > 100", []),
            ("title = 'c' -- the last one", [(2, 7)]),
        ],
    )
    def test_a_condition_selects_the_keys_it_means(self, shelf: Any, where: str, keys: list[tuple[int, int]]) -> None:
        """Bare names, names behind the table's, NULL, and a comment at the end."""
        pieces = list(shelf.keys_where(unit_table("books"), ["shelf", "number"], where))
        assert sorted(tuple(row.values()) for piece in pieces for row in piece.to_pylist()) == keys

    @pytest.mark.parametrize("where", ["nmuber = 7", "number =", "1 = 1); DELETE FROM books; --"])
    def test_a_condition_that_is_none_is_a_mistake_and_changes_nothing(self, shelf: Any, where: str) -> None:
        """It is typed by a person, on a system that is never written."""
        with pytest.raises(ConfigError):
            list(shelf.keys_where(unit_table("books"), ["number"], where))
        assert shelf.count(unit_table("books")) == 3


class FetchContract:
    """What sources that look rows up promise: each row once per matched key, and nobody else's rows."""

    PEOPLE = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    BILLS = pa.table({"bill": [10, 11, 12, 13], "person": [1, 1, 2, None]})
    LINES = pa.table({"bill": [10, 10, 11, 12, 99, None], "text": ["x", "x", "y", "z", "lost", "null"]})
    people = unit_table("people")
    bills = unit_table("bills", "people", on=(("person", "id"),))
    lines = unit_table("lines", "bills", on=(("bill", "bill"),))

    @pytest.fixture
    def estate(self, load: Load) -> Any:
        """People with bills with lines; lines have no key and a row twice."""
        source = load({"people": self.PEOPLE, "bills": self.BILLS, "lines": self.LINES})
        assert isinstance(source, CanFetch)
        return source

    def test_rows_are_found_along_the_links(self, estate: Any) -> None:
        """Person 3 has nothing, person 4 does not exist: neither brings rows."""
        with estate.snapshot():
            found = estate.fetch([self.people, self.bills, self.lines], keyset([1, 3, 4]))
        rows = sorted((row["ludb_match_0"], row["bill"], row["text"]) for row in found.rows.to_pylist())
        assert rows == [(1, 10, "x"), (1, 10, "x"), (1, 11, "y")]
        assert not found.refused

    def test_case_58_equal_rows_of_a_table_without_a_key_all_arrive(self, estate: Any) -> None:
        """Two equal lines on a bill are two lines; DISTINCT would eat one."""
        found = estate.fetch([self.bills, self.lines], keyset([10], "bill"))
        assert found.rows.column("text").to_pylist() == ["x", "x"]

    def test_a_parent_that_repeats_its_link_does_not_repeat_children(self, load: Load) -> None:
        """Bills 10 and 11 both lead to area 7: the road of area 7 is still one road of person 1."""
        bills = pa.table({"person": [1, 1, 2], "area": [7, 7, 7]})
        source = load({"people": self.PEOPLE, "bills": bills, "roads": pa.table({"area": [7], "road": ["r"]})})
        roads = unit_table("roads", "bills", on=(("area", "area"),))
        found = source.fetch([self.people, self.bills, roads], keyset([1, 2]))
        assert sorted(found.rows.column("ludb_match_0").to_pylist()) == [1, 2]

    def test_a_key_asked_for_twice_matches_once(self, estate: Any) -> None:
        """Keys are a set."""
        assert estate.fetch([self.people], keyset([2, 2])).rows.num_rows == 1

    def test_nothing_found_still_has_the_planned_schema(self, estate: Any) -> None:
        """An empty unit flows through the same steps."""
        found = estate.fetch([self.people, self.bills], keyset([77])).rows
        assert found.num_rows == 0
        plan = [(column.name, column.type) for column in estate.columns(self.bills)]
        assert [(field.name, field.type) for field in found.schema] == [("ludb_match_0", pa.int64()), *plan]

    def test_no_key_and_null_keys_find_nothing(self, estate: Any) -> None:
        """NULL equals nothing."""
        assert (
            estate.fetch([self.people], KeySet(("id",), pa.table({"id": pa.array([], pa.int64())}))).rows.num_rows == 0
        )
        null = KeySet(("person",), pa.table({"person": pa.array([None], pa.int64())}))
        assert estate.fetch([self.bills], null).rows.num_rows == 0

    def test_case_58_composite_keys_match_as_a_whole(self, load: Load) -> None:
        """(1, b) and (2, a) exist as parts of other keys only."""
        heads = pa.table({"no": [1, 1, 2], "part": ["a", "b", "b"]})
        parts = pa.table({"no": [1, 1, 2], "part": ["a", "b", "b"], "what": ["p", "q", "r"]})
        source = load({"heads": heads, "parts": parts})
        links = (("no", "no"), ("part", "part"))
        by = KeySet(("no", "part"), pa.table({"no": [1, 2, 2], "part": ["b", "a", "b"]}))
        found = source.fetch([unit_table("heads"), unit_table("parts", "heads", on=links)], by)
        rows = sorted((row["ludb_match_0"], row["ludb_match_1"], row["what"]) for row in found.rows.to_pylist())
        assert rows == [(1, "b", "q"), (2, "b", "r")]

    def test_case_58_a_table_may_link_to_itself(self, load: Load) -> None:
        """The engine walks trees by joining a table with itself."""
        source = load({"staff": pa.table({"id": [1, 2, 3, 4], "boss": [None, 1, 1, 2]})})
        path = [unit_table("staff"), unit_table("below", "staff", table="staff", on=(("boss", "id"),))]
        found = source.fetch(path, keyset([1, 2]))
        assert sorted((row["ludb_match_0"], row["id"]) for row in found.rows.to_pylist()) == [(1, 2), (1, 3), (2, 4)]

    def test_case_56_orphans_are_listed_with_what_is_missing(self, estate: Any) -> None:
        """Bill 13 names nobody; line 99 names no bill; the line without a bill is lost as well."""
        found = estate.orphans([self.people, self.bills])
        assert [(row["missing"], row["direct"]) for row in found.to_pylist()] == [(None, True)]
        lines = estate.orphans([self.people, self.bills, self.lines]).to_pylist()
        assert sorted((str(row["missing"]), row["direct"]) for row in lines) == [("99", True), ("None", True)]
        assert all(row["row_id"] for row in lines)

    def test_children_of_orphans_are_orphans_but_not_directly(self, load: Load) -> None:
        """Their parent is there; its own parent is not."""
        bills = pa.table({"bill": [10, 20], "person": [1, 55]})
        source = load(
            {"people": self.PEOPLE, "bills": bills, "lines": pa.table({"bill": [10, 20], "text": ["x", "y"]})}
        )
        (row,) = source.orphans([self.people, self.bills, self.lines]).to_pylist()
        assert (row["missing"], row["direct"]) == ("20", False)

    def test_rows_are_counted(self, estate: Any) -> None:
        """The summary balances against this number."""
        assert estate.count(self.lines) == 6

    def test_a_hundred_thousand_keys_are_no_special_case(self, load: Load) -> None:
        """Drivers limit the number of parameters; the port does not."""
        source = load({"people": self.PEOPLE})
        assert source.fetch([self.people], keyset(range(100_000))).rows.num_rows == 3
