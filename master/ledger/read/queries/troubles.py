"""What went wrong in an experiment, alike things counted together: for people, at the end of a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import Connection, exists, func, select

from .....shared.text.failure_text import MAX_SUMMARY, signature, summary
from .....shared.wire.model import TrialState, Trouble
from .....shared.wire.session import ExitOutcome
from ...schema import tables

#: So many failures are looked at; of more, these speak for all.
LOOKED_AT = 10_000
_T, _L, _C = tables.trials.c, tables.leases.c, tables.checkpoints.c
#: Outcomes that are neither a success nor somebody's wish.
_WENT_WRONG = [
    outcome.value
    for outcome in ExitOutcome
    if outcome not in (ExitOutcome.RELEASED, ExitOutcome.GIVEN_BACK, ExitOutcome.INVALID_HPARAMS)
]


def troubles(connection: Connection, experiment_id: int) -> list[Trouble]:
    """Trials that failed, attempts that were repeated, what workers could not do, trials without a checkpoint.

    Each kind with its most frequent first.
    """
    failed = select(_T.trial_id, _T.state_reason).where(
        _T.experiment_id == experiment_id, _T.state == TrialState.FAILED.value
    )
    reasons = connection.execute(failed.order_by(_T.trial_id).limit(LOOKED_AT))
    found = _grouped(("trial_failed", text, trial) for trial, text in reasons)
    begun = func.substr(_L.error, 1, MAX_SUMMARY)
    ended = select(_L.outcome, begun, _L.trial_id).join(
        tables.trials, (_T.experiment_id == _L.experiment_id) & (_T.trial_id == _L.trial_id)
    )
    ended = ended.where(_L.experiment_id == experiment_id, _L.outcome.in_([*_WENT_WRONG, "expired"]))
    # What ended a trial for good is told with the trial.
    ended = ended.where((_L.outcome != ExitOutcome.FAILED.value) | (_T.state != TrialState.FAILED.value))
    ended = ended.order_by(_L.trial_id, _L.token).limit(LOOKED_AT)
    found += _grouped((outcome, error, trial) for outcome, error, trial in connection.execute(ended))
    return found + _without_checkpoint(connection, experiment_id)


def _grouped(rows: Iterable[tuple[str, str, int]]) -> list[Trouble]:
    """Rows of kind, text and trial as troubles; the first of each is the example."""
    alike: dict[tuple[str, str], Trouble] = {}
    for kind, text, trial_id in rows:
        key = (kind, signature(text))
        seen = alike.get(key) or Trouble(kind, 0, summary(text), trial_id)
        alike[key] = replace(seen, count=seen.count + 1)
    return sorted(alike.values(), key=lambda trouble: -trouble.count)


def _without_checkpoint(connection: Connection, experiment_id: int) -> list[Trouble]:
    saved = exists().where(_C.experiment_id == _T.experiment_id, _C.trial_id == _T.trial_id)
    statement = select(func.count(), func.min(_T.trial_id)).where(
        _T.experiment_id == experiment_id, _T.state == TrialState.COMPLETED.value, ~saved
    )
    count, first = connection.execute(statement).one()
    return [Trouble("no_checkpoint", count, "", first)] if count else []
