"""A worker as a process of its own, for a scripted master."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...shared.errors import RungmasterError

#: Seconds that a worker has to end.
_ENDING_S = 10.0


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker that runs, or did."""

    process: subprocess.Popen[bytes]
    log: Path
    #: When it should be done, and how many seconds it has for that from its start.
    deadline: float
    timeout_s: float

    def check(self) -> None:
        """Raises RungmasterError where it has ended, and TimeoutError where its time is over."""
        if self.process.poll() is not None:
            raise RungmasterError(f"the worker ended with exit code {self.process.returncode}: {self._last_words()}")
        if time.monotonic() > self.deadline:
            raise TimeoutError(f"not every trial has ended within {self.timeout_s:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace").strip()[-2000:]


@contextmanager
def run_worker(address: str, directory: Path, logs: Path, timeout_s: float) -> Iterator[WorkerProcess]:
    """Runs a worker with one slot that knows of no other master; it ends with the block, and with this process."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "worker.log"
    arguments = ["--master", address, "--directory", str(directory.resolve()), "--logs", str(logs), "--slots", "1"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "worker", *arguments, "--exit-with-parent"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("RUNGMASTER_")},
            start_new_session=True,
        )
    try:
        yield WorkerProcess(process, log, time.monotonic() + timeout_s, timeout_s)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
