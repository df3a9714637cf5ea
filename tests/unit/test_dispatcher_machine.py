"""Anything may happen, in any order: workers ask, report, repeat, fall silent and come back; the master crashes between
any two commands; commits fail before or after they took effect. After every step all invariants are checked, and the
memory is compared with one rebuilt from the rows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from unit.master_harness import LEASE_TTL, Event, Line, Master, make_spec
from unit.master_store import RAISES, RAISING, UNDRAWABLE

from rungmaster.master.experiment.next_trial import SampledHparams
from rungmaster.shared.errors import FailedPrecondition, Unavailable
from rungmaster.shared.wire.model import ExperimentState, LeaseRef
from rungmaster.shared.wire.session import (
    Assignment,
    CheckpointSaved,
    Decision,
    DecisionKind,
    Exit,
    ExitOutcome,
    Hello,
    LeaseEvent,
    Measurement,
    SessionRequest,
    SessionResponse,
    WorkRequest,
)

WORKERS = 4
METRICS = st.one_of(st.integers(0, 6).map(float), st.sampled_from([math.nan, math.inf, -math.inf, RAISES]))
SAMPLERS = st.sampled_from(["random", "bohb"])
NAMES = st.sampled_from(["toy", "toy", UNDRAWABLE, RAISING])
FIELDS = {
    "max_trials": st.integers(3, 12),
    "max_resource": st.sampled_from([1, 3, 4, 9]),
    "divisor": st.sampled_from([2, 2.5, 3]),
    "max_concurrent_trials": st.sampled_from([None, None, 2, 4]),
    "stop_once": st.booleans(),
}
MODES = st.sampled_from(["standard", "learned"])
SPECS = st.one_of(
    st.fixed_dictionaries({"name": st.just("asha"), **FIELDS}),
    st.fixed_dictionaries({"name": st.just("adaptive_asha"), "mode": MODES, **FIELDS}),
)


@dataclass
class Held:
    """A lease as its worker knows it."""

    assignment: Assignment
    target: int
    resource: int = 0
    sequence: int = 0
    told: DecisionKind | None = None
    events: list[LeaseEvent] = field(default_factory=list)


class Client:
    """A worker that keeps to the protocol, as far as the network lets it."""

    def __init__(self, master: Master, number: int, incarnation: int = 0) -> None:
        self.master = master
        self.number, self.incarnation = number, incarnation
        self.session_id = f"s{number}.{incarnation}"
        self.slots = 1 + number % 3
        self.line = Line()
        self.line.close("not connected yet")
        self.held: dict[LeaseRef, Held] = {}
        self.requests = 0
        self.draining = False
        self.garbage: list[str] = []

    @property
    def connected(self) -> bool:
        """Whether a stream is open, as far as the worker sees."""
        return not self.line.closed

    @property
    def free(self) -> int:
        """Slots that none of its leases takes."""
        return self.slots - sum(held.assignment.slots for held in self.held.values())

    def connect(self) -> None:
        """Opens a stream, says hello with what it holds, and sends again what the master does not have."""
        self.line = line = Line()
        hello = Hello(self.session_id, f"w{self.number}", self.slots, held=tuple(self.held))
        self._do(lambda: self.master.do(lambda core: core.connect(hello, line, self.master.now)))

    def disconnect(self) -> None:
        """The stream breaks and the master notices."""
        line, self.line = self.line, Line()
        self.line.close("disconnected")
        self._do(lambda: self.master.do(lambda core: core.disconnect(self.session_id, line)))

    def send(self, request: SessionRequest) -> None:
        """Sends a bundle and takes in the answer."""
        line = self.line
        self.master.heard(self.session_id)
        self._do(lambda: self.master.do(lambda core: core.receive(self.session_id, line, request, self.master.now)))

    def _do(self, command: Callable[[], object]) -> None:
        with contextlib.suppress(Unavailable):
            command()

    def ask(self) -> None:
        """Asks for work for its free slots."""
        self.send(SessionRequest(work_request=WorkRequest(f"{self.session_id}-{self.requests}", max(0, self.free))))

    def tell(self, held: Held, event: Event) -> LeaseEvent:
        """Sends the next event of a lease."""
        held.sequence += 1
        told = LeaseEvent(held.assignment.lease, held.sequence, event)
        held.events.append(told)
        self.send(SessionRequest(events=(told,)))
        return told

    def take_in(self) -> None:
        """Reads what has arrived."""
        inbox, self.line.inbox = self.line.inbox, []
        for response in inbox:
            self._take(response)

    def _take(self, response: SessionResponse) -> None:
        for assignment in response.assignments:
            self._assigned(assignment)
        for ack in response.acknowledgements:
            self._acknowledged(ack.lease, ack.sequence)
        for decision in response.decisions:
            self._decided(decision)
        for lost in response.lost_leases:
            self.held.pop(lost.lease, None)
        self.garbage += response.delete_checkpoints

    def _assigned(self, assignment: Assignment) -> None:
        if assignment.request_id == f"{self.session_id}-{self.requests}":
            self.requests += 1
        if assignment.lease not in self.held:
            start = assignment.checkpoints[0].resource if assignment.checkpoints else 0
            self.held[assignment.lease] = Held(assignment, assignment.target, start)

    def _acknowledged(self, ref: LeaseRef, sequence: int) -> None:
        held = self.held.get(ref)
        if held is None:
            return
        for event in held.events[:sequence]:
            self.master.oracle.acknowledged(event)
        if held.events and held.events[-1].sequence <= sequence and isinstance(held.events[-1].event, Exit):
            del self.held[ref]

    def _decided(self, decision: Decision) -> None:
        held = self.held.get(decision.lease)
        if held is None:
            return
        if decision.kind is DecisionKind.CONTINUE:
            held.target = max(held.target, decision.target)
        else:
            held.told = decision.kind

    def resend(self) -> None:
        """Sends everything again that is not known to have arrived."""
        for held in list(self.held.values()):
            if held.events:
                self.send(SessionRequest(events=tuple(held.events)))
                self.take_in()


class MasterMachine(RuleBasedStateMachine):
    """Rules are what can happen; the harness checks the invariants after each."""

    def __init__(self) -> None:
        super().__init__()
        self.master = Master()
        self.clients = [Client(self.master, number) for number in range(WORKERS)]
        self.sent: list[tuple[Client, SessionRequest]] = []
        self.experiments = 0

    @initialize(searcher=SPECS, restarts=st.integers(0, 2), slots=st.integers(1, 2), sampler=SAMPLERS)
    def begin(self, searcher: dict[str, object], restarts: int, slots: int, sampler: str) -> None:
        self.submit(searcher, restarts, slots, "toy", sampler)
        for client in self.clients:
            client.connect()
            client.ask()
            client.take_in()

    @precondition(lambda self: self.experiments < 3)
    @rule(searcher=SPECS, restarts=st.integers(0, 2), slots=st.integers(1, 2), name=NAMES, sampler=SAMPLERS)
    def submit(self, searcher: dict[str, object], restarts: int, slots: int, name: str, sampler: str) -> None:
        resources = {"slots_per_trial": slots}
        spec = make_spec(
            searcher, max_restarts=restarts, max_workers_lost=1, resources=resources, name=name, sampler=sampler
        )
        with contextlib.suppress(Unavailable):
            self.master.submit(spec)
        self.experiments += 1

    def client(self, number: int) -> Client:
        return self.clients[number % WORKERS]

    def lease(self, number: int) -> tuple[Client, Held] | None:
        """A lease that some connected worker trains, if there is any."""
        held = [(c, h) for c in self.clients if c.connected for h in c.held.values() if not _exited(h)]
        return held[number % len(held)] if held else None

    @rule(number=st.integers(0, WORKERS - 1))
    def ask(self, number: int) -> None:
        client = self.client(number)
        if client.connected and not client.draining:
            client.ask()
            client.take_in()

    @rule(
        number=st.integers(0, 50),
        past=st.sampled_from([-1, 0, 0, 0, 0, 0, 1, 5, 100]),
        metric=METRICS,
        heard=st.sampled_from([True, True, True, False]),
    )
    def report(self, number: int, past: int, metric: float, heard: bool) -> None:
        found = self.lease(number)
        if found is None:
            return
        client, held = found
        held.resource = max(held.resource + 1, held.target + past)
        client.tell(held, Measurement(held.resource, {"error": metric}))
        if heard:
            client.take_in()
        else:
            client.line.inbox.clear()

    @rule(metrics=st.lists(METRICS, min_size=3, max_size=10), obedient=st.booleans())
    def progress(self, metrics: list[float], obedient: bool) -> None:
        """Some trials reach their targets, one after another; who was told to pause may take its time."""
        for turn, metric in enumerate(metrics):
            self.ask(turn)
            self.report(turn, 0, metric, heard=True)
            if obedient:
                self.obey(turn)

    @rule(number=st.integers(0, 50))
    def report_without_metric(self, number: int) -> None:
        found = self.lease(number)
        if found is not None:
            client, held = found
            held.resource += 1
            client.tell(held, Measurement(held.resource, {"loss": 1.0}))
            client.take_in()

    @rule(number=st.integers(0, 50))
    def obey(self, number: int) -> None:
        """A worker that was told to pause or stop saves a checkpoint and lets go."""
        found = self.lease(number)
        if found is not None and found[1].told is not None:
            client, held = found
            if held.told is DecisionKind.PAUSE:
                client.tell(held, _checkpoint(held))
            client.tell(held, Exit(ExitOutcome.RELEASED))
            client.take_in()

    @rule(number=st.integers(0, 50))
    def save(self, number: int) -> None:
        found = self.lease(number)
        if found is not None and found[1].resource > 0:
            found[0].tell(found[1], _checkpoint(found[1]))
            found[0].take_in()

    @rule(number=st.integers(0, 50), outcome=st.sampled_from(ExitOutcome))
    def leave(self, number: int, outcome: ExitOutcome) -> None:
        found = self.lease(number)
        if found is not None:
            found[0].tell(found[1], Exit(outcome, "why"))
            found[0].take_in()

    @rule(number=st.integers(0, 50), back=st.integers(1, 8))
    def repeat(self, number: int, back: int) -> None:
        """An event comes again, perhaps long after its lease has ended."""
        found = self.lease(number)
        if found is not None and found[1].events:
            client, held = found
            client.send(SessionRequest(events=(held.events[-min(back, len(held.events))],)))
            client.take_in()

    @rule(number=st.integers(0, WORKERS - 1), lease=st.integers(0, 50), stale=st.integers(0, 1))
    def forge(self, number: int, lease: int, stale: int) -> None:
        """A worker speaks of a lease that it does not hold, or leaves out an event."""
        client, found = self.client(number), self.lease(lease)
        if client.connected and found is not None:
            ref = found[1].assignment.lease
            ref = LeaseRef(ref.experiment_id, ref.trial_id, ref.token - stale)
            sequence = found[1].sequence + (2 if ref in client.held else 1)
            before = len(self.master.store.rows.reports)
            client.send(SessionRequest(events=(LeaseEvent(ref, sequence, Measurement(99, {"error": -99.0})),)))
            client.take_in()
            assert len(self.master.store.rows.reports) == before, "a forged report was taken"

    @rule(number=st.integers(0, WORKERS - 1))
    def disconnect(self, number: int) -> None:
        if self.client(number).connected:
            self.client(number).disconnect()

    @rule(number=st.integers(0, WORKERS - 1), resend=st.booleans())
    def connect(self, number: int, resend: bool) -> None:
        client = self.client(number)
        client.connect()
        client.take_in()
        if client.connected:
            leases = self.master.store.rows.leases.items()
            held = {LeaseRef(*key) for key, row in leases if not row.end_time and row.session_id == client.session_id}
            assert held == client.held.keys(), "after a hello both sides know the same leases"
            if resend:
                client.resend()

    @rule(number=st.integers(0, WORKERS - 1))
    def die(self, number: int) -> None:
        """A worker is killed; its successor is another session."""
        old = self.client(number)
        if old.connected:
            old.disconnect()
        self.clients[number] = Client(self.master, number, old.incarnation + 1)

    @rule(number=st.integers(0, WORKERS - 1))
    def drain(self, number: int) -> None:
        client = self.client(number)
        if client.connected:
            client.draining = True
            client.send(SessionRequest(draining=True))
            client.take_in()

    @rule(seconds=st.sampled_from([1.0, 10.0, LEASE_TTL + 1]), alive=st.sets(st.integers(0, WORKERS - 1)))
    def wait(self, seconds: float, alive: set[int]) -> None:
        end = self.master.monotonic + seconds
        while self.master.monotonic < end:
            self.master.monotonic += 1.0
            self.master.wall += 1.0
            for number in alive:
                if self.clients[number].connected:
                    self.master.heard(self.clients[number].session_id)
            with contextlib.suppress(Unavailable):
                self.master.do(lambda core: core.look(self.master.now))

    @rule(jump=st.sampled_from([-3600.0, 3600.0]))
    def jump(self, jump: float) -> None:
        self.master.wall += jump

    @rule(seconds=st.sampled_from([5.0, 500.0]))
    def be_blind(self, seconds: float) -> None:
        """The master's machine sleeps: nothing may be lost by that."""
        held = {key for key, lease in self.master.store.rows.leases.items() if lease.end_time is None}
        sessions = {s.session_id for s in self.master.core.sessions.values()}
        fresh = {s.session_id for s in self.master.core.sessions.values() if s.last_seen == self.master.monotonic}
        self.master.monotonic += seconds
        with contextlib.suppress(Unavailable):
            self.master.do(lambda core: core.look(self.master.now))
            if fresh == sessions:
                assert held == {k for k, lease in self.master.store.rows.leases.items() if lease.end_time is None}

    @rule()
    def crash(self) -> None:
        self.master.restart()

    @rule(fault=st.sampled_from(["before", "after"]))
    def fail_the_next_commit(self, fault: str) -> None:
        self.master.commit_faults = [fault]

    @rule(number=st.integers(1, 3), what=st.sampled_from(["pause", "resume", "resume", "cancel"]))
    def steer(self, number: int, what: str) -> None:
        with contextlib.suppress(FailedPrecondition, Unavailable):
            self.master.do(lambda core: getattr(core, what)(number))
        for client in self.clients:
            client.take_in()

    @rule(number=st.integers(1, 3), more=st.integers(0, 5))
    def extend(self, number: int, more: int) -> None:
        brackets = [row for key, row in self.master.store.rows.brackets.items() if key[0] == number]
        if brackets:
            with contextlib.suppress(FailedPrecondition, Unavailable):
                self.master.extend(sum(row.max_trials for row in brackets) + more, number)
            for client in self.clients:
                client.take_in()

    @rule(number=st.integers(1, 3), suggestions=st.integers(1, 4))
    def sample(self, number: int, suggestions: int) -> None:
        """A sampler suggests more or less than is wanted, or for an experiment that is none of its own or has ended."""
        with contextlib.suppress(Unavailable):
            self.master.sample(suggestions, number)
        for client in self.clients:
            client.take_in()

    @rule(number=st.integers(1, 3), trial=st.integers(0, 8))
    def draw_at_random(self, number: int, trial: int) -> None:
        """Its sampler does not answer, and this trial is to have its own; maybe it does not wait any more."""
        drawn = SampledHparams({"drawn": trial}, "random: the sampler did not answer", trial=trial)
        before = self.master.store.rows.trials.get((number, trial))
        had = before.origin if before else ""
        with contextlib.suppress(Unavailable):
            self.master.do(lambda core: core.sampling.suggest(number, [drawn]))
        after = self.master.store.rows.trials.get((number, trial))
        assert not had or (after is not None and after.origin == had), "hyperparameters never change"
        for client in self.clients:
            client.take_in()

    @rule(number=st.integers(1, 3), problem=st.sampled_from(["", "crashed", "hangs"]))
    def tell_problem(self, number: int, problem: str) -> None:
        with contextlib.suppress(Unavailable):
            self.master.do(lambda core: core.sampling.tell_problem(number, problem))

    @rule(number=st.integers(0, WORKERS - 1))
    def delete_garbage(self, number: int) -> None:
        client = self.client(number)
        if client.connected and client.garbage:
            gone, client.garbage = tuple(client.garbage), []
            client.send(SessionRequest(deleted_checkpoints=gone))
            client.take_in()

    def teardown(self) -> None:
        """Once faults stop and workers go on, every search comes to its end."""
        self.master.commit_faults = []
        for row in list(self.master.store.rows.experiments.values()):
            if row.state == ExperimentState.PAUSED:
                self.master.do(lambda core, number=row.experiment_id: core.resume(number))
        self.clients = [Client(self.master, number, 1_000) for number in range(WORKERS)]
        for client in self.clients:
            client.connect()
        for _ in range(300):
            if not self.master.core.experiments:
                break
            for client in self.clients:
                self._work_honestly(client)
            for needs in self.master.do(lambda core: core.sampling.needs(self.master.now)):
                if needs.awaiting:
                    self.master.sample(len(needs.awaiting), needs.experiment.experiment_id)
            self.master.advance(5.0, alive=self.clients)  # pyright: ignore[reportArgumentType]
        assert not self.master.core.experiments, f"the search does not end: {self.master.store.rows.trials}"

    def _work_honestly(self, client: Client) -> None:
        if not client.connected:
            client.connect()
        client.take_in()
        client.ask()
        client.take_in()
        for held in list(client.held.values()):
            if held.told is None:
                held.resource = held.target
                client.tell(held, Measurement(held.resource, {"error": float(held.assignment.lease.trial_id)}))
            else:
                client.tell(held, Exit(ExitOutcome.RELEASED))
            client.take_in()


def _exited(held: Held) -> bool:
    return bool(held.events) and isinstance(held.events[-1].event, Exit)


def _checkpoint(held: Held) -> CheckpointSaved:
    ref = held.assignment.lease
    path = f"{ref.experiment_id}/{ref.trial_id}/{ref.token}-{held.sequence + 1}"
    return CheckpointSaved(path, held.resource, 1, "sum")


MasterMachine.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnythingMayHappen = MasterMachine.TestCase
