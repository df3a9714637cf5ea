"""From a trial's last report to the first line of the next trial's code on the same slot.

A real master on SQLite and one real worker with two slots. The training code imports scikit-learn, trains nothing and
writes down by the monotonic clock, which all processes share, when `train` begins and when the last report is handed
in. In between lie the decision with its commit, the checkpoint (for trials that pause), the end of the process, the
next assignment with its commit, and the start of the next process. Measured with forks of preloaded libraries and with
fresh processes, on trials of no length, which are the hardest on master and worker; and with trials of one second, of
which the share of the slots' time between first line and last report is the utilisation.

How it could mislead: both slots turn over at once on two cores that master and worker share, so what is measured is
time of four busy processes; a slot alone is faster. Where the search has nothing to hand out for a moment (the end of
a search of few trials) its slots wait, and that is not counted: only gaps while both slots had work are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import processes
from figures import Figure, Result, quantile
from rungmaster.client import Client

AIM, UTILISATION_AIM = 0.050, 0.95
TRAINING = Path(__file__).parent / "turnaround"
SLOTS = 2


@dataclass(frozen=True, slots=True)
class Size:
    trials: int = 120
    fresh_trials: int = 12
    long_trials: int = 40


@dataclass(slots=True)
class Turns:
    """What was written down in one search, by slot and time."""

    marks: list[dict[str, Any]]

    def gaps(self) -> list[float]:
        """Seconds from each last report to the next first line on its slot."""
        gaps: list[float] = []
        for slot in {mark["slot"] for mark in self.marks}:
            own = [mark for mark in self.marks if mark["slot"] == slot and mark["what"] != "decided"]
            gaps += [b["when"] - a["when"] for a, b in pairwise(own) if (a["what"], b["what"]) == ("last", "first")]
        return gaps

    def decisions(self) -> list[float]:
        """Seconds from each last report to its decision."""
        reported: dict[tuple[str, int], float] = {}
        waits: list[float] = []
        for mark in self.marks:
            key = (mark["slot"], mark["trial"])
            if mark["what"] == "last":
                reported[key] = mark["when"]
            elif mark["what"] == "decided" and key in reported:
                waits.append(mark["when"] - reported.pop(key))
        return waits

    def utilisation(self) -> float:
        """The share of the slots' time, between the first line of all and the last report of all, that is training."""
        busy, began = 0.0, {}
        for mark in self.marks:
            if mark["what"] == "first":
                began[mark["slot"]] = mark["when"]
            elif mark["what"] == "last":
                busy += mark["when"] - began[mark["slot"]]
        ends = [mark["when"] for mark in self.marks if mark["what"] == "last"]
        return busy / (SLOTS * (max(ends) - min(mark["when"] for mark in self.marks)))


@contextmanager
def _worker(address: str, folder: Path, marks: Path, *options: str) -> Iterator[None]:
    """A worker whose slots are told apart by the devices that they would have."""
    command = processes.rungmaster("worker", "--master", address, "--slots", str(SLOTS))
    environment = {"PYTHONPATH": str(TRAINING), "CUDA_VISIBLE_DEVICES": "0,1", "TURNING_MARKS": str(marks)}
    with (folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [*command, "--directory", str(folder), *options], env=os.environ | environment, stderr=log
        )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def search(trials: int, seconds: float, max_resource: int, *options: str) -> Turns:
    """One search from its first to its last trial."""
    document = {
        "name": "turning",
        "entrypoint": "turning:train",
        "metric": {"name": "error", "goal": "minimize"},
        "hyperparameters": {"quality": {"type": "float", "low": 0.0, "high": 1.0}, "seconds": seconds},
        "searcher": {"name": "asha", "max_trials": trials, "max_resource": max_resource, "divisor": 3},
        "checkpoints": {"interval": None},
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rungmaster-bench-")))
        address = stack.enter_context(processes.master(str(folder / "bench.db"))).address
        client = stack.enter_context(Client(address))
        stack.enter_context(_worker(address, folder, folder / "marks", *options))
        ended = client.wait(client.submit(document).experiment_id)
        assert ended.state == "completed", ended
        lines = (folder / "marks").read_text().splitlines()
    return Turns(sorted(map(json.loads, lines), key=lambda mark: mark["when"]))


def measure(size: Size) -> Result:
    result = Result("turnaround", __doc__ or "")
    stopped, paused = search(size.trials, 0.0, 1), search(size.trials, 0.0, 9)
    fresh = search(size.fresh_trials, 0.0, 1, "--fresh-processes")
    long = search(size.long_trials, 1.0, 1)
    kinds = {
        "trials of no length that stop": stopped,
        "trials of no length that pause, with a checkpoint": paused,
        "trials of 1 s that stop": long,
    }
    for name, turns in kinds.items():
        result.figures += [
            _figure(name, turns, fresh, 0.5, "median", AIM),
            _figure(name, turns, fresh, 0.95, "p95", None),
        ]
    for name, turns in kinds.items():
        wait = 1e3 * quantile(turns.decisions(), 0.5)
        result.figures.append(Figure(f"{name}: of that, the decision, median", wait, "ms", higher_is_better=False))
    share = long.utilisation()
    aim = f"at least {UTILISATION_AIM:.0%}"
    result.figures.append(
        Figure("utilisation, trials of 1 s on 2 slots", 100 * share, "%", aim=aim, met=share >= UTILISATION_AIM)
    )
    result.notes.append(f"load average at the end: {os.getloadavg()[0]:.1f}")
    return result


def _figure(name: str, turns: Turns, fresh: Turns, share: float, what: str, aim: float | None) -> Figure:
    value, peer = quantile(turns.gaps(), share), quantile(fresh.gaps(), share)
    return Figure(
        f"{name}, {what}",
        1e3 * value,
        "ms",
        higher_is_better=False,
        peer=1e3 * peer,
        peer_name="fresh processes",
        aim="" if aim is None else f"below {1e3 * aim:.0f} ms",
        met=None if aim is None else value < aim,
    )


FULL = Size()
QUICK = Size(trials=40, fresh_trials=3, long_trials=8)

if __name__ == "__main__":
    import page

    started = time.monotonic()
    print(page.table([measure(QUICK if "--quick" in sys.argv else FULL)]))
    print(f"{time.monotonic() - started:.0f} s, load average {os.getloadavg()[0]:.1f}")
