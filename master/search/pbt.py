"""Population based training (PBT): Jaderberg et al., "Population Based Training of Neural Networks", 2017.

A population of trials trains side by side. At each interval a trial's result is compared with the latest results of the
others; one of the worst stops, and a new trial goes on from the checkpoint of one of the best, with hyperparameters
explored from its parent's. The rungs of the one bracket stand at the intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from operator import attrgetter
from typing import NamedTuple

from sortedcontainers import SortedList

from ...shared.space.chances import BITS, chance
from ...shared.spec.searchers import PbtSpec
from .arithmetic import within
from .interface import (
    Action,
    BracketPlan,
    Done,
    Effect,
    Entered,
    ExpectedCost,
    Goal,
    NotExtendable,
    Promoted,
    RungRecord,
    SearchContext,
    SearchDecision,
    Standing,
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
)
from .pbt_promotions import PbtPromotions
from .population import Member, Population

_ASSUMPTION = (
    "no trial fails; one that replaces another trains on from its parent's resource, which may be less or more than "
    "that of the one replaced"
)


class RunningMember(NamedTuple):
    """A trial in training: the rung that it heads for, and whether it is a child without a result yet."""

    rung: int
    child: bool


class Waiting(NamedTuple):
    """What could be trained next, from which resource: a trial that waits, or a new one, from this parent or of the
    first ones (None)."""

    resource: int
    trial: int | None
    is_parent: bool = False


class Pbt:
    """A Searcher. A place in the population is taken by a trial until that is trained in full; once its trial has
    ended before, the place is vacant until a child is made for it."""

    def __init__(self, spec: PbtSpec, goal: Goal, seed: int) -> None:
        self._spec, self._goal, self._seed = spec, goal, seed
        self._sign = goal.sign
        self._plan = BracketPlan(spec.rungs, spec.most_trials, spec.max_concurrent_trials)
        self._rungs = spec.rungs
        self._top = len(spec.rungs) - 1
        self._population = self._fresh()
        self._running: dict[int, RunningMember] = {}
        #: As many ran when the limit was last set: more than it allows, where it was lowered.
        self._ran = 0
        #: Members that wait for a worker: (resource, trial).
        self._paused: SortedList = SortedList()
        self._next_trial = 0
        #: Trials made with hyperparameters of their own, and children; none that was discarded.
        self._initial = self._children = 0
        #: Places that became vacant, those included that children have taken since.
        self._vacated = 0

    def _fresh(self) -> Population:
        return Population(self._spec.population, Fraction(str(self._spec.truncation)), self._top)

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """One bracket with a rung at each interval."""
        return (self._plan,)

    @property
    def draws(self) -> bool:
        """Whether the next new trial is one of the first of the population."""
        return self._initial < self._spec.population

    @property
    def creates(self) -> bool:
        """Whether a first trial of the population or a child comes next, and there is room for it."""
        first = self._first_in_line() if self._has_room else None
        return first is not None and (first.trial is None or first.is_parent)

    @property
    def startable(self) -> int:
        """First trials, children that have a place and a parent, and those that wait; as far as there is room."""
        children = min(self._vacated, self._most_children) - self._children if self._next_parent() is not None else 0
        waiting = self._spec.population - self._initial + children + len(self._paused)
        return within(self._plan.max_concurrent_trials, len(self._running), waiting)

    @property
    def _has_room(self) -> bool:
        limit = self._plan.max_concurrent_trials
        return limit is None or len(self._running) < limit

    def expected_cost(self) -> ExpectedCost:
        """What it takes to train as many trials in full as the population has."""
        full = self._spec.population * self._rungs[-1]
        entries = (self._spec.population,) * len(self._rungs)
        others = f"at most {self._most_children:,} that replace others"
        traits = f"a population of {self._spec.population:,} and {others}, interval {self._spec.interval:,}"
        return ExpectedCost((entries,), full, full, _ASSUMPTION, traits)

    def promotion_rule(self) -> PbtPromotions:
        """Whether a promoted trial was none of those to be replaced."""
        return PbtPromotions(self._fresh(), self._rungs, self._most_children, self._goal)

    @property
    def _most_children(self) -> int:
        return self._plan.max_trials - self._spec.population

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing can start."""
        return not self._running and self._first_in_line() is None

    def next(self) -> Step:
        """Trains a first trial of the population, a child, or the one furthest behind of those that wait."""
        if not self._has_room:
            return Step(Wait())
        first = self._first_in_line()
        if first is None:
            return Step(Wait() if self._running else Done())
        resource, trial, is_parent = first
        if trial is None:
            self._initial += 1
            return Step(self._made(0, 0, None))
        rung = self._population[trial].rung
        if is_parent:
            self._children += 1
            return Step(self._made(rung + 1, resource, trial))
        self._paused.remove((resource, trial))
        self._running[trial] = RunningMember(rung + 1, child=False)
        train = Train(trial, 0, rung + 1, resource, self._rungs[rung + 1], new=False)
        return Step(train, (Promoted(0, rung, trial),))

    def _first_in_line(self) -> Waiting | None:
        """What trains next, of all that could: first the population is made whole; then children come first, for a
        parent that trains on may soon be trained in full, and nobody could start from it; then what waits with the
        least resource, by number."""
        if self.draws:
            return Waiting(0, None)
        parent = self._next_parent()
        if parent is not None:
            return Waiting(self._population[parent].resource, parent, is_parent=True)
        return Waiting(*self._paused[0]) if self._paused else None

    def _next_parent(self) -> int | None:
        """The parent of the next trial, if a place is vacant for it and one of the best can be its parent."""
        if self._children >= min(self._vacated, self._most_children):
            return None
        return self._population.donor(chance("parent", self._seed, self._next_trial), 2**BITS)

    def _made(self, rung: int, start: int, parent: int | None) -> Train:
        trial, self._next_trial = self._next_trial, self._next_trial + 1
        self._running[trial] = RunningMember(rung, child=parent is not None)
        return Train(trial, 0, rung, start, self._rungs[rung], new=True, parent=parent)

    def report(self, trial: int, resource: int, metric: float) -> Step:
        """A running trial reached `resource` with this metric. Raises UnknownTrial where it is not running."""
        rung = self._run(trial).rung
        target = self._rungs[rung]
        if resource < target:
            return Step(SearchDecision.below_target(trial, target))
        del self._running[trial]
        if not math.isfinite(metric):
            return self._diverged(trial, rung, resource)
        effects: list[Effect] = [Entered(0, rung, trial, resource, metric)]
        # A report that passes several intervals is one result: only the last of them is decided at.
        while rung < self._top and self._rungs[rung + 1] <= resource:
            effects += Promoted(0, rung, trial), Entered(0, rung + 1, trial, resource, metric)
            rung += 1
        first_rung = self._population[trial].first_rung if trial in self._population else effects[0].rung
        self._population.enter(trial, Member(self._sign * metric, rung, resource, first_rung))
        return Step(self._decided(trial, effects), tuple(effects))

    def _diverged(self, trial: int, rung: int, resource: int) -> Step:
        """Its metric is not finite: it stops, and nobody starts from it."""
        completed = rung == self._top
        self._population.leave(trial)
        self._vacated += not completed
        reason = f"its metric at {resource} is not finite"
        decision = SearchDecision(trial, Action.STOP, completed=completed, reason=reason)
        return Step(decision, (Entered(0, rung, trial, resource, metric=None),))

    def _decided(self, trial: int, effects: list[Effect]) -> SearchDecision:
        population = self._population
        member, rank, entered, worst = population[trial], population.rank(trial), len(population), population.worst
        place = f"rank {rank + 1} of {entered} by latest results"
        if member.rung == self._top:
            standing = Standing(rank + 1, entered, None)
            reason = f"trained to the end: {place}"
            return SearchDecision(trial, Action.STOP, completed=True, reason=reason, standing=standing)
        reason = f"{place}, {_replaced(worst)}"
        quota = entered - worst
        if rank >= quota:
            if population.is_replaceable(trial) and self._vacated < self._most_children:
                population.leave(trial)
                self._vacated += 1
                return SearchDecision(trial, Action.STOP, reason=reason, standing=Standing(rank + 1, entered, quota))
            quota, reason = entered, f"{reason}, but nothing better could take its place"
        standing = Standing(rank + 1, entered, quota)
        first = self._first_in_line()
        if first is not None and (first.is_parent or first.resource < member.resource):
            self._paused.add((member.resource, trial))
            why = "a new trial takes its turn" if first.is_parent else "others are behind it"
            return SearchDecision(trial, Action.PAUSE, reason=f"{reason}; {why}", standing=standing)
        effects.append(Promoted(0, member.rung, trial))
        self._running[trial] = RunningMember(member.rung + 1, child=False)
        target = self._rungs[member.rung + 1]
        return SearchDecision(trial, Action.CONTINUE, target, reason=reason, standing=standing, save=True)

    def fail(self, trial: int) -> Step:
        """A running trial failed for good. Raises UnknownTrial where it is not running."""
        rung = self._run(trial).rung
        del self._running[trial]
        resource = self._population[trial].resource if trial in self._population else 0
        self._population.leave(trial)
        self._vacated += 1
        return Step(None, (Entered(0, rung, trial, resource, metric=None),))

    def discard(self, trial: int) -> Step:
        """A running trial's hyperparameters are invalid. Raises UnknownTrial where it is not running."""
        run = self._run(trial)
        if trial in self._population:
            return self.fail(trial)
        del self._running[trial]
        if run.child:
            self._children -= 1
        else:
            self._initial -= 1
        return Step(None)

    def _run(self, trial: int) -> RunningMember:
        try:
            return self._running[trial]
        except KeyError:
            raise UnknownTrial.of(trial) from None

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        """Takes up, on a fresh searcher, what a ledger recorded: all trials ever made, and all rung results."""
        live: dict[int, TrialRecord] = {}
        in_full: dict[int, TrialRecord] = {}
        for record in trials:
            self._next_trial = max(self._next_trial, record.trial + 1)
            if record.discarded:
                continue
            self._initial += record.parent is None
            self._children += record.parent is not None
            if record.ended and (record.rung < self._top or record.resource < self._rungs[-1]):
                # One that failed on the way to the last rung entered that without having come to it.
                self._vacated += 1
                continue
            (in_full if record.ended else live)[record.trial] = record
        self._take_results(live | in_full, results)
        for trial, record in live.items():
            if record.running:
                child = record.parent is not None and trial not in self._population
                self._running[trial] = RunningMember(record.rung, child)
            else:
                self._paused.add((record.resource, trial))
        self._ran = len(self._running)

    def _take_results(self, members: dict[int, TrialRecord], results: Iterable[RungRecord]) -> None:
        """The latest result of each member."""
        latest: dict[int, RungRecord] = {}
        first_rungs: dict[int, int] = {}
        for result in results:
            if result.trial in members:
                before = latest.setdefault(result.trial, result)
                latest[result.trial] = max(before, result, key=attrgetter("rung"))
                first_rungs[result.trial] = min(first_rungs.get(result.trial, result.rung), result.rung)
        for trial, result in latest.items():
            if result.metric is not None:
                key, resource = self._sign * result.metric, members[trial].resource
                self._population.enter(trial, Member(key, result.rung, resource, first_rungs[trial]))

    def follow(self, rules: int) -> None:
        """Its rules have not changed."""

    def limit(self, max_concurrent_trials: int | None) -> None:
        """Takes another limit on the trials that train at once; those that do go on."""
        self._plan, self._ran = replace(self._plan, max_concurrent_trials=max_concurrent_trials), len(self._running)

    def extend(self, max_trials: int) -> None:
        """Raises NotExtendable: once a population is trained, there is nobody to start from."""
        raise NotExtendable(f"it trains a population to the end, and {max_trials:,} trials would not make that larger")

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """A search that is not extended does not end while a trial waits."""

    def check(self) -> None:
        """Raises AssertionError where a trial is lost or trains twice, or there are more than there may be."""
        self._population.check()
        limit = self._plan.max_concurrent_trials
        assert limit is None or len(self._running) <= max(limit, self._ran), "more trials train than may"
        waiting = {trial for _, trial in self._paused}
        assert not waiting & self._running.keys(), "a trial waits and trains at once"
        assert all(self._population[trial].resource == resource for resource, trial in self._paused), "one is lost"
        assert self._initial <= self._spec.population, "the population has too many first trials"
        assert self._children <= min(self._vacated, self._most_children), "there are children without a place"
        live = len(self._running) + len(waiting)
        assert live <= self._initial + self._children - self._vacated, "more trials live than have a place"
        assert all(trial < self._next_trial for trial in self._running), "a running trial has a number not given yet"


def _replaced(worst: int) -> str:
    return {0: "none is replaced yet", 1: "the worst is replaced"}.get(worst, f"the worst {worst} are replaced")


def build_pbt(spec: PbtSpec, context: SearchContext) -> Pbt:
    """A population as the spec describes it."""
    return Pbt(spec, context.goal, context.seed)
