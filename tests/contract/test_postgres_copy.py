"""Binary COPY says the very same as CSV does, for every type that it knows; what it does not know goes as CSV."""

from __future__ import annotations

import datetime as dt
import decimal

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ludb.dialects import postgres_copy
from ludb.dialects.postgres_bind import as_csv, bind
from ludb.dialects.postgres_copy import binary
from ludb.dialects.postgres_schema import reflect

FIRST, LAST = dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)  # noqa: DTZ001  (the strategy adds the zone)
COLUMNS = {
    "i2": ("smallint", pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "i4": ("integer", pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "i8": ("bigint", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "f4": ("real", pa.float32(), st.floats(width=32, allow_subnormal=False)),
    "f8": ("double precision", pa.float64(), st.floats(allow_subnormal=False)),
    "n2": ("numeric(15,2)", pa.decimal128(15, 2), st.decimals(-(10**12), 10**12, places=2)),
    "n5": ("numeric", pa.decimal128(16, 5), st.decimals(-(10**9), 10**9, places=5)),
    "n38": ("numeric(38,2)", pa.decimal128(38, 2), st.decimals(-(10**12), 10**12, places=2)),
    "n0": ("numeric(12,0)", pa.int64(), st.integers(-(10**12) + 1, 10**12 - 1)),
    "t": ("text", pa.string(), st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))),
    "v": ("varchar(9)", pa.string(), st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=9)),
    "c": ("char(3)", pa.string(), st.text(st.sampled_from("aä \"',\\"), max_size=3)),
    "b": ("boolean", pa.bool_(), st.booleans()),
    "y": ("bytea", pa.binary(), st.binary(max_size=20)),
    "d": ("date", pa.date32(), st.dates()),
    "ts": ("timestamp", pa.timestamp("us"), st.datetimes()),
    "tz": ("timestamptz", pa.timestamp("us", "Europe/Madrid"), st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC))),
}  # fmt: skip
DDL = [f"{name} {sql}" for name, (sql, _, _) in COLUMNS.items()]


@pytest.fixture(scope="module")
def connection(postgres_server):
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA copied")
        connection.execute("SET search_path = copied")
        connection.execute(f"CREATE UNLOGGED TABLE same ({', '.join(DDL)})")
        yield connection
        connection.execute("DROP SCHEMA copied CASCADE")


def bound(rows: pa.Table, types) -> pa.Table:
    columns = []
    for name in rows.column_names:
        values, faults = bind(rows.column(name), types[name], name)
        assert not faults
        columns.append(values)
    return pa.table(columns, names=rows.column_names)


def copied(connection, names, pieces, form: str) -> list[tuple]:
    connection.execute("TRUNCATE same")
    with connection.cursor().copy(f"COPY same ({', '.join(names)}) FROM STDIN (FORMAT {form})") as copy:
        for piece in pieces:
            copy.write(piece)
    return connection.execute(f"SELECT {', '.join(f'{name}::text' for name in COLUMNS)} FROM same").fetchall()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_the_server_reads_the_same_values_from_both(connection, data):
    types = reflect(connection, "new", "copied", "same").types
    count = data.draw(st.integers(1, 4))
    full = data.draw(st.booleans())
    rows = pa.table(
        {
            name: pa.array(
                data.draw(st.lists(values if full else st.none() | values, min_size=count, max_size=count)), kind
            )
            for name, (_, kind, values) in COLUMNS.items()
        }
    )
    held = bound(rows, types)
    found = binary(held, types)
    assert found is not None
    names, pieces = found
    assert copied(connection, names, pieces, "binary") == copied(connection, held.column_names, [as_csv(held)], "csv")


def test_many_rows_go_in_pieces_and_none_at_all_is_a_stream_too(connection, monkeypatch):
    monkeypatch.setattr(postgres_copy, "ROWS", 3)
    types = reflect(connection, "new", "copied", "same").types
    rows = pa.table({"t": ["a", None, "c", "", "e", "f", "g"], "i8": pa.array(range(7), pa.int64())})
    names, pieces = binary(rows, types)
    copied(connection, names, pieces, "binary")
    found = connection.execute("SELECT t, i8 FROM same ORDER BY i8").fetchall()
    assert found == list(zip(["a", None, "c", "", "e", "f", "g"], range(7), strict=True))
    names, pieces = binary(rows.slice(0, 0), types)
    assert copied(connection, names, pieces, "binary") == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("i2", pa.array([2**15], pa.int64())),  # the server says which row is out of range
        ("n38", pa.array([decimal.Decimal(10**25)], pa.decimal128(38, 2))),  # more digits than 64 bits hold
        ("tz", pa.array(["2024-01-01 00:00+02"])),
        ("n2", pa.array([1.5])),
    ],
)
def test_what_only_a_text_says_goes_as_csv(connection, column, values):
    types = reflect(connection, "new", "copied", "same").types
    assert binary(pa.table({column: values}), types) is None
