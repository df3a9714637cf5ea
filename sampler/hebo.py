"""HEBO, Huawei's Bayesian optimisation (Cowen-Rivers et al., "HEBO: Pushing The Limits of Sample-Efficient
Hyper-parameter Optimisation", JAIR 2022), by its own package.

Conditional spaces are flat for it: what does not exist has its middle. Each trial counts by its last result, a failed
one as the worst. What is in training is told as the median (a constant liar): as
the worst it would contradict its good neighbours, and HEBO's Gaussian process could not be fitted to that.
"""

# It runs in an environment of its own.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
from hebo.acq_optimizers import evolution_optimizer
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO
from pymoo.core.duplicate import DuplicateElimination

from ..shared.sampling.protocol import Pending, Start, TrialResult, same
from .serve import Suggested, main
from .spaces.flat import FlatParameter, FlatResults, FlatSpace

#: How often it is asked again where what it suggests is forbidden, or was tried before.
MOST_ATTEMPTS = 10
#: The fewest suggestions of its Sobol sequence. After HEBO's own, one more than there are hyperparameters, many a value
#: of a categorical has been tried but once or never, and the model then keeps away from it.
FEWEST_AT_FIRST = 10


class HeboSampler:
    """HEBO over a flat space. Its first suggestions are a Sobol sequence: `rand_sample` in the spec, by default 10, or
    one more than there are hyperparameters where that is more."""

    name = "hebo"

    def start(self, start: Start) -> None:
        """Makes the design space. Fields of the spec's sampler that are not ours go to HEBO's constructor."""
        warnings.filterwarnings("ignore")
        torch.set_num_threads(1)
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            seed(start.seed)
        self._space, self._results = FlatSpace(start.space), FlatResults(start.goal)
        self._names = {each.name: f"p{index}" for index, each in enumerate(self._space.searched)}
        design = DesignSpace().parse([_dimension(self._names[each.name], each) for each in self._space.searched])
        options = {"rand_sample": max(FEWEST_AT_FIRST, 1 + len(self._names)), "scramble_seed": start.seed}
        evolution_optimizer.MixedVariableDuplicateElimination = _ByHash
        self._hebo = HEBO(design, **options | start.options)
        self._passed = 0

    def tell(self, result: TrialResult) -> None:
        """Keeps it for the next ask."""
        self._results.tell(result)

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterator[Suggested]:
        """One after the other: each is in training for the next."""
        points, losses = self._results.bad_as_worst()
        worst, lie = max(losses, default=0.0), median(losses) if losses else 0.0
        points = [*points, *(each.hyperparameters for each in pending)]
        self._pass_over(len(points))
        for _ in range(count):
            found = self._wanted(points, [*losses, *[lie] * (len(points) - len(losses))], worst)
            points.append(found)
            yield found, ""

    def _pass_over(self, known: int) -> None:
        """After a restart the Sobol sequence goes on where it was, about, and does not begin again."""
        if not self._passed and known:
            self._hebo.sobol.fast_forward(known)
        self._passed = max(self._passed, known, 1)

    def _wanted(self, points: list[dict[str, Any]], losses: list[float], worst: float) -> dict[str, Any]:
        """A suggestion that is allowed, and new where that is possible. What is not allowed is told as the worst."""
        known, found, repeated = {*map(same, points)}, {}, None
        points, losses = [*points], [*losses]
        for _ in range(MOST_ATTEMPTS):
            found = self._once(points, losses)
            if self._space.is_forbidden(found):
                points.append(found)
                losses.append(worst)
            elif same(found) in known:
                repeated = found
            else:
                return found
        if repeated is None:
            raise ValueError(f"each of {MOST_ATTEMPTS} suggestions was forbidden")
        return repeated

    def _once(self, points: Sequence[Mapping[str, Any]], losses: Sequence[float]) -> dict[str, Any]:
        if not self._names:
            return self._space.hyperparameters({})
        flat = [self._space.flat(each) for each in points]
        columns = {short: [each[name] for each in flat] for name, short in self._names.items()}
        self._hebo.X = pd.DataFrame(columns)
        self._hebo.y = np.array(losses, dtype=float).reshape(-1, 1)
        suggested = self._hebo.suggest(n_suggestions=1).iloc[0]
        return self._space.hyperparameters({name: suggested[short] for name, short in self._names.items()})


class _ByHash(DuplicateElimination):
    """Removes the same individuals as pymoo's own, which compares all with all: that took half of each suggestion."""

    def _do(self, pop: Sequence[Any], other: Sequence[Any] | None, is_duplicate: np.ndarray) -> np.ndarray:
        # Of those that are the same the last one stays.
        known = set() if other is None else {_values(each) for each in other}
        for place in reversed(range(len(pop))):
            values = _values(pop[place])
            is_duplicate[place] = values in known
            if other is None:
                known.add(values)
        return is_duplicate


def _values(individual: Any) -> tuple[Any, ...]:
    return tuple(value for _, value in sorted(individual.X.items()))


def _dimension(name: str, parameter: FlatParameter) -> dict[str, Any]:
    if parameter.is_categorical:
        return {"name": name, "type": "cat", "categories": [*range(len(parameter.values))]}
    kinds = {"float": ("num", "pow"), "int": ("int", "pow_int"), "ordinal": ("int", "int")}
    kind = kinds[parameter.kind][parameter.log]
    return {"name": name, "type": kind, "lb": parameter.low, "ub": parameter.high}


if __name__ == "__main__":
    main(HeboSampler)
