"""The dashboard that `master --dashboard` starts: a process of its own, which ends with this one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

from ..shared.net.dashboards import DashboardChild

log = logging.getLogger(__name__)

#: Seconds before one that has ended is started again; one that ended sooner than that was is given up.
PAUSE_S = 5.0


class DashboardKeeper:
    """Starts a dashboard once the master serves, and again where it dies. Its standard input is a pipe that nobody
    writes to, so that it ends when this process does, in whatever way. It says on standard output where it is."""

    def __init__(self, child: DashboardChild) -> None:
        self._child = child

    def start(self, address: str) -> None:
        """Begins, for a master at this address; does not wait."""
        threading.Thread(target=self._keep, args=(address,), name="dashboard", daemon=True).start()

    def _keep(self, address: str) -> None:
        while True:
            began = time.monotonic()
            command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", *self._child.arguments(address)]
            environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNGMASTER_")}
            process = subprocess.Popen(  # noqa: S603  our own program
                [*command, "--exit-with-parent"], stdin=subprocess.PIPE, env=environment, start_new_session=True
            )
            code = process.wait()
            if process.stdin is not None:
                process.stdin.close()
            if time.monotonic() - began < PAUSE_S:
                log.error("the dashboard could not start (exit code %d); the master goes on without it", code)
                return
            log.warning("the dashboard ended (exit code %d) and is started again", code)
            time.sleep(PAUSE_S)
