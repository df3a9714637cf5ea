"""What a scrape is told of the work that waits for slots: as many trials as more workers would really train at once."""

from __future__ import annotations

from typing import Any

import pytest
from unit.master_harness import Master, make_spec

from rungmaster.master.dispatcher.census import PendingWork, take_census
from rungmaster.shared.wire.session import ExitOutcome

SEARCHERS: list[dict[str, Any]] = [
    {"name": "asha"},
    {"name": "asha", "max_concurrent_trials": 3},
    {"name": "asha", "stop_once": True},
    {"name": "adaptive_asha", "max_trials": 18},
    {"name": "adaptive_asha", "max_trials": 18, "mode": "learned", "max_concurrent_trials": 12},
    {"name": "sha"},
    {"name": "hyperband"},
    {"name": "random", "max_concurrent_trials": 20},
    {"name": "pbt", "population": 6, "interval": 3, "max_resource": 9},
]


def pending(master: Master) -> PendingWork:
    """Of the only experiment; nothing where that has ended."""
    return master.do(lambda core: take_census(core, master.now)).pending.get(1, PendingWork(0, 0, None))


def served(master: Master) -> int:
    """How many trials a worker is given at once that takes all there are."""
    eager = master.worker("eager", slots=100)
    found = 0
    while eager.ask(100 - found) is not None:
        found += 1
    return found


@pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda searcher: " ".join(map(str, searcher.values())))
@pytest.mark.parametrize("trained", [0, 4, 9, 13])
def test_as_many_trials_are_pending_as_more_slots_would_train(searcher: dict[str, Any], trained: int) -> None:
    master = Master()
    master.submit(make_spec(searcher))
    worker = master.worker()
    for number in range(trained):
        if pending(master).trials:
            worker.train(number * 5 % 7)
    worker.disconnect()
    before = pending(master).trials
    assert before == served(master)
    assert pending(master).trials == 0


def test_promotions_that_wait_are_pending_when_all_trials_are_made_so_that_nobody_scales_to_nothing() -> None:
    master = Master()
    master.submit(make_spec(resources={"slots_per_trial": 2}))
    worker = master.worker(slots=18)
    for number, assignment in enumerate([worker.work() for _ in range(9)]):
        worker.report(assignment, 1, number)
        worker.exit(assignment)
    worker.disconnect()
    assert pending(master) == PendingWork(3, 6, None)


def test_what_is_given_back_is_pending_again_and_what_is_paused_is_not() -> None:
    master = Master()
    master.submit(make_spec({"max_concurrent_trials": 1}))
    worker = master.worker()
    lease = worker.work()
    assert pending(master).trials == 0
    worker.exit(lease, ExitOutcome.GIVEN_BACK)
    assert pending(master).trials == 1
    master.do(lambda core: core.pause(1))
    assert pending(master).trials == 0


def test_a_sampler_that_is_out_of_order_is_told_and_its_trials_are_pending() -> None:
    master = Master()
    master.submit(make_spec(sampler="bohb"))
    assert pending(master) == PendingWork(9, 9, broken_sampler=False)
    assert master.worker().ask() is None
    master.do(lambda core: core.sampling.tell_problem(1, "the sampler is broken: it exited with 1"))
    assert pending(master) == PendingWork(9, 9, broken_sampler=True)
