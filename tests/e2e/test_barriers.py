"""Searches with barriers over real processes, with a worker that is killed on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import QUALITY, Cluster, toy_spec, wait_for
from e2e.test_search import assert_whole

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.wire.model import TrialState

#: By searcher, how many trials enter each rung of each of its brackets.
ENTERED: dict[str, tuple[dict[str, Any], list[list[int]]]] = {
    "sha": ({"max_trials": 9}, [[9, 3, 1]]),
    "hyperband": ({"iterations": 1}, [[9, 3, 1], [5, 1], [3]]),
}


@pytest.mark.parametrize("name", ENTERED)
def test_a_search_with_barriers_ends_though_a_worker_is_killed(
    name: str, make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    fields, entered = ENTERED[name]
    cluster = make_cluster(None)
    cluster.master()
    doomed = cluster.worker("doomed", slots=2)
    spec = toy_spec(
        tmp_path / "checkpoints",
        searcher={"name": name, "max_resource": 9, "divisor": 3} | fields,
        hyperparameters={"quality": QUALITY, "seconds_per_epoch": 0.05},
    )
    with Client(cluster.address, timeout=60) as client:
        experiment_id = client.submit(spec).experiment_id
        wait_for("trials at the barrier", lambda: client.get(experiment_id).resource_spent >= 4)
        doomed.kill()
        cluster.worker("other", slots=3)
        ended = client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert [[rung.entered for rung in bracket.rungs] for bracket in ended.brackets] == entered
        assert {trial.state for trial in client.trials(experiment_id)} == {TrialState.COMPLETED, TrialState.STOPPED}
        best = client.best(experiment_id)
        assert best is not None
        assert best.resource == 9
        status = cluster.start("status", "status", str(experiment_id), "--master", cluster.address)
        assert status.popen.wait(30) == 0
        assert "completed" in "\n".join(status.lines)
    assert check_database(cluster.database).violations == []
