"""The real searcher in virtual time: workers that train nothing, on learning curves drawn from a model.

The trials' learning curves are drawn from a model (`curves`). Where the goal is to maximize, the metric is 1 - error.
Saving, loading and asking for work take no time. A trial that goes on from another's checkpoint (PBT) follows the curve
of its own number from there: what it inherits is the resource, not the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush

from ..search.interface import Action, Entered, Goal, SearchDecision, Searcher, Step, Train
from .curves import Curve, Curves


@dataclass(slots=True)
class RungCount:
    """How many trials entered a rung, and how many of them were promoted."""

    resource: int
    entered: int = 0
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulated search.

    `makespan` and `busy` (of all workers together) are in virtual time, `resource` and `resource_full` in the spec's
    unit. `best_trial` has the best reported metric among those that trained furthest. `best_found` and `best_of_all`
    are errors after training in full, without noise: its own, and the least of all trials; `best_rank` counts the
    trials that would end up at least as well as the one found.
    """

    rungs: tuple[tuple[RungCount, ...], ...]
    trials: int
    assignments: int
    workers: int
    makespan: float
    busy: float
    resource: int
    resource_full: int
    best_trial: int
    best_found: float
    best_of_all: float
    best_rank: int

    @property
    def utilisation(self) -> float:
        """The part of the workers' time in which they trained."""
        return self.busy / (self.workers * self.makespan) if self.makespan else 0.0

    @property
    def saved(self) -> float:
        """The part of full training that was not spent."""
        return 1 - self.resource / self.resource_full


class Simulation:
    """One search, with `workers` that train one trial each at a time. To be run once."""

    def __init__(self, searcher: Searcher, goal: Goal, workers: int, seed: int, curves: str = "model") -> None:
        self._searcher = searcher
        self._goal = goal
        self._workers = workers
        self._max_resource = max(bracket.rungs[-1] for bracket in searcher.plan)
        self._curves = Curves(seed, self._max_resource, curves)
        self._rungs = [[RungCount(resource) for resource in bracket.rungs] for bracket in searcher.plan]
        #: When which trial will reach which resource.
        self._arrivals: list[tuple[float, int, int]] = []
        #: Curves of the trials that train; they are forgotten with them and drawn again.
        self._training: dict[int, Curve] = {}
        self._trials = self._assignments = self._resource = 0
        self._now = self._busy = 0.0
        #: The furthest trial with the least error: (-resource, error, trial).
        self._best: tuple[int, float, int] = (0, math.inf, 0)

    def run(self) -> Outcome:
        """Runs the search to its end."""
        idle = self._hand_out(self._workers)
        while self._arrivals:
            self._now, trial, resource = heappop(self._arrivals)
            idle = self._hand_out(idle + self._arrived(trial, resource))
        assert self._searcher.done, "the search stands still without having ended"
        return self._outcome()

    def time_to(self, error: float, longest: float) -> float:
        """Runs the search until a trial was trained in full that has at most this error then; gives the time."""
        idle = self._hand_out(self._workers)
        while self._arrivals:
            self._now, trial, resource = heappop(self._arrivals)
            if self._now > longest:
                break
            if resource >= self._max_resource and self._training[trial].error(self._max_resource) <= error:
                return self._now
            idle = self._hand_out(idle + self._arrived(trial, resource))
        return math.inf

    def _hand_out(self, idle: int) -> int:
        """Lets idle workers ask for work until there is none; gives how many stay idle."""
        while idle:
            step = self._searcher.next()
            self._count(step)
            if not isinstance(step.answer, Train):
                if step.decisions:
                    continue
                break
            train = step.answer
            self._trials += train.new
            self._assignments += 1
            self._train(train.trial, self._curves.curve(train.trial), train.start, train.target)
            idle -= 1
        return idle

    def _train(self, trial: int, curve: Curve, start: int, target: int) -> None:
        duration = (target - start) * curve.pace
        self._busy += duration
        self._resource += target - start
        self._training[trial] = curve
        heappush(self._arrivals, (self._now + duration, trial, target))

    def _arrived(self, trial: int, resource: int) -> int:
        """A trial reached its target; gives how many workers that frees."""
        curve = self._training.pop(trial)
        error = self._curves.measured(trial, curve, resource)
        self._best = min(self._best, (-resource, error, trial))
        step = self._searcher.report(trial, resource, error if self._goal is Goal.MINIMIZE else 1 - error)
        self._count(step)
        decision = step.answer
        assert isinstance(decision, SearchDecision)
        if decision.action is Action.CONTINUE:
            assert decision.target is not None
            self._train(trial, curve, resource, decision.target)
            return 0
        return 1

    def _count(self, step: Step) -> None:
        for effect in step.effects:
            rung = self._rungs[effect.bracket][effect.rung]
            if isinstance(effect, Entered):
                rung.entered += 1
            else:
                rung.promoted += 1

    def _outcome(self) -> Outcome:
        finals = [self._curves.curve(trial).error(self._max_resource) for trial in range(self._trials)]
        best = self._best[2]
        return Outcome(
            rungs=tuple(tuple(bracket) for bracket in self._rungs),
            trials=self._trials,
            assignments=self._assignments,
            workers=self._workers,
            makespan=self._now,
            busy=self._busy,
            resource=self._resource,
            resource_full=self._trials * self._max_resource,
            best_trial=best,
            best_found=finals[best],
            best_of_all=min(finals),
            best_rank=sum(final <= finals[best] for final in finals),
        )


def simulate(searcher: Searcher, goal: Goal, workers: int, seed: int = 0, curves: str = "model") -> Outcome:
    """Runs a fresh searcher to its end in virtual time; the same arguments give the same outcome on any machine."""
    return Simulation(searcher, goal, workers, seed, curves).run()


def time_to(error: float, searcher: Searcher, workers: int, seed: int, curves: str, longest: float) -> float:
    """The virtual time at which a trial was trained in full that has at most this error then, without noise; infinite
    where it is more than `longest`, or none was."""
    return Simulation(searcher, Goal.MINIMIZE, workers, seed, curves).time_to(error, longest)
