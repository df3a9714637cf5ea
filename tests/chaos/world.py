"""A master, workers and the network between them, all of which can be harmed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import psutil
from e2e.cluster import free_port, wait_for
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from rungmaster.client import Client
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import RungmasterError
from rungmaster.shared.wire.model import Experiment, ExperimentState

from .breakage import WAYS, Breakage
from .databases import Postgresql, Sqlite
from .processes import End, Unit
from .proxy import Proxy
from .specs import MARATHON, hasty
from .verdict import Evidence, gather

TRAINING = Path(__file__).parent / "training"
#: Seconds; short, so that faults bite.
LEASE_TTL = 2.0
#: Seconds that whoever was harmed is left alone at most, while nothing comes of it yet.
RECOVERY = 10.0
#: Seconds that a standby waits for a master that stands still; on SQLite it may hold the lock for all that time.
TAKEOVER = 15.0


class World:
    """Everything that runs, and what it wrote down."""

    def __init__(self, folder: Path, database: Sqlite | Postgresql, *, workers: int, slots: int = 2) -> None:
        self.folder = folder
        self.database = database
        self.acknowledged = folder / "acknowledged"
        self.epochs = folder / "epochs"
        self.storage = folder / "checkpoints"
        self._store = folder / "checkpoints.store"
        self._store.mkdir()
        self._lead_storage_to(self._store)
        self.findings: list[str] = []
        self.breakage = Breakage()
        #: When the checkpoint store was out of reach, in seconds since the epoch.
        self.outages: list[tuple[float, float]] = []
        #: The experiments whose stored spec was damaged.
        self.damaged: list[int] = []
        self._retired: list[Unit] = []
        self._masters = 0
        self.master, self.port = self._start_master()
        self.proxies = {f"worker-{n}": Proxy(("127.0.0.1", self.port)) for n in range(1, workers + 1)}
        self.workers = {name: self._start_worker(name, slots) for name in self.proxies}
        self._claiming = threading.Lock()
        self._claimed: set[str] = set()
        #: When each was harmed last, and how much had been acknowledged then.
        self._harmed: dict[str, tuple[float, int]] = {}

    def _lead_storage_to(self, place: Path) -> None:
        """In one step, so that nobody can make a folder of that name in between."""
        leading = self.folder / "checkpoints.leading"
        leading.symlink_to(place)
        leading.replace(self.storage)

    def take_storage_away(self, seconds: float) -> None:
        """No path in the checkpoint store can be reached for so long (ELOOP, as with a handle that is stale)."""
        began = time.time()
        self._lead_storage_to(self.storage)
        time.sleep(seconds)
        self._lead_storage_to(self._store)
        self.outages.append((began, time.time()))

    def _start_master(self) -> tuple[Unit, int]:
        self._masters += 1
        port = free_port()
        arguments = ["master", "--listen", f"127.0.0.1:{port}", "--db", self.database.url]
        arguments += ["--lease-ttl", str(LEASE_TTL), "--grace", "1", "--takeover-after", "4"]
        return Unit(f"master-{self._masters}", arguments, self.folder, {}), port

    def _start_worker(self, name: str, slots: int) -> Unit:
        arguments = ["worker", "--master", self.proxies[name].address, "--slots", str(slots), "--name", name]
        environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(TRAINING), os.environ.get("PYTHONPATH")))),
            "MARATHON_LOG": str(self.epochs),
            "RUNGMASTER_ACKNOWLEDGED": str(self.acknowledged),
        }
        return Unit(name, [*arguments, "--grace", "5", "--connect-timeout", "600"], self.folder, environment)

    @property
    def units(self) -> list[Unit]:
        """Everything that is kept running."""
        return [self.master, *self.workers.values()]

    @property
    def ends(self) -> list[End]:
        """How all runs of all processes ended so far."""
        return [end for unit in [*self._retired, *self.units] for end in unit.ends]

    def note(self, what: str, since: datetime | None = None) -> None:
        """Writes down when something happened, or began and ended."""
        began = f"{since:%H:%M:%S.%f} to " if since is not None else ""
        with (self.folder / "faults.log").open("a") as log:
            log.write(f"{began}{datetime.now():%H:%M:%S.%f} {what}\n")

    def claim(self, names: Sequence[str], *, merciful: bool) -> bool:
        """Nobody else harms these until `release`; False where somebody does now, or they are down already.

        Merciful: or where they have not come to anything since they were harmed last.
        """
        with self._claiming:
            if self._claimed & {*names} or ({"master", "database"} & {*names} and not self.serving):
                return False
            if merciful and not all(map(self._has_recovered, names)):
                return False
            self._claimed |= {*names}
            return True

    def release(self, names: Sequence[str]) -> None:
        """They may be harmed again."""
        with self._claiming:
            self._claimed -= {*names}
            self._harmed |= dict.fromkeys(names, (time.monotonic(), self._acknowledged_so_far))

    def _has_recovered(self, name: str) -> bool:
        """Whether a worker trains, and from the master something was heard, since they were harmed."""
        harmed_at, acknowledged = self._harmed.get(name, (-RECOVERY, -1))
        if time.monotonic() - harmed_at > RECOVERY:
            return True
        if name in self.workers:
            return bool(self.workers[name].trainings())
        return self._acknowledged_so_far > acknowledged

    @property
    def _acknowledged_so_far(self) -> int:
        return self.acknowledged.stat().st_size if self.acknowledged.exists() else 0

    def trains(self) -> bool:
        """Whether any worker trains."""
        return any(unit.trainings() for unit in self.workers.values())

    def client(self) -> Client:
        """A client of the present master, past the proxies; it may be replaced at any moment."""
        return Client(f"127.0.0.1:{self.port}", timeout=5)

    def submit(self, spec: str) -> int:
        """Gives a spec to whichever master there is, as often as it takes; gives the experiment's number."""
        request_id = os.urandom(8).hex()

        def submitted() -> int | None:
            try:
                with self.client() as client:
                    return client.submit(spec, request_id=request_id).experiment_id
            except RungmasterError:
                return None

        return wait_for("the submission", submitted, 120)

    def experiment(self, experiment_id: int) -> Experiment | None:
        """As the database has it; None while it cannot be read."""
        reader = Reader(self.database.url, timeout_s=5)
        try:
            return reader.get_experiment(experiment_id)
        except RungmasterError:
            return None
        finally:
            reader.close()

    def ended(self, experiment_id: int) -> Experiment | None:
        """The experiment, once it has ended."""
        found = self.experiment(experiment_id)
        return found if found is not None and found.state.ended else None

    def submit_in_haste(self, seed: int) -> int:
        """A search that nobody waits for."""
        return self.submit(hasty(self.storage, seed))

    def damage_spec(self, number: int, change: Callable[[dict[str, Any]], Any]) -> None:
        """The master is killed, and the next one finds the stored spec of a search damaged."""
        stored = wait_for("the stored spec", lambda: self.experiment(number), 60)
        damaged = json.dumps(change(dict(stored.spec)))
        self.master.signal(signal.SIGKILL)
        self.database.execute(f"UPDATE experiments SET spec = '{damaged}' WHERE experiment_id = {number}")
        self.damaged.append(number)
        # The next may have begun with the spec as it was.
        self.master.signal(signal.SIGKILL)

    def be_rid_of_damaged(self) -> bool:
        """Cancels what is paused, since its spec is damaged; whether all of that kind has ended."""
        for number in self.damaged:
            found = self.experiment(number)
            if found is not None and found.state is ExperimentState.PAUSED:
                self.cancel(number)
        return all(self.ended(number) for number in self.damaged)

    def break_checkpoints(self, random: Random, ways: Iterable[str] = tuple(WAYS)) -> list[str]:
        """Damages the newest checkpoints of some trials that have a whole one beside it; gives their addresses."""
        return self.breakage.strike(self.checkpoints(MARATHON), random, ways)

    def checkpoints(self, name: str) -> list[Row[Any]]:
        """Those that the ledger has of the experiments of this name; none while it cannot be read."""
        try:
            return self.evidence().of(name).rows["checkpoints"]
        except (RungmasterError, DBAPIError):
            return []

    def evidence(self) -> Evidence:
        """What there is to hold against each other now."""
        return gather(self.database.url, self.acknowledged, self.epochs, frozenset(self.breakage.broken))

    def cancel(self, experiment_id: int) -> None:
        """Whichever master there is cancels it, as often as it takes."""

        def cancelled() -> bool:
            try:
                with self.client() as client:
                    client.cancel(experiment_id)
            except RungmasterError:
                return self.ended(experiment_id) is not None
            return True

        wait_for("the cancellation", cancelled, 120)

    def left_over(self) -> list[str]:
        """The processes that trials have started and that still run."""
        found: list[str] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                line = process.cmdline()
                if f"daemon of {self.epochs}" in line or process.environ().get("MARATHON_LOG") == str(self.epochs):
                    found.append(f"process {process.pid} is left over: {line}")
        return found

    def unfinished(self) -> list[int] | None:
        """The experiments that have not ended; None while the database cannot be read."""
        reader = Reader(self.database.url, timeout_s=5)
        try:
            return [each.experiment_id for each in reader.list_experiments([ExperimentState.ACTIVE])[0]]
        except RungmasterError:
            return None
        finally:
            reader.close()

    def replace_master(self, random: Random) -> None:
        """The master stands still, its standby takes over, and then the old one wakes up and must leave."""
        old = self.master
        old.retire()
        old.signal(signal.SIGSTOP)
        self._retired.append(old)
        self.master, self.port = self._start_master()
        if not self._served_within(TAKEOVER):
            old.signal(signal.SIGKILL)
            self._served_within(TAKEOVER)
        for proxy in self.proxies.values():
            proxy.target = ("127.0.0.1", self.port)
            proxy.cut()
        time.sleep(random.uniform(0, 2))
        old.signal(signal.SIGCONT)
        self._see_off(old)

    def _see_off(self, old: Unit) -> None:
        """A master that was replaced leaves by itself; one that had only begun to start is a standby now."""
        deadline = time.monotonic() + 30
        while old.wait(0.2) is None and time.monotonic() < deadline:
            if "master waiting:" in old.last_words():
                old.signal(signal.SIGTERM)
        if old.wait(0) is None:
            self.findings.append(f"{old.name} was replaced, woke up and did not leave: {old.last_words()}")

    def _served_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (serving := self.serving) and time.monotonic() < deadline:
            time.sleep(0.1)
        return serving

    @property
    def serving(self) -> bool:
        """Whether there is a master that can be reached."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def drain(self) -> None:
        """Everything ends as it would on a quiet evening: workers first, then the master; all with exit code 0."""
        for unit in self.units[::-1]:
            unit.retire()
            unit.signal(signal.SIGTERM)
            code = unit.wait(60)
            if code != 0:
                self.findings.append(f"{unit.name} ended with {code} instead of 0 in peace: {unit.last_words()}")

    def close(self) -> None:
        """Makes sure that nothing is left running."""
        for unit in [*self.units, *self._retired]:
            unit.close()
        for proxy in self.proxies.values():
            proxy.close()
        self.database.close()
