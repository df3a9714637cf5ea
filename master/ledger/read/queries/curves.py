"""The reports of an experiment as columns, a page at a time: the database packs each column into one text.

With a row for each report the reader would take the interpreter's lock from the master's other threads a million
times, and give it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, Text, cast, func, select, tuple_, type_coerce

from .....shared.wire.positions import ReportPosition
from ...engine import read_in_order
from ...schema import tables
from ..curves.columns import DOCUMENT_END, MeasuredColumns, ReportColumns, Whole, values_of, whole_numbers
from .experiments import get_status

_R, _E, _K, _T = tables.reports.c, tables.experiments.c, tables.rungs.c, tables.trials.c
_KEY = (_R.trial_id, _R.token, _R.sequence)
_LAST_OF_COMMIT = (2**31 - 1, 2**31 - 1, 2**63 - 1)

#: Trial, token and sequence number.
ReportKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class CurvesSource:
    """What has to be known of an experiment to make curves of its reports. `position` is that after which no report was
    stored when it was read; None where there were no reports."""

    metric: str
    goal: str
    create_time: float
    levels: tuple[int, ...]
    starts: dict[int, int]
    position: ReportPosition | None


def curves_source(connection: Connection, experiment_id: int) -> CurvesSource:
    """Raises NotFound."""
    get_status(connection, experiment_id)
    found = connection.execute(
        select(_E.metric, _E.goal, _E.create_time).where(_E.experiment_id == experiment_id)
    ).one()
    levels = select(_K.resource).where(_K.experiment_id == experiment_id).distinct().order_by(_K.resource)
    starts = select(_T.trial_id, _T.start_resource).where(_T.experiment_id == experiment_id, _T.parent.is_not(None))
    commit = connection.scalar(select(func.max(_R.commit_id)).where(_R.experiment_id == experiment_id))
    return CurvesSource(
        found.metric,
        found.goal,
        found.create_time,
        tuple(connection.scalars(levels)),
        {row.trial_id: row.start_resource for row in connection.execute(starts)},
        None if commit is None else ReportPosition(commit, *_LAST_OF_COMMIT),
    )


@dataclass(frozen=True, slots=True)
class ReportsPart:
    """Which reports are asked for: at most `limit` of an experiment after a key, stored until a commit. `place` counts
    those before."""

    experiment_id: int
    until: int
    limit: int
    after: ReportKey = (-1, -1, -1)
    place: int = 0


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """Some reports without what they measured, and the key of the last one; no reports where there are no more."""

    reports: ReportColumns
    last: ReportKey


@dataclass(frozen=True, slots=True)
class MetricPage:
    """Some reports, the key of the last one, the names of all that they measured, and how long that is as text."""

    reports: MeasuredColumns
    last: ReportKey
    names: set[str]
    size: int


def training_page(connection: Connection, part: ReportsPart) -> TrainingPage | None:
    """Reports in the order of their keys; None where there are no more. Raises NotFound."""
    row = _packed_page(connection, part)
    if row is None:
        return None
    trial, resource, commit = map(whole_numbers, row)
    reports = ReportColumns(trial, resource, commit, _places(part, trial))
    return TrainingPage(reports, _last_key(connection, part, reports))


def metric_page(connection: Connection, part: ReportsPart, metric: str, create_time: float) -> MetricPage | None:
    """The same with one metric."""
    time_us = cast(func.round((_R.receive_time - create_time) * 1e6), BigInteger).label("time_us")
    row = _packed_page(connection, part, time_us, type_coerce(_R.metrics, Text).label("metrics"))
    if row is None:
        return None
    *numbers, text = row
    trial, resource, commit, time = map(whole_numbers, numbers)
    values, there, names = values_of(text, metric)
    reports = MeasuredColumns(trial, resource, commit, _places(part, trial), time, values, there)
    return MetricPage(reports, _last_key(connection, part, reports), names, len(text))


def _packed_page(connection: Connection, part: ReportsPart, *measured: Any) -> Any:
    """The columns of a page, each as one text; None where there are no reports."""
    get_status(connection, part.experiment_id)
    read_in_order(connection)
    page = _in_order(part, part.after, _R.trial_id, _R.resource, _R.commit_id, *measured).limit(part.limit).subquery()
    names = [column.name for column in page.c if column.name != "metrics"]
    packed = [func.aggregate_strings(cast(page.c[name], Text), ",") for name in names]
    packed += [func.aggregate_strings(page.c.metrics, DOCUMENT_END)] if measured else []
    row = connection.execute(select(*packed)).one()
    return None if row[0] is None else row


def _in_order(part: ReportsPart, after: ReportKey, *columns: Any) -> Any:
    # Not by the index of commits, by which all that follows would have to be sorted.
    stored = _R.commit_id + 0 <= part.until
    key = tuple_(*_KEY) > tuple_(*after)
    return select(*columns).where(_R.experiment_id == part.experiment_id, key, stored).order_by(*_KEY)


def _last_key(connection: Connection, part: ReportsPart, reports: ReportColumns) -> ReportKey:
    """The key of the last of a page: that of so many reports into its trial, or after where the page began."""
    trial = int(reports.trial[-1])
    count = len(reports) - int(np.searchsorted(reports.trial, trial))
    begin = max(part.after, (trial, -1, -1))
    return tuple(connection.execute(_in_order(part, begin, *_KEY).offset(count - 1).limit(1)).one())


def _places(part: ReportsPart, trial: Whole) -> Whole:
    return part.place + np.arange(len(trial))
