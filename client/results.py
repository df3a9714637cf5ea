"""What a search found, beyond what the experiment itself tells."""

from __future__ import annotations

from ..shared.model import Experiment
from .calls import Calls


def other_metrics(calls: Calls, experiment: Experiment) -> dict[str, float]:
    """What the best trial reported beside the searcher's metric, at the resource of its result; empty for nothing.

    It reads all reports of that trial, so it is for the end of a search.
    """
    best = experiment.best_trial
    if best is None:
        return {}
    found: dict[str, float] = {}
    for report in calls.list_metrics(experiment.experiment_id, best.trial_id):
        if report.resource == best.metric_resource:
            found = dict(sorted(report.metrics.items()))
    found.pop(experiment.metric, None)
    return found
