"""The real searcher in virtual time: workers that train nothing, on learning curves drawn from a model.

The model. Trial i of a simulation with seed s has a learning curve that depends on (s, i) alone, so that different
searchers can be compared on the same trials. Its error after resource r is

    error(r) = floor + (start - floor) · (1 + r / scale) ^ -power   + noise

a power law, the shape that learning curves of neural networks are commonly found to have. `floor` (what it would reach
in the end), `scale` and `power` (how fast) differ by trial, so curves cross; the noise is normal and shrinks as
training goes on. One unit of resource takes a trial's own `pace` (log-normal around 1), in units of virtual time: one
is what a unit of resource takes on a median trial. Where the goal is to maximize, the metric is 1 - error.
Saving, loading and asking for work take no time. A trial that goes on from another's checkpoint (PBT) follows the curve
of its own number from there: what it inherits is the resource, not the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heappop, heappush
from statistics import NormalDist

from ..search.interface import Action, Entered, Goal, SearchDecision, Searcher, Step, Train

_MASK = 2**64 - 1
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Curve:
    """How one trial learns: error by resource, and the virtual time that one unit of resource takes."""

    start: float
    floor: float
    scale: float
    power: float
    noise: float
    pace: float

    def error(self, resource: float) -> float:
        """The error after training to `resource`, without noise."""
        return self.floor + (self.start - self.floor) * (1 + resource / self.scale) ** -self.power


class Curves:
    """The learning curves of all trials of one simulation; each is a function of (seed, trial) alone."""

    def __init__(self, seed: int, max_resource: int) -> None:
        self._seed = _scrambled(seed & _MASK)
        self._max_resource = max_resource

    def curve(self, trial: int) -> Curve:
        """How this trial learns."""
        floor, speed, power, noise, pace = (self._uniform(trial, k) for k in range(5))
        return Curve(
            start=0.9,
            floor=0.02 + 0.6 * floor**1.5,
            scale=self._max_resource * 10 ** (-3 + 2 * speed),
            power=0.4 + power,
            noise=0.002 + 0.02 * noise,
            pace=math.exp(0.35 * _NORMAL.inv_cdf(pace)),
        )

    def measured(self, trial: int, curve: Curve, resource: int) -> float:
        """The error that the trial reports at `resource`, noise included: the same each time it is asked for."""
        noise = _NORMAL.inv_cdf(self._uniform(trial, 5 + resource))
        return curve.error(resource) + curve.noise * noise / math.sqrt(1 + 9 * resource / self._max_resource)

    def _uniform(self, trial: int, which: int) -> float:
        """A number strictly between 0 and 1."""
        bits = _scrambled(_scrambled(self._seed ^ trial) + which)
        return ((bits >> 11) + 0.5) / 2**53


def _scrambled(x: int) -> int:
    """SplitMix64 (Steele, Lea & Flood 2014): a fast bijection of 64 bits that passes for random."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


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

    def __init__(self, searcher: Searcher, goal: Goal, workers: int, seed: int) -> None:
        self._searcher = searcher
        self._goal = goal
        self._workers = workers
        self._max_resource = max(bracket.rungs[-1] for bracket in searcher.plan)
        self._curves = Curves(seed, self._max_resource)
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


def simulate(searcher: Searcher, goal: Goal, workers: int, seed: int = 0) -> Outcome:
    """Runs a fresh searcher to its end in virtual time; the same arguments give the same outcome on any machine."""
    return Simulation(searcher, goal, workers, seed).run()
