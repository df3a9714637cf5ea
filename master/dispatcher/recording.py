"""Takes in what workers say happened under their leases: the hot path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from ...shared.wire.session import Exit, LeaseEvent, LeaseLost
from ..experiment.experiment import LiveExperiment
from ..experiment.records import Batch
from .clock import Now
from .isolation import Isolation
from .scheduling.blame import Blame
from .sessions.outbox import Outgoing
from .sessions.sessions import Session


class Recording:
    """Has experiments record events. `touched` gets the numbers of those to which something happened."""

    def __init__(self, isolation: Isolation, blame: Blame, touched: set[int]) -> None:
        self._isolation = isolation
        self._blame = blame
        self._touched = touched

    def take_in(self, session: Session, events: Sequence[LeaseEvent], out: Outgoing, now: Now) -> None:
        """Records events of a session; `out` gets what it is to be told."""
        self._isolation.parts.took(len(events))
        for experiment_id, some in _by_experiment(events):
            experiment = self._isolation.live.get(experiment_id)
            if experiment is not None:
                self._isolation.do(experiment, self._record, session, experiment, some, out, now)
            # The loss of a lease on one that was set aside is told once it is durable.
            elif experiment_id not in self._isolation.broken:
                for event in some:
                    out.lose(LeaseLost(event.lease, "the experiment has ended"))

    def _record(
        self,
        session: Session,
        experiment: LiveExperiment,
        events: Iterable[LeaseEvent],
        out: Outgoing,
        now: Now,
        batch: Batch,
    ) -> None:
        for event in events:
            ended = experiment.held(event.lease, session.session_id) if isinstance(event.event, Exit) else None
            answer = experiment.record(event, session.session_id, batch)
            if isinstance(answer, LeaseLost):
                out.lose(answer)
                continue
            out.acknowledged[event.lease] = answer.acknowledged
            if answer.decision is not None:
                out.decisions.append(answer.decision)
            if answer.acknowledged == event.sequence:
                self._touched.add(experiment.experiment_id)
                if isinstance(event.event, Exit):
                    assert ended is not None, "only the holder of a lease ends it"
                    session.release(event.lease)
                    self._blame.exited(session, ended, event.event, now)


def _by_experiment(events: Sequence[LeaseEvent]) -> Iterable[tuple[int, Iterable[LeaseEvent]]]:
    """Neighbours of one experiment together, in their order."""
    if len(events) == 1:
        return ((events[0].lease.experiment_id, events),)
    return groupby(events, lambda event: event.lease.experiment_id)
