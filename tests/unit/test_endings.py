"""A large experiment ends at once, and its trials follow a portion at a time, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.dispatcher.core import Core
from rungmaster.master.dispatcher.upkeep.cleanup import take_turn
from rungmaster.master.experiment.changes import ROWS_AT_ONCE, Changes
from rungmaster.shared.errors import FailedPrecondition
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Measurement, SessionRequest

from .master_harness import LEASE_TTL, Master, Worker, make_spec

TRIALS = 12
ASHA = {"name": "asha", "max_trials": 40, "max_resource": 9, "divisor": 3}


def in_training(portion: int, running: int = 2) -> tuple[Master, Worker]:
    """A search of which some trials are paused or done, and some are being trained by one worker."""
    master = Master(portion=portion)
    master.submit(make_spec(ASHA))
    worker = master.worker(slots=running)
    for number in range(TRIALS):
        worker.train(float(number))
    for _ in range(running):
        worker.work()
    return master, worker


def live(master: Master, experiment_id: int = 1) -> int:
    """Trials that have not ended, by the rows; held against the counts by the oracle after every batch."""
    rows = master.store.rows.trials.items()
    return sum(not TrialState(row.state).ended for key, row in rows if key[0] == experiment_id)


def held(master: Master) -> int:
    return sum(lease.end_time is None for lease in master.store.rows.leases.values())


def go_on(master: Master) -> bool:
    return master.do(take_turn)


def finish(master: Master, portion: int) -> None:
    """The endings go on to their end, by other portions from now on."""
    master.portion = portion
    master.restart()
    while go_on(master):
        pass


def test_it_is_cancelled_at_once_for_all_to_see_and_its_trials_follow_in_portions() -> None:
    master, worker = in_training(portion=4)
    left = [live(master)]
    master.do(lambda core: core.cancel(1))
    assert master.experiment().state == ExperimentState.CANCELLED
    assert len(worker.received().lost_leases) == 2
    left.append(live(master))
    while go_on(master):
        left.append(live(master))
    assert all(0 <= earlier - later <= 4 for earlier, later in pairwise(left))
    assert len(left) > 3
    assert left[-1] == held(master) == 0
    assert master.store.rows.endings == set()


def test_a_small_one_is_done_with_in_the_same_batch() -> None:
    master, _ = in_training(portion=1000)
    master.do(lambda core: core.cancel(1))
    assert live(master) == held(master) == 0
    assert master.store.rows.endings == set()
    assert not go_on(master)


def test_a_search_that_came_to_its_end_keeps_what_it_should_and_drops_the_rest_in_portions() -> None:
    master = Master(portion=1)
    master.submit(make_spec({**ASHA, "max_trials": 9}, checkpoints={"keep": "best"}))
    worker = master.worker()
    while master.experiment().state == ExperimentState.ACTIVE:
        worker.train(float)
        worker.request(0)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert live(master) > 0
    while go_on(master):
        pass
    assert {state for state, count in master.experiment().counts.items() if count} == {"completed", "stopped"}
    assert {row.trial_id for row in master.store.rows.checkpoints.values() if row.delete_time is None} == {0}


@pytest.mark.parametrize("turns", range(8))
def test_a_master_that_is_killed_in_the_middle_goes_on_where_it_stood(turns: int) -> None:
    master, worker = in_training(portion=3)
    master.do(lambda core: core.cancel(1))
    for _ in range(turns):
        go_on(master)
    left = live(master)
    master.restart()
    assert live(master) == left
    worker.connect()
    while go_on(master):
        pass
    assert live(master) == held(master) == 0


def test_nothing_of_it_is_handed_out_or_taken_in_any_more() -> None:
    master, _ = in_training(portion=0)
    worker = master.worker("other")
    running = worker.work()
    master.do(lambda core: core.cancel(1))
    assert held(master) == 3
    assert [lost.lease for lost in worker.received().lost_leases] == [running.lease]
    answer = worker.tell(running, Measurement(3, {"error": 0.0}))
    assert [lost.reason for lost in answer.lost_leases] == ["the experiment has ended"]
    assert worker.ask() is None
    assert [lost.lease for lost in worker.connect(running.lease).lost_leases] == [running.lease]
    assert held(master) == 3


def test_what_arrives_in_the_batch_of_its_end_is_not_taken_in_either() -> None:
    master, worker = in_training(portion=0)
    running = next(iter(master.core.sessions[worker.session_id].leases))
    reports = len(master.store.rows.reports)

    def cancel_and_report(core: Core) -> None:
        core.cancel(1)
        event = worker.event(running, Measurement(3, {"error": 0.0}))
        core.receive(worker.session_id, worker.line, SessionRequest(events=(event,)), master.now)

    master.do(cancel_and_report)
    assert len(master.store.rows.reports) == reports
    assert running in [lost.lease for lost in worker.received().lost_leases]


def test_its_workers_are_given_other_work_at_once() -> None:
    master, worker = in_training(portion=0)
    master.do(lambda core: core.cancel(1))
    master.submit(make_spec(ASHA))
    assert worker.work().lease.experiment_id == 2
    assert held(master) == 3


def test_a_worker_that_is_lost_meanwhile_changes_nothing() -> None:
    master, _ = in_training(portion=0)
    master.do(lambda core: core.cancel(1))
    master.advance(2 * LEASE_TTL)
    assert held(master) == 2
    finish(master, portion=5)
    assert live(master) == held(master) == 0


def test_it_can_be_thinned_and_deleted_and_not_steered() -> None:
    master, _ = in_training(portion=0)
    master.do(lambda core: core.cancel(1))
    for command in (Core.pause, Core.resume, Core.cancel):
        with pytest.raises(FailedPrecondition, match="has ended"):
            master.do(lambda core, command=command: command(core, 1))
    master.do(lambda core: core.thin(1, 0, "a test"))
    master.oracle.forget_experiment(1)
    master.do(lambda core: core.delete(1))
    assert not go_on(master)
    master.restart()
    assert not go_on(master)


def test_several_take_turns() -> None:
    master = Master(portion=0)
    for number in (1, 2):
        master.submit(make_spec(ASHA))
        for name in "abcd":
            master.worker(f"{name}{number}").work()
        master.do(lambda core, number=number: core.cancel(number))
    master.portion = 3
    master.restart()
    turns = []
    while live(master, 1) + live(master, 2):
        before = live(master, 1)
        go_on(master)
        turns.append(1 if live(master, 1) < before else 2)
    assert turns == [1, 2] * 4


COMMANDS = ("cancel", "ask", "turn", "restart", "look")


@settings(max_examples=50)
@given(st.lists(st.sampled_from(COMMANDS), max_size=12), st.integers(1, 7))
def test_no_batch_ends_more_than_a_portion(commands: list[str], portion: int) -> None:
    master, worker = in_training(portion=portion, running=1)
    ended: list[int] = []
    commit = master.store.commit

    def measured(changes: Changes) -> None:
        ended.append(sum(row.state == TrialState.CANCELLED for row in changes.trials.values()))
        commit(changes)

    master.store.commit = measured
    steps: dict[str, Callable[[], object]] = {
        "cancel": lambda: master.do(lambda core: core.cancel(1) if 1 in core.experiments else None),
        "ask": worker.ask,
        "turn": lambda: go_on(master),
        "restart": lambda: (master.restart(), worker.connect()),
        "look": lambda: master.do(lambda core: core.look(master.now)),
    }
    for command in commands:
        steps[command]()
    assert max(ended, default=0) <= portion


def test_a_batch_that_is_full_leaves_an_ending_for_later() -> None:
    master, _ = in_training(portion=1000)

    def delete_and_cancel(core: Core) -> None:
        core.give_up(f"gone/{number}" for number in range(ROWS_AT_ONCE))
        core.cancel(1)

    master.do(delete_and_cancel)
    assert master.experiment().state == ExperimentState.CANCELLED
    assert held(master) == 2
    assert master.store.rows.endings == {1}
    while go_on(master):
        pass
    assert live(master) == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_a_request_that_one_of_its_leases_answered_can_be_answered_by_another_experiment(restarted: bool) -> None:
    """The answer was lost with the stream; the ledger takes one held lease for a request."""
    master, worker = in_training(portion=1)
    request = [row.request_id for row in master.store.rows.leases.values() if row.end_time is None][-1]
    master.do(lambda core: core.cancel(1))
    assert held(master) > 0
    master.submit(make_spec())
    if restarted:
        master.restart()
    worker.connect()
    (assignment,) = worker.request(request_id=request).assignments
    assert assignment.lease.experiment_id == 2
    holding = [
        key[0] for key, row in master.store.rows.leases.items() if row.request_id == request and not row.end_time
    ]
    assert holding == [2]
    finish(master, 3)
    assert (live(master), held(master)) == (0, 1)
