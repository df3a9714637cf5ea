"""What people change of an experiment while it runs is in force at once, and after a restart. Memory and rows are
compared after each command."""

from __future__ import annotations

import pytest
from unit.master_harness import Master, Worker, make_spec

from rungmaster.shared.errors import FailedPrecondition, InvalidSpec
from rungmaster.shared.spec.spec import parse_settings


@pytest.fixture
def master() -> Master:
    return Master()


def submit(master: Master, **fields: object) -> int:
    return master.submit(make_spec({"max_trials": 50, "max_rungs": 1}, **fields))


def change(master: Master, experiment_id: int = 1, **values: object) -> None:
    master.do(lambda core: core.change(experiment_id, parse_settings(values)))


def works_for(worker: Worker) -> int:
    return worker.work().lease.experiment_id


def held(master: Master) -> int:
    return sum(lease.end_time is None for lease in master.store.rows.leases.values())


def journal(master: Master) -> list[object]:
    return [event.data for event in master.store.rows.events if event.kind == "settings_changed"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_higher_priority_goes_first_from_now_on(master: Master, restarts: bool) -> None:
    submit(master)
    submit(master)
    worker = master.worker(slots=4)
    assert works_for(worker) == 1
    change(master, 2, priority=5)
    if restarts:
        master.restart()
        worker = master.worker("other", slots=4)
    assert [works_for(worker) for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_larger_weight_gets_more_of_the_slots(master: Master, restarts: bool) -> None:
    submit(master)
    submit(master)
    change(master, 2, weight=3)
    if restarts:
        master.restart()
    worker = master.worker(slots=8)
    assert sorted(works_for(worker) for _ in range(8)) == [1, 1, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("restarts", [False, True])
def test_below_a_lowered_limit_trials_go_on_and_none_begins(master: Master, restarts: bool) -> None:
    submit(master)
    worker = master.worker(slots=8)
    running = [worker.work() for _ in range(3)]
    change(master, max_concurrent_trials=2)
    if restarts:
        master.restart()
        worker.connect(*(assignment.lease for assignment in running))
    assert worker.ask() is None
    for assignment, left in zip(running, (2, 2), strict=False):
        worker.report(assignment, assignment.target, 0.5)
        worker.exit(assignment)
        assert held(master) == left, "the worker still waits, and gets a trial once fewer than two train"
    assert worker.ask() is None


def test_a_worker_that_waits_is_served_as_soon_as_a_limit_is_lifted(master: Master) -> None:
    master.submit(make_spec({"max_trials": 50, "max_rungs": 1, "max_concurrent_trials": 1}))
    worker = master.worker(slots=2)
    worker.work()
    assert worker.ask() is None
    change(master, max_concurrent_trials=None)
    assert worker.received().assignments


def test_what_changes_is_in_the_journal_and_what_stays_is_not(master: Master) -> None:
    submit(master, priority=3)
    change(master, priority=3)
    assert journal(master) == []
    change(master, priority=4, weight=1.0)
    change(master, max_concurrent_trials=7)
    assert journal(master) == [{"priority": 4}, {"max_concurrent_trials": 7}]
    row = master.experiment()
    assert (row.priority, row.weight, row.max_concurrent_trials) == (4, 1.0, 7)
    assert row.spec["priority"] == 3, "the spec stays as its user wrote it"


def test_an_experiment_that_has_ended_stays_as_it_was(master: Master) -> None:
    submit(master)
    master.do(lambda core: core.cancel(1))
    with pytest.raises(FailedPrecondition, match="has ended"):
        change(master, priority=1)


def test_a_wrong_value_is_told_with_what_is_right() -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse_settings({"priority": 10**7, "weight": float("nan"), "max_concurrent_trials": -1})
    assert sorted(str(problem) for problem in caught.value.problems) == [
        "max_concurrent_trials: must be at least 1, got -1",
        "priority: must be at most 1000000, got 10000000",
        "weight: must be a finite number, got nan",
    ]
