"""Where the master serves stands in its row, so that whoever has the database finds it."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what has a default or may be missing; nothing that is stored changes."""
    _begin_new_rules()
    op.add_column("mastership", sa.Column("address", sa.Text(), nullable=False, server_default=""))


def _begin_new_rules() -> None:
    """Notes in the journal of each search that has not ended that from here on its winners train to the end."""
    note = sa.text(
        "INSERT INTO events (experiment_id, create_time, kind, data) "
        "SELECT experiment_id, :now, 'rules_changed', :data FROM experiments WHERE end_time IS NULL"
    )
    op.get_bind().execute(note, {"now": time.time(), "data": '{"rules":2}'})
