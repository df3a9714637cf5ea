"""What a master pays for an event, in CPU and memory, and how fast it answers people, as its searches grow.

One experiment with 10^3, 10^4, 10^5 and 10^6 trials in its first rung (three quarters paused, one quarter promoted and
failed since), and 1,000 experiments at once. The real core over a real SQLite ledger is driven by 64 workers without
network: every report reaches a target, every worker obeys, saves, leaves and asks again. Times are CPU of the whole
process, commits included. Memory is what the process grows by when it takes the search up from its database. Queries
go through the real Reader on the same database: the slowest of 20 calls of each kind after a first one, wall-clock.

How it could mislead: the database was filled at one go, so its pages lie in order, and the files are in the page cache;
a cold disk adds its reads. Hyperparameters are constants here: drawing them costs the same at every size and would
hide growth. Resident memory also holds what the allocator did not give back after the start, so it errs upward.
"""

from __future__ import annotations

import gc
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import processes
from figures import Figure, Plot, Result, quantile
from large_search import Master, Workers, fill
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.wire.model import TrialOrder, TrialState

GROWTH_AIM, MEMORY_AIM, QUERY_AIM = 1.5, 1024, 0.050


@dataclass(frozen=True, slots=True)
class Size:
    trials: tuple[int, ...] = (10**3, 10**4, 10**5, 10**6)
    experiments: int = 1_000
    workers: int = 64
    rounds: int = 40
    calls: int = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds an event, bytes a trial, seconds to be back, and the slowest answer of each query in seconds."""

    event: float
    trial_bytes: float
    start: float
    queries: dict[str, float]


def _per_event(master: Master, size: Size) -> float:
    """The median of the rounds' CPU seconds an event."""
    workers = Workers(master, size.workers, random.Random(2))
    workers.round()
    costs = []
    for _ in range(size.rounds):
        events, start = workers.events, time.process_time()
        workers.round()
        costs.append((time.process_time() - start) / (workers.events - events))
    return quantile(costs, 0.5)


def _drive(path: Path, trials: int, size: Size) -> Cost:
    """In a process of its own: takes a search up and goes on with it."""
    ledger = Ledger.open(str(path), holder="benchmark")
    gc.collect()
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    master = Master(ledger)
    started = time.perf_counter() - start
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    queries = _queries(path, trials, size.calls)
    cost = Cost(_per_event(master, size), grown / trials, started, queries)
    ledger.close()
    return cost


def _queries(path: Path, trials: int, calls: int) -> dict[str, float]:
    reader = Reader(str(path))
    some = (TrialState.PAUSED, TrialState.RUNNING)
    deep = _far_down(reader, some)
    asked: dict[str, Callable[[], Any]] = {
        "status": lambda: reader.get_experiment(1),
        "list of experiments": reader.list_experiments,
        "first trials by id": lambda: reader.list_trials(1),
        "failed trials by id": lambda: reader.list_trials(1, [TrialState.FAILED]),
        "best trials": lambda: reader.list_trials(1, order=TrialOrder.BEST, page_size=10),
        "a page of the best far down": lambda: reader.list_trials(1, some, TrialOrder.BEST, 100, deep),
        "one trial": lambda: reader.get_trial(1, trials // 2),
    }
    for call in asked.values():
        call()  # prepares the statement, once in a master's life
    slowest = {name: max(_timed(call) for _ in range(calls)) for name, call in asked.items()}
    reader.close()
    return slowest


def _far_down(reader: Reader, states: Sequence[TrialState]) -> str:
    """The token of a page after ten pages of a thousand, or at the end where there are fewer."""
    token = ""
    for _ in range(10):
        _, following = reader.list_trials(1, states, TrialOrder.BEST, 1000, token)
        token = following or token
    return token


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _many(size: Size) -> float:
    """CPU seconds an event with many experiments at once."""
    with processes.sqlite() as path:
        ledger = Ledger.open(path, holder="benchmark")
        master = Master(ledger)
        for _ in range(size.experiments):
            master.create(10**6)
        cost = _per_event(master, size)
        ledger.close()
    return cost


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls it in a fresh process, so that nothing of the others' memory is left."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(size: Size) -> Result:
    result = Result("growth", __doc__ or "")
    costs: dict[int, Cost] = {}
    for trials in size.trials:
        with tempfile.TemporaryDirectory(prefix="rungmaster-bench-") as folder:
            path = Path(folder) / "bench.db"
            seconds = _alone(fill, path, trials)
            costs[trials] = _alone(_drive, path, trials, size)
            result.notes.append(
                f"{trials:,} trials: filled in {seconds:.1f} s ({path.stat().st_size / trials:,.0f} bytes of database "
                f"a trial), taken up again in {costs[trials].start:.1f} s"
            )
    result.figures += _cpu_figures(costs, _alone(_many, size), size)
    largest = max(costs)
    result.figures.append(_memory_figure(costs[largest], largest))
    result.figures += [_query_figure(name, value, largest) for name, value in costs[largest].queries.items()]
    result.plots += _plots(costs)
    return result


def _cpu_figures(costs: dict[int, Cost], many: float, size: Size) -> list[Figure]:
    least = costs[min(costs)].event
    named = {f"{trials:,} trials in one experiment": cost.event for trials, cost in costs.items()}
    named[f"{size.experiments:,} experiments at once"] = many
    return [
        Figure(
            f"CPU per event, {name}",
            event * 1e6,
            "µs",
            higher_is_better=False,
            floor=least * 1e6,
            floor_name=f"{min(costs):,} trials",
            aim=f"{GROWTH_AIM:g}× of {min(costs):,} trials",
            met=event / least <= GROWTH_AIM,
        )
        for name, event in named.items()
    ]


def _memory_figure(cost: Cost, trials: int) -> Figure:
    met = cost.trial_bytes <= MEMORY_AIM
    name = f"memory per trial, {trials:,} trials"
    return Figure(name, cost.trial_bytes, "bytes", higher_is_better=False, aim=f"{MEMORY_AIM:,} bytes", met=met)


def _query_figure(name: str, seconds: float, trials: int) -> Figure:
    aim = f"{QUERY_AIM * 1e3:g} ms"
    name = f"{name}, {trials:,} trials, slowest"
    return Figure(name, seconds * 1e3, "ms", higher_is_better=False, aim=aim, met=seconds <= QUERY_AIM)


def _plots(costs: dict[int, Cost]) -> list[Plot]:
    cpu = {"CPU per event": [(float(trials), cost.event * 1e6) for trials, cost in costs.items()]}
    kinds = next(iter(costs.values())).queries
    queries = {name: [(float(t), cost.queries[name] * 1e3) for t, cost in costs.items()] for name in kinds}
    return [
        Plot("Cost of an event", "trials in the experiment", "µs of CPU", cpu),
        Plot("Slowest answer", "trials in the experiment", "ms", queries, log_y=True),
    ]


FULL = Size()
QUICK = Size(trials=(100, 200), experiments=5, workers=4, rounds=2, calls=2)
