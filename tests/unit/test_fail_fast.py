"""An experiment that nobody can run ends soon and with the reason; one worker that cannot is left out of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.experiment.first_attempts import FirstAttempts
from rungmaster.shared.spec.spec import Spec
from rungmaster.shared.wire.model import ExperimentState, LeaseRef, TrialState, WorkerState
from rungmaster.shared.wire.session import Exit, ExitOutcome, WorkRequest

FAILED, INVALID, FAULT = ExitOutcome.FAILED, ExitOutcome.INVALID_HPARAMS, ExitOutcome.WORKER_FAULT
GIVEN_BACK, CANNOT_START = ExitOutcome.GIVEN_BACK, ExitOutcome.CANNOT_START
NO_MODULE = "there is no module 'trian' in /work; did you mean 'train'?"


def spec(fail_fast: int = 3, max_restarts: int = 3, **searcher: object) -> Spec:
    return make_spec({"max_trials": 30} | searcher, fail_fast=fail_fast, max_restarts=max_restarts)


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def worker(master: Master) -> Worker:
    return master.worker()


def fail(worker: Worker, error: str | Callable[[int], str]) -> int:
    """Lets the next trial fail before it reports; gives its number."""
    assignment = worker.work()
    trial = assignment.lease.trial_id
    worker.exit(assignment, FAILED, error(trial) if callable(error) else error)
    return trial


def test_what_the_only_worker_cannot_start_fails_its_experiment_at_once(master: Master, worker: Worker) -> None:
    master.submit(spec())
    worker.exit(worker.work(), CANNOT_START, f"{NO_MODULE}\nTraceback")
    assert master.experiment().state == ExperimentState.FAILED
    assert master.experiment().state_reason == f"no worker can start it: {NO_MODULE}"
    assert (master.trial(0).restarts, master.trial(0).workers_lost) == (0, 0)
    assert worker.ask() is None


def test_what_every_worker_fails_to_start_fails_its_experiment_when_the_last_of_them_has_tried(master: Master) -> None:
    workers = [master.worker(name, slots=4) for name in "abc"]
    master.submit(spec())
    for each in workers:
        assert master.experiment().state == ExperimentState.ACTIVE
        each.exit(each.work(), CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.FAILED


def test_a_worker_whose_request_is_answered_just_as_the_experiment_fails_goes_on_waiting(
    master: Master, worker: Worker
) -> None:
    master.submit(spec(fail_fast=2, max_restarts=0))
    fail(worker, "boom")
    end = worker.event(worker.work().lease, Exit(FAILED, "boom"))
    assert worker.send(end, work_request=WorkRequest("next", 1)).assignments == ()
    assert master.experiment().state == ExperimentState.FAILED
    master.submit(make_spec())
    assert [assignment.lease.experiment_id for assignment in worker.received().assignments] == [2]


def test_what_one_worker_cannot_start_is_trained_by_the_others(master: Master, worker: Worker) -> None:
    other = master.worker("other")
    master.submit(spec())
    worker.exit(worker.work(), CANNOT_START, "no module 'torch'")
    assert worker.ask() is None
    seen = {each.worker: each for each in master.core.workers(master.now)}["w"]
    assert seen.state is WorkerState.CONNECTED
    assert master.core.sessions[worker.session_id].faults == {}
    assert "experiment 1 cannot be started here: no module 'torch' (tried again in 5 s)" in seen.waiting_reason
    assert other.work().lease == LeaseRef(1, 0, 2), "first in line, and nothing is counted"


def test_a_worker_that_cannot_start_one_experiment_trains_the_others_as_before(master: Master, worker: Worker) -> None:
    master.submit(spec())
    master.submit(make_spec())
    master.worker("other")
    assignment = worker.work()
    assert assignment.lease.experiment_id == 1
    worker.exit(assignment, CANNOT_START, NO_MODULE)
    for _ in range(5):
        worker.train(0.5)
    assert master.core.workers(master.now)[1].state is WorkerState.CONNECTED
    assert sum(1 for key in master.store.rows.leases if key[0] == 1) == 1
    assert sum(1 for key in master.store.rows.leases if key[0] == 2) == 5


def test_it_is_tried_again_after_a_while_each_time_a_longer_one(master: Master, worker: Worker) -> None:
    """The package may have been installed meanwhile."""
    other = master.worker("other")
    master.submit(spec())
    other.train(0.5)
    for pause in (5, 10, 20):
        worker.exit(worker.work(), CANNOT_START, "no module 'torch'")
        assert worker.ask() is None
        master.advance(pause - 1, alive=[worker, other])
        assert not worker.received().assignments
        master.advance(2, alive=[worker, other])
        (given_again,) = worker.received().assignments
        worker.exit(given_again, GIVEN_BACK)
    assignment = worker.work()
    worker.report(assignment, assignment.target, 0.5)
    worker.exit(assignment)
    assert master.core.workers(master.now)[1].waiting_reason == ""


def test_a_search_that_has_reported_something_waits_for_its_program_to_come_back(
    master: Master, worker: Worker
) -> None:
    master.submit(spec())
    worker.train(0.5)
    worker.exit(worker.work(), CANNOT_START, "cannot run 'python'")
    assert master.experiment().state == ExperimentState.ACTIVE
    master.advance(6, alive=[worker])
    assert worker.ask() is not None


def test_workers_that_could_not_run_it_anyway_are_not_waited_for(master: Master) -> None:
    """Too small, without the label, about to leave, or gone for longer than a lease."""
    document = {"resources": {"slots_per_trial": 2, "labels": {"gpu": "a100"}}, "fail_fast": 3}
    fitting = master.worker("fitting", slots=2, gpu="a100")
    master.worker("small", slots=1, gpu="a100")
    master.worker("other", slots=2)
    master.worker("leaving", slots=2, gpu="a100").send(draining=True)
    master.worker("gone", slots=2, gpu="a100").disconnect()
    master.advance(31, alive=[fitting])
    master.submit(make_spec(**document))
    fitting.exit(fitting.work(), CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.FAILED


def test_a_worker_that_is_away_for_a_moment_may_be_able_to_start_it(master: Master, worker: Worker) -> None:
    away = master.worker("away")
    away.disconnect()
    master.submit(spec())
    worker.exit(worker.work(), CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.ACTIVE
    away.connect()
    away.train(0.5)
    assert master.experiment().state == ExperimentState.ACTIVE


def test_after_a_restart_the_workers_that_were_there_are_waited_for_as_long_as_their_leases(master: Master) -> None:
    master.submit(spec())
    master.restart()
    worker = master.worker("first to come back")
    worker.exit(worker.work(), CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.ACTIVE
    worker.request()
    master.advance(36, alive=[worker])
    (again,) = worker.received().assignments
    worker.exit(again, CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.FAILED


def test_code_that_fails_in_every_trial_fails_its_experiment_after_a_few_and_tries_none_of_them_twice(
    master: Master, worker: Worker
) -> None:
    master.submit(spec())
    assert [fail(worker, lambda trial: f"exited with code 1: NameError in trial {trial}") for _ in range(3)] == [
        0,
        1,
        2,
    ]
    row = master.experiment()
    assert row.state == ExperimentState.FAILED
    assert row.state_reason.startswith(
        "exited with code 1: NameError in trial 2 (so failed the first attempts of 3 trials"
    )
    assert "fail_fast" in row.state_reason
    assert master.trial(0).restarts == 1


@pytest.mark.parametrize("off", [0, False])
def test_it_can_be_switched_off(master: Master, worker: Worker, off: int) -> None:
    master.submit(make_spec({"max_trials": 30}, fail_fast=off, max_restarts=0))
    for _ in range(9):
        fail(worker, "boom")
    assert master.experiment().state == ExperimentState.ACTIVE
    master.worker("other").work()
    worker.exit(worker.work(), CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.ACTIVE


def test_code_that_fails_with_some_hyperparameters_only_is_left_to_its_restarts(master: Master) -> None:
    """One that trains well takes longer to show it than others to fail, however many those are."""
    slow, quick = master.worker("slow"), master.worker("quick")
    master.submit(spec(max_restarts=0))
    well = slow.work()
    for _ in range(9):
        fail(quick, "ValueError: SAMME.R")
    assert master.experiment().state == ExperimentState.ACTIVE
    slow.report(well, 1, 0.5)
    for _ in range(9):
        fail(quick, "ValueError: SAMME.R")
    assert master.experiment().state == ExperimentState.ACTIVE


def test_different_errors_are_different_causes(master: Master, worker: Worker) -> None:
    master.submit(spec())
    for error in ("KeyError: 'a'", "KeyError: 'a'", "ValueError: b", "KeyError: 'a'", "KeyError: 'a'"):
        fail(worker, error)
    assert master.experiment().state == ExperimentState.ACTIVE
    fail(worker, "KeyError: 'a'")
    assert master.experiment().state == ExperimentState.FAILED


def test_a_checkpoint_shows_that_the_code_can_run_as_well(master: Master, worker: Worker) -> None:
    master.submit(spec())
    assignment = worker.work()
    worker.save(assignment, 1)
    worker.exit(assignment, FAILED, "boom")
    for _ in range(6):
        fail(worker, "boom")
    assert master.experiment().state == ExperimentState.ACTIVE


def test_what_failed_goes_first_again_once_anything_was_reported(master: Master, worker: Worker) -> None:
    master.submit(spec(fail_fast=5))
    assert fail(worker, "boom") == 0
    assignment = worker.work()
    assert assignment.lease.trial_id == 1, "in doubt another one shows more"
    worker.report(assignment, 1, 0.5)
    worker.exit(assignment)
    assert worker.work().lease == LeaseRef(1, 0, 2)


def test_where_there_is_nothing_else_what_failed_is_tried_again_up_to_max_restarts(
    master: Master, worker: Worker
) -> None:
    master.submit(spec(fail_fast=5, max_restarts=2, max_trials=1, max_rungs=1))
    assert [fail(worker, "boom") for _ in range(3)] == [0, 0, 0]
    assert master.experiment().state_reason == "every trial failed; the last error: boom"
    assert master.trial(0).state == TrialState.FAILED


def test_what_ended_without_an_attempt_that_counts_keeps_nobody_waiting(master: Master, worker: Worker) -> None:
    master.submit(spec())
    worker.exit(worker.work(), INVALID, "too wide")
    worker.exit(worker.work(), GIVEN_BACK)
    for _ in range(3):
        fail(worker, "boom")
    assert master.experiment().state == ExperimentState.FAILED


def test_a_paused_experiment_that_cannot_run_fails_when_it_is_resumed(master: Master, worker: Worker) -> None:
    master.submit(spec())
    assignment = worker.work()
    master.do(lambda core: core.pause(1))
    worker.exit(assignment, CANNOT_START, NO_MODULE)
    assert master.experiment().state == ExperimentState.PAUSED
    master.do(lambda core: core.resume(1))
    assert master.experiment().state == ExperimentState.FAILED


def test_what_is_known_of_an_experiment_is_forgotten_with_it(master: Master, worker: Worker) -> None:
    master.submit(spec())
    worker.exit(worker.work(), CANNOT_START, NO_MODULE)
    (session,) = master.core.sessions.values()
    assert (session.bars, session.failed, session.worked) == ({}, {}, set())


@given(st.integers(1, 6), st.permutations(range(12)))
def test_however_they_come_back_only_an_unbroken_row_from_the_first_on_condemns(limit: int, order: list[int]) -> None:
    attempts = FirstAttempts(limit)
    for trial in order:
        attempts.begun(trial)
    fine = order[limit - 1]
    for trial in sorted(order):
        if trial != fine:
            assert not attempts.failed(trial, f"boom in {trial}") or order.index(fine) >= limit
    assert attempts.failed(fine, "boom")
