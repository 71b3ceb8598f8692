"""What the area `databases` compares is comparable: a run counts only if every row of every target is the one expected."""

from __future__ import annotations

import csv
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import psycopg
import pytest

from bench import environments
from bench.databases import estate as places
from bench.databases import ours, peers, plot, sides, verdicts
from bench.databases.ours import Moved
from bench.environments import Missing
from bench.harness import Plan
from ludb.testing.services import missing

pytestmark = pytest.mark.skipif(missing("postgres") is not None, reason=str(missing("postgres")))

CUSTOMERS, ORDERS, LINES = 30, 3, 2


def tables():
    """Small rows in the shape of TPC-H, some customers without an order."""
    people = [[c, f"Customer {c}", " here ", c % 5, "10-20-30", f"{c}.10", "BUILDING", " quick "] for c in range(1, 31)]
    orders, lines = [], []
    for customer in range(1, CUSTOMERS, 2):
        for number in range(ORDERS):
            key = customer * 100 + number
            orders.append([key, customer, "FOP"[number % 3], "12.50", "1995-03-01", "1-URGENT", "Clerk", 0, " soon "])
            for line in range(1, LINES + 1):
                money = ["5.00", "10.00", "0.05", "0.08"]
                days = ["1996-01-02"] * 3
                lines.append([key, 7, 8, line, *money, "N", "FO"[line % 2], *days, "IN PERSON", "AIR", " fluffy "])
    return {"customer": people, "orders": orders, "lineitem": lines}


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    files = tmp_path_factory.mktemp("files")
    for name, rows in tables().items():
        with (files / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["a head"] * len(rows[0]), *rows])
    settings = tuple(one for one in places.POSTGRES if "shared_buffers" not in one and "max_wal" not in one)
    with places.serving("postgres", Path(tempfile.gettempdir()), settings) as server:
        yield places.load(server, "legacy", files)


@pytest.mark.parametrize("way", ["direct", pytest.param("staged", marks=pytest.mark.long)])
def test_our_run_ends_with_the_rows_that_the_source_s_own_server_tells(estate, tmp_path, way):
    assert (estate.units, estate.rows) == (CUSTOMERS, CUSTOMERS + 15 * ORDERS + 15 * ORDERS * LINES)
    moved = ours.move(estate, tmp_path / way, workers=1, chunk_units=10, extract=way)
    assert moved.seconds > moved.staging >= 0
    assert moved.cost is not None
    assert moved.cost.blocks > 0


def test_one_row_that_differs_in_one_column_gives_no_number(estate):
    places.fresh(estate.server)
    with psycopg.connect(estate.source) as source, psycopg.connect(estate.target("customer")) as target:
        rows = source.execute("SELECT * FROM customer").fetchall()
        changed = [(*row[:3], 99, *row[4:]) if row[0] == 17 else row for row in rows]
        target.cursor().executemany(f"INSERT INTO customer VALUES ({', '.join(['%s'] * 8)})", changed)
    with pytest.raises(places.Wrong, match=r"crm\.customer"):
        places.check(estate, estate.truth.plain, "somebody")


@pytest.mark.parametrize(
    "less", ["DROP CONSTRAINT customer_pkey", "SET UNLOGGED", "ALTER c_acctbal TYPE TEXT", "ALTER c_name DROP NOT NULL"]
)
def test_a_table_that_is_cheaper_to_write_than_the_others_gives_no_number(estate, less):
    places.fresh(estate.server)
    with psycopg.connect(estate.target("customer"), autocommit=True) as target:
        target.execute(f"ALTER TABLE customer {less}")
    with pytest.raises(places.Wrong, match=r"crm\.customer has not the columns and keys"):
        places.check(estate, estate.truth.plain, "somebody")


def test_the_program_that_takes_one_at_a_time_is_checked_too(estate, tmp_path, monkeypatch):
    assert peers.one_by_one(estate, tmp_path, 5) > 0
    monkeypatch.setattr(peers, "first", lambda estate, many: places.first(estate, many - 1))
    with pytest.raises(places.Wrong, match=r"crm\.customer are not"):
        peers.one_by_one(estate, tmp_path, 5)


def test_a_peer_that_cannot_be_installed_is_told_loudly_and_listed(tmp_path):
    told, missed = [], {}

    def absent():
        raise Missing("dlt: no such package")

    runners = {"dlt": absent, "COPY": lambda: Moved(2.0)}
    taken = sides.taken(runners, Plan(1.0, 3, tmp_path, told.append), missed)
    assert list(taken) == ["COPY"]
    assert len(taken["COPY"]) == 3
    assert missed == {"dlt": "dlt: no such package"}
    assert any("MISSING" in line for line in told)


def test_a_side_that_is_far_slower_runs_once_and_the_table_says_so(estate, tmp_path):
    runners = {"ludb": lambda: Moved(1.0), "slow": lambda: Moved(9.0), "near": lambda: Moved(2.9)}
    plan = Plan(1.0, 3, tmp_path, lambda _: None)
    found = sides.Taken(sides.taken(runners, plan, {}), {})
    assert {name: len(runs) for name, runs in found.runs.items()} == {"ludb": 3, "slow": 1, "near": 3}
    named = [one.name for one in verdicts.by_side(estate, found, plan)]
    assert "slow (1 run): pace" in named
    assert "near: pace" in named


@pytest.mark.long
def test_an_environment_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    (tmp_path / "nobody.txt").write_text("--no-index\nno-such-peer==1\n")
    monkeypatch.setattr(environments, "PEERS", tmp_path)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    with pytest.raises(Missing, match="no-such-peer"):
        environments.environment_of("nobody")


def test_a_plot_is_a_picture_with_every_point(tmp_path):
    plot.curves(tmp_path / "a.svg", "Rows & more", "workers", "rows/s", {"direct": [(1, 10.0), (4, 30.0)]})
    drawn = ET.parse(tmp_path / "a.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}circle")) == 2


def test_a_bar_is_as_long_as_its_value(tmp_path):
    plot.bars(tmp_path / "a.svg", "Rows", "rows/s", {"ludb, direct": 10.0, "COPY": 40.0})
    drawn = ET.parse(tmp_path / "a.svg").getroot().findall("{http://www.w3.org/2000/svg}rect")
    widths = [float(one.attrib["width"]) for one in drawn[1:]]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
