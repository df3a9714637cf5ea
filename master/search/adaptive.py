"""Adaptive ASHA: several brackets at once, from daring ones with many rungs to careful ones with few.

A single ASHA run is the same search with one bracket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from ...shared.spec.searchers import AdaptiveAshaSpec, AshaSpec
from .arithmetic import (
    bracket_sizes,
    brackets_of,
    equal_cost_weights,
    expected_cost,
    extended_shares,
    limited,
    most_rungs,
    pooled_brackets_of,
    within,
)
from .asha import AshaBracket, TrialPool
from .asha_promotions import AshaPromotions
from .interface import (
    Action,
    BracketPlan,
    Done,
    Effect,
    ExpectedCost,
    Goal,
    RungRecord,
    SearchContext,
    SearchDecision,
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
    planned_trials,
)
from .learned_shares import LearnedShares, first_weights
from .restoration import Restoration, restore_brackets
from .rung import Result

_WAIT, _DONE = Wait(), Done()
_ASSUMPTION = (
    "from each rung exactly the top 1/divisor of the trials that entered it go on, rounded down but at least the best "
    "one, and no training is repeated; asynchronous promotion may pass more, and failures save the rest of a trial"
)
_ASSUMPTION_LEARNED = "trials are shared out as before anything is learned; "


class AdaptiveAsha:
    """A Searcher: sends each event to its trial's bracket, and each worker to the bracket that needs it most."""

    def __init__(self, plan: Sequence[BracketPlan], eta: Fraction, goal: Goal, *, stop_once: bool = False) -> None:
        self._plan = tuple(plan)
        #: How many trials each bracket makes by the spec.
        self._shares = [bracket.max_trials for bracket in self._plan]
        self._eta, self._goal, self._stop_once = eta, goal, stop_once
        #: In a pool trials are shared out as they are made, by what was learned so far.
        self._learned = LearnedShares([len(b.rungs) for b in self._plan], eta) if self._plan[0].pooled else None
        pools = [TrialPool(bracket.max_trials) for bracket in self._plan]
        if self._learned:
            pools = [TrialPool(planned_trials(self._plan))] * len(self._plan)
        self._brackets = tuple(
            AshaBracket(b, plan, eta, goal, pool, stop_once=stop_once)
            for b, (plan, pool) in enumerate(zip(self._plan, pools, strict=True))
        )
        self._home: dict[int, AshaBracket] = {}
        self._next_trial = 0

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        """The brackets, from most rungs to fewest."""
        return self._plan

    @property
    def draws(self) -> bool:
        """Every trial's hyperparameters come from the search space."""
        return True

    @property
    def creates(self) -> bool:
        """Whether no trial is to be promoted, and a bracket with room makes another."""
        return self._furthest() is None and any(b.can_create and self._has_room(b) for b in self._brackets)

    @property
    def startable(self) -> int:
        """Trials to promote and trials to make, as far as the limits of the brackets go."""
        if self._learned:
            pool, limit = self._brackets[0].pool, self._plan[0].max_concurrent_trials
            waiting = sum(bracket.waiting_to_go_on for bracket in self._brackets)
            return within(limit, len(self._home), waiting + pool.max_trials - pool.created)
        return sum(
            within(b.plan.max_concurrent_trials, len(b.running), b.waiting_to_go_on + b.pool.max_trials - b.created)
            for b in self._brackets
        )

    def expected_cost(self) -> ExpectedCost:
        """The cost where nothing fails and no early promotion turns out to be wrong."""
        cost = expected_cost(self._plan, self._eta, _ASSUMPTION)
        if self._learned is None:
            return cost
        return replace(
            cost,
            assumption=_ASSUMPTION_LEARNED + cost.assumption,
            traits=f"{cost.traits}, shared out by what is learned",
        )

    def promotion_rule(self) -> AshaPromotions:
        """Whether a promoted trial was in its rung's quota, or the winner of its bracket."""
        return AshaPromotions(self._plan, self._eta, self._goal, stop_once=self._stop_once)

    @property
    def done(self) -> bool:
        """Whether nothing runs and nothing can start."""
        return not self._home and not any(b.can_create or b.promotable() is not None for b in self._brackets)

    def next(self) -> Step:
        """Promotes the trial that is furthest, or else starts a new one, or else tells that there is none."""
        effects: list[Effect] = []
        decisions: list[SearchDecision] = []
        train = self._promoted(effects, decisions) or self._created()
        if train is None:
            return Step(_WAIT if self._home else _DONE, tuple(effects), tuple(decisions))
        self._home[train.trial] = self._brackets[train.bracket]
        return Step(train, tuple(effects), tuple(decisions))

    def _promoted(self, effects: list[Effect], decisions: list[SearchDecision]) -> Train | None:
        """Promotes until a trial has to train; those that were past their next rung are decided on the way."""
        while (furthest := self._furthest()) is not None:
            bracket, rung, result = furthest
            answer = bracket.promote(rung, result, effects)
            if isinstance(answer, Train):
                return answer
            decisions.append(answer)
        return None

    def _furthest(self) -> tuple[AshaBracket, int, Result] | None:
        """The bracket with room, its rung, and the result there, whose promotion leads to the largest resource."""
        furthest, largest = None, 0
        for bracket in self._brackets:
            if self._has_room(bracket) and (found := bracket.promotable()) is not None:
                resource = bracket.rungs[found[0] + 1].resource
                if resource > largest:
                    furthest, largest = (bracket, *found), resource
        return furthest

    def _has_room(self, bracket: AshaBracket) -> bool:
        limit = bracket.plan.max_concurrent_trials
        return bracket.has_room and (not self._learned or limit is None or len(self._home) < limit)

    def _created(self) -> Train | None:
        """Starts a trial in the bracket with room that is furthest behind its share."""
        open_brackets = [b for b in self._brackets if b.can_create and self._has_room(b)]
        least = self._least_by_learning() if self._learned and open_brackets else _least_complete(open_brackets)
        if least is None:
            return None
        self._next_trial += 1
        return least.create(self._next_trial - 1)

    def _least_by_learning(self) -> AshaBracket:
        """The bracket of the pool with the smallest (trials + 1) / weight, the first of equal ones."""
        assert self._learned is not None
        weights = self._learned.weights([bracket.rungs for bracket in self._brackets])
        behind = [(b.created + 1) / weight for b, weight in zip(self._brackets, weights, strict=True)]
        return self._brackets[behind.index(min(behind))]

    def report(self, trial: int, resource: int, metric: float) -> Step:
        """A running trial reached `resource` with this metric. Raises UnknownTrial where it is not running."""
        effects: list[Effect] = []
        decision = self._bracket_of(trial).report(trial, resource, metric, effects)
        if decision.action is not Action.CONTINUE:
            del self._home[trial]
        return Step(decision, tuple(effects))

    def fail(self, trial: int) -> Step:
        """A running trial failed for good. Raises UnknownTrial where it is not running."""
        effects: list[Effect] = []
        self._bracket_of(trial).fail(trial, effects)
        del self._home[trial]
        return Step(None, tuple(effects))

    def discard(self, trial: int) -> Step:
        """A running trial's hyperparameters are invalid. Raises UnknownTrial where it is not running."""
        effects: list[Effect] = []
        self._bracket_of(trial).discard(trial, effects)
        del self._home[trial]
        return Step(None, tuple(effects))

    def _bracket_of(self, trial: int) -> AshaBracket:
        try:
            return self._home[trial]
        except KeyError:
            raise UnknownTrial.of(trial) from None

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        """Takes up, on a fresh searcher, what a ledger recorded: all trials ever made, and all rung results."""
        self._next_trial = restore_brackets([Restoration(bracket) for bracket in self._brackets], trials, results)
        for bracket in self._brackets:
            bracket.limit(bracket.plan)
            self._home.update(dict.fromkeys(bracket.running, bracket))

    def follow(self, rules: int) -> None:
        """From now on it goes by the rules of this number."""
        for bracket in self._brackets:
            bracket.crowns_winner = rules >= 2

    def limit(self, max_concurrent_trials: int | None) -> None:
        """Shares the limit out anew."""
        self._plan = limited(self._plan, max_concurrent_trials)
        for bracket, plan in zip(self._brackets, self._plan, strict=True):
            bracket.limit(plan)

    def extend(self, max_trials: int) -> None:
        """Shares the further trials out by the brackets' weights."""
        sizes = [len(bracket.rungs) for bracket in self._plan]
        weights = (first_weights if self._learned else equal_cost_weights)(sizes, self._eta)
        shares = extended_shares(self._shares, weights, max_trials)
        self._plan = tuple(replace(plan, max_trials=share) for plan, share in zip(self._plan, shares, strict=True))
        for bracket, share in zip(self._brackets, shares, strict=True):
            bracket.extend(share)

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """Only those of the trials that wait can still be promoted for which this is true."""
        for bracket in self._brackets:
            bracket.keep_waiting(kept)

    def check(self) -> None:
        """Raises AssertionError where an invariant does not hold."""
        for bracket in self._brackets:
            bracket.check()
        homes = {trial: bracket for bracket in self._brackets for trial in bracket.running}
        assert homes == self._home, "the running trials of the search are not those of its brackets"
        assert all(trial < self._next_trial for trial in self._home), "a running trial has a number not given yet"


def _least_complete(brackets: Sequence[AshaBracket]) -> AshaBracket | None:
    """The bracket that has created the smallest part of its trials, the first of equal ones."""
    least: AshaBracket | None = None
    for bracket in brackets:
        if least is None or bracket.created * least.plan.max_trials < least.created * bracket.plan.max_trials:
            least = bracket
    return least


def build_asha(spec: AshaSpec, context: SearchContext) -> AdaptiveAsha:
    """One bracket with as many rungs as fit, up to `max_rungs`."""
    return _build(spec, context.goal, brackets_of(spec, [most_rungs(spec)]))


def build_adaptive_asha(spec: AdaptiveAshaSpec, context: SearchContext) -> AdaptiveAsha:
    """The brackets that `bracket_rungs` names, or those of the `mode`."""
    sizes = spec.bracket_rungs or bracket_sizes(spec.mode, most_rungs(spec))
    if spec.mode == "learned" and not spec.bracket_rungs:
        return _build(spec, context.goal, pooled_brackets_of(spec, sizes, first_weights(sizes, spec.eta)))
    return _build(spec, context.goal, brackets_of(spec, sizes))


def _build(spec: AshaSpec | AdaptiveAshaSpec, goal: Goal, plan: Sequence[BracketPlan]) -> AdaptiveAsha:
    return AdaptiveAsha(plan, spec.eta, goal, stop_once=spec.stop_once)
