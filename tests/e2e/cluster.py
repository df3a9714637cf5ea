"""Starts real masters and workers as processes of their own, and kills them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

TRAINING = Path(__file__).parent / "training"
T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T | None], seconds: float = 60.0) -> T:
    """The first true value of the condition; fails with `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


#: A hyperparameter of few values. A master that draws no other kind needs no ConfigSpace, whose import takes as long as
#: all else of its start. Floats are for tests in which they matter, and for most of test_search.py.
QUALITY: dict[str, Any] = {"type": "categorical", "choices": [number / 100 for number in range(100)]}
FLOATS: dict[str, Any] = {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds_per_epoch": 0.0}


def toy_spec(storage: Path, **changes: Any) -> str:
    """A spec over the toy training program, as YAML."""
    spec: dict[str, Any] = {
        "name": "toy",
        "entrypoint": "toy:train",
        "metric": {"name": "error", "goal": "minimize"},
        "unit": "epochs",
        "hyperparameters": {"quality": QUALITY, "seconds_per_epoch": 0.0},
        "searcher": {"name": "adaptive_asha", "mode": "standard", "max_trials": 16, "max_resource": 9, "divisor": 3},
        "checkpoints": {"storage": str(storage), "interval": 0},
        "seed": 1,
    }
    return yaml.safe_dump(spec | changes)


class Process:
    """A child process whose output is kept, and shown when a test fails."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        cwd: Path,
        environment: dict[str, str],
        program: Sequence[str] = ("-m", "rungmaster.client.cli.main"),
        inside: Sequence[str] = (),
    ) -> None:
        """`inside` is what has to stand before a command for it to run where it belongs."""
        self.name = name
        self.lines: list[str] = []
        self.popen = subprocess.Popen(
            [*inside, sys.executable, "-P", *program, *arguments],
            cwd=cwd,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip("\n"))
            print(f"[{self.name}] {line}", end="")

    def wait_for_line(self, part: str, seconds: float = 30.0) -> str:
        """The first line that contains `part`."""

        def found() -> str | None:
            line = next((line for line in self.lines if part in line), None)
            assert line or self.popen.poll() is None, f"{self.name} ended with {self.popen.returncode}: {self.lines}"
            return line

        return wait_for(f"{part!r} from {self.name}", found, seconds)

    def kill(self) -> None:
        """kill -9, at once."""
        self.popen.kill()
        self.popen.wait()

    def terminate(self, seconds: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)

    def close(self) -> None:
        """Makes sure that it is gone."""
        if self.popen.poll() is None:
            self.kill()
        self._reader.join(5)
        if self.popen.stdout is not None:
            self.popen.stdout.close()


class Cluster:
    """A master and workers over loopback, on one database, in one folder."""

    def __init__(self, folder: Path, database: str, lease_ttl_s: float = 5.0) -> None:
        self.folder = folder
        self.database = database
        self.lease_ttl_s = lease_ttl_s
        self.address = f"127.0.0.1:{free_port()}"
        # What stands there already may be a copy of the product to be tested instead of this one.
        path = os.pathsep.join(filter(None, [str(TRAINING), os.environ.get("PYTHONPATH")]))
        self.environment = {"TOY_LOG": str(folder / "epochs.log"), "PYTHONPATH": path}
        self.processes: list[Process] = []

    def start(self, name: str, *arguments: str) -> Process:
        """Starts a rungmaster command."""
        process = Process(name, list(arguments), self.folder, self.environment)
        self.processes.append(process)
        return process

    def master(self) -> Process:
        """Starts a master and waits until it serves."""
        process = self.start(
            "master", "master", "--listen", self.address, "--db", self.database, "--lease-ttl", str(self.lease_ttl_s)
        )
        process.wait_for_line("ready on")
        return process

    def worker(self, name: str, slots: int = 1) -> Process:
        """Starts a worker."""
        return self.start(name, "worker", "--master", self.address, "--slots", str(slots), "--name", name)

    def close(self) -> None:
        """Ends everything."""
        for process in reversed(self.processes):
            process.close()
