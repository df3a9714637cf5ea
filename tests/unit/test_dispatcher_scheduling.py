"""Which experiment gets which free slots."""

from __future__ import annotations

import pytest
from unit.master_harness import Master, Worker, make_spec

from rungmaster.shared.wire.session import Assignment, WorkRequest


@pytest.fixture
def master() -> Master:
    return Master()


def submit(
    master: Master, slots: int = 1, max_trials: int = 50, labels: dict[str, str] | None = None, **fields: object
) -> int:
    resources = {"slots_per_trial": slots, "labels": labels or {}}
    return master.submit(make_spec({"max_trials": max_trials, "max_rungs": 1}, resources=resources, **fields))


def finish(worker: Worker, assignment: Assignment) -> None:
    worker.report(assignment, assignment.target, 0.5)
    worker.exit(assignment)


def holders(master: Master) -> list[int]:
    """The experiments whose trials run, one entry for each lease."""
    return sorted(key[0] for key, lease in master.store.rows.leases.items() if lease.end_time is None)


def test_the_higher_priority_goes_first(master: Master) -> None:
    submit(master, priority=0)
    urgent = submit(master, priority=5, max_trials=2)
    worker = master.worker(slots=4)
    assert [worker.work().lease.experiment_id for _ in range(3)] == [urgent, urgent, 1]


def test_equals_share_the_slots(master: Master) -> None:
    for _ in range(3):
        submit(master)
    worker = master.worker(slots=9)
    for _ in range(9):
        worker.work()
    assert holders(master) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_equals_share_the_slots_by_weight(master: Master) -> None:
    submit(master, weight=1)
    submit(master, weight=3)
    worker = master.worker(slots=8)
    for _ in range(8):
        worker.work()
    assert holders(master) == [1, 1, 2, 2, 2, 2, 2, 2]


def test_what_counts_is_slots_and_not_trials(master: Master) -> None:
    submit(master, slots=2)
    submit(master, slots=1)
    worker = master.worker(slots=12)
    free = 12
    while free > 0:
        free -= worker.work(free_slots=free).slots
    assert holders(master).count(1) * 2 == holders(master).count(2)


def test_what_one_experiment_cannot_use_another_gets(master: Master) -> None:
    submit(master, priority=5, max_trials=1)
    submit(master)
    worker = master.worker(slots=3)
    assert [worker.work().lease.experiment_id for _ in range(3)] == [1, 2, 2]


def test_labels_choose_the_workers(master: Master) -> None:
    submit(master, labels={"gpu": "a100"}, priority=5)
    submit(master)
    assert master.worker("plain").work().lease.experiment_id == 2
    assert master.worker("other", gpu="v100").work().lease.experiment_id == 2
    assert master.worker("right", gpu="a100", rack="7").work().lease.experiment_id == 1


def test_a_worker_gets_work_of_the_experiments_that_it_is_for_and_no_other(master: Master) -> None:
    submit(master, priority=5)
    wanted = submit(master)
    worker = Worker(master, "one", 4, {}, experiment_ids=frozenset({wanted}))
    worker.connect()
    assert [worker.work().lease.experiment_id for _ in range(3)] == [wanted] * 3
    assert master.worker("other").work().lease.experiment_id == 1


def test_an_experiment_that_no_worker_fits_waits_and_holds_nobody_up(master: Master) -> None:
    submit(master, slots=16, priority=5)
    submit(master)
    worker = master.worker(slots=4)
    for _ in range(4):
        assert worker.work().lease.experiment_id == 2


def test_a_trial_is_given_only_where_its_slots_are_free(master: Master) -> None:
    submit(master, slots=3)
    worker = master.worker(slots=4)
    assert worker.ask(free_slots=2) is None
    assert worker.work(free_slots=3).slots == 3


def test_a_big_trial_is_not_starved_by_small_ones(master: Master) -> None:
    submit(master, max_trials=500)
    worker = master.worker(slots=4)
    running = [worker.work(free_slots=free) for free in (4, 3, 2, 1)]
    big = submit(master, slots=4, max_trials=1)
    for free in (1, 2, 3):
        finish(worker, running.pop())
        assert worker.request(free_slots=free, request_id="big").assignments == ()
    assert "kept free" in master.core.workers(master.now)[0].waiting_reason
    finish(worker, running.pop())
    (assignment,) = worker.request(free_slots=4, request_id="big").assignments
    assert (assignment.lease.experiment_id, assignment.slots) == (big, 4)


def test_a_big_trial_keeps_only_one_worker_free(master: Master) -> None:
    submit(master, max_trials=500)
    workers = [master.worker(name, slots=2) for name in "ab"]
    running = [(worker, worker.work(free_slots=free)) for worker in workers for free in (2, 1)]
    submit(master, slots=2, max_trials=1)
    for worker, assignment in running[::2]:
        finish(worker, assignment)
    answers = [worker.ask(free_slots=1) for worker in workers]
    assert answers[0] is None
    assert answers[1] is not None
    assert answers[1].lease.experiment_id == 1


def reserved_by_a_big_trial(master: Master, worker: Worker) -> int:
    """A worker with one of two slots free, which is kept for the trial of another experiment."""
    submit(master, max_trials=500)
    worker.work(free_slots=2)
    big = submit(master, slots=2, max_trials=1)
    assert worker.request(free_slots=1, request_id="next").assignments == ()
    return big


def test_a_paused_experiment_gives_up_the_worker_that_was_kept_for_it(master: Master) -> None:
    worker = master.worker(slots=2)
    big = reserved_by_a_big_trial(master, worker)
    master.do(lambda core: core.pause(big))
    assert worker.received().assignments[0].lease.experiment_id == 1


def test_a_worker_kept_for_a_paused_experiment_can_be_kept_for_another(master: Master) -> None:
    worker = master.worker(slots=2)
    first = reserved_by_a_big_trial(master, worker)
    second = submit(master, slots=2, max_trials=1)
    master.do(lambda core: core.pause(first))
    assert not worker.received().assignments
    assert f"experiment {second}" in master.core.workers(master.now)[0].waiting_reason


@pytest.mark.parametrize("way", ["drain", "expire", "disconnect"])
def test_a_big_trial_waits_for_another_worker_when_its_own_goes(master: Master, way: str) -> None:
    worker = master.worker(slots=2)
    big = reserved_by_a_big_trial(master, worker)
    other = master.worker("other", slots=2)
    assert other.work(free_slots=1).lease.experiment_id == 1
    if way == "drain":
        worker.send(draining=True)
    elif way == "disconnect":
        worker.disconnect()
    else:
        master.advance(31, alive=[other])
    assert other.request(free_slots=1).assignments == ()
    assert f"experiment {big}" in next(w.waiting_reason for w in master.core.workers(master.now) if w.worker == "other")


def test_no_free_slots_withdraws_the_request(master: Master) -> None:
    worker = master.worker()
    assert worker.request(request_id="r").assignments == ()
    worker.send(work_request=WorkRequest("r", 0))
    submit(master)
    assert not worker.received().assignments
    assert worker.request(request_id="r").assignments


def test_who_asked_first_is_served_first(master: Master) -> None:
    workers = [master.worker(name) for name in "cab"]
    for worker in workers:
        assert worker.ask() is None
    submit(master, max_trials=2)
    assert [bool(worker.received().assignments) for worker in workers] == [True, True, False]


def test_a_worker_that_waits_is_served_as_soon_as_there_is_work(master: Master) -> None:
    submit(master, max_trials=1)
    first, second = master.worker("a"), master.worker("b")
    assignment = first.work()
    assert second.ask() is None
    first.exit(assignment)
    assert second.received().assignments[0].lease.trial_id == 0


def test_a_broken_stream_ends_the_wait(master: Master) -> None:
    worker = master.worker()
    worker.ask()
    worker.disconnect()
    submit(master)
    assert not master.store.rows.leases
    worker.connect()
    assert not worker.received().assignments
    assert worker.ask() is not None


def test_a_worker_that_waits_is_told_why(master: Master) -> None:
    worker = master.worker()
    submit(master, slots=2)
    worker.ask()
    assert master.core.workers(master.now)[0].waiting_reason == "no experiment has work for it now"


def test_workers_are_listed_with_what_they_hold(master: Master) -> None:
    submit(master, slots=2)
    worker = master.worker("b", slots=4, gpu="a100")
    assignment = worker.work()
    master.worker("a")
    first, second = master.core.workers(master.now)
    assert [first.worker, second.worker] == ["a", "b"]
    assert (second.slots, second.slots_used, second.leases) == (4, 2, (assignment.lease,))
    assert second.labels == {"gpu": "a100"}


@pytest.mark.parametrize(("named", "told"), [(None, None), ([], ()), (["torch", "a.b"], ("torch", "a.b"))])
def test_a_worker_is_told_what_to_preload(
    master: Master, named: list[str] | None, told: tuple[str, ...] | None
) -> None:
    submit(master, preload=named)
    assert master.worker().work().preload == told
