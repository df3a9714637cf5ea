"""What becomes of an experiment's trials once it has ended, a portion at a time: there may be a million of them.

The experiment itself ends at once: nothing more is handed out or taken in. Its trials, leases and checkpoints follow in
as many batches as it takes, and until the last of them the ledger keeps the experiment's number among the endings.
"""

from __future__ import annotations

from collections import deque

from ....shared.wire.model import ExperimentState, LeaseRef, TrialState
from ....shared.wire.session import LeaseLost
from ..experiment import LiveExperiment
from ..records import Batch, ExperimentRecords


def begin(experiment: LiveExperiment, state: ExperimentState, reason: str, batch: Batch) -> None:
    """Ends the experiment for all to see. An `Ending` does the rest."""
    experiment.ready.clear()
    begin_rows(experiment.records, state, reason, batch)


def begin_rows(records: ExperimentRecords, state: ExperimentState, reason: str, batch: Batch) -> None:
    """The same where there is no more of it than its rows."""
    records.move(state, reason, batch)
    batch.changes.endings[records.experiment_id] = True


class Ending:
    """What is left to end of an experiment that has ended: its trials and their leases, then checkpoints."""

    def __init__(self, records: ExperimentRecords) -> None:
        self._id = records.experiment_id
        self._records = records
        self._trials = deque(self._records.trials)
        #: By session and work request, the trial whose lease answered it.
        self._answered = {(row.session_id, row.request_id): row.trial_id for row in self._records.leases.values()}
        #: Trials whose checkpoints nobody needs; known once all trials have ended.
        self._needless: deque[int] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return not self._trials and self._needless is not None and not self._needless

    def lost(self) -> list[tuple[str, LeaseLost]]:
        """Of the leases that are held, what their sessions are told at once: they train for nothing."""
        why = f"the experiment was {self._records.state.value}"
        held = self._records.leases.values()
        return [(row.session_id, LeaseLost(LeaseRef(self._id, row.trial_id, row.token), why)) for row in held]

    def asked_again(self, session_id: str, request_id: str, batch: Batch) -> None:
        """A worker asks for work, maybe under an id that a lease answered which is still held: it ends before its turn,
        since the ledger takes one held lease for a request."""
        trial_id = self._answered.pop((session_id, request_id), None)
        if trial_id in self._records.leases:
            self._end_trial(trial_id, batch)

    def go_on(self, rows: int, batch: Batch) -> None:
        """Ends what about so many rows tell of."""
        while rows > 0 and self._trials:
            rows -= self._end_trial(self._trials.popleft(), batch)
        if not self._trials and self._needless is None:
            self._needless = deque(self._records.needless())
        while rows > 0 and self._needless:
            rows -= self._drop_checkpoints(self._needless.popleft(), batch)
        batch.changes.endings[self._id] = not self.over

    def _end_trial(self, trial_id: int, batch: Batch) -> int:
        """Ends a trial, and the lease on it if there is one; how many rows that changed."""
        trial, rows = self._records.trials.get(trial_id), 1
        if trial is None:
            return 0
        if not TrialState(trial.state).ended:
            if self._records.state is ExperimentState.COMPLETED:
                # What still waits at a rung goes no further.
                reason = f"{trial.state_reason}; the search has ended"
                self._records.move_trial(trial, TrialState.STOPPED, reason, batch)
            else:
                reason = f"its experiment was {self._records.state.value}"
                self._records.move_trial(trial, TrialState.CANCELLED, reason, batch)
        if trial_id in self._records.leases:
            self._records.close_lease(self._records.leases[trial_id], "cancelled", "", batch)
            rows += 2
        return rows

    def _drop_checkpoints(self, trial_id: int, batch: Batch) -> int:
        kept = len(self._records.checkpoints.by_trial.get(trial_id, ()))
        self._records.drop_checkpoints(trial_id, batch)
        return kept
