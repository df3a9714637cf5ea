"""Trials whose hyperparameters a sampler outside of the master suggests: they are there before those, and wait.

The harness compares the master with one that is restored from the rows after each of its commands.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from unit.beside_ledger import BesideLedger
from unit.master_harness import Master, Worker, make_spec

from rungmaster.master.experiment.next_trial import SampledHparams
from rungmaster.master.experiment.suggestions import SamplingNeeds
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import Unavailable
from rungmaster.shared.spec.spec import Spec
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Assignment, DecisionKind


def sampled(searcher: dict[str, Any] | None = None, **fields: Any) -> Spec:
    return make_spec(searcher, sampler="bohb", **fields)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "sampled.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


def needs(master: Master) -> SamplingNeeds:
    (only,) = master.do(lambda core: core.sampling.needs(master.now))
    return only


def draw_at_random(master: Master, trial: int) -> None:
    drawn = SampledHparams({"drawn": trial}, "random: it did not answer", trial=trial)
    master.do(lambda core: core.sampling.suggest(1, [drawn]))


def journal(master: Master, kind: str) -> list[Any]:
    return [dict(event.data) for event in master.store.rows.events if event.kind == kind]


def test_a_new_trial_waits_for_its_hyperparameters_and_is_handed_out_with_them(master: Master) -> None:
    master.submit(sampled())
    worker = master.worker()
    assert worker.ask() is None
    waiting = master.trial(0)
    assert (waiting.state, waiting.state_reason) == (TrialState.PENDING, "waits for its hyperparameters")
    assert (waiting.hparams, waiting.origin, master.awaiting()) == (None, "", [0])
    master.sample()
    (assignment,) = worker.received().assignments
    assert assignment.hparams == {"suggestion": 0}
    assert (master.trial(0).hparams, master.trial(0).origin) == ({"suggestion": 0}, "bohb")
    assert journal(master, "trial_sampled") == [{"origin": "bohb"}]


def test_the_database_has_null_in_place_of_what_a_trial_waits_for(master: Master, database: Path) -> None:
    master.submit(sampled())
    master.worker().ask()
    with closing(Reader(str(database))) as reader:
        (trial,), _ = reader.list_trials(1)
        assert (trial.hparams, trial.origin, trial.state_reason) == ({}, "", "waits for its hyperparameters")
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT hparams FROM trials").fetchall() == [("null",)]
        master.sample()
        assert json.loads(connection.execute("SELECT hparams FROM trials").fetchone()[0]) == {"suggestion": 0}


def test_each_request_for_work_lets_one_trial_wait(master: Master) -> None:
    master.submit(sampled({"max_trials": 50}))
    workers = [master.worker(f"w{n}", slots=4) for n in range(3)]
    for number, worker in enumerate(workers):
        worker.ask()
        assert master.awaiting() == [*range(number + 1)]
    for worker in workers:
        worker.request(request_id=f"{worker.name}-1")
    master.advance(5, alive=workers)
    assert master.awaiting() == [0, 1, 2]


def test_what_comes_is_given_in_order_and_what_is_left_to_the_next_trials(master: Master) -> None:
    master.submit(sampled())
    first, second = master.worker("first"), master.worker("second")
    first.ask()
    master.sample(2)
    assert first.received().assignments[0].hparams == {"suggestion": 0}
    assert needs(master).stocked == ({"suggestion": 1},)
    assert second.work().hparams == {"suggestion": 1}, "it need not wait"
    assert master.trial(1).origin == "bohb"


def test_a_promotion_is_not_held_up_by_trials_that_wait(master: Master) -> None:
    master.submit(sampled())
    busy, idle, other = (master.worker(name) for name in ("busy", "idle", "other"))
    master.sample(3)
    trained = [busy.train(error=float(n)) for n in range(2)]
    assert [decision.kind for decision in trained] == [DecisionKind.PAUSE] * 2
    last = busy.work()
    assert idle.ask() is None
    assert other.ask() is None
    assert master.awaiting() == [3, 4]
    # With a third result the best of the three may go on.
    busy.report(last, last.target, 9.0)
    (promoted,) = idle.received().assignments
    assert (promoted.lease.trial_id, promoted.target) == (0, 3)
    assert master.awaiting() == [3, 4], "and no further trial is made for that"


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_master_that_is_killed_finds_its_trials_waiting_or_with_what_they_got(master: Master, fault: str) -> None:
    master.submit(sampled())
    worker = master.worker()
    worker.ask()
    master.restart()
    assert master.awaiting() == [0]
    master.commit_faults = [fault]
    with pytest.raises(Unavailable):
        master.sample()
    assert master.awaiting() == ([0] if fault == "before" else [])
    worker.connect()
    if fault == "before":
        assert worker.ask() is None
        master.sample()
    given = worker.work() if fault == "after" else worker.received().assignments[0]
    assert given.hparams == {"suggestion": 0 if fault == "after" else 1}


def test_what_is_drawn_for_a_trial_that_waits_no_more_is_dropped(master: Master) -> None:
    master.submit(sampled())
    first, second = master.worker("first"), master.worker("second")
    first.ask()
    second.ask()
    master.sample()
    draw_at_random(master, 0)
    draw_at_random(master, 1)
    assert [master.trial(n).origin for n in (0, 1)] == ["bohb", "random: it did not answer"]
    assert second.received().assignments[0].hparams == {"drawn": 1}
    draw_at_random(master, 7)
    assert not needs(master).stocked


def test_the_trials_that_the_spec_gives_wait_for_nobody(master: Master) -> None:
    master.submit(sampled(hyperparameters={"x": 1}, initial_trials=[{"x": 1}]))
    worker = master.worker(slots=2)
    assert worker.work().hparams == {"trial": 0}
    assert master.trial(0).origin == "initial"
    assert worker.ask(free_slots=1) is None
    assert master.awaiting() == [1]


def test_a_paused_experiment_takes_its_hyperparameters_and_hands_nothing_out(master: Master) -> None:
    master.submit(sampled())
    worker = master.worker()
    worker.ask()
    master.do(lambda core: core.pause(1))
    assert not master.do(lambda core: core.sampling.needs(master.now)), "nothing is asked for it"
    master.sample()
    assert not worker.received().assignments
    master.do(lambda core: core.resume(1))
    assert worker.received().assignments[0].hparams == {"suggestion": 0}


def test_what_comes_after_a_cancellation_changes_nothing(master: Master, database: Path) -> None:
    master.submit(sampled())
    master.worker().ask()
    master.do(lambda core: core.cancel(1))
    master.sample()
    assert (master.trial(0).state, master.trial(0).hparams) == (TrialState.CANCELLED, None)
    assert not check_database(str(database)).violations


def test_a_search_that_ends_early_ends_with_trials_that_wait(master: Master, database: Path) -> None:
    master.submit(sampled(stop={"metric": 0.5}))
    worker, idle = master.worker(), master.worker("idle")
    master.sample()
    assignment = worker.work()
    assert idle.ask() is None
    worker.report(assignment, assignment.target, 0.1)
    worker.exit(assignment)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert (master.trial(1).state, master.trial(1).origin) == (TrialState.STOPPED, "")
    assert not check_database(str(database)).violations


def test_an_extended_search_lets_further_trials_wait(master: Master) -> None:
    master.submit(sampled({"max_trials": 1, "max_resource": 1}))
    workers = [master.worker(f"w{n}") for n in range(3)]
    for worker in workers:
        worker.ask()
    assert master.awaiting() == [0]
    master.extend(3)
    assert master.awaiting() == [0, 1, 2]


def test_a_trial_that_needs_more_slots_waits_and_then_keeps_a_worker_free(master: Master) -> None:
    master.submit(make_spec({"max_rungs": 1}))
    worker = master.worker(slots=2)
    small = worker.work(free_slots=2)
    big = master.submit(sampled(resources={"slots_per_trial": 2}, priority=1))
    assert worker.ask(free_slots=1) is not None, "the smaller one is not held up by hyperparameters that are not there"
    assert master.awaiting(big) == [0]
    master.sample(experiment_id=big)
    worker.report(small, small.target, 1.0)
    worker.exit(small)
    assert worker.ask(free_slots=1) is None, "it is kept for the one that needs two"


def test_slots_go_to_another_experiment_while_trials_of_the_first_wait(master: Master) -> None:
    master.submit(sampled(priority=1))
    other = master.submit(make_spec())
    worker = master.worker(slots=3)
    assert [worker.work(free_slots=3 - n).lease.experiment_id for n in range(2)] == [other, other]
    assert master.awaiting() == [0], "no request beside those that were served waits for it"
    master.sample()
    assert worker.work(free_slots=1).lease.experiment_id == 1


def test_as_many_suggestions_are_wanted_as_slots_are_about_to_be_free(master: Master) -> None:
    master.submit(sampled({"max_trials": 30, "max_resource": 100, "max_rungs": 1}))
    worker, idle = master.worker(), master.worker("idle", slots=8)
    master.sample()
    assignment = worker.work()
    assert needs(master).wanted == 0
    worker.report(assignment, 89, 1.0)
    assert needs(master).wanted == 0
    worker.report(assignment, 90, 1.0)
    assert needs(master).wanted == 1, "the last tenth of its way has begun"
    idle.ask(free_slots=8)
    assert (needs(master).awaiting, needs(master).wanted) == ((1,), 9)


def test_no_more_suggestions_are_wanted_than_trials_can_be_made(master: Master) -> None:
    master.submit(sampled({"max_trials": 3}))
    master.worker(slots=8).ask()
    assert (needs(master).awaiting, needs(master).wanted) == ((0,), 3)


def test_an_outage_of_a_sampler_is_told_once_and_shown_until_it_is_over(master: Master) -> None:
    number = master.submit(sampled())

    def tell(problem: str) -> None:
        master.do(lambda core: core.sampling.tell_problem(number, problem))

    for problem in ("", "crashed", "crashed", "crashed again"):
        tell(problem)
    assert master.experiment().sampler_problem == "crashed again"
    tell("")
    assert master.experiment().sampler_problem == ""
    assert journal(master, "sampler_failed") == [{"reason": "crashed"}]
    assert journal(master, "sampler_recovered") == [{}]


def test_where_nothing_can_be_drawn_for_a_trial_that_waits_the_experiment_fails(master: Master) -> None:
    master.submit(sampled())
    master.worker().ask()
    master.do(lambda core: core.sampling.cannot_sample(1, "nothing is left to draw from"))
    assert master.experiment().state == ExperimentState.FAILED
    assert master.experiment().state_reason == "nothing is left to draw from"


@pytest.mark.parametrize("searcher", ["adaptive_asha", "sha", "pbt", "random"])
def test_a_whole_search_whose_suggestions_come_late_is_replayed(master: Master, database: Path, searcher: str) -> None:
    spec: dict[str, Any] = {"name": searcher}
    if searcher == "pbt":
        spec |= {"population": 4, "interval": 3, "max_resource": 9}
    master.submit(sampled(spec))
    workers = [master.worker(f"w{n}") for n in range(3)]
    for turn in range(1, 500):
        for worker in workers:
            if turn % 10 == 0:
                _train(worker, *worker.connect().assignments)
            _train(worker, *worker.received().assignments, *worker.request().assignments)
        if turn % 3 == 0 and (waiting := master.awaiting()) and turn % 2:
            draw_at_random(master, waiting[0])
        elif turn % 3 == 0:
            master.sample()
        if turn % 10 == 9:
            master.restart()
        if master.experiment().state != ExperimentState.ACTIVE:
            break
    assert master.experiment().state == ExperimentState.COMPLETED
    assert not check_database(str(database)).violations
    assert all(trial.hparams and trial.origin for trial in master.store.rows.trials.values())


def _train(worker: Worker, *assignments: Assignment) -> None:
    for assignment in assignments:
        resource, decision = 0, worker.report(assignment, assignment.target, _error(assignment, assignment.target))
        while decision is not None and decision.kind is DecisionKind.CONTINUE:
            resource = decision.target
            decision = worker.report(assignment, resource, _error(assignment, resource))
        worker.save(assignment, max(resource, assignment.target))
        worker.exit(assignment)


def _error(assignment: Assignment, resource: int) -> float:
    return assignment.lease.trial_id * 7 % 5 + 1 / resource
