"""What one decision of the search costs when a rung already holds 10^3, 10^4, 10^5 and 10^6 results.

A decision is what a master does for one result: take it in (`report`) and find the next work (`next`), without barriers
(`asha`) and before one that waits for more results (`sha`). Where the last of them opens it, a portion of the trials
that wait is decided with each event; the notes say what each of these costs. Each size is a fresh searcher restored
from as many results, as after a restart (making the records included); its time, and its memory, are told too. All
times are CPU time, so that what else runs on the machine makes little difference.

How it could mislead: a thousand results lie in the processor's caches and a million do not; that is part of the growth.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
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
from rungmaster.shared.spec.searchers import AshaSpec, ShaSpec

GROWTH_AIM = 1.5
ETA, MAX_RESOURCE = 4, 256


@dataclass(frozen=True, slots=True)
class Size:
    results: tuple[int, ...] = (10**3, 10**4, 10**5, 10**6)
    decisions: int = 1_000
    repeats: int = 3


#: Makes a searcher with so many results, and room for so many trials more; gives it with the seconds to restore it.
Restored = Callable[[int, int, random.Random], tuple[Searcher, float]]


@dataclass(frozen=True, slots=True)
class Cost:
    """`decision_us` and its `worst_us` of all decisions are per decision; `peak_mib` is the process's so far."""

    decision_us: float
    worst_us: float
    restore_s: float
    peak_mib: float


def asha(size: int, extra: int, metrics: random.Random) -> tuple[Searcher, float]:
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


def sha(size: int, extra: int, metrics: random.Random) -> tuple[Searcher, float]:
    """A searcher whose first rung holds `size` results, all of which wait for `extra` more."""
    spec = ShaSpec(max_trials=size + extra, max_resource=MAX_RESOURCE, divisor=ETA)
    searcher = build_searcher(spec, SearchContext(Goal.MINIMIZE))
    trials = (TrialRecord(trial, 0, 0, 1, running=False, ended=False) for trial in range(size))
    results = (RungRecord(0, 0, trial, metrics.random(), promoted=False) for trial in range(size))
    start = time.process_time()
    searcher.restore(trials, results)
    return searcher, time.process_time() - start


SEARCHES: dict[str, Restored] = {"asha": asha, "sha": sha}


def opened(size: int, metrics: random.Random) -> tuple[float, float]:
    """Of the events after a barrier of `size` results has opened: µs for each trial that is decided, and the longest
    event in ms."""
    searcher, _ = sha(size - 1, 1, metrics)
    work = searcher.next().answer
    assert isinstance(work, Train)
    took, decided = [], 0
    for event in (lambda: searcher.report(work.trial, work.target, 2.0), *[searcher.next] * 5):
        start = time.process_time()
        step = event()
        took.append(time.process_time() - start)
        decided += len(step.decisions)
    return sum(took) / decided * 1e6, max(took) * 1e3


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


def cost(restored: Restored, size: int, decisions: int, repeats: int) -> Cost:
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
    lines = {name: _measured(name, size, result) for name in SEARCHES}
    for results in size.results:
        each_us, worst_ms = opened(results, random.Random(0))
        result.notes.append(
            f"sha, a barrier of {results:,} results has opened: {each_us:.1f} µs for each trial that is decided, "
            f"{worst_ms:.1f} ms for the longest event"
        )
    result.plots.append(Plot("A decision of the search", "results in the rung", "µs of CPU", lines))
    return result


def _measured(name: str, size: Size, result: Result) -> list[tuple[float, float]]:
    """Adds the figures of one searcher; gives µs a decision by results in the rung."""
    costs = {results: cost(SEARCHES[name], results, size.decisions, size.repeats) for results in size.results}
    least = costs[min(costs)].decision_us
    for results, found in costs.items():
        figure = Figure(
            f"one decision of {name}, {results:,} results in the rung",
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
            f"{name}, {results:,} results: the slowest decision took {found.worst_us:,.0f} µs, restoring "
            f"{found.restore_s:.2f} s, peak memory {found.peak_mib:,.0f} MiB"
        )
    return [(float(results), found.decision_us) for results, found in costs.items()]


FULL = Size()
QUICK = Size((100, 200), 10, 1)
