"""Results that can be compared: those of one resource, however far each trial went on."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..shared.wire.model import TrialInfo
from .fates import Fate, fates
from .history import History
from .text import plain

#: Those at higher rungs are of the better trials alone, so that rung is taken, the highest, that still has so many.
_PART = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What trials had at one resource; NaN where a trial failed or diverged on its way there."""

    resource: int
    trials: tuple[TrialInfo, ...]
    values: NDArray[np.float64]

    def told(self, history: History) -> str:
        """Where these results are from."""
        return f"results at {self.resource:,} {plain(history.experiment.unit)}, {len(self.trials):,} trials"

    def thinned(self, most: int, sign: int) -> Results:
        """The best third, and of the others evenly spaced ones, so that at most so many are left."""
        if len(self.trials) <= most:
            return self
        order = np.argsort(np.where(np.isfinite(self.values), sign * self.values, np.inf), kind="stable")
        best, others = order[: most // 3], np.sort(order[most // 3 :])
        spaced = others[np.linspace(0, len(others) - 1, most - len(best)).astype(int)]
        chosen = np.sort(np.concatenate([best, spaced]))
        return Results(self.resource, tuple(self.trials[place] for place in chosen), self.values[chosen])


#: Of histories that are in use: each is asked for its results by several figures, and by each whether there are any.
_found: WeakKeyDictionary[History, Results | None] = WeakKeyDictionary()


def results(history: History) -> Results | None:
    """The results at the highest rung that has at least half as many as any; None where there is no result."""
    if history not in _found:
        _found[history] = _results(history)
    return _found[history]


def no_result(history: History) -> str:
    """That there is no result, as a sentence; empty where there is one."""
    if results(history) is not None:
        return ""
    return f"experiment {history.experiment.experiment_id} has no result of {history.metric} yet"


def _results(history: History) -> Results | None:
    levels = list(history.levels) or [max(len(curve) and int(curve.resource[-1]) for curve in history.curves.values())]
    found = [at for level in levels if (at := _at(history, level)) is not None]
    counts = [int(np.isfinite(at.values).sum()) for at in found]
    enough = [at for at, count in zip(found, counts, strict=True) if count >= _PART * max(counts)]
    return enough[-1] if enough else None


def _at(history: History, level: int) -> Results | None:
    trials, values, what = [], [], fates(history)
    for trial in history.trials:
        curve = history.curves.get(trial.trial_id)
        value = curve.value_at(level) if curve is not None else None
        broken = what[trial.trial_id] is Fate.FAILED and trial.target >= level >= trial.resource
        if value is not None or broken:
            trials.append(trial)
            values.append(np.nan if value is None or not np.isfinite(value) else value)
    found = np.array(values, float)
    return Results(level, tuple(trials), found) if np.isfinite(found).any() else None
