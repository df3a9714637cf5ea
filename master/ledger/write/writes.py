"""One batch of changes as SQL. New rows take the fastest way that the database has: COPY on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, fields, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, delete, exists, func, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from ....shared.errors import DatabaseError
from ...experiment.changes import (
    ActRow,
    BracketRow,
    Changes,
    CheckpointRow,
    EventRow,
    ExperimentRow,
    LeaseRow,
    RungResultRow,
    RungRow,
    TrialRow,
    WorkerRow,
)
from ..schema import tables
from ..schema.tables import columns_of
from ..schema.values import Encoded
from .report_writes import insert_reports
from .retention import begin_deletion, begin_thinning


class _Values:
    """Reads columns off a row, each as the database takes it."""

    def __init__(self, columns: Sequence[Column[Any]]) -> None:
        self._read = attrgetter(*(column.name for column in columns))
        kinds = [(i, column.type, column.nullable) for i, column in enumerate(columns)]
        self._encoders = [(i, type(kind).encode, null) for i, kind, null in kinds if isinstance(kind, Encoded)]

    def __call__(self, row: Any) -> list[Any]:
        values = list(self._read(row))
        for i, encode, nullable in self._encoders:
            # A document that has to be there and is not is the one that JSON calls null.
            if values[i] is not None or not nullable:
                values[i] = encode(values[i])
        return values


class Insertion:
    """Adds rows of one kind to their table: COPY on PostgreSQL, a prepared statement for many rows on SQLite.

    Here and in `Update` the driver is spoken to directly: SQLAlchemy would cost as much again as the database.
    """

    def __init__(self, table: Table, row_type: type) -> None:
        kept = columns_of(table, row_type)
        columns = ", ".join(column.name for column in kept)
        self._values = _Values(kept)
        self._copy = f"COPY {table.name} ({columns}) FROM STDIN"
        self._insert = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(kept))})"  # noqa: S608

    def run(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Adds the rows in their order."""
        cursor: Any = connection.connection.cursor()
        with closing(cursor):
            if connection.dialect.name == "sqlite":
                cursor.executemany(self._insert, map(self._values, rows))
                return
            with cursor.copy(self._copy) as copy:
                for row in rows:
                    copy.write_row(self._values(row))


class Update:
    """Changes the columns of rows that may change, found by their primary key."""

    def __init__(self, table: Table, *columns: str) -> None:
        keys = [column.name for column in table.primary_key]
        self.key: Callable[[Any], Any] = attrgetter(*keys)
        self._name = table.name
        self._values = _Values([table.c[name] for name in (*columns, *keys)])
        changed, found = ", ".join(f"{name} = ?" for name in columns), " AND ".join(f"{name} = ?" for name in keys)
        self._statement = f"UPDATE {table.name} SET {changed} WHERE {found}"  # noqa: S608

    def run(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Raises DatabaseError where a row is not there."""
        sqlite = connection.dialect.name == "sqlite"
        cursor: Any = connection.connection.cursor()
        with closing(cursor):
            cursor.executemany(
                self._statement if sqlite else self._statement.replace("?", "%s"), map(self._values, rows)
            )
            changed = cursor.rowcount
        if changed != len(rows):
            raise DatabaseError(
                f"{len(rows) - changed} rows of table {self._name} that were to change are gone: another program "
                "changed the database, or this is a bug in Rungmaster"
            )


_INSERTIONS = {
    row_type: Insertion(table, row_type)
    for table, row_type in (
        (tables.brackets, BracketRow),
        (tables.rungs, RungRow),
        (tables.rung_results, RungResultRow),
        (tables.trials, TrialRow),
        (tables.leases, LeaseRow),
        (tables.checkpoints, CheckpointRow),
        (tables.events, EventRow),
        (tables.acts, ActRow),
    )
}
_EXPERIMENTS = Update(
    tables.experiments,
    *("state", "state_reason", "end_time", "counts", "resource_spent", "resource_full"),
    *("priority", "weight", "max_concurrent_trials", "max_trials", "sampler_problem"),
)
_BRACKETS = Update(tables.brackets, "max_trials", "trials_created", "max_concurrent_trials")
_RUNGS = Update(tables.rungs, "entered", "promoted", "failed", "best_metric")
_TRIALS = Update(
    tables.trials,
    *("state", "state_reason", "rung_id", "resource", "target", "metric", "metric_resource"),
    *("best_metric", "best_resource"),
    *("restarts", "workers_lost", "token", "end_time"),
    *("start_resource", "start_uri"),
)
_SAMPLED = Update(tables.trials, "hparams", "origin")
_LEASES = Update(
    tables.leases, "target", "decision", "decision_sequence", "save", "end_time", "outcome", "error", "last_sequence"
)

_results, _checkpoints, _experiments = tables.rung_results.c, tables.checkpoints.c, tables.experiments.c
_promote = (
    update(tables.rung_results)
    .where(_results.experiment_id == bindparam("e"), _results.bracket_id == bindparam("b"))
    .where(_results.rung_id == bindparam("k"), _results.trial_id == bindparam("t"))
    .values(promoted=True)
)
# The first time counts. Were it asked for in the condition, PostgreSQL would go through all that are needed for each.
_unneed = (
    update(tables.checkpoints)
    .where(_checkpoints.uri == bindparam("which"))
    .values(delete_time=func.coalesce(_checkpoints.delete_time, bindparam("when")))
)
_mark_drained = (
    update(tables.workers).where(tables.workers.c.session_id == bindparam("which")).values(drain_time=bindparam("when"))
)
_mark_deleted = update(tables.checkpoints).where(_checkpoints.uri == bindparam("which")).values(deleted=True)
_forget_orphan = delete(tables.checkpoints).where(
    _checkpoints.uri == bindparam("which"),
    ~exists().where(_experiments.experiment_id == _checkpoints.experiment_id),
)


def write(connection: Connection, changes: Changes, commit_id: int) -> None:
    """Writes a batch within the connection's transaction. Rows added and changed in one batch are written once.

    `commit_id` is larger than that of any batch before.
    """
    _upsert_workers(connection, list(changes.workers.values()))
    _execute(connection, _mark_drained, ({"which": key, "when": when} for key, when in changes.drained_workers.items()))
    # A trial's old lease ends before its next one begins: the database holds that one at most is held.
    for new, changed, change in (
        (changes.new_experiments, changes.experiments, _EXPERIMENTS),
        (changes.new_brackets, changes.brackets, _BRACKETS),
        (changes.new_rungs, changes.rungs, _RUNGS),
        (changes.new_trials, changes.trials, _TRIALS),
        (changes.new_leases, changes.leases, _LEASES),
    ):
        _change_and_add(connection, new, changed, change)
    if changes.sampled:
        _SAMPLED.run(connection, list(changes.sampled.values()))
    for rows in (changes.new_results, changes.new_checkpoints, changes.new_events, changes.new_acts):
        _add(connection, rows)
    if changes.new_reports:
        insert_reports(connection, changes.new_reports, commit_id)
    _mark(connection, changes)
    for experiment_id, goes_on in changes.endings.items():
        _note_ending(connection, experiment_id, goes_on=goes_on)
    for row in changes.new_thinnings:
        begin_thinning(connection, row)
    for experiment_id in changes.deleted_experiments:
        begin_deletion(connection, experiment_id)


def _note_ending(connection: Connection, experiment_id: int, *, goes_on: bool) -> None:
    if not goes_on:
        connection.execute(delete(tables.endings).where(tables.endings.c.experiment_id == experiment_id))
        return
    insertion = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(insertion(tables.endings).values(experiment_id=experiment_id).on_conflict_do_nothing())


def _change_and_add(connection: Connection, new: Sequence[Any], changed: Mapping[Any, Any], change: Update) -> None:
    added = [_last_state(row, changed.get(change.key(row))) for row in new]
    keys = {change.key(row) for row in new}
    if rows := [row for key, row in changed.items() if key not in keys]:
        change.run(connection, rows)
    _add(connection, added)


def _last_state(row: Any, changed: Any | None) -> Any:
    if changed is None:
        return row
    return replace(changed, hparams=row.hparams) if isinstance(row, TrialRow) else changed


def _add(connection: Connection, rows: Sequence[Any]) -> None:
    if not rows:
        return
    if isinstance(rows[0], ExperimentRow):
        connection.execute(insert(tables.experiments), [_experiment_values(row) for row in rows])
    else:
        _INSERTIONS[type(rows[0])].run(connection, rows)


def _experiment_values(row: ExperimentRow) -> dict[str, Any]:
    metric = row.spec["metric"]
    return asdict(row) | {
        "metric": metric["name"],
        "goal": metric["goal"],
        "best_by": metric.get("best", "any"),
        "unit": row.spec["unit"],
    }


def _mark(connection: Connection, changes: Changes) -> None:
    _execute(connection, _promote, (dict(zip("ebkt", key, strict=True)) for key in changes.promoted))
    unneeded = changes.unneeded_checkpoints.items()
    _execute(connection, _unneed, ({"which": uri, "when": when} for uri, when in unneeded))
    gone = [{"which": uri} for uri in changes.deleted_checkpoints]
    _execute(connection, _mark_deleted, gone)
    _execute(connection, _forget_orphan, gone)


def _execute(connection: Connection, statement: Any, parameters: Iterable[dict[str, Any]]) -> None:
    if rows := list(parameters):
        connection.execute(statement, rows)


def _upsert_workers(connection: Connection, rows: Sequence[WorkerRow]) -> None:
    if not rows:
        return
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = upsert(tables.workers)
    changed = {each.name: statement.excluded[each.name] for each in fields(WorkerRow) if each.name != "session_id"}
    statement = statement.on_conflict_do_update(index_elements=["session_id"], set_=changed)
    connection.execute(statement, [asdict(row) for row in rows])
