"""Whole columns are bound at once where that changes nothing: each value is stored as it would be if bound alone."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from decimal import Decimal

import pyarrow as pa
import pytest

from ludb.dialects import sqlite_bind
from ludb.dialects.sqlite_bind import bind
from ludb.dialects.sqlite_schema import declared_type
from ludb.model.unit import Column


def column(native):
    return Column("v", declared_type(native)[0], native)


def one_by_one(values, held, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_bind, "_quick", lambda *_: None)
        return bind(values, held, "t, column v")


@pytest.mark.parametrize(
    "native", ["DECIMAL(12,2)", "DECIMAL(15,4)", "NUMERIC", "REAL", "DOUBLE", "TEXT", "INTEGER", ""]
)
@pytest.mark.parametrize(
    "kind", [pa.decimal128(12, 2), pa.decimal128(15, 4), pa.decimal128(38, 2), pa.decimal128(5, 0)]
)
def test_decimals_are_stored_as_if_each_were_bound_alone(native, kind, monkeypatch):
    draw = random.Random(f"{native}{kind}")
    digits = [draw.randint(1, min(kind.precision, 17)) for _ in range(400)]
    numbers = [Decimal(draw.randrange(-(10**size) + 1, 10**size)).scaleb(-kind.scale) for size in digits]
    values = pa.chunked_array([pa.array([None, *numbers], kind), pa.array(numbers[:3], kind)]).slice(1)
    quick, refused = bind(values, column(native), "t, column v")
    slow, blamed = one_by_one(values, column(native), monkeypatch)
    assert refused == blamed
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE t (a {native}, b {native})")
        connection.executemany("INSERT INTO t VALUES (?, ?)", zip(quick, slow, strict=True))
        unlike = "SELECT count(*) FROM t WHERE a IS NOT b OR typeof(a) <> typeof(b)"
        assert connection.execute(unlike).fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("native", ["DECIMAL(12,2)", "NUMERIC"])
def test_decimals_of_fifteen_digits_are_still_taken_at_once(native):
    """The way that is quick must be the way that is taken, or the bench would be the first to notice."""
    values = pa.chunked_array([pa.array([Decimal("1.10"), Decimal("-9999999999.99"), None], pa.decimal128(38, 2))])
    assert sqlite_bind._quick(values, column(native)).to_pylist() == [1.1, -9999999999.99, None]


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), dt.date(812, 3, 4), dt.date(9999, 12, 31), None])
def test_days_are_bound_as_iso_text(day, monkeypatch):
    values = pa.chunked_array([pa.array([day], pa.date32())])
    assert bind(values, column("DATE"), "v") == one_by_one(values, column("DATE"), monkeypatch)


@pytest.mark.parametrize("days", [2_932_897, -719_163, 2**31 - 1])
def test_a_day_beyond_the_calendar_is_refused(days):
    """DuckDB has days after the year 9999, and `infinity` arrives as one."""
    _, refused = bind(pa.chunked_array([pa.array([0, days], pa.int32()).cast(pa.date32())]), column("DATE"), "v")
    assert list(refused) == [1]
