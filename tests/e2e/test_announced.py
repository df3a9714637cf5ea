"""Workers and clients find a master by the file in which it tells its address, also when it has moved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.wire.model import ExperimentState


def announcing(cluster: Cluster, file: Path) -> Process:
    """Starts a master at a port of its own choice, and waits until it serves."""
    process = cluster.start(
        "master", "master", "--listen", "127.0.0.1:0", "--announce", str(file), "--db", cluster.database
    )
    process.wait_for_line("ready on")
    return process


def test_a_master_that_comes_back_elsewhere_is_found_by_those_that_know_its_file(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(None)
    file = tmp_path / "master.address"
    worker = cluster.start("worker", "worker", "--master", f"file:{file}")
    worker.wait_for_line("no master has told its address")
    first = announcing(cluster, file)
    earlier = file.read_text()
    with Client(f"file:{file}") as client:
        spec = toy_spec(tmp_path / "checkpoints", hyperparameters={"quality": 0.5, "seconds_per_epoch": 0.05})
        number = client.submit(spec).experiment_id
        wait_for("a trial", lambda: any(trial.resource for trial in client.trials(number)))
        first.kill()
        announcing(cluster, file)
        assert file.read_text() != earlier
        assert client.wait(number).state is ExperimentState.COMPLETED
        assert all(trial.workers_lost == 0 for trial in client.trials(number))
    assert worker.terminate() == 0
