"""A search that ends early by its spec's `stop`: gracefully, by its rows alone, and with the model that reached it."""

from __future__ import annotations

from typing import Any

import pytest
from unit.master_harness import LEASE_TTL, Master, Worker, make_spec

from rungmaster.shared.errors import FailedPrecondition
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Assignment, Decision, DecisionKind, ExitOutcome, Measurement

REACHED = "the metric reached 0.04 (trial 0 at resource 1), at most 0.05 was asked for"


def search(stop: dict[str, Any], **fields: Any) -> tuple[Master, Worker]:
    """A master with a search that has this `stop`, and a worker with three slots."""
    master = Master()
    master.submit(make_spec({"max_rungs": 1}, stop=stop, **fields))
    return master, master.worker(slots=3)


def report(worker: Worker, assignment: Assignment, resource: int, error: float) -> list[Decision]:
    """Every decision that a report brought about, of any trial."""
    return list(worker.tell(assignment, Measurement(resource, {"error": error})).decisions)


def kept(master: Master) -> set[tuple[int, int]]:
    """The trials and resources of the checkpoints that are kept."""
    return {(row.trial_id, row.resource) for row in master.store.rows.checkpoints.values() if row.delete_time is None}


def test_a_report_that_reaches_the_metric_is_answered_and_everything_that_runs_is_asked_back() -> None:
    master, worker = search({"metric": 0.05})
    first, other = worker.work(3), worker.work(2)
    assert report(worker, other, 1, 0.06) == []
    mine, others = report(worker, first, 1, 0.04)
    assert (mine.lease, mine.kind, mine.sequence, mine.reason) == (first.lease, DecisionKind.PAUSE, 1, REACHED)
    assert (others.lease, others.kind, others.sequence) == (other.lease, DecisionKind.PAUSE, 0)
    assert mine.save_checkpoint
    assert others.save_checkpoint
    row = master.experiment()
    assert (row.state, row.state_reason) == (ExperimentState.ACTIVE, REACHED)
    assert worker.ask(1) is None, "nothing more is handed out"


def test_it_is_completed_once_the_last_lease_has_ended_and_says_why() -> None:
    master, worker = search({"metric": 0.05})
    first, other = worker.work(3), worker.work(2)
    report(worker, first, 1, 0.04)
    worker.save(first, 1)
    worker.exit(first)
    assert master.experiment().state == ExperimentState.ACTIVE
    worker.exit(other, ExitOutcome.GIVEN_BACK)
    assert (master.experiment().state, master.experiment().state_reason) == (ExperimentState.COMPLETED, REACHED)
    assert {master.trial(number).state for number in (0, 1)} == {TrialState.STOPPED}
    told = [event.kind for event in master.store.rows.events if event.kind == "stop_reached"]
    assert len(told) == 1


@pytest.mark.parametrize("keep", ["promotable", "best", "all"])
@pytest.mark.parametrize("best", ["any", "last"])
def test_the_model_that_reached_the_metric_is_kept_whatever_else_is(keep: str, best: str) -> None:
    metric = {"name": "error", "goal": "minimize", "best": best}
    master, worker = search({"metric": 0.05}, metric=metric, checkpoints={"keep": keep})
    trained, first = worker.work(3), worker.work(2)
    # With metric.best: last this one is called the best, as the only one with a result at a rung.
    report(worker, trained, 9, 0.3)
    worker.save(trained, 9)
    worker.exit(trained)
    report(worker, first, 4, 0.04)
    worker.save(first, 4)
    worker.exit(first)
    assert master.experiment().state == ExperimentState.COMPLETED
    others = keep != "best" or best == "last"
    assert kept(master) == {(1, 4)} | ({(0, 9)} if others else set())


def test_at_a_rung_the_search_decides_first_and_what_would_go_on_is_paused() -> None:
    master = Master()
    master.submit(make_spec(stop={"metric": 0.05}))
    worker = master.worker()
    worker.train(0.5)
    worker.train(0.6)
    assignment = worker.work()
    (decision,) = report(worker, assignment, 1, 0.01)
    assert (decision.kind, decision.sequence) == (DecisionKind.PAUSE, 1)
    worker.save(assignment, 1)
    worker.exit(assignment)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert master.trial(2).state == TrialState.STOPPED
    assert (2, 1) in kept(master)


def test_a_metric_to_be_maximized_is_reached_from_below() -> None:
    _, worker = search({"metric": 0.9}, metric={"name": "error", "goal": "maximize"})
    assignment = worker.work()
    assert report(worker, assignment, 1, 0.89) == []
    assert report(worker, assignment, 2, float("inf")) == [], "what is not finite reaches nothing"
    (decision,) = report(worker, assignment, 3, 0.9)
    assert decision.reason == "the metric reached 0.9 (trial 0 at resource 3), at least 0.9 was asked for"


def test_the_limit_of_resource_counts_repeated_training_once() -> None:
    master, worker = search({"resource": 4})
    assignment = worker.work()
    report(worker, assignment, 3, 0.5)
    worker.exit(assignment, ExitOutcome.GIVEN_BACK)
    again = worker.work()
    assert again.lease.trial_id == 0
    assert [report(worker, again, resource, 0.5) for resource in (1, 2, 3)] == [[], [], []]
    (decision,) = report(worker, again, 4, 0.5)
    assert (decision.kind, decision.sequence) == (DecisionKind.PAUSE, 0)
    worker.exit(again, ExitOutcome.GIVEN_BACK)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert master.experiment().state_reason == "4 units were trained, the limit is 4"


def test_the_time_is_over_at_the_first_look_after_it() -> None:
    master, worker = search({"time": "1m30s"})
    assignment = worker.work()
    master.advance(89, [worker])
    assert worker.received().decisions == ()
    master.advance(2, [worker])
    (decision,) = worker.received().decisions
    assert decision.kind is DecisionKind.PAUSE
    worker.exit(assignment, ExitOutcome.GIVEN_BACK)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert master.experiment().state_reason == "1m30s have passed since it was submitted"


def test_a_search_to_which_no_worker_ever_came_ends_when_its_time_is_over() -> None:
    master = Master()
    master.submit(make_spec(stop={"time": 60}))
    master.advance(61)
    assert master.experiment().state == ExperimentState.COMPLETED


def test_a_worker_that_is_lost_while_it_saves_keeps_nothing_from_ending() -> None:
    master, worker = search({"metric": 0.05})
    assignment = worker.work()
    report(worker, assignment, 1, 0.04)
    worker.disconnect()
    master.advance(LEASE_TTL + 2)
    assert (master.experiment().state, master.experiment().state_reason) == (ExperimentState.COMPLETED, REACHED)


def test_a_search_goes_on_where_the_trial_that_reached_the_metric_is_discarded() -> None:
    master, worker = search({"metric": 0.05})
    first, other = worker.work(3), worker.work(2)
    report(worker, first, 1, 0.04)
    worker.exit(other, ExitOutcome.GIVEN_BACK)
    worker.exit(first, ExitOutcome.INVALID_HPARAMS, "no such width")
    assert (master.experiment().state, master.experiment().state_reason) == (ExperimentState.ACTIVE, "")
    assert worker.work(3).lease.trial_id == 1
    assert worker.work(2).lease.trial_id == 2


def test_all_trials_that_failed_before_the_time_was_over_make_a_failure() -> None:
    master, worker = search({"time": 60}, max_restarts=0)
    worker.exit(worker.work(), ExitOutcome.FAILED, "ValueError: no")
    master.advance(61, [worker])
    assert master.experiment().state == ExperimentState.FAILED
    assert "every trial failed" in master.experiment().state_reason


@pytest.mark.parametrize("step", range(6))
def test_a_restart_at_any_moment_comes_to_the_same(step: int) -> None:
    master, worker = search({"metric": 0.05})
    first, other = worker.work(3), worker.work(2)
    held = [first.lease, other.lease]
    told: list[Decision] = []

    def moment(number: int) -> None:
        if step == number:
            master.restart()
            told.extend(worker.connect(*held).decisions)

    moment(0)
    report(worker, other, 1, 0.06)
    moment(1)
    told += report(worker, first, 1, 0.04)
    moment(2)
    worker.save(first, 1)
    moment(3)
    worker.exit(first)
    held.remove(first.lease)
    moment(4)
    assert worker.ask(1) is None
    worker.exit(other, ExitOutcome.GIVEN_BACK)
    held.clear()
    moment(5)
    assert {(d.lease, d.kind) for d in told} == {(a.lease, DecisionKind.PAUSE) for a in (first, other)}
    assert (master.experiment().state, master.experiment().state_reason) == (ExperimentState.COMPLETED, REACHED)
    assert kept(master) == {(0, 1)}


def test_a_master_that_was_away_when_the_time_was_over_asks_back_at_its_first_look() -> None:
    master, worker = search({"time": 60})
    assignment = worker.work()
    master.restart()
    master.monotonic += 100
    master.wall += 100
    worker.connect(assignment.lease)
    assert master.experiment().state_reason == "1m have passed since it was submitted"
    master.advance(1, [worker])
    assert worker.ask(2) is None
    worker.exit(assignment, ExitOutcome.GIVEN_BACK)
    assert master.experiment().state == ExperimentState.COMPLETED


def test_a_paused_search_whose_time_is_over_ends_when_it_is_resumed() -> None:
    master, worker = search({"time": 60})
    assignment = worker.work()
    master.do(lambda core: core.pause(1))
    worker.received()
    worker.exit(assignment, ExitOutcome.GIVEN_BACK)
    master.advance(120, [worker])
    assert (master.experiment().state, master.experiment().state_reason) == (
        ExperimentState.PAUSED,
        "paused by a person",
    )
    master.do(lambda core: core.resume(1))
    assert worker.ask() is None
    assert master.experiment().state == ExperimentState.COMPLETED
    assert master.experiment().state_reason == "1m have passed since it was submitted"


def test_a_metric_that_is_reached_while_a_person_has_it_paused_counts_when_it_is_resumed() -> None:
    master, worker = search({"metric": 0.05})
    assignment = worker.work()
    master.do(lambda core: core.pause(1))
    worker.received()
    (decision,) = report(worker, assignment, 1, 0.04)
    assert (decision.kind, decision.sequence) == (DecisionKind.PAUSE, 1)
    worker.save(assignment, 1)
    worker.exit(assignment)
    assert master.experiment().state == ExperimentState.PAUSED
    master.do(lambda core: core.resume(1))
    assert (master.experiment().state, master.experiment().state_reason) == (ExperimentState.COMPLETED, REACHED)


def test_a_pause_while_it_ends_holds_until_it_is_resumed() -> None:
    master, worker = search({"metric": 0.05})
    first, other = worker.work(3), worker.work(2)
    report(worker, first, 1, 0.04)
    master.do(lambda core: core.pause(1))
    worker.exit(first)
    worker.exit(other, ExitOutcome.GIVEN_BACK)
    assert master.experiment().state == ExperimentState.PAUSED
    master.do(lambda core: core.resume(1))
    assert master.experiment().state == ExperimentState.COMPLETED


def test_a_search_that_ends_early_can_be_cancelled() -> None:
    master, worker = search({"metric": 0.05})
    first = worker.work()
    report(worker, first, 1, 0.04)
    master.do(lambda core: core.cancel(1))
    assert master.experiment().state == ExperimentState.CANCELLED


@pytest.mark.parametrize("ended", [False, True])
def test_a_search_that_reached_its_limit_is_not_extended(ended: bool) -> None:
    master, worker = search({"metric": 0.05})
    first = worker.work()
    report(worker, first, 1, 0.04)
    if ended:
        worker.exit(first)
    with pytest.raises(FailedPrecondition, match=r"its `stop` is reached: the metric reached 0\.04"):
        master.extend(20)


def test_no_other_search_is_ended_with_it() -> None:
    master, worker = search({"metric": 0.05}, priority=1)
    master.submit(make_spec())
    first = worker.work()
    report(worker, first, 1, 0.04)
    assert worker.work(2).lease.experiment_id == 2
    worker.exit(first)
    assert master.experiment(2).state == ExperimentState.ACTIVE
