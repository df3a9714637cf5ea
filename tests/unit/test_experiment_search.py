"""A search from beginning to end: pauses, promotions, checkpoints, and what is left when it is over."""

from __future__ import annotations

import pytest
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.dispatcher.upkeep.deletions import FIRST_PAUSE_S
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import (
    Assignment,
    CheckpointSaved,
    DecisionKind,
    ExitOutcome,
    FailedDeletion,
    Measurement,
)


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def worker(master: Master) -> Worker:
    return master.worker()


def test_a_trial_pauses_at_its_rung_and_its_worker_is_free(master: Master, worker: Worker) -> None:
    master.submit()
    assignment = worker.work()
    decision = worker.report(assignment, 1, 0.5)
    assert decision is not None
    assert (decision.kind, decision.sequence, decision.save_checkpoint) == (DecisionKind.PAUSE, 1, True)
    assert master.trial(0).state == TrialState.PAUSED
    worker.exit(assignment)
    assert worker.work().lease.trial_id == 1


def test_a_report_below_the_target_is_recorded_and_not_answered(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    assert assignment.target == 9
    for resource in range(1, 9):
        assert worker.report(assignment, resource, 0.5) is None
    assert len(master.store.rows.reports) == 8
    assert not master.store.rows.results
    assert worker.report(assignment, 9, 0.5) is not None


def test_the_hyperparameters_of_a_new_trial_are_random_ones(master: Master, worker: Worker) -> None:
    master.submit()
    worker.work()
    assert master.trial(0).origin == "random"


def test_the_best_of_three_goes_on_at_its_worker_without_a_new_lease(master: Master, worker: Worker) -> None:
    master.submit()
    worker.train(0.5)
    worker.train(0.6)
    assignment = worker.work()
    decision = worker.report(assignment, 1, 0.1)
    assert decision is not None
    assert (decision.kind, decision.target) == (DecisionKind.CONTINUE, 3)
    assert master.lease(assignment.lease).target == 3
    assert len(master.store.rows.leases) == 3


def test_a_paused_trial_that_is_promoted_goes_to_any_worker_with_its_checkpoint(master: Master, worker: Worker) -> None:
    master.submit()
    for error in (0.1, 0.5, 0.6):
        worker.train(error)
    assignment = master.worker("other").work()
    assert (assignment.lease.trial_id, assignment.lease.token, assignment.target) == (0, 2, 3)
    assert [ref.resource for ref in assignment.checkpoints] == [1]
    assert master.store.rows.results[1, 0, 0, 0].promoted


def test_a_promotion_waits_for_the_lease_on_which_the_trial_paused(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 3, "max_resource": 3}))
    slow = worker.work()
    worker.report(slow, 1, 0.1)
    other = master.worker("other")
    other.train(0.5)
    other.train(0.6)
    assert other.ask() is None
    assert master.trial(0).state == TrialState.PENDING
    worker.save(slow, 1)
    worker.exit(slow)
    (assignment,) = other.received().assignments
    assert (assignment.lease.trial_id, assignment.lease.token, assignment.target) == (0, 2, 3)
    assert [ref.resource for ref in assignment.checkpoints] == [1]


def test_a_promotion_that_waits_for_a_lease_is_handed_out_when_the_lease_expires(master: Master) -> None:
    master.submit(make_spec({"max_trials": 3, "max_resource": 3}))
    slow = master.worker("slow")
    slow.report(slow.work(), 1, 0.1)
    other = master.worker("other")
    other.train(0.5)
    other.train(0.6)
    assert other.ask() is None
    master.advance(31, alive=[other])
    assert other.received().assignments[0].lease.trial_id == 0
    assert master.trial(0).workers_lost == 0


def test_a_coarse_report_climbs_several_rungs_at_once(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"stop_once": True}))
    decision = worker.report(worker.work(), 5, 0.5)
    assert decision is not None
    assert (decision.kind, decision.target) == (DecisionKind.CONTINUE, 9)
    assert sorted(key[2] for key in master.store.rows.results) == [0, 1]


def overshoot(worker: Worker, error: float) -> None:
    """Reports only at the very end, as code with coarse validation does."""
    assignment = worker.work()
    worker.report(assignment, 3, error)
    worker.exit(assignment)


def test_a_search_ends_though_its_last_promotions_came_long_after_its_last_event(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"max_trials": 3, "max_resource": 3}))
    for error in (0.1, 0.5, 0.6):
        overshoot(worker, error)
    assert master.trial(0).state == TrialState.PAUSED
    assert master.worker("late").ask() is None
    assert master.trial(0).state == TrialState.COMPLETED
    assert master.experiment().state == ExperimentState.COMPLETED


def test_the_last_rung_completes_a_trial_and_asks_for_its_checkpoint(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    decision = worker.train(0.5)
    assert (decision.kind, decision.save_checkpoint) == (DecisionKind.STOP, True)
    assert master.trial(0).state == TrialState.COMPLETED
    assert master.trial(0).metric == 0.5


def test_with_stop_once_a_trial_that_is_not_good_enough_stops_without_a_checkpoint(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"stop_once": True}))
    worker.train(0.1)
    decision = worker.train(0.9)
    assert (decision.kind, decision.save_checkpoint) == (DecisionKind.STOP, False)
    assert master.trial(1).state == TrialState.STOPPED


def test_the_search_ends_only_after_the_last_lease(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 1, "max_rungs": 1}))
    assignment = worker.work()
    worker.report(assignment, 9, 0.5)
    assert master.experiment().state == ExperimentState.ACTIVE
    worker.save(assignment, 9)
    worker.exit(assignment)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert master.core.experiments == {}


def test_a_whole_search_of_nine_trials_takes_nine_three_and_one(master: Master, worker: Worker) -> None:
    master.submit()
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(lambda trial: trial / 10)
    rungs = [master.store.rows.rungs[1, 0, k] for k in range(3)]
    assert [(rung.entered, rung.promoted) for rung in rungs] == [(9, 3), (3, 1), (1, 0)]
    assert master.trial(0).state == TrialState.COMPLETED
    assert {master.trial(t).state for t in range(1, 9)} == {TrialState.STOPPED}
    assert master.experiment().resource_spent == 6 * 1 + 2 * 3 + 9
    assert master.experiment().resource_full == 81


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_a_search_goes_by_its_goal(master: Master, worker: Worker, goal: str) -> None:
    master.submit(make_spec({"max_trials": 3, "max_rungs": 2}, metric={"name": "error", "goal": goal}))
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(lambda trial: (0.1, 0.5, 0.9)[trial])
    row = master.store.rows.rungs[1, 0, 0]
    assert row.best_metric == (0.1 if goal == "minimize" else 0.9)
    promoted = [key[3] for key, result in master.store.rows.results.items() if result.promoted]
    assert promoted == [0 if goal == "minimize" else 2]


def test_training_that_is_repeated_is_spent_once(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    first = worker.work()
    for resource in (1, 2, 3):
        worker.report(first, resource, 0.5)
    worker.exit(first, ExitOutcome.FAILED, "boom")
    again = worker.work()
    for resource in (1, 2, 3, 4):
        worker.report(again, resource, 0.5)
    assert master.experiment().resource_spent == 4


def test_what_was_reported_after_the_pause_is_spent_once_after_a_restart_too(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_trials": 3, "max_resource": 3}))
    first = worker.work()
    worker.report(first, 1, 0.1)
    worker.report(first, 2, 0.1)
    worker.exit(first)
    worker.train(0.5)
    worker.train(0.6)
    master.restart()
    worker.connect()
    again = worker.work()
    assert again.lease.trial_id == 0
    worker.report(again, 2, 0.1)
    assert master.experiment().resource_spent == 2 + 1 + 1


def test_a_trial_keeps_its_two_newest_checkpoints(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    uris = [worker.save(assignment, resource) for resource in (1, 2, 3)]
    kept = [row.uri for row in master.store.rows.checkpoints.values() if row.delete_time is None]
    assert kept == uris[1:]
    worker.exit(assignment)
    assert [ref.uri for ref in worker.work().checkpoints] == [uris[2], uris[1]]


def test_a_checkpoint_that_is_not_needed_is_deleted_by_a_worker_that_says_so(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    for resource in (1, 2):
        worker.save(assignment, resource)
    response = worker.tell(assignment, CheckpointSaved("third", 3, 1, "sum"))
    assert response.delete_checkpoints == ("checkpoints/store/0/1-1",)
    worker.send(deleted_checkpoints=response.delete_checkpoints)
    assert [row.uri for row in master.store.rows.checkpoints.values() if row.deleted] == ["checkpoints/store/0/1-1"]


def garbage(master: Master, worker: Worker) -> str:
    """Makes a checkpoint that is not needed any more and that the worker was asked to delete."""
    assignment = worker.work()
    uri = worker.save(assignment, 1)
    for resource in (2, 3):
        worker.save(assignment, resource)
    return uri


def test_a_deletion_is_asked_again_when_the_worker_that_was_asked_comes_back(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    assert worker.connect(next(iter(master.core.sessions[worker.session_id].leases))).delete_checkpoints == (uri,)


def test_a_deletion_is_asked_of_another_worker_when_the_one_that_was_asked_has_gone(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    worker.disconnect()
    other = Worker(master, "other", 1, {})
    assert other.connect().delete_checkpoints == (uri,)


def test_a_deletion_told_by_a_worker_that_was_asked_drains_and_came_back_is_noted(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    worker.send(draining=True)
    worker.connect(*master.core.sessions[worker.session_id].leases)
    worker.send(deleted_checkpoints=(uri,))
    assert [row.uri for row in master.store.rows.checkpoints.values() if row.deleted] == ["checkpoints/store/0/1-1"]


def test_a_deletion_of_something_that_nobody_wanted_deleted_is_not_noted(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = worker.save(worker.work(), 1)
    worker.send(deleted_checkpoints=(uri,))
    assert not master.store.rows.checkpoints[1, 0, 1, 1].deleted


def test_a_deletion_counts_only_where_the_worker_that_says_so_was_asked(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    master.worker("other").send(deleted_checkpoints=(uri,))
    assert not master.store.rows.checkpoints[1, 0, 1, 1].deleted
    worker.send(deleted_checkpoints=(uri,))
    assert master.store.rows.checkpoints[1, 0, 1, 1].deleted


def test_a_deletion_that_fails_is_asked_of_another_worker_and_people_see_why(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    other = master.worker("other")
    worker.send(failed_deletions=(FailedDeletion(uri, "Permission denied"),))
    (shown,) = [w.waiting_reason for w in master.core.workers(master.now) if w.worker == "w"]
    assert "cannot delete checkpoints in" in shown
    assert "Permission denied" in shown
    master.advance(FIRST_PAUSE_S + 1, alive=[worker, other])
    assert other.received().delete_checkpoints == (uri,)
    other.send(deleted_checkpoints=(uri,))
    assert master.store.rows.checkpoints[1, 0, 1, 1].deleted


def test_deletions_are_asked_again_after_a_crash_of_the_master(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    uri = garbage(master, worker)
    master.restart()
    assert worker.connect(*master.core.sessions[worker.session_id].leases).delete_checkpoints == (uri,)


#: What stays of the checkpoints of trials 0 to 3, by policy, however the search ended.
BY_POLICY = pytest.mark.parametrize(
    ("keep", "best", "kept"),
    [
        ("all", "any", {0, 1, 2, 3}),
        ("promotable", "last", {0, 3}),
        ("promotable", "any", {0}),
        ("best", "last", {3}),
        ("best", "any", {0}),
    ],
)


@BY_POLICY
def test_at_the_end_checkpoints_are_kept_by_policy(
    master: Master, worker: Worker, keep: str, best: str, kept: set[int]
) -> None:
    metric = {"name": "error", "goal": "minimize", "best": best}
    spec = make_spec({"max_trials": 4, "max_rungs": 2, "max_resource": 3}, checkpoints={"keep": keep}, metric=metric)
    master.submit(spec)
    for error in (0.2, 0.5, 0.6):
        worker.train(error)
    promoted = worker.work()
    assert promoted.lease.trial_id == 0
    worker.report(promoted, 3, 0.3)
    worker.save(promoted, 3)
    worker.exit(promoted)
    last = worker.work()
    worker.report(last, 1, 0.25)
    worker.save(last, 1)
    worker.exit(last)
    assert master.experiment().state == ExperimentState.COMPLETED
    rows = master.store.rows.checkpoints.values()
    assert {row.trial_id for row in rows if row.delete_time is None} == kept


@pytest.mark.parametrize("end", ["cancelled", "failed"])
@BY_POLICY
def test_a_search_that_is_cut_short_keeps_what_one_that_came_to_its_end_keeps(
    master: Master, worker: Worker, end: str, keep: str, best: str, kept: set[int]
) -> None:
    metric = {"name": "error", "goal": "minimize", "best": best}
    spec = make_spec({"max_trials": 9, "max_rungs": 2, "max_resource": 3}, checkpoints={"keep": keep}, metric=metric)
    master.submit(spec)
    for error in (0.2, 0.5, 0.6):
        worker.train(error)
    promoted = worker.work()
    worker.report(promoted, 3, 0.3)
    worker.save(promoted, 3)
    worker.exit(promoted)
    worker.train(0.25)
    worker.work()
    if end == "cancelled":
        master.do(lambda core: core.cancel(1))
    else:
        master.core.experiments[1].hopeless = "no worker can start it"
        other = master.worker("other")
        other.report(other.work(), 1, 0.9)
    assert master.experiment().state == end
    rows = master.store.rows.checkpoints.values()
    assert {row.trial_id for row in rows if row.delete_time is None} == kept


def test_a_checkpoint_that_arrives_after_its_trial_failed_is_deleted(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    worker.tell(assignment, Measurement(assignment.target, {"other": 1.0}))
    assert master.trial(0).state == TrialState.FAILED
    saved = CheckpointSaved("late", 1, 10, "sum")
    assert worker.tell(assignment, saved).delete_checkpoints == ("checkpoints/late",)
    (row,) = master.store.rows.checkpoints.values()
    assert row.delete_time is not None


def test_what_is_kept_whole_is_kept_of_failed_trials_too(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}, max_restarts=0, checkpoints={"keep": "all"}))
    assignment = worker.work()
    worker.save(assignment, 1)
    worker.exit(assignment, ExitOutcome.FAILED, "boom")
    assert all(row.delete_time is None for row in master.store.rows.checkpoints.values())


def test_failed_trials_keep_no_checkpoint(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}, max_restarts=0))
    assignment = worker.work()
    worker.save(assignment, 1)
    worker.exit(assignment, ExitOutcome.FAILED, "boom")
    assert all(row.delete_time is not None for row in master.store.rows.checkpoints.values())


def test_a_report_past_the_pause_changes_no_rung(master: Master, worker: Worker) -> None:
    master.submit()
    assignment = worker.work()
    worker.report(assignment, 1, 0.5)
    before = dict(master.store.rows.results)
    assert not worker.tell(assignment, Measurement(2, {"error": 0.0})).decisions
    assert master.store.rows.results == before
    assert len(master.store.rows.reports) == 2


def test_max_concurrent_trials_bounds_what_runs_at_once(master: Master) -> None:
    master.submit(make_spec({"max_concurrent_trials": 2}))
    workers = [master.worker(name) for name in "abc"]
    assignments = [worker.ask() for worker in workers]
    assert [a is not None for a in assignments] == [True, True, False]
    first = assignments[0]
    assert first is not None
    workers[0].report(first, 1, 0.5)
    assert workers[2].received().assignments


def test_a_repeated_creation_gives_the_same_experiment_also_after_a_restart(master: Master) -> None:
    assert master.submit(request_id="r") == 1
    assert master.submit(request_id="r") == 1
    master.restart()
    assert master.submit(request_id="r") == 1
    assert master.submit(request_id="other") == 2
    assert len(master.store.rows.experiments) == 2


def test_the_adaptive_search_fills_its_brackets(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"name": "adaptive_asha", "mode": "conservative", "max_trials": 12}))
    for trial in range(12):
        worker.train(trial / 10)
    assert {key[1] for key in master.store.rows.results} == {0, 1, 2}


def test_the_best_result_of_any_report_is_known_at_once_and_never_gets_worse(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    first, second = worker.work(), master.worker("other").work()
    assert worker.report(first, 1, 0.3) is None
    worker.report(first, 2, 0.1)
    assert (master.trial(0).best_metric, master.trial(0).best_resource) == (0.1, 2)
    worker.report(first, 3, 0.2)
    worker.report(first, 4, float("-inf"))
    worker.report(first, 9, 0.4)
    assert (master.trial(0).best_metric, master.trial(0).best_resource) == (0.1, 2)
    assert master.trial(0).metric == 0.4
    assert second.lease.trial_id == 1


def test_the_best_of_a_trial_that_does_not_lead_is_written_a_moment_later(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    other = master.worker("other")
    leader, behind = worker.work(), other.work()
    worker.report(leader, 1, 0.1)
    other.report(behind, 1, 0.5)
    other.report(behind, 2, 0.4)
    assert master.trial(1).best_metric is None
    master.restart()
    assert master.core.experiments[1].records.trials[1].best_metric == 0.4, "read back from the reports"
    other.connect(behind.lease)
    worker.connect(leader.lease)
    other.report(behind, 3, 0.3)
    master.advance(1, alive=[worker, other])
    assert (master.trial(1).best_metric, master.trial(1).best_resource) == (0.3, 3)


def test_a_trial_that_failed_keeps_its_result_and_a_discarded_one_has_none(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}, max_restarts=0))
    for error, outcome in ((0.2, ExitOutcome.FAILED), (0.1, ExitOutcome.INVALID_HPARAMS)):
        assignment = worker.work()
        worker.report(assignment, 1, error)
        worker.exit(assignment, outcome, "boom")
    assert [master.trial(n).best_metric for n in (0, 1)] == [0.2, None]
    assert master.core.experiments[1].records.ranking.best() == 0


def test_of_equal_results_the_first_is_the_best_where_the_goal_is_to_maximize_too(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"max_rungs": 1}, metric={"name": "error", "goal": "maximize"}))
    assignment = worker.work()
    for resource, accuracy in enumerate((0.5, 0.7, 0.7, 0.6), 1):
        worker.report(assignment, resource, accuracy)
    assert (master.trial(0).best_metric, master.trial(0).best_resource) == (0.7, 2)


BEST_MODEL = {"checkpoints": {"keep": "best"}, "max_restarts": 0}


def kept(master: Master) -> set[tuple[int, int]]:
    """Trial and resource of each checkpoint that stays."""
    rows = master.store.rows.checkpoints.values()
    return {(row.trial_id, row.resource) for row in rows if row.delete_time is None}


def report_and_save(worker: Worker, assignment: Assignment, *errors: float) -> None:
    for resource, error in enumerate(errors, 1):
        worker.report(assignment, resource, error)
        worker.save(assignment, resource)


def test_the_model_of_the_best_result_stays_though_its_trial_trains_on(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}, **BEST_MODEL))
    assignment = worker.work()
    assert (assignment.save_best, assignment.best_metric) == ("minimize", None)
    report_and_save(worker, assignment, 0.5, 0.1, 0.3, 0.4, 0.5)
    assert kept(master) == {(0, 2), (0, 4), (0, 5)}
    assert master.worker("other").work().best_metric == 0.1


def test_the_model_of_the_best_result_stays_where_its_trial_fails_or_its_search_is_cancelled(
    master: Master, worker: Worker
) -> None:
    master.submit(make_spec({"max_rungs": 1}, **BEST_MODEL))
    first, second = worker.work(), master.worker("other").work()
    report_and_save(worker, first, 0.5, 0.1, 0.3)
    worker.exit(first, ExitOutcome.FAILED, "boom")
    assert kept(master) == {(0, 2)}
    assert second.lease.trial_id == 1
    master.do(lambda core: core.cancel(1))
    assert kept(master) == {(0, 2)}


def test_without_keep_best_no_checkpoint_is_asked_for_or_kept_for_a_result(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    assert assignment.save_best == ""
    report_and_save(worker, assignment, 0.1, 0.3, 0.4)
    assert kept(master) == {(0, 2), (0, 3)}


def test_a_checkpoint_that_is_told_of_twice_is_one(master: Master, worker: Worker) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    assignment = worker.work()
    for resource in (1, 2, 2, 2):
        worker.save(assignment, resource)
    assert [row.resource for row in master.store.rows.checkpoints.values()] == [1, 2]
    assert all(row.delete_time is None for row in master.store.rows.checkpoints.values())
