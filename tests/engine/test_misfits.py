"""What no value of a column could survive is said by `ludb plan`, with the step's file, and not by the first chunk."""

from __future__ import annotations

import pytest

from ludb.errors import ConfigError, ConfigErrors
from ludb.service.planning import plan_run

UNIT = """
  root: legacy.customers
  key: id
"""
STEP = "steps/1/new.person.sql"


@pytest.fixture
def desk(desk, job_text):
    desk.database(
        "legacy", "create table customers (id integer primary key, photo blob); insert into customers values (1, x'ff')"
    )
    desk.database("new", "create table person (id integer primary key, photo text)")
    desk.write({"job.yaml": job_text(UNIT), STEP: "select unit_key, id, photo from legacy.customers"})
    return desk


def told(desk) -> list[ConfigError]:
    with pytest.raises(ConfigError) as caught:
        plan_run(desk.site, desk.job, {})
    return list(caught.value.errors) if isinstance(caught.value, ConfigErrors) else [caught.value]


def into(desk, system: str) -> None:
    text = (desk.job / "job.yaml").read_text()
    (desk.job / "job.yaml").write_text(text.replace('{type: sqlite, url: "${NEW}"}', system))


def test_bytes_for_a_text_column_of_postgres_are_refused_before_a_unit_moves(desk, postgres_database):
    into(
        desk, f'{{type: postgres, url: "{postgres_database("create table person (id int primary key, photo text)")}"}}'
    )
    (error,) = told(desk)
    assert "new.person, column photo" in str(error)
    assert (error.file, "encode()" in error.remedy) == (STEP, True)


def test_a_moment_with_a_zone_for_a_datetime_column_of_mariadb_is_refused_before_a_unit_moves(desk, mariadb_database):
    into(
        desk, f'{{type: mysql, url: "{mariadb_database("create table person (id int primary key, photo datetime)")}"}}'
    )
    desk.write({STEP: "select unit_key, id, now() as photo from legacy.customers"})  # a moment with a zone
    (error,) = told(desk)
    assert "new.person, column photo" in str(error)
    assert (error.file, bool(error.remedy)) == (STEP, True)


@pytest.mark.parametrize("system", ['{type: sqlite, url: "${NEW}"}', "{type: files, path: out, format: csv}"])
def test_a_list_for_a_column_that_holds_none_is_refused_before_a_unit_moves(desk, system):
    into(desk, system)
    desk.write({STEP: "select unit_key, id, [1, 2] as photo from legacy.customers"})
    (error,) = told(desk)
    assert "new.person, column photo" in str(error)
    assert error.file == STEP
