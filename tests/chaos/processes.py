"""Processes under a supervisor that does what systemd would: starts them again, whatever ended them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between an end and the next start.
PAUSE = 0.5


@dataclass(frozen=True)
class End:
    """How one run of a process ended; `told` says whether the harness had told it to."""

    name: str
    code: int
    told: bool
    last_words: str


class Unit:
    """One `rungmaster` command, kept running until `retire`."""

    def __init__(self, name: str, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.ends: list[End] = []
        self.log = folder / f"{name}.log"
        self._arguments = arguments
        self._folder = folder
        self._environment = dict(environment)
        self._told = False
        self._retired = threading.Event()
        self._popen = self._start()
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._told = False
        with self.log.open("ab") as log:
            return subprocess.Popen(
                # Its standard input ends with the harness, and it with that: nothing is left over.
                [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *self._arguments, "--exit-with-parent"],
                cwd=self._folder,
                env=os.environ | self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def _supervise(self) -> None:
        while True:
            code = self._popen.wait()
            if self._popen.stdin is not None:
                self._popen.stdin.close()
            self.ends.append(End(self.name, code, self._told, self.last_words()))
            if self._retired.wait(PAUSE):
                return
            self._popen = self._start()

    @property
    def pid(self) -> int:
        """Of its present run."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether a run of it is alive."""
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to its present run."""
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            self._told = True
        self._popen.send_signal(number)

    def reapers(self) -> list[psutil.Process]:
        """The one from which everything is started that a worker's present run trains."""
        return [process for process in _children(self.pid) if _runs("reaper", process)]

    def fork_servers(self) -> list[psutil.Process]:
        """The processes of a worker's present run from which its trials are forked."""
        supervisors = [process for reaper in self.reapers() for process in _children(reaper.pid)]
        return [child for each in supervisors for child in _children(each.pid) if _runs("fork_server", child)]

    def trainings(self) -> list[psutil.Process]:
        """The training processes of a worker's present run, forked or fresh, that have begun."""
        below = [process for reaper in self.reapers() for process in _children(reaper.pid, recursive=True)]
        return [process for process in below if _trains(process)]

    def supervisors(self) -> list[psutil.Process]:
        """The parents of its training processes."""
        with contextlib.suppress(psutil.Error):
            return [parent for each in self.trainings() if (parent := each.parent()) is not None]
        return []

    def retire(self) -> None:
        """Its present run is its last."""
        self._retired.set()

    def wait(self, seconds: float) -> int | None:
        """After `retire`: the exit code of the last run, None where it does not end in time."""
        self._thread.join(seconds)
        return None if self._thread.is_alive() else self.ends[-1].code

    def close(self) -> None:
        """Makes sure that it is gone."""
        self.retire()
        deadline = time.monotonic() + 30
        while self._thread.is_alive() and time.monotonic() < deadline:
            self.signal(signal.SIGKILL)
            self._thread.join(0.5)

    def last_words(self) -> str:
        """The last line that it logged."""
        lines = self.log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else ""


def _children(parent: int, *, recursive: bool = False) -> list[psutil.Process]:
    try:
        return psutil.Process(parent).children(recursive=recursive)
    except psutil.Error:
        return []


def _runs(program: str, process: psutil.Process) -> bool:
    try:
        return any(part.endswith(f"worker.process.{program}") for part in process.cmdline())
    except psutil.Error:
        return False


def _trains(process: psutil.Process) -> bool:
    """Whether it is the first process of a trial: of a session of its own, and printing into the trial's log."""
    try:
        log = Path(f"/proc/{process.pid}/fd/1").readlink()
        return os.getsid(process.pid) == process.pid and "logs" in log.parts and log.suffix == ".log"
    except OSError:
        return False
