"""What counts against a trial, what against a worker, and what against neither."""

from __future__ import annotations

import pytest
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.dispatcher.sessions.sessions import LONGEST_REST_S
from rungmaster.shared.wire.model import ExperimentState, LeaseRef, TrialState, WorkerState
from rungmaster.shared.wire.session import CheckpointSaved, DecisionKind, ExitOutcome, Measurement

FAILED, INVALID, FAULT = ExitOutcome.FAILED, ExitOutcome.INVALID_HPARAMS, ExitOutcome.WORKER_FAULT
GIVEN_BACK, RELEASED = ExitOutcome.GIVEN_BACK, ExitOutcome.RELEASED
ENVIRONMENT, CANNOT_START = ExitOutcome.ENVIRONMENT, ExitOutcome.CANNOT_START


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def worker(master: Master) -> Worker:
    return master.worker()


def test_a_failed_trial_is_restarted_first_and_from_its_checkpoint(master: Master, worker: Worker) -> None:
    master.submit()
    first = worker.work()
    uri = worker.save(first, 1)
    worker.exit(first, FAILED, "Traceback\nValueError: no")
    again = worker.work()
    assert (again.lease.trial_id, again.lease.token) == (0, 2)
    assert [ref.uri for ref in again.checkpoints] == [uri]
    assert master.trial(0).restarts == 1


def test_the_reason_of_a_waiting_trial_is_the_first_line_of_its_error(master: Master, worker: Worker) -> None:
    master.submit()
    worker.exit(worker.work(), FAILED, "exited with code 1: ValueError: no\nTraceback\n  in train\nlast words")
    # A trial that fails with nobody asking waits; the worker above has not asked again.
    assert (
        master.trial(0).state_reason == "failed, to be restarted (2 restarts left): exited with code 1: ValueError: no"
    )


def test_a_trial_that_fails_more_than_max_restarts_times_takes_the_worst_place(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=2))
    for _ in range(3):
        assignment = worker.work()
        assert assignment.lease.trial_id == 0
        worker.exit(assignment, FAILED, "boom")
    assert master.trial(0).state == TrialState.FAILED
    assert "boom" in master.trial(0).state_reason
    assert master.store.rows.results[1, 0, 0, 0].metric is None
    assert worker.work().lease.trial_id == 1


def test_with_no_restarts_the_first_failure_is_the_last(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0))
    worker.exit(worker.work(), FAILED, "boom")
    assert master.trial(0).state == TrialState.FAILED


def test_restarts_survive_a_crash_of_the_master(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=1))
    worker.exit(worker.work(), FAILED, "boom")
    master.restart()
    worker.connect()
    worker.exit(worker.work(), FAILED, "boom")
    assert master.trial(0).state == TrialState.FAILED


def test_a_failure_after_the_decision_does_not_undo_it(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0))
    assignment = worker.work()
    worker.report(assignment, 1, 0.5)
    worker.exit(assignment, FAILED, "could not save")
    assert master.trial(0).state == TrialState.PAUSED
    assert master.trial(0).restarts == 1
    assert master.store.rows.results[1, 0, 0, 0].metric == 0.5


def fail_to_save(worker: Worker, trial_id: int, error: float) -> None:
    """Trains a trial to its pause, at which its checkpoint is refused."""
    assignment = worker.work()
    assert assignment.lease.trial_id == trial_id
    worker.report(assignment, assignment.target, error)
    worker.exit(assignment, FAILED, "checkpoint: 'a' is a pipe")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_trial_whose_checkpoint_was_refused_at_its_last_attempt_fails_when_it_is_promoted(
    master: Master, worker: Worker, restarted: bool
) -> None:
    master.submit(make_spec(max_restarts=0))
    fail_to_save(worker, 0, 0.1)
    if restarted:
        master.restart()
        worker.connect()
    for number in (1, 2):
        worker.train(0.5 + number)
    assert worker.work().lease.trial_id == 3, "the one that was promoted is not trained again"
    assert master.trial(0).state == TrialState.FAILED
    assert master.trial(0).state_reason == "failed once with: checkpoint: 'a' is a pipe"
    assert master.store.rows.results[1, 0, 1, 0].metric is None


def test_a_trial_that_was_promoted_while_its_last_attempt_failed_to_save_fails_with_it(master: Master) -> None:
    master.submit(make_spec(max_restarts=0))
    worker, other = master.worker("a"), master.worker("b")
    assignment = worker.work()
    worker.report(assignment, 1, 0.1)
    for number in (1, 2):
        other.train(0.5 + number)
    other.work()
    assert master.trial(0).state == TrialState.PENDING
    worker.exit(assignment, FAILED, "no")
    assert master.trial(0).state == TrialState.FAILED


def test_a_trial_whose_checkpoint_was_refused_is_trained_again_while_it_may_be_restarted(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec(max_restarts=1))
    fail_to_save(worker, 0, 0.1)
    for number in (1, 2):
        worker.train(0.5 + number)
    fail_to_save(worker, 0, 0.1)
    assert master.trial(0).restarts == 2


def test_a_trial_that_failed_once_it_was_saved_goes_on_from_there(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0))
    assignment = worker.work()
    worker.report(assignment, 1, 0.1)
    worker.save(assignment, 1)
    worker.exit(assignment, FAILED, "in its last line")
    for number in (1, 2):
        worker.train(0.5 + number)
    assert worker.work().lease.trial_id == 0


def test_a_search_of_which_no_trial_can_be_saved_fails_with_what_ails_them(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0))
    for number in range(9):
        fail_to_save(worker, number, 0.1)
    assert worker.ask() is None
    assert master.experiment().state == ExperimentState.FAILED
    assert "every trial failed; the last error: checkpoint: 'a' is a pipe" in master.experiment().state_reason


def test_a_lost_worker_does_not_count_as_a_failure(master: Master) -> None:
    master.submit(make_spec(max_restarts=0))
    master.worker("a").work()
    master.advance(31)
    assert (master.trial(0).restarts, master.trial(0).workers_lost) == (0, 1)
    assert master.worker("b").work().lease.trial_id == 0


def test_a_trial_that_takes_too_many_workers_down_with_it_is_failed_as_poison(master: Master) -> None:
    master.submit(make_spec(max_workers_lost=2))
    for name in "abc":
        assert master.worker(name).work().lease.trial_id == 0
        master.advance(31)
    assert master.trial(0).state == TrialState.FAILED
    assert "3 workers were lost" in master.trial(0).state_reason
    assert master.worker("d").work().lease.trial_id == 1


def test_progress_clears_the_suspicion_of_poison(master: Master) -> None:
    master.submit(make_spec(max_workers_lost=1))
    master.worker("a").work()
    master.advance(31)
    other = master.worker("b")
    other.save(other.work(), 1)
    assert master.trial(0).workers_lost == 0
    master.advance(31)
    assert master.trial(0).state == TrialState.PENDING


def test_a_worker_fault_does_not_count_as_a_failure_of_the_code(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0))
    worker.exit(worker.work(), FAULT, "no such program")
    assert master.trial(0).state == TrialState.PENDING
    assert master.trial(0).restarts == 0


def test_a_worker_that_faults_again_and_again_gets_no_work_for_a_while(master: Master, worker: Worker) -> None:
    master.submit()
    for _ in range(3):
        worker.exit(worker.work(), FAULT, "disk full")
    assert worker.ask() is None
    assert "disk full" in master.core.workers(master.now)[0].waiting_reason
    assert master.worker("healthy").work().lease.trial_id == 0
    master.advance(29, alive=[worker])
    assert not worker.received().assignments
    master.advance(2, alive=[worker])
    assert worker.received().assignments


def test_a_worker_that_faults_with_several_experiments_gets_no_work_at_all_for_a_while(
    master: Master, worker: Worker
) -> None:
    for priority in range(3):
        master.submit(make_spec(priority=priority))
        worker.exit(worker.work(), FAULT, "disk full")
    assert worker.ask() is None
    assert master.core.workers(master.now)[0].state is WorkerState.QUARANTINED


def test_a_trial_that_failed_is_tried_again_on_another_worker(master: Master, worker: Worker) -> None:
    master.submit()
    other = master.worker("other")
    worker.exit(worker.work(), FAILED, "CUDA error")
    assert worker.work().lease.trial_id == 1, "its worker gets another trial"
    assert other.work().lease == LeaseRef(1, 0, 2)


def test_a_trial_that_failed_is_tried_again_at_once_where_there_is_one_worker_only(
    master: Master, worker: Worker
) -> None:
    master.submit()
    worker.exit(worker.work(), FAILED, "CUDA error")
    assert worker.work().lease == LeaseRef(1, 0, 2)


def test_a_worker_that_has_failed_all_there_is_gets_it_again(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    master.worker("other")
    worker.exit(worker.work(), FAILED, "CUDA error")
    assert worker.work().lease == LeaseRef(1, 0, 2)


def test_a_worker_on_which_trials_fail_that_go_well_elsewhere_gets_none_of_them_for_a_while(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec(max_restarts=1))
    other = master.worker("other")
    other.train(0.5)
    for trial in (1, 2, 3):
        assignment = worker.work()
        assert assignment.lease.trial_id == trial
        worker.exit(assignment, FAILED, "CUDA error")
    assert worker.ask() is None
    seen = master.core.workers(master.now)[1]
    assert (seen.state, "goes well elsewhere: CUDA error" in seen.waiting_reason) == (WorkerState.CONNECTED, True)
    for _ in range(3):
        other.train(0.5)
    assert [master.trial(trial).state for trial in (1, 2, 3)] == [TrialState.PAUSED] * 3, "the trials are not blamed"


def test_code_that_fails_everywhere_puts_no_worker_in_quarantine(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=1))
    other = master.worker("other")
    for _ in range(4):
        for each in (worker, other):
            each.exit(each.work(), FAILED, "no such module")
    assert {each.state for each in master.core.workers(master.now)} == {WorkerState.CONNECTED}


def test_a_released_lease_ends_the_row_of_faults(master: Master, worker: Worker) -> None:
    master.submit()
    for _ in range(2):
        worker.exit(worker.work(), FAULT, "disk full")
    worker.train(0.5)
    for _ in range(2):
        worker.exit(worker.work(), FAULT, "disk full")
    assert worker.ask() is not None


def test_what_was_given_back_does_not_end_the_row_of_faults(master: Master, worker: Worker) -> None:
    master.submit()
    for _ in range(2):
        worker.exit(worker.work(), FAULT, "disk full")
        worker.exit(worker.work(), GIVEN_BACK)
    worker.exit(worker.work(), FAULT, "disk full")
    assert worker.ask() is None


def test_a_worker_that_only_gives_back_is_no_proof_that_the_code_works(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 20}, max_restarts=9))
    other = master.worker("other")
    other.exit(other.work(), GIVEN_BACK)
    for _ in range(4):
        worker.exit(worker.work(), FAILED, "ImportError: broken everywhere")
    assert worker.ask() is not None, "nobody knows that the code works anywhere"


@pytest.mark.parametrize("outcome", [GIVEN_BACK, RELEASED])
def test_giving_back_before_a_decision_counts_neither_for_nor_against_anybody(
    master: Master, worker: Worker, outcome: ExitOutcome
) -> None:
    """Older workers say RELEASED of what they give back."""
    master.submit()
    worker.exit(worker.work(), FAULT, "disk full")
    worker.exit(worker.work(), outcome)
    (session,) = master.core.sessions.values()
    assert (session.faults, session.worked) == ({1: 1}, set())
    trial = master.trial(0)
    assert (trial.state, trial.restarts, trial.workers_lost) == (TrialState.PENDING, 0, 1)


def test_invalid_hyperparameters_are_discarded_and_replaced(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    worker.exit(worker.work(), INVALID, "width must be even")
    assert master.trial(0).state == TrialState.DISCARDED
    assert "width must be even" in master.trial(0).state_reason
    assert worker.work().lease.trial_id == 1
    assert master.store.rows.brackets[1, 0].trials_created == 1


def test_a_trial_that_entered_a_rung_and_turns_out_invalid_fails(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"stop_once": True}))
    assignment = worker.work()
    decision = worker.report(assignment, 1, 0.5)
    assert decision is not None
    assert decision.kind is DecisionKind.CONTINUE
    worker.exit(assignment, INVALID, "too late")
    assert master.trial(0).state == TrialState.FAILED
    assert master.store.rows.results[1, 0, 1, 0].metric is None


def test_too_many_discarded_trials_fail_the_experiment_and_say_why(master: Master) -> None:
    master.submit(make_spec({"max_trials": 2, "max_rungs": 1}))
    worker, other = master.worker(slots=1), master.worker("other")
    other_assignment = other.work()
    for _ in range(101):
        worker.exit(worker.work(), INVALID, "width must be even")
    row = master.experiment()
    assert row.state == ExperimentState.FAILED
    assert "width must be even" in row.state_reason
    assert "101" in row.state_reason
    assert [lost.lease for lost in other.received().lost_leases] == [other_assignment.lease]
    assert worker.ask() is None


def test_when_every_trial_failed_the_experiment_has_failed(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 2, "max_rungs": 1}, max_restarts=0))
    for error in ("boom\nTraceback", "bang\nTraceback"):
        worker.exit(worker.work(), FAILED, error)
    assert master.experiment().state == ExperimentState.FAILED
    assert "bang" in master.experiment().state_reason


def test_why_every_trial_failed_is_known_after_a_restart_too(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 2, "max_rungs": 1}, max_restarts=0))
    other = master.worker("other")
    lost = other.work()
    worker.exit(worker.work(), FAILED, "boom\nTraceback")
    master.restart()
    other.connect(lost.lease)
    other.exit(lost, FAILED, "bang")
    assert master.experiment().state == ExperimentState.FAILED
    assert "bang" in master.experiment().state_reason


def test_one_trial_that_came_through_is_enough_to_complete(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 2, "max_rungs": 1}, max_restarts=0))
    worker.exit(worker.work(), FAILED, "boom")
    worker.train(0.5)
    assert master.experiment().state == ExperimentState.COMPLETED


def test_a_report_at_the_target_without_the_metric_fails_the_trial_and_says_so(master: Master, worker: Worker) -> None:
    master.submit()
    assignment = worker.work()
    response = worker.tell(assignment, Measurement(1, {"accuracy": 0.5, "loss": 1.0}))
    (decision,) = response.decisions
    assert decision.kind is DecisionKind.STOP
    assert "'error'" in decision.reason
    assert "accuracy, loss" in decision.reason
    worker.exit(assignment)
    assert master.trial(0).state == TrialState.FAILED


def test_a_report_below_the_target_may_lack_the_metric(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    assignment = worker.work()
    assert not worker.tell(assignment, Measurement(1, {"loss": 1.0})).decisions
    assert master.trial(0).state == TrialState.RUNNING


def test_a_checkpoint_saved_after_the_trial_failed_for_good_is_given_up(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    assignment = worker.work()
    worker.tell(assignment, Measurement(9, {"loss": 1.0}))
    worker.tell(assignment, CheckpointSaved("late", 9, 1, "sum"))
    worker.exit(assignment)
    assert master.experiment().state == ExperimentState.FAILED
    assert all(row.delete_time is not None for row in master.store.rows.checkpoints.values())


def test_what_the_environment_ends_counts_against_nobody_however_often(master: Master, worker: Worker) -> None:
    master.submit(make_spec(max_restarts=0, max_workers_lost=0))
    for _ in range(20):
        worker.exit(worker.work(), ENVIRONMENT, "No space left on device")
        master.advance(LONGEST_REST_S + 1, alive=[worker])
    trial = master.trial(0)
    assert (trial.state, trial.restarts, trial.workers_lost) == (TrialState.PENDING, 0, 0)
    assert "w could not run it for the moment: No space left on device" in trial.state_reason
    (session,) = master.core.sessions.values()
    assert (session.faults, session.failed) == ({}, {})
    assert master.core.workers(master.now)[0].state is WorkerState.CONNECTED


def test_a_worker_whose_machine_ended_a_trial_rests_a_little_longer_each_time(master: Master, worker: Worker) -> None:
    master.submit()
    for pause in (1, 2, 4, 8, 16, 30, 30):
        worker.exit(worker.work(), ENVIRONMENT, "No space left on device")
        assert worker.ask() is None
        assert "waits for this machine: No space left" in master.core.workers(master.now)[0].waiting_reason
        master.advance(pause - 0.5, alive=[worker])
        assert not worker.received().assignments
        master.advance(2, alive=[worker])
        (given_again,) = worker.received().assignments
        worker.exit(given_again, GIVEN_BACK)


def test_what_one_machine_cannot_run_for_the_moment_runs_elsewhere_at_once(master: Master, worker: Worker) -> None:
    master.submit()
    other = master.worker("other")
    worker.exit(worker.work(), ENVIRONMENT, "No space left on device")
    assert other.work().lease == LeaseRef(1, 0, 2)


def test_a_rest_is_over_for_good_when_a_trial_goes_well(master: Master, worker: Worker) -> None:
    master.submit()
    worker.exit(worker.work(), ENVIRONMENT, "No space left on device")
    master.advance(2, alive=[worker])
    worker.train(0.5)
    (session,) = master.core.sessions.values()
    assert session.bars == {}


def test_a_machine_that_cannot_run_it_for_the_moment_does_not_help_to_condemn_an_experiment(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec(fail_fast=3))
    other = master.worker("other")
    worker.exit(worker.work(), ENVIRONMENT, "No space left on device")
    other.exit(other.work(), CANNOT_START, "no module 'torch'")
    assert master.experiment().state == ExperimentState.ACTIVE


def test_what_a_worker_waits_for_is_shown_until_it_waits_no_more_or_is_another(master: Master, worker: Worker) -> None:
    def shown() -> str:
        return master.core.workers(master.now)[0].waiting_reason

    away = "the checkpoint store 'ck' does not answer since 12 s: Stale file handle"
    worker.send(waiting=away)
    worker.send(draining=False)
    assert shown() == away
    worker.send(waiting="")
    assert shown() == ""
    worker.send(waiting=away)
    worker.disconnect()
    worker.connect()
    assert shown() == ""
