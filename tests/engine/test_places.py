"""What only a database could show is told by its line of the job, as what is wrong in the job itself."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError, ConfigErrors
from ludb.project.folder import read_job
from ludb.project.load import load_migration
from ludb.project.places import path_of, placed
from ludb.project.yaml_text import read_yaml
from ludb.service.examine import examine
from ludb.service.planning import plan_run
from ludb.service.runs import start
from ludb.service.staging import take_of
from ludb.service.trial import try_unit

JOB = """
name: shop
systems:
  legacy: {type: sqlite, url: "${LEGACY}"}
  new:    {type: sqlite, url: "${NEW}"}
unit:
  root: legacy.customers
  key: id
  tables:
    orders:
      parent: customers
      on: {custmer: id}
outputs:
  new.account: {mode: insert}
"""


@pytest.fixture
def shop(desk):
    desk.database("legacy", "create table customers (id int); create table orders (oid int, customer int);")
    desk.database("new", "create table account (id integer primary key);")
    desk.write({"job.yaml": JOB, "steps/10_a/new.account.sql": "select unit_key, id from legacy.customers"})
    return desk


def test_a_column_that_is_not_there_is_told_with_the_line_of_its_table(shop):
    with pytest.raises(ConfigErrors, match="custmer") as caught:
        plan_run(shop.site, shop.job, {})
    assert [(error.file, error.line, error.column) for error in caught.value.errors] == [("job.yaml", 10, 5)]


def test_a_root_without_rows_is_told_with_its_line(shop):
    shop.write({"job.yaml": JOB.replace("custmer", "customer")})
    with pytest.raises(ConfigError, match="no rows") as caught:
        plan_run(shop.site, shop.job, {})
    assert (caught.value.file, caught.value.line) == ("job.yaml", 7)


def test_names_with_dots_are_found_and_what_is_nowhere_is_left_as_it_is(shop):
    text = read_yaml(shop.job / "job.yaml", "job.yaml")
    assert path_of("outputs.new.account.row", text) == ("outputs", "new.account")
    for error in (ConfigError("x", field="url"), ConfigError("x", file="steps/a.sql", field="unit"), ConfigError("x")):
        with pytest.raises(ConfigError), placed(shop.job):
            raise error
        assert error.line is None


def test_a_trial_a_take_and_a_look_name_the_line_too(shop):
    job = read_job(shop.job, shop.environment)
    migration = load_migration(job.folder, environment=shop.environment, state=shop.state, reference={}, parameters={})
    found = examine(shop.site, job, migration)
    assert any(one.text.startswith("job.yaml:10:5: ") and "custmer" in one.text for one in found)
    assert len([one for one in found if one.table == "orders"]) == 1  # no price of a link that is not there
    for ask in (
        lambda: try_unit(shop.site, shop.job, {}, "1"),
        lambda: take_of(shop.site, job, migration, "legacy"),
    ):
        with pytest.raises(ConfigErrors, match="custmer") as caught:
            ask()
        assert [(error.file, error.line, error.column) for error in caught.value.errors] == [("job.yaml", 10, 5)]
    migration.close()


def test_going_on_with_a_run_names_the_line_too(shop):
    shop.write({"job.yaml": JOB.replace("custmer", "customer")})
    shop.database("legacy", "insert into customers values (1);")
    start(shop.site, shop.job, {}).lock.release()
    shop.database("legacy", "alter table orders rename column customer to client")
    with pytest.raises(ConfigErrors, match="no column") as caught:
        start(shop.site, shop.job, {})
    assert [(error.file, error.line, error.column) for error in caught.value.errors] == [("job.yaml", 10, 5)]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("legacy.customers\n", "legacy.clients\n", ("job.yaml", 7, 3)),
        ("${LEGACY}", "gone.sqlite", ("job.yaml", 4, 26)),
        ("${NEW}", "gone.sqlite", ("job.yaml", 5, 26)),
        ("new.account: {", "new.account: {", ("steps/10_a/new.account.sql", None, None)),
    ],
)
def test_a_table_or_a_database_that_is_not_there_is_told_where_the_job_names_it(shop, old, new, place):
    text = JOB.replace("custmer", "customer").replace(
        "parent: customers", "parent: clients" if "clients" in new else "parent: customers"
    )
    shop.write({"job.yaml": text.replace(old, new)})
    if place[0] != "job.yaml":
        shop.database("new", "drop table account; create table accounts (id int);")
    if "clients" in new:
        shop.write({"steps/10_a/new.account.sql": "select unit_key, id from legacy.clients"})
    shop.database("legacy", "insert into customers values (1);")
    with pytest.raises(ConfigError, match=r"no table|no database") as caught:
        plan_run(shop.site, shop.job, {})
    assert (caught.value.file, caught.value.line, caught.value.column) == place
