"""Which unit a row belongs to, for whole tables: always what joining by hand says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from ludb.model.unit import POSITION, Fetched, Refusal, TableRef, UnitSchema, UnitTable
from ludb.unitdb.locate import Locator

ROOT = UnitTable("roots", TableRef("s", "roots"))


def schema(*tables: UnitTable) -> UnitSchema:
    return UnitSchema(("id",), (ROOT, *tables))


def child(name: str, parent: str, on: tuple[tuple[str, str], ...], **more) -> UnitTable:
    return UnitTable(name, TableRef("s", name), parent, on, **more)


def scanning(tables: dict[str, pa.Table], refused: tuple[Refusal, ...] = ()):
    """Every table in two pieces, as a source would stream it."""

    def scan(table: UnitTable, columns: tuple[str, ...] | None) -> Iterator[Fetched]:
        rows = tables[table.name] if columns is None else tables[table.name].select(list(columns))
        half = rows.num_rows // 2
        yield Fetched(rows.slice(0, half), tuple(r for r in refused if r.table == table.name))
        yield Fetched(rows.slice(half))

    return scan


def listed(*keys: int) -> pa.Table:
    return pa.table({POSITION: pa.array(range(len(keys)), pa.int64()), "id": pa.array(keys, pa.int64())})


def numbers(*values: int | None) -> pa.Array:
    return pa.array(values, pa.int64())


some = st.one_of(st.none(), st.integers(0, 4))
roots = st.lists(st.tuples(st.integers(0, 4), some), unique_by=lambda row: row[0], max_size=5)
children = st.lists(st.tuples(some, some, some), max_size=8)
leaves = st.lists(st.tuples(some, some), max_size=8)


@given(roots=roots, children=children, leaves=leaves, moved=st.sets(st.integers(0, 4)), walk=st.booleans())
@settings(max_examples=30, deadline=None)
def test_rows_counts_orphans_and_shared_rows_are_those_of_a_join_by_hand(roots, children, leaves, moved, walk):
    """Roots (id, g); children (g, no, up) hang below by g, perhaps also below themselves; leaves (no, x) below children."""
    unit = schema(
        child("children", "roots", (("g", "g"),), recursive=(("up", "no"),) if walk else ()),
        child("leaves", "children", (("no", "no"),)),
    )
    tables = {
        "roots": pa.table({"id": numbers(*(r[0] for r in roots)), "g": numbers(*(r[1] for r in roots))}),
        "children": pa.table({name: numbers(*(r[at] for r in children)) for at, name in enumerate(("g", "no", "up"))}),
        "leaves": pa.table({"no": numbers(*(r[0] for r in leaves)), "x": numbers(*(r[1] for r in leaves))}),
    }
    keys = [row[0] for row in roots if row[0] not in moved]
    at = {key: keys.index(key) if key in keys else -1 for key, _ in roots}
    of_child = [{at[key] for key, g in roots if g is not None and g == row[0]} for row in children]
    while walk:
        wider = [
            own
            | {
                p
                for there, up in zip(of_child, children, strict=True)
                if up[1] is not None and up[1] == row[2]
                for p in there
            }
            for own, row in zip(of_child, children, strict=True)
        ]
        if wider == of_child:
            break
        of_child = wider
    of_leaf = [
        {
            p
            for there, up in zip(of_child, children, strict=True)
            if up[1] is not None and up[1] == row[0]
            for p in there
        }
        for row in leaves
    ]
    with Locator(unit, listed(*keys), scanning(tables), dict.fromkeys(tables)) as located:
        for name, rows, owners in (("children", children, of_child), ("leaves", leaves, of_leaf)):
            found = located.rows(name)
            expected = Counter((p, *row) for row, held in zip(rows, owners, strict=True) for p in held if p >= 0)
            assert Counter(tuple(row.values()) for row in found.to_pylist()) == expected
            assert found.column(POSITION).to_pylist() == sorted(found.column(POSITION).to_pylist())
            assert located.count(name) == sum(any(p >= 0 for p in held) for held in owners)
            lost = [str(number) for number, held in enumerate(owners, 1) if not held]
            assert located.orphans(name).column("row_id").to_pylist() == lost
        several = {
            (p, min(q for q in held if q >= 0), row[0])
            for row, held in zip(leaves, of_leaf, strict=True)
            if len(held) > 1
            for p in held
            if p >= 0
        }
        assert {tuple(row.values()) for row in located.shared("leaves", ["no"]).to_pylist()} == several


def test_an_orphan_tells_whether_its_very_parent_is_missing():
    unit = schema(child("a", "roots", (("rid", "id"),)), child("b", "a", (("aid", "aid"),)))
    tables = {
        "roots": pa.table({"id": numbers(1)}),
        "a": pa.table({"aid": numbers(10, 11), "rid": numbers(1, 7)}),
        "b": pa.table({"aid": numbers(10, 11, 12, None)}),
    }
    with Locator(unit, listed(1), scanning(tables), dict.fromkeys(tables)) as located:
        assert located.orphans("b").to_pylist() == [
            {"row_id": "2", "missing": "11", "direct": False},
            {"row_id": "3", "missing": "12", "direct": True},
            {"row_id": "4", "missing": None, "direct": True},
        ]


def test_a_refused_row_is_the_fault_of_the_unit_that_holds_it_and_of_no_neighbour():
    unit = schema(child("a", "roots", (("rid", "id"),)))
    tables = {
        "roots": pa.table({"id": numbers(1, 2, 3)}),
        "a": pa.table({"rid": numbers(3, 1, 2), "x": numbers(1, None, 1)}),
    }
    refused = (Refusal((), "a", "x", "is not a number", "'?'", "2", 1), Refusal((), "a", "x", "and worse", "", "2", 1))
    with Locator(unit, listed(1, 2, 3), scanning(tables, refused), {"a": None}) as located:
        ((position, fault),) = located.faults("a").items()
    assert (position, fault.reason, fault.detail) == (0, "a.x: is not a number", "'?' (row 2)")


def test_text_and_numbers_meet_as_sql_databases_let_them_meet_and_bad_text_meets_nothing():
    unit = schema(child("a", "roots", (("rid", "id"),)), child("b", "a", (("n", "n"),)))
    tables = {
        "roots": pa.table({"id": numbers(1, 2)}),
        "a": pa.table({"rid": ["1", "x", "", None, "2"], "n": pa.array([1.5, 1, 1, 1, 2], pa.float64())}),
        "b": pa.table({"n": ["1.5", "two", "2"]}),
    }
    with Locator(unit, listed(1, 2), scanning(tables), dict.fromkeys(tables)) as located:
        assert located.rows("a").column("rid").to_pylist() == ["1", "2"]
        assert located.rows("b").to_pylist() == [{POSITION: 0, "n": "1.5"}, {POSITION: 1, "n": "2"}]


def test_only_the_link_columns_of_tables_above_are_read():
    asked: dict[str, tuple[str, ...] | None] = {}
    unit = schema(
        child("a", "roots", (("rid", "id"),)), child("b", "a", (("aid", "aid"),)), child("c", "roots", (("rid", "id"),))
    )
    tables = {
        "roots": pa.table({"id": numbers(1), "name": ["x"]}),
        "a": pa.table({"aid": numbers(10), "rid": numbers(1), "name": ["x"]}),
        "b": pa.table({"aid": numbers(10), "x": ["y"]}),
    }
    scan = scanning(tables)

    def listening(table: UnitTable, columns: tuple[str, ...] | None) -> Iterator[Fetched]:
        asked[table.name] = columns
        return scan(table, columns)

    with Locator(unit, listed(1), listening, {"b": ("x",)}) as located:
        assert located.rows("b").to_pylist() == [{POSITION: 0, "aid": 10, "x": "y"}]
    assert {name: set(columns or ()) for name, columns in asked.items()} == {
        "roots": {"id"}, "a": {"aid", "rid"}, "b": {"aid", "x"},
    }  # fmt: skip
