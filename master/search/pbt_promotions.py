"""Which promotions PBT's rules allow, by the results alone: nothing here asks the search that promoted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .interface import BracketPlan, Entered, Goal, Promoted
from .population import Member, Population


class PbtPromotions:
    """A PromotionRule: a trial trains on unless, at its result, it was to be replaced."""

    def __init__(self, population: Population, rungs: Sequence[int], most_children: int, goal: Goal) -> None:
        self._population = population
        self._rungs = rungs
        self._most_children = most_children
        self._sign = goal.sign
        self._vacated = 0
        self._first_rungs: dict[int, int] = {}
        #: Of each trial what is to be said if it is promoted from the rung that it entered last.
        self._objections: dict[int, str] = {}

    def entered(self, result: Entered) -> None:
        """A trial entered a rung."""
        self._objections[result.trial] = self._objection(result)

    def _objection(self, result: Entered) -> str:
        top = result.rung == len(self._rungs) - 1
        if result.metric is None:
            self._population.leave(result.trial)
            self._vacated += not (top and result.resource >= self._rungs[-1])
            return "it is promoted though it failed or its metric is not finite"
        first_rung = self._first_rungs.setdefault(result.trial, result.rung)
        if not top and self._rungs[result.rung + 1] <= result.resource:
            return ""
        member = Member(self._sign * result.metric, result.rung, result.resource, first_rung)
        self._population.enter(result.trial, member)
        if top or not self._population.is_replaceable(result.trial) or self._vacated >= self._most_children:
            return ""
        rank, entered, worst = self._population.rank(result.trial), len(self._population), self._population.worst
        self._population.leave(result.trial)
        self._vacated += 1
        return f"it is promoted at place {rank + 1} of {entered}, of which the worst {worst} are replaced"

    def extended(self, plan: Sequence[BracketPlan], kept: Callable[[int], bool] | None) -> None:
        """A search like this is not extended."""

    def promoted(self, promotion: Promoted) -> str:
        """Why a promotion was not deserved."""
        return self._objections[promotion.trial]
