"""How an older store becomes one of today: one file per schema version, run by Alembic in order.

A revision's name is its schema version, kept in `meta.schema_version`. Migrations only add, so that processes of the older
version that still run are not hurt, and can be repeated, since MariaDB commits at every DDL statement.
"""

from __future__ import annotations

from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update

from ludb.repositories.store.tables import meta


def upgrade(connection: Connection, version: int) -> None:
    """Run every migration after `version`, in the caller's transaction."""
    here = Path(__file__).parent
    scripts = ScriptDirectory(here, version_locations=[here / "versions"])
    pending = reversed(list(scripts.iterate_revisions("head", str(version))))
    with Operations.context(MigrationContext.configure(connection)):
        for script in pending:
            script.module.upgrade()
            connection.execute(update(meta).values(schema_version=int(script.revision)))
