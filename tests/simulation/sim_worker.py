"""A worker process: the real bookkeeping of its side of a session, around training that is only pretended."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from rungmaster.shared.net.backoff import Backoff
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    Assignment,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    FailedDeletion,
    Hello,
    Measurement,
    SessionRequest,
    SessionResponse,
)
from rungmaster.worker.link.outbox import Outbox

from .network import Stream
from .sim_master import HEARTBEAT

if TYPE_CHECKING:
    from .world import World

WELCOME_TIMEOUT_S = 15.0


class SimWorker:
    """From a start to its end: kill, drain, or the end of the simulation."""

    def __init__(
        self, world: World, name: str, number: int, slots: int, *, faulty: bool = False, lacking: bool = False
    ) -> None:
        """A `faulty` worker can train nothing, a `lacking` one nothing of experiment 1."""
        self._world, self._clockwork = world, world.clockwork
        self.name, self.session_id, self.slots = name, f"{name}.{number}", slots
        self.faulty, self.lacking = faulty, lacking
        random = self._clockwork.random
        self._requests = 0
        self.outbox = Outbox(self._new_id, buffer=random.choice((2, 10, 1000)))
        self.trainings: dict[LeaseRef, SimTraining] = {}
        self.alive, self.hung = True, False
        self.stream: Stream | None = None
        self._welcomed = False
        self._asleep: list[Callable[[], None]] = []
        self._backoff = Backoff(0.2, 3.0, random=Random(random.random()))
        self._offer()
        self._connect()

    def _new_id(self) -> str:
        self._requests += 1
        return f"{self.session_id}-{self._requests}"

    def when_running(self, action: Callable[[], None]) -> None:
        """Now, or when the hanging process goes on, or never."""
        if self.hung:
            self._asleep.append(action)
        elif self.alive:
            action()

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """The same, later."""
        self._clockwork.after(delay, lambda: self.when_running(action))

    def hang(self) -> None:
        """SIGSTOP."""
        self.hung = True

    def wake(self) -> None:
        """SIGCONT."""
        self.hung = False
        asleep, self._asleep = self._asleep, []
        for action in asleep:
            self.when_running(action)

    def kill(self) -> None:
        """kill -9."""
        self.alive, self.hung = False, False
        if self.stream is not None:
            self.stream.cut()

    def drain(self) -> None:
        """SIGTERM: gives back what it trains, then leaves."""
        self.outbox.drain()
        for lease, training in list(self.trainings.items()):
            training.decide(Decision(lease, 0, DecisionKind.PAUSE))
        self.say()

    def _connect(self) -> None:
        if not self.alive:
            return
        master = self._world.master
        if master is None or not master.alive or self._world.is_cut_off(self):
            self.after(self._backoff.next(), self._connect)
            return
        self.outbox.reconnect()
        self._welcomed = False
        self.stream = stream = Stream(self._clockwork, self, master)
        stream.send_up(SessionRequest(hello=Hello(self.session_id, self.name, self.slots, held=self.outbox.held)))
        self.after(WELCOME_TIMEOUT_S, lambda: None if self._welcomed else stream.cut())

    def stream_ended(self, stream: Stream) -> None:
        """The worker's end of a stream noticed that it is over."""
        self.when_running(lambda: self._lost_stream(stream))

    def _lost_stream(self, stream: Stream) -> None:
        if stream is self.stream:
            self.stream = None
            if self.outbox.draining and not self.outbox.held:
                self.alive = False
            else:
                self.after(self._backoff.next(), self._connect)

    def arrived(self, stream: Stream, response: SessionResponse) -> None:
        """A bundle came over a stream."""
        self.when_running(lambda: self._take(stream, response))

    def _take(self, stream: Stream, response: SessionResponse) -> None:
        if stream is not self.stream:
            return
        if not self._welcomed:
            assert response.welcome is not None, "the first message of a stream is the welcome"
            self._welcomed = True
            self._backoff.reset()
            self.after(HEARTBEAT, lambda: self._beat(stream))
        self._received(response)
        self.say()

    def _received(self, response: SessionResponse) -> None:
        for lost in response.lost_leases:
            self._lose(lost.lease)
        for known in response.acknowledgements:
            for event in self.outbox.acknowledge(known.lease, known.sequence):
                self._world.database.oracle.acknowledged(event)
        for assignment in response.assignments:
            self._begin(assignment)
        for decision in response.decisions:
            if decision.lease in self.trainings:
                self.trainings[decision.lease].decide(decision)
        for uri in response.delete_checkpoints:
            self.after(self._clockwork.random.uniform(0, 2), lambda uri=uri: self._delete(uri))

    def _lose(self, lease: LeaseRef) -> None:
        training = self.trainings.pop(lease, None)
        if training is not None:
            self._clockwork.happened("zombie told to stop", lease)
            training.over = True
            self._offer()
        self.outbox.drop(lease)

    def _delete(self, uri: str) -> None:
        reseeding = self._clockwork.random.random() if self._world.stormy else 1.0
        if reseeding < 0.02:
            self._clockwork.happened("deletion without an answer")
            return
        if reseeding < 0.2:
            self._clockwork.happened("deletion failed")
            self.outbox.not_deleted(FailedDeletion(uri, "Stale file handle"))
        else:
            self._world.delete_checkpoint(uri)
            self.outbox.deleted(uri)
        self.say()

    def _begin(self, assignment: Assignment) -> None:
        if not self.outbox.open(assignment.lease, assignment.request_id):
            self._clockwork.happened("assignment repeated", assignment.lease)
            return
        if self.outbox.draining:
            self.outbox.record(assignment.lease, Exit(ExitOutcome.GIVEN_BACK))
            return
        self._clockwork.tell("assigned", f"{self.session_id} {assignment.lease} to {assignment.target}")
        self._world.check_assignment(self, assignment)
        self.trainings[assignment.lease] = SimTraining(self._world, self, assignment)
        self._offer()

    def _offer(self) -> None:
        self.outbox.set_free_slots(self.slots - sum(t.assignment.slots for t in self.trainings.values()))

    def ended(self, training: SimTraining, end: Exit) -> None:
        """A training process has ended."""
        lease = training.assignment.lease
        del self.trainings[lease]
        self.outbox.record(lease, end)
        self._clockwork.tell("ended", f"{self.session_id} {lease} {end.outcome}")
        self._offer()
        self.say()

    def _beat(self, stream: Stream) -> None:
        if stream is self.stream and stream.whole:
            self.outbox.beat()
            stream.send_up(SessionRequest())
            self.say()
            self.after(HEARTBEAT, lambda: self._beat(stream))

    def say(self) -> None:
        """Sends what there is to say."""
        if self.stream is None or not self._welcomed:
            return
        if self.outbox.draining and not self.trainings and not self.outbox.held:
            self.alive = False
            self.stream.cut()
            return
        while (request := self.outbox.bundle()) is not None:
            self.stream.send_up(request)


class SimTraining:
    """A training process: steps, reports, and obeys. What it does depends on the trial's number and the seed only."""

    def __init__(self, world: World, worker: SimWorker, assignment: Assignment) -> None:
        self._world, self._worker, self.assignment = world, worker, assignment
        self._random = world.clockwork.random
        self.over = False
        self.resource, broken, started_from = world.load_checkpoint(assignment)
        if broken:
            worker.outbox.checkpoints_broken(assignment.lease, "cut short", tuple(broken), started_from)
        self.target = assignment.target
        self._wish: Decision | None = None
        self._waiting_for = 0
        self._nature = world.nature_of(assignment)
        self._next()

    def _next(self) -> None:
        seconds = self._random.expovariate(1.0) * (20.0 if self._nature == "slow" else 1.0)
        self._worker.after(seconds, self._step)

    def _step(self) -> None:
        if self.over:
            return
        if self._fails():
            return
        if not self._worker.outbox.has_room(self.assignment.lease):
            self._world.clockwork.happened("report waits for room")
            self._worker.after(0.5, self._step)
            return
        self.resource += self._random.choice((1, 1, 1, 2)) if self._nature == "coarse" else 1
        metric = math.nan if self._nature == "diverges" else self._world.curve(self.assignment, self.resource)
        sequence = self._record(Measurement(self.resource, {self.assignment.metric: metric}))
        if self._wish is not None:
            self._obey(self._wish)
        elif self.resource >= self.target:
            self._waiting_for = sequence
        else:
            if self._random.random() < 0.3:
                self._save()
            self._next()

    def _fails(self) -> bool:
        lease, ends = self.assignment.lease, self._worker.ended
        if self._worker.faulty:
            self._end(lambda: ends(self, Exit(ExitOutcome.WORKER_FAULT, "disk full")))
        elif self._world.stormy and self._random.random() < 0.01:
            self._end(lambda: ends(self, Exit(ExitOutcome.ENVIRONMENT, "No space left on device")))
        elif self._nature == "cannot start" or (self._worker.lacking and lease.experiment_id == 1):
            self._end(lambda: ends(self, Exit(ExitOutcome.CANNOT_START, "no module named torch")))
        elif self._nature == "raises":
            self._end(
                lambda: ends(self, Exit(ExitOutcome.FAILED, f"exited with code 1: NameError in {lease.trial_id}"))
            )
        elif self._nature == "invalid" and self.resource == 0:
            self._end(lambda: ends(self, Exit(ExitOutcome.INVALID_HPARAMS, "no such combination")))
        elif self._nature == "fails" or (self._nature == "flaky" and self._random.random() < 0.2):
            self._end(lambda: ends(self, Exit(ExitOutcome.FAILED, f"boom in {lease}")))
        elif self._nature == "poison" and self._random.random() < 0.3 and self._world.may_die(self._worker):
            self._world.clockwork.happened("poison killed a worker", lease)
            self.over = True
            self._world.replace(self._worker)
        return self.over

    def _end(self, tell: Callable[[], None]) -> None:
        self.over = True
        tell()

    def _record(self, event: Measurement | CheckpointSaved) -> int:
        sequence = self._worker.outbox.record(self.assignment.lease, event)
        self._worker.say()
        return sequence

    def _save(self) -> None:
        self._record(self._world.save_checkpoint(self.assignment, self.resource))

    def _save_beside(self) -> None:
        """The checkpoint is on its way to the store while the training goes on."""
        resource, takes = self.resource, self._random.expovariate(1.0)

        def saved() -> None:
            if not self.over:
                self._record(self._world.save_checkpoint(self.assignment, resource))

        self._worker.after(takes, saved)

    def decide(self, decision: Decision) -> None:
        """What the master, or the draining worker, wants."""
        if self.over:
            return
        answers = self._waiting_for > 0 and self._waiting_for == decision.sequence
        if decision.kind is not DecisionKind.CONTINUE:
            self._wish = decision
            if self._waiting_for:
                self._obey(decision)
        elif answers or decision.sequence == 0:
            self._wish = None
            self.target = max(self.target, decision.target)
            if answers:
                self._waiting_for = 0
                if decision.save_checkpoint:
                    self._save_beside()
                self._next()

    def _obey(self, decision: Decision) -> None:
        self.over = True
        takes = self._random.expovariate(1.0)
        self._worker.after(takes, lambda: self._leave(decision))

    def _leave(self, decision: Decision) -> None:
        if self._worker.trainings.get(self.assignment.lease) is not self:
            return
        if decision.kind is DecisionKind.PAUSE or decision.save_checkpoint:
            self._save()
        outcome = ExitOutcome.RELEASED if decision.sequence else ExitOutcome.GIVEN_BACK
        self._worker.ended(self, Exit(outcome))
