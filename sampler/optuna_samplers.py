"""Any of Optuna's samplers (Akiba et al., "Optuna", KDD 2019), by its name in `optuna.samplers`.

Options: `sampler`, the name (TPESampler), and all else as arguments of its constructor.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from ..shared.sampling.protocol import Pending, Start, TrialResult, same
from .serve import Suggested, main
from .spaces.flat import FlatParameter, FlatSpace

#: How often it is asked again where what it suggests is forbidden.
MOST_ATTEMPTS = 50


class OptunaSampler:
    """One of Optuna's samplers over a study that is made anew for each ask, with every trial by its last result.

    TPESampler knows trials that have not trained in full (Optuna's pruned ones) and puts them after those that have,
    by how far they came. For the others every trial has its last result.
    """

    name = "optuna"

    def start(self, start: Start) -> None:
        """Makes the sampler. Raises what its constructor raises, and AttributeError for a name that Optuna lacks."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        options = dict(start.options)
        which = str(options.pop("sampler", "TPESampler"))
        make = getattr(optuna.samplers, which)
        known = inspect.signature(make).parameters
        self._space = FlatSpace(start.space)
        if "search_space" in known:
            options["search_space"] = _grid(self._space)
        # Trials in training count as bad until they have a result, so that several asks do not all get one answer.
        defaults = {"seed": start.seed, "constant_liar": True}
        self._sampler = make(**{name: value for name, value in defaults.items() if name in known} | options)
        self.name = f"optuna {which}"
        self._knows_pruned = which == "TPESampler"
        minimize, maximize = optuna.study.StudyDirection.MINIMIZE, optuna.study.StudyDirection.MAXIMIZE
        self._direction = minimize if start.goal == "minimize" else maximize
        self._worse, self._full = max if start.goal == "minimize" else min, start.resources[-1]
        self._last: dict[tuple[int | None, int], TrialResult] = {}
        #: What a sampler has noted on the trials that it suggested, and on the study.
        self._notes: dict[str, Mapping[str, Any]] = {}
        self._study_notes: Mapping[str, Any] = {}

    def tell(self, result: TrialResult) -> None:
        """Keeps it for the next ask."""
        self._last[result.experiment, result.trial] = result

    def suggest(self, count: int, pending: Sequence[Pending]) -> Iterator[Suggested]:
        """Asks the sampler trial by trial; those that it suggested before are running."""
        study = self._study(pending)
        for _ in range(count):
            yield self._allowed(study), ""

    def _allowed(self, study: optuna.Study) -> dict[str, Any]:
        for _ in range(MOST_ATTEMPTS):
            trial = study.ask()
            found: dict[str, Any] = {}
            for each in self._space.parameters:
                if self._space.exists(each, found):
                    found[each.name] = each.value(_asked(trial, each))
            if not self._space.is_forbidden(found):
                self._notes[same(found)] = dict(study._storage.get_trial(trial._trial_id).system_attrs)
                self._study_notes = study._storage.get_study_system_attrs(study._study_id)
                return found
            study.tell(trial, state=TrialState.PRUNED)
        raise ValueError(f"each of {MOST_ATTEMPTS} suggestions was forbidden")

    def _study(self, pending: Sequence[Pending]) -> optuna.Study:
        study = optuna.create_study(direction=self._direction, sampler=self._sampler)
        for name, value in self._study_notes.items():
            study._storage.set_study_system_attr(study._study_id, name, value)
        worst = self._worst()
        for result in self._last.values():
            study.add_trial(self._frozen(result.hyperparameters, **self._reached(result, worst)))
        for each in pending:
            study.add_trial(self._frozen(each.hyperparameters, state=TrialState.RUNNING))
        return study

    def _worst(self) -> float:
        metrics = [each.metric for each in self._last.values() if each.metric is not None]
        return self._worse(metrics, default=0.0)

    def _reached(self, result: TrialResult, worst: float) -> dict[str, Any]:
        """Its state and value. One that failed is as bad as the worst; among pruned ones what has no value is that."""
        metric = None if result.failed else result.metric
        if not self._knows_pruned:
            return {"value": worst if metric is None else metric}
        if metric is None:
            return {"state": TrialState.PRUNED}
        if result.resource < self._full:
            return {"state": TrialState.PRUNED, "intermediate_values": {result.resource: metric}}
        return {"value": metric, "intermediate_values": {result.resource: metric}}

    def _frozen(self, hyperparameters: Mapping[str, Any], **reached: Any) -> FrozenTrial:
        given = [each for each in self._space.searched if each.name in hyperparameters]
        return create_trial(
            params={each.name: each.flat(hyperparameters[each.name]) for each in given},
            distributions={each.name: _distribution(each) for each in given},
            system_attrs=dict(self._notes.get(same(hyperparameters), {})),
            **reached,
        )


def _grid(space: FlatSpace) -> dict[str, list[float]]:
    """Every value of each hyperparameter, for GridSampler; as its distribution has them."""
    if wrong := [each.name for each in space.searched if each.kind == "float"]:
        raise ValueError(f"GridSampler needs a space without floats, and {wrong[0]} is one")
    return {each.name: [*range(int(each.low), int(each.high) + 1)] for each in space.searched}


def _distribution(parameter: FlatParameter) -> BaseDistribution:
    if parameter.kind == "float":
        return FloatDistribution(parameter.low, parameter.high, log=parameter.log)
    if parameter.is_categorical:
        return CategoricalDistribution(range(len(parameter.values)))
    return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)


def _asked(trial: optuna.Trial, parameter: FlatParameter) -> float:
    return 0 if parameter.is_fixed else trial._suggest(parameter.name, _distribution(parameter))


if __name__ == "__main__":
    main(OptunaSampler)
