"""The workers' sessions as the master sees them: who is there, what they hold, who was not heard of for too long."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ....shared.errors import InvalidInput, NotFound
from ....shared.spec.fields import did_you_mean
from ....shared.wire.model import LeaseRef, Worker, WorkerState
from ....shared.wire.session import Hello, SessionResponse, WorkRequest
from ...experiment.changes import WorkerRow
from ..clock import Now
from .owners import SessionOwner

#: Faults of the worker itself in a row, or trials that failed on it in a row, before it gets no work for a while.
FAULTS_BORNE = 3
#: Seconds of the first quarantine; each further fault doubles it.
QUARANTINE_S = 30.0
#: Seconds until a worker that cannot run one experiment is given it again; each further time doubles them.
FIRST_BAR_S, LONGEST_BAR_S = 5.0, 600.0
#: The same for one whose machine could not run it for the moment.
FIRST_REST_S, LONGEST_REST_S = 1.0, 30.0
#: Of an error, so many characters are told where a worker's troubles are listed.
_TOLD = 200
#: At most so many workers are named where the one that was meant is not there.
_LISTED = 10


class WorkerConnection(Protocol):
    """The way to a connected worker. Calls return at once; what is sent after a close is dropped."""

    def send(self, response: SessionResponse) -> None:
        """Sends a bundle."""
        ...

    def close(self, reason: str) -> None:
        """Ends the stream."""
        ...


@dataclass(frozen=True, slots=True)
class Bar:
    """Why a worker gets no work of one experiment, and `until` when (monotonic), after a `pause_s` of so many seconds.

    `passing`: it comes from the state of its machine, and says nothing about the two of them.
    """

    reason: str
    until: float
    pause_s: float
    passing: bool = False


@dataclass(slots=True)
class Session:
    """One stay of one worker process. It outlives its streams until its leases have expired."""

    session_id: str
    worker: str
    hello: Hello | None
    #: Monotonic time of the last sign of life.
    last_seen: float
    #: The same by the wall clock, for people.
    last_seen_wall: float
    connection: WorkerConnection | None = None
    request: WorkRequest | None = None
    draining: bool = False
    #: Held leases and the slots that each takes.
    leases: dict[LeaseRef, int] = field(default_factory=dict)
    #: The lease that answered each work request, while it is held.
    answered: dict[str, LeaseRef] = field(default_factory=dict)
    #: Requests that were answered on this stream by leases that are over since; the worker may ask once more with one
    #: before the answer reaches it.
    spent: set[str] = field(default_factory=set)
    waiting_reason: str = ""
    #: What the worker itself says that it waits for.
    held_up: str = ""
    #: By experiment, faults of the worker since the last trial that went well here.
    faults: dict[int, int] = field(default_factory=dict)
    #: By experiment, its trials whose code has failed here since the last that did not.
    failed: dict[int, set[int]] = field(default_factory=dict)
    #: Experiments whose last trial here went well.
    worked: set[int] = field(default_factory=set)
    #: By experiment, what this worker could not run and has not run since.
    bars: dict[int, Bar] = field(default_factory=dict)
    quarantined_until: float = 0.0

    @property
    def slots(self) -> int:
        """Its capacity; 0 while it has not said hello to this master."""
        return self.hello.slots if self.hello else 0

    @property
    def slots_used(self) -> int:
        """Slots that its leases take."""
        return sum(self.leases.values())

    def open(self, hello: Hello, connection: WorkerConnection) -> None:
        """Its worker has come by a new stream; an answer that was on its way in the one before is lost."""
        self.hello, self.worker, self.connection, self.request = hello, hello.worker, connection, None
        self.spent.clear()
        self.held_up = ""

    def ask(self, request: WorkRequest) -> bool:
        """Notes a wish for work; False for one that is answered already."""
        if request.request_id in self.spent:
            return False
        # A new request follows the answer to the one before.
        self.spent.clear()
        self.request = request
        return True

    def ask_again(self, request: WorkRequest) -> None:
        """A wish for work whose answer was not given after all."""
        self.spent.discard(request.request_id)
        self.request = self.request or request

    def hold(self, ref: LeaseRef, request_id: str, slots: int) -> None:
        """Notes a lease that this session holds."""
        self.leases[ref] = slots
        self.answered[request_id] = ref

    def release(self, ref: LeaseRef) -> None:
        """Notes that a lease is over."""
        self.leases.pop(ref, None)
        for request_id in [key for key, value in self.answered.items() if value == ref]:
            del self.answered[request_id]
            self.spent.add(request_id)

    def release_all(self, experiment_id: int) -> None:
        """Notes that every lease of an experiment is over."""
        for ref in [ref for ref in self.leases if ref.experiment_id == experiment_id]:
            self.release(ref)

    def fault(self, experiment_id: int, error: str, now: float) -> None:
        """Counts a fault of the worker itself. After several in a row it gets no work for a while: none at all where
        several experiments have met them, and none of the one that has where it is the only one."""
        self.faults[experiment_id] = self.faults.get(experiment_id, 0) + 1
        more = sum(self.faults.values()) - FAULTS_BORNE
        if more < 0:
            return
        if len(self.faults) > 1:
            self.quarantined_until = now + QUARANTINE_S * 2 ** min(more, 6)
        else:
            self.bar(experiment_id, f"meets faults of this worker: {error}", now, QUARANTINE_S)

    def training_failed(self, ref: LeaseRef, error: str, now: float, *, works_elsewhere: bool) -> None:
        """Training code failed here. The worker is to blame where several trials in a row do that go well elsewhere:
        not in general, but for this experiment, of which it may lack something."""
        self.worked.discard(ref.experiment_id)
        failed = self.failed.setdefault(ref.experiment_id, set())
        failed.add(ref.trial_id)
        if len(failed) >= FAULTS_BORNE and works_elsewhere:
            self.bar(ref.experiment_id, f"fails here, and goes well elsewhere: {error}", now)

    def bar(self, experiment_id: int, reason: str, now: float, first_s: float = FIRST_BAR_S) -> None:
        """This worker cannot run the experiment now: it gets none of it for a while, longer each time."""
        self._keep_from(experiment_id, reason, now, first_s, LONGEST_BAR_S)

    def rest(self, experiment_id: int, error: str, now: float) -> None:
        """The state of the worker's machine ended a trial, which is nobody's fault: it waits a moment, so that the
        trial does not come and go all the time."""
        self._keep_from(
            experiment_id, f"waits for this machine: {error}", now, FIRST_REST_S, LONGEST_REST_S, passing=True
        )

    def _keep_from(
        self, experiment_id: int, reason: str, now: float, first_s: float, longest_s: float, *, passing: bool = False
    ) -> None:
        before = self.bars.get(experiment_id)
        if before is not None and now < before.until:
            return
        pause_s = first_s if before is None else min(2 * before.pause_s, longest_s)
        self.bars[experiment_id] = Bar(reason, now + pause_s, pause_s, passing=passing)

    def lacks(self, experiment_id: int) -> bool:
        """Whether this worker could not run the experiment, and that for reasons that will not pass by themselves."""
        bar = self.bars.get(experiment_id)
        return bar is not None and not bar.passing

    def takes(self, experiment_id: int) -> bool:
        """Whether the worker works for this experiment at all."""
        only = self.hello.experiment_ids if self.hello else ()
        return not only or experiment_id in only

    def barred(self, experiment_id: int, now: float) -> bool:
        """Whether it gets none of this experiment now."""
        bar = self.bars.get(experiment_id)
        return bar is not None and now < bar.until

    def forget(self, experiment_id: int) -> None:
        """The experiment has ended."""
        self.bars.pop(experiment_id, None)
        self.failed.pop(experiment_id, None)
        self.worked.discard(experiment_id)

    def training_went_well(self, ref: LeaseRef) -> None:
        """A trial came to its end, or to its rung, here."""
        self.faults.clear()
        self.forget(ref.experiment_id)
        self.worked.add(ref.experiment_id)

    def waits_for(self, now: float) -> str:
        """What keeps it from training more, for people; empty where nothing does."""
        told = [self.held_up, self.waiting_reason if self.request else ""]
        for experiment_id, bar in self.bars.items():
            again = f"tried again in {bar.until - now:.0f} s" if now < bar.until else "to be tried again"
            told.append(f"experiment {experiment_id} {bar.reason[:_TOLD]} ({again})")
        return "; ".join(filter(None, told))

    def wants_work(self, now: float) -> bool:
        """Whether it may be given an assignment now."""
        return self.available(now) and self.request is not None and self.request.free_slots > 0

    def available(self, now: float) -> bool:
        """Whether it may be given work as soon as it asks."""
        return self.connection is not None and not self.draining and now >= self.quarantined_until

    def may_run(self, experiment_id: int, now: float) -> bool:
        """Whether it may be given work of this experiment as soon as it asks."""
        return self.available(now) and not self.barred(experiment_id, now)

    def state(self, now: float) -> WorkerState:
        """What people see."""
        if self.connection is None:
            return WorkerState.DISCONNECTED
        if self.draining:
            return WorkerState.DRAINING
        return WorkerState.QUARANTINED if now < self.quarantined_until else WorkerState.CONNECTED


class Watch:
    """Decides by the monotonic clock who has been silent for too long.

    Time in which the master itself was not looking (stopped, asleep, waiting for its database) does not count: a gap
    between two looks that is longer than it should be is given to everybody.
    """

    def __init__(self, lease_ttl_s: float, interval_s: float, now: float) -> None:
        self.lease_ttl_s = lease_ttl_s
        self._interval_s = interval_s
        self._last_look = now

    def look(self, sessions: list[Session], now: float) -> list[Session]:
        """The sessions that hold leases, or are still listed, and were silent for longer than the lease's time."""
        blind = now - self._last_look - 2 * self._interval_s
        self._last_look = now
        if blind > 0:
            for session in sessions:
                session.last_seen = min(now, session.last_seen + blind)
        return [session for session in sessions if now - session.last_seen > self.lease_ttl_s]


def named(sessions: Collection[Session], name: str) -> Session:
    """The one of this name, or of this id. Raises NotFound, with the names that there are, or InvalidInput where
    several have it."""
    matching = [session for session in sessions if name in (session.worker, session.session_id)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        ids = ", ".join(sorted(f"{session.session_id} ({_process(session)})" for session in matching))
        raise InvalidInput(f'{len(matching)} workers are called "{name}"; give one by its session id: {ids}')
    names = sorted({session.worker for session in sessions})
    there = f"there are {', '.join(names[:_LISTED])}{', …' * (len(names) > _LISTED)}" if names else "there is none"
    raise NotFound(f'there is no worker "{name}"{did_you_mean(name, names) or f"; {there}"}', worker=name)


def _process(session: Session) -> str:
    return f"pid {session.hello.pid} on {session.hello.host}" if session.hello else "not back yet"


def shown(session: Session, now: Now, identity: str, troubles: Iterable[str] = ()) -> Worker:
    """A session as people see it, opened by `identity`; `troubles` keep it from other things than training."""
    hello = session.hello or Hello(session.session_id, session.worker, 0)
    return Worker(
        session.session_id,
        session.worker,
        hello.host,
        hello.pid,
        hello.version,
        hello.slots,
        # A lease outlives its process while its checkpoint is stored, and the next one may have begun.
        min(session.slots_used, hello.slots) if hello.slots else session.slots_used,
        hello.gpus,
        hello.labels,
        session.state(now.monotonic),
        datetime.fromtimestamp(session.last_seen_wall, UTC),
        tuple(session.leases),
        "; ".join(filter(None, [session.waits_for(now.monotonic), *troubles])),
        identity,
    )


def stored(session: Session, owner: SessionOwner, hello_time: float) -> WorkerRow:
    """A session as the ledger keeps it, when it has said hello or goodbye."""
    hello = session.hello
    assert hello is not None
    return WorkerRow(
        session.session_id,
        session.worker,
        hello.host,
        hello.pid,
        hello.version,
        hello.slots,
        [{"uuid": gpu.uuid, "model": gpu.model, "memory_bytes": gpu.memory_bytes} for gpu in hello.gpus],
        dict(hello.labels),
        state="connected" if session.connection else "disconnected",
        hello_time=hello_time,
        identity=owner.identity,
        secret_digest=owner.secret_digest,
    )
