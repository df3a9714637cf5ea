"""The page beside a run and beside a master: it says where it is, and ends with them in whatever way they end."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from e2e.cluster import Cluster, Process, toy_spec, wait_for
from integration.secure_cluster import SecureCluster


def dashboards_of(process: Process) -> list[psutil.Process]:
    """The dashboards that a process has started."""
    children = psutil.Process(process.popen.pid).children(recursive=True)
    return [child for child in children if "dashboard" in child.cmdline()]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_run_has_a_page_that_ends_with_it(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    spec = yaml.safe_load(toy_spec(cluster.folder / "checkpoints"))
    spec["hyperparameters"]["seconds_per_epoch"] = 0.2
    (cluster.folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    run = cluster.start("run", "run", "--workers", "1", "--dashboard", "spec.yaml")
    url = run.wait_for_line("dashboard: ").split()[-1]
    run.wait_for_line("begins")
    with urllib.request.urlopen(url) as answer:
        assert b"toy" in answer.read()
    (dashboard,) = dashboards_of(run)
    run.kill()
    wait_for("the end of the dashboard", lambda: is_gone(dashboard))


def test_an_address_that_is_none_is_refused_before_anything_begins(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    (cluster.folder / "spec.yaml").write_text(toy_spec(cluster.folder / "checkpoints"))
    run = cluster.start("run", "run", "spec.yaml", "--dashboard", "127.0.0.1:many")
    assert run.popen.wait(60) == 2
    assert not Path(cluster.database).exists()


@pytest.mark.parametrize("way", ["terminate", "kill"])
def test_a_secure_master_has_a_secure_page_that_ends_with_it(tmp_path: Path, way: str) -> None:
    cluster = SecureCluster(tmp_path)
    try:
        master = cluster.secure_master("--dashboard", "127.0.0.1:0")
        url = master.wait_for_line("rungmaster dashboard ready on").split()[-1]
        trusting = ssl.create_default_context(cafile=cluster.authority.path)
        with urllib.request.urlopen(url.replace("127.0.0.1", "localhost") + "sign-in", context=trusting) as answer:
            assert b"Sign in" in answer.read()
        (dashboard,) = dashboards_of(master)
        getattr(master, way)()
        wait_for("the end of the dashboard", lambda: is_gone(dashboard))
    finally:
        cluster.close()
