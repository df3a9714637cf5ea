"""What goes out of the database: reports of thinned experiments, and every row of deleted ones, a little at a time."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Text, and_, delete, exists, insert, select, tuple_, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite

from ...shared.model import ExperimentState
from ..experiment.changes import ThinningRow
from ..experiment.retention import Measured, Span
from . import tables
from .engine import read_in_order
from .tables import columns_of
from .values import load_metric

#: What survives the deletion of an experiment, so that its number is never used again.
_LASTING_EVENTS = ("experiment_created", "experiment_deleted")
#: The tables of what an experiment leaves behind, in the order in which they are emptied, each with what may go.
_LEFT = (
    (tables.reports, None),
    (tables.rung_results, None),
    (tables.leases, None),
    (tables.trials, None),
    (tables.rungs, None),
    (tables.brackets, None),
    (tables.events, tables.events.c.kind.not_in(_LASTING_EVENTS)),
    # The others are needed until their files are gone.
    (tables.checkpoints, tables.checkpoints.c.deleted),
)
_ENDED = [state.value for state in ExperimentState if state.ended]
_T, _R, _E, _C = tables.thinnings.c, tables.reports.c, tables.experiments.c, tables.checkpoints.c
_DROP = "DELETE FROM reports WHERE experiment_id = ? AND trial_id = ? AND token = ? AND sequence BETWEEN ? AND ?"


class Place(NamedTuple):
    """How far the deletion of an experiment is: the table, and the key of its last row that was looked at."""

    table: int = 0
    after: tuple[int, ...] = ()


def begin_thinning(connection: Connection, row: ThinningRow) -> None:
    """Notes that an experiment is to be thinned, anew where it was before; nothing where it is gone."""
    is_there = select(exists().where(_E.experiment_id == row.experiment_id))
    if not connection.scalar(is_there):
        return
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = upsert(tables.thinnings).values(asdict(row))
    again = {name: statement.excluded[name] for name in ("keep_every", "next_trial", "start_time", "end_time")}
    connection.execute(statement.on_conflict_do_update(index_elements=["experiment_id"], set_=again))


def begin_deletion(connection: Connection, experiment_id: int) -> None:
    """Makes an experiment invisible, and notes that its rows are to go."""
    for table in (tables.experiments, tables.thinnings, tables.endings):
        connection.execute(delete(table).where(table.c.experiment_id == experiment_id))
    connection.execute(insert(tables.deletions).values(experiment_id=experiment_id, start_time=time.time()))


def thin(connection: Connection, thinning: ThinningRow, gone: Sequence[Span], next_trial: int, finished: bool) -> bool:
    """Deletes reports and notes how far it is; False where meanwhile the thinning was begun anew or deleted.

    The journal tells of its end.
    """
    here = _T.experiment_id == thinning.experiment_id
    begun = select(_T.start_time, _T.reports_dropped).where(here, _T.end_time.is_(None))
    found = connection.execute(begun).one_or_none()
    if found is None or found.start_time != thinning.start_time:
        return False
    dropped = found.reports_dropped + _drop(connection, thinning.experiment_id, gone)
    now = time.time()
    values = {"next_trial": next_trial, "reports_dropped": dropped, "end_time": now if finished else None}
    connection.execute(update(tables.thinnings).where(here).values(values))
    if finished:
        data = {"keep_every": thinning.keep_every, "reports_dropped": dropped}
        note = {"experiment_id": thinning.experiment_id, "trial_id": None, "create_time": now, "kind": "thinned"}
        connection.execute(insert(tables.events).values(**note, data=data))
    return True


def _drop(connection: Connection, experiment_id: int, gone: Sequence[Span]) -> int:
    if not gone:
        return 0
    statement = _DROP if connection.dialect.name == "sqlite" else _DROP.replace("?", "%s")
    cursor: Any = connection.connection.cursor()
    with closing(cursor):
        cursor.executemany(statement, [(experiment_id, s.trial_id, s.token, s.first, s.last) for s in gone])
        return cursor.rowcount


def erase(connection: Connection, experiment_id: int, place: Place, rows: int) -> Place | None:
    """Deletes about so many rows of a deleted experiment, from a place on; the next place, None where all are gone."""
    while rows > 0:
        if place.table == len(_LEFT):
            of = tables.deletions.c.experiment_id == experiment_id
            connection.execute(delete(tables.deletions).where(of))
            return None
        place, seen = _erase_some(connection, experiment_id, place, rows)
        rows -= seen
    return place


def _erase_some(connection: Connection, experiment_id: int, place: Place, rows: int) -> tuple[Place, int]:
    """Deletes what may go among the next rows of one table; the next place, and how many rows that were at most."""
    read_in_order(connection)
    table, condition = _LEFT[place.table]
    keys = [key for key in table.primary_key if key.name != "experiment_id"]
    window = table.c.experiment_id == experiment_id
    if place.after:
        window = and_(window, tuple_(*keys) > tuple_(*place.after))
    last = connection.execute(select(*keys).where(window).order_by(*keys).offset(rows - 1).limit(1)).one_or_none()
    if last is not None:
        window = and_(window, tuple_(*keys) <= tuple_(*last))
    may_go = window if condition is None else and_(window, condition)
    deleted: CursorResult[Any] = connection.execute(delete(table).where(may_go))
    if last is None:
        return Place(place.table + 1), deleted.rowcount
    return Place(place.table, tuple(last)), rows


def open_thinnings(connection: Connection) -> list[ThinningRow]:
    """Those that have not ended, longest waiting first."""
    columns = columns_of(tables.thinnings, ThinningRow)
    statement = select(*columns).where(_T.end_time.is_(None)).order_by(_T.start_time, _T.experiment_id)
    return [ThinningRow(*row) for row in connection.execute(statement)]


def open_deletions(connection: Connection) -> list[int]:
    """Experiments that are gone, and have rows left."""
    columns = tables.deletions.c
    return list(connection.scalars(select(columns.experiment_id).order_by(columns.start_time, columns.experiment_id)))


def unthinned(connection: Connection, ended_before: float) -> list[int]:
    """Experiments that ended before that time and were never thinned."""
    thinned = exists().where(_T.experiment_id == _E.experiment_id)
    statement = select(_E.experiment_id).where(_E.state.in_(_ENDED), _E.end_time < ended_before, ~thinned)
    return list(connection.scalars(statement.order_by(_E.experiment_id)))


def needed_checkpoints(connection: Connection, experiment_id: int, limit: int) -> list[str]:
    """URIs of an experiment's checkpoints that are not given up."""
    return list(
        connection.scalars(
            select(_C.uri).where(_C.experiment_id == experiment_id, _C.delete_time.is_(None)).limit(limit)
        )
    )


def measured(
    connection: Connection, experiment_id: int, metric: str, after: tuple[int, int, int], limit: int
) -> list[Measured]:
    """The reports of an experiment after a (trial, token, sequence), in the order of their keys."""
    read_in_order(connection)
    key = tuple_(_R.trial_id, _R.token, _R.sequence)
    statement = (
        select(_R.trial_id, _R.token, _R.sequence, _R.resource, type_coerce(_R.metrics, Text))
        .where(_R.experiment_id == experiment_id, key > tuple_(*after))
        .order_by(_R.trial_id, _R.token, _R.sequence)
        .limit(limit)
    )
    # One value of each document is wanted, of very many documents.
    rows = connection.execute(statement).all()
    return [Measured(trial, token, n, at, load_metric(text, metric)) for trial, token, n, at, text in rows]


def deciding(connection: Connection, experiment_id: int, first: int, last: int) -> dict[int, Collection[int]]:
    """By trial, of those from `first` to `last`, the resources at which it entered rungs.

    Rung by rung, since results are kept in that order: a join would have SQLite read all of the experiment's.
    """
    rungs, results = tables.rungs.c, tables.rung_results.c
    found: dict[int, Collection[int]] = {}
    levels = select(rungs.bracket_id, rungs.rung_id).where(rungs.experiment_id == experiment_id)
    for bracket_id, rung_id in connection.execute(levels).all():
        of = (results.experiment_id == experiment_id, results.bracket_id == bracket_id, results.rung_id == rung_id)
        entered = select(results.trial_id, results.resource).where(*of, results.trial_id.between(first, last))
        for trial_id, resource in connection.execute(entered):
            found[trial_id] = {*found.get(trial_id, ()), resource}
    return found
