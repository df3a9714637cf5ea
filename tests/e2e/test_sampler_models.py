"""Searches over real processes whose hyperparameters come from samplers with a model.

Those whose packages are not here are skipped; `make test-samplers` installs them and runs these tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from e2e.cluster import Cluster, toy_spec

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import CannotStart
from rungmaster.shared.sampling.programs import command_of
from rungmaster.shared.wire.model import ExperimentState

MakeCluster = Callable[..., Cluster]
#: By sampler, what its trials' origin says.
OURS = {"quasi_random": "quasi_random", "bohb": "bohb", "cqr": "cqr", "optuna": "optuna TPESampler"}
#: Trials may wait for a model that is compiled on a busy machine.
PATIENCE_S = 300


def test_the_samplers_give_trials_their_hyperparameters(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """One after the other on one master: what takes long is the start of a program that imports much."""
    cluster = make_cluster(None)
    cluster.master()
    cluster.worker("one", slots=2)
    for sampler, origin in OURS.items():
        search(cluster, tmp_path, sampler, origin, trials=14)
    cluster.close()
    assert check_database(cluster.database).violations == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize("sampler", ["hebo", "vizier"])
def test_packages_with_environments_of_their_own_do_so_too(
    sampler: str, make_cluster: MakeCluster, tmp_path: Path
) -> None:
    try:
        command_of(sampler)
    except CannotStart as error:
        pytest.skip(str(error))
    cluster = make_cluster(None)
    cluster.master()
    cluster.worker("one", slots=2)
    search(cluster, tmp_path, sampler, sampler, trials=14)
    cluster.close()
    assert check_database(cluster.database).violations == []


def search(cluster: Cluster, folder: Path, sampler: str, origin: str, trials: int) -> None:
    """Runs one whose trials all have their hyperparameters from this sampler, and no two the same."""
    hparams = {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.0}
    searcher = {"name": "asha", "max_trials": trials, "max_resource": 3, "divisor": 3}
    given = sampler if sampler == "quasi_random" else {"name": sampler, "patience": PATIENCE_S}
    spec = toy_spec(folder / "checkpoints", hyperparameters=hparams, searcher=searcher, sampler=given)
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(yaml.safe_load(spec)).experiment_id
        ended = client.wait(number)
        assert ended.state is ExperimentState.COMPLETED, ended.state_reason
        assert not ended.sampler_problem
        found = [client.trial(number, each.trial_id).trial for each in client.trials(number)]
    assert {trial.origin for trial in found} == {origin}
    assert len({trial.hparams["quality"] for trial in found}) == len(found) == trials
