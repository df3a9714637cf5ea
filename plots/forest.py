"""What a random forest learns of hyperparameters and results: how much it loses without each of them.

The target is the rank of a result, so that neither outliers nor the metric's scale count; what failed has the worst.
Forests learn from bootstrap samples of the trials. Each is asked about those that it has not seen, once as they are
and then with one hyperparameter's values shuffled among the trials that have it, so that a condition stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MissingExtra
from .results import Results
from .space import Dimension

_MOST_TRIALS = 800
_SAMPLES, _TREES, _SHUFFLES = 10, 30, 1


@dataclass(frozen=True, slots=True)
class Importance:
    """By how much less of the results' order is explained without a hyperparameter; `std` over samples and shuffles."""

    name: str
    when: str
    mean: float
    std: float


def importances(found: Results, dimensions: Sequence[Dimension], sign: int) -> tuple[float, list[Importance]]:
    """The part of the order that is explained (R² on trials not seen), and each hyperparameter's importance.

    The same results give the same answer. Raises MissingExtra where scikit-learn is not installed.
    """
    found = found.thinned(_MOST_TRIALS, sign)
    columns, groups = _columns(found, dimensions)
    present = [~np.isnan(axis.places(found.trials)) for axis in dimensions]
    target = _ranks(found.values, sign)
    explained, losses = [], [[] for _ in dimensions]
    random = np.random.default_rng(0)
    spread = float(target.var()) or 1.0
    for sample in range(_SAMPLES):
        learned = random.integers(len(target), size=len(target))
        unseen = np.setdiff1d(np.arange(len(target)), learned)
        forest = _forest(sample).fit(columns[learned], target[learned])
        held, truth = columns[unseen], target[unseen]
        wrong = float(((forest.predict(held) - truth) ** 2).mean())
        explained.append(1 - wrong / spread)
        for place, group in enumerate(groups):
            for _ in range(_SHUFFLES):
                shuffled = _shuffled(held, group, present[place][unseen], random)
                losses[place].append((float(((forest.predict(shuffled) - truth) ** 2).mean()) - wrong) / spread)
    rows = [
        Importance(axis.name, axis.when, float(np.mean(lost)), float(np.std(lost)))
        for axis, lost in zip(dimensions, losses, strict=True)
    ]
    return float(np.mean(explained)), rows


def _forest(seed: int) -> Any:
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise MissingExtra(f"importance needs scikit-learn: pip install 'rungmaster[plots]' ({error})") from error
    return RandomForestRegressor(_TREES, min_samples_leaf=2, max_features=0.7, random_state=seed)


def _columns(found: Results, dimensions: Sequence[Dimension]) -> tuple[NDArray, list[list[int]]]:
    """A table for the forest, and which of its columns belong to each hyperparameter: choices have one each."""
    columns: list[NDArray] = []
    groups: list[list[int]] = []
    for axis in dimensions:
        places = axis.places(found.trials)
        made = [places == index for index in range(len(axis.values))] if axis.values else [places]
        absent = np.isnan(places)
        first, last = axis.ends
        made = [np.where(absent, first - (last - first), column.astype(float)) for column in made]
        groups.append(list(range(len(columns), len(columns) + len(made))))
        columns += made
    return np.array(columns, float).T, groups


def _ranks(values: NDArray, sign: int) -> NDArray[np.float64]:
    ranked = np.where(np.isfinite(values), sign * values, np.inf)
    # Equal results have equal ranks.
    _, place, count = np.unique(ranked, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2
    return middle[place] / len(values)


def _shuffled(rows: NDArray, group: list[int], present: NDArray, random: np.random.Generator) -> NDArray:
    """The rows with one hyperparameter's values shuffled among those that have it."""
    changed = rows.copy()
    having = np.flatnonzero(present)
    mixed = random.permutation(having)
    for column in group:
        changed[having, column] = rows[mixed, column]
    return changed
