"""What the host of sampler programs asks of the experiments in memory, and tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from ...shared.wire.model import TrialState
from ..experiment.changes import LeaseRow
from ..experiment.experiment import LiveExperiment
from ..experiment.next_trial import SampledHparams
from ..experiment.records import Batch
from ..experiment.suggestions import SamplingNeeds, cannot_sample, suggest, tell_problem
from .clock import Now
from .isolation import Isolation
from .scheduling.scheduler import may_start
from .sessions.sessions import Session


class Sampling:
    """The experiments whose hyperparameters programs suggest. `touched` gets those to which something happened."""

    def __init__(self, isolation: Isolation, sessions: Mapping[str, Session], touched: set[int]) -> None:
        self._isolation = isolation
        self._sessions = sessions
        self._touched = touched
        #: Their numbers; some may have ended since.
        self._seen: set[int] = set()

    def see(self, experiment: LiveExperiment) -> None:
        """Something has happened to this experiment, the first time that it is there among others."""
        if experiment.next_trial.sampled:
            self._seen.add(experiment.experiment_id)

    def concern(self, experiments: Set[int]) -> bool:
        """Whether one of these is among them."""
        return not self._seen.isdisjoint(experiments)

    def needs(self, now: Now) -> list[SamplingNeeds]:
        """Those that are active, and what each wants of its sampler."""
        found = [each for each in self._isolation.live.values() if each.next_trial.sampled]
        self._seen = {each.experiment_id for each in found}
        return [self._needs(each, now) for each in found if each.active]

    def _needs(self, experiment: LiveExperiment, now: Now) -> SamplingNeeds:
        records = experiment.records
        stocked = tuple(each.hparams for each in experiment.next_trial.stock)
        ending = sum(_ends_soon(lease, records.trials[trial].resource) for trial, lease in records.leases.items())
        free = self._idle(experiment, now) + ending
        results = sum(rung.entered for rung in records.rungs.values()) + records.row.counts[TrialState.DISCARDED.value]
        return SamplingNeeds(experiment, tuple(records.awaiting), stocked, free, records.trials_left, results)

    def _idle(self, experiment: LiveExperiment, now: Now) -> int:
        """How many trials fit on the workers that ask, beside one for each request: for that a trial waits already."""
        slots = experiment.spec.resources.slots_per_trial
        asking = (s for s in self._sessions.values() if s.wants_work(now.monotonic) and may_start(experiment, s))
        return sum(max(0, s.request.free_slots // slots - 1) for s in asking if s.request is not None)

    def suggest(self, experiment_id: int, suggestions: Iterable[SampledHparams]) -> None:
        """Hyperparameters for trials of an experiment, if it has not ended: each lies in its search space."""
        self._do(experiment_id, lambda experiment, batch: suggest(experiment, suggestions, batch))

    def cannot_sample(self, experiment_id: int, why: str) -> None:
        """There are none for a trial that waits, and there will be none."""
        self._do(experiment_id, lambda experiment, batch: cannot_sample(experiment, why, batch))

    def tell_problem(self, experiment_id: int, problem: str) -> None:
        """What is wrong with an experiment's sampler now, for people; nothing where it answers."""
        self._do(experiment_id, lambda experiment, batch: tell_problem(experiment.records, problem, batch))

    def _do(self, experiment_id: int, act: Callable[[LiveExperiment, Batch], None]) -> None:
        experiment = self._isolation.live.get(experiment_id)
        if experiment is not None:
            self._touched.add(experiment_id)
            self._isolation.do(experiment, act, experiment)


def _ends_soon(lease: LeaseRow, resource: int) -> bool:
    """Whether its slots may be free in a moment: its trial is in the last tenth of the way to its target, or one report
    of a unit before it."""
    left = lease.target - resource
    return left <= max(1, (lease.target - lease.from_resource) / 10)
