"""The UnitBatch: what steps see of a chunk, and what they may do to it."""

from __future__ import annotations

import decimal
import gc
import weakref

import pyarrow as pa
import pytest

from ludb.errors import ConfigError, FatalError, Fault, UnitError
from ludb.model.data import Extract
from ludb.model.unit import POSITION, TableRef, UnitSchema, UnitTable
from ludb.unitdb.batch import UnitBatch
from ludb.unitdb.database import check_select
from ludb.unitdb.merge import wider

UNIT = UnitSchema(
    ("id",),
    (
        UnitTable("people", TableRef("old", "people")),
        UnitTable("pets", TableRef("old", "pets"), "people", (("pid", "id"),)),
    ),
)
PAIR = UnitSchema(("a", "b"), (UnitTable("people", TableRef("old", "people")),))


def positions(*values: int) -> pa.Array:
    return pa.array(values, pa.int64())


def batch_of(**more) -> UnitBatch:
    """Units x, y, z at the positions 7, 3, 5."""
    keys = pa.table({POSITION: positions(7, 3, 5), "id": ["x", "y", "z"]})
    pets = pa.table({POSITION: positions(3, 3, 7), "pid": ["y", "y", "x"], "name": ["Rex", "Tom", "Ada"]})
    return UnitBatch(Extract(keys, {"people": keys, "pets": pets}), UNIT, **more)


def composite() -> UnitBatch:
    keys = pa.table({POSITION: positions(0, 1), "a": pa.array([1, 1], pa.int32()), "b": ["x", "y"]})
    return UnitBatch(Extract(keys, {"people": keys}), PAIR)


def rows(batch: UnitBatch, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in batch.query(sql).to_pylist()]


def test_every_table_shows_the_unit_key_and_not_the_position():
    with batch_of() as batch:
        assert rows(batch, "select * from old.pets order by name") == [
            ("x", "x", "Ada"),
            ("y", "y", "Rex"),
            ("y", "y", "Tom"),
        ]


def test_a_closed_batch_and_its_rows_are_gone_at_once():
    """A circle of references would keep the rows of several chunks in memory until the interpreter looks for circles."""
    gc.disable()
    try:
        with batch_of() as batch:
            batch.append("new.pet", batch.query("select unit_key, name from old.pets"), step="s")
        gone = weakref.ref(batch)
        del batch
        assert gone() is None
    finally:
        gc.enable()


def test_a_rejected_unit_leaves_every_table_output_and_key_map_and_its_fault_is_kept():
    with batch_of() as batch:
        batch.append("new.pet", batch.query("select unit_key, name from old.pets"), step="s")
        batch.put_keys("number", pa.table({POSITION: positions(7, 3), "old": ["x", "y"], "new": [1, 2]}))
        batch.reject({3: Fault("no"), 99: Fault("stranger")}, step="rule", traces={3: "trace"})
        batch.reject({3: Fault("again")}, step="other")
        assert batch.alive == (7, 5)
        assert batch.faults == {3: ("rule", Fault("no"), "trace")}
        for table in ("old.people", "old.pets", "new.pet", "keys.number"):
            assert "y" not in {key for (key,) in rows(batch, f"select unit_key from {table}")}
        assert batch.output("new.pet").to_pylist() == [{POSITION: 7, "name": "Ada"}]
        assert batch.output("new.pet", [3]).num_rows == 2


def test_a_row_of_a_unit_that_was_rejected_is_a_strangers_row():
    with batch_of() as batch:
        pets = batch.query("select unit_key, name from old.pets")
        batch.reject({3: Fault("no")}, step="rule")
        with pytest.raises(FatalError, match=r"step\.sql: 2 rows of a unit not in the chunk"):
            batch.append("new.pet", pets, step="step.sql")


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("select name from old.pets", ConfigError, "no column unit_key"),
        ("select null::text as unit_key", FatalError, "NULL unit_key"),
        ("select 'q' as unit_key", FatalError, "not in the chunk"),
        ("select {'a': 1} as unit_key", ConfigError, "has type"),
    ],
)
def test_rows_without_a_unit_of_this_chunk_are_an_error_of_the_step(sql, error, says):
    with batch_of() as batch, pytest.raises(error, match=says):
        batch.append("new.pet", batch.query(sql), step="step.sql")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("select unit_key from old.people", None),
        ("select {'a': 1::bigint, 'b': 'y'} as unit_key", None),
        ("select {'b': 'y', 'a': 1} as unit_key", None),
        ("select {'a': 9, 'b': 'y'} as unit_key", FatalError),
        ("select {'a': 1, 'b': null::text} as unit_key", FatalError),
        ("select null::struct(a integer, b text) as unit_key", FatalError),
        ("select {'a': 1, 'c': 'y'} as unit_key", ConfigError),
        ("select {'a': 1} as unit_key", ConfigError),
        ("select 'x' as unit_key", ConfigError),
    ],
)
def test_a_composite_key_is_known_by_all_its_parts(sql, error):
    with composite() as batch:
        assert batch.unit_key(1) == {"a": 1, "b": "y"}
        if error is None:
            batch.append("new.p", batch.query(sql), step="step.sql")
            assert batch.output("new.p").column(POSITION).to_pylist()[-1] == 1
        else:
            with pytest.raises(error, match=r"step\.sql"):
                batch.append("new.p", batch.query(sql), step="step.sql")


def test_a_later_step_brings_columns_and_wider_types_and_names_are_told_apart_as_in_sql():
    with batch_of() as batch:
        batch.append(
            "new.p",
            batch.query("select unit_key, null as note, 1.5::decimal(4,2) as n, 7 as i from old.people"),
            step="a",
        )
        batch.append(
            "new.p",
            batch.query("select unit_key, 'x' as NOTE, 12345.678 as N, 9::bigint as i from old.people"),
            step="b",
        )
        found = batch.output("new.p")
        assert found.column_names == [POSITION, "note", "n", "i"]
        assert set(found.column("n").to_pylist()) == {decimal.Decimal("1.500"), decimal.Decimal("12345.678")}
        assert rows(batch, "select note, i, count(*) from new.p group by all order by i") == [(None, 7, 3), ("x", 9, 3)]
        with pytest.raises(UnitError, match="'i' is string here and int64 in an earlier step"):
            batch.append("new.p", batch.query("select unit_key, 'x' as i from old.people"), step="c")


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.null(), pa.string(), pa.string()),
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int32(), pa.float64(), pa.float64()),
        (pa.int64(), pa.float64(), None),  # 2**53 + 1 would become another number
        (pa.decimal128(10, 2), pa.float64(), None),
        (pa.decimal128(10, 2), pa.decimal128(5, 4), pa.decimal128(12, 4)),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.string(), pa.int32(), None),
        (pa.bool_(), pa.int32(), None),
    ],
)
def test_types_are_joined_only_where_no_value_changes(one, other, common):
    assert wider(one, other) == wider(other, one) == common


def test_an_expected_output_can_be_read_before_any_row_has_come_and_with_its_known_columns_after():
    with batch_of() as batch:
        batch.expect("new.free", ())
        batch.expect("new.known", ("name", "Age"))
        assert rows(batch, "select f.anything, other from new.free f where f.third = 'x'") == []
        batch.append("new.known", batch.query("select unit_key, id as name from old.people"), step="a")
        assert rows(batch, "select name, age from new.known k order by k.name") == [
            ("x", None),
            ("y", None),
            ("z", None),
        ]
        with pytest.raises(ConfigError, match="nmae"):
            batch.query("select nmae from new.known", file="step.sql")
        assert batch.output("new.free") is None
        assert batch.output("new.known").column_names == [POSITION, "name"]
        batch.append("new.known", batch.query("select unit_key, 3 as age from old.people where id = 'z'"), step="b")
        assert rows(batch, "select name, age from new.known where age is not null") == [(None, 3)]


def test_tables_are_put_in_when_they_are_named_however_they_are_written_and_without_those_who_left():
    with batch_of(reference={"odd name": pa.table({"code": ["a"]})}) as batch:
        batch.append("new.p", batch.query("select unit_key from old.people"), step="a")
        batch.append("new.p", batch.query("select unit_key from old.people"), step="a")
        batch.reject({0: Fault("bad")}, step="a")
        assert rows(batch, 'select count(*) from NEW."P"') == [(2 * (len(batch.alive)),)]
        batch.reject({1: Fault("bad")}, step="a")
        batch.append("new.p", batch.query("select unit_key from old.people"), step="a")
        assert rows(batch, "select count(*) from new.p") == [(3 * len(batch.alive),)]
        assert rows(batch, "select count(*) from query_table('ref.odd' || ' name')") == [(1,)]


def test_a_table_that_is_spelled_wrongly_is_guessed_though_nothing_else_has_named_it():
    with batch_of() as batch, pytest.raises(ConfigError, match="people"):
        batch.query("select * from old.poeple", file="step.sql")


def test_steps_reach_no_file_no_setting_and_no_extension():
    with batch_of() as batch:
        for sql in ("select * from read_csv('/etc/passwd')", "select * from '/etc/passwd'", "select getenv('HOME')"):
            with pytest.raises((ConfigError, UnitError)):
                batch.query(sql, file="step.sql")
        with pytest.raises(UnitError):
            batch.database.execute("set enable_external_access = true")


def test_variables_reference_tables_and_macros_are_there():
    ref = {"odd name": pa.table({"code": ["a"]})}
    with batch_of(
        reference=ref, macros={"m.sql": "create macro up(x) as upper(x)"}, params={"it's": "o'clock"}
    ) as batch:
        assert rows(batch, """select up(code), getvariable('it''s') from ref."odd name" """) == [("A", "o'clock")]


@pytest.mark.parametrize("sql", ["", "select 1; select 2", "insert into t values (1)", "create table t (i int)"])
def test_a_text_that_is_not_one_select_is_no_step(sql):
    with pytest.raises(ConfigError, match=r"step\.sql"):
        check_select(sql, file="step.sql")
