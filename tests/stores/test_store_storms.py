"""Whole searches with real masters and workers, whose checkpoints lie on a real S3 server that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster import Cluster, toy_spec, wait_for
from e2e.test_search import assert_whole, reports_of

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database
from rungmaster.master.maintenance.sweep import Where, sweep_database
from rungmaster.shared.checkpoints.opening import PART_BYTES, open_store
from rungmaster.shared.wire.model import ExperimentState

from .faulty_http import Fault, FaultyProxy, Request

pytestmark = [pytest.mark.storm, pytest.mark.timeout(570)]

FAULTS: tuple[Fault, ...] = ("SlowDown", "InternalError", "reset", "lost", "cut")
STORE = "the checkpoint store 's3://"
#: Its checkpoint goes to S3 in parts.
LARGE = f"""
import time

def train(trial):
    def save(folder):
        (folder / "model").write_bytes(bytes({2 * PART_BYTES + 1}))
    for step in trial.steps(save, lambda folder: None):
        time.sleep(0.05)
        trial.report(error=trial.hparams["quality"])
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, f"sqlite:///{tmp_path / 'search.db'}")
    yield cluster
    cluster.close()


def spec(s3: str, **changes: Any) -> str:
    return toy_spec(Path(), checkpoints={"storage": f"{s3}/runs", "interval": 0}, **changes)


def kept(client: Client, experiment_id: int) -> set[str]:
    """The names of the checkpoints that the ledger has."""
    every = [client.trial(experiment_id, one.trial_id) for one in client.trials(experiment_id)]
    return {each.uri.rsplit("/", 1)[1] for one in every for each in one.checkpoints if each.delete_time is None}


def there(s3: str) -> set[str]:
    """The names of the checkpoints of which the store has any object."""
    files, path = open_store(f"{s3}/runs")
    return {name.rsplit("/", 2)[1] for name in files.find(path) if name != path}


def check(cluster: Cluster, s3: str, client: Client, experiment_id: int) -> None:
    """Once what nobody needs is deleted, the database has no contradictions, and the store just what the ledger has."""
    wait_for("the deletions", lambda: there(s3) <= kept(client, experiment_id) or None, 120)
    assert there(s3) == kept(client, experiment_id)
    assert check_database(cluster.database).violations == []


@pytest.mark.parametrize(("trials", "workers", "outage_s", "rate"), [(100, 4, 20.0, 0.01)])
def test_a_search_on_a_store_with_errors_and_an_outage_ends_and_nobody_is_blamed(
    cluster: Cluster, s3: str, proxy: FaultyProxy, trials: int, workers: int, outage_s: float, rate: float
) -> None:
    cluster.master()
    for number in range(workers):
        cluster.worker(f"worker-{number}")
    proxy.fail_by_chance(rate, 7, FAULTS)
    begun = time.monotonic()
    with Client(cluster.address, timeout=60) as client:
        searcher = {"name": "adaptive_asha", "mode": "standard", "max_trials": trials, "max_resource": 9, "divisor": 3}
        space = {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.02}
        number = client.submit(spec(s3, searcher=searcher, hyperparameters=space)).experiment_id
        wait_for("progress", lambda: client.get(number).resource_spent >= trials // 2, 300)
        proxy.away = True
        back = threading.Timer(outage_s, lambda: setattr(proxy, "away", False))
        back.start()
        waits = wait_for(
            "the reason", lambda: [each.waiting_reason for each in client.workers() if STORE in each.waiting_reason], 60
        )
        back.join()
        ended = client.wait(number)
        assert_whole(client, number)
        assert set(reports_of(client, number).values()) == {1}
        every = list(client.trials(number))
        assert {(one.restarts, one.workers_lost) for one in every} == {(0, 0)}
        assert ended.state is ExperimentState.COMPLETED
        assert len(every) == trials
        print(f"{trials} trials in {time.monotonic() - begun:.0f} s, {len(proxy.requests)} requests; told: {waits[0]}")
        proxy.mend()
        sweep_database(cluster.database, Where(cluster.folder, cluster.folder / "logs"), 0.0, dry_run=False)
        check(cluster, s3, client, number)


def test_what_a_worker_that_was_killed_in_the_middle_of_an_upload_left_is_swept(
    cluster: Cluster, s3: str, proxy: FaultyProxy, tmp_path: Path
) -> None:
    (tmp_path / "large.py").write_text(LARGE)
    cluster.lease_ttl_s = 2.0
    cluster.master()
    victim = cluster.worker("victim")
    files, path = open_store(f"{s3}/runs")
    bucket = path.partition("/")[0]

    def begun() -> list[Any]:
        listed = files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=path.partition("/")[2])  # pyright: ignore
        return listed.get("Uploads", [])

    def hold(request: Request) -> Fault | None:
        return "silence" if request.operation == "PUT object?partNumber" else None

    with Client(cluster.address, timeout=60) as client:
        searcher = {"name": "random", "max_trials": 2, "max_resource": 3}
        number = client.submit(spec(s3, entrypoint="large:train", searcher=searcher)).experiment_id
        proxy.fault = hold
        wait_for("an upload", begun, 60)
        victim.kill()
        proxy.mend()
        cluster.worker("heir")
        client.wait(number)
        assert_whole(client, number)
        assert len(begun()) >= 1
        swept = sweep_database(cluster.database, Where(cluster.folder, cluster.folder / "logs"), 0.0, dry_run=False)
        assert swept.failures == []
        assert begun() == []
        check(cluster, s3, client, number)
