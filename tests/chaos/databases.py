"""The databases under test, and what can be done to them from outside."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import psycopg

    from ..conftest import PostgresqlServer

#: Longer than the master waits for a lock (5 s).
LONG_LOCK = 7.0


class Sqlite:
    """A file in a folder of its own, on a small disk of its own where this user may mount one."""

    kind = "sqlite"

    def __init__(self, folder: Path, *, small_disk: bool = False) -> None:
        self._disk = folder / "disk"
        self._disk.mkdir()
        self.mounted = small_disk and _mount(self._disk)
        self.folder = self._disk / "database"
        self.folder.mkdir()
        self.url = f"sqlite:///{self.folder / 'chaos.db'}"

    def lock(self, seconds: float) -> None:
        """Another program holds the write lock."""
        connection = sqlite3.connect(self.folder / "chaos.db", timeout=30, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
        finally:
            connection.close()

    def execute(self, statement: str) -> None:
        """Somebody changes it by hand, beside the master."""
        with contextlib.closing(sqlite3.connect(self.folder / "chaos.db", timeout=30)) as connection, connection:
            connection.execute(statement)

    def fill(self, seconds: float) -> None:
        """The disk is full for a while; only where it is a small one of its own."""
        ballast = self._disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as stream:
                while True:
                    stream.write(bytes(4096))
        except OSError:
            time.sleep(seconds)
        finally:
            ballast.unlink()

    @property
    def can_forbid_writing(self) -> bool:
        """Root writes wherever it likes, except where a disk of its own can be made read-only."""
        return self.mounted or os.geteuid() != 0

    def forbid_writing(self, seconds: float) -> bool:
        """The folder is read-only for a while; False where it could not be made so, because something is open there."""
        deadline = time.monotonic() + 2
        while not self._writable(False):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        try:
            time.sleep(seconds)
        finally:
            self._writable(True)
        return True

    def _writable(self, yes: bool) -> bool:
        if not self.mounted:
            for path in self.folder.iterdir():
                path.chmod(0o644 if yes else 0o444)
            self.folder.chmod(0o755 if yes else 0o555)
            return True
        command = ["mount", "-o", f"remount,{'rw' if yes else 'ro'}", str(self._disk)]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def move_away(self, seconds: float) -> None:
        """The folder is not there for a while, like that of a file system that is not mounted."""
        away = self.folder.rename(self._disk / "away")
        try:
            time.sleep(seconds)
        finally:
            away.rename(self.folder)

    def close(self) -> None:
        """Gives the small disk back."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", str(self._disk)], check=False)


def _mount(folder: Path) -> bool:
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "rungmaster-chaos", str(folder)]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def forbid_growth(pid: int, seconds: float) -> None:
    """Every write of a process to a file fails (EFBIG) for a while: an I/O error, as from a broken disk."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        time.sleep(seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


class Postgresql:
    """A database of a real server."""

    kind = "postgresql"
    mounted = False

    def __init__(self, server: PostgresqlServer, url: str) -> None:
        self._server = server
        self._name = urlsplit(url).path.removeprefix("/")
        self.url = url

    def lock(self, seconds: float) -> None:
        """Another session holds the lock on the row that every transaction of the master takes first."""
        with self._connection() as connection:
            connection.execute("SELECT term FROM mastership FOR UPDATE")
            time.sleep(seconds)

    def execute(self, statement: str) -> None:
        """Somebody changes it by hand, beside the master."""
        with self._connection() as connection:
            connection.execute(statement.encode())

    def _connection(self) -> psycopg.Connection[Any]:
        """Once the server takes one: it may recover from the crash before."""
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                return psycopg.connect(self.url)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def terminate_sessions(self) -> int:
        """Ends the master's sessions, whatever they are doing."""
        return len(
            self._ask(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
                " AND application_name = 'rungmaster'"
            )
        )

    def restart(self, seconds: float) -> None:
        """Stops the server, and starts it again after a while."""
        self._server.stop()
        try:
            time.sleep(seconds)
        finally:
            self._server.start()

    def crash(self) -> None:
        """Kills one of its processes: the server ends all sessions and recovers from its log."""
        rows = self._ask(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{self._name}' AND backend_type = 'client backend'"
        )
        for (pid,) in rows[:1]:
            os.kill(pid, signal.SIGKILL)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of an answer; none from a server that is still recovering from the crash before."""
        import psycopg

        try:
            return self._server.execute(statement)
        except psycopg.OperationalError:
            return []

    def close(self) -> None:
        """The server is somebody else's."""
