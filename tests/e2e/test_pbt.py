"""Population based training over real processes: a trial goes on from the checkpoint of another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.wire.model import ExperimentState

MakeCluster = Callable[..., Cluster]
SEARCHER = {"name": "pbt", "population": 4, "interval": 2, "max_resource": 8, "truncation": 0.5, "resample": 0}


def printed(process: Process) -> str:
    """What a command printed, once it has ended well."""
    assert process.popen.wait(60) == 0, process.lines
    return "\n".join(process.lines)


@pytest.mark.parametrize("killed", [False, True])
def test_children_go_on_from_the_checkpoints_of_the_best_and_best_shows_the_schedule(
    make_cluster: MakeCluster, tmp_path: Path, killed: bool
) -> None:
    cluster = make_cluster(None)
    master = cluster.master()
    cluster.worker("one", slots=2)
    hparams = {"quality": {"type": "float", "low": 0.5, "high": 1.0}, "seconds_per_epoch": 0.05}
    checkpoints = {"storage": str(tmp_path / "checkpoints"), "interval": None}
    spec = toy_spec(tmp_path / "checkpoints", hyperparameters=hparams, searcher=SEARCHER, checkpoints=checkpoints)
    with Client(cluster.address, timeout=60) as client:
        number = client.submit(spec).experiment_id
        if killed:
            wait_for("a child", lambda: any(trial.parent is not None for trial in client.trials(number)))
            master.kill()
            cluster.master()
        ended = client.wait(number)
        assert ended.state is ExperimentState.COMPLETED, ended.state_reason
        trials = {trial.trial_id: client.trial(number, trial.trial_id) for trial in client.trials(number)}
        children = [details for details in trials.values() if details.trial.parent is not None]
        assert children
        for trial, leases, _, _ in children:
            assert trial.parent is not None
            assert trial.start_resource > 0, "its parent was asked for a checkpoint, and it waited for that"
            assert leases[0].from_resource == trial.start_resource
            assert trial.origin == f"trial {trial.parent}"
            reported = [report.resource for report in client.metrics(number, trial.trial_id)]
            assert not reported or reported[0] == trial.start_resource + 1
            above = trials[trial.parent].trial.hparams["quality"]
            explored = [min(max(above * factor, 0.5), 1.0) for factor in (0.8, 1.2)]
            assert any(trial.hparams["quality"] == pytest.approx(value) for value in explored)
        assert sum(details.children for details in trials.values()) == len(children)
        spent = sum(details.trial.resource - details.trial.start_resource for details in trials.values())
        assert ended.resource_spent == spent
    on_master = ("--master", cluster.address)
    best = json.loads(printed(cluster.start("best", "best", str(number), "--json", *on_master)))
    child = max(children, key=lambda details: details.trial.resource).trial
    shown = json.loads(printed(cluster.start("trial", "trial", str(number), str(child.trial_id), "--json", *on_master)))
    for trial in (best, shown["trial"]):
        schedule = trial["schedule"]
        ends = [0, *(part["to_resource"] for part in schedule)]
        assert [part["from_resource"] for part in schedule] == ends[:-1]
        if schedule:
            assert (schedule[-1]["trial_id"], ends[-1]) == (trial["trial_id"], trial["resource"])
            assert schedule[-1]["hparams"] == trial["hparams"]
    text = printed(cluster.start("told", "trial", str(number), str(child.trial_id), *on_master))
    assert f"parent: trial {child.parent}; started from its checkpoint at {child.start_resource} epochs" in text
    assert "schedule of its model, in epochs" in text
    printed(cluster.start("check", "db", "check", "--db", cluster.database))
