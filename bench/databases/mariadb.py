"""The same rows in a MariaDB database, as another source of the same job."""

from __future__ import annotations

from pathlib import Path

import pymysql

from bench.databases.estate import PLACES, statements
from ludb.testing.services import Server

NAME = "legacy"


def load(server: Server, files: Path) -> str:
    """The tables with these files' rows and an index over orders' customers; returns the address of the database."""
    session = pymysql.connect(host="127.0.0.1", port=server.port, user="root", local_infile=True, autocommit=True)
    with session, session.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        cursor.execute(f"USE {NAME}")
        for table, ddl in zip(PLACES, statements("tables.sql"), strict=True):
            cursor.execute(ddl)
            path = str(files / f"{table}.csv").replace("'", "''")
            cursor.execute(
                f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table} FIELDS TERMINATED BY ','"
                " OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES"
            )
        cursor.execute("CREATE INDEX orders_custkey ON orders (o_custkey)")
        cursor.execute(f"ANALYZE TABLE {', '.join(PLACES)}")
    return server.url(NAME)
