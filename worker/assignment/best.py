"""Which reports of a trial call for a checkpoint because the model of the best result is kept."""

from __future__ import annotations

import math


class BestSoFar:
    """The best result that is known here. The experiment's may be better by now, which costs a needless checkpoint."""

    def __init__(self, goal: str, metric: float | None) -> None:
        """`metric` is the experiment's best result so far; None before one."""
        self._sign = 1.0 if goal == "minimize" else -1.0
        self._least = math.inf if metric is None else self._sign * metric
        #: The result may be this trial's own from before, whose checkpoint was lost with its worker.
        self._equals = metric is not None

    def improves(self, metric: float | None) -> bool:
        """Takes in a result: whether it is the best, and its model to be kept."""
        if metric is None or not math.isfinite(metric):
            return False
        value = self._sign * metric
        if value > self._least or (value == self._least and not self._equals):
            return False
        self._least, self._equals = value, False
        return True
