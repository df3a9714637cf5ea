"""Synchronous successive halving: SHA is one bracket, Hyperband (Li et al. 2018) a grid of them.

Free slots go to the first bracket that has work, so the next one begins while a barrier is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from ....shared.spec.searchers import HyperbandSpec, ShaSpec
from ..arithmetic import brackets_of, expected_cost, hyperband_brackets, most_rungs, within
from ..interface import (
    BracketPlan,
    Done,
    ExpectedCost,
    Goal,
    NotExtendable,
    RungRecord,
    SearchContext,
    SearchDecision,
    Step,
    TrialRecord,
    UnknownTrial,
    Wait,
)
from ..restoration import restore_brackets
from .bracket import PendingStep, SynchronousBracket
from .promotions import BarrierPromotions
from .restoration import SynchronousRestoration

PORTION = 1_000
"""About how many trials that wait at barriers an event decides. Journals are replayed with the same number, so another
one needs other RULES."""

_ASSUMPTION = (
    "from each rung the top 1/divisor of the trials that entered it go on, rounded down but at least the best one, and "
    "no training is repeated; failures save the rest of a trial"
)


class SynchronousHalving:
    """A Searcher: brackets in order, each with a barrier at each rung. `max_concurrent_trials` holds for all of them
    together."""

    def __init__(self, plan: Sequence[BracketPlan], eta: Fraction, goal: Goal, portion: int) -> None:
        self._plan = tuple(plan)
        self._eta, self._goal, self._portion = eta, goal, portion
        self._limit = self._plan[0].max_concurrent_trials
        #: As many ran when the limit was last set: more than it allows, where it was lowered.
        self._ran = 0
        self._brackets = tuple(SynchronousBracket(b, p, eta, goal) for b, p in enumerate(self._plan))
        self._home: dict[int, SynchronousBracket] = {}
        self._next_trial = 0

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """The brackets in their order; each may use the whole limit."""
        return self._plan

    @property
    def draws(self) -> bool:
        """New trials have hyperparameters from the search space."""
        return True

    @property
    def creates(self) -> bool:
        """Whether nothing is to be decided at a barrier, and the first bracket with work has only new trials."""
        first = self._first_with_work()
        return first is not None and not first.has_promoted and not any(b.deciding for b in self._brackets)

    @property
    def startable(self) -> int:
        """Trials to make, promoted ones, and those that a barrier which is open lets through or stops."""
        return within(self._limit, len(self._home), sum(bracket.startable for bracket in self._brackets))

    def expected_cost(self) -> ExpectedCost:
        """The cost where nothing fails."""
        return expected_cost(self._plan, self._eta, _ASSUMPTION)

    def promotion_rule(self) -> BarrierPromotions:
        """Whether a promoted trial was among the best of its rung, once all were in."""
        return BarrierPromotions(self._plan, self._eta, self._goal)

    @property
    def done(self) -> bool:
        """Whether nothing runs, nothing can start, and about each trial that waited was decided."""
        return not self._home and not any(bracket.has_work or bracket.deciding for bracket in self._brackets)

    def next(self) -> Step:
        """Work from the first bracket that has some: a promoted trial, or else a new one."""
        step = PendingStep(self._portion)
        self._decide(step)
        bracket = self._first_with_work()
        if bracket is None:
            answer = Done() if self.done else Wait()
        else:
            answer = bracket.work(self._next_trial)
            self._next_trial += answer.new
            self._home[answer.trial] = bracket
        return Step(answer, tuple(step.effects), tuple(step.decisions.values()))

    def _first_with_work(self) -> SynchronousBracket | None:
        if self._limit is not None and len(self._home) >= self._limit:
            return None
        return next((bracket for bracket in self._brackets if bracket.has_work), None)

    def _decide(self, step: PendingStep) -> None:
        """Decides about trials at barriers that have opened, as far as the step has room: promotions come first, for
        they are work."""
        deciding = [bracket for bracket in self._brackets if bracket.deciding]
        for bracket in deciding:
            bracket.promote(step)
        for bracket in deciding:
            bracket.stop(step)

    def report(self, trial: int, resource: int, metric: float) -> Step:
        """A running trial reached `resource` with this metric. Raises UnknownTrial where it is not running."""
        bracket = self._bracket_of(trial)
        target = bracket.target(trial)
        if resource < target:
            return Step(SearchDecision.below_target(trial, target))
        step = PendingStep(self._portion)
        bracket.report(trial, resource, metric, step)
        self._decide(step)
        bracket.stay(trial, metric, step)
        if trial not in bracket.running:
            del self._home[trial]
        return step.answered(trial)

    def fail(self, trial: int) -> Step:
        """A running trial failed for good. Raises UnknownTrial where it is not running."""
        step = PendingStep(self._portion)
        self._bracket_of(trial).fail(trial, step)
        del self._home[trial]
        self._decide(step)
        return Step(None, tuple(step.effects), tuple(step.decisions.values()))

    def discard(self, trial: int) -> Step:
        """A running trial's hyperparameters are invalid. Raises UnknownTrial where it is not running."""
        bracket = self._bracket_of(trial)
        if bracket.running[trial].rung > 0:
            return self.fail(trial)
        bracket.discard(trial)
        del self._home[trial]
        return Step(None)

    def _bracket_of(self, trial: int) -> SynchronousBracket:
        try:
            return self._home[trial]
        except KeyError:
            raise UnknownTrial.of(trial) from None

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        """Takes up, on a fresh searcher, what a ledger recorded: all trials ever made, and all rung results."""
        restorations = [SynchronousRestoration(bracket) for bracket in self._brackets]
        self._next_trial = restore_brackets(restorations, trials, results)
        for bracket in self._brackets:
            self._home.update(dict.fromkeys(bracket.running, bracket))
        self._ran = len(self._home)

    def follow(self, rules: int) -> None:
        """Its rules have been the same in all numbers of rules."""

    def limit(self, max_concurrent_trials: int | None) -> None:
        """From now on so many trials train at once, over all brackets."""
        self._limit, self._ran = max_concurrent_trials, len(self._home)
        self._plan = tuple(replace(bracket, max_concurrent_trials=max_concurrent_trials) for bracket in self._plan)

    def extend(self, max_trials: int) -> None:  # noqa: ARG002 - whatever the number
        """Raises NotExtendable."""
        raise NotExtendable("a rung that had all its trials has compared them and stopped the others for good")

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """No search is extended whose trials could wait again."""

    def check(self) -> None:
        """Raises AssertionError where an invariant does not hold."""
        for bracket in self._brackets:
            bracket.check()
        homes = {trial: bracket for bracket in self._brackets for trial in bracket.running}
        assert homes == self._home, "the running trials of the search are not those of its brackets"
        assert all(trial < self._next_trial for trial in self._home), "a running trial has a number not given yet"
        assert self._limit is None or len(self._home) <= max(self._limit, self._ran), "it trains more than it may"


def build_sha(spec: ShaSpec, context: SearchContext) -> SynchronousHalving:
    """One bracket with as many rungs as fit, up to `max_rungs`."""
    return SynchronousHalving(brackets_of(spec, [most_rungs(spec)]), spec.eta, context.goal, PORTION)


def build_hyperband(spec: HyperbandSpec, context: SearchContext) -> SynchronousHalving:
    """Hyperband's whole grid of brackets, `iterations` times over."""
    plan = hyperband_brackets(spec.max_resource, spec.eta) * spec.iterations
    limited = [replace(bracket, max_concurrent_trials=spec.max_concurrent_trials) for bracket in plan]
    return SynchronousHalving(limited, spec.eta, context.goal, PORTION)
