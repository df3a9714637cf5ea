"""How long a killed master takes until it serves again, with a long search behind it.

The database is made by the real search and the real ledger: every trial trained and reported each unit, and entered its
rungs; the search goes on, and 64 trials are being trained. Then `rungmaster master` is started as users start it, and
the time is taken until it says that it serves, and until it has answered its first call. The floor is a master on
an empty database: the interpreter, the imports and the server. The file was just written, so it lies in the memory
of the operating system; from a cold disk it takes as much longer as reading the trials and rung results takes (the
reports are not read). `rungmaster db check` reads and replays all of it.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import processes
from figures import Figure, Result
from rungmaster.client import Client
from rungmaster.master.dispatcher.setup import setup_from_json
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.experiment.entries import Holder
from rungmaster.master.experiment.experiment import LiveExperiment
from rungmaster.master.experiment.life import lifecycle
from rungmaster.master.experiment.records import Batch
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.maintenance.check import check_database
from rungmaster.shared.space.space import DRAW_RULES
from rungmaster.shared.wire.model import LeaseRef
from rungmaster.shared.wire.session import Exit, ExitOutcome, LeaseEvent, Measurement

AIM = 5.0
RUNNING = 64
#: Trials in one commit of the filling.
CHUNK = 200
HPARAMS = {"learning_rate": 0.0123456789, "width": 128, "activation": "relu", "solver": "sgd", "momentum": 0.9}


@dataclass(frozen=True, slots=True)
class Size:
    """Rungs at 12 and 48, of which a quarter of the trials reaches the second: 21 reports for each."""

    trials: int = 100_000
    starts: int = 5


def document(trials: int) -> dict[str, Any]:
    """A spec with a search space of the usual kind, which has to be built at each start."""
    return {
        "name": "restart",
        "entrypoint": "training:train",
        "metric": {"name": "validation_error", "goal": "minimize"},
        "hyperparameters": {
            "learning_rate": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
            "width": {"type": "int", "low": 16, "high": 512, "log": True},
            "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
            "solver": {"type": "categorical", "choices": ["sgd", "adam"]},
            "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"solver": "sgd"}},
        },
        "searcher": {"name": "asha", "max_trials": 2 * trials, "max_resource": 48, "divisor": 4, "max_rungs": 2},
    }


class Filling:
    """A search with one worker that trains in no time, and reports what `metric` gives for each unit."""

    def __init__(self, experiment: LiveExperiment, metric: Callable[[int], float]) -> None:
        self._experiment = experiment
        self._metric = metric
        self._asked = 0
        self.reports = 0

    def assign(self, batch: Batch) -> tuple[LeaseRef, int]:
        """The next trial's lease and its target."""
        self._asked += 1
        lease = self._experiment.assign(Holder("session", "host-1"), f"request-{self._asked}", batch)
        assert lease is not None
        return LeaseRef(lease.experiment_id, lease.trial_id, lease.token), lease.target

    def train(self, ref: LeaseRef, units: int, batch: Batch) -> None:
        """Reports each unit up to `units`."""
        self.train_on(ref, 0, units, batch)

    def trial(self, batch: Batch) -> None:
        """One assignment from its start to its end."""
        ref, target = self.assign(batch)
        self.train(ref, target, batch)
        lease = self._experiment.records.leases[ref.trial_id]
        if lease.target > target:
            self.train_on(ref, target, lease.target, batch)
        self._tell(ref, lease.last_sequence + 1, Exit(ExitOutcome.RELEASED), batch)

    def train_on(self, ref: LeaseRef, start: int, end: int, batch: Batch) -> None:
        """Reports each unit after `start`, as a trial does that was promoted."""
        for unit in range(start + 1, end + 1):
            metrics = {"validation_error": self._metric(unit), "accuracy": 0.5}
            self._tell(ref, unit, Measurement(unit, metrics), batch)
        self.reports += end - start

    def _tell(self, ref: LeaseRef, sequence: int, what: Measurement | Exit, batch: Batch) -> None:
        answer = self._experiment.record(LeaseEvent(ref, sequence, what), "session", batch)
        assert not hasattr(answer, "reason"), answer


def fill(path: Path, trials: int) -> int:
    """Makes the database; gives the number of its reports."""
    with closing(Ledger.open(str(path), holder="benchmark")) as ledger:
        plan = setup_from_json(document(trials), DRAW_RULES)
        plan = replace(plan, draw=lambda number: {**HPARAMS, "width": 16 + number % 497})
        batch = Batch(Changes(), 1.7e9)
        experiment = lifecycle.create(1, "", plan, batch)
        rng = random.Random(1)
        filling = Filling(experiment, lambda _: rng.random())
        while experiment.records.brackets[0].trials_created < trials:
            for _ in range(CHUNK):
                filling.trial(batch)
            ledger.commit(batch.changes)
            batch = Batch(Changes(), batch.now + 60.0)
        for _ in range(RUNNING):
            ref, _ = filling.assign(batch)
            filling.train(ref, 5, batch)
        ledger.commit(batch.changes)
    return filling.reports


def start(database: str) -> tuple[float, float, int]:
    """Seconds until it says that it serves and until its first answer, and the bytes that it has in memory then."""
    began = time.perf_counter()
    with processes.master(database) as server:
        ready = time.perf_counter() - began
        with Client(server.address) as client:
            client.master_info()
        return ready, time.perf_counter() - began, server.memory


def measure(size: Size) -> Result:
    result = Result("restart", __doc__ or "")
    with processes.sqlite() as path, processes.sqlite() as empty:
        began = time.perf_counter()
        reports = fill(Path(path), size.trials)
        result.notes.append(f"made in {time.perf_counter() - began:.0f} s: {Path(path).stat().st_size / 1e6:,.0f} MB")
        bare, full = [], []
        for _ in range(size.starts):
            bare.append(start(empty))
            full.append(start(path))
        began = time.perf_counter()
        findings = check_database(path)
        checked = time.perf_counter() - began
        assert findings.violations == [], findings.violations[:5]
    what = f"{size.trials:,} trials, {reports:,} reports"
    for name, i, aim in (("serving", 0, AIM), ("first answer", 1, None)):
        value, floor = (statistics.median(times[i] for times in runs) for runs in (full, bare))
        result.figures.append(_figure(f"{name} after a restart: {what}", value, floor, aim))
    memory = statistics.median(times[2] for times in full) / 1e6
    floor = statistics.median(times[2] for times in bare) / 1e6
    result.figures.append(Figure(f"memory then: {what}", memory, "MB", False, floor=floor, floor_name="empty database"))
    result.figures.append(Figure(f"`rungmaster db check`: {what}", checked, "s", False))
    result.notes.append(f"load average at the end: {os.getloadavg()[0]:.1f}")
    return result


def _figure(name: str, value: float, floor: float, aim: float | None) -> Figure:
    return Figure(
        name,
        value,
        "s",
        higher_is_better=False,
        floor=floor,
        floor_name="empty database",
        aim="" if aim is None else f"below {aim:.0f} s",
        met=None if aim is None else value < aim,
    )


FULL = Size()
QUICK = Size(trials=2_000, starts=1)

if __name__ == "__main__":
    import page

    print(page.table([measure(QUICK if "--quick" in sys.argv else FULL)]))
