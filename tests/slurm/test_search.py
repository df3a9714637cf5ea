"""Searches on a real Slurm of one node: workers are preempted and queued again, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import wait_for
from slurm.private_slurm import PrivateSlurm
from slurm.search import SlurmSearch

from rungmaster.shared.wire.model import ExperimentState

#: What a busy machine may take between a worker's first connection and its first trial.
IDLE_S = "20"
#: Seconds for what takes Slurm a few looks at its queue, on a busy machine.
PATIENCE_S = 110.0


@pytest.fixture
def make_search(slurm: PrivateSlurm, tmp_path: Path) -> Callable[..., SlurmSearch]:
    def make(max_trials: int, seconds_per_epoch: float) -> SlurmSearch:
        searcher: dict[str, Any] = {"name": "adaptive_asha", "max_trials": max_trials, "max_resource": 9, "divisor": 3}
        quality = {"type": "float", "low": 0.0, "high": 1.0}
        parameters = {"quality": quality, "seconds_per_epoch": seconds_per_epoch}
        return SlurmSearch(slurm, tmp_path, searcher=searcher, hyperparameters=parameters)

    return make


def completed(search: SlurmSearch) -> bool:
    experiment = search.experiment()
    return experiment is not None and experiment.state is ExperimentState.COMPLETED


def check_nothing_was_lost(search: SlurmSearch) -> None:
    assert search.rungmaster("db", "check", "--db", str(search.database)).returncode == 0
    assert all(trial.restarts == trial.workers_lost == 0 for trial in search.trials()), search.output()
    trained = search.epochs()
    assert len(trained) == len(set(trained)), "a worker that was told to go has saved, so no epoch is trained twice"


@pytest.mark.storm
@pytest.mark.timeout(300)
def test_a_search_goes_on_when_a_worker_is_preempted_and_comes_back(make_search: Callable[..., SlurmSearch]) -> None:
    search = make_search(max_trials=100, seconds_per_epoch=0.3)
    options = ("--workers", "2", "--gpus-per-worker", "1", "--exit-when-idle", IDLE_S, "--for-master=--partition=high")
    began = time.monotonic()
    master, workers = search.up(*options)
    wait_for("both workers train", lambda: len(search.epochs()) > 10, PATIENCE_S)
    # Another job wants one of the two GPUs, and comes before ours.
    search.slurm.command("sbatch", "--partition=high", "--gres=gpu:1", "--output=/dev/null", "--wrap", "sleep 3")
    parts = [f"{workers}_{number}" for number in (1, 2)]
    (preempted,) = wait_for(
        "a worker that was preempted", lambda: [part for part in parts if search.restarts(part)], PATIENCE_S
    )
    wait_for("it runs again", lambda: search.states(workers).get(preempted) == "RUNNING", PATIENCE_S)
    back_at = len(search.epochs())
    wait_for("the end of the search", lambda: completed(search), PATIENCE_S)
    took_s = time.monotonic() - began
    assert len(search.epochs()) > back_at
    wait_for("the end of all jobs", lambda: not search.states(master) and not search.states(workers), PATIENCE_S)
    check_nothing_was_lost(search)
    assert len(search.trials()) == 100
    output = search.output()
    assert output.count("draining: saving and giving back 1 trials") == 1, output
    assert "100 of 100 trials" in output
    assert search.restarts(master) == 0
    spent = sum(trial.resource for trial in search.trials())
    print(f"100 trials, {spent} epochs reported, {len(search.epochs())} trained, {took_s:.0f} s after `slurm up`")


@pytest.mark.storm
@pytest.mark.timeout(300)
def test_a_search_that_was_taken_down_goes_on_when_it_is_put_up_again(make_search: Callable[..., SlurmSearch]) -> None:
    search = make_search(max_trials=12, seconds_per_epoch=0.3)
    options = ("--workers", "2", "--exit-when-idle", IDLE_S)
    master, workers = search.up(*options)
    wait_for("both workers train", lambda: len(search.epochs()) > 5, PATIENCE_S)
    again = search.rungmaster("slurm", "up", "spec.yaml", *options)
    assert again.returncode == 1
    assert f"are there already ({workers}, {master})" in again.stderr
    down = search.rungmaster("slurm", "down")
    assert (down.returncode, down.stdout) == (0, f"ended: {workers}, {master}\n"), down.stderr
    assert not completed(search)
    wait_for("their end", lambda: not search.states(master) and not search.states(workers), PATIENCE_S)
    search.up(*options)
    wait_for("the end of the search", lambda: completed(search), PATIENCE_S)
    check_nothing_was_lost(search)


@pytest.mark.storm
@pytest.mark.timeout(300)
def test_workers_train_on_and_find_a_master_that_was_queued_again(make_search: Callable[..., SlurmSearch]) -> None:
    search = make_search(max_trials=40, seconds_per_epoch=0.3)
    master, _ = search.up("--workers", "2", "--exit-when-idle", IDLE_S)
    wait_for("both workers train", lambda: len(search.epochs()) > 10, PATIENCE_S)
    address = (search.shared / "master.address").read_text()
    search.slurm.command("scontrol", "requeue", master)
    wait_for("the end of the search", lambda: completed(search), PATIENCE_S)
    assert search.restarts(master) == 1
    assert address not in (search.shared / "master.address").read_text()
    check_nothing_was_lost(search)


@pytest.mark.storm
@pytest.mark.timeout(300)
def test_a_worker_at_its_time_limit_saves_and_comes_back(make_search: Callable[..., SlurmSearch]) -> None:
    search = make_search(max_trials=150, seconds_per_epoch=1.0)
    # Slurm looks every half minute, and warns a minute before the limit.
    _, workers = search.up("--workers", "1", "--time=2", "--for-master=--time=30")
    part = f"{workers}_1"
    wait_for("its time limit", lambda: search.restarts(part), PATIENCE_S)
    assert "draining: saving and giving back 1 trials" in search.output()
    wait_for("it runs again", lambda: search.states(workers).get(part) == "RUNNING", PATIENCE_S)
    back_at = len(search.epochs())
    wait_for("it trains again", lambda: len(search.epochs()) > back_at, PATIENCE_S)
    assert search.rungmaster("slurm", "down").returncode == 0
    check_nothing_was_lost(search)


def test_what_slurm_refuses_is_told_in_its_words_and_leaves_no_job(make_search: Callable[..., SlurmSearch]) -> None:
    search = make_search(max_trials=4, seconds_per_epoch=0.0)
    for options in (["--partition=nowhere"], ["--gpus-per-worker", "64", "--for-master=--partition=high"]):
        refused = search.rungmaster("slurm", "up", "spec.yaml", "--workers", "2", *options)
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: sbatch refused: sbatch: error: ")
        wait_for("no job", lambda: not search.slurm.command("squeue", "--noheader").strip(), PATIENCE_S)
    down = search.rungmaster("slurm", "down")
    assert down.returncode == 1
    assert "has no jobs of `rungmaster slurm up`" in down.stderr
