"""Child processes of `run`: they end when this process does, and are started again when they die before that."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...shared.errors import RungmasterError

READY_TIMEOUT_S = 60.0
"""A master that has not said that it is ready by then has failed."""

DEATHS = 5
"""A child that ends this often within `DEATHS_WITHIN_S` seconds is not started again."""

DEATHS_WITHIN_S = 60.0

LEASE_TTL_S = 15.0
"""On one machine a worker that is silent this long is dead, and another takes its trials."""

TAKEOVER_TIMEOUT_S = 15.0
"""The master of a run that was killed takes at most this long to end."""

_READY = re.compile(r"rungmaster master ready on (\S+) \(term (\d+)\)")
_DASHBOARD_READY = re.compile(r"rungmaster dashboard ready on (\S+)")
_TAKEN = re.compile(r"Error: (.+) owns the database \(term \d+\)")
_TAIL_BYTES = 4096


#: How to reach other masters; the children of a run speak with each other only, on this machine.
_CREDENTIALS = re.compile(r"RUNGMASTER_(TLS|TOKEN)")


_RUN = re.compile(r"rungmaster run \(pid (\d+) on (.+)\)")


def run_name() -> str:
    """What the master of this process's run is called in the database."""
    return f"rungmaster run (pid {os.getpid()} on {socket.gethostname()})"


class DatabaseTaken(RungmasterError):
    """Another master uses the database; `holder` says who that is."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"{holder} uses the database")
        self.holder = holder
        self._run = _RUN.fullmatch(holder)

    @property
    def leaves(self) -> bool:
        """Whether that is the master of a run on this machine that was killed: such a master is about to end."""
        return self._run is not None and self._run[2] == socket.gethostname() and not _lives(int(self._run[1]))

    def advice(self, database: str) -> str:
        """The same for somebody who may never have heard of a master, with what to do."""
        if self._run is None:
            return (
                f"a master ({self.holder}) runs on {database}: give it this search with `rungmaster submit`, or use "
                "another --db"
            )
        where = f"pid {self._run[1]}" + ("" if self._run[2] == socket.gethostname() else f" on {self._run[2]}")
        return (
            f"another `rungmaster run` ({where}) uses {database}: look at it with `rungmaster status`, or use another "
            "--db"
        )


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what is meant for other masters."""
    return {name: value for name, value in environment.items() if not _CREDENTIALS.match(name)}


class LocalProcess:
    """One `rungmaster` process. Its standard input is a pipe that nobody writes to: when this process ends, by
    whatever means, the pipe closes and the child ends too. It gets no signals of this terminal.
    """

    _speaks = False

    def __init__(self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None):
        self.name = name
        self.arguments = list(arguments)
        self._log = log
        self._environment = environment
        self._deaths: list[float] = []
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the child that runs now, or ran last; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Starts the process; both its outputs go to the log."""
        self.stop()
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *self.arguments, "--exit-with-parent"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self._speaks else log,
                stderr=log,
                env=child_environment(os.environ if self._environment is None else self._environment),
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether it was started and runs no more."""
        return self._process is not None and self._process.poll() is not None

    @property
    def left(self) -> bool:
        """Whether it ended of itself, with everything done: a worker that was drained."""
        return self._process is not None and self._process.poll() == 0

    def start_again(self) -> None:
        """Starts it after it died. Raises RungmasterError where it dies again and again."""
        now = time.monotonic()
        self._deaths = [*(death for death in self._deaths if now - death < DEATHS_WITHIN_S), now]
        if len(self._deaths) >= DEATHS:
            raise RungmasterError(f"the {self.name} ended {DEATHS} times within a minute: {self.last_words()}")
        self.start()

    def stop(self) -> None:
        """Tells it to end, by closing its standard input; does not wait."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self, timeout_s: float) -> bool:
        """Waits for its end, at most this long; whether it has ended."""
        try:
            if self._process is not None:
                self._process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Ends it at once."""
        self.send_kill()
        if self._process is not None:
            self._process.wait()
            self.stop()

    def send_kill(self) -> None:
        """The same without waiting for it, as a handler of signals must not: whom it interrupts may be waiting."""
        if self._process is not None:
            self._process.kill()

    def last_lines(self) -> list[str]:
        """The end of what it wrote to the log."""
        with self._log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, 2) - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip().splitlines()

    def last_words(self) -> str:
        """Its exit code and the last line of its log, with where the rest can be read."""
        lines = self.last_lines()
        code = self._process.returncode if self._process else None
        last = lines[-1].removeprefix("Error: ") if lines else "it wrote nothing"
        return f"{last} (exit code {code}; more in {self._log})"


class SpeakingProcess(LocalProcess):
    """One that says on its standard output when it is ready, and where; what it says goes to the log as well."""

    _speaks = True
    _ready_line = _READY

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        super().__init__(name, arguments, log)
        self._ready = threading.Event()
        self._reader: threading.Thread | None = None
        self.address = ""

    def start(self) -> None:
        """Starts the process, and a thread that reads its output into the log."""
        super().start()
        self._reader = threading.Thread(target=self._read, name=f"{self.name}-output", daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> str:
        """The address at which it serves. Raises RungmasterError where it fails or takes too long."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._ready.wait(0.05):
            if self.ended():
                self._failed()
                raise RungmasterError(f"the {self.name} could not start: {self.last_words()}")
            if time.monotonic() > deadline:
                waited = f"{READY_TIMEOUT_S:.0f} s"
                raise RungmasterError(f"the {self.name} was not ready after {waited}: {self.last_words()}")
        return self.address

    def wait(self, timeout_s: float) -> bool:
        """Waits for its end and that of its output, at most this long; whether it has ended."""
        ended = super().wait(timeout_s)
        if ended and self._reader is not None:
            self._reader.join(1.0)
        return ended

    def _failed(self) -> None:
        """Raises what says more about why it ended before it was ready, if anything does."""

    def _is_ready(self) -> None:
        """Called when it has said where it is."""

    def _read(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        with self._process.stdout as output:
            for line in output:
                with self._log.open("ab") as log:
                    log.write(line)
                found = self._ready_line.search(line.decode(errors="replace"))
                if found:
                    self.address = found.group(1)
                    self._is_ready()
                    self._ready.set()


class MasterProcess(SpeakingProcess):
    """The embedded master: its first line of output tells the address, which stays the same when it is restarted."""

    def __init__(self, database: str, log: Path) -> None:
        super().__init__(
            "master",
            [
                *("master", "--no-standby", "--db", database, "--holder", run_name()),
                *("--lease-ttl", f"{LEASE_TTL_S:g}", "--listen", "127.0.0.1:0"),
            ],
            log,
        )

    def _failed(self) -> None:
        if taken := next(filter(None, map(_TAKEN.search, reversed(self.last_lines()))), None):
            raise DatabaseTaken(taken.group(1))

    def _is_ready(self) -> None:
        self.arguments[-1] = self.address


class DashboardProcess(SpeakingProcess):
    """The dashboard of a run, which is found at the same address when it is restarted."""

    _ready_line = _DASHBOARD_READY

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        super().__init__("dashboard", arguments, log)

    def _is_ready(self) -> None:
        listen = self.arguments.index("--listen") + 1
        self.arguments[listen] = self.address.partition("//")[2].rstrip("/")
