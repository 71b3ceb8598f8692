"""Stores that a test may fill; and the page of outcomes, which `make fidelity` writes from what all tests have found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.fidelity.moving")

from tests.fidelity.stores import Files, Mysql, Postgres, Sqlite  # noqa: E402  (after the rewrite is registered)


@pytest.fixture
def store(request, tmp_path):
    """Makes an empty store of a kind; it is gone after the test."""
    made = []

    def make(kind, role):
        if kind == "postgres":
            made.append(Postgres(request.getfixturevalue("postgres_server"), role))
        elif kind == "mysql":
            made.append(Mysql(request.getfixturevalue("mariadb_server"), role))
        elif kind == "sqlite":
            made.append(Sqlite(tmp_path / f"{role}.db"))
        else:
            made.append(Files(tmp_path / role))
        return made[-1]

    yield make
    for one in made:
        one.close()


FOUND = []


def pytest_runtest_logreport(report):
    FOUND.extend(tuple(found) for name, found in report.user_properties if name == "fidelity" and report.when == "call")


def pytest_sessionfinish(session, exitstatus):
    """Only a whole run that went well may write; workers hand their findings to the one that started them."""
    page = os.environ.get("LUDB_WRITE_FIDELITY")
    if page and exitstatus == 0 and not hasattr(session.config, "workerinput"):
        from ludb.testing.fidelity.page import render_page
        from tests.fidelity.numbered import count_by_case

        Path(page).write_text(render_page(FOUND, count_by_case()), encoding="utf-8")
