"""One run of chaos: a world, a search, a storm, peace, and the verdict."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster import wait_for

from rungmaster.shared.checkpoints.manifest import MANIFEST
from rungmaster.shared.errors import RungmasterError

from .databases import Postgresql, Sqlite
from .faults import KILLED_TRAINING, faults_for
from .processes import End
from .specs import SEARCHERS, marathon
from .store import differences, undeleted
from .storm import Storm
from .verdict import Evidence, Verdict, judge
from .world import World

#: Seconds that a search may take to end after the storm; generous, for machines that do other things as well.
PEACE = 600.0


@dataclass(frozen=True)
class Outcome:
    """What happened, and what came of it. Times in seconds."""

    struck: Counter[str]
    verdict: Verdict
    ends: list[End]
    findings: list[str]
    searches: int
    stormy: float
    peaceful: float
    #: What met a checkpoint store that was out of reach.
    met: Counter[str]

    @property
    def problems(self) -> list[str]:
        """Everything that should not be."""
        return [*self.verdict.problems, *self.findings]


def chaos(
    folder: Path,
    database: Sqlite | Postgresql,
    *,
    seconds: float,
    seed: int,
    workers: int = 3,
    seconds_per_epoch: float = 0.2,
    searcher: str = SEARCHERS[0],
    without: tuple[str, ...] = (),
) -> Outcome:
    """Lets searches run through a storm of so many seconds; whenever one ends early the next is submitted."""
    world = World(folder, database, workers=workers)
    try:
        storm = Storm(world, [f for f in faults_for(database) if f.name not in without], seed)
        customer = Customer(world, seed, max(12, int(seconds)), seconds_per_epoch, searcher)
        wait_for("the first epochs", lambda: world.epochs.exists() and len(world.epochs.read_bytes()) > 1000, 120)
        began = time.monotonic()
        storm.rage(seconds)
        calm = time.monotonic()
        customer.leave()
        world.note("the last search has ended")
        wait_for("the end of what was damaged", world.be_rid_of_damaged, PEACE)
        world.note("what was damaged has ended")
        wait_for("the end of what nobody can run", lambda: world.unfinished() == [], PEACE)
        ended = time.monotonic()
        world.note("what nobody can run has ended")
        wait_for("the deletion of what is not needed", lambda: not undeleted(world.evidence()), PEACE)
        world.note("what is not needed was deleted")
        world.drain()
        left_over = world.left_over()
        evidence = world.evidence()
        left_over += differences(database.url, folder, world.storage, evidence, world.breakage)
        verdict = judge(evidence)
        findings = [*world.findings, *storm.errors, *customer.refusals, *_tracebacks(folder)]
        findings += [*left_over, *_violations(database.url, world.damaged)]
        if verdict.leases["failed"] > storm.struck[KILLED_TRAINING]:
            findings.append("more trials failed than training processes were killed: something else counts as failure")
        times = calm - began, ended - calm
        return Outcome(storm.struck, verdict, world.ends, findings, customer.served, *times, _met(world, evidence))
    finally:
        world.close()


class Customer(threading.Thread):
    """Submits a search, and whenever one has ended the next, so that there is something to harm all the time."""

    def __init__(self, world: World, seed: int, max_trials: int, seconds_per_epoch: float, searcher: str) -> None:
        super().__init__(daemon=True)
        self.served = 0
        self.refusals: list[str] = []
        self._world = world
        self._seed = seed
        self._max_trials = max_trials
        self._seconds_per_epoch = seconds_per_epoch
        self._searcher = searcher
        self._leaving = False
        self.start()

    def run(self) -> None:
        """Ends with the first search that ends after `leave`."""
        try:
            while not self._leaving:
                self._search()
        except (AssertionError, RungmasterError) as error:
            self.refusals.append(f"search {self.served + 1} did not end well: {error}")

    def _search(self) -> None:
        spec = marathon(
            self._world.storage,
            max_trials=self._max_trials,
            seconds_per_epoch=self._seconds_per_epoch,
            seed=self._seed + self.served,
            searcher=self._searcher,
        )
        search = self._world.submit(spec)
        wait_for(f"the end of search {search}", lambda: self._world.ended(search), PEACE)
        self.served += 1

    def leave(self) -> None:
        """Returns when the search that is under way has ended."""
        self._leaving = True
        self.join(PEACE)


def _met(world: World, evidence: Evidence) -> Counter[str]:
    """By the ledger, whose trials were to be loaded; by the workers' logs, which tell of an outage once, the rest."""
    loads = sum(
        row.from_resource > 0 and any(began <= row.start_time <= ended for began, ended in world.outages)
        for row in evidence.rows["leases"]
    )
    met = Counter(loads=loads, saves=0, deletions=0)
    for name in world.workers:
        for line in (world.folder / f"{name}.log").read_text(errors="replace").splitlines():
            met["deletions"] += "cannot be deleted" in line
            met["saves"] += "what needs it waits" in line and MANIFEST not in line
    return met


def _tracebacks(folder: Path) -> list[str]:
    """No fault may surprise a master or a worker: what it expects it tells in a line."""
    return [
        f"{log.name} has a traceback, at line {number}"
        for log in sorted(folder.glob("*.log"))
        for number, line in enumerate(log.read_text(errors="replace").splitlines(), 1)
        if line.startswith("Traceback")
    ]


def _violations(url: str, damaged: Collection[int]) -> list[str]:
    """What `rungmaster db check` has against the database, but that specs were damaged which were."""
    command = [sys.executable, "-P", "-m", "rungmaster.client.cli.main", "db", "check", "--db", url]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    if checked.returncode == 0:
        return []
    told = tuple(f"experiment {number}: its spec is refused: " for number in damaged)
    lines = [line for line in checked.stdout.splitlines() if not line.startswith(told)]
    # The last line counts those before it.
    return [f"db check: {line}" for line in (*lines[:-1], *checked.stderr.splitlines())]
