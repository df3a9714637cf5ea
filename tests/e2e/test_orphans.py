"""What a worker leaves in the store that dies while it saves, and how it is found and deleted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.wire.model import ExperimentState

MakeCluster = Callable[..., Cluster]
SEARCH = {"name": "asha", "max_trials": 1, "max_resource": 10_000}


def sweep(cluster: Cluster, *arguments: str) -> str:
    """What `rungmaster db sweep` prints."""
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "db", "sweep", "--db", cluster.database]
    return subprocess.run(
        [*command, *arguments], cwd=cluster.folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def killed_while_it_saves(cluster: Cluster, storage: Path) -> Path:
    """Kills workers with kill -9 as soon as they have begun a checkpoint, until one leaves a partial one behind."""
    for number in range(20):
        worker = cluster.worker(f"worker-{number}")
        _kill_in_the_middle(worker, storage)
        left = list(storage.glob("*/1/0/.*.partial"))
        if left:
            return left[0]
    raise AssertionError("no worker was killed in the middle of a checkpoint")


def _kill_in_the_middle(worker: Process, storage: Path) -> None:
    deadline = time.monotonic() + 40
    while not any(storage.glob("*/1/0/.*.partial/part-1")):
        assert time.monotonic() < deadline, f"{worker.name} saved nothing"
    worker.kill()


@pytest.mark.timeout(180)
def test_what_a_worker_killed_while_it_saved_left_is_swept_once_its_lease_is_over(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster(lease_ttl_s=600.0)
    storage = tmp_path / "checkpoints"
    master = cluster.master()
    with Client(cluster.address, timeout=60) as client:
        client.submit(toy_spec(storage, entrypoint="heavy:train", hyperparameters={"x": 1}, searcher=SEARCH))
        partial = killed_while_it_saves(cluster, storage)
        (storage / partial.parents[2].name / "notes.txt").write_text("not ours")
        assert "0 checkpoints" in sweep(cluster, "--older-than", "0"), "its lease is held: it might come back"
        client.cancel(1)
        assert client.get(1).state is ExperimentState.CANCELLED
        wait_for("the end of its leases", lambda: not check_database(cluster.database).violations)
    master.kill()
    assert "0 checkpoints" in sweep(cluster), "it is younger than a day"
    told = sweep(cluster, "--older-than", "0", "--dry-run")
    assert str(partial) in told
    assert partial.exists()
    assert str(partial) in sweep(cluster, "--older-than", "0")
    assert not partial.exists()
    assert not list(storage.glob("*/*/*/.*.partial"))
    assert (partial.parents[2] / "notes.txt").exists()
