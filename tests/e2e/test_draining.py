"""Workers leave when a person asks their master for it, from anywhere."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import Cluster, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.shared.errors import InvalidInput, NotFound
from rungmaster.shared.wire.model import ExperimentState, WorkerState


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    made = make_cluster(None)
    made.master()
    return made


def names(client: Client) -> list[str]:
    return [worker.worker for worker in client.workers()]


def test_a_drained_worker_gives_back_what_it_trains_and_is_listed_no_more(cluster: Cluster, tmp_path: Path) -> None:
    one, two = cluster.worker("one"), cluster.worker("two")
    with Client(cluster.address) as client:
        spec = toy_spec(tmp_path / "checkpoints", hyperparameters={"quality": 0.5, "seconds_per_epoch": 0.1})
        experiment = client.submit(spec).experiment_id
        wait_for("both workers train", lambda: sum(bool(worker.leases) for worker in client.workers()) == 2)
        drain = cluster.start("drain", "drain", "one", "--wait", "--master", cluster.address)
        assert drain.popen.wait(30) == 0
        # Two, where one was told to pause at that moment and the next has been given.
        drain.wait_for_line("worker one saves and gives back ")
        drain.wait_for_line("worker one has left")
        assert names(client) == ["two"]
        assert one.popen.wait(30) == 0
        assert client.wait(experiment).state is ExperimentState.COMPLETED
        assert all(trial.restarts == trial.workers_lost == 0 for trial in client.trials(experiment))
    assert two.terminate() == 0


def test_a_worker_that_was_out_of_reach_leaves_though_the_master_was_killed_meanwhile(cluster: Cluster) -> None:
    one = cluster.worker("one")
    with Client(cluster.address) as client:
        wait_for("the worker", lambda: names(client) == ["one"])
        one.popen.send_signal(signal.SIGSTOP)
        client.drain("one")
        cluster.processes[0].kill()
        cluster.master()
        one.popen.send_signal(signal.SIGCONT)
        assert one.popen.wait(30) == 0
        wait_for("it is listed no more", lambda: not names(client))


def test_of_workers_with_one_name_the_session_says_which_leaves(cluster: Cluster) -> None:
    twins = [cluster.worker("twin"), cluster.worker("twin")]
    with Client(cluster.address) as client:
        wait_for("both workers", lambda: names(client) == ["twin", "twin"])
        first, second = client.workers()
        with pytest.raises(InvalidInput, match=f"2 workers.*{first.session_id} .*{second.session_id} "):
            client.drain("twin")
        with pytest.raises(NotFound, match='no worker "nobody"'):
            client.drain("nobody")
        assert client.drain(first.session_id).state is WorkerState.DRAINING
        wait_for(
            "one of them leaves", lambda: [worker.session_id for worker in client.workers()] == [second.session_id]
        )
    wait_for("its exit", lambda: any(twin.popen.poll() == 0 for twin in twins))
