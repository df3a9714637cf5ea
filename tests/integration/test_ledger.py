"""What the ledger promises to the master, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rungmaster.master.experiment.changes import BracketRow, Changes, RungRow
from rungmaster.master.ledger.ledger import Ledger

from .ledger_rows import (
    START,
    created,
    experiment,
    lease,
    result,
    trial,
)


@pytest.fixture
def open_ledger(database_url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens ledgers on one database, one after the other or beside each other."""
    opened: list[Ledger] = []

    def open_one() -> Ledger:
        opened.append(Ledger.open(database_url, holder=f"master-{len(opened)}", timeout=2))
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()


def test_an_empty_database_becomes_an_empty_ledger(ledger: Ledger) -> None:
    recovered = ledger.load()
    assert recovered.last_experiment_id == 0
    assert recovered.request_ids == {}
    assert recovered.experiments == []
    assert recovered.unneeded_checkpoints == []


def test_what_was_committed_is_there_after_a_restart(ledger: Ledger, open_ledger: Callable[[], Ledger]) -> None:
    batch = created()
    ledger.commit(batch)
    [found] = open_ledger().load().experiments
    assert found.row == batch.new_experiments[0]
    assert found.brackets == batch.new_brackets
    assert found.rungs == batch.new_rungs
    assert found.trials == [replace(row, hparams=None) for row in batch.new_trials]
    assert found.results == []
    assert found.leases == []
    assert found.checkpoints == []


def test_changed_rows_have_their_last_state(ledger: Ledger) -> None:
    ledger.commit(created())
    changed_experiment = experiment(state="paused", state_reason="by hand", counts={"running": 2}, resource_spent=9)
    changed_trial = trial(1, state="paused", metric=0.5, metric_resource=3, token=1, rung_id=0, resource=3, restarts=2)
    changed_lease = lease(1, target=9, decision="pause", decision_sequence=4)
    ledger.commit(Changes(new_leases=[lease(1)], new_results=[result(1, 0.5), result(0, None)]))
    ledger.commit(
        Changes(
            experiments={1: changed_experiment},
            brackets={(1, 0): BracketRow(1, 0, 9, None, 7)},
            rungs={(1, 0, 0): RungRow(1, 0, 0, 3, 2, 1, 1, 0.5)},
            trials={(1, 1): replace(changed_trial, hparams=None)},
            leases={(1, 1, 1): changed_lease},
            promoted=[(1, 0, 0, 1)],
        )
    )
    [found] = ledger.load().experiments
    assert found.row == changed_experiment
    assert found.brackets == [BracketRow(1, 0, 9, None, 7)]
    assert found.rungs[0] == RungRow(1, 0, 0, 3, 2, 1, 1, 0.5)
    assert found.trials[1] == replace(changed_trial, hparams=None)
    assert found.leases == [changed_lease]
    assert found.results == [result(0, None), replace(result(1, 0.5), promoted=True)]
    assert ledger.hparams([(1, 1), (1, 99)]) == {(1, 1): trial(1).hparams}


def test_rows_added_and_changed_in_one_batch_are_written_in_their_last_state(ledger: Ledger) -> None:
    batch = created()
    batch.trials = {(1, 0): trial(0, state="running", token=1, hparams=None)}
    batch.experiments = {1: experiment(resource_spent=5)}
    batch.new_leases = [lease(0)]
    batch.leases = {(1, 0, 1): lease(0, target=9)}
    batch.new_results = [result(0, 0.25)]
    batch.promoted = [(1, 0, 0, 0)]
    ledger.commit(batch)
    [found] = ledger.load().experiments
    assert found.row.resource_spent == 5
    assert found.trials[0].state == "running"
    assert found.leases == [lease(0, target=9)]
    assert found.results[0].promoted
    assert ledger.hparams([(1, 0)]) == {(1, 0): trial(0).hparams}


def test_a_trial_may_change_leases_within_a_batch(ledger: Ledger) -> None:
    ledger.commit(created())
    ledger.commit(Changes(new_leases=[lease(0)]))
    ended = lease(0, end_time=START + 1, outcome="expired")
    ledger.commit(Changes(leases={(1, 0, 1): ended}, new_leases=[lease(0, token=2)]))
    [found] = ledger.load().experiments
    assert [held.token for held in found.leases] == [2]
