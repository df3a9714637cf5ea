"""A trial may start from another's checkpoint: which trial that is, at which resource, and from which checkpoint. So a
trial that continues may be asked for one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now every trial started from nothing."""
    op.add_column("trials", sa.Column("parent", sa.Integer()))
    op.add_column("trials", sa.Column("start_resource", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("trials", sa.Column("start_uri", sa.Text(), nullable=False, server_default=""))
    op.add_column("leases", sa.Column("save", sa.Boolean(), nullable=False, server_default=sa.false()))
    have_parents = sa.text("parent IS NOT NULL")
    op.create_index(
        "ix_trials_parent",
        "trials",
        ["experiment_id", "parent"],
        sqlite_where=have_parents,
        postgresql_where=have_parents,
    )
