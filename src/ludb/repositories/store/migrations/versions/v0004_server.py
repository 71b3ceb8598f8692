"""The server: users, sessions, tokens, audit, tasks, kept answers, samples of runs, alerts, schedules."""

from __future__ import annotations

from alembic import op

from ludb.repositories.store import tables_server as t
from ludb.repositories.store.types import metadata

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the tables as they are now (later versions find what they would add); a half upgraded store has some already."""
    tables = [t.account, t.session, t.token, t.audit, t.failure, t.task, t.idempotent, t.sample, t.alert]
    tables += [t.schedule, t.slot]
    metadata.create_all(op.get_bind(), tables=tables, checkfirst=True)
