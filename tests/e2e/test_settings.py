"""Priority, weight, concurrent trials and owner of a running search: changed from anywhere, and there after kill -9."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import QUALITY, Cluster, toy_spec, wait_for
from integration.secure_cluster import ADMIN, SecureCluster

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.model import Experiment


def in_force(experiment: Experiment) -> tuple[int, float, int | None, str]:
    return experiment.priority, experiment.weight, experiment.max_concurrent_trials, experiment.owner


def test_what_was_set_is_in_force_after_the_master_was_killed(
    make_cluster: Callable[..., Cluster], database_url: str, tmp_path: Path
) -> None:
    cluster = make_cluster(database_url)
    master = cluster.master()
    cluster.worker("one", slots=4)
    with Client(cluster.address) as client:
        values = {"quality": QUALITY, "seconds_per_epoch": 0.1}
        number = client.submit(toy_spec(tmp_path / "checkpoints", hyperparameters=values)).experiment_id
        assert in_force(client.get(number)) == (0, 1.0, None, getpass.getuser())
        wait_for("all slots train", lambda: [each.slots_used for each in client.workers()] == [4])
        command = ("set", str(number), "--priority", "7", "--weight", "2.5", "--max-concurrent-trials", "2", "--json")
        changed = cluster.start("set", *command, "--master", cluster.address)
        assert changed.popen.wait(30) == 0
        master.kill()
        cluster.master()
        expected = (7, 2.5, 2, getpass.getuser())
        assert in_force(client.get(number)) == in_force(next(client.list())) == expected
        assert sum(bracket.max_concurrent_trials or 0 for bracket in client.get(number).brackets) == 2
        assert json.loads("".join(changed.lines))["experiment"]["priority"] == 7
        wait_for("no more than two train", lambda: client.workers() and client.workers()[0].slots_used <= 2)
        assert client.set(number, max_concurrent_trials=0).max_concurrent_trials is None
        client.wait(number)
    assert check_database(database_url).violations == []


def test_nothing_or_nonsense_to_set_is_an_error_and_changes_nothing(
    make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster()
    cluster.master()
    with Client(cluster.address) as client:
        number = client.submit(toy_spec(tmp_path / "checkpoints")).experiment_id
        with pytest.raises(InvalidInput, match="nothing is to be set: give at least one of priority, weight"):
            client.set(number)
        with pytest.raises(InvalidInput, match="weight: must be more than 0, got -1"):
            client.set(number, weight=-1, priority=5)
        with pytest.raises(InvalidInput, match=f"priority={2**40}"):
            client.set(number, priority=2**40)
        assert client.get(number).priority == 0
    nothing = cluster.start("nothing", "set", str(number), "--master", cluster.address)
    assert nothing.popen.wait(30) == 2


def test_the_owner_is_whom_the_token_names_whatever_the_client_says(tmp_path: Path) -> None:
    cluster = SecureCluster(tmp_path)
    try:
        cluster.secure_master()
        with Client(cluster.address, credentials=cluster.credentials(ADMIN)) as client:
            number = client.submit(toy_spec(tmp_path / "checkpoints")).experiment_id
            assert client.get(number).owner == ADMIN[0]
        listed = cluster.start("list", "list", *cluster.options(ADMIN))
        assert listed.popen.wait(30) == 0
        listed.wait_for_line(ADMIN[0])
    finally:
        cluster.close()
