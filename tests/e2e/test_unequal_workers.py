"""Workers that lack what an experiment needs are left out of it, and train everything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.wire.model import ExperimentState, WorkerState

LOCAL = """
def train(trial):
    for step in trial.steps():
        trial.report(error=trial.hparams["quality"])
"""


def test_a_worker_without_the_code_of_one_experiment_trains_the_other_one(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster()
    cluster.master()
    for name in ("bare", "equipped"):
        (tmp_path / name).mkdir()
        directory = str(tmp_path / name)
        cluster.start(name, "worker", "--master", cluster.address, "--name", name, "--directory", directory)
    (tmp_path / "equipped" / "found_here.py").write_text(LOCAL)
    with Client(cluster.address) as client:
        wait_for("both workers", lambda: len(client.workers()) == 2)
        local = client.submit(toy_spec(tmp_path / "local", name="local", entrypoint="found_here:train")).experiment_id
        wait_for(
            "the bare worker to try",
            lambda: {w.worker: w for w in client.workers()}["bare"].waiting_reason.count("found"),
        )
        other = client.submit(toy_spec(tmp_path / "other", name="other")).experiment_id
        assert {client.wait(each).state for each in (local, other)} == {ExperimentState.COMPLETED}
        assert {worker.state for worker in client.workers()} == {WorkerState.CONNECTED}
        for number in (local, other):
            trials = list(client.trials(number))
            leases = [lease for trial in trials for lease in client.trial(number, trial.trial_id).leases]
            outcomes = {(lease.worker, lease.outcome) for lease in leases}
            assert {trial.restarts + trial.workers_lost for trial in trials} == {0}
            if number == local:
                assert outcomes == {("bare", "cannot_start"), ("equipped", "released")}
            else:
                assert ("bare", "released") in outcomes
