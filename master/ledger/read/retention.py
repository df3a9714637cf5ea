"""What thinning and deleting still have to do, read page by page."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Text, exists, select, tuple_, type_coerce

from ....shared.wire.model import ExperimentState
from ...experiment.changes import ThinningRow
from ...experiment.life.retention import Measured
from ..engine import read_in_order
from ..schema import tables
from ..schema.tables import columns_of
from ..schema.values import load_metric

_ENDED = [state.value for state in ExperimentState if state.ended]
_T, _R, _E, _C = tables.thinnings.c, tables.reports.c, tables.experiments.c, tables.checkpoints.c


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
    """Experiments that ended before that time and were not thinned since: one that was extended ends again."""
    thinned = exists().where(_T.experiment_id == _E.experiment_id, _T.start_time >= _E.end_time)
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
