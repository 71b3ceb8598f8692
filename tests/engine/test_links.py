"""Links lead across systems, back to the table itself and out of the unit: every row arrives once, or is told."""

from __future__ import annotations

import pytest

from ludb.model.run import RunState

# -- several systems ----------------------------------------------------------------------------------------------------


def several(desk, job_text, *, unit: str, chunk: int = 2) -> None:
    """Customers in one database, contracts in another, notes in a CSV file, note lines in the second database again."""
    desk.database(
        "legacy",
        "create table customers (id integer primary key, name text);"
        "insert into customers values (1,'Ann'),(2,'Bo'),(3,'Cy'),(4,'Di');",
    )
    desk.database(
        "second",
        """
        create table contracts (kid integer primary key, cid int);
        create table note_lines (note int, line text);
        insert into contracts values (11,1),(12,1),(21,2),(41,4),(91,9);
        insert into note_lines values (100,'a'),(100,'b'),(101,'c'),(102,'d'),(777,'lost'),(109,'below an orphan');
        """,
    )
    folder = desk.folder / "export"
    folder.mkdir()
    (folder / "notes.csv").write_text(
        "kid,note,said\n21,101,late\n11,100,early\n41,102,\n91,109,orphan\n66,110,orphan\n"
    )
    desk.environment["EXPORT"] = str(folder)
    desk.database("new", "create table line (customer int, contract int, note int, said text, line text)")
    systems = """
  second: {type: sqlite, url: "${SECOND}"}
  export: {type: files, path: "${EXPORT}", tables: {notes: {types: {kid: integer, note: integer}}}}"""
    desk.write(
        {
            "job.yaml": job_text(unit, systems=systems, chunk=chunk),
            "steps/10_a/new.line.sql": """
                select l.unit_key, l.unit_key as customer, kid as contract, note, said, line
                from second.note_lines l join export.notes n using (unit_key, note)""",
        }
    )


SEVERAL_UNIT = """
  root: legacy.customers
  key: id
  tables:
    second.contracts: {parent: customers, on: {cid: id}}
    export.notes: {parent: contracts, on: kid}
    second.note_lines: {parent: notes, on: note}
"""


def test_one_customer_is_gathered_from_two_databases_and_a_file(desk, job_text, balanced):
    several(desk, job_text, unit=SEVERAL_UNIT)
    summary = desk.run()
    assert desk.rows("new", "select * from line order by 1, 5") == [
        (1, 11, 100, "early", "a"), (1, 11, 100, "early", "b"), (2, 21, 101, "late", "c"), (4, 41, 102, None, "d"),
    ]  # fmt: skip
    orphans = summary.run.notes["orphans"]
    told = {name: (found["count"], found["direct"]) for name, found in orphans.items()}
    assert told == {"contracts": (1, 1), "notes": (2, 1), "note_lines": (2, 1)}
    assert balanced(summary)


def test_a_value_that_a_file_cannot_deliver_rejects_its_own_customer_and_no_other(desk, job_text):
    several(desk, job_text, unit=SEVERAL_UNIT)
    (desk.folder / "export" / "notes.csv").write_text("kid,note,said\n21,101,late\n11,bad,early\n41,102,\n")
    summary = desk.run()
    found = desk.set_aside(summary.run.id)
    assert found.keys() == {"1"}
    assert "notes.note" in found["1"].reason
    assert "bad" not in found["1"].message
    assert "bad" in found["1"].detail
    assert desk.rows("new", "select customer from line order by 1") == [(2,), (4,)]


# -- self references ----------------------------------------------------------------------------------------------------


def tree(desk, job_text, script: str, chunk: int = 2) -> None:
    desk.database(
        "legacy",
        f"""
        create table customers (id integer primary key);
        create table accounts (aid int, cid int, parent int, name text);
        create table entries (aid int, amount int);
        insert into customers values (1),(2),(3);
        {script}
        """,
    )
    desk.database(
        "new", "create table account (customer int, name text); create table entry (customer int, amount int);"
    )
    desk.write(
        {
            "job.yaml": job_text(
                """
  root: legacy.customers
  key: id
  tables:
    accounts: {parent: customers, on: {cid: id}, recursive: {parent: aid}}
    entries: {parent: accounts, on: aid}
""",
                chunk=chunk,
            ),
            "steps/10_a/new.account.sql": "select unit_key, unit_key as customer, name from legacy.accounts",
            "steps/10_a/new.entry.sql": "select unit_key, unit_key as customer, amount from legacy.entries",
        }
    )


def test_case_58_a_self_reference_is_walked_to_its_end_and_a_circle_ends_too(desk, job_text, balanced):
    tree(
        desk,
        job_text,
        """
        insert into accounts values (1,1,null,'a'),(2,null,1,'a.a'),(3,null,2,'a.a.a'),(4,null,3,'a.a.a.a'),(5,1,1,'a.b'),
          (6,2,8,'circle'),(7,null,6,'circle.a'),(8,null,7,'circle.b'),(20,null,99,'orphan'),(21,null,20,'below');
        insert into entries values (4,40),(1,10),(8,80),(21,1);
        """,
        chunk=1,
    )
    summary = desk.run()
    assert desk.rows("new", "select * from account order by 1, 2") == [
        (1, "a"), (1, "a.a"), (1, "a.a.a"), (1, "a.a.a.a"), (1, "a.b"), (2, "circle"), (2, "circle.a"), (2, "circle.b"),
    ]  # fmt: skip
    assert desk.rows("new", "select * from entry order by 1, 2") == [(1, 10), (1, 40), (2, 80)]
    assert {line.table: line.orphans for line in summary.source} == {"customers": 0, "accounts": 2, "entries": 1}
    assert balanced(summary)


def test_case_58_rows_below_a_self_reference_arrive_once_even_where_keys_are_missing_or_repeated(
    desk, job_text, balanced
):
    tree(
        desk,
        job_text,
        """
        insert into accounts values (1,1,null,'a'),(1,null,1,'same number'),(null,1,1,'no number'),(null,null,1,'no number'),
          (2,1,1,'two ways'),(3,null,2,'x'),(3,null,2,'x');
        insert into entries values (1,10),(2,20);
        """,
    )
    summary = desk.run()
    assert desk.rows("new", "select name, count(*) from account group by 1 order by 1") == [
        ("a", 1), ("no number", 2), ("same number", 1), ("two ways", 1), ("x", 2),
    ]  # fmt: skip
    assert desk.rows("new", "select * from entry order by 1, 2") == [(1, 10), (1, 20)]
    assert balanced(summary)


def test_rows_below_a_self_reference_in_another_system_are_found_too(desk, job_text, balanced):
    desk.database("legacy", "create table customers (id integer primary key); insert into customers values (1),(2);")
    desk.database(
        "second",
        """
        create table accounts (aid int, cid int, parent int);
        create table entries (aid int, amount int);
        insert into accounts values (1,1,null),(2,null,1),(3,null,2),(4,2,null),(5,null,4);
        insert into entries values (1,10),(2,20),(3,30),(5,50),(6,60);
        """,
    )
    desk.database("new", "create table entry (customer int, amount int)")
    unit = """
  root: legacy.customers
  key: id
  tables:
    second.accounts: {parent: customers, on: {cid: id}, recursive: {parent: aid}}
    second.entries: {parent: accounts, on: aid}
"""
    desk.write(
        {
            "job.yaml": job_text(unit, systems='  second: {type: sqlite, url: "${SECOND}"}', chunk=1),
            "steps/10_a/new.entry.sql": "select unit_key, unit_key as customer, amount from second.entries",
        }
    )
    summary = desk.run()
    assert desk.rows("new", "select * from entry order by 2") == [(1, 10), (1, 20), (1, 30), (2, 50)]
    assert summary.run.notes["orphans"]["entries"]["count"] == 1
    assert balanced(summary)


# -- second parents and shared rows ---------------------------------------------------------------------------------------


def payments(desk, job_text, on_stray: str, chunk: int, script: str = "") -> None:
    desk.database(
        "legacy",
        f"""
        create table customers (id integer primary key, name text);
        create table payments (pid integer primary key, cid int, iid int, amount int);
        create table invoices (iid integer primary key, cid int);
        create table slips (pid int, text text);
        insert into customers values (1,'Ann'),(2,'Bo'),(3,'Cy'),(4,'Di');
        insert into invoices values (10,1),(20,2),(30,3),(40,4);
        insert into payments values (1,1,10,5),(2,2,30,6),(3,3,30,7),(4,4,null,8),(5,4,99,9),(6,2,20,1);
        insert into slips values (1,'one'),(2,'two');
        {script}
        """,
    )
    desk.database(
        "new",
        "create table payment (pid integer primary key, cid int); create table slip (pid int references payment);",
    )
    desk.write(
        {
            "job.yaml": job_text(
                f"""
  root: legacy.customers
  key: id
  tables:
    payments: {{parent: customers, on: {{cid: id}}, also: {{invoices: iid}}, on_stray: {on_stray}}}
    slips: {{parent: payments, on: pid, on_stray: {on_stray}}}
    invoices: {{parent: customers, on: {{cid: id}}}}
""",
                chunk=chunk,
            ),
            "steps/10_a/new.payment.sql": "select unit_key, pid, cid from legacy.payments",
            "steps/10_a/new.slip.sql": "select unit_key, pid from legacy.slips",
        }
    )


@pytest.mark.parametrize("chunk", [1, 4])
def test_case_58_a_payment_on_another_customers_invoice_rejects_its_customer_by_name(desk, chunk, job_text, balanced):
    payments(desk, job_text, "reject", chunk)
    summary = desk.run()
    found = desk.set_aside(summary.run.id)
    assert found.keys() == {"2", "4"}
    assert found["2"].reason == "payments.iid points to a row of invoices outside the unit"
    assert '"pid": 2' in found["2"].source_rows
    assert desk.rows("new", "select pid from payment order by 1") == [(1,), (3,)]
    assert balanced(summary)


@pytest.mark.parametrize("chunk", [1, 4])
def test_a_stray_that_is_only_warned_about_is_dropped_with_what_hangs_below_it_and_counted(
    desk, chunk, job_text, balanced
):
    payments(desk, job_text, "warn", chunk)
    summary = desk.run()
    assert summary.run.state is RunState.COMPLETED
    assert desk.rows("new", "select pid from payment order by 1") == [(1,), (3,), (4,), (6,)]
    assert desk.rows("new", "select pid from slip") == [(1,)]
    assert {line.table: line.stray for line in summary.source if line.stray} == {"payments": 2, "slips": 1}
    assert summary.warnings["payments.iid points to a row of invoices outside the unit"] == 2
    assert balanced(summary)


def test_strays_are_counted_once_when_the_chunk_is_taken_apart_and_tried_again(desk, job_text, balanced):
    payments(desk, job_text, "warn", 4)
    (desk.job / "steps/10_a/new.slip.sql").write_text(
        "select unit_key, (case when unit_key = 4 then 'x' else pid::text end)::int as pid from legacy.slips "
        "union all select unit_key, error('no')::int from legacy.customers where id in (2, 3)"
    )
    summary = desk.run()
    assert desk.set_aside(summary.run.id).keys() == {"2", "3"}
    assert {line.table: line.stray for line in summary.source if line.stray} == {"payments": 1}
    assert balanced(summary)
    desk.write({"steps/10_a/new.slip.sql": "select unit_key, pid from legacy.slips"})
    desk.site.repository.chunks.retry(summary.run.id, [1, 2])
    summary = desk.go_on(summary.run.id)
    assert {line.table: line.stray for line in summary.source if line.stray} == {"payments": 2, "slips": 1}
    assert summary.run.state is RunState.COMPLETED
    assert balanced(summary)


def shared(desk, job_text, on_stray: str, chunk: int, *, files: bool) -> None:
    """Ann and Cy live at one address: whose are the meters there?"""
    desk.database(
        "legacy",
        """
        create table customers (id integer primary key, address int);
        insert into customers values (1,70),(2,80),(3,70),(4,90);
        create table meters (no integer primary key, address int);
        insert into meters values (1,70),(2,80),(3,70);
        create table readings (no int, value int);
        insert into readings values (1,11),(2,22),(3,33);
        """,
    )
    folder = desk.folder / "export"
    folder.mkdir()
    (folder / "meters.csv").write_text("no,address\n1,70\n2,80\n3,70\n")
    (folder / "readings.csv").write_text("no,value\n1,11\n2,22\n3,33\n")
    desk.environment["EXPORT"] = str(folder)
    desk.database("new", "create table meter (no int); create table reading (value int);")
    systems = """
  export:
    type: files
    path: "${EXPORT}"
    tables:
      meters: {types: {no: integer, address: integer}}
      readings: {types: {no: integer, value: integer}}"""
    home = "export" if files else "legacy"
    desk.write(
        {
            "job.yaml": job_text(
                f"""
  root: legacy.customers
  key: id
  tables:
    {home}.meters: {{parent: customers, on: address, on_stray: {on_stray}}}
    {home}.readings: {{parent: meters, on: no, on_stray: {on_stray}}}
""",
                systems=systems,
                chunk=chunk,
            ),
            "steps/10_a/new.meter.sql": f"select unit_key, no from {home}.meters",
            "steps/10_a/new.reading.sql": f"select unit_key, value::int as value from {home}.readings",
        }
    )


@pytest.mark.parametrize("files", [False, True], ids=["sqlite", "files"])
@pytest.mark.parametrize("chunk", [1, 4])
def test_case_58_a_row_that_two_customers_claim_rejects_both_by_name_also_where_chunks_part_them(
    desk, chunk, files, job_text, balanced
):
    shared(desk, job_text, "reject", chunk, files=files)
    summary = desk.run()
    found = desk.set_aside(summary.run.id)
    assert {key: unit.reason for key, unit in found.items()} == dict.fromkeys(
        ("1", "3"), "meters: a row belongs to several units by address"
    )
    assert desk.rows("new", "select no from meter") == [(2,)]
    assert desk.rows("new", "select value from reading") == [(22,)]
    assert balanced(summary)


@pytest.mark.parametrize("files", [False, True], ids=["sqlite", "files"])
@pytest.mark.parametrize("chunk", [1, 4])
def test_a_row_that_two_customers_claim_moves_with_neither_where_it_is_only_warned_about(
    desk, chunk, files, job_text, balanced
):
    shared(desk, job_text, "warn", chunk, files=files)
    summary = desk.run()
    assert summary.run.state is RunState.COMPLETED
    assert desk.rows("new", "select no from meter") == [(2,)]
    assert desk.rows("new", "select value from reading") == [(22,)]
    assert {line.table: line.stray for line in summary.source if line.stray} == {"meters": 2, "readings": 2}
    assert balanced(summary)
