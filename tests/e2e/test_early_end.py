"""A search over real processes that ends when its metric is reached, with the model that reached it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.wire.model import ExperimentState, TrialState

MakeCluster = Callable[..., Cluster]
HPARAMS = {"quality": {"type": "float", "low": 0.0, "high": 0.2}, "seconds_per_epoch": 0.02}


@pytest.mark.parametrize("restart", [False, True])
def test_the_model_that_reached_the_metric_is_there_when_the_search_has_ended(
    make_cluster: MakeCluster, tmp_path: Path, restart: bool
) -> None:
    cluster = make_cluster(None)
    master = cluster.master()
    cluster.worker("one", slots=2)
    spec = toy_spec(
        tmp_path / "checkpoints",
        hyperparameters=HPARAMS,
        searcher={"name": "asha", "max_trials": 8, "max_resource": 10_000, "max_rungs": 1},
        checkpoints={"storage": str(tmp_path / "checkpoints"), "interval": None},
        stop={"metric": 0.25, "time": "1h"},
    )
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(spec).experiment_id
        if restart:
            wait_for("reports", lambda: client.get(number).resource_spent >= 2)
            master.kill()
            cluster.master()
        ended = client.wait(number)
        best = client.best(number)
        assert best is not None
        assert best.best_metric is not None
        assert ended.state is ExperimentState.COMPLETED
        assert ended.state_reason == (
            f"the metric reached {best.best_metric:.6g} (trial {best.trial_id} at resource {best.best_resource}), "
            "at most 0.25 was asked for"
        )
        assert best.best_metric <= 0.25
        assert {trial.state for trial in client.trials(number)} == {TrialState.STOPPED}
    arguments = ("checkpoint", str(number), str(best.trial_id), "--to", "model", "--master", cluster.address)
    assert cluster.start("checkpoint", *arguments).popen.wait(60) == 0
    model = json.loads((cluster.folder / "model" / "state.json").read_text())
    assert model == {"epochs": best.best_resource}
    checked = cluster.start("check", "db", "check", "--db", cluster.database)
    assert checked.popen.wait(60) == 0, checked.lines
