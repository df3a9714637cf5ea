"""How long a search stands still after somebody was killed.

A worker is killed (-9) while it trains: from then until the first line of its trial's code on another worker, which
was connected and idle. Nobody can know that a silent worker is dead before its lease is over, so the lease (here 5 s,
30 s where nothing is said) is the floor. The rest is the master's look for expired leases, the assignment with its
commit, and the import of the training code (scikit-learn here) on a host that had no use for it before.
A master is killed (-9) while a standby waits on the same database: until the standby says that it serves, and until it
has answered a client's first call.

How it could mislead: all processes are on one host. Where a whole host is lost the standby cannot see its rival's end,
and waits for `--takeover-after` (10 s); a client of a lost host first has to find out that nobody answers.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
from bench_turnaround import TRAINING
from figures import Figure, Result
from rungmaster.client import Client

LEASE = 5.0
WORKER_AIM, STANDBY_AIM = LEASE + 5.0, 5.0
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int = 3


def _until(true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain for {what}")
        time.sleep(0.02)


def _beginnings(marks: Path) -> list[float]:
    """When the trial's code began, each time."""
    lines = marks.read_text().splitlines() if marks.exists() else []
    return [mark["when"] for mark in map(json.loads, lines) if mark["what"] == "first"]


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def lost_workers(rounds: int) -> list[float]:
    """Seconds from each kill of the worker that trains until its trial begins on the other."""
    document = {
        "name": "endless",
        "entrypoint": "turning:train",
        "metric": {"name": "error", "goal": "minimize"},
        "hyperparameters": {"quality": 0.5, "seconds": 600.0},
        "searcher": {"name": "asha", "max_trials": 1, "max_resource": 1},
        "max_workers_lost": rounds,
    }
    gaps: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rungmaster-bench-")))
        address = stack.enter_context(processes.master(str(folder / "bench.db"), LEASE)).address
        client = stack.enter_context(Client(address))
        marks = folder / "marks"
        environment = {"PYTHONPATH": str(TRAINING), "CUDA_VISIBLE_DEVICES": "0", "TURNING_MARKS": str(marks)}
        log = stack.enter_context((folder / "worker.log").open("ab"))

        def start(name: str) -> subprocess.Popen[str]:
            options = ("--master", address, "--slots", "1", "--name", name, "--directory", str(folder))
            command = processes.rungmaster("worker", *options)
            worker = stack.enter_context(_running(command, env=os.environ | environment, stderr=log))
            _until(lambda: name in {worker.worker for worker in client.workers()}, f"worker {name}")
            return worker

        client.submit(document)
        holder = start("worker-0")
        _until(lambda: _beginnings(marks), "the first beginning")
        for number in range(1, rounds + 1):
            heir = start(f"worker-{number}")
            killed = time.monotonic()
            holder.send_signal(signal.SIGKILL)
            _until(lambda number=number: len(_beginnings(marks)) > number, "the trial on the other worker")
            gaps.append(_beginnings(marks)[number] - killed)
            holder = heir
    return gaps


def lost_masters(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds from each kill of a master until its standby serves, and until that has answered."""
    served: list[float] = []
    answered: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rungmaster-bench-")))
        command = processes.rungmaster("master", "--listen", "127.0.0.1:0", "--db", str(folder / "bench.db"))

        def start(word: str) -> subprocess.Popen[str]:
            master = stack.enter_context(_running(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            _fair_queue(master, word)
            return master

        owner = start("ready on ")
        for _ in range(rounds):
            standby = start("waiting: ")
            killed = time.monotonic()
            owner.send_signal(signal.SIGKILL)
            address = _fair_queue(standby, "ready on ").partition("ready on ")[2].split()[0]
            served.append(time.monotonic() - killed)
            with Client(address) as client:
                list(client.list())
            answered.append(time.monotonic() - killed)
            owner = standby
    return served, answered


def _fair_queue(master: subprocess.Popen[str], word: str) -> str:
    """The next line with this word."""
    assert master.stdout is not None
    for line in master.stdout:
        if word in line:
            return line
    raise RuntimeError(f"a master ended before it said {word!r}")


def measure(size: Size) -> Result:
    result = Result("recovery", __doc__ or "")
    result.figures.append(
        Figure(
            "worker killed: its trial begins elsewhere, slowest",
            gap := max(lost_workers(size.rounds)),
            "s",
            higher_is_better=False,
            floor=LEASE,
            floor_name="the lease",
            aim="within the lease and 5 s",
            met=gap < WORKER_AIM,
        )
    )
    served, answered = lost_masters(size.rounds)
    for name, values in (("serves", served), ("has answered a call", answered)):
        slowest, aim = max(values), f"within {STANDBY_AIM:.0f} s"
        result.figures.append(
            Figure(
                f"master killed: its standby {name}, slowest",
                slowest,
                "s",
                higher_is_better=False,
                aim=aim,
                met=slowest < STANDBY_AIM,
            )
        )
    return result


FULL = Size()
QUICK = Size(rounds=1)

if __name__ == "__main__":
    import page

    print(page.table([measure(QUICK if "--quick" in sys.argv else FULL)]))
