"""Which of an experiment's results is the best: kept as they come in, so that nobody has to look through all trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ...shared.metric_goal import reaches
from ...shared.wire.model import TrialState
from ..search.interface import Goal
from .changes import TrialRow

#: A metric, less being better whatever the goal, whose it is, and at which resource.
Rank = tuple[float, int, int]


def least(ranks: Iterable[Rank | None]) -> Rank | None:
    """The best of them; None where there is none."""
    return min((rank for rank in ranks if rank is not None), default=None)


def finite(value: float | None) -> float | None:
    """The value for people and journals: None where it is not a finite number."""
    return value if value is not None and math.isfinite(value) else None


class Ranking:
    """The best of all trials: of those that go on, and what is remembered of those that have left."""

    def __init__(self, trials: Mapping[int, TrialRow], goal: Goal, best_is: str) -> None:
        """`trials` are those that go on, as they are at any time. `best_is`: by their last results, or by `any`."""
        self._trials = trials
        self._goal = goal
        self._sign = goal.sign
        self._best_is = best_is
        #: The best metric of the trials that have left, and whose it is: of their last ones, and of any.
        self._best_ended: Rank | None = None
        self._lead_ended: Rank | None = None
        #: The best result of any report so far, and whose it is.
        self.lead: Rank | None = None
        #: Trials whose best is better than what their rows say in the ledger.
        self._unwritten: set[int] = set()

    def adopt(self, trial: TrialRow) -> None:
        """A trial goes on, with what it has reached."""
        self.lead = least([self.lead, self._any_rank(trial)])

    def remember(self, trial: TrialRow) -> None:
        """A trial has left."""
        self._best_ended = least([self._best_ended, self._last_rank(trial)])
        self._lead_ended = least([self._lead_ended, self._any_rank(trial)])
        self.lead = least([self.lead, self._lead_ended])

    def improved(self, trial: TrialRow) -> bool:
        """A trial has a new best result. Whether its row is to be written at once, since it leads; the others' wait for
        `unwritten`: trials may improve with every report, and their rows are not written for each."""
        rank = self._any_rank(trial)
        assert rank is not None, "a trial that improved has a best"
        leads = self.lead is None or rank <= self.lead
        if leads:
            self.lead = rank
        else:
            self._unwritten.add(trial.trial_id)
        return leads

    def unwritten(self) -> list[TrialRow]:
        """The trials whose best has changed since the last time, and was not written."""
        found = [self._trials[trial_id] for trial_id in self._unwritten & self._trials.keys()]
        self._unwritten.clear()
        return found

    def discount(self, trial: TrialRow) -> None:
        """What a discarded trial reported is no result of the experiment."""
        trial.best_metric, trial.best_resource = None, 0
        if self.lead is not None and self.lead[1] == trial.trial_id:
            self.lead = least([self._lead_ended, *map(self._any_rank, self._trials.values())])

    def _last_rank(self, trial: TrialRow) -> Rank | None:
        if trial.metric is None or trial.state in (TrialState.FAILED, TrialState.DISCARDED):
            return None
        return self._sign * trial.metric, trial.trial_id, trial.metric_resource

    def _any_rank(self, trial: TrialRow) -> Rank | None:
        if trial.best_metric is None:
            return None
        return self._sign * trial.best_metric, trial.trial_id, trial.best_resource

    @property
    def best_metric(self) -> float | None:
        """The best result of any report."""
        return None if self.lead is None else self._sign * self.lead[0]

    def best(self) -> int | None:
        """The trial that the spec's `metric.best` calls the best, ties to the lower number."""
        if self._best_is == "any":
            best = self.lead
        else:
            best = least([self._best_ended, *map(self._last_rank, self._trials.values())])
        return None if best is None else best[1]

    def best_at(self, trial_id: int) -> int | None:
        """The resource of a trial's best result; of one that has left, only where that leads."""
        trial = self._trials.get(trial_id)
        if trial is None:
            return self.leads_at(trial_id)
        return None if trial.best_metric is None else trial.best_resource

    def leads_at(self, trial_id: int) -> int | None:
        """The resource of the best result of any report; None where that is another trial's."""
        return self.lead[2] if self.lead is not None and self.lead[1] == trial_id else None

    def needed(self, stop_metric: float | None) -> set[int | None]:
        """Whose checkpoints stay once the experiment has ended: the best trial's, and those of the one that reached the
        metric asked for."""
        needed = {self.best()}
        if self.lead and reaches(self.best_metric, stop_metric, self._goal):
            needed.add(self.lead[1])
        return needed
