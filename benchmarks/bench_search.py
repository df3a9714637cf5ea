"""What one decision of the search costs when a rung already holds 10^3, 10^4, 10^5 and 10^6 results.

A decision is what a master does for one result: take it in (`report`) and find the next work (`next`). Each size is a
fresh searcher restored from as many results, as after a restart (making the records included); its time, and its
memory, are told too. All times are CPU time, so that what else runs on the machine makes little difference.

    python benchmarks/bench_search.py [--json] [--decisions N] [--repeats N]
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rungmaster.master.search.interface import Decision, Goal, RungRecord, Searcher, Train, TrialRecord
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.searchers import AshaSpec

SIZES = (10**3, 10**4, 10**5, 10**6)
ETA, MAX_RESOURCE = 4, 256


@dataclass(frozen=True, slots=True)
class Cost:
    """`decision_us` and its `worst_us` of all decisions are per decision; `peak_mib` is the process's so far."""

    results: int
    decision_us: float
    worst_us: float
    restore_s: float
    peak_mib: float
    ratio: float


def restored(size: int, extra: int, metrics: random.Random) -> tuple[Searcher, float]:
    """A searcher whose first rung holds `size` results, the best quarter of them promoted and since failed."""
    searcher = build_searcher(AshaSpec(max_trials=size + extra, max_resource=MAX_RESOURCE, divisor=ETA), Goal.MINIMIZE)
    values = [metrics.random() for _ in range(size)]
    threshold = sorted(values)[size // ETA - 1]

    def trials() -> Iterator[TrialRecord]:
        for trial, value in enumerate(values):
            promoted = value <= threshold
            yield TrialRecord(trial, 0, int(promoted), 1, running=False, ended=promoted)

    def results() -> Iterator[RungRecord]:
        for trial, value in enumerate(values):
            promoted = value <= threshold
            yield RungRecord(0, 0, trial, value, promoted)
            if promoted:
                yield RungRecord(0, 1, trial, None, promoted=False)

    start = time.process_time()
    searcher.restore(trials(), results())
    return searcher, time.process_time() - start


def decide(searcher: Searcher, decisions: int, metrics: random.Random) -> list[float]:
    """Seconds that each of some decisions took."""
    step, took = searcher.next(), []
    for _ in range(decisions):
        work = step.answer
        assert isinstance(work, Train)
        metric = metrics.random()
        start = time.process_time()
        reported = searcher.report(work.trial, work.target, metric)
        step = searcher.next()
        took.append(time.process_time() - start)
        assert isinstance(reported.answer, Decision)
    return took


def measure(size: int, decisions: int, repeats: int) -> tuple[float, float, float, float]:
    """Microseconds a decision (least of the repeats), the worst of all, seconds to restore, and MiB at the peak."""
    means, worst, restore_s = [], 0.0, 0.0
    for repeat in range(repeats):
        metrics = random.Random(repeat)
        gc.collect()
        searcher, restore_s = restored(size, decisions * 2, metrics)
        took = decide(searcher, decisions, metrics)
        means.append(sum(took) / len(took) * 1e6)
        worst = max(worst, *took)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return min(means), worst * 1e6, restore_s, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--decisions", type=int, default=1000, help="decisions in each repeat")
    parser.add_argument("--repeats", type=int, default=3, help="searchers restored for each size")
    options = parser.parse_args()
    costs: list[Cost] = []
    for size in SIZES:
        decision_us, worst_us, restore_s, peak = measure(size, options.decisions, options.repeats)
        least = costs[0].decision_us if costs else decision_us
        costs.append(Cost(size, decision_us, worst_us, restore_s, peak, decision_us / least))
    if options.json:
        print(json.dumps({"decisions": options.decisions, "costs": [asdict(cost) for cost in costs]}))
        return
    print(f"{'results':>9}  {'µs/decision':>11}  {'worst µs':>8}  {'restore s':>9}  {'peak MiB':>8}  {'ratio':>5}")
    for c in costs:
        print(
            f"{c.results:>9,}  {c.decision_us:>11.1f}  {c.worst_us:>8.0f}  {c.restore_s:>9.2f}"
            f"  {c.peak_mib:>8.0f}  {c.ratio:>5.2f}"
        )


if __name__ == "__main__":
    main()
