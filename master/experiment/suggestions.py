"""Trials that wait for their hyperparameters, which a sampler outside of the master suggests, and their coming. Pure.

Such a trial is created as soon as the searcher wants it: it is pending, has no origin yet, and is not handed out. So
nothing that the search does beside it waits for a sampler, and its journal tells the searcher's order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .experiment import LiveExperiment
from .next_trial import SampledHparams
from .records import Batch, ExperimentRecords


@dataclass(frozen=True, slots=True)
class SamplingNeeds:
    """What an experiment wants of its sampler: hyperparameters for the trials that are `awaiting`, lowest first, and
    for as many more as slots of workers are idle or about to be. It has `stocked` suggestions that no trial has taken,
    and `trials_left` to make beside those that wait. `results` grows with each result that a
    sampler is told."""

    experiment: LiveExperiment
    awaiting: tuple[int, ...]
    stocked: tuple[Mapping[str, Any], ...]
    about_to_be_free: int
    trials_left: int
    results: int

    @property
    def wanted(self) -> int:
        """How many suggestions it could use beside those that it has."""
        ahead = min(self.about_to_be_free, self.trials_left) - len(self.stocked)
        return len(self.awaiting) + max(0, ahead)

    def with_suggestion(self, hparams: Mapping[str, Any]) -> SamplingNeeds:
        """The same, once this is given to the experiment."""
        if self.awaiting:
            return replace(self, awaiting=self.awaiting[1:])
        return replace(self, stocked=(*self.stocked, hparams))

    def without(self, trials: Collection[int]) -> SamplingNeeds:
        """The same, once these trials have their hyperparameters."""
        return replace(self, awaiting=tuple(trial for trial in self.awaiting if trial not in trials))


def suggest(experiment: LiveExperiment, suggestions: Iterable[SampledHparams], batch: Batch) -> None:
    """Gives suggestions to the trials that wait, the first to the one that waits longest. What is for one trial alone
    is dropped where that does not wait any more; what no trial waits for is kept for the next ones."""
    for suggestion in suggestions:
        trial_id = _taker(experiment.records, suggestion)
        if trial_id is not None:
            give(experiment.records, trial_id, suggestion, batch)
            experiment.ready.append(trial_id)
        elif suggestion.trial is None:
            experiment.next_trial.keep(suggestion)


def _taker(records: ExperimentRecords, suggestion: SampledHparams) -> int | None:
    if suggestion.trial is None:
        return next(iter(records.awaiting), None)
    return suggestion.trial if suggestion.trial in records.awaiting else None


def give(records: ExperimentRecords, trial_id: int, suggestion: SampledHparams, batch: Batch) -> None:
    """The trial has its hyperparameters from now on."""
    del records.awaiting[trial_id]
    trial = records.trials[trial_id]
    trial.origin, trial.state_reason = suggestion.origin, "new"
    if records.inherits:
        trial.hparams = suggestion.hparams
    records.touch_trial(trial, batch)
    batch.changes.sampled[records.experiment_id, trial_id] = replace(trial, hparams=suggestion.hparams)
    records.note("trial_sampled", trial_id, suggestion.told, batch)


def cannot_sample(experiment: LiveExperiment, why: str, batch: Batch) -> None:  # noqa: ARG001 - settled with the batch
    """Nothing can be drawn from its space for a trial that waits: its search cannot go on."""
    experiment.hopeless = experiment.hopeless or why


def tell_problem(records: ExperimentRecords, problem: str, batch: Batch) -> None:
    """What is wrong with its sampler now, for people; nothing where it answers. Its journal tells each outage once."""
    before, records.row.sampler_problem = records.row.sampler_problem, problem
    if before == problem:
        return
    records.touch(batch)
    if not before:
        records.note("sampler_failed", None, {"reason": problem}, batch)
    elif not problem:
        records.note("sampler_recovered", None, {}, batch)
