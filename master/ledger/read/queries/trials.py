"""Queries about trials. Each reads a page's worth of rows through an index, however many trials there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select, and_, select, tuple_, union_all

from .....shared.errors import NotFound
from .....shared.wire.model import Checkpoint, Event, Lease, Report, TrialInfo, TrialOrder, TrialState
from ...schema import tables
from ...schema.tables import columns_of
from ..from_rows import from_row, from_rows
from ..paging import Page

_T, _L, _R = tables.trials.c, tables.leases.c, tables.reports.c
#: The columns of a report as people see it.
REPORT = columns_of(tables.reports, Report)
_EVERY_STATE = tuple(TrialState)
#: By what an experiment's `best` says, the column with the result that counts.
RESULTS = {"any": "best_metric", "last": "metric"}
#: States whose trials may be called the best by their last result; by any of their results all may.
RANKED_STATES = tuple(state for state in TrialState if state not in (TrialState.FAILED, TrialState.DISCARDED))


def list_trials(
    connection: Connection,
    experiment_id: int,
    goal: str,
    best: str,
    states: Sequence[TrialState],
    order: TrialOrder,
    page: Page,
) -> tuple[list[TrialInfo], str]:
    """A page of trials and the token of the next one (empty on the last); `best` names the result that counts."""
    if order is TrialOrder.ID:
        ranges, keys = _by_id(experiment_id, states, page.after), ("trial_id",)
    else:
        keys = (RESULTS[best], "trial_id")
        ranges = _by_metric(experiment_id, goal, _T[keys[0]], states or _EVERY_STATE, page.after)
    found = _read_page(connection, experiment_id, ranges, keys, goal == "maximize", page.size + 1)
    rows, more = page.cut(found)
    token = page.token([getattr(rows[-1], key) for key in keys]) if more else ""
    return [_trial(row) for row in rows], token


def _by_id(experiment_id: int, states: Sequence[TrialState], after: tuple[Any, ...] | None) -> list[Select[Any]]:
    base = select(_T.trial_id).where(_T.experiment_id == experiment_id)
    if after:
        base = base.where(_T.trial_id > after[0])
    return [base.where(_T.state == state.value) for state in dict.fromkeys(states)] or [base]


def _by_metric(
    experiment_id: int,
    goal: str,
    column: ColumnElement[Any],
    states: Iterable[TrialState],
    after: tuple[Any, ...] | None,
) -> list[Select[Any, Any]]:
    """For each state the trials after a position, as ranges of the index: first the equal metrics, then the worse."""
    ranges = []
    for state in dict.fromkeys(states):
        base = select(column, _T.trial_id).where(
            _T.experiment_id == experiment_id, _T.state == state.value, column.is_not(None)
        )
        if after is None:
            ranges.append(base)
            continue
        metric, trial_id = after
        worse = column < metric if goal == "maximize" else column > metric
        ranges += [base.where(column == metric, _T.trial_id > trial_id), base.where(worse)]
    return ranges


def _read_page(
    connection: Connection,
    experiment_id: int,
    ranges: Sequence[Select[Any]] | Sequence[Select[Any, Any]],
    keys: tuple[str, ...],
    descending: bool,
    limit: int,
) -> Sequence[Row[Any]]:
    """The first trials of several ranges merged. Each range is cut off before they are sorted, and only then read."""

    def ordered(columns: Any) -> list[ColumnElement[Any]]:
        return [columns[key].desc() if descending and key != "trial_id" else columns[key] for key in keys]

    cut = [select(part.order_by(*ordered(_T)).limit(limit).subquery()) for part in ranges]
    merged = (union_all(*cut) if len(cut) > 1 else cut[0]).subquery("merged")
    found = select(merged).order_by(*ordered(merged.c)).limit(limit).subquery("found")
    is_found = and_(_T.experiment_id == experiment_id, _T.trial_id == found.c.trial_id)
    return connection.execute(_shown_trials(found, is_found).order_by(*ordered(found.c))).all()


def _shown_trials(wanted: FromClause, is_wanted: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Trials with the worker that trains them now, and the resource that they reported last."""
    same_trial = and_(_R.experiment_id == _T.experiment_id, _R.trial_id == _T.trial_id)
    newest = select(_R.resource).where(same_trial).order_by(_R.token.desc(), _R.sequence.desc()).limit(1)
    held = and_(
        _L.experiment_id == _T.experiment_id,
        _L.trial_id == _T.trial_id,
        _L.token == _T.token,
        _L.end_time.is_(None),
    )
    reported = newest.correlate(tables.trials).scalar_subquery().label("reported")
    source = wanted.join(tables.trials, is_wanted).outerjoin(tables.leases, held)
    return select(*_T, _L.worker, reported).select_from(source)


def trials_by_key(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], TrialInfo]:
    """Trials by (experiment, trial), at most a page's worth; those that do not exist are left out."""
    if not keys:
        return {}
    rows = connection.execute(_shown_trials(*tables.wanted_trials(keys)))
    return {(row.experiment_id, row.trial_id): _trial(row) for row in rows}


def _trial(row: Row[Any]) -> TrialInfo:
    # The trial's row is written when its state changes; between that the reports are ahead of it.
    # One that waits for its hyperparameters has null in place of them.
    shown = {"resource": max(row.resource, row.reported or 0), "worker": row.worker or "", "hparams": row.hparams or {}}
    return from_row(TrialInfo, row, **shown)


def get_trial(connection: Connection, experiment_id: int, trial_id: int) -> TrialInfo:
    """Raises NotFound."""
    found = trials_by_key(connection, [(experiment_id, trial_id)])
    if not found:
        text = f"experiment {experiment_id} has no trial {trial_id}"
        raise NotFound(text, experiment_id=experiment_id, trial_id=trial_id)
    return found[experiment_id, trial_id]


def leases_of(connection: Connection, experiment_id: int, trial_id: int) -> list[Lease]:
    """A trial's leases, oldest first."""
    columns = columns_of(tables.leases, Lease)
    statement = select(*columns).where(_L.experiment_id == experiment_id, _L.trial_id == trial_id).order_by(_L.token)
    return from_rows(Lease, connection.execute(statement))


def checkpoints_of(connection: Connection, experiment_id: int, trial_id: int) -> list[Checkpoint]:
    """A trial's checkpoints, oldest first, those that were deleted too."""
    c = tables.checkpoints.c
    statement = select(*columns_of(tables.checkpoints, Checkpoint)).where(
        c.experiment_id == experiment_id, c.trial_id == trial_id
    )
    return from_rows(Checkpoint, connection.execute(statement.order_by(c.token, c.sequence)))


def list_reports(connection: Connection, experiment_id: int, trial_id: int, page: Page) -> tuple[list[Report], str]:
    """A page of a trial's reports in the order of their acceptance, and the token of the next one."""
    statement = select(*REPORT).where(_R.experiment_id == experiment_id, _R.trial_id == trial_id)
    if page.after:
        statement = statement.where(tuple_(_R.token, _R.sequence) > tuple_(*page.after))
    statement = statement.order_by(_R.token, _R.sequence).limit(page.size + 1)
    reports, more = page.cut(from_rows(Report, connection.execute(statement)))
    token = page.token([reports[-1].token, reports[-1].sequence]) if more else ""
    return list(reports), token


def events_after(connection: Connection, experiment_id: int, event_id: int, limit: int) -> list[Event]:
    """The journal of an experiment after an entry, in order."""
    c = tables.events.c
    statement = select(*columns_of(tables.events, Event)).where(c.experiment_id == experiment_id, c.event_id > event_id)
    return from_rows(Event, connection.execute(statement.order_by(c.event_id).limit(limit)))
