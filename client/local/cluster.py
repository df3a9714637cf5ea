"""A master and workers on this machine, for as long as one `run` takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from ...shared.errors import FailedPrecondition, RungmasterError
from ...shared.net.dashboards import DashboardChild
from .children import TAKEOVER_TIMEOUT_S, DashboardProcess, DatabaseTaken, LocalProcess, MasterProcess
from .database import shown

DRAIN_TIMEOUT_S = 30.0
"""Workers get this long to save checkpoints, when all is told to end."""

_CHECK_INTERVAL_S = 0.2


class LocalCluster:
    """A master, and once they are started `workers` workers with `slots` slots each, as child processes; a context
    manager. Entering it raises FailedPrecondition where the database has another master.

    A child that dies is started again, the master at the same address, where the workers find it. After five deaths
    within a minute `check` raises, and when every worker was drained. On leaving, the workers save checkpoints of what
    they train and give it back.
    """

    def __init__(self, database: str, workers: int, slots: int, log: Path) -> None:
        self._database = database
        self._master = MasterProcess(database, log)
        self._size = (workers, slots)
        self._log = log
        self._workers: list[LocalProcess] = []
        self._dashboard: DashboardProcess | None = None
        self._closing = threading.Event()
        self._failure: RungmasterError | None = None
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self.address = ""

    def __enter__(self) -> LocalCluster:
        try:
            self.address = self._start_master()
        except BaseException:
            self.kill()
            raise
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids, the master's first."""
        return tuple(child.pid for child in self._children())

    def check(self) -> None:
        """Raises RungmasterError where a child dies again and again."""
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Ends the workers, then the master. Interrupted, it kills them."""
        self._closing.set()
        try:
            self._keeper.join()
            self._end(self._workers, DRAIN_TIMEOUT_S)
            self._end([*([self._dashboard] if self._dashboard else []), self._master], DRAIN_TIMEOUT_S)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Ends all children at once, and for good; the next run goes on from the last checkpoints."""
        self._closing.set()
        for child in self._children():
            child.kill()

    def send_kill(self) -> None:
        """The same for a handler of signals: it waits for nothing, and `close` finds them ended."""
        self._closing.set()
        for child in self._children():
            child.send_kill()

    def _start_master(self) -> str:
        deadline = time.monotonic() + TAKEOVER_TIMEOUT_S
        while True:
            self._master.start()
            try:
                return self._master.wait_until_ready()
            except DatabaseTaken as error:
                if not error.leaves or time.monotonic() > deadline:
                    raise FailedPrecondition(error.advice(shown(self._database))) from None
                time.sleep(_CHECK_INTERVAL_S)

    def start_workers(self, experiment_id: int | None) -> None:
        """Starts the workers, for this experiment only, or for any."""
        number, slots = self._size
        only = [] if experiment_id is None else ["--experiment", str(experiment_id)]
        for index, gpus in enumerate(share_gpus(number, visible_gpus())):
            environment = None if gpus is None else {**os.environ, "CUDA_VISIBLE_DEVICES": gpus}
            name = f"worker-{index + 1}"
            arguments = ["worker", "--master", self.address, "--slots", str(slots), "--name", name, "--grace", "20"]
            worker = LocalProcess(name, [*arguments, *only], self._log, environment)
            worker.start()
            self._workers.append(worker)

    def start_dashboard(self, child: DashboardChild) -> str:
        """Starts a dashboard, and gives its address. Raises RungmasterError where it cannot start."""
        self._dashboard = DashboardProcess(child.arguments(self.address), self._log)
        self._dashboard.start()
        return self._dashboard.wait_until_ready()

    def _children(self) -> list[LocalProcess]:
        return [self._master, *self._workers, *([self._dashboard] if self._dashboard else [])]

    def _keep(self) -> None:
        while not self._closing.wait(_CHECK_INTERVAL_S):
            try:
                for child in self._children():
                    if child is self._dashboard:
                        self._keep_dashboard(child)
                    elif child.ended() and (child is self._master or not child.left):
                        child.start_again()
                if self._workers and all(worker.left for worker in self._workers):
                    raise RungmasterError(
                        "every worker has left, as somebody wanted; the search is kept: run it again to go on"
                    )
            except RungmasterError as error:
                self._failure = error
                return

    def _keep_dashboard(self, dashboard: LocalProcess) -> None:
        """Starts it again where it died; one that dies again and again is left, and the search goes on without it."""
        try:
            if dashboard.ended():
                dashboard.start_again()
        except RungmasterError:
            self._dashboard = None

    @staticmethod
    def _end(children: list[LocalProcess], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        for child in children:
            child.stop()
        for child in children:
            if not child.wait(deadline - time.monotonic()):
                child.kill()


def visible_gpus(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; none where there are none."""
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(part.strip() for part in named.split(",") if part.strip() and not part.strip().startswith("-"))
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        listing = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    gpus = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return tuple(str(index) for index in range(len(gpus)))


def share_gpus(workers: int, gpus: tuple[str, ...]) -> list[str | None]:
    """CUDA_VISIBLE_DEVICES for each worker, so that no two use the same GPU; with fewer GPUs than workers they share.

    None where there is no GPU to share out, and the environment stays as it is.
    """
    if not gpus:
        return [None] * workers
    if workers > len(gpus):
        return [gpus[index % len(gpus)] for index in range(workers)]
    return [",".join(gpus[index::workers]) for index in range(workers)]


def default_workers() -> int:
    """As many workers as GPUs, or where there is none as CPU cores, at most 4."""
    return len(visible_gpus()) or min(4, os.cpu_count() or 1)
