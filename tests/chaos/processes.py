"""Processes under a supervisor that does what systemd would: starts them again, whatever ended them."""

from __future__ import annotations

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

    def fork_servers(self) -> list[psutil.Process]:
        """The processes of a worker's present run from which its trials are forked."""
        return _running("forkserver", self.pid)

    def trainings(self) -> list[psutil.Process]:
        """The training processes of a worker's present run: forked, or fresh."""
        forked = [process for server in self.fork_servers() for process in _running("", server.pid)]
        return forked + _running("child_main", self.pid)

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


def _running(program: str, parent: int) -> list[psutil.Process]:
    """The children of a process that run this program."""
    try:
        return [p for p in psutil.Process(parent).children() if any(program in part for part in p.cmdline())]
    except psutil.Error:
        return []
