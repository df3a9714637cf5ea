"""PBT through a master: who takes after whom, from which checkpoint, and with which hyperparameters.

The harness compares the master with one that is restored from the rows after each of its commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.master_harness import LEASE_TTL, Master, Worker, make_spec
from unit.test_lineage import BesideLedger

from rungmaster.master.dispatcher.setup import set_up
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.space.variation import explored
from rungmaster.shared.spec.spec import Spec, spec_from_json, spec_to_json
from rungmaster.shared.wire.model import ExperimentState, TrialState
from rungmaster.shared.wire.session import Assignment, DecisionKind, ExitOutcome

SPACE: dict[str, Any] = {
    "rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 0.99, "when": {"solver": "sgd"}},
    "batch_size": 64,
}


def pbt(**fields: Any) -> Spec:
    searcher = {"name": "pbt", "population": 4, "interval": 10, "max_resource": 30, **fields.pop("searcher", {})}
    changed = {"searcher": searcher, "hyperparameters": SPACE, "seed": 7, **fields}
    return spec_from_json(spec_to_json(make_spec()) | changed)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "pbt.db"


@pytest.fixture
def master(database: Path) -> Master:
    return Master(BesideLedger(database))


def trained(worker: Worker, assignment: Assignment, error: float) -> DecisionKind:
    """Takes an assignment as far as it may go, saving as it is told."""
    resource = assignment.target
    while True:
        decision = worker.report(assignment, resource, error)
        assert decision is not None
        if decision.save_checkpoint:
            worker.save(assignment, resource)
        if decision.kind is not DecisionKind.CONTINUE:
            worker.exit(assignment)
            return decision.kind
        resource = decision.target


def error_of(assignment: Assignment) -> float:
    """Some trials are better than others, and each becomes better with training."""
    return assignment.lease.trial_id * 7 % 5 + 1 / assignment.target


@pytest.mark.parametrize("keep", ["promotable", "best", "all"])
def test_a_whole_search_on_one_worker_is_in_the_database_and_its_journal_is_replayed(
    master: Master, database: Path, keep: str
) -> None:
    master.submit(pbt(checkpoints={"keep": keep}))
    worker = master.worker()
    while master.experiment().state == ExperimentState.ACTIVE:
        assignment = worker.work()
        trial = master.trial(assignment.lease.trial_id)
        if trial.parent is not None and trial.token == 1:
            assert assignment.hparams == {"trial": trial.trial_id, "after": trial.parent}
            assert assignment.checkpoints[0].resource == trial.start_resource
            assert assignment.checkpoints[0].uri.split("/")[-2] == str(trial.parent)
        trained(worker, assignment, error_of(assignment))
    states = [row.state for row in master.store.rows.trials.values()]
    assert states.count(TrialState.COMPLETED) == 4
    assert any(row.parent is not None for row in master.store.rows.trials.values())
    assert check_database(str(database)).violations == []


def test_hyperparameters_are_explored_by_the_experiments_seed_and_the_searchers_resample() -> None:
    spec = pbt(searcher={"resample": 0.5})
    parent = {"rate": 0.01, "solver": "sgd", "momentum": 0.5, "batch_size": 64}
    explore = set_up(spec).explore
    found = [explore(trial, parent) for trial in range(20)]
    assert found == [explored(spec.hyperparameters, (), parent, 7, trial, 0.5) for trial in range(20)]
    assert len({hparams["rate"] for hparams in found}) > 2


def begun(master: Master, spec: Spec) -> tuple[list[Worker], list[Assignment]]:
    """Four workers, with a member each."""
    master.submit(spec)
    workers = [master.worker(f"w{number}") for number in range(4)]
    return workers, [worker.work() for worker in workers]


def test_each_interval_is_saved_and_the_worst_is_replaced_from_there(master: Master, database: Path) -> None:
    workers, assignments = begun(master, pbt())
    for worker, assignment, error in zip(workers[:3], assignments[:3], (0.1, 0.2, 0.3), strict=True):
        decision = worker.report(assignment, 10, error)
        assert decision is not None
        assert (decision.kind, decision.target, decision.save_checkpoint) == (DecisionKind.CONTINUE, 20, True)
        worker.save(assignment, 10)
    assert trained(workers[3], assignments[3], 0.4) is DecisionKind.STOP
    child = workers[3].work()
    row = master.trial(child.lease.trial_id)
    assert (row.trial_id, row.parent, row.start_resource, child.target) == (4, 0, 10, 20)
    assert check_database(str(database)).violations == []
    master.restart()
    workers[3].connect(child.lease)
    assert trained(workers[3], child, 0.05) is DecisionKind.STOP, "it came to the end"
    assert master.trial(4).state == TrialState.COMPLETED
    assert check_database(str(database)).violations == []


def test_the_place_of_one_that_failed_is_taken_from_the_checkpoint_of_the_best(master: Master, database: Path) -> None:
    workers, assignments = begun(master, pbt(max_restarts=0))
    workers[0].report(assignments[0], 10, 0.1)
    workers[0].save(assignments[0], 10)
    workers[1].exit(assignments[1], ExitOutcome.FAILED, "boom")
    child = workers[1].work()
    assert (child.lease.trial_id, master.trial(4).parent) == (4, 0)
    workers[1].exit(child, ExitOutcome.INVALID_HPARAMS, "no such thing")
    assert master.trial(4).state == TrialState.DISCARDED
    again = workers[1].work()
    assert (again.lease.trial_id, master.trial(5).parent) == (5, 0)
    assert check_database(str(database)).violations == []


def test_a_worker_that_dies_takes_nobodys_place(master: Master, database: Path) -> None:
    workers, assignments = begun(master, pbt())
    for worker, assignment, error in zip(workers[:3], assignments[:3], (0.1, 0.2, 0.3), strict=True):
        worker.report(assignment, 10, error)
        worker.save(assignment, 10)
    master.advance(LEASE_TTL + 2, alive=workers[:3])
    fresh = master.worker("fresh")
    assert fresh.work().lease.trial_id == 3
    assert check_database(str(database)).violations == []
