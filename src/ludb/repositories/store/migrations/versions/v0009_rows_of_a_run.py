"""Rows of a run are summed from an index alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"


def upgrade() -> None:
    """Make the index that holds the numbers too, then drop the one that does not; a half upgraded store has done so already."""
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("chunk_rows")}
    if "chunk_rows_summed" not in there:
        op.create_index("chunk_rows_summed", "chunk_rows", ["run", "side", "name", "n"])
    if "chunk_rows_by_run" in there:
        op.drop_index("chunk_rows_by_run", "chunk_rows")
