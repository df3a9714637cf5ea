"""The main job over real processes: a master, workers and a client that run one search together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.cluster import Cluster, toy_spec, wait_for
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from rungmaster.client import Client
from rungmaster.client.history import HistoryLoader, load
from rungmaster.master.ledger.ledger import COMMITS_OF_A_TERM
from rungmaster.plots.history import History
from rungmaster.shared.wire.model import ExperimentState, TrialState

MakeCluster = Callable[..., Cluster]


def reports_of(client: Client, experiment_id: int) -> Counter[tuple[int, int]]:
    """How often each (trial, resource) was reported."""
    return Counter(
        (trial.trial_id, report.resource)
        for trial in client.trials(experiment_id)
        for report in client.metrics(experiment_id, trial.trial_id)
    )


def in_thread(action: Callable[[], Any]) -> Future[Any]:
    """Does something in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(action)
    finally:
        pool.shutdown(wait=False)


def trained(cluster: Cluster) -> Counter[tuple[int, int]]:
    """How often each (trial, epoch) was really trained, as the training code wrote it down."""
    lines = (cluster.folder / "epochs.log").read_text().splitlines()
    return Counter((int(trial), int(epoch)) for trial, epoch in (line.split() for line in lines))


def assert_whole(client: Client, experiment_id: int) -> None:
    """Every trial's reports cover each unit from the first to its last, and its rungs agree with them."""
    reported = reports_of(client, experiment_id)
    for trial in client.trials(experiment_id):
        assert all((trial.trial_id, unit) in reported for unit in range(1, trial.resource + 1)), trial
        assert trial.metric_resource <= trial.resource
    experiment = client.get(experiment_id)
    assert experiment.state is ExperimentState.COMPLETED, experiment.state_reason
    for bracket in experiment.brackets:
        assert bracket.rungs[0].entered == bracket.trials_created == bracket.max_trials
        for lower, upper in zip(bracket.rungs, bracket.rungs[1:], strict=False):
            assert upper.entered == lower.promoted
    assert sum(experiment.trial_counts.values()) == experiment.planned_trials


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """No URL stands for a SQLite file in the test's folder."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql_url")


def test_a_search_over_separate_processes_ends_with_every_report_once(
    make_cluster: MakeCluster, database: str | None, tmp_path: Path
) -> None:
    cluster = make_cluster(database)
    cluster.master()
    workers = [cluster.worker("one"), cluster.worker("two")]
    with Client(cluster.address) as client:
        submitted = client.submit(toy_spec(tmp_path / "checkpoints"))
        status = cluster.start("status", "status", str(submitted.experiment_id), "--json", "--master", cluster.address)
        assert status.popen.wait(30) == 0
        assert json.loads("\n".join(status.lines))["experiment"]["name"] == "toy"
        ended = client.wait(submitted.experiment_id)
        assert_whole(client, ended.experiment_id)
        assert set(reports_of(client, ended.experiment_id).values()) == {1}
        assert reports_of(client, ended.experiment_id) == trained(cluster)
        best = client.best(ended.experiment_id)
        assert best is not None
        assert best.state is TrialState.COMPLETED
    assert [worker.terminate() for worker in workers] == [0, 0]


def test_killing_the_master_loses_nothing_and_the_search_goes_on_by_itself(
    make_cluster: MakeCluster, database: str | None, tmp_path: Path
) -> None:
    cluster = make_cluster(database)
    master = cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address, timeout=60) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.05},
        )
        experiment_id = client.submit(spec).experiment_id
        watched = in_thread(lambda: list(client.watch_reports(experiment_id)))
        loader = HistoryLoader(client, experiment_id)
        for kills in range(1, 4):
            wait_for("progress", lambda least=kills * 12: client.get(experiment_id).resource_spent >= least)
            seen = reports_of(client, experiment_id)
            master.kill()
            master = cluster.master()
            assert seen <= reports_of(client, experiment_id)
            loader.update()
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert set(reports_of(client, experiment_id).values()) == {1}
        assert reports_of(client, experiment_id) == trained(cluster)
        assert client.master_info().term == 4
        streamed = watched.result(60)
        assert Counter((one.trial_id, one.resource) for one in streamed) == trained(cluster), "each once, in all"
        assert len({one.commit_id // COMMITS_OF_A_TERM for one in streamed}) > 1, "of several masters"
        for after in range(0, len(streamed), 10):
            assert list(client.watch_reports(experiment_id, after=streamed[after].position)) == streamed[after + 1 :]
        assert_same_history(loader.update(), load(client, experiment_id))


def assert_same_history(followed: History, read_at_the_end: History) -> None:
    """What was followed, over the deaths of masters, is what somebody sees who comes afterwards."""
    assert [(one.spent, one.trial_id, one.resource, one.value) for one in followed.records] == [
        (one.spent, one.trial_id, one.resource, one.value) for one in read_at_the_end.records
    ]
    assert followed.events == read_at_the_end.events
    assert followed.curves.keys() == read_at_the_end.curves.keys()
    for trial_id, curve in followed.curves.items():
        other = read_at_the_end.curves[trial_id]
        assert curve.resource.tolist() == other.resource.tolist()
        assert curve.value.tolist() == other.value.tolist()
        assert curve.time_s.tolist() == pytest.approx(other.time_s.tolist(), abs=2e-6)


def test_trials_of_a_killed_worker_go_on_elsewhere_from_their_checkpoints(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster(lease_ttl_s=2.0)
    cluster.master()
    victim = cluster.worker("victim", slots=2)
    with Client(cluster.address) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.1},
            searcher={"name": "asha", "max_trials": 6, "max_resource": 27, "divisor": 3, "max_rungs": 2},
        )
        experiment_id = client.submit(spec).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 8)
        victim.kill()
        cluster.worker("heir", slots=2)
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        lost = [
            t
            for t in client.trials(experiment_id)
            if any(lease.outcome == "expired" for lease in client.trial(experiment_id, t.trial_id).leases)
        ]
        assert lost
        for trial in lost:
            after = client.trial(experiment_id, trial.trial_id).leases[-1]
            assert after.worker == "heir"
        again = {what: times for what, times in trained(cluster).items() if times > 1}
        assert len(again) <= 2 * len(lost), "more was trained again than what followed the last checkpoints"


def test_a_worker_told_to_end_gives_its_trials_back_with_a_checkpoint(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster()
    cluster.master()
    leaving = cluster.worker("leaving", slots=2)
    with Client(cluster.address) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.1},
            searcher={"name": "asha", "max_trials": 4, "max_resource": 27, "divisor": 3, "max_rungs": 2},
            checkpoints={"storage": str(tmp_path / "checkpoints"), "interval": None},
            max_restarts=0,
        )
        experiment_id = client.submit(spec).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 6)
        assert leaving.terminate() == 0
        cluster.worker("staying", slots=2)
        client.wait(experiment_id)
        assert_whole(client, experiment_id)
        assert set(trained(cluster).values()) == {1}, "a drain repeats nothing"


def test_an_experiment_can_be_paused_resumed_and_cancelled(make_cluster: MakeCluster, tmp_path: Path) -> None:
    cluster = make_cluster()
    cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            hyperparameters={"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.05},
        )
        experiment_id = client.submit(spec).experiment_id
        wait_for("progress", lambda: client.get(experiment_id).resource_spent >= 5)
        assert client.pause(experiment_id).state is ExperimentState.PAUSED
        wait_for("the slots", lambda: client.get(experiment_id).trial_counts[TrialState.RUNNING] == 0)
        stood = client.get(experiment_id).resource_spent
        assert client.resume(experiment_id).state is ExperimentState.ACTIVE
        wait_for("more progress", lambda: client.get(experiment_id).resource_spent > stood)
        assert client.cancel(experiment_id).state is ExperimentState.CANCELLED
        wait_for("free slots", lambda: all(worker.slots_used == 0 for worker in client.workers()))
        assert client.cancel(experiment_id).state is ExperimentState.CANCELLED


def test_training_code_that_always_fails_fails_the_experiment_with_its_error(
    make_cluster: MakeCluster, tmp_path: Path
) -> None:
    cluster = make_cluster()
    cluster.master()
    cluster.worker("one", slots=2)
    with Client(cluster.address) as client:
        spec = toy_spec(
            tmp_path / "checkpoints",
            entrypoint="toy:fail",
            max_restarts=1,
            searcher={"name": "asha", "max_trials": 3, "max_resource": 9, "divisor": 3},
        )
        ended = client.wait(client.submit(spec).experiment_id)
        assert ended.state is ExperimentState.FAILED
        assert "no luck with quality" in ended.state_reason
        assert {trial.restarts for trial in client.trials(ended.experiment_id)} == {2}


def test_health_and_reflection_answer_those_who_have_no_proto_files(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.master()
    with grpc.insecure_channel(cluster.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        # The published stubs of this package leave the methods out.
        health = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)  # pyright: ignore[reportAttributeAccessIssue]
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        database = ProtoReflectionDescriptorDatabase(channel)
        assert {
            "rungmaster.v1.ClusterService",
            "rungmaster.v1.ExperimentService",
            "rungmaster.v1.WorkerService",
        } <= set(database.get_services())
        service = DescriptorPool(database).FindServiceByName("rungmaster.v1.ExperimentService")
        assert "WatchExperiment" in service.methods_by_name
