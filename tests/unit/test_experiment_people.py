"""What people do to an experiment while it runs: pause, resume, cancel, delete; and what a drain of workers does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from unit.master_harness import LEASE_TTL, Master, Worker, make_spec

from rungmaster.master.dispatcher.core import Core
from rungmaster.shared.errors import FailedPrecondition, NotFound
from rungmaster.shared.wire.model import ExperimentState, TrialState, WorkerState
from rungmaster.shared.wire.session import DecisionKind, ExitOutcome


@pytest.fixture
def master() -> Master:
    master = Master()
    master.submit()
    return master


@pytest.fixture
def worker(master: Master) -> Worker:
    return master.worker()


def pause(master: Master) -> None:
    master.do(lambda core: core.pause(1))


def resume(master: Master) -> None:
    master.do(lambda core: core.resume(1))


def cancel(master: Master) -> None:
    master.do(lambda core: core.cancel(1))


def test_a_pause_asks_running_trials_back_and_hands_out_nothing_more(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    pause(master)
    (decision,) = worker.received().decisions
    assert (decision.lease, decision.kind, decision.sequence) == (assignment.lease, DecisionKind.PAUSE, 0)
    assert decision.save_checkpoint
    assert master.experiment().state == ExperimentState.PAUSED
    worker.exit(assignment)
    assert worker.ask() is None
    assert master.trial(0).state == TrialState.PENDING


def test_after_a_resume_the_trials_that_were_asked_back_come_first(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    pause(master)
    uri = worker.save(assignment, 1)
    worker.exit(assignment)
    worker.ask()
    resume(master)
    (again,) = worker.received().assignments
    assert (again.lease.trial_id, again.lease.token) == (0, 2)
    assert [ref.uri for ref in again.checkpoints] == [uri]
    assert master.trial(0).restarts == master.trial(0).workers_lost == 0


def test_a_pause_turns_a_continue_into_a_pause(master: Master, worker: Worker) -> None:
    worker.train(0.5)
    worker.train(0.6)
    assignment = worker.work()
    pause(master)
    worker.received()
    decision = worker.report(assignment, 1, 0.1)
    assert decision is not None
    assert (decision.kind, decision.sequence, decision.target) == (DecisionKind.PAUSE, 1, 0)
    worker.exit(assignment)
    assert master.trial(2).state == TrialState.PENDING
    resume(master)
    again = worker.work()
    assert (again.lease.trial_id, again.target) == (2, 3)


def test_a_trial_that_ends_during_a_pause_is_decided_as_always(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    pause(master)
    worker.received()
    decision = worker.report(assignment, 1, 0.5)
    assert decision is not None
    assert decision.kind is DecisionKind.PAUSE
    assert master.trial(0).state == TrialState.PAUSED


def test_a_pause_while_a_paused_trial_still_holds_its_lease_asks_nothing_of_it(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.report(assignment, 1, 0.5)
    pause(master)
    assert not worker.received().decisions
    worker.exit(assignment)
    assert master.trial(0).state == TrialState.PAUSED


def test_pause_and_resume_before_the_worker_obeys_leave_the_trial_with_it(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    pause(master)
    resume(master)
    assert worker.report(assignment, 1, 0.5) is not None
    assert master.trial(0).token == 1


def test_pausing_twice_and_resuming_twice_is_the_same_as_once(master: Master, worker: Worker) -> None:
    worker.work()
    for _ in range(2):
        pause(master)
    assert len(worker.received().decisions) == 1
    for _ in range(2):
        resume(master)
    assert master.experiment().state == ExperimentState.ACTIVE


def test_a_search_that_ended_while_paused_completes_at_the_resume(master: Master) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}, priority=1))
    worker = master.worker("x")
    assignment = worker.work()
    master.do(lambda core: core.pause(2))
    worker.report(assignment, 9, 0.5)
    worker.exit(assignment)
    assert master.experiment(2).state == ExperimentState.PAUSED
    master.do(lambda core: core.resume(2))
    assert master.experiment(2).state == ExperimentState.COMPLETED


def test_a_pause_survives_a_crash_of_the_master(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    pause(master)
    master.restart()
    response = worker.connect(assignment.lease)
    assert [d.kind for d in response.decisions] == [DecisionKind.PAUSE]
    assert worker.ask() is None
    resume(master)
    assert worker.received().assignments


def test_a_cancel_ends_everything_at_once(master: Master, worker: Worker) -> None:
    worker.train(0.5)
    assignment = worker.work()
    cancel(master)
    assert [lost.lease for lost in worker.received().lost_leases] == [assignment.lease]
    assert master.experiment().state == ExperimentState.CANCELLED
    assert {master.trial(t).state for t in (0, 1)} == {TrialState.CANCELLED}
    assert master.lease(assignment.lease).outcome == "cancelled"
    kept = {row.trial_id for row in master.store.rows.checkpoints.values() if row.delete_time is None}
    assert kept == {0}, "the best trial's model stays, as at every end"
    assert worker.ask() is None


def test_what_is_reported_after_a_cancel_is_refused(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    cancel(master)
    worker.received()
    assert worker.report(assignment, 1, 0.5) is None
    assert not master.store.rows.reports


def test_a_cancel_while_a_decision_is_on_its_way_leaves_what_was_decided(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 2, "max_rungs": 1}, priority=1))
    assignment = worker.work()
    worker.report(assignment, 9, 0.5)
    master.do(lambda core: core.cancel(2))
    assert master.trial(0, 2).state == TrialState.COMPLETED
    assert [lost.lease for lost in worker.received().lost_leases] == [assignment.lease]


def test_a_paused_experiment_can_be_cancelled(master: Master) -> None:
    pause(master)
    cancel(master)
    assert master.experiment().state == ExperimentState.CANCELLED


def test_a_cancel_frees_the_slots_for_others(master: Master, worker: Worker) -> None:
    master.submit(make_spec(name="other"))
    worker.work()
    cancel(master)
    assert master.core.workers(master.now)[0].slots_used == 0
    assert worker.work().lease.experiment_id == 2


@pytest.mark.parametrize("what", ["pause", "resume", "cancel"])
def test_an_experiment_that_has_ended_cannot_be_steered(master: Master, what: str) -> None:
    cancel(master)
    with pytest.raises(FailedPrecondition, match="ended"):
        master.do(lambda core: getattr(core, what)(1))


def test_only_an_experiment_that_has_ended_can_be_deleted(master: Master, worker: Worker) -> None:
    worker.work()
    with pytest.raises(FailedPrecondition, match="cancel it first"):
        master.do(lambda core: core.delete(1))
    cancel(master)
    master.oracle.forget_experiment(1)
    master.do(lambda core: core.delete(1))
    assert not master.store.rows.experiments
    master.restart()
    assert master.submit() == 2


@pytest.mark.parametrize("what", ["thin", "delete"])
def test_what_readers_saw_a_moment_before_its_deletion_is_not_found_any_more(master: Master, what: str) -> None:
    ask: dict[str, Callable[[Core], None]] = {
        "thin": lambda core: core.thin(1, 0, "a test"),
        "delete": lambda core: core.delete(1),
    }
    with pytest.raises(FailedPrecondition, match="has not ended"):
        master.do(ask[what])
    cancel(master)
    master.oracle.forget_experiment(1)
    master.do(ask["delete"])
    with pytest.raises(NotFound, match="no experiment 1"):
        master.do(ask[what])


def test_a_deleted_experiment_can_be_created_again_with_its_request_id(master: Master) -> None:
    number = master.submit(request_id="again")
    master.do(lambda core: core.cancel(number))
    master.oracle.forget_experiment(number)
    master.do(lambda core: core.delete(number))
    assert master.submit(request_id="again") == number + 1


def test_a_draining_worker_gives_its_trial_back_uncounted_and_first_in_line(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    uri = worker.save(assignment, 1)
    worker.send(draining=True)
    worker.exit(assignment, ExitOutcome.RELEASED)
    row = master.trial(0)
    assert (row.state, row.restarts, row.workers_lost) == (TrialState.PENDING, 0, 0)
    again = master.worker("other").work()
    assert (again.lease.trial_id, again.lease.token) == (0, 2)
    assert [ref.uri for ref in again.checkpoints] == [uri]


def test_a_drained_worker_that_has_left_is_no_longer_listed(master: Master, worker: Worker) -> None:
    staying = master.worker("staying")
    staying.connect()
    worker.send(draining=True)
    assert [listed.state for listed in master.core.workers(master.now)] == [
        WorkerState.CONNECTED,
        WorkerState.DRAINING,
    ]
    worker.disconnect()
    assert [listed.worker for listed in master.core.workers(master.now)] == ["staying"]
    worker.connect()
    assert len(master.core.workers(master.now)) == 2, "it came back after all"


def test_a_worker_that_vanishes_while_it_drains_is_listed_until_its_leases_end(master: Master, worker: Worker) -> None:
    worker.work()
    worker.send(draining=True)
    worker.disconnect()
    (listed,) = master.core.workers(master.now)
    assert (listed.state, len(listed.leases)) == (WorkerState.DISCONNECTED, 1)
    master.advance(LEASE_TTL + 2)
    assert master.core.workers(master.now) == []


def test_a_draining_worker_gets_no_work(master: Master, worker: Worker) -> None:
    worker.send(draining=True)
    assert worker.ask() is None
    assert master.core.workers(master.now)[0].state is WorkerState.DRAINING
    assert master.worker("other").ask() is not None


def test_a_worker_that_waits_and_then_drains_gets_no_work(master: Master, worker: Worker) -> None:
    pause(master)
    assert worker.ask() is None
    worker.send(draining=True)
    resume(master)
    assert not worker.received().assignments


def test_a_trial_whose_assignment_and_cancel_met_in_one_batch_is_not_given(master: Master, worker: Worker) -> None:
    assignment = worker.work()
    worker.disconnect()

    def reconnect_and_cancel(core: object) -> None:
        worker.master.core.connect(worker.hello(), worker.line, master.now)
        worker.master.core.cancel(1)

    master.do(reconnect_and_cancel)
    response = worker.received()
    assert not response.assignments
    assert [lost.lease for lost in response.lost_leases] == [assignment.lease]
