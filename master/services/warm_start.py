"""What a submitted spec takes over from earlier experiments: checked, and told; the best of it may be tried first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...shared.errors import InvalidSpec, NotFound, Problem
from ...shared.space.hyperparameters import same
from ...shared.spec.spec import Spec
from ...shared.spec.warm_start import BEST
from ...shared.wire.model import Experiment, TrialInfo
from ..experiment.earlier import FIRST, TRIALS_TOLD, Fitting, difference, first_trials


class EarlierExperiments(Protocol):
    """What this needs of the reader."""

    get_experiment: Callable[[int], Experiment]
    list_trials: Callable[..., tuple[list[TrialInfo], str]]


def warm_started(spec: Spec, reader: EarlierExperiments) -> tuple[Spec, list[str]]:
    """The spec with its first trials chosen, and for each earlier experiment a line on what of it fits.

    Raises InvalidSpec for an experiment that is not there, and where the best are to be tried and nothing fits.
    """
    told: list[str] = []
    best: list[tuple[float, int, int, Mapping[str, Any]]] = []
    sign = 1.0 if spec.metric.goal == "minimize" else -1.0
    for place, number in enumerate(spec.warm_start):
        experiment = _found(reader, place, number)
        if other := difference(spec, experiment):
            told.append(f"warm_start: nothing of experiment {number} fits: {other}")
            continue
        fitting = Fitting()
        for trial, hparams in fitting.of(spec, first_trials(reader.list_trials, number, TRIALS_TOLD)):
            result = trial.best_metric if spec.metric.best == "any" else trial.metric
            if result is not None and math.isfinite(result):
                best.append((sign * result, place, trial.trial_id, hparams))
        told.append(fitting.told(number))
    if spec.initial_trials != BEST:
        return spec, told
    if not best:
        raise InvalidSpec([Problem("initial_trials", f"{BEST}: there is nothing to begin with"), *_as_problems(told)])
    return spec.model_copy(update={"initial_trials": _first(spec, best)}), told


def _found(reader: EarlierExperiments, place: int, number: int) -> Experiment:
    try:
        return reader.get_experiment(number)
    except NotFound:
        raise InvalidSpec([Problem(f"warm_start[{place}]", f"there is no experiment {number}")]) from None


def _first(spec: Spec, best: list[tuple[float, int, int, Mapping[str, Any]]]) -> tuple[Mapping[str, Any], ...]:
    """The best that differ from each other, best first."""
    chosen: dict[str, Mapping[str, Any]] = {}
    most = min(FIRST, spec.searcher.most_initial or FIRST)
    for *_, hparams in sorted(best, key=lambda each: each[:3]):
        if len(chosen) < most:
            chosen.setdefault(same(dict(hparams)), hparams)
    return tuple(chosen.values())


def _as_problems(told: list[str]) -> list[Problem]:
    return [Problem(*line.split(": ", 1)) for line in told]
