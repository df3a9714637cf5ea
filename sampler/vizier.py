"""Open source Vizier, Google's Bayesian optimisation (Song et al., "Open Source Vizier", AutoML 2022), by its package:
its default algorithm, GP-UCB-PE (Song et al., "The Vizier Gaussian Process Bandit Algorithm", 2024).

Conditional spaces are flat for it, since its algorithm knows no conditions: what does not exist has its middle. Each
trial counts by its last result; one that failed, and what is forbidden, is infeasible. What is in training is active.
"""

# It runs in an environment of its own.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from vizier import algorithms as vza
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit
from vizier._src.jax.types import PaddedArray
from vizier.pyvizier.converters.padding import PaddingSchedule

from ..shared.sampling.protocol import Pending, Start, TrialResult
from .serve import Suggested, main
from .spaces.flat import FlatParameter, FlatResults, FlatSpace

#: How often it is asked again where what it suggests is forbidden.
MOST_ATTEMPTS = 5
#: The fewest rows that the arrays of trials have: compiling for more takes longer than a suggestion's patience.
FEWEST_ROWS = 64
_LOSS = "loss"


class VizierSampler:
    """GP-UCB-PE over a flat space. Its first suggestion is the middle of the space."""

    name = "vizier"

    def start(self, start: Start) -> None:
        """Makes the study. Fields of the spec's sampler that are not ours go to the designer's constructor."""
        warnings.filterwarnings("ignore")
        # With numbers of 32 bits its Gaussian process gives NaN after a handful of trials, and then no value at all.
        jax.config.update("jax_enable_x64", True)
        self._space, self._results = FlatSpace(start.space), FlatResults(start.goal)
        self._names = {each.name: f"p{index}" for index, each in enumerate(self._space.searched)}
        problem = vz.ProblemStatement()
        for each in self._space.searched:
            _add(problem.search_space.root, self._names[each.name], each)
        goal = vz.ObjectiveMetricGoal.MINIMIZE
        problem.metric_information.append(vz.MetricInformation(_LOSS, goal=goal))
        rng = jax.random.PRNGKey(start.seed % 2**32)
        options = {"padding_schedule": _Padding(), "acquisition_optimizer_factory": _acquisition_optimizer()}
        self._designer = VizierGPUCBPEBandit(problem, rng=rng, **options | start.options)

    def tell(self, result: TrialResult) -> None:
        """Keeps it for the next ask."""
        self._results.tell(result)

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterator[Suggested]:
        """One after the other: each is active for the next."""
        points = [*self._results.losses()]
        active = [each.hyperparameters for each in pending]
        for _ in range(count):
            found = self._allowed(points, active)
            active.append(found)
            yield found, ""

    def _allowed(
        self, points: list[tuple[dict[str, Any], float | None]], active: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        for _ in range(MOST_ATTEMPTS):
            found = self._once(points, active)
            if not self._space.is_forbidden(found):
                return found
            points.append((found, None))
        raise ValueError(f"each of {MOST_ATTEMPTS} suggestions was forbidden")

    def _once(
        self, points: Sequence[tuple[Mapping[str, Any], float | None]], active: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        if not self._names:
            return self._space.hyperparameters({})
        completed = [self._completed(index, *point) for index, point in enumerate(points, 1)]
        training = [self._trial(len(points) + index, each) for index, each in enumerate(active, 1)]
        # It can be told of more trials only, and a trial's later result takes the place of its earlier one.
        self._designer._all_completed_trials = []
        self._designer.update(vza.CompletedTrials(completed), vza.ActiveTrials(training))
        suggested = self._designer.suggest(1)[0].parameters.as_dict()
        return self._space.hyperparameters({name: float(suggested[short]) for name, short in self._names.items()})

    def _trial(self, number: int, hyperparameters: Mapping[str, Any]) -> vz.Trial:
        flat = self._space.flat(hyperparameters)
        trial = vz.Trial(id=number)
        for each in self._space.searched:
            value = flat[each.name]
            trial.parameters[self._names[each.name]] = str(int(value)) if each.is_categorical else value
        return trial

    def _completed(self, number: int, hyperparameters: Mapping[str, Any], loss: float | None) -> vz.Trial:
        trial = self._trial(number, hyperparameters)
        if loss is None:
            trial.complete(vz.Measurement(), infeasibility_reason="it failed")
        else:
            trial.complete(vz.Measurement(metrics={_LOSS: loss}))
        return trial


class _Padding(PaddingSchedule):
    """Compiling takes longer than computing: arrays have room for more trials, and each doubling alone is compiled."""

    def pad_features(self, features: np.ndarray) -> PaddedArray:
        """Rows are trials."""
        return _padded(features)

    def pad_labels(self, labels: np.ndarray) -> PaddedArray:
        """Rows are trials."""
        return _padded(labels)


def _padded(rows: np.ndarray) -> PaddedArray:
    count, columns = rows.shape
    # One row more than there are trials: a full array would be compiled by itself.
    room = max(FEWEST_ROWS, 1 << count.bit_length()) if count else 0
    return PaddedArray.from_array(rows, (room, columns), fill_value=-1 if rows.dtype.kind == "i" else np.nan)


def _acquisition_optimizer() -> Callable[[Any], Any]:
    """Vizier's own, but one for all suggestions: it is asked for at each, and a new one would be compiled anew."""
    made: list[Any] = []

    def optimizer(converter: Any) -> Any:
        if not made:
            made.append(VizierGPUCBPEBandit.default_acquisition_optimizer_factory(converter))
        return made[0]

    return optimizer


def _add(root: Any, name: str, parameter: FlatParameter) -> None:
    scale = vz.ScaleType.LOG if parameter.log else vz.ScaleType.LINEAR
    if parameter.kind == "float":
        root.add_float_param(name, parameter.low, parameter.high, scale_type=scale)
    elif parameter.is_categorical:
        root.add_categorical_param(name, [str(index) for index in range(len(parameter.values))])
    else:
        root.add_int_param(name, int(parameter.low), int(parameter.high), scale_type=scale)


if __name__ == "__main__":
    main(VizierSampler)
