"""A worker's session belongs to who opened it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of sessions that are open now nobody knows; each is its worker's when that comes next."""
    op.add_column("workers", sa.Column("identity", sa.Text(), nullable=False, server_default=""))
    op.add_column("workers", sa.Column("secret_digest", sa.String(64), nullable=False, server_default=""))
