"""Searches over real processes whose hyperparameters come from the samplers of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml
from e2e.cluster import Cluster, toy_spec

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.wire.model import ExperimentState

MakeCluster = Callable[..., Cluster]
SAMPLERS = ("quasi_random", "bohb", "cqr")


def test_the_samplers_of_our_own_give_trials_their_hyperparameters(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """One after the other on one master: what takes long is the start of a program that imports much."""
    cluster = make_cluster(None)
    cluster.master()
    cluster.worker("one", slots=2)
    hparams = {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.0}
    search = {"name": "asha", "max_trials": 14, "max_resource": 3, "divisor": 3}
    with Client(cluster.address, timeout=60) as client:
        for sampler in SAMPLERS:
            given = sampler if sampler == "quasi_random" else {"name": sampler, "patience": 60}
            spec = toy_spec(tmp_path / "checkpoints", hyperparameters=hparams, searcher=search, sampler=given)
            number = client.submit(yaml.safe_load(spec)).experiment_id
            ended = client.wait(number)
            assert ended.state is ExperimentState.COMPLETED, ended.state_reason
            assert not ended.sampler_problem
            trials = [client.trial(number, each.trial_id).trial for each in client.trials(number)]
            assert {trial.origin for trial in trials} == {sampler}
            assert len({trial.hparams["quality"] for trial in trials}) == len(trials) == 14
    cluster.close()
    assert check_database(cluster.database).violations == []
