"""All experiments and sessions of one master, in memory: every command is applied here, one after another.

No I/O: a command changes the memory, fills the batch's `Changes` and the outbox. The writer commits the changes, and
only then delivers the outbox and the commands' results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from ...shared.errors import FailedPrecondition, NotFound
from ...shared.failure_text import summary
from ...shared.model import LeaseRef, Worker
from ...shared.session import (
    CheckpointRef,
    Exit,
    ExitOutcome,
    Hello,
    LeaseEvent,
    LeaseLost,
    SessionRequest,
    Welcome,
)
from ..experiment import lifecycle
from ..experiment.book import Batch
from ..experiment.changes import ROWS_AT_ONCE, Changes, EventRow, LeaseRow, Records, ThinningRow
from ..experiment.experiment import Experiment
from .blueprint import Blueprint
from .clock import Now
from .endings import PORTION, Endings
from .outbox import Granted, Outgoing
from .scheduler import Scheduler, may_start
from .sessions import Connection, Session, Watch, shown, stored

#: Deletions asked of one worker at once.
DELETIONS_ASKED = 100


@dataclass(frozen=True, slots=True)
class Terms:
    """What every session is told. Durations in seconds."""

    term: int
    lease_ttl: float
    heartbeat_interval: float
    version: str
    #: What tells the database from every other.
    database_id: str = ""


@dataclass(slots=True)
class Recovered:
    """What the ledger had: experiments that go on or whose ending does, and what is left to tidy up."""

    last_experiment_id: int = 0
    request_ids: dict[str, int] = field(default_factory=dict)
    experiments: list[tuple[Records, Blueprint]] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)


class Core:
    """The master's memory. Rebuilt from the ledger at start, and whenever a commit did not succeed."""

    def __init__(
        self, terms: Terms, recovered: Recovered, now: Now, look_interval: float = 1.0, portion: int = PORTION
    ) -> None:
        """`portion` is how many rows the ending of an experiment may take in one batch."""
        self.terms = terms
        #: Those that have not ended.
        self.experiments: dict[int, Experiment] = {}
        self.endings = Endings(portion)
        self.sessions: dict[str, Session] = {}
        self._last_experiment_id = recovered.last_experiment_id
        self._request_ids = dict(recovered.request_ids)
        #: Those deleted since the memory was built: readers may have seen them a moment ago.
        self._deleted: set[int] = set()
        #: Checkpoints that nobody was asked to delete yet, and by URI the session that was.
        self._garbage: dict[str, None] = dict.fromkeys(recovered.garbage)
        self._being_deleted: dict[str, str] = {}
        self._watch = Watch(terms.lease_ttl, look_interval, now.monotonic)
        self._scheduler = Scheduler()
        #: After a restart it takes a lease's time until those who are still there have come back.
        self._all_back = now.monotonic + (terms.lease_ttl if recovered.experiments else 0.0)
        self._touched: set[int] = set()
        self._outbox: dict[str, Outgoing] = {}
        self._batch = Batch(Changes(), now.wall)
        for records, blueprint in recovered.experiments:
            self._restore(lifecycle.restore(records, blueprint.spec, blueprint.searcher, blueprint.draw), now)

    def _restore(self, experiment: Experiment, now: Now) -> None:
        if experiment.book.state.ended:
            self.endings.add(experiment)
            return
        self.experiments[experiment.experiment_id] = experiment
        self._touched.add(experiment.experiment_id)
        for lease in experiment.book.leases.values():
            session = self.sessions.get(lease.session_id)
            if session is None:
                session = Session(lease.session_id, lease.worker, None, now.monotonic, now.wall)
                self.sessions[lease.session_id] = session
            session.hold(_ref(lease), lease.request_id, lease.slots)

    def begin(self, now: Now) -> None:
        """A command is about to be applied at this time."""
        self._batch.now = now.wall

    @property
    def full(self) -> bool:
        """Whether the batch changes so much that it is to be committed before another command is applied."""
        return self._batch.changes.rows >= ROWS_AT_ONCE

    def finish(self, now: Now) -> tuple[Changes, dict[str, Outgoing]]:
        """Hands out work, ends what has ended, and gives what must be committed and then sent, by session."""
        self.begin(now)
        for grant in self._scheduler.run(self.experiments, self.sessions, self._touched, self._batch, now):
            self._grant(grant.session, grant.experiment, grant.lease)
        for experiment_id in self._touched | self._scheduler.rested:
            experiment = self.experiments.get(experiment_id)
            if experiment is not None:
                lifecycle.settle(experiment, self._batch)
                if experiment.book.state.ended:
                    self._ended(experiment)
        self._touched.clear()
        self.endings.go_on(self._batch)
        self._collect_garbage()
        changes, outbox = self._batch.changes, self._outbox
        self._batch, self._outbox = Batch(Changes(), now.wall), {}
        return changes, outbox

    def _grant(self, session: Session, experiment: Experiment, lease: LeaseRow) -> None:
        kept = experiment.book.checkpoints.get(lease.trial_id, ())
        refs = tuple(CheckpointRef(row.uri, row.resource, row.checksum) for row in reversed(kept))
        session.hold(_ref(lease), lease.request_id, lease.slots)
        granted = Granted(lease, experiment.spec, refs, self.terms.database_id, experiment.book.best_metric)
        self._out(session.session_id).granted.append(granted)

    def _ended(self, experiment: Experiment) -> None:
        """From now on nothing of it is handed out or taken in."""
        number = experiment.experiment_id
        del self.experiments[number]
        self._scheduler.forget(number)
        for session in self.sessions.values():
            session.forget(number)
        for session_id, lost in self.endings.begin(experiment):
            self._out(session_id).lose(lost)
            self.sessions[session_id].release(lost.lease)

    def _collect_garbage(self) -> None:
        new = self._batch.changes.unneeded_checkpoints
        self._garbage.update(dict.fromkeys(uri for uri in new if uri not in self._being_deleted))
        if not self._garbage:
            return
        session = next((s for s in self.sessions.values() if s.connection and not s.draining), None)
        if session is not None:
            asked = list(islice(self._garbage, DELETIONS_ASKED))
            for uri in asked:
                del self._garbage[uri]
            self._being_deleted.update(dict.fromkeys(asked, session.session_id))
            self._out(session.session_id).delete_checkpoints.extend(asked)

    def _out(self, session_id: str) -> Outgoing:
        out = self._outbox.get(session_id)
        if out is None:
            out = self._outbox[session_id] = Outgoing()
        return out

    def connect(self, hello: Hello, connection: Connection, now: Now) -> None:
        """A worker opened a stream: it is told what it still holds, what it lost, and what it never learnt of."""
        session = self.sessions.get(hello.session_id)
        if session is None:
            session = Session(hello.session_id, hello.worker, hello, now.monotonic, now.wall)
            self.sessions[hello.session_id] = session
        elif session.connection is not None and session.connection is not connection:
            session.connection.close("the worker opened another stream")
        session.hello, session.worker, session.connection = hello, hello.worker, connection
        session.request, session.draining = None, False
        session.last_seen, session.last_seen_wall = now.monotonic, now.wall
        self._record_worker(session)
        self._ask_others_to_delete(hello.session_id)
        out = self._out(hello.session_id)
        terms = self.terms
        out.welcome = Welcome(
            terms.term, terms.lease_ttl, terms.heartbeat_interval, terms.version, database_id=terms.database_id
        )
        self._reconcile(session, hello, out)

    def _reconcile(self, session: Session, hello: Hello, out: Outgoing) -> None:
        for ref in hello.held:
            experiment = self.experiments.get(ref.experiment_id)
            lease = experiment.held(ref, session.session_id) if experiment else None
            if experiment is None or lease is None:
                out.lose(LeaseLost(ref, "the lease ended while the worker was away"))
                continue
            out.acknowledged[ref] = lease.last_sequence
            decision = experiment.decision_of(lease)
            if decision is not None:
                out.decisions.append(decision)
        for ref in session.leases.keys() - set(hello.held):
            self._grant_again(session, ref)

    def _grant_again(self, session: Session, ref: LeaseRef) -> None:
        """An assignment was lost on the way, and with it what the master has wished since."""
        experiment = self.experiments[ref.experiment_id]
        lease = experiment.book.leases[ref.trial_id]
        self._grant(session, experiment, lease)
        decision = experiment.decision_of(lease)
        if decision is not None:
            self._out(session.session_id).decisions.append(decision)

    def _record_worker(self, session: Session) -> None:
        self._batch.changes.workers[session.session_id] = stored(session, self._batch.now)

    def receive(self, session_id: str, connection: Connection, request: SessionRequest, now: Now) -> None:
        """A bundle from a connected worker."""
        session = self.sessions.get(session_id)
        if session is None or session.connection is not connection:
            connection.close("this session was given up; say hello again")
            return
        if request.draining:
            session.draining, session.request = True, None
        if request.events:
            out = self._out(session_id)
            for event in request.events:
                self._record(session, event, out, now)
        for uri in request.deleted_checkpoints:
            if self._being_deleted.pop(uri, None) is not None or uri in self._garbage:
                self._garbage.pop(uri, None)
                self._batch.changes.deleted_checkpoints.append(uri)
        if request.work_request is not None and not session.draining:
            self._ask(session, request)

    def _ask(self, session: Session, request: SessionRequest) -> None:
        asked = request.work_request
        assert asked is not None
        answered = session.answered.get(asked.request_id)
        if answered is not None:
            self._grant_again(session, answered)
            return
        self.endings.asked_again(session.session_id, asked.request_id, self._batch)
        session.request = asked
        self._scheduler.wait(session)

    def _record(self, session: Session, event: LeaseEvent, out: Outgoing, now: Now) -> None:
        experiment = self.experiments.get(event.lease.experiment_id)
        lease = (
            experiment.held(event.lease, session.session_id) if experiment and isinstance(event.event, Exit) else None
        )
        answer = (
            experiment.record(event, session.session_id, self._batch)
            if experiment is not None
            else LeaseLost(event.lease, "the experiment has ended")
        )
        if isinstance(answer, LeaseLost):
            out.lose(answer)
            return
        out.acknowledged[event.lease] = answer.acknowledged
        if answer.decision is not None:
            out.decisions.append(answer.decision)
        if answer.acknowledged == event.sequence:
            self._touched.add(event.lease.experiment_id)
            if isinstance(event.event, Exit):
                assert lease is not None, "only the holder of a lease ends it"
                self._exited(session, lease, event.event, now)

    def _exited(self, session: Session, lease: LeaseRow, end: Exit, now: Now) -> None:
        ref = _ref(lease)
        session.release(ref)
        if end.outcome is ExitOutcome.WORKER_FAULT:
            session.fault(ref.experiment_id, summary(end.error), now.monotonic)
        elif end.outcome is ExitOutcome.RELEASED and lease.decision_sequence > 0:
            session.training_went_well(ref)
        elif end.outcome is ExitOutcome.CANNOT_START:
            self._cannot_start(session, ref.experiment_id, summary(end.error), now)
        elif end.outcome is ExitOutcome.FAILED:
            elsewhere = any(ref.experiment_id in s.worked for s in self.sessions.values() if s is not session)
            session.training_failed(ref, summary(end.error), now.monotonic, works_elsewhere=elsewhere)

    def _cannot_start(self, session: Session, experiment_id: int, error: str, now: Now) -> None:
        """A worker lacks something of an experiment; where they all do, the experiment itself is wrong."""
        session.bar(experiment_id, f"cannot be started here: {error}", now.monotonic)
        experiment = self.experiments[experiment_id]
        if not experiment.spec.fail_fast or experiment.proven or now.monotonic < self._all_back:
            return
        if not any(may_start(experiment, other) for other in self.sessions.values()):
            experiment.hopeless = f"no worker can start it: {error}"

    def disconnect(self, session_id: str, connection: Connection) -> None:
        """A stream ended. The leases are held until they expire: the worker may come back."""
        session = self.sessions.get(session_id)
        if session is None or session.connection is not connection:
            return
        session.connection, session.request = None, None
        self._record_worker(session)
        self._ask_others_to_delete(session_id)

    def _ask_others_to_delete(self, session_id: str) -> None:
        """The session may not have heard what it was to delete: whoever is there is asked."""
        for uri in [uri for uri, asked in self._being_deleted.items() if asked == session_id]:
            del self._being_deleted[uri]
            self._garbage[uri] = None

    def look(self, now: Now) -> None:
        """Ends the leases of workers that were silent for too long; of very many, those that fit into a batch. Writes
        the best results that are not written yet."""
        for session in self._watch.look(list(self.sessions.values()), now.monotonic):
            if self.full:
                return
            for ref in list(session.leases):
                self.experiments[ref.experiment_id].expire(ref, self._batch)
                self._touched.add(ref.experiment_id)
            if session.connection is not None:
                session.connection.close("no sign of life for longer than the lease")
                self.disconnect(session.session_id, session.connection)
            del self.sessions[session.session_id]
            self._scheduler.drop(session.session_id)
        for experiment in self.experiments.values():
            experiment.book.write_bests(self._batch)

    def create(self, blueprint: Blueprint, request_id: str, code: Mapping[str, str] = MappingProxyType({})) -> int:
        """Begins an experiment and gives its number; a repeated request_id gives the number given before.

        `code` is the fingerprint of its training code.
        """
        if request_id and request_id in self._request_ids:
            return self._request_ids[request_id]
        self._last_experiment_id += 1
        experiment = lifecycle.create(
            self._last_experiment_id, request_id, blueprint.spec, blueprint.searcher, blueprint.draw, self._batch, code
        )
        self.experiments[experiment.experiment_id] = experiment
        self._touched.add(experiment.experiment_id)
        if request_id:
            self._request_ids[request_id] = experiment.experiment_id
        return experiment.experiment_id

    def _live(self, experiment_id: int) -> Experiment:
        experiment = self.experiments.get(experiment_id)
        if experiment is None:
            raise FailedPrecondition(f"experiment {experiment_id} has ended")
        self._touched.add(experiment_id)
        return experiment

    def pause(self, experiment_id: int) -> None:
        """Pauses an experiment; raises FailedPrecondition where it has ended."""
        for session_id, decision in lifecycle.pause(self._live(experiment_id), self._batch):
            self._out(session_id).decisions.append(decision)

    def resume(self, experiment_id: int) -> None:
        """Lets a paused experiment go on; raises FailedPrecondition where it has ended."""
        lifecycle.resume(self._live(experiment_id), self._batch)

    def cancel(self, experiment_id: int) -> None:
        """Ends an experiment for good; raises FailedPrecondition where it has ended already."""
        experiment = self._live(experiment_id)
        lifecycle.cancel(experiment, self._batch)
        self._ended(experiment)

    def thin(self, experiment_id: int, keep_every: int, why: str) -> None:
        """Has the reports of an experiment thinned that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        now = self._batch.now
        self._batch.changes.new_thinnings.append(ThinningRow(experiment_id, keep_every, 0, 0, now, None))
        data = {"keep_every": keep_every, "reason": why}
        self._batch.changes.new_events.append(EventRow(experiment_id, None, now, "thinning", data))

    def delete(self, experiment_id: int) -> None:
        """Forgets an experiment that has ended; raises FailedPrecondition where it has not."""
        self._check_ended(experiment_id)
        self._deleted.add(experiment_id)
        self.endings.drop(experiment_id)
        self._request_ids = {key: number for key, number in self._request_ids.items() if number != experiment_id}
        self._batch.changes.deleted_experiments.append(experiment_id)
        self._batch.changes.new_events.append(EventRow(experiment_id, None, self._batch.now, "experiment_deleted", {}))

    def _check_ended(self, experiment_id: int) -> None:
        if experiment_id in self.experiments:
            raise FailedPrecondition(f"experiment {experiment_id} has not ended: cancel it first")
        if experiment_id in self._deleted:
            raise NotFound(f"there is no experiment {experiment_id}")

    def give_up(self, checkpoints: Iterable[str]) -> None:
        """Has the files of checkpoints deleted that nothing needs any more."""
        self._batch.changes.unneeded_checkpoints.update(dict.fromkeys(checkpoints, self._batch.now))

    def workers(self, now: Now) -> list[Worker]:
        """The sessions that are connected or still hold leases, by name."""
        return sorted((shown(s, now) for s in self.sessions.values()), key=lambda w: (w.worker, w.session_id))


def _ref(lease: LeaseRow) -> LeaseRef:
    return LeaseRef(lease.experiment_id, lease.trial_id, lease.token)
