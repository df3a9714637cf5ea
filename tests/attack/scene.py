"""A master under attack: with an honest worker, an honest prober, and attackers, each a process of its own."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from e2e.cluster import Process, free_port, toy_spec, wait_for
from integration.secure_cluster import ADMIN, VIEWER, WORKER, SecureCluster

from rungmaster.client import Client

#: Tokens of attackers; nobody else has them.
ROGUE, NOSY = ("rogue", "worker", "r" * 32), ("nosy", "viewer", "n" * 32)
#: Seconds of peace before an attack, and at most after it.
PEACE, AFTERMATH = 4.0, 30.0
#: How much more memory than before counts as "back".
BACK = 1.2
#: Files that a process may open by the usual soft limit.
SOFT_FILES = 1_024


@dataclass(slots=True)
class Sample:
    """One thing that an honest caller did: when, and how long it took; `error` where it failed."""

    at: float
    kind: str
    seconds: float
    error: str = ""


@dataclass(slots=True)
class Outcome:
    """What one attack came to. Times in seconds, sizes in bytes."""

    attack: str
    samples: list[Sample]
    began: float
    ended: float
    before: int
    peak: int
    after: int
    back_after: float | None
    told: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    def during(self, kind: str) -> list[Sample]:
        """What honest callers did while the attack lasted, and in the three seconds after it."""
        return [s for s in self.samples if s.kind == kind and self.began <= s.at + s.seconds and s.at <= self.ended + 3]


class Scene:
    """One master in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.cluster = SecureCluster(folder, lease_ttl_s=60.0)
        self.cluster.allow(ADMIN, WORKER, VIEWER, ROGUE, NOSY)
        self.folder = folder
        self.health = f"127.0.0.1:{free_port()}"
        self.experiment_id = 0
        self._master: Process | None = None

    def start(self, journal: int = 0) -> None:
        """Starts the master, with one experiment; its journal is made that long."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(SOFT_FILES, hard), hard))
        self._master = self._start()
        searcher = {"name": "asha", "max_trials": 1_000, "max_resource": 2**50, "max_rungs": 1}
        with Client(self.cluster.address, credentials=self.cluster.credentials(ADMIN)) as client:
            self.experiment_id = client.submit(toy_spec(self.folder, searcher=searcher)).experiment_id
        if journal:
            self._master.terminate()
            self._lengthen(journal)
            self._master = self._start()

    def _start(self) -> Process:
        return self.cluster.secure_master("--health-listen", self.health)

    def _lengthen(self, journal: int) -> None:
        data = json.dumps({"resource": 1, "decision": "continue", "reason": "to be long"})
        rows = [(self.experiment_id, number % 1_000, time.time(), "decision", data) for number in range(journal)]
        with sqlite3.connect(self.folder / "ledger.db") as connection:
            insert = "INSERT INTO events (experiment_id, trial_id, create_time, kind, data) VALUES (?, ?, ?, ?, ?)"
            connection.executemany(insert, rows)
        connection.close()

    @property
    def memory(self) -> int:
        """Resident bytes of the master."""
        assert self._master is not None
        return psutil.Process(self._master.popen.pid).memory_info().rss

    @property
    def alive(self) -> bool:
        """Whether the master still runs."""
        return self._master is not None and self._master.popen.poll() is None

    def suffer(self, attack: str, seconds: float, source: str) -> Outcome:
        """Lets an attack loose for so many seconds, and gives what everybody felt."""
        honest = Helper(self, "honest", self.cluster.address, self.health, str(self.folder))
        wait_for("the honest ones to begin", lambda: honest.lines)
        time.sleep(PEACE)
        before, log = self.memory, len(self._log)
        peak = Peak(self)
        began = time.time()
        attacker = Helper(
            self,
            "attackers",
            attack,
            self.cluster.address,
            str(self.folder),
            str(seconds),
            source,
            str(self.experiment_id),
        )
        attacker.wait(seconds + 60)
        ended = time.time()
        back_after = self._back(before * BACK, ended)
        after = self.memory
        peak.stop()
        honest.end()
        samples = [Sample(*json.loads(line)) for line in honest.lines if line.startswith("[")]
        told = attacker.lines
        return Outcome(attack, samples, began, ended, before, peak.bytes, after, back_after, told, self._log[log:])

    @property
    def _log(self) -> list[str]:
        assert self._master is not None
        return list(self._master.lines)

    def _back(self, limit: float, since: float) -> float | None:
        """Seconds until the master's memory was back; None where it was not in time."""
        time.sleep(3)
        while time.time() < since + AFTERMATH:
            if self.memory <= limit:
                return time.time() - since
            time.sleep(0.25)
        return None

    def close(self) -> None:
        """Ends the master."""
        self.cluster.close()


class Peak:
    """The most memory that the master had meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._over = threading.Event()
        self.bytes = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.bytes = max(self.bytes, self._scene.memory)

    def stop(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()


class Helper:
    """A module of this folder as a process, and the lines that it prints."""

    def __init__(self, scene: Scene, module: str, *arguments: str) -> None:
        path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", f"attack.{module}", *arguments],
            cwd=scene.folder,
            env=os.environ | {"PYTHONPATH": path, "GRPC_VERBOSITY": "NONE"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, seconds: float) -> None:
        """Waits for its end, and ends it where that takes too long."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._join()

    def end(self) -> None:
        """SIGTERM."""
        self._popen.send_signal(signal.SIGTERM)
        self.wait(30)

    def _join(self) -> None:
        self._popen.wait()
        self._reader.join()
        assert self._popen.stdout is not None
        self._popen.stdout.close()
