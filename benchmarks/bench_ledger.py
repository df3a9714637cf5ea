"""How fast the ledger commits, recovers and answers.

    python -P benchmarks/bench_ledger.py                      # SQLite in a temporary folder
    python -P benchmarks/bench_ledger.py --db postgresql://…  # an empty database
    python -P benchmarks/bench_ledger.py --trials 100000 --reports 20

A batch is what one turn of the master commits: reports of 64 trials, and what they change. Times of commits include the
disk: compare them only with runs on the same machine, at the same load.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from rungmaster.master.ledger.reader import Reader
from rungmaster.shared.model import TrialOrder, TrialState

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


def show(name: str, taken: list[float], rows: int = 0) -> None:
    middle, worst = statistics.median(taken), taken[int(len(taken) * 0.99)]
    rate = f"{rows / middle:12,.0f} reports/s" if rows else ""
    print(f"  {name:44} {middle * 1e3:9.2f} ms  p99 {worst * 1e3:9.2f} ms {rate}")


def bench_commits(ledger: Ledger, first_sequence: int) -> None:
    sequence = first_sequence
    for size, times in ((1, 200), (10, 200), (100, 100), (1000, 30), (5000, 10)):
        batches = []
        for _ in range(times):
            batches.append(batch_of(size, sequence))
            sequence += size // RUNNING + 1
        waiting = iter(batches)
        show(f"commit {size:,} reports", timed(lambda waiting=waiting: ledger.commit(next(waiting)), times), size)


def bench_queries(reader: Reader, trials: int) -> None:
    show("get_experiment", timed(lambda: reader.get_experiment(1), 50))
    show("list_experiments", timed(reader.list_experiments, 50))
    for order in TrialOrder:
        for states in ((), (TrialState.PAUSED, TrialState.RUNNING)):
            _, token = reader.list_trials(1, states, order, 100)
            name = f"list_trials by {order}, {'some' if states else 'all'} states, 100"
            show(name, timed(lambda s=states, o=order, t=token: reader.list_trials(1, s, o, 100, t), 50))
    show("get_trial", timed(lambda: reader.get_trial(1, trials // 2), 50))
    show("list_reports", timed(lambda: reader.list_reports(1, trials // 2), 50))
    show("events_after", timed(lambda: reader.events_after(1, 0, 500), 50))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--db", help="URL of an empty database (default: SQLite in a temporary folder)")
    arguments.add_argument("--trials", type=int, default=20_000)
    arguments.add_argument("--reports", type=int, default=20, help="reports of each trial")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = options.db or str(Path(folder) / "bench.db")
        ledger = Ledger.open(url, holder="bench")
        reader = Reader(url)
        print(f"{ledger.database}: {options.trials:,} trials, {options.trials * options.reports:,} reports")
        print(f"  filled in {fill(ledger, options.trials, options.reports):.1f} s")
        bench_commits(ledger, options.reports + 1)
        show("load", timed(ledger.load, 3))
        bench_queries(reader, options.trials)
        delete = Changes(deleted_experiments=[1])
        show("delete the experiment", timed(lambda: ledger.commit(delete), 1))
        reader.close()
        ledger.close()


if __name__ == "__main__":
    main()
