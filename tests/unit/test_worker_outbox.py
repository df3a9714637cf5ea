"""What a worker has to say reaches the master in order, each thing once, whatever happens to the streams."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import (
    CheckpointSaved,
    Exit,
    ExitOutcome,
    LeaseEvent,
    Measurement,
    SessionRequest,
    WorkRequest,
)
from rungmaster.worker.link.lease_log import BEATS_BORNE, Spill
from rungmaster.worker.link.outbox import MAX_EVENTS, MAX_VALUES, Outbox

LEASE = LeaseRef(1, 2, 3)
RELEASED = Exit(ExitOutcome.RELEASED)


def an_outbox(buffer: int = 100, open_spill: Callable[[LeaseRef], Spill] | None = None) -> Outbox:
    numbers = count()
    return Outbox(lambda: f"request-{next(numbers)}", buffer, open_spill)


class ShortSpill:
    """Room for so many events."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.events: list[LeaseEvent] = []

    @property
    def full(self) -> bool:
        return len(self.events) >= self.room

    def append(self, event: LeaseEvent) -> bool:
        if not self.full:
            self.events.append(event)
            return True
        return False

    def take(self, count: int) -> list[LeaseEvent]:
        assert count <= len(self.events)
        taken, self.events = self.events[:count], self.events[count:]
        return taken

    def close(self) -> None:
        self.events.clear()


def measured(resource: int) -> Measurement:
    return Measurement(resource, {"loss": 1.0})


def sequences(request: SessionRequest | None) -> list[int]:
    return [] if request is None else [event.sequence for event in request.events]


def test_with_nothing_to_say_there_is_no_bundle() -> None:
    assert an_outbox().bundle() is None


def test_everything_that_waits_goes_into_one_bundle() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    outbox.set_free_slots(2)
    outbox.record(LEASE, measured(1))
    outbox.record(LEASE, measured(2))
    outbox.deleted("file:///a")
    bundle = outbox.bundle()
    assert bundle is not None
    assert bundle.work_request == WorkRequest("request-1", 2)
    assert sequences(bundle) == [1, 2]
    assert bundle.deleted_checkpoints == ("file:///a",)
    assert outbox.bundle() is None, "and it is said once"


def test_what_the_worker_waits_for_is_told_when_it_is_news_and_again_to_another_master() -> None:
    waits = ["away since 0 s"]
    outbox = Outbox(lambda: "request", 10, waits=lambda: waits[0])
    outbox.waiting_changed()
    assert outbox.bundle() == SessionRequest(waiting="away since 0 s")
    waits[0] = "away since 1 s"
    assert outbox.bundle() is None, "the time alone waits for a heartbeat"
    outbox.beat()
    assert outbox.bundle() == SessionRequest(waiting="away since 1 s")
    outbox.beat()
    assert outbox.bundle() is None
    outbox.reconnect()
    assert outbox.bundle() == SessionRequest(waiting="away since 1 s")
    waits[0] = ""
    outbox.beat()
    assert outbox.bundle() == SessionRequest(waiting="")
    outbox.reconnect()
    assert outbox.bundle() is None


def test_a_work_request_keeps_its_id_until_it_is_answered() -> None:
    outbox = an_outbox()
    outbox.set_free_slots(1)
    first = outbox.bundle()
    outbox.set_free_slots(3)
    second = outbox.bundle()
    outbox.open(LEASE, "request-0")
    outbox.set_free_slots(2)
    third = outbox.bundle()
    assert [request and request.work_request for request in (first, second, third)] == [
        WorkRequest("request-0", 1),
        WorkRequest("request-0", 3),
        WorkRequest("request-1", 2),
    ]


def test_a_worker_that_drains_withdraws_its_request_and_asks_no_more() -> None:
    outbox = an_outbox()
    outbox.set_free_slots(1)
    outbox.bundle()
    outbox.drain()
    assert outbox.bundle() == SessionRequest(work_request=WorkRequest("request-0", 0), draining=True)
    outbox.set_free_slots(5)
    assert outbox.bundle() is None
    outbox.reconnect()
    assert outbox.bundle() == SessionRequest(draining=True), "a new stream has to be told again"


def test_an_assignment_that_comes_twice_is_taken_once() -> None:
    outbox = an_outbox()
    assert outbox.open(LEASE, "request-0")
    assert not outbox.open(LEASE, "request-0")


def test_on_a_new_stream_events_wait_until_the_master_says_where_to_go_on() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    for resource in (1, 2, 3):
        outbox.record(LEASE, measured(resource))
    assert sequences(outbox.bundle()) == [1, 2, 3]
    outbox.acknowledge(LEASE, 1)
    outbox.reconnect()
    assert outbox.bundle() is None
    outbox.acknowledge(LEASE, 2)
    assert sequences(outbox.bundle()) == [3]


def test_what_stays_unacknowledged_for_several_beats_is_sent_again() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    outbox.record(LEASE, measured(1))
    outbox.bundle()
    for _ in range(BEATS_BORNE - 1):
        outbox.beat()
    assert outbox.bundle() is None
    outbox.beat()
    assert sequences(outbox.bundle()) == [1]


def test_a_late_or_repeated_acknowledgement_means_nothing() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    for resource in (1, 2, 3):
        outbox.record(LEASE, measured(resource))
    outbox.bundle()
    for sequence in (2, 2, 1, 0, 99):
        outbox.acknowledge(LEASE, sequence)
        assert outbox.bundle() is None


def test_a_lease_is_held_until_its_end_is_acknowledged() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    outbox.record(LEASE, RELEASED)
    assert outbox.held == (LEASE,)
    outbox.acknowledge(LEASE, 1)
    assert outbox.held == ()


def test_nothing_follows_the_end_of_a_lease() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    outbox.record(LEASE, RELEASED)
    with pytest.raises(ValueError, match="has ended"):
        outbox.record(LEASE, measured(1))


def test_under_a_lost_lease_nothing_more_is_said() -> None:
    outbox = an_outbox()
    outbox.open(LEASE, "request-0")
    outbox.record(LEASE, measured(1))
    outbox.drop(LEASE)
    assert outbox.record(LEASE, measured(2)) == 0
    assert outbox.bundle() is None
    assert outbox.has_room(LEASE), "a report of the lost trial must not wait for ever"


def test_a_full_lease_has_no_room_until_something_is_acknowledged() -> None:
    outbox = an_outbox(buffer=2)
    outbox.open(LEASE, "request-0")
    outbox.record(LEASE, measured(1))
    assert outbox.has_room(LEASE)
    outbox.record(LEASE, measured(2))
    outbox.bundle()
    assert not outbox.has_room(LEASE)
    outbox.acknowledge(LEASE, 1)
    assert outbox.has_room(LEASE)


def test_bundles_stay_below_what_grpc_takes() -> None:
    outbox = an_outbox(buffer=10_000)
    outbox.open(LEASE, "request-0")
    wide = {f"{'metric' * 16}{number}": 1.0 for number in range(100)}
    for resource in range(1, 301):
        outbox.record(LEASE, Measurement(resource, wide))
    for resource in range(301, 3_001):
        outbox.record(LEASE, measured(resource))
    sent: list[int] = []
    while bundle := outbox.bundle():
        assert sum(len(str(event)) for event in bundle.events) < 4 << 20
        assert len(bundle.events) <= MAX_EVENTS
        assert sum(len(one.event.metrics) for one in bundle.events if isinstance(one.event, Measurement)) <= MAX_VALUES
        sent += sequences(bundle)
    assert sent == list(range(1, 3_001))


class Sessions(RuleBasedStateMachine):
    """A worker, a lossy world and a master that applies n + 1 only after n."""

    leases = tuple(LeaseRef(1, trial, 1) for trial in range(3))
    make_outbox = staticmethod(an_outbox)

    @initialize()
    def begin(self) -> None:
        self.outbox = self.make_outbox()
        self.recorded: dict[LeaseRef, list[object]] = {lease: [] for lease in self.leases}
        self.applied: dict[LeaseRef, list[object]] = {lease: [] for lease in self.leases}
        self.on_the_way: list[SessionRequest] = []
        self.answers: list[tuple[LeaseRef, int]] = []
        for lease in self.leases:
            self.outbox.open(lease, "")

    @rule(lease=st.sampled_from(leases), kind=st.integers(0, 20))
    def happen(self, lease: LeaseRef, kind: int) -> None:
        events = self.recorded[lease]
        if any(isinstance(event, Exit) for event in events):
            return
        event = RELEASED if kind == 20 else CheckpointSaved("u", 1, 1, "c") if kind == 19 else measured(len(events) + 1)
        assert self.outbox.record(lease, event) == len(events) + 1
        events.append(event)

    @rule()
    def send(self) -> None:
        request = self.outbox.bundle()
        if request is not None:
            self.on_the_way.append(request)

    @precondition(lambda self: self.on_the_way)
    @rule()
    def arrive(self) -> None:
        self._apply(self.on_the_way.pop(0))

    def _apply(self, request: SessionRequest) -> None:
        for event in request.events:
            applied = self.applied[event.lease]
            assert event.event == self.recorded[event.lease][event.sequence - 1]
            if event.sequence == len(applied) + 1:
                applied.append(event.event)
            self.answers.append((event.lease, len(applied)))

    @precondition(lambda self: self.on_the_way)
    @rule()
    def forget(self) -> None:
        """The master's commit fails: what had arrived is as if it had not."""
        self.on_the_way.pop(0)

    @precondition(lambda self: self.answers)
    @rule()
    def answer(self) -> None:
        self.outbox.acknowledge(*self.answers.pop(0))

    @rule()
    def beat(self) -> None:
        self.outbox.beat()

    @rule()
    def break_stream(self) -> None:
        self.on_the_way.clear()
        self.answers.clear()
        self.outbox.reconnect()
        self.answers += [(lease, len(self.applied[lease])) for lease in self.outbox.held]

    @invariant()
    def nothing_is_lost(self) -> None:
        for lease in self.leases:
            applied = self.applied[lease]
            assert applied == self.recorded[lease][: len(applied)]
            over = any(isinstance(event, Exit) for event in applied)
            assert lease in self.outbox.held or over

    def teardown(self) -> None:
        """Once nothing is lost any more, everything arrives."""
        if not hasattr(self, "outbox"):
            return
        self.break_stream()
        for _ in range(3 * BEATS_BORNE):
            while self.answers:
                self.answer()
            self.beat()
            self.send()
            while self.on_the_way:
                self.arrive()
        assert self.applied == self.recorded


class SpillingSessions(Sessions):
    """The same with so little memory that almost everything goes to disk, and a disk that is full soon."""

    make_outbox = staticmethod(lambda: an_outbox(buffer=2, open_spill=lambda lease: ShortSpill(3)))


Sessions.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
SpillingSessions.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestSessions = Sessions.TestCase
TestSpillingSessions = SpillingSessions.TestCase
