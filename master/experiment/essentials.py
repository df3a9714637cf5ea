"""What the rows of an experiment need of its stored spec, as far as that can be read: it may be damaged, or of old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...shared.spec.searchers import SEARCHERS
from ..search.interface import Goal


@dataclass(frozen=True, slots=True)
class Essentials:
    """The metric by which results are told apart, which checkpoints stay, and where they lie. Without a metric none is
    better."""

    metric: str
    goal: Goal
    best_is: str
    keep: str
    storage: str = "."
    #: The metric at which the search ends early.
    stop_metric: float | None = None
    #: Whether new trials may take after others, whose hyperparameters must be at hand then.
    inherits: bool = False


#: Of a spec that cannot be read: no result is better than another, and no checkpoint is needless.
UNKNOWN = Essentials("", Goal.MINIMIZE, "any", "all")


def essentials(spec: Mapping[str, Any]) -> Essentials:
    """From a spec as the ledger has it."""
    metric, checkpoints = spec.get("metric"), spec.get("checkpoints", {})
    if not isinstance(metric, Mapping) or not isinstance(checkpoints, Mapping):
        return UNKNOWN
    name, goal, best_is = metric.get("name"), metric.get("goal"), metric.get("best", "any")
    keep = checkpoints.get("keep", "promotable")
    if not isinstance(name, str) or goal not in [*Goal]:
        return UNKNOWN
    if best_is not in ("any", "last") or keep not in ("all", "best", "promotable"):
        return UNKNOWN
    storage = storage_of(spec)
    inherits = _inherits(spec.get("searcher"))
    return Essentials(
        name, Goal(goal), best_is, keep, "." if storage is None else storage, _stop_metric(spec), inherits
    )


def storage_of(spec: object) -> str | None:
    """Where the checkpoints lie; None where the stored spec does not tell."""
    checkpoints = spec.get("checkpoints") if isinstance(spec, Mapping) else None
    storage = checkpoints.get("storage") if isinstance(checkpoints, Mapping) else None
    return storage if isinstance(storage, str) else None


def _stop_metric(spec: Mapping[str, Any]) -> float | None:
    stop = spec.get("stop")
    wanted = stop.get("metric") if isinstance(stop, Mapping) else None
    return wanted if isinstance(wanted, int | float) else None


def _inherits(searcher: Any) -> bool:
    name = searcher.get("name") if isinstance(searcher, Mapping) else None
    found = SEARCHERS.get(name) if isinstance(name, str) else None
    return found is not None and found.inherits
