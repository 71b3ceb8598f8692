"""What only a database could show is told by its line of the job, as what is wrong in the job itself."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError, ConfigErrors
from ludb.project.places import path_of, placed
from ludb.project.yaml_text import read_yaml
from ludb.service.planning import plan_run

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
