"""The ways of deploy/README.md, done as they stand there: on one machine, by hand on several hosts, on Slurm."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hosts.lan
import pytest
import slurm.private_slurm
from deployment.page import ENVIRONMENT, by_hand, shell, ways
from e2e.cluster import wait_for
from hosts.lan import Lan
from hosts.postgresql_host import HostedPostgresql
from slurm.private_slurm import PrivateSlurm

from rungmaster.client.local.database import DatabaseClient


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as Unix sockets need one."""
    with tempfile.TemporaryDirectory(prefix="rungmaster-deploy-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def searches(database: Path) -> int:
    """How many the database has."""
    if not database.exists():
        return 0
    with DatabaseClient(database) as client:
        return len(list(client.list()))


def test_every_way_of_the_table_is_tried_here_or_by_the_tests_of_its_folder() -> None:
    elsewhere = ("plain hosts, by systemd", "Kubernetes", "Docker")
    here = {where for where in ways() if not where.startswith(elsewhere)}
    assert here == {"one machine", "hosts of your own, by hand", "Slurm"}
    assert all(ways().values())


@pytest.mark.storm
def test_a_search_on_one_machine(tmp_path: Path) -> None:
    done = shell("\n".join(ways()["one machine"]), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "32 of 32 trials" in done.stdout
    assert "learning_rate: " in done.stdout


@pytest.mark.storm
@pytest.mark.timeout(400)
def test_a_search_on_hosts_by_hand(tmp_path: Path, short: Path) -> None:
    if reason := hosts.lan.missing():
        pytest.skip(reason)
    _, prepare, master, worker, submit = by_hand().values()
    assert shell("rungmaster init", tmp_path).returncode == 0
    with ExitStack() as running, Lan(("db", "head", "gpu-1", "gpu-2", "desk")) as lan:
        postgresql = HostedPostgresql(lan["db"], short)
        running.callback(postgresql.close)

        def run_on(host: str, command: str) -> None:
            # It ends with its host.
            inside = lan[host].inside(tmp_path)
            running.enter_context(subprocess.Popen([*inside, "bash", "-c", f"exec {command}"], env=ENVIRONMENT))

        wait_for("PostgreSQL", postgresql.answers)
        postgresql.ask("CREATE USER rungmaster")
        postgresql.ask("CREATE DATABASE rungmaster OWNER rungmaster")
        prepared = shell("\n".join(prepare), tmp_path, *lan["desk"].inside(tmp_path))
        assert prepared.returncode == 0, prepared.stderr
        for host, (command,) in (("head", master), ("gpu-1", worker), ("gpu-2", worker)):
            run_on(host, command)
        listens = "exec 3<> /dev/tcp/head/50051"
        wait_for("the master", lambda: shell(listens, tmp_path, *lan["desk"].inside()).returncode == 0)
        done = shell("\n".join(submit), tmp_path, *lan["desk"].inside(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "32 of 32 trials" in done.stdout
        assert {row[0] for row in postgresql.ask("SELECT host FROM workers", "rungmaster")} == {"gpu-1", "gpu-2"}


@pytest.mark.storm
@pytest.mark.timeout(400)
def test_a_search_on_slurm(tmp_path: Path, short: Path) -> None:
    if reason := slurm.private_slurm.missing():
        pytest.skip(reason)
    up, watch, down = ways()["Slurm"]
    assert shell("rungmaster init", tmp_path).returncode == 0
    # So that it is not over before anybody has looked.
    (tmp_path / "my_training.py").write_text("import time\ntime.sleep(1)\n" + (tmp_path / "my_training.py").read_text())
    with PrivateSlurm(short) as private:
        settings = f"export SLURM_CONF='{private.environment['SLURM_CONF']}'"
        submitted = shell(f"{settings}\n{up}", tmp_path)
        assert submitted.returncode == 0, submitted.stderr
        wait_for("the search", lambda: searches(tmp_path / "rungmaster-slurm" / "rungmaster.db"), 120)
        watched = shell(watch, tmp_path)
        assert watched.returncode == 0, watched.stderr
        assert "32 of 32 trials" in watched.stdout
        ended = shell(f"{settings}\n{down}", tmp_path)
        assert ended.returncode == 0, ended.stderr
