"""Rows out of PostgreSQL as Arrow, over binary COPY (ADBC), on one connection."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import adbc_driver_manager
import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa

from ludb.dialects.postgres import PostgresSystem, conninfo, session, translate

_HINT = "adbc.postgresql.batch_size_hint_bytes"


class Stream:
    """A read-only connection; `query` streams, one query at a time."""

    def __init__(self, settings: PostgresSystem, system: str) -> None:
        """Connect. `TransientError` where the server is away, `ConfigError` where it never answers."""
        self._system, self._fetch_bytes = system, settings.fetch_bytes
        try:
            self._connection = adbc.connect(conninfo(settings), autocommit=True)
            for statement in session(settings, write=False):
                self.execute(statement)
        except adbc_driver_manager.Error as error:
            raise translate(error, system, "connect") from error

    def execute(self, statement: str) -> None:
        """A statement without rows."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
        except adbc_driver_manager.Error as error:
            raise translate(error, self._system, "read") from error

    def query(self, sql: str) -> Iterator[pa.Table]:
        """The rows in pieces of about `fetch_bytes`; at least one piece. Errors by what happens next."""
        try:
            with self._connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{_HINT: str(self._fetch_bytes)})
                cursor.execute(sql)
                reader = cursor.fetch_record_batch()
                empty = True
                for batch in reader:
                    empty = False
                    yield pa.Table.from_batches([batch])
                if empty:
                    yield reader.schema.empty_table()
        except (adbc_driver_manager.Error, OSError, pa.ArrowException) as error:
            raise translate(error, self._system, "read") from error

    def close(self) -> None:
        """End the connection, whatever state it is in."""
        with contextlib.suppress(adbc_driver_manager.Error):
            self._connection.close()
