"""What a master must have in memory, read back from the database at its start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Table,
    Text,
    and_,
    case,
    func,
    null,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import SQLAlchemyError

from ....shared.errors import NotFound, RungmasterError
from ....shared.wire.model import ExperimentState, TrialState
from ...experiment.changes import (
    BracketRow,
    CheckpointRow,
    ExperimentRow,
    LeaseRow,
    RungResultRow,
    RungRow,
    StoredRows,
    TrialRow,
)
from ...experiment.essentials import essentials
from ..schema import tables
from ..schema.tables import columns_of
from ..schema.values import JsonText, load_metric

Row = TypeVar("Row")
_PART = 10_000
_LIVE_ONES = tables.experiments.c.state.in_((ExperimentState.ACTIVE.value, ExperimentState.PAUSED.value))


@dataclass(slots=True)
class RecoveredRows:
    """All that the database knows and the master needs.

    `last_experiment_id` counts deleted experiments too; `request_ids` has the experiment of each creation request.
    `unneeded_checkpoints` has the URIs of checkpoints whose files are still to be deleted, of any experiment, and
    `drained_workers` the sessions that a person wanted to leave. `owners` has by session the identity that opened it
    and the digest of its secret.
    """

    last_experiment_id: int
    request_ids: dict[str, int]
    experiments: list[StoredRows]
    unneeded_checkpoints: list[str]
    drained_workers: list[str]
    owners: dict[str, tuple[str, str]]


def recover(connection: Connection) -> RecoveredRows:
    """Reads everything in one transaction. The time it takes grows with the live experiments' trials only."""
    return RecoveredRows(
        last_experiment_id=_last_experiment_id(connection),
        request_ids=_request_ids(connection),
        experiments=[_experiment(connection, row) for row in list(_experiments(connection, _live_or_ending()))],
        unneeded_checkpoints=unneeded_checkpoints(connection),
        drained_workers=_drained_workers(connection),
        owners=_owners(connection),
    )


def recover_experiment(connection: Connection, experiment_id: int) -> StoredRows | None:
    """One of the experiments; None where there is none, or it has ended."""
    rows = list(_experiments(connection, _LIVE_ONES & (tables.experiments.c.experiment_id == experiment_id)))
    return _experiment(connection, rows[0]) if rows else None


def stored_experiment(connection: Connection, experiment_id: int) -> StoredRows:
    """Any experiment. Raises NotFound, and whatever reading damaged values raises."""
    rows = list(_experiments(connection, tables.experiments.c.experiment_id == experiment_id))
    if not rows:
        raise NotFound(f"there is no experiment {experiment_id}", experiment_id=experiment_id)
    return _records(connection, rows[0])


def unneeded_checkpoints(connection: Connection) -> list[str]:
    """URIs of checkpoints that are no longer needed and not yet deleted, longest unneeded first."""
    columns = tables.checkpoints.c
    # The words of the index, so that the database sees that it may use it.
    condition = text("delete_time IS NOT NULL AND NOT deleted")
    return list(connection.scalars(select(columns.uri).where(condition).order_by(columns.delete_time, columns.uri)))


def _drained_workers(connection: Connection) -> list[str]:
    columns = tables.workers.c
    return list(connection.scalars(select(columns.session_id).where(columns.drain_time.is_not(None))))


def _owners(connection: Connection) -> dict[str, tuple[str, str]]:
    columns = tables.workers.c
    rows = connection.execute(select(columns.session_id, columns.identity, columns.secret_digest))
    return {session_id: (identity, digest) for session_id, identity, digest in rows}


def _last_experiment_id(connection: Connection) -> int:
    ids = (select(func.max(table.c.experiment_id)) for table in (tables.experiments, tables.events))
    return max(connection.scalar(statement) or 0 for statement in ids)


def _request_ids(connection: Connection) -> dict[str, int]:
    columns = tables.experiments.c
    statement = select(columns.request_id, columns.experiment_id).where(columns.request_id != "")
    return {row.request_id: row.experiment_id for row in connection.execute(statement)}


def _live_or_ending() -> ColumnElement[bool]:
    return or_(_LIVE_ONES, tables.experiments.c.experiment_id.in_(select(tables.endings.c.experiment_id)))


def _experiments(connection: Connection, condition: ColumnElement[bool]) -> Iterator[ExperimentRow]:
    columns = columns_of(tables.experiments, ExperimentRow)
    for row in connection.execute(select(*columns).where(condition).order_by(tables.experiments.c.experiment_id)):
        yield ExperimentRow(*row)


def _experiment(connection: Connection, row: ExperimentRow) -> StoredRows:
    try:
        return _records(connection, row)
    except (SQLAlchemyError, RungmasterError):
        raise
    except Exception as error:  # noqa: BLE001 - one experiment's trouble is its own
        # Values that a hand or a disk has damaged may raise anything.
        return StoredRows(row, [], [], [], [], [], [], unreadable=error)


def _records(connection: Connection, row: ExperimentRow) -> StoredRows:
    inherited: ColumnElement[Any] = null()
    if essentials(row.spec).inherits:
        live = tables.trials.c.end_time.is_(None)
        inherited = type_coerce(case((live, tables.trials.c.hparams), else_=null()), JsonText)
    trials = rows_of(connection, tables.trials, TrialRow, row.experiment_id, hparams=inherited)
    leases = _held_leases(connection, row.experiment_id)
    furthest = {lease.trial_id: resource for lease, resource in leases}
    for trial in trials:
        trial.resource = max(trial.resource, furthest.get(trial.trial_id, 0))
    _improve(connection, row, trials)
    row.counts = row.counts or _counted(trials)
    return StoredRows(
        row,
        rows_of(connection, tables.brackets, BracketRow, row.experiment_id),
        rows_of(connection, tables.rungs, RungRow, row.experiment_id),
        rows_of(connection, tables.rung_results, RungResultRow, row.experiment_id),
        trials,
        [lease for lease, _ in leases],
        rows_of(connection, tables.checkpoints, CheckpointRow, row.experiment_id, "delete_time IS NULL"),
    )


def _counted(trials: list[TrialRow]) -> dict[str, int]:
    """How many trials are in each state."""
    return {state.value: 0 for state in TrialState} | Counter(trial.state for trial in trials)


def _improve(connection: Connection, row: ExperimentRow, trials: list[TrialRow]) -> None:
    """Has trials that are under a lease know their best results, of which their rows may lag behind."""
    leases, reports, known = tables.leases.c, tables.reports.c, essentials(row.spec)
    same = [reports[name] == leases[name] for name in ("experiment_id", "trial_id", "token")]
    statement = (
        select(reports.trial_id, reports.resource, type_coerce(reports.metrics, Text))
        .join_from(tables.leases, tables.reports, and_(*same))
        .where(leases.experiment_id == row.experiment_id, leases.end_time.is_(None))
        .order_by(reports.trial_id, reports.token, reports.sequence)
    )
    by_id = {trial.trial_id: trial for trial in trials}
    for trial_id, resource, metrics in connection.execute(statement):
        value = load_metric(metrics, known.metric)
        if value is not None:
            by_id[trial_id].improve(value, resource, known.goal.sign)


def rows_of(
    connection: Connection, table: Table, row_type: type[Row], experiment_id: int, only: str = "", **instead: Any
) -> list[Row]:
    """The rows of an experiment by primary key; `only` narrows them, `instead` replaces columns."""
    columns = [instead.get(column.name, column) for column in columns_of(table, row_type)]
    statement = select(*columns).where(table.c.experiment_id == experiment_id).order_by(*table.primary_key)
    if only:
        statement = statement.where(text(only))
    # Fetched by the thousand, which takes half the time that one row after the other takes.
    parts = connection.execute(statement).partitions(_PART)
    return [row_type(*row) for part in parts for row in part]


def _held_leases(connection: Connection, experiment_id: int) -> list[tuple[LeaseRow, int]]:
    """Held leases, their last event filled in, each with the furthest resource that was reported under it."""
    leases, reports, checkpoints = tables.leases.c, tables.reports.c, tables.checkpoints.c
    columns = columns_of(tables.leases, LeaseRow)
    last_report = _under_lease(func.max(reports.sequence), reports)
    last_checkpoint = _under_lease(func.max(checkpoints.sequence), checkpoints)
    furthest = _under_lease(func.max(reports.resource), reports)
    statement = select(*columns, last_report, last_checkpoint, furthest).where(
        leases.experiment_id == experiment_id, leases.end_time.is_(None)
    )
    return [_held_lease(*row) for row in connection.execute(statement.order_by(leases.trial_id))]


def _under_lease(value: ColumnElement[Any], columns: Any) -> ScalarSelect[Any]:
    lease = tables.leases.c
    same = [columns[name] == lease[name] for name in ("experiment_id", "trial_id", "token")]
    return select(func.coalesce(value, 0)).where(*same).correlate(tables.leases).scalar_subquery()


def _held_lease(*row: Any) -> tuple[LeaseRow, int]:
    *values, last_report, last_checkpoint, furthest = row
    lease = LeaseRow(*values)
    lease.last_sequence = max(lease.last_sequence, last_report, last_checkpoint)
    return lease, furthest
