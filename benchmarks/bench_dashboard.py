"""What the page of a large experiment costs: until its figures are drawn, and in memory.

The database is made by the real search and the real ledger: 10,000 trials with 100 reports each, all ended. Then
`rungmaster master` and `rungmaster dashboard` are started as users start them, and a headless Chromium on the same
machine opens the experiment: each round with a new master, a new dashboard and a new browser. The loader alone is what
a notebook and `rungmaster plot` wait for. Memory of the browser is what its processes have for themselves alone.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import processes
from bench_restart import Filling
from figures import Figure, Result
from rungmaster.client import Client
from rungmaster.client.history import load
from rungmaster.master.dispatcher.setup import setup_from_json
from rungmaster.master.experiment.changes import Changes
from rungmaster.master.experiment.life import lifecycle
from rungmaster.master.experiment.records import Batch
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.shared.space.space import DRAW_RULES

CHROMIUM = shutil.which("chromium")
#: Trials in one commit of the filling.
CHUNK = 200
AIM_S, AIM_MB = 2.0, 300.0
MOST_MS = 600_000


@dataclass(frozen=True, slots=True)
class Size:
    """So many trials, each with so many reports."""

    trials: int = 10_000
    reports: int = 100
    rounds: int = 3


@dataclass(slots=True)
class Measured:
    """One list for each figure, with a value for each round."""

    load_s: list[float] = field(default_factory=list)
    load_cpu_s: list[float] = field(default_factory=list)
    table_s: list[float] = field(default_factory=list)
    drawn_s: list[float] = field(default_factory=list)
    browser_mb: list[float] = field(default_factory=list)


def document(size: Size) -> dict[str, Any]:
    """A spec whose trials all train to the end."""
    return {
        "name": "large",
        "entrypoint": "training:train",
        "metric": {"name": "validation_error", "goal": "minimize"},
        "hyperparameters": {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
            "width": {"type": "int", "low": 8, "high": 512},
            "activation": {"type": "categorical", "choices": ["relu", "tanh"]},
        },
        "searcher": {"name": "random", "max_trials": size.trials, "max_resource": size.reports},
    }


def fill(path: Path, size: Size) -> None:
    """Makes the database, with a search that is over."""
    with closing(Ledger.open(str(path), holder="benchmark")) as ledger:
        plan = setup_from_json(document(size), DRAW_RULES)
        batch = Batch(Changes(), 1.7e9)
        filling = Filling(lifecycle.create(1, "", plan, batch), _falling())
        for first in range(0, size.trials, CHUNK):
            for _ in range(min(CHUNK, size.trials - first)):
                filling.trial(batch)
            ledger.commit(batch.changes)
            batch = Batch(Changes(), batch.now + 60.0)


def _falling() -> Callable[[int], float]:
    """Metrics of trials one after the other: noisy curves that fall to ends of their own."""
    rng, end = random.Random(1), 0.0

    def metric(unit: int) -> float:
        nonlocal end
        end = rng.random() if unit == 1 else end
        return end + (1 - end) / unit + rng.gauss(0, 0.01)

    return metric


def measure_loader(master: processes.Server, measured: Measured) -> None:
    """The first history that figures are made of."""
    with Client(master.address) as client:
        began, cpu = time.perf_counter(), time.process_time() + master.cpu
        load(client, 1, journal=False)
        measured.load_s.append(time.perf_counter() - began)
        measured.load_cpu_s.append(time.process_time() + master.cpu - cpu)


def measure_browser(address: str, measured: Measured) -> None:
    """The table of trials and then the figures, each from the address on."""
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    experiment = f"{address.rstrip('/')}/experiments/1"
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=[*arguments, "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        for path, awaited, times in (
            ("?tab=trials", "table.trials tbody tr", measured.table_s),
            ("", "#figures[data-drawn='curves best']", measured.drawn_s),
        ):
            began = time.perf_counter()
            page.goto(experiment + path, timeout=MOST_MS)
            page.wait_for_selector(awaited, state="attached", timeout=MOST_MS)
            times.append(time.perf_counter() - began)
        measured.browser_mb.append(_unique_mb())
        browser.close()


def _unique_mb() -> float:
    """What all processes of the browser have for themselves alone."""
    children = psutil.Process().children(recursive=True)
    return sum(each.memory_full_info().uss for each in children if "chrom" in each.name()) / 1e6


def measure(size: Size) -> Result:
    if CHROMIUM is None:
        raise SystemExit("the page is measured in Chromium, which is not installed (Debian's package is chromium)")
    result = Result("dashboard", __doc__ or "")
    measured = Measured()
    with processes.sqlite() as path:
        fill(Path(path), size)
        for _ in range(size.rounds):
            with processes.master(path) as master, processes.dashboard(master.address) as dashboard:
                measure_browser(dashboard.address, measured)
            with processes.master(path) as master:
                measure_loader(master, measured)
    of = f"{size.trials:,} trials, {size.trials * size.reports:,} reports"
    for name, values, unit, aim in (
        ("history of", measured.load_s, "s", AIM_S),
        ("CPU of master and client for the history of", measured.load_cpu_s, "s", None),
        ("table of trials of", measured.table_s, "s", AIM_S),
        ("figures drawn of", measured.drawn_s, "s", AIM_S),
        ("memory of the browser with figures of", measured.browser_mb, "MB", AIM_MB),
    ):
        result.figures.append(_figure(f"{name} {of}", statistics.median(values), unit, aim))
    result.notes.append(f"load average at the end: {os.getloadavg()[0]:.1f}")
    return result


def _figure(name: str, value: float, unit: str, aim: float | None) -> Figure:
    told = "" if aim is None else f"below {aim:.0f} {unit}"
    return Figure(name, value, unit, higher_is_better=False, aim=told, met=None if aim is None else value < aim)


FULL = Size()
QUICK = Size(trials=200, reports=10, rounds=1)

if __name__ == "__main__":
    import page

    print(page.table([measure(QUICK if "--quick" in sys.argv else FULL)]))
