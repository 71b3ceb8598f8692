"""What `ludb init` makes of a schema: the root, the links, what is shared, what is left out."""

from __future__ import annotations

import sqlite3

import pytest

from ludb.dialects.sqlite_schema import shapes
from ludb.errors import ConfigError
from ludb.model.shape import TableShape
from ludb.project.proposal import SMALL, propose, rank
from ludb.project.scaffold import Plan, draft
from ludb.project.yaml_text import read_yaml

FILES = {"legacy": {"type": "sqlite", "url": "x.db"}, "new": {"type": "files", "path": "out"}}


@pytest.fixture
def schema():
    def make(script: str) -> list[TableShape]:
        connection = sqlite3.connect(":memory:")
        try:
            connection.executescript(script)
            return shapes(connection, "legacy")
        finally:
            connection.close()

    return make


def links(proposal) -> dict[str, tuple]:
    return {m.shape.name: (m.link.parent, m.link.pairs, m.link.guessed) for m in proposal.members[1:]}


def test_a_table_called_customer_is_the_root_though_more_hangs_below_another(schema):
    found = schema(
        "create table region (id integer primary key); create table shop (id integer primary key, r int references region);"
        "create table kunden (id integer primary key, s int references shop);"
        "create table bon (id integer primary key, k int references kunden);"
    )
    ranked = rank(found)
    assert ranked[0].table == "kunden"
    assert "means whom one moves" in ranked[0].reasons[0]
    assert {candidate.table for candidate in ranked} == {"region", "shop", "kunden", "bon"}


@pytest.mark.parametrize("name", ["customers", "tbl_Customer", "KUNDE", "Parties", "LEGACY_ACCOUNTS"])
def test_usual_names_of_whom_one_moves_are_known_in_singular_and_plural(schema, name):
    found = schema(f"create table aaa (id integer primary key); create table {name} (id integer primary key);")
    assert rank(found)[0].table == name


def test_without_a_telling_name_the_table_with_most_below_it_is_proposed(schema):
    found = schema(
        "create table x (id integer primary key); create table y (id integer primary key, x int references x);"
        "create table z (id integer primary key, y int references y);"
    )
    assert [candidate.table for candidate in rank(found)] == ["x", "y", "z"]


def test_a_second_link_is_also_and_a_self_reference_recursive(schema):
    found = schema(
        "create table customer (id integer primary key, friend int references customer);"
        "create table invoice (id integer primary key, payer int not null references customer);"
        "create table payment (id integer primary key, i int references invoice, c int not null references customer,"
        " part_of int references payment);"
    )
    proposal = propose(found, "customer")
    payment = proposal.members[2]
    assert (payment.link.parent, payment.link.pairs) == ("customer", (("c", "id"),))
    assert [(arrow.parent, arrow.pairs) for arrow in payment.also] == [("invoice", (("i", "id"),))]
    assert payment.recursive.pairs == (("part_of", "id"),)
    assert proposal.members[0].recursive is None
    assert "friend" in proposal.members[0].notes[0]


def test_composite_foreign_keys_stay_whole(schema):
    found = schema(
        "create table customer (id integer primary key);"
        "create table orders (shop int, no int, c int references customer, primary key (shop, no));"
        "create table line (in_shop int, in_no int, n int, foreign key (in_shop, in_no) references orders (shop, no));"
    )
    assert links(propose(found, "customer"))["line"] == ("orders", (("in_shop", "shop"), ("in_no", "no")), False)


def test_links_that_nobody_declared_are_guessed_by_names_and_types_and_marked(schema):
    found = schema(
        "create table customers (id integer primary key, name text);"
        "create table orders (order_no int, part int, CustomerId integer, name text, primary key (order_no, part));"
        "create table items (order_no int, part int, item int, customer_id text);"
        "create table tariffs (tariff_code varchar(9) primary key);"
        "create table uses (tariff_code varchar(9), order_no int, part int);"
        "create table other (id integer primary key, name text);"
    )
    proposal = propose(found, "customers")
    assert links(proposal) == {
        "orders": ("customers", (("CustomerId", "id"),), True),
        "items": ("orders", (("order_no", "order_no"), ("part", "part")), True),  # customer_id is text: no link
        "uses": ("orders", (("order_no", "order_no"), ("part", "part")), True),
    }
    assert [shape.name for shape in proposal.reference] == ["tariffs"]
    assert proposal.left_out == {"other": "no link leads from customers to it"}
    text = draft(Plan("t", proposal, FILES)).files["job.yaml"]
    line = next(line for line in text.splitlines() if line.strip().startswith("orders:"))
    assert "# a guess by names: no foreign key says so (customers)" in line


def test_a_table_of_one_to_one_hangs_below_the_one_its_key_is_named_after(schema):
    found = schema(
        "create table customer (customer_id integer primary key);"
        "create table customer_detail (customer_id integer primary key, note text);"
    )
    assert links(propose(found, "customer")) == {
        "customer_detail": ("customer", (("customer_id", "customer_id"),), True)
    }


def test_foreign_keys_in_a_circle_end_and_are_told(schema):
    found = schema(
        "create table customer (id integer primary key, home int references address);"
        "create table address (id integer primary key, c int references customer, d int references deed);"
        "create table deed (id integer primary key, a int references address);"
    )
    proposal = propose(found, "customer")
    assert {name: parent for name, (parent, _, _) in links(proposal).items()} == {
        "address": "customer",
        "deed": "address",
    }
    assert "circle" in proposal.members[0].notes[0]
    assert "circle" in proposal.members[1].notes[0]


def test_a_large_shared_table_is_left_out_with_its_reason_and_a_small_one_is_reference_with_what_it_names(schema):
    found = schema(
        "create table kind (id integer primary key); create table tariff (id integer primary key, k int references kind);"
        "create table city (id integer primary key);"
        "create table customer (id integer primary key, t int references tariff, c int references city);"
        f"with recursive n(i) as (select 1 union all select i + 1 from n where i <= {SMALL}) insert into city select i from n;"
        "create view everybody as select * from customer; create view broken as select * from gone;"
    )
    proposal = propose(found, "customer")
    assert [shape.name for shape in proposal.reference] == ["kind", "tariff"]
    assert proposal.left_out["city"].startswith("shared by all units, and too large")
    assert proposal.left_out["everybody"] == proposal.left_out["broken"] == "a view"


def test_only_the_tables_that_were_named_are_moved_and_one_that_is_out_of_reach_is_refused(schema):
    found = schema(
        "create table customer (id integer primary key);"
        "create table invoice (id integer primary key, c int references customer);"
        "create table line (id integer primary key, i int references invoice); create table note (c int references customer);"
    )
    proposal = propose(found, "customer", ["INVOICE"])
    assert [m.shape.name for m in proposal.members] == ["customer", "invoice"]
    assert proposal.left_out == {"line": "not named in --tables", "note": "not named in --tables"}
    with pytest.raises(ConfigError, match="no link leads from customer to line"):
        propose(found, "customer", ["line"])
    with pytest.raises(ConfigError, match=r"no table 'invoices'. Did you mean invoice"):
        propose(found, "customer", ["invoices"])


def test_a_root_without_a_key_gets_one_by_name_or_is_refused(schema):
    found = schema("create table customer (customer_no text, name text); create table log (said text);")
    proposal = propose(found, "customer")
    assert (proposal.key, proposal.key_guessed) == (("customer_no",), True)
    assert "# a guess by its name" in draft(Plan("t", proposal, FILES)).files["job.yaml"]
    with pytest.raises(ConfigError, match="log has no primary key"):
        propose(found, "log")


def test_names_that_differ_in_case_only_or_fit_no_file_get_a_name_of_their_own(schema, tmp_path):
    (customer,) = schema("create table customer (id integer primary key)")
    children = schema(
        'create table "a/b.c" (id integer primary key, c int references customer);'
        "create table customer (id integer primary key)"
    )
    child = children[0]
    twins = [TableShape(name, child.columns, child.key, child.foreign_keys, 1) for name in ("Note", "NOTE", "a/b.c")]
    made = draft(Plan("t", propose([customer, *twins], "customer"), FILES))
    steps = {name.split("/")[-1] for name in made.files if name.startswith("steps/20")}
    assert steps == {"new.Note.sql", "new.NOTE_2.sql", "new.a_b_c.sql"}
    assert len({name.lower() for name in made.files}) == len(made.files)
    (tmp_path / "job.yaml").write_text(made.files["job.yaml"])
    tables = read_yaml(tmp_path / "job.yaml", "job.yaml").data["unit"]["tables"]
    assert tables["NOTE_2"]["table"] == "NOTE"
    assert tables["a_b_c"]["table"] == "legacy.a/b.c"


def test_a_step_fits_its_target_and_says_what_the_target_lacks_or_needs(schema):
    source = schema(
        "create table customer (id integer primary key, Name text, fax text, total int);"
        "create table invoice (id integer primary key, c int references customer);"
    )
    target = schema(
        "create table Customer (ID integer primary key, name text, total int generated always as (1), region text not null)"
    )
    made = draft(Plan("t", propose(source, "customer"), FILES, target))
    step = made.files["steps/10_customer/new.Customer.sql"]
    lines = [line.strip() for line in step.splitlines()[2:-1]]
    selected = [line.split("  --")[0].rstrip(", ") for line in lines if not line.startswith("--")]
    assert selected == ["unit_key", "id AS ID", "Name AS name"]
    assert "-- fax,  -- TEXT: string; new.Customer has no such column" in step
    assert "-- ... AS region,  -- TEXT: the target needs it" in step
    assert made.missing == {"customer.(fax)": "new.Customer has no such column", "invoice": "new has no such table"}
    assert "new.Customer needs region" in made.notes[0]
