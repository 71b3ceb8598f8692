"""Hands on a real MariaDB."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urlsplit

import pymysql
import pytest


@pytest.fixture
def execute():
    """Runs a statement on a database's URL as its administrator: once, or for each of `rows`; gives what it answers."""

    def run(url: str, sql: str, rows: Sequence[tuple] | None = None) -> list[tuple]:
        parts = urlsplit(url)
        with (
            closing(
                pymysql.connect(
                    host=parts.hostname,
                    port=parts.port,
                    user="root",
                    database=parts.path[1:],
                    charset="utf8mb4",
                    autocommit=True,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            if rows is not None:
                cursor.executemany(sql, rows)
                return []
            cursor.execute(sql)
            return list(cursor.fetchall())

    return run
