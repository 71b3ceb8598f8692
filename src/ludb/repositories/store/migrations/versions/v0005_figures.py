"""What the work of a run cost, when chunks were claimed, and indexes for whoever only looks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ludb.repositories.store import tables_server as t
from ludb.repositories.store.types import Json

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Add column, table and indexes; a store that was half upgraded has some already."""
    for table, column in (("chunk", sa.Column("claimed_at", sa.Double())), ("sample", sa.Column("rates", Json))):
        if column.name not in {known["name"] for known in sa.inspect(op.get_bind()).get_columns(table)}:
            op.add_column(table, column)
    t.figure.create(op.get_bind(), checkfirst=True)
    op.drop_index("chunk_by_place", "chunk", if_exists=True)
    op.create_index("chunk_by_place", "chunk", ["run", "lo", "hi"], if_not_exists=True)
    op.create_index("chunk_done", "chunk", ["run", "state", "done"], if_not_exists=True)
    op.create_index("call_by_state", "call", ["state", "number"], if_not_exists=True)
    op.create_index("run_by_state", "run", ["state", "number"], if_not_exists=True)
