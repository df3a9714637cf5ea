"""The first schema. Written out, not taken from `tables.py`: a migration must stay what it was when it was made."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG, _FLOAT, _INT, _TEXT, _WORD = sa.BigInteger(), sa.Double(), sa.Integer(), sa.Text(), sa.String(16)


def upgrade() -> None:
    """Makes every table on an empty database."""
    _experiments()
    _brackets()
    _trials()
    _leases()
    _reports()
    _checkpoints()
    _workers()
    _events()
    _mastership()


def _keys(*names: str, **kind: Any) -> list[sa.Column]:
    return [_column(name, kind.get(name, _INT), primary_key=True, autoincrement=False) for name in names]


def _column(name: str, kind: Any, nullable: bool = False, **options: Any) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable, **options)


def _partial(name: str, table: str, columns: list[Any], where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _experiments() -> None:
    op.create_table(
        "experiments",
        *_keys("experiment_id"),
        _column("name", _TEXT),
        _column("request_id", _TEXT),
        _column("state", _WORD),
        _column("state_reason", _TEXT),
        _column("metric", _TEXT),
        _column("goal", _WORD),
        _column("unit", _TEXT),
        _column("create_time", _FLOAT),
        _column("end_time", _FLOAT, nullable=True),
        _column("counts", _TEXT),
        _column("resource_spent", _BIG),
        _column("resource_full", _BIG),
        _column("spec", _TEXT),
        sqlite_with_rowid=False,
    )
    _partial("uq_experiments_request", "experiments", ["request_id"], "request_id <> ''", unique=True)


def _brackets() -> None:
    op.create_table(
        "brackets",
        *_keys("experiment_id", "bracket_id"),
        _column("max_trials", _INT),
        _column("max_concurrent_trials", _INT, nullable=True),
        _column("trials_created", _INT),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rungs",
        *_keys("experiment_id", "bracket_id", "rung_id"),
        _column("resource", _BIG),
        _column("entered", _INT),
        _column("promoted", _INT),
        _column("failed", _INT),
        _column("best_metric", _FLOAT, nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rung_results",
        *_keys("experiment_id", "bracket_id", "rung_id", "trial_id"),
        _column("resource", _BIG),
        _column("metric", _FLOAT, nullable=True),
        _column("promoted", sa.Boolean()),
        _column("enter_time", _FLOAT),
        sqlite_with_rowid=False,
    )


def _trials() -> None:
    op.create_table(
        "trials",
        *_keys("experiment_id", "trial_id"),
        _column("state", _WORD),
        _column("state_reason", _TEXT),
        _column("bracket_id", _INT),
        _column("rung_id", _INT),
        _column("resource", _BIG),
        _column("target", _BIG),
        _column("metric", _FLOAT, nullable=True),
        _column("metric_resource", _BIG),
        _column("restarts", _INT),
        _column("workers_lost", _INT),
        _column("token", _INT),
        _column("create_time", _FLOAT),
        _column("end_time", _FLOAT, nullable=True),
        _column("hparams", _TEXT),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trials_state", "trials", ["experiment_id", "state", "trial_id"])
    measured = "metric IS NOT NULL"
    _partial("ix_trials_lowest", "trials", ["experiment_id", "state", "metric", "trial_id"], measured)
    highest = ["experiment_id", "state", sa.text("metric DESC"), "trial_id"]
    _partial("ix_trials_highest", "trials", highest, measured)


def _leases() -> None:
    op.create_table(
        "leases",
        *_keys("experiment_id", "trial_id", "token"),
        _column("session_id", _TEXT),
        _column("worker", _TEXT),
        _column("request_id", _TEXT),
        _column("slots", _INT),
        _column("from_resource", _BIG),
        _column("target", _BIG),
        _column("decision", _WORD),
        _column("decision_sequence", _BIG),
        _column("start_time", _FLOAT),
        _column("end_time", _FLOAT, nullable=True),
        _column("outcome", _WORD),
        _column("error", _TEXT),
        _column("last_sequence", _BIG),
        sqlite_with_rowid=False,
    )
    _partial("uq_leases_held", "leases", ["experiment_id", "trial_id"], "end_time IS NULL", unique=True)
    asked = "end_time IS NULL AND request_id <> ''"
    _partial("uq_leases_request", "leases", ["session_id", "request_id"], asked, unique=True)


def _reports() -> None:
    op.create_table(
        "reports",
        *_keys("experiment_id", "trial_id", "token", "sequence", sequence=_BIG),
        _column("resource", _BIG),
        _column("metrics", _TEXT),
        _column("receive_time", _FLOAT),
        sqlite_with_rowid=False,
    )


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        *_keys("experiment_id", "trial_id", "token", "sequence", sequence=_BIG),
        _column("uri", _TEXT),
        _column("resource", _BIG),
        _column("size_bytes", _BIG),
        _column("checksum", _TEXT),
        _column("create_time", _FLOAT),
        _column("delete_time", _FLOAT, nullable=True),
        _column("deleted", sa.Boolean()),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_checkpoints_uri", "checkpoints", ["uri"])
    _partial("ix_checkpoints_needed", "checkpoints", ["experiment_id"], "delete_time IS NULL")
    unneeded = "delete_time IS NOT NULL AND NOT deleted"
    _partial("ix_checkpoints_unneeded", "checkpoints", ["delete_time"], unneeded)


def _workers() -> None:
    op.create_table(
        "workers",
        *_keys("session_id", session_id=_TEXT),
        _column("worker", _TEXT),
        _column("host", _TEXT),
        _column("pid", _INT),
        _column("version", _TEXT),
        _column("slots", _INT),
        _column("gpus", _TEXT),
        _column("labels", _TEXT),
        _column("state", _WORD),
        _column("hello_time", _FLOAT),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "events",
        _column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        _column("experiment_id", _INT),
        _column("trial_id", _INT, nullable=True),
        _column("create_time", _FLOAT),
        _column("kind", sa.String(64)),
        _column("data", _TEXT),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_experiment", "events", ["experiment_id", "event_id"])


def _mastership() -> None:
    mastership = op.create_table(
        "mastership",
        *_keys("mastership_id"),
        _column("term", _BIG),
        _column("holder", _TEXT),
        _column("start_time", _FLOAT),
        sqlite_with_rowid=False,
    )
    op.bulk_insert(mastership, [{"mastership_id": 1, "term": 0, "holder": "", "start_time": 0.0}])
