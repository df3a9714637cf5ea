"""How a model was trained that has passed from trial to trial (PBT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from .....shared.wire.model import ScheduleEntry, TrialInfo
from ...schema import tables

_T = tables.trials.c
_COLUMNS = (_T.experiment_id, _T.trial_id, _T.parent, _T.start_resource, _T.hparams)


def schedule_of(connection: Connection, trial: TrialInfo) -> tuple[ScheduleEntry, ...]:
    """With which hyperparameters a trial's model was trained from which resource to which, from nothing on; nothing for
    a trial without a parent."""
    if trial.parent is None:
        return ()
    itself = and_(_T.experiment_id == trial.experiment_id, _T.trial_id == trial.trial_id)
    line = select(*_COLUMNS).where(itself).cte("line", recursive=True)
    # A parent is older than its children, so that this ends, whatever somebody has written there.
    above = and_(_T.experiment_id == line.c.experiment_id, _T.trial_id == line.c.parent, _T.trial_id < line.c.trial_id)
    line = line.union_all(select(*_COLUMNS).join_from(tables.trials, line, above))
    rows = connection.execute(select(line).order_by(line.c.trial_id.desc())).all()
    return _schedule(rows, trial.resource)


def _schedule(lineage: Sequence[Row[Any]], reached: int) -> tuple[ScheduleEntry, ...]:
    """From a trial and its ancestors, the oldest last. One that took over where its own parent had begun, or from
    nothing, leaves that one no part."""
    found: list[ScheduleEntry] = []
    for row in lineage:
        if row.start_resource < reached:
            found.append(ScheduleEntry(row.trial_id, row.start_resource, reached, row.hparams))
            reached = row.start_resource
    return tuple(reversed(found))


def children_of(connection: Connection, trial: TrialInfo) -> int:
    """How many trials have it for their parent."""
    theirs = (_T.experiment_id == trial.experiment_id, _T.parent == trial.trial_id)
    return connection.scalar(select(func.count()).select_from(tables.trials).where(*theirs)) or 0
