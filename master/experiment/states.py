"""The legal moves of a trial and of an experiment, as tables."""

from __future__ import annotations

from ...shared.wire.model import ExperimentState, TrialState

_P, _R = TrialState.PENDING, TrialState.RUNNING

#: From each state of a trial, the states it may go to.
TRIAL_MOVES: dict[TrialState, frozenset[TrialState]] = {
    _P: frozenset({_R, TrialState.STOPPED, TrialState.FAILED, TrialState.CANCELLED}),
    _R: frozenset(set(TrialState) - {_R}),
    TrialState.PAUSED: frozenset({_P, TrialState.COMPLETED, TrialState.STOPPED, TrialState.CANCELLED}),
    # Once its search was extended a trial that waited at a rung when that ended may go on.
    TrialState.STOPPED: frozenset({_P, TrialState.PAUSED, TrialState.COMPLETED}),
} | {state: frozenset() for state in TrialState if state.ended and state is not TrialState.STOPPED}

#: From each state of an experiment, the states it may go to.
EXPERIMENT_MOVES: dict[ExperimentState, frozenset[ExperimentState]] = {
    ExperimentState.ACTIVE: frozenset(set(ExperimentState) - {ExperimentState.ACTIVE}),
    ExperimentState.PAUSED: frozenset({ExperimentState.ACTIVE, ExperimentState.CANCELLED, ExperimentState.FAILED}),
    # It was extended.
    ExperimentState.COMPLETED: frozenset({ExperimentState.ACTIVE}),
    ExperimentState.CANCELLED: frozenset(),
    ExperimentState.FAILED: frozenset(),
}


class InvalidTransition(AssertionError):
    """A bug: a trial or an experiment was asked to make a move that the tables do not allow."""

    def __init__(self, what: str, start: str, end: str) -> None:
        self.what, self.start, self.end = what, start, end
        super().__init__(f"{what} cannot go from {start} to {end}")


def check_trial_move(experiment_id: int, trial_id: int, start: TrialState, end: TrialState) -> None:
    """Raises InvalidTransition where the move is not in TRIAL_MOVES."""
    if end not in TRIAL_MOVES[start]:
        raise InvalidTransition(f"trial {trial_id} of experiment {experiment_id}", start, end)


def check_experiment_move(experiment_id: int, start: ExperimentState, end: ExperimentState) -> None:
    """Raises InvalidTransition where the move is not in EXPERIMENT_MOVES."""
    if end not in EXPERIMENT_MOVES[start]:
        raise InvalidTransition(f"experiment {experiment_id}", start, end)
