"""What a search found, beyond what the experiment itself tells."""

from __future__ import annotations

from ..shared.model import Trial
from .calls import Calls


def other_metrics(calls: Calls, trial: Trial | None, metric: str) -> dict[str, float]:
    """What a trial reported beside `metric`, the searcher's, at the resource of its result; empty for nothing.

    It reads all reports of the trial, so it is for the end of a search, and for one trial at a time.
    """
    found: dict[str, float] = {}
    if trial is not None and trial.metric is not None:
        for report in calls.list_metrics(trial.experiment_id, trial.trial_id):
            if report.resource == trial.metric_resource:
                found = dict(sorted(report.metrics.items()))
    found.pop(metric, None)
    return found
