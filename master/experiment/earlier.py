"""What a search begins with of earlier experiments: which of their trials fit it, and which does not fit why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...shared.sampling.spaces import RefusedSuggestion, accepted
from ...shared.spec.spec import Spec
from ...shared.wire.model import Experiment, TrialInfo, TrialOrder, TrialState

TRIALS_TOLD = 10_000
"""Of each earlier experiment the first so many trials count: models learn no more from more, and take long."""

FIRST = 5
"""So many of the best trials of earlier experiments are tried first, where the spec wants that."""


PAGE = 500
"""Trials that are read at once."""

ReadPage = Callable[..., tuple[list[TrialInfo], str]]
"""Gives a page of an experiment's trials, and the token of the next one; empty on the last."""


def first_trials(read: ReadPage, experiment_id: int, most: int) -> Iterator[TrialInfo]:
    """So many trials of an experiment at most, by their numbers, read as they are wanted."""
    token, left = "", most
    while left > 0:
        page, token = read(experiment_id, (), TrialOrder.ID, min(PAGE, left), token)
        yield from page
        left -= len(page)
        if not token:
            return


def difference(spec: Spec, experiment: Experiment) -> str:
    """Why nothing of an experiment fits: what its results mean is something else. Empty where they mean the same."""
    pairs = {
        "metric.name": (spec.metric.name, experiment.metric),
        "metric.goal": (spec.metric.goal, experiment.goal),
        "unit": (spec.unit, experiment.unit),
    }
    return "; ".join(f"its {name} is {its}, not {ours}" for name, (ours, its) in pairs.items() if ours != its)


@dataclass(slots=True)
class Fitting:
    """How many trials of an earlier experiment fit, and why the others do not."""

    fit: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def of(self, spec: Spec, trials: Iterable[TrialInfo]) -> Iterator[tuple[TrialInfo, Mapping[str, Any]]]:
        """The trials that have a result, or failed for good, and whose hyperparameters lie in the spec's space, each
        with its hyperparameters as a trial of that space has them."""
        for trial in trials:
            if trial.metric is None and trial.state is not TrialState.FAILED:
                continue
            try:
                hparams = accepted(spec.hyperparameters, spec.forbidden, trial.hparams)
            except RefusedSuggestion as error:
                self.refused[str(error)] += 1
                continue
            self.fit += 1
            yield trial, hparams

    def told(self, experiment_id: int) -> str:
        """One line for people."""
        refused = sum(self.refused.values())
        if not self.fit and not refused:
            return f"warm_start: experiment {experiment_id} has no results yet"
        line = f"warm_start: of experiment {experiment_id}, {self.fit:,} of {self.fit + refused:,} results fit"
        if not refused:
            return line
        why, number = self.refused.most_common(1)[0]
        return f"{line}; {'all others' if number == refused else 'most others'} do not: {why}"
