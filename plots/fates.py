"""What became of a trial, as figures colour it."""

from __future__ import annotations

import math
from enum import StrEnum

from ..shared.wire.model import TrialInfo, TrialState
from .history import Curve, History


class Fate(StrEnum):
    """What became of a trial. Drawn in this order, so that what matters lies on top."""

    STOPPED = "stopped early"
    GONE = "discarded or cancelled"
    FAILED = "failed or diverged"
    WAITING = "waits at a rung"
    RUNNING = "running"
    FULL = "trained in full"
    PENDING = "not begun"


_BY_STATE = {
    TrialState.COMPLETED: Fate.FULL,
    TrialState.RUNNING: Fate.RUNNING,
    TrialState.PAUSED: Fate.WAITING,
    TrialState.STOPPED: Fate.STOPPED,
    TrialState.FAILED: Fate.FAILED,
    TrialState.DISCARDED: Fate.GONE,
    TrialState.CANCELLED: Fate.GONE,
}


def fate(trial: TrialInfo, curve: Curve | None = None) -> Fate:
    """What became of a trial; where its last result is no finite number it has diverged, whatever its state."""
    if curve is not None and len(curve) and not math.isfinite(curve.value[-1]):
        return Fate.FAILED
    if trial.state is TrialState.PENDING:
        return Fate.WAITING if trial.resource > trial.start_resource else Fate.PENDING
    return _BY_STATE[trial.state]


def fates(history: History) -> dict[int, Fate]:
    """What became of each trial, by its id."""
    return {trial.trial_id: fate(trial, history.curves.get(trial.trial_id)) for trial in history.trials}
