"""What trials print reaches people: while they train, from worker to worker, after their workers have gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rungmaster.client import Client, DatabaseClient
from rungmaster.shared.errors import FailedPrecondition, NotFound

from .cluster import Cluster, toy_spec, wait_for

SEARCH = {"name": "asha", "max_trials": 1, "max_resource": 4, "max_rungs": 1}


@pytest.fixture
def talking(make_cluster: Callable[..., Cluster], tmp_path: Path) -> Cluster:
    """A cluster whose training prints an epoch at a time, up to the one that `go` names."""
    cluster = make_cluster()
    cluster.environment["TALK"] = str(tmp_path)
    go(cluster, 0)
    cluster.master()
    return cluster


def go(cluster: Cluster, epoch: int) -> None:
    """Lets the training go on to this epoch."""
    new = cluster.folder / "going"
    new.write_text(str(epoch))
    new.rename(cluster.folder / "go")


def submit(client: Client, cluster: Cluster, function: str = "train") -> int:
    spec = toy_spec(
        cluster.folder / "store", entrypoint=f"talking:{function}", searcher=SEARCH, hyperparameters={"x": 1}
    )
    return client.submit(spec).experiment_id


def read(client: Client, experiment: int, **options: object) -> str:
    parts = client.trial_logs(experiment, 0, **options)  # pyright: ignore[reportArgumentType]
    return b"".join(part.content for part in parts).decode(errors="replace")


def logs(cluster: Cluster, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs the command to its end."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "logs", *arguments],
        cwd=cwd or cluster.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )


def printed(*epochs: int) -> str:
    return "".join(f"trial 0 prints at {epoch}\n" for epoch in epochs)


def test_a_log_is_followed_from_worker_to_worker_read_after_they_have_gone_and_deleted_with_its_experiment(
    talking: Cluster, tmp_path: Path
) -> None:
    with Client(talking.address) as client:
        number = submit(client, talking)
        with pytest.raises(FailedPrecondition, match="trial 0 of experiment 1 has not started: it is not made yet"):
            read(client, number)
        with pytest.raises(NotFound, match="experiment 1 has no trial 7"):
            list(client.trial_logs(number, 7))
        follower = talking.start("follower", "logs", str(number), "0", "-f", "--master", talking.address)
        follower.wait_for_line("trial 0 is not made yet")
        first = talking.worker("first")
        follower.wait_for_line("trial 0, assignment 1: first, from 0 to 4 epochs <==")
        follower.wait_for_line("prints at 0")
        go(talking, 1)
        follower.wait_for_line("prints at 1")
        assert read(client, number) == printed(0, 1)
        first.popen.terminate()
        go(talking, 2)
        assert first.popen.wait(30) == 0
        second = talking.worker("second")
        follower.wait_for_line("trial 0, assignment 2: second, from 2 to 4 epochs <==")
        go(talking, 9)
        assert follower.popen.wait(30) == 0
        shown = [line for line in follower.lines if not line.startswith("(")]
        assert shown == [
            "==> trial 0, assignment 1: first, from 0 to 4 epochs <==",
            *printed(0, 1).splitlines(),
            "==> trial 0, assignment 2: second, from 2 to 4 epochs <==",
            *printed(2, 3).splitlines(),
        ]
        client.wait(number)
        assert read(client, number, tail=1) == printed(3)
        assert read(client, number, token=1) == printed(0, 1)
        second.terminate()
        # The first one's own log is gone with its host, as far as anybody can tell: what is left is what was kept.
        (tmp_path / ".rungmaster").rename(tmp_path / "gone")
        assert read(client, number) == printed(0, 1, 2, 3)
        far = tmp_path / "far"
        far.mkdir()
        third = talking.worker("third")
        wait_for("the third worker", lambda: len(client.workers()) == 1)
        told = logs(talking, str(number), "0", "--raw", "--master", talking.address, cwd=far)
        assert (told.returncode, told.stdout.decode()) == (0, printed(0, 1, 2, 3))
        assert told.stderr.decode().startswith("==> trial 0, assignment 1: first, from 0 to 4 epochs, ")
        folder = next((tmp_path / "store").glob("*/1/logs"))
        assert sorted(log.name for log in folder.iterdir()) == ["0-1.log", "0-2.log"]
        client.delete(number)
        wait_for("the logs' end", lambda: not folder.parent.exists())
        third.terminate()
    with DatabaseClient(talking.database) as reading, pytest.raises(NotFound):
        read(reading, number)


def test_what_would_act_on_a_terminal_is_escaped_and_what_was_not_kept_is_told(
    talking: Cluster, tmp_path: Path
) -> None:
    go(talking, 9)
    with Client(talking.address) as client:
        number = submit(client, talking, "act")
        worker = talking.worker("only")
        client.wait(number)
        shown = logs(talking, str(number), "0", "--master", talking.address)
        assert shown.returncode == 0
        first, *rest = shown.stdout.decode().splitlines()
        assert first == "==> trial 0, assignment 1: only, from 0 to 4 epochs, released <=="
        assert rest[:4] == [r"red \x1b[31m\x1b]0;title\x07 \x9b2J \u202e �", "50%", "100%", "end"]
        raw = logs(talking, str(number), "0", "--raw", "--tail", "6", "--master", talking.address)
        assert raw.stdout.startswith(b"red \x1b[31m\x1b]0;title\x07")
        worker.terminate()
    with DatabaseClient(talking.database) as reading:
        assert "end\ntrial 0 prints at 0" in read(reading, number)
        next((tmp_path / "store").glob("*/1/logs/0-1.log")).unlink()
        (part,) = [part for part in reading.trial_logs(number, 0) if part.missing]
        assert part.missing.endswith("and no master runs here to read it")
    lost = logs(talking, str(number), "0", "--master", talking.address)
    assert lost.returncode == 1
    assert "no worker is connected to read it" in lost.stderr.decode()
