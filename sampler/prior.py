"""What the priors of hyperparameters are worth beside what was found: PriorBand (Mallik et al. 2023, section 5).

Of the draws that no model makes, half are even over the space. The other half follow the priors, until enough is known:
from then on they are split between the priors and the neighbourhood of the best trial, as the best trials are likely
under each. A prior that misleads loses its share, and never has all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .history import History
from .spaces.columns import Codes, Column, normal
from .spaces.space import NeutralSpace

EVEN = 0.5
"""The share of even draws: that of the lowest rung in PriorBand, where all new trials begin."""

MUTATED, SPREAD = 0.5, 0.25
"""Near the best trial: how likely each hyperparameter is changed, and the standard deviation of its change."""


class Incumbent:
    """The best trial, and how likely the best trials are beside it and under the priors."""

    def __init__(self, history: History, space: NeutralSpace, eta: float) -> None:
        self._space = space
        resource = next((each for each in history.resources if history.finite(each) >= eta), None)
        #: The row of the best trial; None: too little is known.
        self.row: Codes | None = None
        self.prior_share = 1.0
        if resource is not None:
            observed = history.at(resource)
            best = observed.rows[: max(1, int(history.finite(resource) / eta))]
            self.row = observed.rows[0]
            self.prior_share = self._prior_share(best, observed.rows[0])

    def _prior_share(self, best: Codes, incumbent: Codes) -> float:
        """Which part of the draws follow the priors, by the densities of the best rows, the first of which count
        most."""
        weights = np.arange(len(best), 0, -1.0)
        logs = np.array([self._logs(best, None), self._logs(best, incumbent)])
        scores = np.exp(logs - logs.max()) @ weights
        return float(scores[0] / scores.sum())

    def _logs(self, rows: Codes, incumbent: Codes | None) -> NDArray[np.float64]:
        """The logarithms of densities: of the priors, or near a row."""
        logs = np.zeros(len(rows))
        for place in self._space.varying:
            column = self._space.columns[place]
            center = column.prior if incumbent is None else (incumbent[place], SPREAD)
            if center is not None and not math.isnan(center[0]):
                logs += np.nan_to_num(_log_density(column, rows[:, place], *center))
        return logs

    def neighbour(self, random: Generator) -> Codes:
        """A row near the best trial's; what that one does not have is drawn. It may be forbidden."""
        assert self.row is not None, "there is no best trial yet"
        [drawn] = self._space.everything(random, 1)
        for place in self._space.varying:
            column, code = self._space.columns[place], self.row[place]
            if math.isnan(code):
                continue
            changed = random.random() < MUTATED
            if not changed or not column.is_categorical:
                drawn[place] = normal(code, SPREAD, random.random(1))[0] if changed else code
        return drawn


def _log_density(column: Column, codes: Codes, mean: float, std: float) -> NDArray[np.float64]:
    if column.is_categorical:
        other = MUTATED / column.size
        return np.where(codes == mean, math.log(1 - MUTATED + other), math.log(other))
    within = 0.5 * (math.erf((1 - mean) / (std * math.sqrt(2))) + math.erf(mean / (std * math.sqrt(2))))
    return -0.5 * ((codes - mean) / std) ** 2 - math.log(std * within * math.sqrt(2 * math.pi))
