"""A master's address can be found, a database has an id, and signs of life have a row that no commit holds."""

from __future__ import annotations

import secrets
import time

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes what is new; of what is stored only the place of the last sign of life changes."""
    _begin_new_rules()
    _mastership()
    op.create_table(
        "endings",
        sa.Column("experiment_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sqlite_with_rowid=False,
    )


def _begin_new_rules() -> None:
    """Notes in the journal of each search that has not ended that from here on its winners train to the end."""
    note = sa.text(
        "INSERT INTO events (experiment_id, create_time, kind, data) "
        "SELECT experiment_id, :now, 'rules_changed', :data FROM experiments WHERE end_time IS NULL"
    )
    op.get_bind().execute(note, {"now": time.time(), "data": '{"rules":2}'})


def _mastership() -> None:
    """Makes the table anew: SQLite cannot add a column that has to have a value and has no default."""
    held = op.get_bind().execute(sa.text("SELECT * FROM mastership")).mappings().all()
    kept = ("mastership_id", "term", "holder", "start_time")
    rows = [{**{name: row[name] for name in kept}, "address": "", "database_id": secrets.token_hex(8)} for row in held]
    signs = [{name: row[name] for name in ("mastership_id", "renew_time")} for row in held]
    op.drop_table("mastership")
    mastership = op.create_table(
        "mastership",
        sa.Column("mastership_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("start_time", sa.Double(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("database_id", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(mastership, rows)
    renewals = op.create_table(
        "renewals",
        sa.Column("mastership_id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("renew_time", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(renewals, signs)
