"""Searches with barriers through the whole master: what waits at one when a worker or the master is killed, and what
their journals prove. The harness compares the search with one restored from the rows after each of its commands."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from unit.beside_ledger import BesideLedger
from unit.master_harness import LEASE_TTL, Master, make_spec

from rungmaster.master.dispatcher.upkeep.cleanup import take_turn
from rungmaster.master.maintenance.check import check_database
from rungmaster.master.search.synchronous import searcher
from rungmaster.master.search.synchronous.rung import BarrierRung
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Assignment, DecisionKind, ExitOutcome


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "barrier.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


@pytest.fixture
def violations(database: Path) -> Callable[[], list[str]]:
    return lambda: check_database(str(database)).violations


def sha(max_trials: int, **fields: Any) -> Any:
    """Rungs at 1, 3 and 9 for nine trials or more; at 3 and 9 for three."""
    return make_spec({"name": "sha", "max_trials": max_trials}, **fields)


def hyperband(iterations: int = 1) -> Any:
    """Nine trials from 1, five from 3, three from 9."""
    return make_spec({"name": "hyperband", "iterations": iterations})


def states(master: Master, number: int) -> list[str]:
    return [master.trial(trial).state for trial in range(number)]


@pytest.mark.parametrize(("spec", "number"), [(sha(9), 9), (hyperband(2), 34)], ids=["sha", "hyperband"])
def test_a_search_ends_with_its_best_trained_in_full(
    spec: Any, number: int, master: Master, violations: Callable[[], list[str]]
) -> None:
    master.submit(spec)
    workers = [master.worker("one"), master.worker("two")]
    while master.experiment().state == ExperimentState.ACTIVE:
        for worker in workers:
            assignment = worker.ask()
            if assignment is not None:
                trained(worker, assignment)
    assert {*states(master, number)} == {TrialState.STOPPED, TrialState.COMPLETED}
    assert master.trial(0).state == TrialState.COMPLETED, "the first is the best"
    assert violations() == []


def trained(worker: Any, assignment: Assignment) -> None:
    """Takes an assignment as far as it may go; trials are the better, the lower their number."""
    trial, resource = assignment.lease.trial_id, assignment.target
    decision = worker.report(assignment, resource, trial / 100)
    while decision is not None and decision.kind is DecisionKind.CONTINUE:
        resource = decision.target
        decision = worker.report(assignment, resource, trial / 100)
    if decision is not None and decision.save_checkpoint:
        worker.save(assignment, resource)
    worker.exit(assignment)


def test_a_worker_that_is_killed_before_a_barrier_leaves_its_trial_to_another(
    master: Master, violations: Callable[[], list[str]]
) -> None:
    master.submit(sha(3))
    doomed, other = master.worker("doomed"), master.worker("other")
    doomed.work()
    for error in (0.2, 0.3):
        other.train(error)
    assert other.ask() is None, "the barrier is closed"
    master.advance(LEASE_TTL + 1, alive=[other])
    assert states(master, 3) == [TrialState.RUNNING, TrialState.PAUSED, TrialState.PAUSED]
    (assignment,) = other.received().assignments
    assert assignment.lease.trial_id == 0
    decision = other.report(assignment, 3, 0.1)
    assert decision is not None
    assert (decision.kind, decision.target) == (DecisionKind.CONTINUE, 9)
    assert states(master, 3) == [TrialState.RUNNING, TrialState.STOPPED, TrialState.STOPPED]
    assert violations() == []


@pytest.mark.parametrize("last", [0.1, 0.4], ids=["the last is the best", "the last has lost"])
def test_a_master_that_is_killed_at_a_barrier_goes_on_where_it_stood(
    last: float, master: Master, violations: Callable[[], list[str]]
) -> None:
    master.submit(sha(3))
    worker = master.worker()
    for error in (0.3, 0.2):
        worker.train(error)
        master.restart()
        worker.connect()
    assignment = worker.work()
    master.restart()
    worker.connect(assignment.lease)
    decision = worker.report(assignment, 3, last)
    master.restart()
    (again,) = worker.connect(assignment.lease).decisions
    assert decision is not None
    assert (again.kind, again.target) == (decision.kind, decision.target)
    if decision.kind is DecisionKind.CONTINUE:
        worker.report(assignment, 9, last)
    worker.exit(assignment)
    if last > 0.2:
        winner = worker.work()
        assert (winner.lease.trial_id, winner.target) == (1, 9)
        assert [reference.resource for reference in winner.checkpoints] == [3]
        worker.report(winner, 9, 0.2)
        worker.exit(winner)
    assert master.experiment().state == ExperimentState.COMPLETED
    assert violations() == []


def test_a_failure_opens_a_barrier(master: Master, violations: Callable[[], list[str]]) -> None:
    master.submit(sha(3, max_restarts=0))
    worker = master.worker()
    worker.train(0.2)
    worker.train(0.1)
    worker.exit(worker.work(), ExitOutcome.FAILED, "boom")
    assert states(master, 3) == [TrialState.STOPPED, TrialState.PAUSED, TrialState.FAILED]
    assert master.trial(0).state_reason == "rank 2 of 3 at rung 0, the best goes on"
    assert worker.work().lease.trial_id == 1
    assert violations() == []


def test_trials_with_invalid_hyperparameters_are_replaced(master: Master, violations: Callable[[], list[str]]) -> None:
    master.submit(sha(3))
    worker = master.worker()
    worker.exit(worker.work(), ExitOutcome.INVALID_HPARAMS, "too wide")
    for error in (0.1, 0.2, 0.3):
        worker.train(error)
    assert states(master, 4) == [TrialState.DISCARDED, TrialState.PAUSED, TrialState.STOPPED, TrialState.STOPPED]
    assert violations() == []


def test_what_a_person_pauses_at_a_barrier_goes_on_when_it_is_resumed(
    master: Master, violations: Callable[[], list[str]]
) -> None:
    number = master.submit(sha(3))
    worker = master.worker()
    for error in (0.1, 0.2, 0.3):
        worker.train(error)
    master.do(lambda core: core.pause(number))
    assert worker.ask() is None
    assert states(master, 3) == [TrialState.PAUSED, TrialState.STOPPED, TrialState.STOPPED]
    master.do(lambda core: core.resume(number))
    (assignment,) = worker.received().assignments
    assert (assignment.lease.trial_id, assignment.target) == (0, 9)
    assert violations() == []


def test_a_large_rung_is_decided_in_portions_though_nobody_trains(
    master: Master, violations: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only winner is past the last rung already: no event of a trial is left that could bring the rest about."""
    monkeypatch.setattr(searcher, "PORTION", 2)
    master.submit(sha(9, max_restarts=0))
    worker = master.worker()
    reported_at_once(worker, 0.1)
    for _ in range(7):
        worker.train(math.nan)
    worker.exit(worker.work(), ExitOutcome.FAILED, "boom")
    assert worker.ask() is None
    stopped = [states(master, 9).count(TrialState.STOPPED)]
    while master.experiment().state == ExperimentState.ACTIVE:
        assert violations() == []
        assert master.do(take_turn)
        stopped.append(states(master, 9).count(TrialState.STOPPED))
    assert stopped == [2, 6, 7], "in each turn a portion for it, and one for the worker that asks"
    assert states(master, 9)[0] == TrialState.COMPLETED
    assert violations() == []


def reported_at_once(worker: Any, error: float) -> None:
    """Trains the next trial past all rungs before it reports."""
    assignment = worker.work()
    decision = worker.report(assignment, 9, error)
    assert decision.kind is DecisionKind.PAUSE
    worker.exit(assignment)


TAMPERED = {
    "another rank": ("UPDATE events SET data = replace(data, '\"rank\":2', '\"rank\":1') WHERE kind = 'passed'", 2),
    "another decision": ("UPDATE events SET data = replace(data, 'stop', 'pause') WHERE kind = 'passed'", 2),
    "a decision is gone": (
        "DELETE FROM events WHERE event_id = (SELECT max(event_id) FROM events WHERE kind = 'passed')",
        1,
    ),
    "a metric": ("UPDATE events SET data = replace(data, '0.3', '0.01') WHERE kind = 'decision' AND trial_id = 2", 1),
    "a promotion": ("UPDATE rung_results SET promoted = 1 WHERE trial_id = 2", 1),
}


@pytest.mark.parametrize(("change", "rows"), TAMPERED.values(), ids=TAMPERED)
def test_a_journal_that_was_tampered_with_is_found_out(
    change: str, rows: int, master: Master, database: Path, violations: Callable[[], list[str]]
) -> None:
    master.submit(sha(3))
    worker = master.worker()
    for error in (0.1, 0.2, 0.3):
        worker.train(error)
    assert violations() == []
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(change).rowcount == rows
        connection.commit()
    assert violations() != []


def test_a_promotion_before_all_are_in_is_found_whatever_the_searcher_says(
    master: Master, violations: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BarrierRung, "all_in", property(lambda rung: len(rung) >= 2))
    monkeypatch.setattr(BarrierRung, "check", lambda rung: None)
    monkeypatch.setattr(master.oracle, "before_commit", lambda changes: None)
    master.submit(sha(3))
    worker = master.worker()
    worker.train(0.1)
    worker.train(0.2)
    (violation, *_) = [line for line in violations() if "journal entry" in line]
    assert "it is promoted when 2 of 3 trials are in" in violation
