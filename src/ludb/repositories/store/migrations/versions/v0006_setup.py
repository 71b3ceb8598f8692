"""What people set up at the server: windows, alert rules, channels, job folders, identities."""

from __future__ import annotations

from alembic import op

from ludb.repositories.store import tables_server as t
from ludb.repositories.store.types import metadata

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Add the table; a half upgraded store has it already."""
    metadata.create_all(op.get_bind(), tables=[t.setup], checkfirst=True)
