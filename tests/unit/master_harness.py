"""A master without network, threads or clocks: the real core over a store of rows, and workers that speak by hand.

Every command is a batch of its own: applied, committed, and only then answered, as the writer does it. After each, the
oracle looks whether everything that must hold does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from rungmaster.master.dispatcher.clock import Now
from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.recovered import RecoveredMemory, SessionParameters
from rungmaster.master.dispatcher.setup import Refused
from rungmaster.master.dispatcher.upkeep.endings import PORTION
from rungmaster.master.experiment.changes import Changes, ExperimentRow, LeaseRow, StoredRows, TrialRow
from rungmaster.master.experiment.life.extension import reopened
from rungmaster.master.experiment.next_trial import SampledHparams
from rungmaster.master.experiment.records import Batch
from rungmaster.master.experiment.setup import ExperimentSetup
from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.spec.searchers import SEARCHERS
from rungmaster.shared.spec.spec import Spec, spec_from_json
from rungmaster.shared.wire.model import LeaseRef
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

from .master_oracle import Oracle, check_memory
from .master_store import MemoryStore, plain_blueprint

T = TypeVar("T")
Event = Measurement | CheckpointSaved | Exit

LEASE_TTL = 30.0
LOOK_INTERVAL_S = 1.0


def make_spec(searcher: dict[str, Any] | None = None, **fields: Any) -> Spec:
    """A spec that is valid as it is: by default ASHA with rungs at 1, 3 and 9 and divisor 3, minimizing `error`,
    and patient with code that has not run yet. Of these values, another searcher takes those that it has fields for."""
    defaults = {"name": "asha", "max_trials": 9, "max_resource": 9, "divisor": 3}
    if searcher and "name" in searcher:
        fields_of = SEARCHERS[searcher["name"]].model_fields
        defaults = {name: value for name, value in defaults.items() if name in fields_of}
    document = {
        "name": "toy",
        "entrypoint": "toy:train",
        "metric": {"name": "error", "goal": "minimize"},
        "hyperparameters": {"x": 1},
        "searcher": searcher if searcher and searcher.get("name") == "pbt" else defaults | (searcher or {}),
        "fail_fast": 0,
    }
    return spec_from_json(document | fields)


class Store(Protocol):
    """What holds the rows: a MemoryStore, or it beside a database."""

    @property
    def rows(self) -> MemoryStore: ...

    def commit(self, changes: Changes) -> None: ...

    def hparams(self, trials: set[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]: ...

    def recover(self) -> RecoveredMemory: ...

    def experiment(self, experiment_id: int) -> tuple[StoredRows, ExperimentSetup | Refused] | None: ...


class RowStore(MemoryStore):
    """Rows alone."""

    @property
    def rows(self) -> MemoryStore:
        """Itself."""
        return self


class Line:
    """A connection whose other end is a list."""

    def __init__(self) -> None:
        self.inbox: list[SessionResponse] = []
        self.closed = ""

    def send(self, response: SessionResponse) -> None:
        """Delivers a bundle, unless the line is closed."""
        if not self.closed:
            self.inbox.append(response)

    def close(self, reason: str) -> None:
        """Ends the stream."""
        self.closed = self.closed or reason


class Master:
    """The writer's cycle, one command at a time."""

    def __init__(self, store: Any = None, lease_ttl_s: float = LEASE_TTL, portion: int = PORTION) -> None:
        self.store: Store = store or RowStore()
        self.oracle = Oracle(self.store.rows)
        self.monotonic, self.wall = 1_000.0, 1_700_000_000.0
        self.parameters = SessionParameters(1, lease_ttl_s, lease_ttl_s / 3, "test")
        #: What the next commits do instead of succeeding: "before" raises, "after" raises although all was written.
        self.commit_faults: list[str] = []
        #: Rows that the ending of an experiment may take in one batch.
        self.portion = portion
        #: Suggestions that were made.
        self.sampled = 0
        self.core = self._rebuilt()

    @property
    def now(self) -> Now:
        """The instant by the test's clocks."""
        return Now(self.monotonic, self.wall)

    def _rebuilt(self) -> Core:
        return Core(self.parameters, self.store.recover(), self.now, LOOK_INTERVAL_S, self.portion)

    def do(self, command: Callable[[Core], T]) -> T:
        """Applies a command, commits and delivers. Raises Unavailable where the commit failed."""
        self.core.begin(self.now)
        result = command(self.core)
        turn = self.core.finish(self.now)
        changes, outbox = turn.changes, turn.outbox
        self.oracle.before_commit(changes)
        self._commit(changes)
        keys = {granted.key for out in outbox.values() for granted in out.granted}
        hparams = self.store.hparams(keys) if keys else {}
        for session_id, out in outbox.items():
            session = self.core.sessions.get(session_id)
            if session is not None and session.connection is not None:
                session.connection.send(out.response(hparams))
        if changes != Changes() and not self.core.isolation.broken:
            self.check()
        self._suspend_what_is_broken()
        return result

    def _suspend_what_is_broken(self) -> None:
        """In a transaction of its own for each experiment that raised, as the writer does it."""
        while self.core.isolation.broken:
            number = next(iter(self.core.isolation.broken))
            found = self.store.experiment(number)
            self.do(lambda core, number=number, found=found: core.suspend(number, found))

    def _commit(self, changes: Changes) -> None:
        fault = self.commit_faults.pop(0) if self.commit_faults else ""
        if fault != "before":
            self.store.commit(changes)
        if fault:
            self.restart()
            raise Unavailable(f"a fault {fault} the commit")

    def check(self) -> None:
        """Everything that must hold now."""
        self.oracle.check()
        check_memory(self.core, self._rebuilt())

    def restart(self) -> None:
        """Throws the memory away and builds it anew from the store; every stream breaks."""
        for session in self.core.sessions.values():
            if session.connection is not None:
                session.connection.close("the master restarts")
        self.core = self._rebuilt()

    def advance(self, seconds: float, alive: Iterable[Worker] = ()) -> None:
        """Lets time pass in steps in which the master looks for lost leases; `alive` workers go on beating."""
        end = self.monotonic + seconds
        while self.monotonic < end:
            step = min(LOOK_INTERVAL_S, end - self.monotonic)
            self.monotonic += step
            self.wall += step
            for worker in alive:
                self.heard(worker.session_id)
            self.do(lambda core: core.look(self.now))

    def heard(self, session_id: str) -> None:
        """A sign of life, as the writer takes it."""
        session = self.core.sessions.get(session_id)
        if session is not None:
            session.last_seen, session.last_seen_wall = self.monotonic, self.wall

    def submit(self, spec: Spec | None = None, request_id: str = "") -> int:
        """Creates an experiment."""
        setup = plain_blueprint(spec or make_spec())
        return self.do(lambda core: core.create(setup, request_id))

    def extend(self, max_trials: int, experiment_id: int = 1) -> None:
        """Gives an experiment more trials, as the service does it."""
        asked = self.do(lambda core: core.extend(experiment_id, max_trials))
        if asked is None:
            return
        stored_rows, setup = self.store.rows.taken_up(experiment_id)
        batch = Batch(Changes(), self.wall)
        found = reopened(stored_rows, setup, max_trials, batch)
        if found is not None:
            self.do(lambda core: core.reopen(asked, found, batch.changes))

    def sample(self, number: int = 1, experiment_id: int = 1, origin: str = "bohb") -> None:
        """So many suggestions of a sampler program come."""
        self.sampled += number
        last = self.sampled
        new = [SampledHparams({"suggestion": n}, origin) for n in range(last - number, last)]
        self.do(lambda core: core.sampling.suggest(experiment_id, new))

    def awaiting(self, experiment_id: int = 1) -> list[int]:
        """The trials that wait for their hyperparameters, as their rows have it."""
        rows = self.store.rows.trials.items()
        return [key[1] for key, row in rows if key[0] == experiment_id and row.state == "pending" and not row.origin]

    def worker(self, name: str = "w", slots: int = 1, **labels: str) -> Worker:
        """A worker that has said hello."""
        worker = Worker(self, name, slots, labels)
        worker.connect()
        return worker

    def experiment(self, experiment_id: int = 1) -> ExperimentRow:
        """An experiment as stored."""
        return self.store.rows.experiments[experiment_id]

    def trial(self, trial_id: int, experiment_id: int = 1) -> TrialRow:
        """A trial as stored."""
        return self.store.rows.trials[experiment_id, trial_id]

    def lease(self, lease: LeaseRef) -> LeaseRow:
        """A lease as stored."""
        return self.store.rows.leases[lease.experiment_id, lease.trial_id, lease.token]


class Worker:
    """A worker of which the test is the brain."""

    def __init__(
        self,
        master: Master,
        name: str,
        slots: int,
        labels: dict[str, str],
        experiment_ids: frozenset[int] = frozenset(),
    ) -> None:
        self.master = master
        self.session_id = f"session-of-{name}"
        self.name, self.slots, self.labels, self.experiment_ids = name, slots, labels, experiment_ids
        self.line = Line()
        self._requests = 0
        self._sequences: dict[LeaseRef, int] = {}
        self._sent: dict[LeaseRef, list[LeaseEvent]] = {}

    def hello(self, *held: LeaseRef) -> Hello:
        """What it says of itself."""
        return Hello(
            self.session_id,
            self.name,
            self.slots,
            labels=self.labels,
            held=held,
            experiment_ids=self.experiment_ids,
        )

    def connect(self, *held: LeaseRef) -> SessionResponse:
        """Opens a stream and says hello."""
        self.line = Line()
        hello = self.hello(*held)
        self.master.do(lambda core: core.connect(hello, self.line, self.master.now))
        return self.received()

    def disconnect(self) -> None:
        """The stream breaks, and the master notices."""
        line = self.line
        self.master.do(lambda core: core.disconnect(self.session_id, line))

    def send(self, *events: LeaseEvent, **fields: Any) -> SessionResponse:
        """Sends a bundle and gives what came back at once."""
        request = SessionRequest(events=events, **fields)
        for event in events:
            self._sent.setdefault(event.lease, []).append(event)
        line = self.line
        self.master.heard(self.session_id)
        self.master.do(lambda core: core.receive(self.session_id, line, request, self.master.now))
        return self.received()

    def received(self) -> SessionResponse:
        """What came since the last look, as one bundle; acknowledgements are held against the master."""
        inbox, self.line.inbox = self.line.inbox, []
        for response in inbox:
            for ack in response.acknowledgements:
                for event in self._sent.get(ack.lease, ()):
                    if event.sequence <= ack.sequence:
                        self.master.oracle.acknowledged(event)
        return merged(inbox)

    def request(self, free_slots: int | None = None, request_id: str = "") -> SessionResponse:
        """Asks for work, under a new id unless one is given."""
        if not request_id:
            self._requests += 1
            request_id = f"{self.name}-{self._requests}"
        return self.send(work_request=WorkRequest(request_id, self.slots if free_slots is None else free_slots))

    def ask(self, free_slots: int | None = None) -> Assignment | None:
        """Asks for work: an assignment, or None where there is none now."""
        assignments = self.request(free_slots).assignments
        return assignments[0] if assignments else None

    def work(self, free_slots: int | None = None) -> Assignment:
        """Asks for work that must be there."""
        assignment = self.ask(free_slots)
        assert assignment is not None, "there is no work"
        return assignment

    def event(self, lease: LeaseRef, event: Event) -> LeaseEvent:
        """The next event of a lease, in sequence."""
        self._sequences[lease] = self._sequences.get(lease, 0) + 1
        return LeaseEvent(lease, self._sequences[lease], event)

    def tell(self, assignment: Assignment, event: Event) -> SessionResponse:
        """Sends the next event of a lease."""
        return self.send(self.event(assignment.lease, event))

    def report(self, assignment: Assignment, resource: int, error: float) -> Decision | None:
        """Reports a measurement: the master's decision, or None."""
        decisions = self.tell(assignment, Measurement(resource, {"error": error})).decisions
        return decisions[0] if decisions else None

    def save(self, assignment: Assignment, resource: int) -> str:
        """Saves a checkpoint; gives its URI."""
        path = f"store/{assignment.lease.trial_id}/{assignment.lease.token}-{resource}"
        self.tell(assignment, CheckpointSaved(path, resource, 10, "sum"))
        return address_in(assignment.checkpoint_storage, path)

    def exit(
        self, assignment: Assignment, outcome: ExitOutcome = ExitOutcome.RELEASED, error: str = ""
    ) -> SessionResponse:
        """Ends a lease."""
        return self.tell(assignment, Exit(outcome, error))

    def train(self, error: float | Callable[[int], float]) -> Decision:
        """Takes the next trial to its target, and further where it may go on; ends its lease as it is told.

        `error` is what it reports, or a function of the trial's number.
        """
        assignment = self.work()
        metric = error(assignment.lease.trial_id) if callable(error) else error
        resource = assignment.target
        decision = self.report(assignment, resource, metric)
        while decision is not None and decision.kind is DecisionKind.CONTINUE:
            resource = decision.target
            decision = self.report(assignment, resource, metric)
        assert decision is not None
        if decision.save_checkpoint:
            self.save(assignment, resource)
        self.exit(assignment)
        return decision


def merged(responses: Iterable[SessionResponse]) -> SessionResponse:
    """Several bundles as one."""
    welcome = sweep = None
    drain = False
    lists: dict[str, tuple[Any, ...]] = {}
    for response in responses:
        sweep = response.sweep or sweep
        welcome, drain = response.welcome or welcome, response.drain or drain
        for name in ("assignments", "acknowledgements", "decisions", "lost_leases", "delete_checkpoints"):
            lists[name] = lists.get(name, ()) + getattr(response, name)
    return SessionResponse(welcome, drain=drain, sweep=sweep, **lists)
