"""What the end of a lease says about its worker, and about its experiment."""

from __future__ import annotations

from collections.abc import Mapping

from ....shared.text.failure_text import summary
from ....shared.wire.model import LeaseRef
from ....shared.wire.session import Exit, ExitOutcome
from ...experiment.changes import LeaseRow
from ...experiment.experiment import LiveExperiment
from ..clock import Now
from ..sessions.sessions import Session
from .scheduler import may_start


class Blame:
    """Judges by all who are there. `all_back`: when those who were there before a restart have come back."""

    def __init__(
        self, sessions: Mapping[str, Session], experiments: Mapping[int, LiveExperiment], all_back: float
    ) -> None:
        self._sessions = sessions
        self._experiments = experiments
        self._all_back = all_back

    def exited(self, session: Session, lease: LeaseRow, end: Exit, now: Now) -> None:
        """A session has ended a lease of its own."""
        ref = LeaseRef(lease.experiment_id, lease.trial_id, lease.token)
        if end.outcome is ExitOutcome.WORKER_FAULT:
            session.fault(ref.experiment_id, summary(end.error), now.monotonic)
        elif end.outcome is ExitOutcome.RELEASED and lease.decision_sequence > 0:
            session.training_went_well(ref)
        elif end.outcome is ExitOutcome.CANNOT_START:
            self._cannot_start(session, ref.experiment_id, summary(end.error), now)
        elif end.outcome is ExitOutcome.ENVIRONMENT:
            session.rest(ref.experiment_id, summary(end.error), now.monotonic)
        elif end.outcome is ExitOutcome.FAILED:
            elsewhere = any(ref.experiment_id in s.worked for s in self._sessions.values() if s is not session)
            session.training_failed(ref, summary(end.error), now.monotonic, works_elsewhere=elsewhere)

    def _cannot_start(self, session: Session, experiment_id: int, error: str, now: Now) -> None:
        """A worker lacks something of an experiment; where they all do, the experiment itself is wrong."""
        session.bar(experiment_id, f"cannot be started here: {error}", now.monotonic)
        experiment = self._experiments[experiment_id]
        if not experiment.spec.fail_fast or experiment.proven or now.monotonic < self._all_back:
            return
        if not any(may_start(experiment, other) for other in self._sessions.values()):
            experiment.hopeless = f"no worker can start it: {error}"
