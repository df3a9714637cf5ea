"""A master process: the writer's cycle over the real core and the real ledger, under virtual time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from rungmaster.master.dispatcher.clock import Now
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import SessionParameters
from rungmaster.master.dispatcher.sessions.outbox import Outgoing
from rungmaster.master.dispatcher.store import LedgerStore
from rungmaster.master.dispatcher.upkeep.cleanup import take_turn
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.experiment.next_trial import SampledHparams
from rungmaster.shared.errors import MastershipLost, RungmasterError, Unavailable
from rungmaster.shared.wire.session import SessionRequest

from .network import Stream

if TYPE_CHECKING:
    from .world import World

LEASE_TTL, HEARTBEAT, LOOK_INTERVAL_S, CLEANUP_INTERVAL = 10.0, 3.0, 1.0, 1.0
#: Seconds between two looks for what samplers are to suggest, and how long they take for it, on average.
SAMPLING_INTERVAL, LATE_BY = 0.5, 1.0

Done = Callable[[object], None]


@dataclass
class Command:
    """A command with what is told of its result: the value, or the error."""

    apply: Callable[[Core, Now], Any]
    done: Done = lambda result: None


class SimMaster:
    """From a start to a crash."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clockwork = world.clockwork
        self._ledger = world.database.open("simulation")
        self.parameters = SessionParameters(self._ledger.term, LEASE_TTL, HEARTBEAT, "simulated")
        #: Each boot of a machine begins its monotonic clock somewhere else.
        self._base = self._clockwork.random.uniform(0, 1e6)
        self.alive, self.stopped = True, False
        self._queue: deque[Command] = deque()
        self._waiting: dict[Stream, deque[SessionRequest]] = {}
        self._asleep: list[Callable[[], None]] = []
        self._busy = False
        #: What befalls the next batch: its commit fails "before" or "after"; a crash once "applied" or "committed".
        self.next_fault = ""
        self.next_commit_takes = 0.0
        self.core = self._recover()
        self._clockwork.tell("master starts", f"term {self.parameters.term}")
        self._look()
        self._clean_up()
        self._sample()

    @property
    def now(self) -> Now:
        """The instant by this machine's clocks."""
        return Now(self._base + self._clockwork.now, self._world.wall)

    def _recover(self) -> Core:
        core = self._world.database.start(self._ledger, self.parameters, self.now, LOOK_INTERVAL_S, self._world.portion)
        if core.endings.by_experiment:
            self._clockwork.happened("ending taken up again")
        return core

    def when_running(self, action: Callable[[], None]) -> None:
        """Now, or when the stopped process goes on, or never."""
        if self.stopped:
            self._asleep.append(action)
        elif self.alive:
            action()

    def stop(self) -> None:
        """SIGSTOP."""
        self.stopped = True

    def resume(self) -> None:
        """SIGCONT."""
        self.stopped = False
        asleep, self._asleep = self._asleep, []
        for action in asleep:
            self.when_running(action)

    def crash(self) -> None:
        """kill -9: the memory and every stream are gone; the database stays as it is."""
        if not self.alive:
            return
        self.alive, self.stopped = False, False
        if any(experiment.records.awaiting for experiment in self.core.experiments.values()):
            self._clockwork.happened("a master killed while a trial waits for its hyperparameters")
        self._clockwork.tell("master is gone", f"term {self.parameters.term}")
        self._ledger.close()
        for stream in list(self._waiting):
            stream.cut(master_notices=False)

    def _look(self) -> None:
        if self.alive:
            self.when_running(lambda: self.execute(Command(lambda core, now: core.look(now))))
            self._clockwork.after(LOOK_INTERVAL_S, self._look)

    def _clean_up(self) -> None:
        """Goes on with what ended experiments left behind."""
        if self.alive:
            self.when_running(lambda: self.execute(Command(lambda core, _: take_turn(core), self._cleaned_up)))
            self._clockwork.after(CLEANUP_INTERVAL, self._clean_up)

    def _cleaned_up(self, went_on: object) -> None:
        if went_on is True:
            self._clockwork.happened("ending went on")

    def _sample(self) -> None:
        """The host of the samplers looks what is wanted of them."""
        if self.alive:
            needs = Command(lambda core, now: core.sampling.needs(now), self._suggest)
            self.when_running(lambda: self.execute(needs))
            self._clockwork.after(SAMPLING_INTERVAL, self._sample)

    def _suggest(self, found: object) -> None:
        """Suggestions come late, fewer or more than are wanted, and in the storm maybe never; then some trials are
        drawn at random, which may have got theirs meanwhile."""
        for needs in found if isinstance(found, list) else ():
            number, random = needs.experiment.experiment_id, self._clockwork.random
            awaiting = [*needs.awaiting]
            if self._world.stormy:
                awaiting = random.sample(awaiting, random.randint(0, len(awaiting)))
            if self._world.sampler_answers:
                some = [SampledHparams({"x": random.random()}, "bohb") for _ in awaiting]
                if random.random() < 0.2:
                    some.append(SampledHparams({"x": random.random()}, "bohb", "one more than was wanted"))
            else:
                some = [SampledHparams({"x": 0.5}, "random: it did not answer", trial=trial) for trial in awaiting]
            if some:
                delay = random.expovariate(1 / LATE_BY)
                self._clockwork.after(delay, lambda number=number, some=some: self._sampled(number, some))

    def _sampled(self, experiment_id: int, some: list[SampledHparams]) -> None:
        problem = "" if self._world.sampler_answers else "does not answer"

        def sampled(core: Core, _: Now) -> None:
            core.sampling.suggest(experiment_id, some)
            core.sampling.tell_problem(experiment_id, problem)

        self.when_running(lambda: self.execute(Command(sampled)))

    def execute(self, command: Command) -> None:
        """Queues a command."""
        self._queue.append(command)
        self._pump()

    def arrived(self, stream: Stream, request: SessionRequest) -> None:
        """A bundle came over a stream."""
        self.when_running(lambda: self._take(stream, request))

    def _take(self, stream: Stream, request: SessionRequest) -> None:
        self._heard(stream.worker.session_id)
        hello = request.hello
        if hello is not None:
            self._waiting[stream] = deque()
            self.execute(Command(lambda core, now: core.connect(hello, stream, now), partial(self._read_on, stream)))
        elif request != SessionRequest() and stream in self._waiting:
            waiting = self._waiting[stream]
            waiting.append(request)
            if len(waiting) == 1:
                self._receive(stream)

    def _heard(self, session_id: str) -> None:
        session = self.core.sessions.get(session_id)
        if session is not None:
            session.last_seen, session.last_seen_wall = self.now.monotonic, self.now.wall

    def _receive(self, stream: Stream) -> None:
        """One bundle of each worker at a time: none floods the others."""
        request = self._waiting[stream][0]

        def receive(core: Core, now: Now) -> None:
            self._count_repeats(core, request)
            core.receive(stream.worker.session_id, stream, request, now)

        def received(result: object) -> None:
            if self._waiting.get(stream):
                self._waiting[stream].popleft()
            self._read_on(stream, result)

        self.execute(Command(receive, received))

    def _read_on(self, stream: Stream, result: object) -> None:
        if isinstance(result, RungmasterError):
            stream.close(str(result))
        elif self._waiting.get(stream):
            self._receive(stream)

    def _count_repeats(self, core: Core, request: SessionRequest) -> None:
        for event in request.events:
            experiment = core.experiments.get(event.lease.experiment_id)
            lease = experiment.records.leases.get(event.lease.trial_id) if experiment else None
            if lease is None or lease.token != event.lease.token:
                self._clockwork.happened("stale event")
            elif event.sequence <= lease.last_sequence:
                self._clockwork.happened("repeated event")

    def stream_ended(self, stream: Stream) -> None:
        """The master's end of a stream noticed that it is over."""
        self._waiting.pop(stream, None)
        goodbye = Command(lambda core, _: core.disconnect(stream.worker.session_id, stream))
        self.when_running(lambda: self.execute(goodbye))

    def _pump(self) -> None:
        if self._busy or not self._queue or not self.alive:
            return
        size = self._clockwork.random.choice((1, 1, 2, 5, 50))
        batch = [self._queue.popleft() for _ in range(min(size, len(self._queue)))]
        results = [self._apply(command) for command in batch]
        turn = self.core.finish(self.now)
        changes, outbox = turn.changes, turn.outbox
        if self._crashes_once("applied"):
            return
        self._busy = True
        takes = self.next_commit_takes or self._clockwork.random.expovariate(1 / 0.02)
        self.next_commit_takes = 0.0
        commit = partial(self._commit, batch, results, changes, outbox)
        self._clockwork.after(takes, lambda: self.when_running(commit))

    def _apply(self, command: Command) -> object:
        self.core.begin(self.now)
        try:
            return command.apply(self.core, self.now)
        except RungmasterError as error:
            return error

    def _crashes_once(self, where: str) -> bool:
        if self.next_fault != where:
            return False
        self._clockwork.happened(f"crash once {where}")
        self.crash()
        return True

    def _commit(
        self, batch: list[Command], results: list[object], changes: Changes, outbox: dict[str, Outgoing]
    ) -> None:
        self._busy = False
        try:
            results = self._write_and_deliver(results, changes, outbox)
        except MastershipLost:
            self._clockwork.happened("mastership lost")
            self.crash()
        if not self.alive:
            return
        for command, result in zip(batch, results, strict=True):
            command.done(result)
        self._suspend_what_is_broken()
        self._pump()

    def _suspend_what_is_broken(self) -> None:
        """In a transaction of its own, and before anything else, as the writer does it."""
        for number in self.core.isolation.broken:
            found = LedgerStore(self._ledger).experiment(number)
            self._clockwork.happened("experiment suspended")
            self._queue.appendleft(Command(lambda core, _, number=number, found=found: core.suspend(number, found)))
            return

    def _write_and_deliver(self, results: list[object], changes: Changes, outbox: dict[str, Outgoing]) -> list[object]:
        """The results that the callers are told: their own, or the error of the commit."""
        try:
            self._write(changes)
        except MastershipLost:
            raise
        except Unavailable as error:
            self._start_over(error)
            return [error] * len(results)
        if not self._crashes_once("committed"):
            self._deliver(outbox)
        return results

    def _write(self, changes: Changes) -> None:
        fault = self.next_fault if self.next_fault in ("before", "after") else ""
        if fault:
            self.next_fault = ""
            self._clockwork.happened(f"failed {fault} the commit")
        if fault != "before":
            self._world.database.commit(self._ledger, changes, self.core, self.now)
        if fault:
            raise Unavailable(f"simulated, {fault} the commit")

    def _start_over(self, error: Unavailable) -> None:
        for session in self.core.sessions.values():
            if session.connection is not None:
                session.connection.close(str(error))
        self.core = self._recover()

    def _deliver(self, outbox: dict[str, Outgoing]) -> None:
        keys = {granted.key for out in outbox.values() for granted in out.granted}
        hparams = self._ledger.hparams(keys) if keys else {}
        for session_id, out in outbox.items():
            session = self.core.sessions.get(session_id)
            if session is not None and session.connection is not None:
                session.connection.send(out.response(hparams))
