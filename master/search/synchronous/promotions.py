"""Which promotions a barrier allows, by the results alone: nothing here asks the search that promoted."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction

from sortedcontainers import SortedList

from ..interface import BracketPlan, Entered, Goal, Promoted
from ..rung import WORST, Result, key_of

Place = tuple[int, int]
"""A bracket and one of its rungs."""


class BarrierPromotions:
    """A PromotionRule: once all trials of a rung are in, its best ⌊n/η⌋ go on, at least one, with finite results."""

    def __init__(self, plan: Sequence[BracketPlan], eta: Fraction, goal: Goal) -> None:
        self._plan = plan
        self._eta = eta
        self._sign = goal.sign
        self._results: dict[tuple[int, int, int], Result] = {}
        self._ranked: dict[Place, SortedList] = defaultdict(SortedList)
        self._finite: Counter[Place] = Counter()

    def entered(self, result: Entered) -> None:
        """A trial entered a rung."""
        place = (result.bracket, result.rung)
        key = key_of(result.metric, self._sign), result.trial
        self._results[*place, result.trial] = key
        self._ranked[place].add(key)
        self._finite[place] += result.metric is not None

    def promoted(self, promotion: Promoted) -> str:
        """Why a promotion was not deserved."""
        place = (promotion.bracket, promotion.rung)
        key, ranked = self._results[*place, promotion.trial], self._ranked[place]
        rank = ranked.bisect_left(key)
        if key[0] == WORST:
            return "it is promoted though it failed or its metric is not finite"
        if len(ranked) < (expected := self._expected(place)):
            return f"it is promoted when {len(ranked)} of {expected} trials are in"
        if rank >= (passing := self._passing(place)):
            return f"it is promoted at place {rank + 1} of {len(ranked)}, of which {passing} may go on"
        return ""

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        """Searches with barriers are not extended."""

    def _expected(self, place: Place) -> int:
        """How many trials a rung waits for."""
        bracket, rung = place
        if rung == 0:
            return self._plan[bracket].max_trials
        return min(self._passing((bracket, rung - 1)), self._finite[bracket, rung - 1])

    def _passing(self, place: Place) -> int:
        return max(1, math.floor(len(self._ranked[place]) / self._eta))
