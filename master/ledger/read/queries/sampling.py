"""What samplers are told of an experiment: its results in the order in which they came, and what is in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, select

from .....shared.wire.model import TrialState
from ...schema import tables

#: What the journal calls a result at a rung, and the end of a trial that has none.
_RESULTS = ("decision", "trial_failed", "trial_discarded")
_UNDER_WAY = (TrialState.PENDING.value, TrialState.RUNNING.value)


@dataclass(frozen=True, slots=True)
class SampledResult:
    """What a trial reached at a rung, or that it failed for good (then without a metric); `event_id` is its place."""

    event_id: int
    trial_id: int
    hparams: Mapping[str, Any]
    resource: int
    metric: float | None
    failed: bool


def results_after(connection: Connection, experiment_id: int, event_id: int, limit: int) -> list[SampledResult]:
    """At most `limit` results of an experiment after an entry of its journal, in order."""
    e, t = tables.events.c, tables.trials.c
    same = and_(t.experiment_id == e.experiment_id, t.trial_id == e.trial_id)
    statement = (
        select(e.event_id, e.trial_id, e.kind, e.data, t.hparams, t.resource)
        .join_from(tables.events, tables.trials, same)
        .where(e.experiment_id == experiment_id, e.event_id > event_id, e.kind.in_(_RESULTS))
        .order_by(e.event_id)
        .limit(limit)
    )
    return [_result(*row) for row in connection.execute(statement)]


def _result(
    event_id: int, trial_id: int, kind: str, data: Mapping[str, Any], hparams: Mapping[str, Any] | None, resource: int
) -> SampledResult:
    if kind != "decision":
        return SampledResult(event_id, trial_id, hparams or {}, resource, None, failed=True)
    # What is not finite is a word in the journal.
    metric = data["metric"] if isinstance(data["metric"], int | float) else None
    return SampledResult(event_id, trial_id, hparams or {}, data["resource"], metric, failed=False)


def under_way(connection: Connection, experiment_id: int, limit: int) -> dict[int, Mapping[str, Any]]:
    """The hyperparameters of trials that are in training, or are to be, at most so many, lowest numbers first."""
    t = tables.trials.c
    statement = (
        select(t.trial_id, t.hparams)
        .where(t.experiment_id == experiment_id, t.state.in_(_UNDER_WAY), t.origin != "")
        .order_by(t.trial_id)
        .limit(limit)
    )
    return {trial_id: hparams for trial_id, hparams in connection.execute(statement)}  # noqa: C416 - rows are no pairs
