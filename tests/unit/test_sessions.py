"""Who is heard of, who is not, and who is not trusted for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.master.dispatcher.sessions.sessions import QUARANTINE_S, Session, Watch
from rungmaster.shared.wire.model import LeaseRef, WorkerState
from rungmaster.shared.wire.session import Hello, SessionResponse, WorkRequest

TTL = 30.0


class Silent:
    """A connection on which nothing is heard."""

    def send(self, response: SessionResponse) -> None:
        """Loses the bundle."""

    def close(self, reason: str) -> None:
        """Ends it."""


def session(name: str = "s", last_seen: float = 0.0) -> Session:
    return Session(name, name, Hello(name, name, slots=4), last_seen, last_seen, connection=Silent())


def look_until(watch: Watch, sessions: list[Session], start: float, end: float, step: float = 1.0) -> list[str]:
    lost: list[str] = []
    now = start
    while now < end:
        now = min(now + step, end)
        lost += [s.session_id for s in watch.look([s for s in sessions if s.session_id not in lost], now)]
    return lost


def test_a_session_is_lost_only_after_the_whole_lease() -> None:
    watch, one = Watch(TTL, 1.0, now=0.0), session()
    assert look_until(watch, [one], 0.0, 30.0) == []
    assert look_until(watch, [one], 30.0, 31.0) == ["s"]


def test_a_sign_of_life_begins_the_lease_anew() -> None:
    watch, one = Watch(TTL, 1.0, now=0.0), session()
    look_until(watch, [one], 0.0, 29.0)
    one.last_seen = 29.0
    assert look_until(watch, [one], 29.0, 59.0) == []


@pytest.mark.parametrize("gap", [10.0, 60.0, 1e6])
def test_a_gap_in_which_the_master_did_not_look_is_given_to_everybody(gap: float) -> None:
    watch, one = Watch(TTL, 1.0, now=0.0), session()
    assert look_until(watch, [one], 0.0, 20.0) == []
    assert watch.look([one], 20.0 + gap) == []
    assert look_until(watch, [one], 20.0 + gap, 20.0 + gap + 7.0) == []
    assert look_until(watch, [one], 20.0 + gap + 7.0, 20.0 + gap + 14.0) == ["s"]


def test_a_gap_never_makes_a_session_seen_in_the_future() -> None:
    watch, one = Watch(TTL, 1.0, now=0.0), session(last_seen=0.0)
    one.last_seen = 99.0
    watch.look([one], 100.0)
    assert one.last_seen == 100.0


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=40))
def test_however_irregular_the_looks_a_session_that_was_just_seen_is_not_lost(steps: list[float]) -> None:
    watch, one, now = Watch(TTL, 1.0, now=0.0), session(), 0.0
    for step in steps:
        now += step
        one.last_seen = now - min(step, TTL)
        assert watch.look([one], now) == []


def test_three_faults_in_a_row_with_several_experiments_are_a_quarantine_and_each_more_doubles_it() -> None:
    one = session()
    one.request = WorkRequest("r", 1)
    for _ in range(2):
        one.fault(1, "disk full", 100.0)
    assert one.wants_work(100.0)
    one.fault(2, "disk full", 100.0)
    assert not one.wants_work(100.0)
    assert one.state(100.0) is WorkerState.QUARANTINED
    assert one.wants_work(100.0 + QUARANTINE_S)
    one.fault(1, "disk full", 200.0)
    assert not one.wants_work(200.0 + QUARANTINE_S)
    assert one.wants_work(200.0 + 2 * QUARANTINE_S)


def test_a_quarantine_has_an_end_however_many_faults_there_were() -> None:
    one = session()
    for number in range(10_000):
        one.fault(number % 2, "disk full", 0.0)
    assert one.quarantined_until == QUARANTINE_S * 2**6


def test_faults_with_one_experiment_alone_keep_nothing_but_that_one_away() -> None:
    one = session()
    one.request = WorkRequest("r", 1)
    for _ in range(3):
        one.fault(1, "disk full", 100.0)
    assert one.state(100.0) is WorkerState.CONNECTED
    assert (one.may_run(1, 100.0), one.may_run(2, 100.0)) == (False, True)
    assert "experiment 1 meets faults of this worker: disk full (tried again in 30 s)" in one.waits_for(100.0)
    assert one.may_run(1, 100.0 + QUARANTINE_S)
    one.fault(1, "disk full", 200.0)
    assert not one.may_run(1, 200.0 + QUARANTINE_S)
    one.training_went_well(LeaseRef(1, 0, 1))
    assert one.may_run(1, 200.0)


def test_a_lease_is_found_by_the_request_that_it_answered_while_it_is_held() -> None:
    one, ref = session(), LeaseRef(1, 2, 3)
    one.hold(ref, "r", 2)
    assert (one.answered["r"], one.slots_used) == (ref, 2)
    one.release(ref)
    one.release(ref)
    assert (one.answered, one.slots_used) == ({}, 0)


def test_a_session_wants_work_only_when_it_can_be_given_some() -> None:
    one = session()
    assert not one.wants_work(0.0)
    one.request = WorkRequest("r", 0)
    assert not one.wants_work(0.0)
    one.request = WorkRequest("r", 1)
    assert one.wants_work(0.0)
    one.draining = True
    assert (one.wants_work(0.0), one.state(0.0)) == (False, WorkerState.DRAINING)
    one.draining, one.connection = False, None
    assert (one.wants_work(0.0), one.state(0.0)) == (False, WorkerState.DISCONNECTED)
