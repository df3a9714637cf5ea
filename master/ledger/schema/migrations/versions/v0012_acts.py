"""What people do, and who they are, is kept; an experiment knows how its owner was known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what is here already, nobody has shown who submitted it: a client may have said any name."""
    op.add_column("experiments", sa.Column("owner_known_by", sa.String(16), nullable=False, server_default=""))
    op.create_table(
        "acts",
        sa.Column("act_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("create_time", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("experiment_id", sa.Integer()),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("known_by", sa.String(16), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_acts_experiment", "acts", ["experiment_id", "act_id"])
    op.create_index("ix_acts_who", "acts", ["who", "act_id"])
