"""Queries about experiments, with their brackets, rungs and best trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, exists, func, literal, select, union_all

from .....shared.errors import NotFound
from .....shared.wire.model import Bracket, Experiment, ExperimentState, Rung, Thinning, TrialInfo, TrialState
from ...schema import tables
from ...schema.tables import columns_of
from ...schema.values import CleanText
from ..from_rows import from_row
from ..paging import Page
from .trials import RANKED_STATES, RESULTS, trials_by_key

_E, _B, _K, _T = tables.experiments.c, tables.brackets.c, tables.rungs.c, tables.trials.c


@dataclass(frozen=True, slots=True)
class ExperimentStatus:
    """An experiment's state, and whether its trials are still being ended."""

    state: ExperimentState
    ending: bool

    @property
    def over(self) -> bool:
        """Whether nothing can follow, neither events nor reports."""
        return self.state.ended and not self.ending


def _best_of_state(state: TrialState, column: ColumnElement[Any], order: ColumnElement[Any]) -> Select[Any]:
    best = select(_T.trial_id, column.label("result")).where(
        _T.experiment_id == _E.experiment_id, _T.state == state.value, column.is_not(None)
    )
    return select(best.order_by(order, _T.trial_id).limit(1).correlate(tables.experiments).subquery())


def _first_trial_id(result: str, goal: str) -> ColumnElement[Any]:
    """The best trial of the experiment around this expression: the best of each state's first in the index."""
    column = _T[RESULTS[result]]
    order = column.desc() if goal == "maximize" else column
    states = RANKED_STATES if result == "last" else tuple(TrialState)
    best = union_all(*(_best_of_state(state, column, order) for state in states)).subquery()
    metric = best.c.result.desc() if goal == "maximize" else best.c.result
    return select(best.c.trial_id).order_by(metric, best.c.trial_id).limit(1).scalar_subquery()


def _by_goal(result: str) -> ColumnElement[Any]:
    return case((_E.goal == "maximize", _first_trial_id(result, "maximize")), else_=_first_trial_id(result, "minimize"))


_best_trial = case((_E.best_by == "last", _by_goal("last")), else_=_by_goal("any")).label("best_trial")
_leading_trial = _by_goal("any").label("leading_trial")
_planned = (
    select(func.coalesce(func.sum(_B.max_trials), 0))
    .where(_B.experiment_id == _E.experiment_id)
    .correlate(tables.experiments)
    .scalar_subquery()
    .label("planned_trials")
)
_last_event = (
    select(func.coalesce(func.max(tables.events.c.event_id), 0))
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
    statement = select(
        *_listed, *_thinning, _ending, _E.spec, _best_trial, _leading_trial, _planned, _last_event
    ).select_from(_source)
    statement = statement.where(_E.experiment_id == experiment_id)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise _not_found(experiment_id)
    brackets = _brackets(connection, experiment_id)
    furthest = _furthest_trial_id(connection, row, brackets)
    wanted = {number for number in (row.best_trial, row.leading_trial, furthest) if number is not None}
    shown = trials_by_key(connection, [(experiment_id, number) for number in wanted])
    return _experiment(
        row,
        shown,
        brackets=brackets,
        leading_trial=shown.get((experiment_id, row.leading_trial)),
        furthest_trial=shown.get((experiment_id, -1 if furthest is None else furthest)),
    )


def get_status(connection: Connection, experiment_id: int) -> ExperimentStatus:
    """An experiment's state alone, without the rest of it. Raises NotFound."""
    row = connection.execute(select(_E.state, _ending).where(_E.experiment_id == experiment_id)).one_or_none()
    if row is None:
        raise _not_found(experiment_id)
    return ExperimentStatus(ExperimentState(row.state), row.ending)


def _furthest_trial_id(connection: Connection, row: Row[Any], brackets: Iterable[Bracket]) -> int | None:
    """Of the trials that were trained to the highest resource of a rung, the best there."""
    sign = -1.0 if row.goal == "maximize" else 1.0
    rungs = [
        (-rung.resource, sign * rung.best_metric, bracket.bracket_id, rung)
        for bracket in brackets
        for rung in bracket.rungs
        if rung.best_metric is not None
    ]
    if not rungs:
        return None
    *_, bracket_id, rung = min(rungs, key=lambda each: each[:3])
    c = tables.rung_results.c
    there = (c.experiment_id == row.experiment_id, c.bracket_id == bracket_id, c.rung_id == rung.rung_id)
    return connection.scalar(select(func.min(c.trial_id)).where(*there, c.metric == rung.best_metric))


def order_of(connection: Connection, experiment_id: int) -> tuple[str, str]:
    """An experiment's goal, and which result counts when its best trials are named. Raises NotFound."""
    row = connection.execute(select(_E.goal, _E.best_by).where(_E.experiment_id == experiment_id)).one_or_none()
    if row is None:
        raise _not_found(experiment_id)
    return row.goal, row.best_by


def list_experiments(
    connection: Connection, states: Sequence[ExperimentState], name_contains: str, page: Page
) -> tuple[list[Experiment], str]:
    """A page of experiments, newest first, and the token of the next one."""
    statement = select(*_listed, *_thinning, _ending, _best_trial, _planned).select_from(_source)
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
    return NotFound(f"there is no experiment {experiment_id}", experiment_id=experiment_id)


def _best_keys(rows: Sequence[Row[Any]]) -> list[tuple[int, int]]:
    return [(row.experiment_id, row.best_trial) for row in rows if row.best_trial is not None]


def _experiment(row: Row[Any], best: dict[tuple[int, int], TrialInfo], **given: Any) -> Experiment:
    """An experiment as lists have it, with what is given beside that."""
    counts = {TrialState(state): count for state, count in row.counts.items()}
    thinned = row.thinning_experiment_id is not None
    return from_row(
        Experiment,
        row,
        trial_counts=counts,
        best_trial=best.get((row.experiment_id, row.best_trial)),
        thinning=from_row(Thinning, row, "thinning_") if thinned else None,
        **given,
    )


def _brackets(connection: Connection, experiment_id: int) -> tuple[Bracket, ...]:
    rungs: dict[int, list[Rung]] = {}
    columns = (_K.bracket_id, *columns_of(tables.rungs, Rung))
    statement = select(*columns).where(_K.experiment_id == experiment_id).order_by(_K.bracket_id, _K.rung_id)
    for row in connection.execute(statement):
        rungs.setdefault(row.bracket_id, []).append(from_row(Rung, row))
    statement = select(tables.brackets).where(_B.experiment_id == experiment_id).order_by(_B.bracket_id)
    return tuple(
        from_row(Bracket, row, rungs=tuple(rungs.get(row.bracket_id, ()))) for row in connection.execute(statement)
    )
