"""How the best result of a search got better while it trained, kept up to date as it goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..proto.v1 import experiment_pb2
from ..shared.wire.model import Experiment
from .client import Client

MOST_SPENT = 1_000_000
"""Of a search that has trained more, what was before it was followed is not read: that would take many seconds."""

_POINTS = 64


def best_so_far(values: Sequence[float | None], goal: str) -> list[float]:
    """The best of the values up to each of them that is finite; those before the first one are left out."""
    better = min if goal == "minimize" else max
    best: list[float] = []
    for value in values:
        if value is not None and math.isfinite(value):
            best.append(better(best[-1], value) if best else value)
        elif best:
            best.append(best[-1])
    return best


class BestCurve:
    """The best result of any report of one experiment, as that was at even steps of all that was trained by then."""

    def __init__(self, client: Client, experiment: Experiment) -> None:
        """Reads what there was before, where that is not too much."""
        self._records: list[tuple[int, float]] = []
        if 0 < experiment.resource_spent <= MOST_SPENT:
            self._records = _records(client, experiment)

    def update(self, experiment: Experiment) -> tuple[float, ...]:
        """Takes in how it stands, and gives the values up to now, none before the first result."""
        leading = experiment.leading_trial
        value = leading.best_metric if leading is not None else None
        if value is not None and (not self._records or self._records[-1][1] != value):
            self._records.append((experiment.resource_spent, value))
        return self._steps(experiment.resource_spent)

    def _steps(self, spent: int) -> tuple[float, ...]:
        if not self._records:
            return ()
        first = self._records[0][0]
        count = max(1, min(_POINTS, spent - first + 1))
        values, place = [], 0
        for step in range(count):
            at = first + (spent - first) * step / max(1, count - 1)
            while place + 1 < len(self._records) and self._records[place + 1][0] <= at:
                place += 1
            values.append(self._records[place][1])
        return tuple(values)


def _records(client: Client, experiment: Experiment) -> list[tuple[int, float]]:
    """How much was trained when a result came that was better than all before it, and that result."""
    request = experiment_pb2.ReadCurvesRequest(experiment_id=experiment.experiment_id, points=1)
    return [(one.spent, one.value) for answer in client.connection.curves(request) for one in answer.records]
