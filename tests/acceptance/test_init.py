"""`ludb init` makes a job that checks and runs as it stands: from nothing, and from a database."""

from __future__ import annotations

import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ludb.project.folder import read_job

ROOT = Path(__file__).parents[2]
CHINOOK = ROOT.parent / "shared" / "data" / "chinook" / "Chinook_Sqlite.sqlite"
NASTY = """
    create table "Kunde Äß" ("Kunden Nr" integer primary key, "select" text, "a""b" text, "größe" decimal(10,2),
        wide decimal(60,2), mom integer references "Kunde Äß");
    create table "order" ("group" int, "by" text, "kunde" int references "Kunde Äß",
        total int generated always as ("group" * 2) virtual, primary key ("group", "by"));
    create table "a.b/c" ("group" int, "by" text, pos int, "line\nbreak" text,
        foreign key ("group", "by") references "order" ("group", "by"), primary key ("group", "by", pos));
    create table tree (id integer primary key, kunde int not null references "Kunde Äß", up int references tree);
    create table circle1 (id integer primary key, k int references "Kunde Äß", c2 int references circle2);
    create table circle2 (id integer primary key, c1 int references circle1);
    create table nokey (k int references "Kunde Äß", what text);
    create table two (id integer primary key, payer int references "Kunde Äß", user int references "Kunde Äß");
    create view v as select * from "order"; create view broken as select * from gone;
    insert into "Kunde Äß" values (1,'s','q',1.5,'1',null),(2,'t','r',2.5,'2',1);
    insert into "order" ("group","by",kunde) values (1,'x',1),(1,'y',2);
    insert into "a.b/c" values (1,'x',1,'l'),(1,'y',1,'m'),(1,'y',2,'m');
    insert into tree values (1,1,null),(2,1,1),(3,2,null);
    insert into circle2 values (1,1); insert into circle1 values (1,1,1);
    insert into nokey values (1,'a'),(1,'a'),(2,'b'); insert into two values (1,1,1),(2,2,null);
"""


@pytest.fixture
def bench(shop, ready, tmp_path):
    """A desk with nothing on it."""
    (tmp_path / "desk").mkdir()
    made = type(shop)(tmp_path / "desk", ready)
    yield made
    made.close()


def written(folder: Path, table: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(part) for part in sorted((folder / "out" / table).glob("*.parquet")))


def source_rows(path: Path, table: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f'select * from "{table}"').fetchall(), key=repr)


def test_a_job_from_nothing_checks_and_runs_and_shows_a_unit_set_aside(bench):
    assert bench.ludb("init", "first").code == 0
    assert bench.ludb("check", "first").code == 0
    said = bench.ludb("run", "first", "--json")
    assert said.code == 3, said.err
    assert (said.json["counters"]["done"], said.json["counters"]["quarantined"]) == (2, 1)
    assert said.json["conversions"] == {"parse_date": 2, "name_case": 1, "blank_to_null": 1}
    rows = sorted(written(bench.folder / "first", "customer").to_pylist(), key=lambda row: row["id"])
    assert [(row["name"], row["email"], str(row["born"]), str(row["ordered"])) for row in rows] == [
        ("Ann Lee", "ann@example.org", "1979-12-31", "20.00"),
        ("Cy Poe", "cy@example.org", "None", "1.25"),
    ]
    ignored = (bench.folder / "first/.gitignore").read_text().split()
    assert {".ludb/", ".env"} <= set(ignored)
    assert len((bench.folder / "first/README.md").read_text().splitlines()) <= 10


@pytest.mark.skipif(not CHINOOK.exists(), reason="NOT TESTED: Chinook is not beside the repository")
def test_all_customers_of_chinook_move_by_the_job_that_was_proposed_row_by_row(bench):
    said = bench.ludb("init", "shop", "--from", f"sqlite:///{CHINOOK}")
    assert said.code == 0, said.err
    assert "taking Customer; --root TABLE names another" in said.err
    assert "Artist: 4 tables hang below it" in said.err
    assert bench.ludb("check", "shop").code == 0
    moved = bench.ludb("run", "shop", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["counters"]["done"] == 59
    for table, cents in (("Customer", ()), ("Invoice", ("Total",)), ("InvoiceLine", ("UnitPrice",))):
        rows = written(bench.folder / "shop", table).to_pylist()
        plain = [tuple(float(v) if k in cents else v for k, v in row.items()) for row in rows]
        assert sorted(plain, key=repr) == source_rows(CHINOOK, table)


def test_a_legacy_database_without_one_foreign_key_becomes_the_unit_that_a_person_wrote(bench):
    sys.path.insert(0, str(ROOT / "examples/telco"))
    try:
        from generate import generate
    finally:
        sys.path.remove(str(ROOT / "examples/telco"))
    generate(bench.folder / "telco", customers=150, seed=7)
    legacy = bench.folder / "telco/legacy.sqlite"
    said = bench.ludb("init", "job", "--from", legacy, "--json")
    assert said.code == 0, said.err
    assert said.json["root"] == "customers"
    assert said.json["left_out"] == {}
    assert said.json["reference"] == ["tariffs"]
    assert all(table["guessed"] for table in said.json["tables"][1:])
    text = (bench.folder / "job/job.yaml").read_text()
    assert "payments: {parent: customers, on: customer_id, also: {invoices: invoice_id}}" in text
    moved = bench.ludb("run", "job", "--json")
    counters = moved.json["counters"]
    assert counters["done"] + counters["quarantined"] == counters["total"] == 150
    reasons = " ".join(reason for _, reason, _ in moved.json["reasons"])
    assert "term_months" in reasons
    assert "outside the unit" in reasons
    assert all(line["balances"] for line in moved.json["source"])


def test_names_keys_and_circles_of_a_nasty_schema_arrive(bench):
    path = bench.database("nasty", NASTY)
    said = bench.ludb("init", "job", "--from", path, "--root", "KUNDE Äß")
    assert said.code == 0, said.err
    assert "not moved broken: a view" in said.out
    moved = bench.ludb("run", "job", "--json")
    assert moved.code == 0, (moved.err, moved.out)
    for table, output in (
        ("order", "order"),
        ("a.b/c", "a_b_c"),
        ("tree", "tree"),
        ("circle2", "circle2"),
        ("nokey", "nokey"),
    ):
        plain = [tuple(row.values()) for row in written(bench.folder / "job", output).to_pylist()]
        assert sorted(plain, key=repr) == source_rows(path, table)
    assert written(bench.folder / "job", "a_b_c").column_names == ["group", "by", "pos", "line\nbreak"]


def test_a_target_database_gets_what_it_has_columns_for_and_the_rest_is_named(bench):
    legacy = bench.database(
        "legacy",
        "create table customer (id integer primary key, name text, fax text);"
        "create table invoice (id integer primary key, c int references customer, total decimal(9,2));"
        "create table letter (id integer primary key, c int references customer);"
        "insert into customer values (1,'Ann','x'),(2,'Bo',null); insert into invoice values (5,1,9.5);"
        "insert into letter values (7,2);",
    )
    new = bench.database(
        "new",
        "create table invoice (id integer primary key, c int not null references Customer, total decimal(9,2));"
        "create table Customer (ID integer primary key, name text not null);",
    )
    said = bench.ludb("init", "job", "--from", legacy, "--to", new)
    assert said.code == 0, said.err
    assert "not moved letter: new has no such table" in said.out
    assert "not moved customer.(fax): new.Customer has no such column" in said.out
    assert bench.ludb("run", "job").code == 0
    assert bench.rows("new", "select u.ID, name, total from Customer u left join invoice on c = u.ID order by 1") == [
        (1, "Ann", 9.5),
        (2, "Bo", None),
    ]


def test_nothing_is_written_into_a_folder_that_holds_something_and_never_over_a_file(bench):
    bench.write({"old/note.txt": "mine"})
    folder = next(bench.folder.rglob("note.txt")).parent
    said = bench.ludb("init", folder)
    assert (said.code, "not empty" in said.err) == (2, True)
    assert [path.name for path in folder.iterdir()] == ["note.txt"]
    assert bench.ludb("init", folder, "--force").code == 0
    before = (folder / "job.yaml").read_text()
    said = bench.ludb("init", folder, "--force", "--name", "other")
    assert said.code == 2
    assert "is there already" in said.err
    assert (folder / "job.yaml").read_text() == before
    assert bench.ludb("init", folder / "note.txt").code == 2


@pytest.mark.parametrize(
    ("script", "options", "told"),
    [
        ("", (), "has no tables"),
        ("create table t (x text)", (), "t has no primary key"),
        ("create table t (id text); insert into t values ('a'), ('a')", (), "does not tell its rows apart"),
        ("create table t (id integer primary key)", ("--root", "u"), "there is no table 'u'"),
        ("create table t (id integer primary key)", ("--name", "a b"), "cannot be called"),
    ],
)
def test_what_cannot_be_a_job_is_refused_and_leaves_no_folder(bench, script, options, told):
    path = bench.database("legacy", script)
    said = bench.ludb("init", "job", "--from", path, *options)
    assert said.code == 2
    assert told in said.err
    assert not (bench.folder / "job").exists()


def test_a_password_in_a_url_is_shown_nowhere(bench):
    for url in ("oracle://scott:tiger99@db/x", "sqlite://scott:tiger99@db/x", "kafka://a:tiger99@h"):
        said = bench.ludb("init", "job", "--from", url)
        assert said.code == 2
        assert "tiger99" not in said.err + said.out
    assert not (bench.folder / "job").exists()


def test_at_a_terminal_it_asks_for_the_root(bench):
    path = bench.database(
        "legacy", "create table customer (id integer primary key); create table town (id int primary key);"
    )
    window = bench.terminal("init", "job", "--from", path)
    window.read("root table [customer]")
    window.type(b"town\n")
    assert window.end() == 0
    assert "root: legacy.town" in (bench.folder / "job/job.yaml").read_text()


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_database_that_is_not_there_is_told_by_the_option_that_named_it(bench, option):
    """There is no system and no job yet whose url could be mended."""
    bench.database("old", "create table customers (id integer primary key)")
    rest = [] if option == "--from" else ["--from", "old.sqlite"]
    said = bench.ludb("init", "shop", option, "gone.sqlite", *rest, "--json")
    assert (said.code, said.json["message"]) == (2, f"{option}: no database at {bench.folder / 'gone.sqlite'}")
    assert said.json["remedy"].startswith(f"Name the database's file with {option}")
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        address = f"postgresql://u:hidden@127.0.0.1:{port.getsockname()[1]}/x"
        said = bench.ludb("init", "shop", option, address, *rest)
    assert (said.code, f"error: {option}: could not connect" in said.err) == (1, True)
    assert f"See that the server is up and lets this machine in, and that {option} names its host and port" in said.err
    assert "hidden" not in said.err
    assert not (bench.folder / "shop").exists()


def test_a_job_that_was_made_stops_where_too_many_are_set_aside(bench):
    bench.database("old", "create table customers (id integer primary key)", "insert into customers values (1)")
    for folder, more in (("first", []), ("drafted", ["--from", "old.sqlite"])):
        assert bench.ludb("init", folder, *more).code == 0
        text = (bench.folder / folder / "job.yaml").read_text()
        assert "# With more than 5% set aside it is one fault in many units" in text
        assert read_job(bench.folder / folder, {}).job.settings.quarantine_limit.percent == 5
