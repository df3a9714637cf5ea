"""What one decision of the search costs when a rung already holds 10^3, 10^4, 10^5 and 10^6 results.

A decision is what a master does for one result: take it in (`report`) and find the next work (`next`). Each size is a
fresh searcher restored from as many results, as after a restart (making the records included); its time, and its
memory, are told too. All times are CPU time, so that what else runs on the machine makes little difference.

How it could mislead: a thousand results lie in the processor's caches and a million do not; that is part of the growth.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from figures import Figure, Plot, Result
from rungmaster.master.search.interface import (
    Goal,
    RungRecord,
    SearchContext,
    SearchDecision,
    Searcher,
    Train,
    TrialRecord,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import AshaSpec

GROWTH_AIM = 1.5
ETA, MAX_RESOURCE = 4, 256


@dataclass(frozen=True, slots=True)
class Size:
    results: tuple[int, ...] = (10**3, 10**4, 10**5, 10**6)
    decisions: int = 1_000
    repeats: int = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """`decision_us` and its `worst_us` of all decisions are per decision; `peak_mib` is the process's so far."""

    decision_us: float
    worst_us: float
    restore_s: float
    peak_mib: float


def restored(size: int, extra: int, metrics: random.Random) -> tuple[Searcher, float]:
    """A searcher whose first rung holds `size` results, the best quarter of them promoted and since failed."""
    searcher = build_searcher(
        AshaSpec(max_trials=size + extra, max_resource=MAX_RESOURCE, divisor=ETA), SearchContext(Goal.MINIMIZE)
    )
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
        assert isinstance(reported.answer, SearchDecision)
    return took


def cost(size: int, decisions: int, repeats: int) -> Cost:
    """The least of the repeats, the worst of all, seconds to restore, and MiB at the peak."""
    means, worst, restore_s = [], 0.0, 0.0
    for repeat in range(repeats):
        metrics = random.Random(repeat)
        gc.collect()
        searcher, restore_s = restored(size, decisions * 2, metrics)
        took = decide(searcher, decisions, metrics)
        means.append(sum(took) / len(took) * 1e6)
        worst = max(worst, *took)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Cost(min(means), worst * 1e6, restore_s, peak)


def measure(size: Size) -> Result:
    result = Result("search", __doc__ or "")
    costs = {results: cost(results, size.decisions, size.repeats) for results in size.results}
    least = costs[min(costs)].decision_us
    for results, found in costs.items():
        figure = Figure(
            f"one decision, {results:,} results in the rung",
            found.decision_us,
            "µs",
            higher_is_better=False,
            floor=least,
            floor_name=f"{min(costs):,} results",
            aim=f"{GROWTH_AIM:g}× of {min(costs):,} results",
            met=found.decision_us / least <= GROWTH_AIM,
        )
        result.figures.append(figure)
        result.notes.append(
            f"{results:,} results: the slowest decision took {found.worst_us:,.0f} µs, restoring "
            f"{found.restore_s:.2f} s, peak memory {found.peak_mib:,.0f} MiB"
        )
    points = [(float(results), found.decision_us) for results, found in costs.items()]
    result.plots.append(Plot("A decision of the search", "results in the rung", "µs of CPU", {"decision": points}))
    return result


FULL = Size()
QUICK = Size((100, 200), 10, 1)
