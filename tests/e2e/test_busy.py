"""A training process that is busy for much longer than a lease lasts keeps it: the worker gives the signs of life."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import QUALITY, Cluster, toy_spec

from rungmaster.client import Client

LEASE = 1.5


@pytest.mark.parametrize("options", [(), ("--fresh-processes",)])
def test_a_process_that_holds_the_interpreters_lock_keeps_its_lease(
    make_cluster: Callable[..., Cluster], tmp_path: Path, options: tuple[str, ...]
) -> None:
    cluster = make_cluster(lease_ttl_s=LEASE)
    cluster.master()
    cluster.start("one", "worker", "--master", cluster.address, "--slots", "2", "--name", "one", *options)
    with Client(cluster.address) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            entrypoint="stubborn:train",
            hyperparameters={"quality": QUALITY, "seconds": round(4 * LEASE)},
            searcher={"name": "asha", "max_trials": 2, "max_resource": 1},
        )
        ended = client.wait(client.submit(spec).experiment_id)
        for trial in client.trials(ended.experiment_id):
            (lease,) = client.trial(ended.experiment_id, trial.trial_id).leases
            assert lease.outcome == "released"
            assert trial.restarts == 0
