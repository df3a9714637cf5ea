"""Leases: who may report, in which order, and what a repeated or a late message does."""

from __future__ import annotations

import math

import pytest
from unit.master_harness import Master, Worker

from rungmaster.shared.checkpoints.storage import address_in
from rungmaster.shared.wire.model import LeaseRef, TrialState
from rungmaster.shared.wire.session import (
    Acknowledgement,
    Assignment,
    CheckpointSaved,
    DecisionKind,
    Exit,
    ExitOutcome,
    LeaseEvent,
    Measurement,
)


@pytest.fixture
def master() -> Master:
    master = Master()
    master.submit()
    return master


@pytest.fixture
def worker(master: Master) -> Worker:
    return master.worker()


def measurement(resource: int = 1, error: float = 0.5) -> Measurement:
    return Measurement(resource, {"error": error})


def test_an_assignment_names_the_trial_its_hyperparameters_and_how_far_to_train(worker: Worker) -> None:
    assignment = worker.work()
    assert assignment.lease == LeaseRef(1, 0, token=1)
    assert assignment.hparams == {"trial": 0}
    assert (assignment.target, assignment.slots, assignment.metric) == (1, 1, "error")
    assert assignment.checkpoints == ()


def test_a_report_is_acknowledged_once_it_is_stored(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    response = worker.tell(assignment, measurement())
    assert response.acknowledgements == (Acknowledgement(assignment.lease, 1),)
    assert master.store.rows.reports[1, 0, 1, 1].metrics == {"error": 0.5}


@pytest.mark.parametrize(
    "lease", [LeaseRef(1, 0, token=0), LeaseRef(1, 0, token=2), LeaseRef(1, 5, token=1), LeaseRef(7, 0, token=1)]
)
def test_a_lease_that_is_not_held_changes_nothing(master: Master, worker: Worker, lease: LeaseRef) -> None:
    worker.work()
    before = len(master.store.rows.events)
    response = worker.send(LeaseEvent(lease, 1, measurement()))
    assert [lost.lease for lost in response.lost_leases] == [lease]
    assert not response.acknowledgements
    assert not master.store.rows.reports
    assert len(master.store.rows.events) == before


def test_another_session_with_the_right_token_is_refused(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    other = master.worker("other")
    response = other.send(LeaseEvent(assignment.lease, 1, measurement()))
    assert [lost.lease for lost in response.lost_leases] == [assignment.lease]
    assert not master.store.rows.reports
    assert worker.report(assignment, 1, 0.5) is not None


def test_nothing_follows_the_end_of_a_lease(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.report(assignment, 1, 0.5)
    worker.exit(assignment)
    response = worker.tell(assignment, measurement(3))
    assert [lost.lease for lost in response.lost_leases] == [assignment.lease]
    assert len(master.store.rows.reports) == 1


def test_a_lost_lease_is_told_once_however_many_events_came_under_it(worker: Worker) -> None:
    lease = LeaseRef(1, 0, token=9)
    response = worker.send(*(LeaseEvent(lease, n, measurement()) for n in range(1, 5)))
    assert len(response.lost_leases) == 1


def test_a_zombie_is_refused_after_its_trial_was_given_to_another(master: Master, worker: Worker) -> None:
    old = worker.work()
    master.advance(31)
    other = master.worker("other")
    new = other.work()
    assert (new.lease.trial_id, new.lease.token) == (old.lease.trial_id, 2)
    assert worker.connect(old.lease).lost_leases[0].lease == old.lease
    assert worker.tell(old, measurement()).lost_leases[0].lease == old.lease
    assert not master.store.rows.reports
    assert other.report(new, 1, 0.5) is not None


def test_a_repeated_report_is_acknowledged_again_with_the_same_decision(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    event = worker.event(assignment.lease, measurement())
    first = worker.send(event)
    again = worker.send(event)
    assert again.acknowledgements == first.acknowledgements
    assert [(d.kind, d.sequence) for d in again.decisions] == [(d.kind, d.sequence) for d in first.decisions]
    assert len(master.store.rows.reports) == len(master.store.rows.results) == 1


def test_a_repeated_report_that_was_not_the_last_is_acknowledged_without_a_decision(worker: Worker) -> None:
    assignment = worker.work()
    event = worker.event(assignment.lease, measurement())
    worker.send(event)
    worker.save(assignment, 1)
    again = worker.send(event)
    assert again.acknowledgements == (Acknowledgement(assignment.lease, 2),)
    assert [d.kind for d in again.decisions] == [DecisionKind.PAUSE]


def test_a_gap_is_answered_by_the_last_event_that_was_stored(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.save(assignment, 1)
    response = worker.send(LeaseEvent(assignment.lease, 3, measurement()))
    assert response.acknowledgements == (Acknowledgement(assignment.lease, 1),)
    assert not master.store.rows.reports


def test_a_bundle_of_events_is_taken_in_sequence(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    events = [worker.event(assignment.lease, e) for e in (measurement(), Exit(ExitOutcome.RELEASED))]
    response = worker.send(*events)
    assert response.acknowledgements == (Acknowledgement(assignment.lease, 2),)
    assert master.lease(assignment.lease).outcome == "released"


def test_a_repeated_request_gets_the_assignment_that_it_got_before(master: Master, worker: Worker) -> None:
    (first,) = worker.request(request_id="r1").assignments
    (again,) = worker.request(request_id="r1").assignments
    assert again == first
    assert len(master.store.rows.leases) == 1


def test_a_request_that_was_answered_is_not_answered_again_once_that_lease_is_over(master: Master) -> None:
    """The worker asks with it until the answer reaches it, and counts the slots of each request anew."""
    master.submit()
    worker = master.worker(slots=2)
    (first,) = worker.request(1, "r1").assignments
    master.do(lambda core: core.cancel(1))
    master.submit()
    assert worker.request(2, "r1").assignments == (), "it was on its way when the answer was"
    (second,) = worker.request(2, "r2").assignments
    assert second.lease.experiment_id != first.lease.experiment_id


def test_a_request_whose_answer_may_have_been_lost_with_the_stream_is_answered_again(master: Master) -> None:
    master.submit()
    worker = master.worker()
    worker.request(1, "r1")
    worker.disconnect()
    master.do(lambda core: core.cancel(1))
    master.submit()
    worker.connect()
    (assignment,) = worker.request(1, "r1").assignments
    assert assignment.lease.experiment_id == 2


def test_an_assignment_that_was_lost_on_the_way_is_sent_again_at_hello(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.disconnect()
    assert worker.connect().assignments == (assignment,)
    assert len(master.store.rows.leases) == 1


def test_an_assignment_that_was_lost_in_a_crash_of_the_master_is_sent_again_at_hello(
    master: Master, worker: Worker
) -> None:
    assignment = worker.work()
    master.restart()
    assert worker.connect().assignments == (assignment,)
    (again,) = worker.request(request_id=assignment.request_id).assignments
    assert again == assignment


def test_a_wish_to_pause_is_told_again_with_an_assignment_that_was_lost(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    master.do(lambda core: core.pause(1))
    worker.disconnect()
    response = worker.connect()
    assert response.assignments == (assignment,)
    assert [d.kind for d in response.decisions] == [DecisionKind.PAUSE]


def test_hello_with_a_held_lease_tells_where_to_go_on_and_repeats_the_decision(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    decision = worker.report(assignment, 1, 0.5)
    assert decision is not None
    master.restart()
    response = worker.connect(assignment.lease)
    assert not response.assignments
    assert response.acknowledgements == (Acknowledgement(assignment.lease, 1),)
    assert [(d.kind, d.sequence, d.reason) for d in response.decisions] == [(decision.kind, 1, decision.reason)]


def test_a_second_stream_of_a_session_ends_the_first(worker: Worker) -> None:
    first = worker.line
    worker.connect()
    assert first.closed
    assert not worker.line.closed


def test_the_end_of_a_stream_that_was_replaced_changes_nothing(master: Master, worker: Worker) -> None:
    first = worker.line
    worker.connect()
    master.do(lambda core: core.disconnect(worker.session_id, first))
    assert worker.ask() is not None


def test_a_bundle_on_a_stream_that_was_replaced_is_not_taken(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    second, worker.line = worker.line, worker.line
    worker.connect(assignment.lease)
    worker.line, second = second, worker.line
    worker.report(assignment, 1, 0.5)
    assert not master.store.rows.reports


def test_a_lease_expires_when_its_worker_is_silent_for_too_long(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    master.advance(29)
    assert master.lease(assignment.lease).end_time is None
    master.advance(2)
    assert master.lease(assignment.lease).outcome == "expired"
    assert master.trial(0).state == TrialState.PENDING
    assert worker.line.closed


def test_a_worker_that_beats_keeps_its_lease(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    master.advance(300, alive=[worker])
    assert master.lease(assignment.lease).end_time is None


def test_a_disconnected_worker_keeps_its_leases_until_they_expire(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.disconnect()
    master.advance(20)
    assert worker.connect(assignment.lease).acknowledgements == (Acknowledgement(assignment.lease, 0),)
    assert worker.report(assignment, 1, 0.5) is not None


def test_after_a_restart_every_lease_gets_a_whole_new_term(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    master.monotonic += 10_000
    master.restart()
    master.advance(29)
    assert worker.connect(assignment.lease).acknowledgements
    assert not master.lease(assignment.lease).outcome


def test_time_in_which_the_master_was_not_looking_expires_no_lease(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    master.monotonic += 3_600
    master.do(lambda core: core.look(master.now))
    assert master.lease(assignment.lease).end_time is None
    master.advance(31)
    assert master.lease(assignment.lease).outcome == "expired"


@pytest.mark.parametrize("jump", [-7_200.0, 7_200.0, 1e9])
def test_jumps_of_the_wall_clock_neither_end_nor_keep_a_lease(master: Master, worker: Worker, jump: float) -> None:
    assignment = worker.work()
    master.advance(20)
    master.wall += jump
    master.advance(5)
    assert master.lease(assignment.lease).end_time is None
    master.advance(10)
    assert master.lease(assignment.lease).outcome == "expired"


def test_an_expired_trial_starts_again_from_its_last_checkpoint(master: Master, worker: Worker) -> None:
    first = worker.work()
    uri = worker.save(first, 1)
    master.advance(31)
    again = master.worker("other").work()
    assert [(ref.uri, ref.resource) for ref in again.checkpoints] == [(uri, 1)]
    assert master.lease(again.lease).from_resource == 1


def test_non_finite_metrics_are_stored_and_take_the_worst_place(master: Master, worker: Worker) -> None:
    for error in (math.nan, math.inf, -math.inf):
        assert worker.train(error).kind is DecisionKind.PAUSE
    assert all(result.metric is None for result in master.store.rows.results.values())
    assert math.isnan(master.store.rows.reports[1, 0, 1, 1].metrics["error"])


def test_a_failed_commit_leaves_nothing_and_the_worker_can_say_it_again(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    event = worker.event(assignment.lease, measurement())
    master.commit_faults = ["before"]
    with pytest.raises(Exception, match="before the commit"):
        worker.send(event)
    assert not master.store.rows.reports
    assert worker.connect(assignment.lease).acknowledgements[0].sequence == 0
    assert worker.send(event).acknowledgements == (Acknowledgement(assignment.lease, 1),)


def test_a_commit_whose_success_was_not_seen_counts_once(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    event = worker.event(assignment.lease, measurement())
    master.commit_faults = ["after"]
    with pytest.raises(Exception, match="after the commit"):
        worker.send(event)
    response = worker.connect(assignment.lease)
    assert response.acknowledgements[0].sequence == 1
    assert response.decisions[0].sequence == 1
    assert len(master.store.rows.reports) == 1


def test_a_broken_checkpoint_is_in_the_journal(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    told = LeaseEvent(assignment.lease, 1, measurement(), "it was cut short\nthe trial starts from nothing")
    worker.send(told)
    worker.send(told)
    (event,) = [event for event in master.store.rows.events if event.kind == "checkpoint_broken"]
    assert event.trial_id == 0
    assert event.data["reason"] == told.broken_checkpoints


def refs(assignment: Assignment) -> list[str]:
    """The checkpoints that it offers, the first one first."""
    return [ref.uri for ref in assignment.checkpoints]


def save_and_tell_of(worker: Worker, assignment: Assignment, *broken: str) -> str:
    """Saves a checkpoint in a lease that could not start from these; gives its URI."""
    saved = CheckpointSaved("store/whole", 1, 10, "sum")
    told = worker.event(assignment.lease, saved)
    worker.send(told._replace(broken_checkpoints="cut short", broken_uris=broken))
    return address_in("checkpoints", saved.path)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_checkpoint_that_was_found_broken_makes_room_for_whole_ones(
    master: Master, worker: Worker, restarted: bool
) -> None:
    first = worker.work()
    broken = [worker.save(first, 7), worker.save(first, 8)]
    worker.exit(first, ExitOutcome.FAILED, "no")
    second = worker.work()
    assert refs(second) == [broken[1], broken[0]]
    whole = [save_and_tell_of(worker, second, *broken), worker.save(second, 2)]
    worker.exit(second, ExitOutcome.FAILED, "no")
    if restarted:
        master.restart()
        worker.connect()
    assert refs(worker.work()) == [whole[1], whole[0]]
    gone = {row.uri for row in master.store.rows.checkpoints.values() if row.delete_time is not None}
    assert gone == set(broken)


def test_of_a_trials_checkpoints_only_those_that_were_found_broken_go(master: Master, worker: Worker) -> None:
    first = worker.work()
    older, newer = worker.save(first, 1), worker.save(first, 2)
    worker.exit(first, ExitOutcome.FAILED, "no")
    whole = save_and_tell_of(worker, worker.work(), newer, "elsewhere")
    assert {row.uri for row in master.store.rows.checkpoints.values() if row.delete_time is None} == {older, whole}
