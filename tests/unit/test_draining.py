"""A person has a worker leave: whatever breaks, it hears of it, gets no work, and is listed until it has left."""

from __future__ import annotations

import pytest
from unit.master_harness import Master, Worker

from rungmaster.shared.errors import InvalidInput, NotFound, Unavailable
from rungmaster.shared.wire.model import WorkerState
from rungmaster.shared.wire.session import ExitOutcome


@pytest.fixture
def master() -> Master:
    master = Master()
    master.submit()
    return master


def drain(master: Master, name: str = "w") -> WorkerState:
    return master.do(lambda core: core.drain(name, master.now)).state


def listed(master: Master) -> dict[str, WorkerState]:
    return {worker.worker: worker.state for worker in master.core.workers(master.now)}


def test_a_drained_worker_is_told_gets_nothing_more_and_is_gone_when_it_has_left(master: Master) -> None:
    worker = master.worker()
    assignment = worker.work()
    assert drain(master) is WorkerState.DRAINING
    assert worker.received().drain
    assert worker.ask() is None
    worker.exit(assignment, ExitOutcome.RELEASED)
    assert listed(master) == {"w": WorkerState.DRAINING}
    worker.disconnect()
    assert not listed(master)
    assert master.worker("other").ask() is not None


def test_a_worker_that_waits_for_work_and_is_drained_gets_none(master: Master) -> None:
    worker = master.worker()
    master.do(lambda core: core.pause(1))
    assert worker.ask() is None
    drain(master)
    master.do(lambda core: core.resume(1))
    assert not worker.received().assignments


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("holds", [False, True])
def test_a_worker_that_was_away_is_told_when_it_is_back(master: Master, holds: bool, restarts: bool) -> None:
    worker = master.worker()
    held = [worker.work().lease] if holds else []
    worker.disconnect()
    assert drain(master) is WorkerState.DISCONNECTED
    if restarts:
        master.restart()
    assert worker.connect(*held).drain
    assert worker.ask() is None


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_drain_is_in_force_as_soon_as_it_is_stored_and_not_before(master: Master, fault: str) -> None:
    worker = master.worker()
    master.commit_faults.append(fault)
    with pytest.raises(Unavailable):
        drain(master)
    assert worker.connect().drain == (fault == "after")
    drain(master)
    assert listed(master) == {"w": WorkerState.DRAINING}


def test_a_worker_that_is_not_there_is_told_with_those_that_are(master: Master) -> None:
    with pytest.raises(NotFound, match='there is no worker "nobody"; there is none'):
        drain(master, "nobody")
    for name in ("gpu-a", "gpu-b"):
        master.worker(name)
    with pytest.raises(NotFound, match=r'there is no worker "gpu_a"; did you mean "gpu-a"\?'):
        drain(master, "gpu_a")
    with pytest.raises(NotFound, match=r'there is no worker "nobody"; there are gpu-a, gpu-b$'):
        drain(master, "nobody")


def test_of_workers_of_one_name_the_session_says_which_leaves(master: Master) -> None:
    twins = [Worker(master, name, 1, {}) for name in ("one", "two")]
    for twin in twins:
        twin.name = "twin"
        twin.connect()
    with pytest.raises(InvalidInput, match=r'2 workers are called "twin".*session-of-one \(pid 0 on .*session-of-two'):
        drain(master, "twin")
    drain(master, "session-of-two")
    assert [twin.received().drain for twin in twins] == [False, True]
