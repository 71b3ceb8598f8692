"""Opening a store: made on first use, recognised afterwards, refused where it is not ours or too new."""

from __future__ import annotations

from sqlalchemy import insert, inspect, select

from ludb.errors import ConfigError
from ludb.repositories.store.database import Database
from ludb.repositories.store.tables import SCHEMA_VERSION, meta, metadata


def open_schema(database: Database) -> str:
    """The store's identity; makes the tables in an empty database, in one transaction. Safe for several processes.

    Raises `ConfigError` for a database that holds other tables, or a store of a newer version.
    """
    with database.write() as connection:
        tables = inspect(connection).get_table_names()
        if not tables:
            metadata.create_all(connection, checkfirst=False)
        elif not {meta.name, "segment", "chunk"} <= set(tables):
            raise ConfigError(
                f"{database.name} holds other tables and is not a job repository",
                remedy="Name a new file, or an empty database, as --repository",
            )
        if connection.execute(select(meta.c.one)).first() is None:
            identity = {"schema_version": SCHEMA_VERSION, "repository_id": database.new_id(), "seq": 0}
            connection.execute(insert(meta).values(one=1, created_at=database.now(), **identity))
        row = connection.execute(select(meta.c.schema_version, meta.c.repository_id)).one()
    if row.schema_version > SCHEMA_VERSION:
        raise ConfigError(
            f"job repository {database.name} has schema version {row.schema_version}, this program knows "
            f"up to {SCHEMA_VERSION}",
            remedy="Use the ludb version that wrote it, or a newer one",
        )
    return str(row.repository_id)
