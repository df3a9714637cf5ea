"""A master's address can be found, a database has an id, and signs of life have a row that no commit holds."""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes what is new. Of what is stored only the last sign of life moves; best results are read from the reports."""
    _begin_new_rules()
    _best_results()
    _draw_rules()
    _mastership()
    _settings()
    op.add_column("workers", sa.Column("drain_time", sa.Double(), nullable=True))
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


def _draw_rules() -> None:
    """Searches that began before go on with the hyperparameters that they would have had."""
    op.add_column("experiments", sa.Column("draw_rules", sa.Integer(), nullable=False, server_default="1"))


def _best_results() -> None:
    """Adds the best result of each trial, of any of its reports, which are read once for it."""
    op.add_column("experiments", sa.Column("best_by", sa.String(16), nullable=False, server_default="any"))
    op.add_column("trials", sa.Column("best_metric", sa.Double(), nullable=True))
    op.add_column("trials", sa.Column("best_resource", sa.BigInteger(), nullable=False, server_default="0"))
    connection = op.get_bind()
    experiments = connection.execute(sa.text("SELECT experiment_id, metric, goal FROM experiments")).all()
    for experiment_id, metric, goal in experiments:
        if rows := list(_bests(connection, experiment_id, metric, 1.0 if goal == "minimize" else -1.0)):
            connection.execute(
                sa.text(
                    "UPDATE trials SET best_metric = :metric, best_resource = :resource "
                    "WHERE experiment_id = :experiment_id AND trial_id = :trial_id AND state <> 'discarded'"
                ),
                rows,
            )
    here, where = ["experiment_id", "state"], sa.text("best_metric IS NOT NULL")
    for name, order in (("lowest", "best_metric"), ("highest", "best_metric DESC")):
        op.create_index(
            f"ix_trials_best_{name}",
            "trials",
            [*here, sa.text(order), "trial_id"],
            sqlite_where=where,
            postgresql_where=where,
        )


def _bests(connection: sa.Connection, experiment_id: int, metric: str, sign: float) -> Iterator[dict[str, Any]]:
    """Of each trial with a finite result the best one, the first of equal ones."""
    statement = sa.text(
        "SELECT trial_id, resource, metrics FROM reports WHERE experiment_id = :experiment_id "
        "ORDER BY trial_id, token, sequence"
    ).execution_options(stream_results=True, yield_per=10_000)
    reports = connection.execute(statement, {"experiment_id": experiment_id})
    for trial_id, of_trial in groupby(reports, lambda row: row.trial_id):
        results = ((float(json.loads(row.metrics).get(metric, "nan")), row.resource) for row in of_trial)
        finite = [(sign * value, resource) for value, resource in results if math.isfinite(value)]
        if finite:
            value, resource = min(finite, key=lambda result: result[0])
            yield {
                "experiment_id": experiment_id,
                "trial_id": trial_id,
                "metric": sign * value,
                "resource": resource,
            }


def _settings() -> None:
    """Adds what people may change of an experiment, as its spec has it, and whose it is: nobody knows."""
    op.add_column("experiments", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("experiments", sa.Column("weight", sa.Double(), nullable=False, server_default="1"))
    op.add_column("experiments", sa.Column("max_concurrent_trials", sa.Integer(), nullable=True))
    op.add_column("experiments", sa.Column("owner", sa.Text(), nullable=False, server_default=""))
    connection = op.get_bind()
    change = sa.text(
        "UPDATE experiments SET priority = :priority, weight = :weight, max_concurrent_trials = :at_once "
        "WHERE experiment_id = :experiment_id"
    )
    for experiment_id, text in connection.execute(sa.text("SELECT experiment_id, spec FROM experiments")).all():
        spec = json.loads(text)
        values = {
            "experiment_id": experiment_id,
            "priority": spec.get("priority", 0),
            "weight": spec.get("weight", 1.0),
            "at_once": spec.get("searcher", {}).get("max_concurrent_trials"),
        }
        connection.execute(change, values)


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
