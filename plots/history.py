"""What figures are made of: an experiment with its trials, their curves and its journal, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..shared.wire.model import Event, Experiment, TrialInfo, Worker


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """What one trial reported of one metric, thinned: arrays of one length, in order of the resource.

    `resource` is in the experiment's unit; `value` is as it was reported, NaN and infinities included; `time_s` are
    seconds from the creation of the experiment to when the master accepted the report.
    """

    resource: NDArray[np.int64]
    value: NDArray[np.float64]
    time_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.resource)

    def value_at(self, resource: int) -> float | None:
        """The last value at or before a resource that the trial reached; None where it did not."""
        if not len(self.resource) or self.resource[-1] < resource or self.resource[0] > resource:
            return None
        return float(self.value[int(np.searchsorted(self.resource, resource, side="right")) - 1])


@dataclass(frozen=True, slots=True)
class Record:
    """A result that was better than every one before it in the whole search.

    `spent` is the resource that all trials had trained by then, in the experiment's unit.
    """

    time_s: float
    spent: int
    trial_id: int
    resource: int
    value: float


def sign_of(experiment: Experiment) -> int:
    """What a value of its metric is multiplied with so that less is better."""
    return -1 if experiment.goal == "maximize" else 1


def levels_of(experiment: Experiment) -> tuple[int, ...]:
    """The resources of all its rungs, each once, in order."""
    return tuple(sorted({rung.resource for bracket in experiment.brackets for rung in bracket.rungs}))


@dataclass(frozen=True, eq=False)
class History:
    """An experiment up to a moment, with all that its figures show.

    `experiment` has its spec and brackets. `curves` are those of `metric`, by trial id; `records` are of the
    searcher's metric, and none where `metric` is another. `metrics` are the names of all that was reported. `workers`
    is None where a database was read, which does not know them. `position` (of the last report) and `last_event_id`
    say where to go on from.
    """

    experiment: Experiment
    trials: tuple[TrialInfo, ...]
    curves: Mapping[int, Curve]
    records: tuple[Record, ...]
    events: tuple[Event, ...]
    workers: tuple[Worker, ...] | None
    metric: str
    metrics: tuple[str, ...]
    time: datetime
    position: str = ""
    last_event_id: int = 0

    @property
    def is_searched(self) -> bool:
        """Whether the curves are of the metric that the search goes by, so that its goal holds for them."""
        return self.metric == self.experiment.metric

    @property
    def sign(self) -> int:
        """What a value is multiplied with so that less is better."""
        return sign_of(self.experiment)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the creation of the experiment to its end, or to the moment of this history."""
        end = self.experiment.end_time or self.time
        return max(0.0, (end - self.experiment.create_time).total_seconds())

    @cached_property
    def by_id(self) -> Mapping[int, TrialInfo]:
        """The trials by their ids."""
        return {trial.trial_id: trial for trial in self.trials}

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The resources of all rungs, each once, in order."""
        return levels_of(self.experiment)

    @property
    def is_lineage(self) -> bool:
        """Whether trials start from the checkpoints of others (PBT)."""
        return any(trial.parent is not None for trial in self.trials)
