"""Ray Tune's and Syne Tune's ASHA classes alone: what one decision costs with a full rung. No processes, no disk.

    python asha_peers.py ray|syne RESULTS DECISIONS          prints one JSON object

The first rung is given RESULTS results by hand (through the class it would take hours), and then trials that are new
report to it through the public methods, one decision each.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

METRIC, TIME = "error", "training_iteration"


def ray_decision(results: int, rng: random.Random) -> Callable[[int], Any]:
    from ray.tune.schedulers import AsyncHyperBandScheduler  # pyright: ignore[reportMissingImports]

    scheduler = AsyncHyperBandScheduler(time_attr=TIME, metric=METRIC, mode="min", max_t=256, reduction_factor=4)
    milestone, recorded = scheduler._brackets[0]._rungs[-1]
    recorded.update({f"trial-{i}": -rng.random() for i in range(results)})

    def decide(number: int) -> Any:
        trial: Any = SimpleNamespace(trial_id=f"new-{number}")
        scheduler.on_trial_add(None, trial)
        return scheduler.on_trial_result(None, trial, {TIME: int(milestone), METRIC: rng.random()})

    return decide


def syne_decision(results: int, rng: random.Random) -> Callable[[int], Any]:
    import datetime

    from syne_tune.backend.trial_status import Trial  # pyright: ignore[reportMissingImports]
    from syne_tune.config_space import uniform  # pyright: ignore[reportMissingImports]
    from syne_tune.optimizer.schedulers.asha import (  # pyright: ignore[reportMissingImports]
        AsynchronousSuccessiveHalving,
    )

    space = {"learning_rate": uniform(0.001, 1.0)}
    scheduler = AsynchronousSuccessiveHalving(
        space, metric=METRIC, time_attr=TIME, max_t=256, reduction_factor=4, random_seed=1
    )
    milestone, recorded = scheduler.brackets[0].rungs[-1]
    recorded.update({i: {METRIC: rng.random()} for i in range(results)})

    def decide(number: int) -> Any:
        suggestion = scheduler.suggest()
        trial = Trial(results + number, suggestion.config, datetime.datetime(2026, 1, 1))
        scheduler.on_trial_add(trial)
        return scheduler.on_trial_result(trial, {TIME: int(milestone), METRIC: rng.random()})

    return decide


def main() -> None:
    peer, results, decisions = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    make = {"ray": ray_decision, "syne": syne_decision}[peer]
    decide = make(results, random.Random(1))
    decide(-1)
    start = time.process_time()
    for number in range(decisions):
        decide(number)
    cost = (time.process_time() - start) / decisions
    package = {"ray": "ray", "syne": "syne-tune"}[peer]
    print(json.dumps({"version": version(package), "seconds": cost}))


if __name__ == "__main__":
    main()
