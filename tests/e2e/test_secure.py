"""A search under TLS and tokens, from its submission to its end, with a worker that is no longer wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.cluster import QUALITY, Cluster, toy_spec, wait_for
from integration.certificates import Pair
from integration.secure_cluster import ADMIN, VIEWER, WORKER, SecureCluster

from rungmaster.client import Client
from rungmaster.master.maintenance.check import check_database

OTHER = ("gpu-8", "worker", "o" * 32)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SecureCluster]:
    running = SecureCluster(tmp_path, lease_ttl_s=3.0)
    (tmp_path / "gpu-8.token").write_text(OTHER[2])
    running.allow(ADMIN, VIEWER, WORKER, OTHER)
    yield running
    running.close()


def test_a_search_under_tls_and_tokens_ends_though_a_worker_is_turned_out(cluster: SecureCluster) -> None:
    own = cluster.authority.issue("caller")
    mutual = ("--tls-cert", str(own.certificate), "--tls-key", str(own.key))
    master = cluster.secure_master("--tls-client-ca", str(cluster.authority.path))
    spec = cluster.folder / "spec.yaml"
    spec.write_text(
        toy_spec(
            cluster.folder / "store",
            hyperparameters=SLOW,
            searcher={"name": "asha", "max_trials": 9, "max_resource": 9},
        )
    )
    submit = cluster.start("submit", "submit", str(spec), "--watch", *cluster.options(ADMIN), *mutual)
    submit.wait_for_line("is active")
    refused = cluster.start("refused", "worker", *cluster.options(VIEWER), *mutual)
    assert refused.popen.wait(60) == 1
    staying = cluster.start("staying", "worker", "--slots", "2", *cluster.options(WORKER), *mutual)
    leaving = cluster.start("leaving", "worker", "--slots", "2", *cluster.options(OTHER), *mutual)
    staying.wait_for_line("connected to a master")
    with watcher(cluster, own) as client:
        wait_for("a trial of each", lambda: sum(worker.slots_used for worker in client.workers()) == 4)
    cluster.allow(ADMIN, VIEWER, WORKER)
    assert leaving.popen.wait(60) == 1
    wait_for("its error", lambda: any("does not accept this worker" in line for line in leaving.lines))
    assert leaving.lines[-1].endswith("the token of gpu-8 was revoked")
    assert submit.popen.wait(100) == 0
    assert staying.terminate() == 0
    assert master.terminate() == 0
    assert check_database(cluster.database).violations == []
    told = "\n".join(line for process in cluster.processes for line in process.lines)
    assert not [token for _, _, token in (ADMIN, VIEWER, WORKER, OTHER) if token in told]


SLOW = {"quality": QUALITY, "seconds_per_epoch": 0.1}


def watcher(cluster: SecureCluster, own: Pair) -> Client:
    credentials = cluster.credentials(VIEWER)
    return Client(cluster.address, credentials=replace(credentials, tls_cert=own.certificate, tls_key=own.key))


def test_a_worker_waits_for_a_certificate_to_be_mended_and_goes_on(cluster: SecureCluster) -> None:
    master = cluster.secure_master()
    worker = cluster.start("worker", "worker", *cluster.options(WORKER))
    worker.wait_for_line("connected to a master")
    good = cluster.pair.certificate.read_bytes(), cluster.pair.key.read_bytes()
    cluster.authority.issue("head", expired=True)
    master.terminate()
    master = cluster.secure_master()
    worker.wait_for_line("has expired: renew it")
    cluster.pair.key.write_bytes(good[1])
    cluster.pair.certificate.write_bytes(good[0])
    wait_for("a second session", lambda: sum("connected to a master" in line for line in worker.lines) == 2)
    assert worker.terminate() == 0
    assert master.terminate() == 0


def test_a_run_on_this_machine_needs_no_credentials_and_uses_none(tmp_path: Path) -> None:
    """The variables are for a master elsewhere, and lead nowhere."""
    cluster = Cluster(tmp_path, str(tmp_path / "search.db"))
    variables = {"RUNGMASTER_TLS": "1", "RUNGMASTER_TOKEN_FILE": os.devnull, "RUNGMASTER_MASTER": "nowhere:1"}
    cluster.environment |= variables
    spec = tmp_path / "spec.yaml"
    spec.write_text(toy_spec(tmp_path / "store", searcher={"name": "asha", "max_trials": 2, "max_resource": 2}))
    try:
        run = cluster.start("run", "run", str(spec), "--workers", "1", "--db", cluster.database)
        assert run.popen.wait(100) == 0
    finally:
        cluster.close()
