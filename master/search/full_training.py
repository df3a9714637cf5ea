"""Searches in which every trial trains to the end: random search, and the grid of all combinations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ...shared.space.grid import Grid
from ...shared.spec.searchers import GridSpec, RandomSpec
from .arithmetic import full_resource, within
from .interface import (
    Action,
    BracketPlan,
    Done,
    Entered,
    ExpectedCost,
    NotExtendable,
    Promoted,
    RungRecord,
    SearchContext,
    SearchDecision,
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
)


class NoPromotions:
    """A PromotionRule: there is one rung, and nobody is promoted from it."""

    def entered(self, result: Entered) -> None:
        """A trial was trained to the end."""

    def promoted(self, promotion: Promoted) -> str:
        """Why a promotion was not deserved."""
        return f"it is promoted from rung {promotion.rung}, and there is none above"

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        """Still nobody is."""


class FullTraining:
    """A Searcher: makes trial after trial, and trains each to the end. With a `grid`, trial i has combination i of it,
    the `initial` trials of the spec before them not counted."""

    def __init__(self, plan: BracketPlan, *, grid: Grid | None = None, initial: int = 0) -> None:
        self._bracket = plan
        self._grid, self._initial = grid, initial
        self._running: set[int] = set()
        #: As many ran when the limit was last set: more than it allows, where it was lowered.
        self._ran = 0
        #: Trials that count, and the number of the next one.
        self._created = self._number = 0

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """One bracket with one rung."""
        return (self._bracket,)

    @property
    def draws(self) -> bool:
        """Whether the next trial is not one of a grid."""
        return self._grid is None or self._number < self._initial

    @property
    def creates(self) -> bool:
        """Whether there is another trial, and room for it."""
        limit = self._bracket.max_concurrent_trials
        return self._can_create and (limit is None or len(self._running) < limit)

    @property
    def startable(self) -> int:
        """The trials that were not made yet, as far as there is room for them."""
        return within(self._bracket.max_concurrent_trials, len(self._running), self._left)

    def expected_cost(self) -> ExpectedCost:
        """Every trial in full."""
        full = full_resource(self.plan)
        assumption = "every trial trains to the end; failures save the rest of a trial"
        return ExpectedCost(((self._bracket.max_trials,),), full, full, assumption)

    def promotion_rule(self) -> NoPromotions:
        """Nobody is promoted."""
        return NoPromotions()

    @property
    def _left(self) -> int:
        left = self._bracket.max_trials - self._created
        return left if self._grid is None else min(left, self._initial + self._grid.number - self._number)

    @property
    def _can_create(self) -> bool:
        return self._left > 0

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing can start."""
        return not self._running and not self._can_create

    def next(self) -> Step:
        """The next trial, in the order of the numbers."""
        if not self.creates:
            return Step(Done() if self.done else Wait())
        trial, draws = self._number, self.draws
        hparams = None if draws or self._grid is None else self._grid.hparams(trial - self._initial)
        self._running.add(trial)
        self._created, self._number = self._created + 1, self._number + 1
        target = self._bracket.rungs[0]
        origin = "" if hparams is None else "grid"
        return Step(Train(trial, 0, 0, start=0, target=target, new=True, hparams=hparams, origin=origin))

    def report(self, trial: int, resource: int, metric: float) -> Step:
        """A running trial reached `resource`. Raises UnknownTrial where it is not running."""
        self._check_runs(trial)
        target = self._bracket.rungs[0]
        if resource < target:
            return Step(SearchDecision.below_target(trial, target))
        self._running.remove(trial)
        finite = math.isfinite(metric)
        reason = f"trained to the end at {target}" + ("" if finite else ", where its metric is not finite")
        entered = Entered(0, 0, trial, resource, metric if finite else None)
        return Step(SearchDecision(trial, Action.STOP, completed=True, reason=reason), (entered,))

    def fail(self, trial: int) -> Step:
        """A running trial failed for good. Raises UnknownTrial where it is not running."""
        self._check_runs(trial)
        self._running.remove(trial)
        return Step(None, (Entered(0, 0, trial, 0, metric=None),))

    def discard(self, trial: int) -> Step:
        """Another trial takes its place; in a grid the next combination, if there is one that `max_trials` cut off."""
        self._check_runs(trial)
        self._running.remove(trial)
        self._created -= 1
        return Step(None)

    def _check_runs(self, trial: int) -> None:
        if trial not in self._running:
            raise UnknownTrial.of(trial)

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:  # noqa: ARG002 - as every searcher
        """Takes up, on a fresh searcher, the trials that were made; nothing depends on their results."""
        for record in trials:
            self._number = max(self._number, record.trial + 1)
            self._created += not record.discarded
            if record.running:
                self._running.add(record.trial)
        self._ran = len(self._running)

    def follow(self, rules: int) -> None:
        """Its rules have always been these."""

    def limit(self, max_concurrent_trials: int | None) -> None:
        """From now on no more trials than these are started beside others."""
        self._bracket = replace(self._bracket, max_concurrent_trials=max_concurrent_trials)
        self._ran = len(self._running)

    def extend(self, max_trials: int) -> None:
        """From now on it makes this many trials in all; raises NotExtendable where its grid has fewer combinations."""
        if self._grid is not None and max_trials > self._initial + self._grid.number:
            before = f"after {self._initial:,} initial trials" if self._initial else "in all"
            raise NotExtendable(f"its grid has {self._grid.number:,} combinations {before}, and no more")
        self._bracket = replace(self._bracket, max_trials=max_trials)

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """No trial waits."""

    def check(self) -> None:
        """Raises AssertionError where an invariant does not hold."""
        limit = self._bracket.max_concurrent_trials
        assert limit is None or len(self._running) <= max(limit, self._ran), "more trials train than may"
        assert len(self._running) <= self._created <= self._bracket.max_trials, "more trials were made than may be"
        assert all(trial < self._number for trial in self._running), "a running trial has a number not given yet"


def build_random(spec: RandomSpec, _: SearchContext) -> FullTraining:
    """`max_trials` trials whose hyperparameters are drawn."""
    return FullTraining(BracketPlan((spec.max_resource,), spec.max_trials, spec.max_concurrent_trials))


def build_grid(spec: GridSpec, context: SearchContext) -> FullTraining:
    """A trial for each combination, after those that the spec gives, and no more than `max_trials`."""
    grid = Grid(context.hyperparameters, context.forbidden)
    trials = context.initial_trials + grid.number
    if spec.max_trials is not None:
        trials = min(trials, spec.max_trials)
    plan = BracketPlan((spec.max_resource,), trials, spec.max_concurrent_trials)
    return FullTraining(plan, grid=grid, initial=context.initial_trials)
