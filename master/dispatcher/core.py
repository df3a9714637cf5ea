"""All experiments and sessions of one master, in memory: every command is applied here, one after another.

No I/O: a command changes the memory, fills the batch's `Changes` and the outbox. The writer commits the changes, and
only then delivers the outbox and the commands' results. What an experiment raises is its own trouble: it is set aside,
with all that it did in the batch, and the writer has it paused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from ...shared.spec.settings import ExperimentSettings
from ...shared.wire.model import LeaseRef, Worker
from ...shared.wire.session import Hello, LeaseLost, SessionRequest, WorkRequest
from ..experiment.changes import ROWS_AT_ONCE, Changes, LeaseRow, StoredRows
from ..experiment.experiment import LiveExperiment
from ..experiment.life import extension, lifecycle
from ..experiment.next_trial import Draw, patiently
from ..experiment.records import Batch
from ..experiment.saved.starts import find_start
from ..experiment.setup import NO_CODE, NOBODY, ExperimentSetup, Owner
from .archive import Archive, Extension
from .clock import Now
from .isolation import Isolation, Turn
from .numbering import Numbering
from .recording import Recording
from .recovered import RecoveredMemory, SessionParameters
from .sampling import Sampling
from .scheduling.blame import Blame
from .scheduling.scheduler import Scheduler
from .sessions.outbox import Granted, Outgoing
from .sessions.owners import SessionOwners
from .sessions.sessions import Session, Watch, WorkerConnection, named, shown, stored
from .setup import Refused
from .upkeep.endings import PORTION, Endings
from .upkeep.worker_tasks import WorkerTasks

T = TypeVar("T")


class Core:
    """The master's memory. Rebuilt from the ledger at start, and whenever a commit did not succeed."""

    def __init__(
        self,
        parameters: SessionParameters,
        recovered: RecoveredMemory,
        now: Now,
        look_interval_s: float = 1.0,
        portion: int = PORTION,
        ahead: Callable[[int, Draw], Draw] = lambda _, draw: patiently(draw),
    ) -> None:
        """`portion` is how many rows the ending of an experiment may take in one batch; `ahead` gives the draw of an
        experiment of this number a form that nobody waits for."""
        self.parameters = parameters
        self.isolation = Isolation(ahead, self.set_aside, now.wall)
        #: Those that have not ended, and can go on.
        self.experiments = self.isolation.live
        #: The experiment that the command at hand steers.
        self.subject: int | None = None
        self.endings = Endings(portion)
        self.sessions: dict[str, Session] = {}
        self._numbering = Numbering(recovered.last_experiment_id, recovered.request_ids)
        self._archive = Archive(self.isolation, self.endings)
        self.worker_tasks = WorkerTasks(self.sessions, recovered.garbage)
        #: Sessions that a person wants to leave: told again where they come back without having heard.
        self._leaving = set(recovered.leaving)
        self._owners = SessionOwners(recovered.owners)
        self._watch = Watch(parameters.lease_ttl_s, look_interval_s, now.monotonic)
        self._scheduler = Scheduler()
        # After a restart it takes a lease's time until those who are still there have come back.
        all_back = now.monotonic + (parameters.lease_ttl_s if recovered.experiments else 0.0)
        self._touched: set[int] = set()
        self._recording = Recording(self.isolation, Blame(self.sessions, self.experiments, all_back), self._touched)
        self.sampling = Sampling(self.isolation, self.sessions, self._touched)
        self._outbox: dict[str, Outgoing] = defaultdict(Outgoing)
        for stored_rows, setup in recovered.experiments:
            self._restore(stored_rows, setup, now)

    def _restore(self, stored_rows: StoredRows, setup: ExperimentSetup | Refused, now: Now) -> None:
        experiment = self.isolation.admit(stored_rows, setup)
        if experiment is None:
            return
        if experiment.records.state.ended:
            self.endings.add(experiment.records)
            del self.experiments[experiment.experiment_id]
            return
        self._touched.add(experiment.experiment_id)
        for lease in experiment.records.leases.values():
            session = self.sessions.get(lease.session_id)
            if session is None:
                session = Session(lease.session_id, lease.worker, None, now.monotonic, now.wall)
                self.sessions[lease.session_id] = session
            session.hold(lease.ref, lease.request_id, lease.slots)

    def begin(self, now: Now) -> None:
        """A command is about to be applied at this time."""
        self.isolation.parts.begin(now.wall)

    @property
    def full(self) -> bool:
        """Whether the batch changes so much that it is to be committed before another command is applied."""
        return self.isolation.parts.reach(ROWS_AT_ONCE)

    def finish(self, now: Now) -> Turn:
        """Hands out work, ends what has ended, and gives what must be committed and then sent."""
        self.begin(now)
        for grant in self._scheduler.run(self.experiments, self.sessions, self._touched, self.isolation.do, now):
            self._grant(grant.session, grant.experiment, grant.lease, grant.request)
        for experiment_id in self._touched | self._scheduler.rested:
            experiment = self.experiments.get(experiment_id)
            if experiment is not None:
                self.sampling.see(experiment)
                for session_id, decision in self.isolation.do(experiment, lifecycle.settle, experiment) or ():
                    self._outbox[session_id].decisions.append(decision)
                if experiment_id in self.experiments and experiment.records.state.ended:
                    self._ended(experiment)
        self._touched.clear()
        self.endings.go_on(self.isolation.parts, self.set_aside)
        self.worker_tasks.hand_out(self.isolation.parts.unneeded_checkpoints(), now, self._outbox.__getitem__)
        outbox, self._outbox = self._outbox, defaultdict(Outgoing)
        return self.isolation.turn(outbox)

    def set_aside(self, experiment_id: int, error: Exception, outbox: dict[str, Outgoing] | None = None) -> None:
        """Forgets an experiment that raised, or whose part of a batch was not written (`outbox`: that batch's).

        Nobody can tell how far it came, so nothing of what it did and said in the batch counts.
        """
        self.isolation.set_aside(experiment_id, error)
        self.endings.drop(experiment_id)
        self._scheduler.forget(experiment_id)
        for session in self.sessions.values():
            session.release_all(experiment_id)
        for session_id, out in (self._outbox if outbox is None else outbox).items():
            self._ask_again(self.sessions.get(session_id), out.drop(experiment_id))

    def suspend(self, experiment_id: int, found: tuple[StoredRows, ExperimentSetup | Refused] | None) -> None:
        """Pauses an experiment that was set aside, for people to see why; `found` is what the ledger has of it."""
        if found is None:
            self._numbering.forget(experiment_id)
        self._lose(self.isolation.suspend(experiment_id, found))

    def _lose(self, lost: Iterable[tuple[str, LeaseLost]]) -> None:
        for session_id, lease_lost in lost:
            unanswered, session = self._outbox[session_id].lose(lease_lost), self.sessions.get(session_id)
            if session is not None:
                session.release(lease_lost.lease)
            self._ask_again(session, unanswered)

    def _ask_again(self, session: Session | None, unanswered: WorkRequest | None) -> None:
        if session is not None and unanswered is not None:
            self.endings.asked_again(session.session_id, unanswered.request_id, self.isolation.parts)
            session.ask_again(unanswered)
            self._scheduler.wait(session)

    def _grant(
        self, session: Session, experiment: LiveExperiment, lease: LeaseRow, request: WorkRequest | None = None
    ) -> None:
        refs = experiment.records.checkpoints.refs(experiment.records.trials[lease.trial_id])
        session.hold(lease.ref, lease.request_id, lease.slots)
        granted = Granted(
            lease,
            experiment.spec,
            refs,
            self.parameters.database_id,
            experiment.records.ranking.best_metric,
            experiment.storage_used,
            request,
        )
        self._outbox[session.session_id].granted.append(granted)

    def _ended(self, experiment: LiveExperiment) -> None:
        """From now on nothing of it is handed out or taken in."""
        number = experiment.experiment_id
        del self.experiments[number]
        self._scheduler.forget(number)
        for session in self.sessions.values():
            session.forget(number)
        self._lose(self.endings.begin(experiment.records))

    def connect(self, hello: Hello, connection: WorkerConnection, now: Now, identity: str = "") -> None:
        """A worker opened a stream: it is told what it still holds, what it lost, and what it never learnt of.

        `identity` is the name of its token or certificate. Raises PermissionDenied where the session is another's.
        """
        self._owners.admit(hello, identity)
        session = self.sessions.get(hello.session_id)
        if session is None:
            session = Session(hello.session_id, hello.worker, hello, now.monotonic, now.wall)
            self.sessions[hello.session_id] = session
        elif session.connection is not None and session.connection is not connection:
            session.connection.close("the worker opened another stream")
        session.open(hello, connection)
        session.draining = hello.session_id in self._leaving
        session.last_seen, session.last_seen_wall = now.monotonic, now.wall
        self._record_worker(session)
        self.worker_tasks.deletions.ask_others(hello.session_id)
        out = self._outbox[hello.session_id]
        out.welcome = self.parameters.welcome()
        out.drain = session.draining
        self._reconcile(session, hello, out)

    def _reconcile(self, session: Session, hello: Hello, out: Outgoing) -> None:
        for ref in hello.held:
            experiment = self.experiments.get(ref.experiment_id)
            lease = experiment.held(ref, session.session_id) if experiment else None
            if experiment is None or lease is None:
                out.lose(LeaseLost(ref, "the lease ended while the worker was away"))
                continue
            out.acknowledged[ref] = lease.last_sequence
            self._repeat_decision(session, experiment, lease)
        for ref in session.leases.keys() - set(hello.held):
            self._grant_again(session, ref)

    def _grant_again(self, session: Session, ref: LeaseRef) -> None:
        """An assignment was lost on the way, and with it what the master has wished since."""
        experiment = self.experiments.get(ref.experiment_id)
        if experiment is not None:
            lease, trial = experiment.records.leases[ref.trial_id], experiment.records.trials[ref.trial_id]
            self.isolation.do(experiment, find_start, experiment.records, trial)
            self._grant(session, experiment, lease)
            self._repeat_decision(session, experiment, lease)

    def _repeat_decision(self, session: Session, experiment: LiveExperiment, lease: LeaseRow) -> None:
        decision = self.isolation.do(experiment, lambda _: experiment.decision_of(lease))
        if decision is not None:
            self._outbox[session.session_id].decisions.append(decision)

    def _record_worker(self, session: Session) -> None:
        common = self.isolation.parts.common
        common.changes.workers[session.session_id] = stored(session, self._owners.of(session.session_id), common.now)

    def receive(self, session_id: str, connection: WorkerConnection, request: SessionRequest, now: Now) -> None:
        """A bundle from a connected worker."""
        session = self.sessions.get(session_id)
        if session is None or session.connection is not connection:
            connection.close("this session was given up; say hello again")
            return
        if request.draining:
            session.draining, session.request = True, None
        if request.waiting is not None:
            session.held_up = request.waiting
        if request.events:
            self._recording.take_in(session, request.events, self._outbox[session_id], now)
        if request.answers_errands:
            gone = self.worker_tasks.answered(session_id, request, now)
            self.isolation.parts.common.changes.deleted_checkpoints.extend(gone)
        if request.work_request is not None and not session.draining:
            self._ask(session, request.work_request)

    def _ask(self, session: Session, asked: WorkRequest) -> None:
        answered = session.answered.get(asked.request_id)
        if answered is not None:
            self._grant_again(session, answered)
            return
        self.endings.asked_again(session.session_id, asked.request_id, self.isolation.parts)
        if session.ask(asked):
            self._scheduler.wait(session)

    def disconnect(self, session_id: str, connection: WorkerConnection) -> None:
        """A stream ended. Its leases are held until they expire, as it may come back; after a drain it has left."""
        session = self.sessions.get(session_id)
        if session is None or session.connection is not connection:
            return
        session.connection = session.request = None
        self._record_worker(session)
        self.worker_tasks.deletions.ask_others(session_id)
        if session.draining and not session.leases:
            self._forget(session_id)

    def _forget(self, session_id: str) -> None:
        self.sessions.pop(session_id, None)
        self.worker_tasks.forget(session_id)
        self._scheduler.drop(session_id)

    def look(self, now: Now) -> None:
        """Ends leases of silent workers, as many as fit into a batch; writes best results; sees which searches end."""
        for session in self._watch.look(list(self.sessions.values()), now.monotonic):
            if self.full:
                return
            self.isolation.parts.took(len(session.leases))
            for ref in list(session.leases):
                experiment = self.experiments.get(ref.experiment_id)
                if experiment is not None:
                    self.isolation.do(experiment, experiment.expire, ref)
                    self._touched.add(ref.experiment_id)
            if session.connection is not None:
                session.connection.close("no sign of life for longer than the lease")
                self.disconnect(session.session_id, session.connection)
            self._forget(session.session_id)
        for experiment in list(self.experiments.values()):
            self.isolation.do(experiment, experiment.records.write_bests)
            if experiment.early_end(now.wall):
                self._touched.add(experiment.experiment_id)

    def create(
        self, setup: ExperimentSetup, request_id: str, code: Mapping[str, str] = NO_CODE, owner: Owner = NOBODY
    ) -> int:
        """Begins an experiment and gives its number; a repeated request_id gives the number given before. `code` is
        the fingerprint of its training code, `owner` who submits it."""
        given = self._numbering.given(request_id)
        if given is not None:
            return given
        self.subject = number = self._numbering.next(request_id)
        self.isolation.create(number, request_id, setup, code, owner)
        self._touched.add(number)
        return number

    def wake(self, experiment_id: int) -> None:
        """An experiment that had nothing to hand out may have something."""
        self._touched.add(experiment_id)

    def _steer(self, experiment_id: int, act: Callable[[LiveExperiment, Batch], T]) -> T:
        """What a person wants of an experiment. Raises FailedPrecondition where it has ended."""
        self.subject = experiment_id
        self._touched.add(experiment_id)
        return self.isolation.steer(experiment_id, act)

    def pause(self, experiment_id: int) -> None:
        """Pauses an experiment; raises FailedPrecondition where it has ended."""
        if experiment_id not in self.isolation.suspended:
            for session_id, decision in self._steer(experiment_id, lifecycle.pause):
                self._outbox[session_id].decisions.append(decision)

    def resume(self, experiment_id: int) -> None:
        """Lets a paused experiment go on; raises FailedPrecondition where it has ended or cannot."""
        self._steer(experiment_id, lifecycle.resume)

    def change(self, experiment_id: int, settings: ExperimentSettings) -> None:
        """Puts those settings in force that are set; raises FailedPrecondition where it has ended or cannot go on."""
        self._steer(experiment_id, lambda experiment, batch: lifecycle.change(experiment, settings, batch))

    def extend(self, experiment_id: int, max_trials: int) -> Extension | None:
        """Gives an experiment that goes on this many trials in all; of one that has ended, what `reopen` takes. Raises
        FailedPrecondition where it cannot be extended, Unavailable where its trials are still being ended."""
        if not self.isolation.knows(experiment_id):
            return self._archive.begin_extension(experiment_id)
        self._steer(experiment_id, lambda experiment, batch: extension.extend(experiment, max_trials, batch))
        return None

    def reopen(self, asked: Extension, experiment: LiveExperiment, changes: Changes) -> None:
        """Lets an ended experiment go on, as the ledger had it since that was asked for, with what changes by that;
        raises Unavailable where something else was done to it meanwhile."""
        self._archive.end_extension(asked)
        self.subject = number = asked.experiment_id
        self.isolation.reopen(experiment, changes)
        self._touched.add(number)

    def cancel(self, experiment_id: int) -> None:
        """Ends an experiment for good; raises FailedPrecondition where it has ended already."""
        suspended = self.isolation.cancel_suspended(experiment_id)
        if suspended is None:
            self._steer(experiment_id, lifecycle.cancel)
            self._ended(self.experiments[experiment_id])
        elif suspended.records is not None:
            self._lose(self.endings.begin(suspended.records))

    def thin(self, experiment_id: int, keep_every: int, why: str) -> None:
        """Has the reports of an experiment thinned that has ended; raises FailedPrecondition where it has not."""
        self.subject = experiment_id
        self._archive.thin(experiment_id, keep_every, why)

    def delete(self, experiment_id: int) -> None:
        """Forgets an experiment that has ended; raises FailedPrecondition where it has not."""
        self.subject = experiment_id
        self._archive.delete(experiment_id)
        self._numbering.forget(experiment_id)

    def give_up(self, checkpoints: Iterable[str]) -> None:
        """Has the files of checkpoints deleted that nothing needs any more."""
        batch = self.isolation.parts.common
        batch.changes.unneeded_checkpoints.update(dict.fromkeys(checkpoints, batch.now))
        self.isolation.parts.changed_much()

    def drain(self, name: str, now: Now) -> Worker:
        """Has a worker leave, by its name or its session's id. Raises NotFound, or InvalidInput where several match."""
        session = named(self.sessions.values(), name)
        self._leaving.add(session.session_id)
        self.isolation.parts.common.changes.drained_workers[session.session_id] = now.wall
        session.draining, session.request = True, None
        if session.connection is not None:
            self._outbox[session.session_id].drain = True
        return shown(session, now, self._owners.of(session.session_id).identity)

    def workers(self, now: Now) -> list[Worker]:
        """The sessions that are connected or still hold leases, by name."""
        trouble_of = self.worker_tasks.deletions.trouble_of
        told = (
            shown(s, now, self._owners.of(s.session_id).identity, trouble_of(s.session_id, now.monotonic))
            for s in self.sessions.values()
        )
        return sorted(told, key=lambda worker: (worker.worker, worker.session_id))
