"""Opening a store: made on first use, brought up to date where it is older, refused where it is not ours or too new."""

from __future__ import annotations

from sqlalchemy import Connection, insert, inspect, select

from ludb.errors import ConfigError
from ludb.repositories.store.database import Database
from ludb.repositories.store.tables import SCHEMA_VERSION, meta
from ludb.repositories.store.types import metadata


def open_schema(database: Database) -> str:
    """The store's identity; makes the tables in an empty database, or brings older ones up to date. Safe for several
    processes at once.

    Raises `ConfigError` for a database that holds other tables, or a store of a newer version.
    """
    with database.write() as connection, database.alone(connection):
        tables = set(inspect(connection).get_table_names())
        if not _complete(connection, tables):
            if tables - set(metadata.tables):
                raise ConfigError(
                    f"{database.name} holds other tables and is not a job repository",
                    remedy="Name a new file, or an empty database, as --repository",
                )
            metadata.create_all(connection, checkfirst=bool(tables))
            identity = {"schema_version": SCHEMA_VERSION, "repository_id": database.new_id(), "seq": 0}
            connection.execute(insert(meta).values(one=1, created_at=database.now(), **identity))
        row = connection.execute(select(meta.c.schema_version, meta.c.repository_id)).one()
        if row.schema_version < SCHEMA_VERSION:
            _upgrade(connection, row.schema_version)
    if row.schema_version > SCHEMA_VERSION:
        raise ConfigError(
            f"job repository {database.name} has schema version {row.schema_version}, this program knows "
            f"up to {SCHEMA_VERSION}",
            remedy="Use the ludb version that wrote it, or a newer one",
        )
    return str(row.repository_id)


def _complete(connection: Connection, tables: set[str]) -> bool:
    """Whether the store was made to its end: its identity is written last."""
    return {meta.name, "segment", "chunk"} <= tables and connection.execute(select(meta.c.one)).first() is not None


def _upgrade(connection: Connection, version: int) -> None:
    # Few stores are ever older than their program, and the migrations' library is slow to load.
    from ludb.repositories.store.migrations import upgrade  # noqa: PLC0415  (as said)

    upgrade(connection, version)
