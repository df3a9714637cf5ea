"""The specs of the searches that are submitted: what is to end well, what cannot be run, what is damaged later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

#: The names of the search that is to end well, of those that are cancelled as soon as they have begun, and of those
#: that nobody can run.
MARATHON, HASTY, WRONG = "marathon", "hasty", "wrong"
#: Those whose stored spec is damaged, so that it cannot be read, or that nothing can be drawn from it any more.
UNREADABLE, UNDRAWABLE = "unreadable", "undrawable"


#: The trials that Hyperband's grid for nine epochs and a divisor of three has.
HYPERBAND_TRIALS = 9 + 5 + 3
#: The searchers that a marathon can have.
SEARCHERS = ("adaptive_asha", "sha", "hyperband", "pbt")


def _searcher(name: str, max_trials: int) -> dict[str, Any]:
    """One that makes about so many trials."""
    if name == "pbt":
        return {"name": name, "population": max(2, max_trials // 3), "interval": 3, "max_resource": 9}
    fields: dict[str, Any] = {"name": name, "max_resource": 9, "divisor": 3}
    if name == "hyperband":
        return fields | {"iterations": max(1, max_trials // HYPERBAND_TRIALS)}
    return fields | {"max_trials": max_trials}


def marathon(
    storage: Path, *, max_trials: int, seconds_per_epoch: float, seed: int, searcher: str = SEARCHERS[0]
) -> str:
    """A spec over the marathon program. Nothing that chaos does may count as poison or as broken training code."""
    return yaml.safe_dump(
        {
            "name": MARATHON,
            "entrypoint": "marathon:train",
            "metric": {"name": "error", "goal": "minimize"},
            "unit": "epochs",
            "hyperparameters": {
                "quality": {"type": "float", "low": 0.0, "high": 1.0},
                "seconds_per_epoch": seconds_per_epoch,
            },
            "searcher": _searcher(searcher, max_trials),
            "checkpoints": {"storage": str(storage), "interval": 0},
            "max_restarts": 1_000_000,
            "max_workers_lost": 1_000_000,
            "seed": seed,
        }
    )


def hasty(storage: Path, seed: int) -> str:
    """A search that nobody waits for."""
    document = yaml.safe_load(marathon(storage, max_trials=8, seconds_per_epoch=0.2, seed=seed))
    return yaml.safe_dump(document | {"name": HASTY, "priority": 1})


#: What is wrong with experiments that nobody can run, and what people are told.
WAYS_TO_BE_WRONG: dict[str, tuple[str | list[str], str]] = {
    "program": (["pyhton", "marathon.py"], "no worker can start it: cannot run 'pyhton'"),
    "module": ("marathno:train", "no worker can start it: entrypoint 'marathno:train': there is no module 'marathno'"),
    "function": ("marathon:trian", "has no function 'trian'; did you mean 'train'?"),
    "code": ("raising:train", "exited with code 1: RuntimeError: no data for trial"),
}


def wrong(storage: Path, way: str) -> str:
    """A spec that can be trained nowhere, and wants every slot there is."""
    document = yaml.safe_load(marathon(storage, max_trials=100, seconds_per_epoch=0.1, seed=1))
    return yaml.safe_dump(document | {"name": WRONG, "entrypoint": WAYS_TO_BE_WRONG[way][0], "weight": 1000})


_SWITCH = {"type": "categorical", "choices": ["on", "off"]}
_NEITHER = [{"switch": ["on"]}, {"switch": ["off"]}]
#: What becomes of the stored spec of a running experiment, by the experiment's name.
WAYS_TO_BE_DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], Any], ...]] = {
    UNREADABLE: (lambda spec: [7], lambda spec: {**spec, "metric": 7}),
    # All of an endless space is forbidden, which shows after a million candidates; and all of one that can be counted.
    UNDRAWABLE: (
        lambda spec: {**spec, "forbidden": _NEITHER},
        lambda spec: {**spec, "forbidden": _NEITHER, "hyperparameters": {"switch": spec["hyperparameters"]["switch"]}},
    ),
}


def damageable(storage: Path, name: str) -> str:
    """A search with trials enough that there is always another one to draw, which trains before all others."""
    document = yaml.safe_load(marathon(storage, max_trials=5000, seconds_per_epoch=0.1, seed=1))
    document["hyperparameters"]["switch"] = _SWITCH
    return yaml.safe_dump(document | {"name": name, "priority": 1})
