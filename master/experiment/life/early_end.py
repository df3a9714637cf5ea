"""When a search ends before it has trained all that it may, by its spec's `stop`: by its rows alone, so that a restart
comes to the same. Pure."""

from __future__ import annotations

from ....shared.durations import written
from ....shared.metric_goal import reaches
from ....shared.spec.spec import Spec
from ...search.interface import Goal
from ..changes import ExperimentRow
from ..ranks import Rank


def early_end(spec: Spec, row: ExperimentRow, lead: Rank | None, now: float) -> str:
    """Why the search ends now; nothing where it goes on. `lead` is the best result of any report that counts."""
    stop, goal = spec.stop, Goal(spec.metric.goal)
    if stop.metric is not None and lead is not None:
        metric, trial, resource = goal.sign * lead[0], lead[1], lead[2]
        if reaches(metric, stop.metric, goal):
            asked = f"at {'most' if goal is Goal.MINIMIZE else 'least'} {stop.metric:g} was asked for"
            return f"the metric reached {metric:.6g} (trial {trial} at resource {resource}), {asked}"
    if stop.resource is not None and row.resource_spent >= stop.resource:
        return f"{row.resource_spent:,} {spec.unit} were trained, the limit is {stop.resource:,}"
    if stop.time is not None and now - row.create_time >= stop.time:
        return f"{written(stop.time)} have passed since it was submitted"
    return ""
