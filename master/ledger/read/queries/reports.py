"""The reports of an experiment in the order in which they were stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, select, tuple_, type_coerce

from .....shared.wire.model import Report
from .....shared.wire.positions import ReportPosition
from ...engine import read_in_order
from ...schema import tables
from ...schema.values import load_many_metrics
from .trials import REPORT

_R = tables.reports.c
_COLUMNS = [type_coerce(column, Text) if column is _R.metrics else column for column in REPORT]
_KEY = (_R.trial_id, _R.token, _R.sequence)


def reports_after(connection: Connection, experiment_id: int, after: ReportPosition, limit: int) -> list[Report]:
    """At most so many reports of an experiment after a position, in order.

    No report with a lower position than one that was returned is stored later. A page costs the same wherever it lies.
    """
    read_in_order(connection)
    found: list[Report] = []
    if not after.commit_id and connection.scalar(_oldest(experiment_id)) == 0:
        # Those of older versions have one commit, which is too large to be sorted: they are read by the primary key.
        found = _page(connection, experiment_id, (_R.commit_id == 0, tuple_(*_KEY) > tuple_(*after[1:])), _KEY, limit)
    if len(found) < limit:
        # One condition on the commits and not two, so that it is the one by which a database begins in the index.
        condition = tuple_(_R.commit_id, *_KEY) > tuple_(*after) if after.commit_id else _R.commit_id > 0
        found += _page(connection, experiment_id, (condition,), (_R.commit_id, *_KEY), limit - len(found))
    return found


def _oldest(experiment_id: int) -> Any:
    return select(func.min(_R.commit_id)).where(_R.experiment_id == experiment_id)


def _page(
    connection: Connection,
    experiment_id: int,
    conditions: tuple[ColumnElement[bool], ...],
    order: tuple[ColumnElement[Any], ...],
    limit: int,
) -> list[Report]:
    statement = select(*_COLUMNS).where(_R.experiment_id == experiment_id, *conditions)
    rows: Sequence[Any] = connection.execute(statement.order_by(*order).limit(limit)).all()
    # By hand: whoever follows a search reads every report of it. The columns are in the order of the fields.
    return [
        Report(resource, metrics, token, sequence, datetime.fromtimestamp(time, UTC), trial_id, commit_id)
        for metrics, (resource, _, token, sequence, time, trial_id, commit_id) in zip(
            load_many_metrics([row[1] for row in rows]), rows, strict=True
        )
    ]
