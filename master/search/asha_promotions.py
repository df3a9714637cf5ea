"""Which promotions ASHA's rules allow, by the results alone: nothing here asks the search that promoted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction

from sortedcontainers import SortedList

from .interface import BracketPlan, Entered, Goal, Promoted
from .rung import WORST, Result, key_of

Place = tuple[int, int]
"""A bracket and one of its rungs."""


class AshaPromotions:
    """A PromotionRule: a trial goes on from the quota of its rung, or as the winner of its bracket."""

    def __init__(self, plan: Sequence[BracketPlan], eta: Fraction, goal: Goal, *, stop_once: bool) -> None:
        self._plan = plan
        self._eta = eta
        self._sign = goal.sign
        self._at_least = 1 if stop_once else 0
        self._results: dict[tuple[int, int, int], Result] = {}
        self._ranked: dict[Place, SortedList] = defaultdict(SortedList)
        #: The finite results that were not promoted yet, best first, and how many were promoted.
        self._waiting: dict[Place, SortedList] = defaultdict(SortedList)
        self._climbs: Counter[Place] = Counter()

    def entered(self, result: Entered) -> None:
        """A trial entered a rung."""
        place = (result.bracket, result.rung)
        key = key_of(result.metric, self._sign), result.trial
        self._results[*place, result.trial] = key
        self._ranked[place].add(key)
        if result.metric is not None:
            self._waiting[place].add(key)

    def promoted(self, promotion: Promoted) -> str:
        """Why a promotion was not deserved."""
        place = (promotion.bracket, promotion.rung)
        key, ranked = self._results[*place, promotion.trial], self._ranked[place]
        rank = ranked.bisect_left(key)
        passing = max(self._at_least, math.floor(len(ranked) / self._eta))
        if key[0] == WORST:
            return "it is promoted though it failed or its metric is not finite"
        if rank >= passing and not self._wins(place, key):
            return f"it is promoted at place {rank + 1} of {len(ranked)}, of which {passing} may go on"
        self._climbs[place] += 1
        self._waiting[place].remove(key)
        return ""

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        """The search has this plan now; trials that are not kept wait no more below the last rung."""
        self._plan = plan
        if kept is not None:
            for (bracket, rung), waiting in self._waiting.items():
                if rung < len(plan[bracket].rungs) - 1:
                    self._waiting[bracket, rung] = SortedList(key for key in waiting if kept(key[1]))

    def _wins(self, place: Place, key: Result) -> bool:
        """Whether this result is the best of those that wait in their bracket's highest rung, while all its trials are
        in (of a pool all that it has) and none has come to the end."""
        plan = self._plan[place[0]]
        rungs = [(place[0], rung) for rung in range(len(plan.rungs))]
        together = range(len(self._plan)) if plan.pooled else [place[0]]
        made = sum(self._plan[bracket].max_trials - len(self._ranked[bracket, 0]) for bracket in together) == 0
        climbed = [self._climbs[lower] for lower in rungs[:-1]]
        all_in = made and climbed == [len(self._ranked[each]) for each in rungs[1:]]
        highest = next((each for each in reversed(rungs) if self._waiting[each]), None)
        return all_in and highest == place and self._waiting[place][0] == key
