"""The tables of the ledger. `docs/ledger.md` describes them for people who read them with SQL.

Times are seconds since the epoch, UTC. Rows are those of `master/experiment/changes.py`, column for column; a table
whose rows are nothing else takes its columns from there.
There are no foreign keys: one writer adds rows in the order of their making, and checking each again would cost the
hot path a lookup per row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_args, get_type_hints

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    column,
    false,
    text,
    values,
)

from ...experiment.changes import BracketRow, LeaseRow, RungResultRow, RungRow, ThinningRow, TrialRow
from .values import CleanText, JsonText, Metric, MetricsText, SparedJson

metadata = MetaData()

_BIG_KEY = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *parts: Column | Index) -> Table:
    # Clustered by the primary key on SQLite: one tree to change for each row instead of two.
    return Table(name, metadata, *parts, sqlite_with_rowid=False)


def _key(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


def _partial(name: str, *columns: str | ColumnElement[Any], where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


#: What a column is that holds a field of a row.
_KINDS: dict[Any, Any] = {int: Integer, float: Double, str: CleanText, bool: Boolean}


def _columns(row_type: Any, keys: int, **kinds: Any) -> Iterator[Column[Any]]:
    """A column for each field of a row, the first of which are the key. `kinds` has what the fields' hints do not tell.

    A field with a default was added by a migration, and older rows have that.
    """
    hints = get_type_hints(row_type)
    for place, field in enumerate(fields(row_type)):
        hint, kind = hints[field.name], kinds.get(field.name)
        if place < keys:
            yield _key(field.name)
        elif isinstance(kind, Column):
            yield kind
        else:
            kind = kind or _KINDS[next((plain for plain in get_args(hint) if plain in _KINDS), hint)]
            default = None if field.default in (MISSING, None) else str(field.default)
            yield Column(field.name, kind, nullable=type(None) in get_args(hint), server_default=default)


experiments = _table(
    "experiments",
    _key("experiment_id"),
    Column("name", CleanText, nullable=False),
    Column("request_id", CleanText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", CleanText, nullable=False),
    Column("metric", CleanText, nullable=False),
    Column("goal", String(16), nullable=False),
    Column("unit", CleanText, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("end_time", Double),
    Column("counts", SparedJson, nullable=False),
    Column("resource_spent", BigInteger, nullable=False),
    Column("resource_full", BigInteger, nullable=False),
    Column("spec", SparedJson, nullable=False),
    Column("best_by", String(16), nullable=False, server_default="any"),
    Column("draw_rules", Integer, nullable=False, server_default="1"),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("weight", Double, nullable=False, server_default="1"),
    Column("max_concurrent_trials", Integer),
    Column("owner", CleanText, nullable=False, server_default=""),
    Column("spec_rules", Integer, nullable=False, server_default="1"),
    Column("max_trials", Integer),
    Column("sampler_problem", CleanText, nullable=False, server_default=""),
    # What the owner has shown: "token", "certificate", or nothing.
    Column("owner_known_by", String(16), nullable=False, server_default=""),
    _partial("uq_experiments_request", "request_id", where="request_id <> ''", unique=True),
)

brackets = _table("brackets", *_columns(BracketRow, 2))

rungs = _table("rungs", *_columns(RungRow, 3, resource=BigInteger, best_metric=Metric))

rung_results = _table("rung_results", *_columns(RungResultRow, 4, resource=BigInteger, metric=Metric))

_metric, _best_metric = Column("metric", Metric), Column("best_metric", Metric)
_OF_STATE = ("experiment_id", "state")

trials = _table(
    "trials",
    *_columns(
        TrialRow,
        2,
        state=String(16),
        resource=BigInteger,
        target=BigInteger,
        metric=_metric,
        metric_resource=BigInteger,
        hparams=Column("hparams", JsonText, nullable=False),
        best_metric=_best_metric,
        best_resource=BigInteger,
        start_resource=BigInteger,
    ),
    Index("ix_trials_state", "experiment_id", "state", "trial_id"),
    # One for each goal: equal metrics go by the lower trial id in both, which one index read backwards would not give.
    _partial("ix_trials_lowest", "experiment_id", "state", "metric", "trial_id", where="metric IS NOT NULL"),
    _partial("ix_trials_highest", "experiment_id", "state", _metric.desc(), "trial_id", where="metric IS NOT NULL"),
    _partial("ix_trials_best_lowest", *_OF_STATE, "best_metric", "trial_id", where="best_metric IS NOT NULL"),
    _partial("ix_trials_best_highest", *_OF_STATE, _best_metric.desc(), "trial_id", where="best_metric IS NOT NULL"),
    _partial("ix_trials_parent", "experiment_id", "parent", where="parent IS NOT NULL"),
)

leases = _table(
    "leases",
    *_columns(
        LeaseRow,
        3,
        from_resource=BigInteger,
        target=BigInteger,
        decision=String(16),
        decision_sequence=BigInteger,
        outcome=String(16),
        last_sequence=BigInteger,
        save=Column("save", Boolean, nullable=False, server_default=false()),
    ),
    # A trial is trained under one lease at a time, and a work request is answered by one lease.
    _partial("uq_leases_held", "experiment_id", "trial_id", where="end_time IS NULL", unique=True),
    _partial(
        "uq_leases_request",
        "session_id",
        "request_id",
        where="end_time IS NULL AND request_id <> ''",
        unique=True,
    ),
)

reports = _table(
    "reports",
    _key("experiment_id"),
    _key("trial_id"),
    _key("token"),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("resource", BigInteger, nullable=False),
    Column("metrics", MetricsText, nullable=False),
    Column("receive_time", Double, nullable=False),
    # Grows from commit to commit; 0 for what was stored before there was one.
    Column("commit_id", BigInteger, nullable=False, server_default="0"),
    # No more columns than these: on SQLite the primary key follows anyway, and PostgreSQL keeps equal keys once.
    Index("ix_reports_commit", "experiment_id", "commit_id"),
)

checkpoints = _table(
    "checkpoints",
    _key("experiment_id"),
    _key("trial_id"),
    _key("token"),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("uri", CleanText, nullable=False),
    Column("resource", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("checksum", CleanText, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("delete_time", Double),
    Column("deleted", Boolean, nullable=False),
    Index("ix_checkpoints_uri", "uri"),
    _partial("ix_checkpoints_needed", "experiment_id", where="delete_time IS NULL"),
    _partial("ix_checkpoints_unneeded", "delete_time", where="delete_time IS NOT NULL AND NOT deleted"),
)

thinnings = _table("thinnings", *_columns(ThinningRow, 1, reports_dropped=BigInteger))

deletions = _table(
    "deletions",
    _key("experiment_id"),
    Column("start_time", Double, nullable=False),
)

workers = _table(
    "workers",
    Column("session_id", CleanText, primary_key=True),
    Column("worker", CleanText, nullable=False),
    Column("host", CleanText, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", CleanText, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("gpus", JsonText, nullable=False),
    Column("labels", JsonText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("hello_time", Double, nullable=False),
    # When a person wanted it to leave.
    Column("drain_time", Double),
    # The name of the token or certificate with which the session was opened, and the SHA-256 of its secret.
    Column("identity", CleanText, nullable=False, server_default=""),
    Column("secret_digest", String(64), nullable=False, server_default=""),
)

events = Table(
    "events",
    metadata,
    Column("event_id", _BIG_KEY, primary_key=True),
    Column("experiment_id", Integer, nullable=False),
    Column("trial_id", Integer),
    Column("create_time", Double, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("data", JsonText, nullable=False),
    Index("ix_events_experiment", "experiment_id", "event_id"),
    # An id is never used again, so that a watcher that stands at it misses nothing.
    sqlite_autoincrement=True,
)

acts = Table(
    # What people did. It outlives the experiments that it was done to.
    "acts",
    metadata,
    Column("act_id", _BIG_KEY, primary_key=True),
    Column("create_time", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("experiment_id", Integer),
    Column("subject", CleanText, nullable=False),
    Column("who", CleanText, nullable=False),
    Column("known_by", String(16), nullable=False),
    Column("host", CleanText, nullable=False),
    Column("data", JsonText, nullable=False),
    Index("ix_acts_experiment", "experiment_id", "act_id"),
    Index("ix_acts_who", "who", "act_id"),
    sqlite_autoincrement=True,
)

endings = _table(
    "endings",
    # Of an experiment that has ended and whose trials, leases and checkpoints are still being ended.
    _key("experiment_id"),
)

mastership = _table(
    "mastership",
    # Only ever one row, with key 1.
    _key("mastership_id"),
    Column("term", BigInteger, nullable=False),
    Column("holder", CleanText, nullable=False),
    Column("start_time", Double, nullable=False),
    # Where it serves, as host:port; empty before it does.
    Column("address", CleanText, nullable=False),
    # Random, made with the database: it tells this history of searches from every other.
    Column("database_id", CleanText, nullable=False),
)

renewals = _table(
    "renewals",
    # One row beside that of `mastership`: whoever shows a sign of life waits for no transaction that holds the term.
    _key("mastership_id"),
    Column("renew_time", Double, nullable=False),
)


def columns_of(table: Table, row_type: Any) -> list[Column[Any]]:
    """The columns of a table that a row of `master/experiment/changes.py` has, in the row's order."""
    return [table.c[field.name] for field in fields(row_type)]


def wanted_trials(keys: Sequence[tuple[int, int]]) -> tuple[CTE, ColumnElement[bool]]:
    """What to join `trials` with to get these (experiment, trial), and the condition.

    SQLite would answer `(experiment_id, trial_id) IN (…)` by reading every trial there is.
    """
    wanted = values(column("experiment_id", Integer), column("trial_id", Integer)).data(keys).cte("wanted")
    return wanted, and_(trials.c.experiment_id == wanted.c.experiment_id, trials.c.trial_id == wanted.c.trial_id)
