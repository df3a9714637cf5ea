"""Hands out work: matches the workers that ask with the experiments that may have some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ....shared.wire.model import LeaseRef
from ....shared.wire.session import DecisionKind, WorkRequest
from ...experiment.changes import LeaseRow
from ...experiment.entries import Holder
from ...experiment.experiment import LiveExperiment
from ..clock import Now
from ..sessions.sessions import Session
from .allocation import Demand, FairQueue, Offer, Reservations, fits_labels


@dataclass(frozen=True, slots=True)
class Grant:
    """A new lease for a session, and the request that it answers."""

    session: Session
    experiment: LiveExperiment
    lease: LeaseRow
    request: WorkRequest


#: Has an experiment do something of its own (its method, and the arguments before the batch); None where it raised.
Do = Callable[..., Any]


class Scheduler:
    """Remembers who asks, which experiments may have something to hand out, and which workers are reserved."""

    def __init__(self) -> None:
        #: Sessions that asked, in the order in which they did.
        self._waiting: dict[str, None] = {}
        #: Those that had nothing when they were last asked stand in it again when anything happens to them.
        self._fair_queue = FairQueue()
        #: Experiments that turned out to have nothing in the last run: that may have been the end of their search.
        self.rested: set[int] = set()
        self._reservations = Reservations()
        #: Of experiments whose new trials wait for their hyperparameters, how many requests could be given none in this
        #: run: so many may wait, and the next request is for one more.
        self._unserved: Counter[int] = Counter()
        #: Those that have nothing until another request comes, and whether one has.
        self._want_requests: set[int] = set()
        self._asked_anew = False

    def wait(self, session: Session) -> None:
        """The session asks for work."""
        self._waiting.setdefault(session.session_id)
        self._asked_anew = True

    def drop(self, session_id: str) -> None:
        """The session has gone."""
        self._waiting.pop(session_id, None)

    def forget(self, experiment_id: int) -> None:
        """The experiment has ended."""
        self._fair_queue.drop(experiment_id)
        self._reservations.by_experiment.pop(experiment_id, None)
        self._want_requests.discard(experiment_id)

    def run(
        self,
        experiments: Mapping[int, LiveExperiment],
        sessions: Mapping[str, Session],
        touched: Iterable[int],
        do: Do,
        now: Now,
    ) -> Iterator[Grant]:
        """Grants what can be granted now. `touched` are the experiments to which something has happened.

        An experiment that raises when it is to `do` something has nothing to hand out.
        """
        for experiment_id in touched:
            self._line_up(experiment_id, experiments, do)
        self.rested.clear()
        if not self._waiting:
            return
        if self._asked_anew and self._want_requests:
            self._wake_those_that_want_requests(experiments, do)
        yield from self._grants(experiments, sessions, do, now)
        self._asked_anew = False
        if self._unserved:
            self._let_rest()

    def _grants(
        self, experiments: Mapping[int, LiveExperiment], sessions: Mapping[str, Session], do: Do, now: Now
    ) -> Iterator[Grant]:
        self._reservations.keep(
            lambda e, s: e in self._fair_queue and s in sessions and sessions[s].may_run(e, now.monotonic)
        )
        for session_id in list(self._waiting):
            if not self._fair_queue:
                return
            session = sessions.get(session_id)
            if session is None or session.request is None:
                del self._waiting[session_id]
            elif session.wants_work(now.monotonic):
                grant = self._place(session, experiments, do, now, alone=len(sessions) == 1)
                if grant is not None:
                    del self._waiting[session_id]
                    yield grant

    def _line_up(self, experiment_id: int, experiments: Mapping[int, LiveExperiment], do: Do) -> None:
        experiment = experiments.get(experiment_id)
        if experiment is not None and experiment.active:
            do(experiment, lambda _: self._fair_queue.put(_demand(experiment)))
        else:
            self._fair_queue.drop(experiment_id)

    def _place(
        self, session: Session, experiments: Mapping[int, LiveExperiment], do: Do, now: Now, *, alone: bool
    ) -> Grant | None:
        assert session.request is not None
        assert session.hello is not None
        free = min(session.request.free_slots, _room(session, experiments))
        if free <= 0:
            session.waiting_reason = "its slots are taken by leases that have not ended"
            return None
        offer = Offer(session.session_id, free, session.slots, session.hello.labels)
        session.waiting_reason = "no experiment has work for it now"
        for demand in self._fair_queue.offered(self._reservations.waiting_for(session.session_id)):
            number = demand.experiment_id
            if not fits_labels(demand, offer) or not session.takes(number) or session.barred(number, now.monotonic):
                continue
            experiment = experiments[demand.experiment_id]
            if demand.slots <= offer.free_slots:
                grant = self._assign(session, experiment, do, alone=alone)
                if grant is not None:
                    return grant
                self._rest_or_stay(experiment, experiments, do)
            elif demand.slots <= offer.capacity and self._reservations.may_reserve(demand, offer):
                experiment.next_trial.requests = self._unserved[number] + 1
                if do(experiment, experiment.prepare):
                    self._reservations.by_experiment[demand.experiment_id] = offer.session_id
                    session.waiting_reason = (
                        f"kept free for experiment {demand.experiment_id}, whose trials need {demand.slots} slots"
                    )
                    return None
                self._rest_or_stay(experiment, experiments, do)
        return None

    def _assign(self, session: Session, experiment: LiveExperiment, do: Do, *, alone: bool) -> Grant | None:
        request = session.request
        assert request is not None
        holder = Holder(session.session_id, session.worker, alone)
        experiment.next_trial.requests = self._unserved[experiment.experiment_id] + 1
        lease: LeaseRow | None = do(experiment, experiment.assign, holder, request.request_id)
        if lease is None:
            return None
        session.request = None
        self._fair_queue.put(_demand(experiment))
        self._reservations.by_experiment.pop(experiment.experiment_id, None)
        return Grant(session, experiment, lease, request)

    def _rest_or_stay(self, experiment: LiveExperiment, experiments: Mapping[int, LiveExperiment], do: Do) -> None:
        """The experiment has nothing to hand out for this request; it may want the next ones."""
        if not self._wants_requests(experiment, experiments, do):
            self._rest(experiment.experiment_id)

    def _wants_requests(self, experiment: LiveExperiment, experiments: Mapping[int, LiveExperiment], do: Do) -> bool:
        """Whether the experiment, which has nothing to hand out, would let another trial wait for its hyperparameters
        if another request came."""
        number, next_trial = experiment.experiment_id, experiment.next_trial
        # It may have been set aside for what it raised.
        if not next_trial.sampled or number not in experiments:
            return False
        if not do(experiment, lambda _: next_trial.lacks_hparams(experiment.searcher)):
            return False
        self._unserved[number] += 1
        return True

    def _let_rest(self) -> None:
        """Those of them that have met every request have nothing more until another comes."""
        for experiment_id in self._unserved:
            self._rest(experiment_id)
        self._want_requests.update(self._unserved)
        self._unserved.clear()

    def _wake_those_that_want_requests(self, experiments: Mapping[int, LiveExperiment], do: Do) -> None:
        for experiment_id in self._want_requests:
            self._line_up(experiment_id, experiments, do)
        self._want_requests.clear()

    def _rest(self, experiment_id: int) -> None:
        """The experiment has nothing to hand out until something happens to it."""
        self.rested.add(experiment_id)
        self._fair_queue.drop(experiment_id)
        self._reservations.by_experiment.pop(experiment_id, None)


def _room(session: Session, experiments: Mapping[int, LiveExperiment]) -> int:
    """Slots that a worker can have free, whatever it says: those that no lease takes, but for leases that were told to
    pause or stop, whose training has ended while their checkpoints are saved."""
    training = sum(slots for ref, slots in session.leases.items() if not _told_to_end(ref, experiments))
    return min(session.slots - training, 2 * session.slots - session.slots_used)


def _told_to_end(ref: LeaseRef, experiments: Mapping[int, LiveExperiment]) -> bool:
    experiment = experiments.get(ref.experiment_id)
    lease = experiment.records.leases.get(ref.trial_id) if experiment is not None else None
    return lease is None or lease.token != ref.token or lease.decision in (DecisionKind.PAUSE, DecisionKind.STOP)


def may_start(experiment: LiveExperiment, session: Session) -> bool:
    """Whether the worker is for the experiment, large enough, and has not failed to start it; it may be away now."""
    number, needs = experiment.experiment_id, experiment.spec.resources
    if session.draining or session.lacks(number) or not session.takes(number):
        return False
    if session.hello is None:
        return True
    labels = session.hello.labels
    return session.slots >= needs.slots_per_trial and all(labels.get(k) == v for k, v in needs.labels.items())


def _demand(experiment: LiveExperiment) -> Demand:
    spec, row = experiment.spec, experiment.records.row
    return Demand(
        experiment.experiment_id,
        row.priority,
        row.weight,
        spec.resources.slots_per_trial,
        experiment.slots_in_use,
        spec.resources.labels,
    )
