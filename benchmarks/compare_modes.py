"""How long each mode of adaptive ASHA takes to find a good configuration, in virtual time, on three kinds of curves.

    python benchmarks/compare_modes.py                            all, 30 seeds: it takes a while
    python benchmarks/compare_modes.py --modes conservative,learned crossing

It prints the median virtual time, over the seeds, until a trial was trained in full that is good: among the best 1 in
10,000 of all configurations where early results tell the truth (`truthful`), 1 in 100 where they mislead (`crossing`),
and 1 in 1,000 on the usual model; and `learned` divided by each. Divisor 4, five rungs up to 256, 8 workers. A
search makes a million trials if it must; `never` where half of the searches had found none after 20,000.

How it could mislead: a median of 30 seeds may be off by a third, since times to something rare are nearly exponential;
take more (`--first 4000 --seeds 600`) to compare rules. And nothing can be learned before low rungs have results: where
a search is over soon (an easy aim, or hundreds of workers), `learned` is hardly more than `standard`.
"""

from __future__ import annotations

import argparse
import math
from multiprocessing import Pool
from statistics import median

from rungmaster.master.search.interface import Goal, SearchContext
from rungmaster.master.search.registry import build_searcher
from rungmaster.master.simulation.curves import Curves
from rungmaster.master.simulation.virtual_time import time_to
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec, Mode

MODES: tuple[Mode, ...] = ("aggressive", "standard", "conservative", "learned")
GOOD = {"truthful": 1e-4, "crossing": 1e-2, "model": 1e-3}
MAX_RESOURCE, WORKERS, SAMPLE, LONGEST = 256, 8, 100_000, 20_000


def good_error(kind: str) -> float:
    """The largest error that is good, by a sample of configurations that no search is given."""
    curves = Curves(-1, MAX_RESOURCE, kind)
    errors = sorted(curves.curve(trial).error(MAX_RESOURCE) for trial in range(SAMPLE))
    return errors[int(SAMPLE * GOOD[kind]) - 1]


def time_of(task: tuple[str, Mode, int, float]) -> float:
    """When one search has found a good configuration."""
    kind, mode, seed, error = task
    spec = AdaptiveAshaSpec(mode=mode, max_trials=10**6, max_resource=MAX_RESOURCE, divisor=4)
    searcher = build_searcher(spec, SearchContext(Goal.MINIMIZE))
    return time_to(error, searcher, WORKERS, seed, kind, LONGEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(GOOD)}; none: all")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=30, help="how many")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=MODES, help=f"of {', '.join(MODES)}")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    args = parser.parse_args()
    with Pool(args.jobs) as pool:
        for kind in args.kinds or GOOD:
            error = good_error(kind)
            medians: dict[str, float] = {}
            for mode in args.modes:
                seeds = range(args.first, args.first + args.seeds)
                tasks: list[tuple[str, Mode, int, float]] = [(kind, mode, seed, error) for seed in seeds]
                medians[mode] = median(pool.imap_unordered(time_of, tasks))
            told = (
                f"{mode} {found:,.0f}" if math.isfinite(found) else f"{mode} never" for mode, found in medians.items()
            )
            ratios = (f"{medians['learned'] / medians[mode]:.2f} of {mode}" for mode in medians if "learned" in medians)
            print(f"{kind} (best {GOOD[kind]:g}): {', '.join(told)}; learned is {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
