"""A deployment on hosts of its own: PostgreSQL, a master, its standby, and three workers, each with an address."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from chaos.specs import marathon
from chaos.verdict import Verdict, gather, judge
from chaos.world import TRAINING
from e2e.cluster import Process, wait_for

from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.errors import RungmasterError
from rungmaster.shared.wire.model import Experiment, Lease, TrialInfo, TrialOrder

from .lan import Lan
from .postgresql_host import HostedPostgresql
from .switch import Way

DATABASE, HEAD, SPARE = "database", "head", "spare"
WORKERS = ("worker-1", "worker-2", "worker-3")
#: In which directions something is lost between two hosts.
DIRECTIONS = ("both ways", "there", "back")
#: Seconds for what takes some timeouts of TCP, gRPC and leases, on a busy machine.
PATIENCE_S = 120.0


class Site:
    """All of it. What it writes is in `folder`, PostgreSQL's in `short`, which must be a short path."""

    def __init__(self, folder: Path, short: Path, *, lease_ttl_s: float = 30.0, takeover_after_s: float = 10.0) -> None:
        self.folder = folder
        self.storage = folder / "checkpoints"
        self.processes: dict[str, Process] = {}
        self._acknowledged, self._epochs = folder / "acknowledged", folder / "epochs"
        self._terms = ("--lease-ttl", f"{lease_ttl_s:g}", "--takeover-after", f"{takeover_after_s:g}", "--grace", "1")
        self._postgresql: HostedPostgresql | None = None
        self.lan = Lan((DATABASE, HEAD, SPARE, *WORKERS))
        try:
            self._postgresql = HostedPostgresql(self.lan[DATABASE], short)
            wait_for("PostgreSQL", self.postgresql.answers)
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def postgresql(self) -> HostedPostgresql:
        """The database's server."""
        assert self._postgresql is not None
        return self._postgresql

    @property
    def masters(self) -> str:
        """Both masters, as workers and clients are given them."""
        return ",".join(f"{self.lan[name].address}:50051" for name in (HEAD, SPARE))

    def _start(self) -> None:
        self.start_master(HEAD).wait_for_line("ready on", PATIENCE_S)
        self.start_master(SPARE).wait_for_line("waiting:", PATIENCE_S)
        environment = {"MARATHON_LOG": str(self._epochs), "RUNGMASTER_ACKNOWLEDGED": str(self._acknowledged)}
        path = os.pathsep.join(filter(None, (str(TRAINING), os.environ.get("PYTHONPATH"))))
        for name in WORKERS:
            arguments = ["worker", "--master", self.masters, "--name", name, "--slots", "1", "--grace", "10"]
            self._run(name, arguments, environment | {"PYTHONPATH": path})
        for name in WORKERS:
            self[name].wait_for_line("connected to a master of term 1", PATIENCE_S)

    def start_master(self, name: str) -> Process:
        """Starts a master on its host."""
        listen = ("--listen", f"{self.lan[name].address}:50051", "--insecure")
        return self._run(name, ["master", *listen, "--db", self.postgresql.url, *self._terms], {})

    def _run(self, name: str, arguments: list[str], environment: dict[str, str]) -> Process:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        self.processes[name] = Process(name, arguments, folder, environment, inside=self.lan[name].inside(folder))
        return self.processes[name]

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def command(self, host: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A rungmaster command, and what came of it."""
        return subprocess.run(
            [*self.lan[host].inside(self.folder), sys.executable, "-P", "-m", "rungmaster.client.cli.main", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def cut(self, sources: Iterable[str], targets: Iterable[str], direction: str = DIRECTIONS[0]) -> None:
        """Nothing arrives any more from some hosts at others (`there`), from the others at them (`back`), or both."""
        sources, targets = list(sources), list(targets)
        if direction != "back":
            self.lan.ways(sources, targets, Way(cut=True))
        if direction != "there":
            self.lan.ways(targets, sources, Way(cut=True))

    def heal(self) -> None:
        """Everything arrives again. Hosts that were lost stay it: nothing runs there."""
        self.lan.everywhere(Way())

    def submit(self, max_trials: int, seconds_per_epoch: float = 0.3) -> None:
        """The one search of this site, by the command that people type, on a worker's host."""
        spec = marathon(self.storage, max_trials=max_trials, seconds_per_epoch=seconds_per_epoch, seed=1)
        (self.folder / "spec.yaml").write_text(spec)
        done = self.command(WORKERS[0], "submit", "spec.yaml", "--master", self.masters, "--timeout", "60")
        assert done.returncode == 0, done.stderr

    def experiment(self) -> Experiment | None:
        """The search, as the database has it, whatever is cut; None while that cannot be read."""
        reader = self._reader()
        try:
            return reader.get_experiment(1)
        except RungmasterError:
            return None
        finally:
            reader.close()

    def trials(self) -> list[TrialInfo]:
        """Its trials."""
        reader = self._reader()
        try:
            return list(reader.list_trials(1, order=TrialOrder.ID)[0])
        finally:
            reader.close()

    def leases(self, trial: int) -> list[Lease]:
        """The leases of one of them."""
        reader = self._reader()
        try:
            return list(reader.get_trial(1, trial)[1])
        finally:
            reader.close()

    def held(self) -> list[int]:
        """The trials that are under a lease now."""
        return [trial.trial_id for trial in self.trials() if trial.worker]

    def _reader(self) -> Reader:
        return Reader(self.postgresql.local_url, timeout_s=5)

    def trial_of(self, worker: str) -> int:
        """A trial that this worker trains, and has reported of, with two epochs before it or more."""
        return wait_for(f"a trial of {worker}", lambda: self._trained_by(worker), PATIENCE_S)[0]

    def _trained_by(self, worker: str) -> list[int]:
        own = [trial for trial in self.trials() if trial.worker == worker]
        return [trial.trial_id for trial in own if 0 < trial.resource < trial.target - 1]

    def ended(self) -> bool:
        """Whether the search has."""
        found = self.experiment()
        return found is not None and found.state.ended

    def verdict(self) -> Verdict:
        """All that was acknowledged and trained, held against the database."""
        return judge(gather(self.postgresql.local_url, self._acknowledged, self._epochs))

    def ends_well(self) -> Verdict:
        """The search ends, all that still run leave in peace, and nothing was lost, doubled or made up."""
        wait_for("the end of the search", self.ended, 300)
        for name in (*WORKERS, SPARE, HEAD):
            if self[name].popen.poll() is None:
                assert self[name].terminate(PATIENCE_S) == 0, self[name].lines
        verdict = self.verdict()
        assert verdict.problems == []
        checked = self.command(DATABASE, "db", "check", "--db", self.postgresql.local_url)
        assert checked.returncode == 0, checked.stdout
        tracebacks = [name for name, process in self.processes.items() if any("Traceback" in x for x in process.lines)]
        assert tracebacks == []
        return verdict

    def close(self) -> None:
        """Ends everything."""
        for process in self.processes.values():
            process.close()
        if self._postgresql is not None:
            self._postgresql.close()
        self.lan.close()
