"""Queries about experiments, with their brackets, rungs and best trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, exists, func, literal, select, union_all

from ...shared.errors import NotFound
from ...shared.model import Bracket, Experiment, ExperimentState, Rung, Thinning, Trial, TrialState
from . import tables
from .paging import Page
from .trial_queries import RANKED_STATES, as_time, trials_by_key
from .values import CleanText

_E, _B, _K, _T = tables.experiments.c, tables.brackets.c, tables.rungs.c, tables.trials.c


def _best_of_state(state: TrialState, order: ColumnElement[Any]) -> Select[Any]:
    best = select(_T.trial_id, _T.metric).where(
        _T.experiment_id == _E.experiment_id, _T.state == state.value, _T.metric.is_not(None)
    )
    return select(best.order_by(order, _T.trial_id).limit(1).correlate(tables.experiments).subquery())


def _best_trial_id(goal: str) -> ColumnElement[Any]:
    """The best trial of the experiment around this expression: the best of each state's first in the index."""
    order = _T.metric.desc() if goal == "maximize" else _T.metric
    best = union_all(*(_best_of_state(state, order) for state in RANKED_STATES)).subquery()
    metric = best.c.metric.desc() if goal == "maximize" else best.c.metric
    return select(best.c.trial_id).order_by(metric, best.c.trial_id).limit(1).scalar_subquery()


_best = case((_E.goal == "maximize", _best_trial_id("maximize")), else_=_best_trial_id("minimize")).label("best")
_planned = (
    select(func.coalesce(func.sum(_B.max_trials), 0))
    .where(_B.experiment_id == _E.experiment_id)
    .correlate(tables.experiments)
    .scalar_subquery()
    .label("planned")
)
_last_event = (
    select(func.max(tables.events.c.event_id))
    .where(tables.events.c.experiment_id == _E.experiment_id)
    .correlate(tables.experiments)
    .scalar_subquery()
    .label("last_event_id")
)
_ending = (
    exists().where(tables.endings.c.experiment_id == _E.experiment_id).correlate(tables.experiments).label("ending")
)
_listed = [column for column in _E if column.name not in ("spec", "request_id")]
_thinning = [column.label(f"thinning_{column.name}") for column in tables.thinnings.c]
_source = tables.experiments.outerjoin(tables.thinnings, tables.thinnings.c.experiment_id == _E.experiment_id)


def get_experiment(connection: Connection, experiment_id: int) -> Experiment:
    """One experiment with everything. Raises NotFound."""
    statement = select(*_listed, *_thinning, _ending, _E.spec, _best, _planned, _last_event).select_from(_source)
    statement = statement.where(_E.experiment_id == experiment_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise _not_found(experiment_id)
    best = trials_by_key(connection, _best_keys([row]))
    return replace(
        _experiment(row, best),
        spec=row.spec,
        brackets=_brackets(connection, experiment_id),
        last_event_id=row.last_event_id or 0,
    )


def standing(connection: Connection, experiment_id: int) -> tuple[ExperimentState, bool]:
    """An experiment's state, and whether its trials are still being ended. Raises NotFound."""
    row = connection.execute(select(_E.state, _ending).where(_E.experiment_id == experiment_id)).one_or_none()
    if row is None:
        raise _not_found(experiment_id)
    return ExperimentState(row.state), row.ending


def goal_of(connection: Connection, experiment_id: int) -> str:
    """An experiment's goal. Raises NotFound."""
    goal = connection.scalar(select(_E.goal).where(_E.experiment_id == experiment_id))
    if goal is None:
        raise _not_found(experiment_id)
    return goal


def list_experiments(
    connection: Connection, states: Sequence[ExperimentState], name_contains: str, page: Page
) -> tuple[list[Experiment], str]:
    """A page of experiments, newest first, and the token of the next one."""
    statement = select(*_listed, *_thinning, _ending, _best, _planned).select_from(_source)
    if states:
        statement = statement.where(_E.state.in_([state.value for state in states]))
    if name_contains:
        # LIKE minds upper and lower case on PostgreSQL only; this does on both.
        statement = statement.where(func.replace(_E.name, literal(name_contains, CleanText), "") != _E.name)
    if page.after:
        statement = statement.where(_E.experiment_id < page.after[0])
    statement = statement.order_by(_E.experiment_id.desc()).limit(page.size + 1)
    rows, more = page.cut(connection.execute(statement).all())
    best = trials_by_key(connection, _best_keys(rows))
    token = page.token([rows[-1].experiment_id]) if more else ""
    return [_experiment(row, best) for row in rows], token


def _not_found(experiment_id: int) -> NotFound:
    return NotFound(f"there is no experiment {experiment_id}")


def _best_keys(rows: Sequence[Row[Any]]) -> list[tuple[int, int]]:
    return [(row.experiment_id, row.best) for row in rows if row.best is not None]


def _experiment(row: Row[Any], best: dict[tuple[int, int], Trial]) -> Experiment:
    """An experiment as lists have it."""
    return Experiment(
        experiment_id=row.experiment_id,
        name=row.name,
        state=ExperimentState(row.state),
        state_reason=row.state_reason,
        metric=row.metric,
        goal=row.goal,
        unit=row.unit,
        create_time=datetime.fromtimestamp(row.create_time, UTC),
        end_time=as_time(row.end_time),
        trial_counts={TrialState(state): count for state, count in row.counts.items()},
        planned_trials=row.planned,
        resource_spent=row.resource_spent,
        resource_full=row.resource_full,
        best_trial=best.get((row.experiment_id, row.best)),
        thinning=_thinning_of(row),
        ending=row.ending,
    )


def _thinning_of(row: Row[Any]) -> Thinning | None:
    if row.thinning_experiment_id is None:
        return None
    begun = datetime.fromtimestamp(row.thinning_start_time, UTC)
    return Thinning(row.thinning_keep_every, row.thinning_reports_dropped, begun, as_time(row.thinning_end_time))


def _brackets(connection: Connection, experiment_id: int) -> tuple[Bracket, ...]:
    rungs: dict[int, list[Rung]] = {}
    columns = (_K.bracket_id, _K.rung_id, _K.resource, _K.entered, _K.promoted, _K.failed, _K.best_metric)
    statement = select(*columns).where(_K.experiment_id == experiment_id).order_by(_K.bracket_id, _K.rung_id)
    for bracket_id, *rung in connection.execute(statement):
        rungs.setdefault(bracket_id, []).append(Rung(*rung))
    columns = (_B.bracket_id, _B.max_trials, _B.max_concurrent_trials, _B.trials_created)
    statement = select(*columns).where(_B.experiment_id == experiment_id).order_by(_B.bracket_id)
    return tuple(
        Bracket(bracket_id, trials, concurrent, made, tuple(rungs.get(bracket_id, ())))
        for bracket_id, trials, concurrent, made in connection.execute(statement)
    )
