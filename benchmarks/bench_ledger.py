"""How fast the ledger commits, recovers and answers, alone: no network, no search.

A batch is what one turn of the master commits: reports of 64 trials, and what they change; one in ten reaches a rung.
The database holds a search of 20,000 trials with 20 reports each. Queries are medians of 50 calls.

How it could mislead: times of commits include the disk, which others use too; compare them within a run only.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import processes
from figures import Figure, Plot, Result
from rungmaster.master.experiment.changes import (
    BracketRow,
    Changes,
    EventRow,
    ExperimentRow,
    LeaseRow,
    ReportRow,
    RungResultRow,
    RungRow,
    TrialRow,
)
from rungmaster.master.ledger.ledger import Ledger
from rungmaster.master.ledger.read.reader import Reader
from rungmaster.shared.wire.model import TrialOrder, TrialState

STATES = ("paused", "completed", "stopped", "failed")
RUNNING = 64
HPARAMS = {"learning_rate": 0.0123456789, "width": 128, "activation": "relu", "solver": "sgd", "momentum": 0.9}


def trial(number: int, state: str, metric: float | None) -> TrialRow:
    return TrialRow(
        experiment_id=1,
        trial_id=number,
        state=state,
        state_reason="rank 5 of 18 at rung 2, the top 4 go on",
        bracket_id=0,
        rung_id=2,
        resource=0,
        target=27,
        metric=metric,
        metric_resource=27,
        restarts=0,
        workers_lost=0,
        token=1,
        create_time=1.7e9,
        end_time=None,
        hparams=HPARAMS,
    )


def report(number: int, sequence: int) -> ReportRow:
    return ReportRow(1, number, 1, sequence, sequence, {"validation_error": 1 / sequence, "accuracy": 0.5}, 1.7e9)


def lease(number: int) -> LeaseRow:
    request = f"request-{number}"
    return LeaseRow(1, number, 1, "session", "host-1", request, 1, 0, 27, "", 0, 1.7e9, None, "", "", 0)


def experiment(trials: int) -> ExperimentRow:
    spec = {"metric": {"name": "validation_error", "goal": "minimize"}, "unit": "epochs"}
    return ExperimentRow(1, "bench", "", "active", "", spec, 1.7e9, None, {"paused": trials}, 0, trials * 27)


def fill(ledger: Ledger, trials: int, reports: int) -> float:
    """A search that has gone on for long: ended trials, two rung results each, and 64 trials that still run."""
    rng = random.Random(1)
    start = time.perf_counter()
    rungs = [RungRow(1, 0, k, 3**k, trials, 0, 0, 0.0) for k in range(3)]
    ledger.commit(
        Changes(
            new_experiments=[experiment(trials)], new_brackets=[BracketRow(1, 0, trials, None, trials)], new_rungs=rungs
        )
    )
    for first in range(0, trials, 1000):
        numbers = range(first, min(trials, first + 1000))
        batch = Changes()
        for n in numbers:
            running = n < RUNNING
            batch.new_trials.append(trial(n, "running" if running else rng.choice(STATES), rng.random()))
            batch.new_results += [RungResultRow(1, 0, k, n, 3**k, rng.random(), False, 1.7e9) for k in (0, 1)]
            batch.new_reports += [report(n, s) for s in range(1, reports + 1)]
            if running:
                batch.new_leases.append(lease(n))
        ledger.commit(batch)
    return time.perf_counter() - start


def batch_of(size: int, sequence: int) -> Changes:
    """`size` reports of the running trials; one in ten reaches a rung, with an event and changes of its trial."""
    reports = [report(i % RUNNING, sequence + i // RUNNING) for i in range(size)]
    rung = [row.trial_id for row in reports[: max(1, size // 10)]]
    return Changes(
        new_reports=reports,
        new_events=[EventRow(1, n, 1.7e9, "decision", {"rank": 5, "quota": 4, "reason": "top 4 go on"}) for n in rung],
        trials={(1, n): trial(n, "running", 0.5) for n in rung},
        leases={(1, n, 1): lease(n) for n in rung},
        rungs={(1, 0, 0): RungRow(1, 0, 0, 1, 9, 0, 0, 0.0)},
        experiments={1: experiment(1000)},
    )


def timed(call: Callable[[], Any], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return sorted(taken)


@dataclass(frozen=True, slots=True)
class Size:
    trials: int = 20_000
    reports: int = 20
    commits: tuple[tuple[int, int], ...] = ((1, 200), (10, 200), (100, 100), (1000, 30), (5000, 10))
    calls: int = 50
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL")


def commits(ledger: Ledger, size: Size) -> Iterator[tuple[int, float]]:
    """By the number of reports in a commit, how many of them are made durable in a second."""
    sequence = size.reports + 1
    for reports, times in size.commits:
        batches = []
        for _ in range(times):
            batches.append(batch_of(reports, sequence))
            sequence += reports // RUNNING + 1
        waiting = iter(batches)
        taken = timed(lambda waiting=waiting: ledger.commit(next(waiting)), times)
        yield reports, reports / statistics.median(taken)


def queries(reader: Reader, trials: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What people ask, by name."""
    yield "status", lambda: reader.get_experiment(1)
    yield "list of experiments", reader.list_experiments
    for order in TrialOrder:
        for states in ((), (TrialState.PAUSED, TrialState.RUNNING)):
            _, token = reader.list_trials(1, states, order, 100)
            name = f"100 trials by {order}, {'some' if states else 'all'} states"
            yield name, lambda s=states, o=order, t=token: reader.list_trials(1, s, o, 100, t)
    yield "one trial", lambda: reader.get_trial(1, trials // 2)
    yield "reports of a trial", lambda: reader.list_reports(1, trials // 2)
    yield "500 events", lambda: reader.events_after(1, 0, 500)


def measure(size: Size) -> Result:
    result = Result("ledger", __doc__ or "")
    series: dict[str, list[tuple[float, float]]] = {}
    for name in size.databases:
        with processes.DATABASES[name]() as url:
            series[name] = _one(result, name, url, size)
    result.plots.append(Plot("Commits", "reports in a commit", "reports/s", series, log_y=True))
    return result


def _one(result: Result, name: str, url: str, size: Size) -> list[tuple[float, float]]:
    ledger, points = Ledger.open(url, holder="benchmark"), []
    reader = Reader(url)
    result.notes.append(f"{name}: filled in {fill(ledger, size.trials, size.reports):.1f} s")
    for reports, rate in commits(ledger, size):
        points.append((float(reports), rate))
        result.figures.append(Figure(f"{name}, {reports:,} reports a commit", rate, "reports/s"))
    load = statistics.median(timed(ledger.load, 3))
    result.figures.append(Figure(f"{name}, everything read back", load * 1e3, "ms", higher_is_better=False))
    for asked, call in queries(reader, size.trials):
        middle = statistics.median(timed(call, size.calls))
        result.figures.append(Figure(f"{name}, {asked}", middle * 1e3, "ms", higher_is_better=False))
    reader.close()
    ledger.close()
    return points


FULL = Size()
QUICK = Size(100, 2, ((10, 2),), 2, ("SQLite",))
