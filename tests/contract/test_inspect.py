"""`ludb check --connect` against real systems: what stands in the way is told, with what to do, and nothing is written."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import psycopg
import pymysql
import pytest

from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.service.examine import examine
from ludb.service.site import open_scratch

ROWS = 12_000
LEGACY = """
create table customers (id int primary key, name varchar(40) not null);
create table orders (oid int primary key, cid int, amount decimal(10,2));
create table notes (nid int primary key, cid int);
create index notes_cid on notes (cid);
insert into customers values (1, 'a'), (2, 'b');
"""
TARGET = """
create table person (id int primary key, name varchar(40) not null);
create table charge (oid int primary key, amount decimal(10,2));
"""
FILL = {
    "postgres": f"insert into orders select n, n % 2 + 1, 1 from generate_series(1, {ROWS}) n; analyze;",
    "mysql": f"insert into orders select seq, seq % 2 + 1, 1 from seq_1_to_{ROWS};\nanalyze table orders;\n",
    "sqlite": f"""
        with recursive s(n) as (select 1 union all select n + 1 from s where n < {ROWS})
        insert into orders select n, n % 2 + 1, 1 from s;
    """,
}
JOB = {
    "steps/10/new.person.sql": "select unit_key, id, name from legacy.customers",
    "steps/20/new.charge.sql": "select o.unit_key, oid, amount from legacy.orders o left join legacy.notes using (unit_key)",
}


class Place:
    """A job from one database into another, both of one kind."""

    def __init__(self, desk, kind: str, legacy: str, target: str, run, adapter: str = "") -> None:
        """`kind` is the database's, `adapter` the type of the systems where it is another one."""
        self.desk, self.kind, self.run, self.adapter = desk, kind, run, adapter or kind
        desk.environment |= {"LEGACY": legacy, "NEW": target}
        self.write()

    def write(self, **extra: str) -> None:
        settings = ", ".join(f"{name}: {value}" for name, value in {"chunk_units": "1", **extra}.items())
        self.desk.write({
            "job.yaml": f"""
                name: shop
                systems:
                  legacy: {{type: {self.adapter}, url: "${{LEGACY}}"}}
                  new: {{type: {self.adapter}, url: "${{NEW}}"}}
                unit:
                  root: legacy.customers
                  key: id
                  tables:
                    orders: {{parent: customers, on: {{cid: id}}}}
                    notes: {{parent: customers, on: {{cid: id}}}}
                settings: {{{settings}}}
            """,
            **JOB,
        })  # fmt: skip

    def look(self):
        job = read_job(self.desk.job, self.desk.environment)
        migration = load_migration(
            job.folder, environment=self.desk.environment, state=self.desk.state, reference={}, parameters={}
        )
        try:
            return examine(replace(open_scratch(self.desk.environment), state=self.desk.state), job, migration)
        finally:
            migration.close()


KINDS = ["postgres", "mysql", "sqlite"]
GENERIC = {"postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}
"""How SQLAlchemy's addresses begin."""
BOTH = ["postgres", "mysql", "generic postgres", "generic mysql"]


LONG = pytest.param("generic postgres", marks=pytest.mark.long)


@pytest.fixture(params=[*KINDS, LONG, "generic mysql", "generic sqlite"])
def place(request, desk):
    generic, _, kind = request.param.rpartition(" ")
    adapter = "sqlalchemy" if generic else kind
    if kind == "sqlite":
        legacy, target = desk.database("legacy", LEGACY + FILL[kind]), desk.database("new", TARGET)

        def run(which, statement):
            with closing(sqlite3.connect({"legacy": legacy, "new": target}[which])) as connection, connection:
                return connection.execute(statement).fetchall()

        head = "sqlite:///" if generic else ""
        yield Place(desk, kind, f"{head}{legacy}", f"{head}{target}", run, adapter)
        return
    make = request.getfixturevalue("postgres_database" if kind == "postgres" else "mariadb_database")
    urls = {"legacy": make(LEGACY + FILL[kind]), "new": make(TARGET)}

    def run(which, statement):
        with closing(connected(urls[which])) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    shown = dict(urls)
    if generic:
        tail = "?ssl_disabled=true" if kind == "mysql" else ""
        shown = {name: re.sub("^[^:]*", GENERIC[kind], url) + tail for name, url in urls.items()}
    yield Place(desk, kind, shown["legacy"], shown["new"], run, adapter)


def connected(url: str):
    if url.startswith("postgresql"):
        return psycopg.connect(url, autocommit=True)
    port, database = re.search(r":(\d+)/([^?]+)", url).groups()
    return pymysql.connect(host="127.0.0.1", port=int(port), user="root", database=database, autocommit=True)


def test_an_index_that_is_missing_is_told_with_its_price_and_the_statement_that_makes_it(place):
    (found,) = place.look()
    assert (found.severity, found.system, found.table) == ("warning", "legacy", "orders")
    rows, whole = (int(text.replace(",", "")) for text in re.findall(r"about ([\d,]+)", found.text))
    assert ROWS * 0.8 <= rows <= ROWS * 1.2
    assert whole == 2 * rows, "two chunks of one unit each"
    place.run("legacy", found.remedy.partition(";")[0])
    assert place.look() == []


def test_nothing_is_written_and_a_staged_job_pays_no_such_price(place):
    place.write(extract="staged")
    assert place.look() == []
    names = {
        "postgres": "select count(*) from pg_class where relname = 'ludb_ledger'",
        "mysql": "select count(*) from information_schema.tables where table_name = 'ludb_ledger' and table_schema = database()",
        "sqlite": "select count(*) from sqlite_master where name = 'ludb_ledger'",
    }
    assert tuple(place.run("new", names[place.kind])[0]) == (0,)
    assert not (place.desk.state / "staged").exists()


def test_rows_that_stand_in_a_target_already_are_a_warning(place):
    place.write(extract="staged")
    place.run("new", "insert into person values (7, 'somebody')")
    (found,) = place.look()
    assert (found.severity, found.system, found.table, found.text) == (
        "warning", "new", "person", "the table holds rows already",
    )  # fmt: skip


def test_missing_tables_columns_and_keys_are_errors_with_their_names(place):
    place.write(extract="staged")
    place.run("new", "drop table charge")
    (found,) = [one for one in place.look() if one.severity == "error"]
    assert (found.system, "charge" in found.text) == ("new", True)
    place.run("new", "create table charge (oid int primary key, amount decimal(10,2), must int not null)")
    (found,) = place.look()
    assert "new.charge needs must (NOT NULL, no default)" in found.text
    assert found.text.startswith("steps/20/new.charge.sql")


def test_a_system_that_is_away_is_named_and_the_others_are_still_looked_at(place):
    place.write(extract="staged")
    place.run("new", "insert into person values (7, 'somebody')")
    gone = {"postgres": "postgresql://nobody@127.0.0.1:1/none", "mysql": "mysql://nobody@127.0.0.1:1/none"}
    away = gone.get(place.kind, "/nowhere/at/all.sqlite")
    if place.adapter == "sqlalchemy":
        away = re.sub("^[^:]*", GENERIC[place.kind], away) if place.kind in gone else f"sqlite:///{away}"
    place.desk.environment["LEGACY"] = away
    found = place.look()
    assert {(one.severity, one.system) for one in found} == {("error", "legacy"), ("warning", "new")}


@pytest.mark.parametrize("place", BOTH, indirect=True)
def test_rights_that_a_role_lacks_are_errors_with_the_statement_that_grants_them(place):
    place.write(extract="staged")
    secret = "Gr4nt-me"
    if place.kind == "postgres":
        role = f"poor_{place.run('new', 'select pg_backend_pid()')[0][0]}"
        place.run("new", f"create role {role} login password '{secret}'")
        place.run("new", "revoke create on schema public from public")
        place.run("new", f"grant insert on person to {role}")
        place.run("legacy", f"grant select on customers, orders to {role}")
    else:
        role = f"poor{place.run('new', 'select connection_id()')[0][0]}"
        databases = [re.search(r"/([^/?]+)(?:\?.*)?$", place.desk.environment[name])[1] for name in ("LEGACY", "NEW")]
        place.run("new", f"create user {role}@'%' identified by '{secret}'")
        place.run("new", f"grant select, insert on {databases[1]}.person to {role}@'%'")
        place.run("new", f"grant select on {databases[1]}.charge to {role}@'%'")
        for table in ("customers", "orders"):
            place.run("legacy", f"grant select on {databases[0]}.{table} to {role}@'%'")
    for name in ("LEGACY", "NEW"):
        url = place.desk.environment[name]
        place.desk.environment[name] = re.sub(r"://[^@]*@", f"://{role}:{secret}@", url)
    try:
        found = place.look()
        errors = " | ".join(f"{one.text} -> {one.remedy}" for one in found if one.severity == "error")
        assert "charge" in errors
        assert "notes" in errors
        assert "GRANT INSERT" in errors or "INSERT" in errors
        assert secret not in str(found)
    finally:
        if place.kind == "mysql":
            place.run("new", f"drop user {role}@'%'")
        else:
            for which in ("legacy", "new"):
                place.run(which, f"drop owned by {role}")
            place.run("new", f"drop role {role}")


def test_every_missing_table_of_every_system_is_named_at_once(place):
    for which, table in (("legacy", "orders"), ("legacy", "notes"), ("new", "person"), ("new", "charge")):
        place.run(which, f"drop table {table}")
    found = place.look()
    assert {(one.severity, one.system, one.table) for one in found} == {
        ("error", "legacy", "orders"), ("error", "legacy", "notes"), ("error", "new", "person"), ("error", "new", "charge"),
    }  # fmt: skip
    assert all(one.remedy.startswith("Tables that are there") for one in found)


def test_unit_keys_that_are_null_or_come_twice_are_counted_and_named(place):
    place.write(extract="staged")
    place.run("legacy", "drop table customers")
    place.run("legacy", "create table customers (id int, name varchar(40) not null)")
    assert [(one.severity, one.table, one.text) for one in place.look()] == [
        ("error", "customers", "there is no unit to move: the table has no rows")
    ]
    place.run("legacy", "insert into customers values (1, 'a'), (2, 'b'), (2, 'c'), (2, 'd')")
    (found,) = place.look()
    assert (found.severity, found.table) == ("error", "customers")
    assert "2 rows repeat a unit key (for example 2)" in found.text
    place.run("legacy", "insert into customers values (null, 'a')")
    (found,) = place.look()
    assert "customers.id is NULL in 1 row:" in found.text


@pytest.mark.parametrize("place", BOTH, indirect=True)
def test_a_refused_login_is_told_once_and_without_the_password(place):
    place.write(extract="staged")
    url = place.desk.environment["LEGACY"]
    place.desk.environment["LEGACY"] = re.sub(r"://[^@]*@", "://nobody_here:Gr4nt-me@", url)
    (found,) = place.look()
    assert (found.severity, found.system, found.table) == ("error", "legacy", "")
    assert "nobody_here" in found.text
    assert "Gr4nt-me" not in str(found)


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_rights_on_ledger_sequences_and_single_columns_are_told_with_their_grants(place):
    place.write(extract="staged")
    role = f"poor_{place.run('new', 'select pg_backend_pid()')[0][0]}"
    place.run("new", "drop table person")
    place.run("new", "create table person (id serial primary key, name varchar(40) not null)")
    place.run("new", f"create role {role} login password 'x'")
    place.run("new", "revoke create on schema public from public")
    place.run("new", f"grant select, insert on person, charge to {role}")
    place.run("legacy", f"grant select on customers, notes to {role}")
    place.run("legacy", f"grant select (oid, cid) on orders to {role}")
    admin = dict(place.desk.environment)
    for name in ("LEGACY", "NEW"):
        place.desk.environment[name] = re.sub(r"://[^@]*@", f"://{role}:x@", admin[name])
    try:
        said = {(one.severity, one.system, one.table): one.text + " -> " + one.remedy for one in place.look()}
        assert said.keys() == {("error", "new", ""), ("error", "new", "person"), ("error", "legacy", "orders")}
        assert "may not make the ledger in schema public -> Let a DBA make it" in said["error", "new", ""]
        assert f'GRANT UPDATE ON SEQUENCE public.person_id_seq TO "{role}"' in said["error", "new", "person"]
        assert f'GRANT SELECT ("amount") ON "public"."orders" TO "{role}"' in said["error", "legacy", "orders"]
        for which in (("new", "person"), ("legacy", "orders")):
            place.run(which[0], said["error", *which].partition(" -> ")[2])
        place.run("new", f"grant create on schema public to {role}")
        assert place.look() == []
        text = (place.desk.job / "job.yaml").read_text() + "outputs: {new.person: {mode: upsert}}\n"
        (place.desk.job / "job.yaml").write_text(text)
        (found,) = place.look()
        assert (found.severity, "UPDATE" in found.text + found.remedy) == ("error", True)
    finally:
        for which in ("legacy", "new"):
            place.run(which, f"drop owned by {role}")
        place.run("new", f"drop role {role}")


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_disk_too_small_is_a_warning_of_state_directory_and_target(place, monkeypatch):
    place.write(extract="staged")
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    assert [(one.severity, one.system) for one in place.look()] == [("warning", "state directory"), ("warning", "new")]


@pytest.mark.parametrize("place", ["postgres", "mysql"], indirect=True)
def test_behind_a_view_the_tables_are_to_be_indexed(place):
    place.run("legacy", "alter table orders rename to sales")
    place.run("legacy", "create view orders as select oid, cid, amount from sales")
    (found,) = place.look()
    assert (found.table, found.column) == ("orders", "cid")
    assert found.remedy.startswith("Index cid in the tables behind ")
    place.run("legacy", "create index sales_cid on sales (cid)")
    assert place.look() == []


def test_rows_that_stand_there_are_expected_by_an_output_that_updates(place):
    place.write(extract="staged")
    place.run("new", "insert into person values (7, 'somebody')")
    text = (place.desk.job / "job.yaml").read_text() + "outputs: {new.person: {mode: upsert}}\n"
    (place.desk.job / "job.yaml").write_text(text)
    assert place.look() == []
