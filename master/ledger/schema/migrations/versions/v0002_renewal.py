"""The master renews its row, so that a standby can tell one that hangs from one that works."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table anew: SQLite cannot add a column that has to have a value and has no default."""
    held = op.get_bind().execute(sa.text("SELECT mastership_id, term, holder, start_time FROM mastership")).mappings()
    rows = [{**row, "renew_time": row["start_time"]} for row in held]
    op.drop_table("mastership")
    mastership = op.create_table(
        "mastership",
        sa.Column("mastership_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("start_time", sa.Double(), nullable=False),
        sa.Column("renew_time", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(mastership, rows)
