"""A master that is told to end has ended seconds later, whatever it is busy with; nothing waits for a thread."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from e2e.cluster import Cluster, Process, toy_spec, wait_for

from rungmaster.client import Client
from rungmaster.master.ledger.engine import parse_database, reading_engine, transaction
from rungmaster.master.ledger.leadership.mastership import MastershipHolder, read_owner
from rungmaster.shared.errors import RungmasterError

from .test_standby import Pair

BUSY = Path(__file__).parent / "busy_master.py"


@pytest.fixture
def cluster(tmp_path: Path, sqlite_url: str) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, sqlite_url)
    yield cluster
    cluster.close()


class BusyMaster(Process):
    """A master of which one part never comes to an end."""

    def __init__(self, cluster: Cluster, part: str, *arguments: str) -> None:
        super().__init__(
            part,
            ["master", "--listen", cluster.address, "--db", cluster.database, *arguments],
            cluster.folder,
            cluster.environment,
            program=(str(BUSY), part),
        )
        cluster.processes.append(self)


def submit_in_vain(address: str, spec: str) -> None:
    with suppress(RungmasterError), Client(address, timeout=20) as client:
        client.submit(spec)


@pytest.mark.parametrize(
    ("part", "code"),
    [("a spec", 0), ("the event loop", 1), ("a commit", 1), ("a recovery", 0)],
)
def test_a_master_ends_when_it_is_told_to_whatever_it_is_busy_with(cluster: Cluster, part: str, code: int) -> None:
    """With 0 where its ledger was closed, or nothing had begun; with 1 where something was cut off."""
    master = BusyMaster(cluster, part, "--grace", "0")
    if part != "a recovery":
        master.wait_for_line("ready on")
        threading.Thread(target=submit_in_vain, args=(cluster.address, toy_spec(cluster.folder)), daemon=True).start()
    master.wait_for_line("busy")
    assert master.terminate() == code
    if part == "a spec":
        assert not [line for line in master.lines if "by force" in line]
    successor = cluster.start("next", "master", "--listen", cluster.address, "--db", cluster.database)
    successor.wait_for_line("(term 2)")


def test_a_spec_that_takes_for_ever_keeps_nobody_from_reading(cluster: Cluster) -> None:
    BusyMaster(cluster, "a spec").wait_for_line("ready on")
    for _ in range(8):
        threading.Thread(target=submit_in_vain, args=(cluster.address, toy_spec(cluster.folder)), daemon=True).start()
    with Client(cluster.address, timeout=20) as client:
        wait_for("the first of them", lambda: "busy" in cluster.processes[0].lines)
        assert [[*client.list()] for _ in range(20)] == [[]] * 20
    assert cluster.processes[0].lines.count("busy") == 1


def test_a_master_whose_recovery_keeps_its_processor_busy_is_not_replaced_until_it_ends(cluster: Cluster) -> None:
    """Its signs of life come from threads that get their turn: for longer than a standby would wait without any."""
    recovering = BusyMaster(cluster, "a recovery", "--grace", "0")
    recovering.wait_for_line("busy")
    pair = Pair(cluster)
    standby = pair.standby()
    first = owner_of(cluster.database).renew_time
    wait_for("signs of life", lambda: owner_of(cluster.database).renew_time > first + 8.0)
    assert owner_of(cluster.database).term == 1
    recovering.terminate()
    standby.wait_for_line("(term 2)")


def owner_of(url: str) -> MastershipHolder:
    database = parse_database(url)
    engine = reading_engine(database, 5)
    try:
        with transaction(engine, database) as connection:
            owner = read_owner(connection)
    finally:
        engine.dispose()
    assert owner is not None
    return owner


def test_a_signal_while_nothing_is_to_be_done_ends_it_at_once_and_a_second_changes_nothing(cluster: Cluster) -> None:
    master = cluster.master()
    for _ in range(3):
        master.popen.send_signal(signal.SIGINT)
    assert master.popen.wait(30) == 0
    wait_for("what it said", lambda: "stopping" in master.lines[-1])


def test_a_master_ends_with_its_parent_although_it_is_busy(cluster: Cluster) -> None:
    arguments = ["master", "--listen", cluster.address, "--db", cluster.database, "--grace", "0", "--exit-with-parent"]
    master = subprocess.Popen(
        [sys.executable, "-P", str(BUSY), "a recovery", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert master.stdout is not None
    assert master.stdin is not None
    assert master.stdout.readline() == b"busy\n"
    master.stdin.close()
    assert master.wait(30) == 0
    master.stdout.close()


def test_a_log_in_json_is_one_object_a_line_with_what_it_is_about(cluster: Cluster) -> None:
    master = cluster.start(
        "master", "master", "--listen", cluster.address, "--db", cluster.database, "--log-format", "json"
    )
    master.wait_for_line("ready on")
    assert master.terminate() == 0
    logged = [json.loads(line) for line in master.lines if line.startswith("{")]
    assert [entry["message"] for entry in logged] == ["stopping"]
    assert {"time", "level", "logger"} <= logged[0].keys()
