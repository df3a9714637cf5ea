"""Reports of experiments that have ended can be thinned, and experiments are deleted a little at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the two tables of what is under way; nothing is thinned by it."""
    op.create_table(
        "thinnings",
        sa.Column("experiment_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("keep_every", sa.Integer(), nullable=False),
        sa.Column("reports_dropped", sa.BigInteger(), nullable=False),
        sa.Column("next_trial", sa.Integer(), nullable=False),
        sa.Column("start_time", sa.Double(), nullable=False),
        sa.Column("end_time", sa.Double(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deletions",
        sa.Column("experiment_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("start_time", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
