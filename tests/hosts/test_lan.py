"""The network of the tests with several hosts does what it is told: each way by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.cluster import wait_for
from hosts.lan import Lan
from hosts.switch import Way

#: Sends numbered datagrams from one host to another, and prints what came back and how long the fastest took.
_ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.bind(("", 9))
    print("ready", flush=True)
    while True:
        own.sendto(*own.recvfrom(100))
"""
_ASK = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
    own.settimeout(0.3)
    came, fastest = set(), 9.0
    for number in range(int(sys.argv[2])):
        asked = time.monotonic()
        own.sendto(b"%d" % number, (sys.argv[1], 9))
        try:
            came.add(own.recv(100))
            fastest = min(fastest, time.monotonic() - asked)
        except TimeoutError:
            pass
print(len(came), fastest)
"""


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan(("one", "two")) as made:
        command = [*made["two"].inside(), sys.executable, "-c", _ECHO]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as echo:
            assert echo.stdout is not None
            echo.stdout.readline()
            yield made
            echo.kill()


def answers(lan: Lan, questions: int = 1) -> tuple[int, float]:
    """How many of so many packets from one to two were answered, and the seconds that the fastest answer took."""
    command = [*lan["one"].inside(), sys.executable, "-c", _ASK, lan["two"].address, str(questions)]
    count, fastest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(count), float(fastest)


@pytest.mark.parametrize(("source", "target"), [("one", "two"), ("two", "one")])
def test_what_is_cut_in_one_direction_does_not_arrive(lan: Lan, source: str, target: str) -> None:
    assert answers(lan)[0] == 1
    lan.way(source, target, Way(cut=True))
    assert answers(lan)[0] == 0
    lan.way(source, target, Way())
    assert answers(lan)[0] == 1


def test_packets_are_lost_and_late(lan: Lan) -> None:
    lan.everywhere(Way(delay_s=0.05))
    count, fastest = answers(lan)
    assert count == 1
    assert fastest >= 0.1
    lan.everywhere(Way(loss=1.0))
    assert answers(lan)[0] == 0
    lan.everywhere(Way())


def test_each_host_has_its_own_name_and_what_runs_there_ends_with_it(tmp_path: Path) -> None:
    with Lan(("lonely",)) as made:
        host = made["lonely"]
        assert subprocess.check_output([*host.inside(tmp_path), "sh", "-c", "hostname; pwd"], text=True).split() == [
            "lonely",
            str(tmp_path),
        ]
        found = subprocess.check_output([*host.inside(), "getent", "hosts", "lonely"], text=True)
        assert found.split() == [host.address, "lonely"]
        with subprocess.Popen([*host.inside(), "sleep", "600"]) as sleeping:
            assert wait_for("its process", host.processes) == [sleeping.pid]
            host.close()
            assert sleeping.wait(10) == -9
