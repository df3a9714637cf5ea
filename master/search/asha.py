"""One bracket of asynchronous successive halving (ASHA): its rungs, and the trials that climb them.

Two variants. Promoting (the paper's): a trial in the top 1/divisor of its rung goes on, any other pauses and may be
promoted later. Stopping (`stop_once`): a trial that is not good enough among those seen so far stops for good.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from .interface import Action, BracketPlan, Effect, Entered, Goal, Promoted, SearchDecision, Standing, Train
from .reasons import go_on, place, trained_to_the_end
from .rung import WORST, RankedRung, Result, key_of


class Running(NamedTuple):
    """A trial in training: the rung that it heads for, and the resource at which it entered the last one (or 0)."""

    rung: int
    resource: int


class TrialPool:
    """The trials that a bracket makes, or several make together: how many in all, how many so far, and how many of
    those have come to their lowest rung."""

    __slots__ = ("created", "entered", "max_trials")

    def __init__(self, max_trials: int) -> None:
        self.max_trials = max_trials
        self.created = self.entered = 0

    @property
    def all_in(self) -> bool:
        """Whether all trials have been made and have come to their lowest rung."""
        return self.entered >= self.max_trials


class AshaBracket:
    """One ASHA run. Trials that neither run nor wait for a promotion live on only as results in its rungs."""

    def __init__(
        self, index: int, plan: BracketPlan, eta: Fraction, goal: Goal, pool: TrialPool, *, stop_once: bool
    ) -> None:
        self.index = index
        self.plan = plan
        self.pool = pool
        self.created = 0
        self.running: dict[int, Running] = {}
        #: As many ran when the limit was last set: more than it allows, where it was lowered.
        self._ran = 0
        self._sign = goal.sign
        self._stop_once = stop_once
        #: Whether a winner is looked for; by the rules of old none was.
        self.crowns_winner = True
        self._top = len(plan.rungs) - 1
        self.rungs = tuple(
            RankedRung(resource, eta, keeps_candidates=not stop_once and k < self._top)
            for k, resource in enumerate(plan.rungs)
        )

    @property
    def has_room(self) -> bool:
        """Whether another trial may run beside those that do."""
        limit = self.plan.max_concurrent_trials
        return limit is None or len(self.running) < limit

    def limit(self, plan: BracketPlan) -> None:
        """Takes another limit on the trials that train at once; those that do go on."""
        self.plan, self._ran = plan, len(self.running)

    def extend(self, max_trials: int) -> None:
        """Makes this many trials in all."""
        self.pool.max_trials += max_trials - self.plan.max_trials
        self.plan = replace(self.plan, max_trials=max_trials)

    def keep_waiting(self, kept: Callable[[int], bool]) -> None:
        """Only those of the trials that wait can still be promoted for which this is true."""
        for rung in self.rungs:
            rung.keep_waiting(kept)

    @property
    def can_create(self) -> bool:
        """Whether some of its trials, or of its pool's, were not created yet."""
        return self.pool.created < self.pool.max_trials

    def promotable(self) -> tuple[int, Result] | None:
        """The highest rung that has a trial to promote, and that trial's result there."""
        winner_goes_on = self._winner_goes_on
        for k in range(self._top - 1, -1, -1):
            rung = self.rungs[k]
            result = rung.best_waiting() if winner_goes_on else rung.promotable()
            if result is not None:
                return k, result
        return None

    @property
    def waiting_to_go_on(self) -> int:
        """How many trials could be promoted."""
        return sum(rung.waiting_to_go_on for rung in self.rungs[:-1]) or int(self.promotable() is not None)

    @property
    def _winner_goes_on(self) -> bool:
        """Whether the best trial that waits goes on, in the top 1/divisor or not: no other trial runs or will be
        created, and none was trained in full. Where brackets share a pool, all of its trials must be in."""
        return self.crowns_winner and not (self.running or not self.pool.all_in or self.rungs[-1].has_finite)

    def create(self, trial: int) -> Train:
        """Starts a new trial."""
        self.count(1)
        self.running[trial] = Running(rung=0, resource=0)
        return Train(trial, self.index, 0, start=0, target=self.rungs[0].resource, new=True)

    def count(self, created: int, entered: int = 0) -> None:
        """So many more trials were made, and have come to the lowest rung."""
        self.created += created
        self.pool.created += created
        self.pool.entered += entered

    def promote(self, k: int, result: Result, effects: list[Effect]) -> Train | SearchDecision:
        """Promotes the trial with this result at rung k, as `promotable` gave them.

        A Train where it has to train for the next rung; where it is already past that, what became of it there.
        """
        key, trial = result
        resource = self._promote(k, result, effects)
        if resource < self.rungs[k + 1].resource:
            self.running[trial] = Running(k + 1, resource)
        else:
            decision = self._climb(trial, k + 1, resource, self._sign * key, effects)
            if decision.action is not Action.CONTINUE:
                return decision
        run = self.running[trial]
        return Train(trial, self.index, run.rung, run.resource, target=self.rungs[run.rung].resource, new=False)

    def report(self, trial: int, resource: int, metric: float, effects: list[Effect]) -> SearchDecision:
        """A running trial reached a resource; below its target nothing changes."""
        rung = self.running[trial].rung
        target = self.rungs[rung].resource
        if resource < target:
            return SearchDecision.below_target(trial, target)
        del self.running[trial]
        return self._climb(trial, rung, resource, metric, effects)

    def fail(self, trial: int, effects: list[Effect]) -> None:
        """A running trial takes the worst place in the rung it was heading for, and is never promoted."""
        run = self.running.pop(trial)
        self._enter(run.rung, (WORST, trial), run.resource)
        effects.append(Entered(self.index, run.rung, trial, run.resource, metric=None))

    def discard(self, trial: int, effects: list[Effect]) -> None:
        """A running trial never counted, unless it has entered a rung already: then it fails."""
        if self.running[trial].rung > 0:
            self.fail(trial, effects)
        else:
            del self.running[trial]
            self.count(-1)

    def _climb(self, trial: int, k: int, resource: int, metric: float, effects: list[Effect]) -> SearchDecision:
        """Enters rung k and those above that `resource` has reached, until the trial pauses, stops or has to train."""
        result = (self.key(metric), trial)
        finite = result[0] != WORST
        while True:
            rung = self.rungs[k]
            rank = self._enter(k, result, resource)
            effects.append(Entered(self.index, k, trial, resource, metric if finite else None))
            where = place(rank, len(rung), k, finite=finite)
            if k == self._top:
                reason = trained_to_the_end(rung.resource, where)
                standing = Standing(rank + 1, len(rung), None)
                return SearchDecision(trial, Action.STOP, completed=True, reason=reason, standing=standing)
            passing = self._passing(rung)
            standing = Standing(rank + 1, len(rung), passing)
            reason = f"{where}, {go_on(passing)}"
            if not finite or rank >= passing:
                action = Action.STOP if self._stop_once else Action.PAUSE
                return SearchDecision(trial, action, reason=reason, standing=standing)
            self._promote(k, result, effects)
            k += 1
            if (target := self.rungs[k].resource) > resource:
                self.running[trial] = Running(k, resource)
                return SearchDecision(trial, Action.CONTINUE, target, reason=reason, standing=standing)

    def _enter(self, k: int, result: Result, resource: int) -> int:
        self.count(0, entered=k == 0)
        return self.rungs[k].enter(result, resource)

    def _passing(self, rung: RankedRung) -> int:
        return max(1, rung.quota) if self._stop_once else rung.quota

    def _promote(self, k: int, result: Result, effects: list[Effect]) -> int:
        effects.append(Promoted(self.index, k, result[1]))
        return self.rungs[k].promote(result)

    def key(self, metric: float | None) -> float:
        """What a metric is ranked by in the rungs: less is better, whatever the goal."""
        return key_of(metric, self._sign)

    def check(self) -> None:
        """Raises AssertionError where a trial is lost, trains twice, or climbs without having been promoted."""
        limit = self.plan.max_concurrent_trials
        assert limit is None or len(self.running) <= max(limit, self._ran), (
            f"bracket {self.index} trains more trials than it may"
        )
        pool = self.pool
        assert self.created <= pool.created <= pool.max_trials, f"bracket {self.index} made more trials than it may"
        passed: set[int] | None = None
        for k, rung in enumerate(self.rungs):
            rung.check()
            where = f"rung {k} of bracket {self.index}"
            entered = {trial for _, trial in rung.results()}
            heading = {trial for trial, run in self.running.items() if run.rung == k}
            assert not entered & heading, f"trials that entered {where} train for it again: {entered & heading}"
            here = entered | heading
            if passed is None:
                assert len(here) == self.created, f"{where} has {len(here)} trials of {self.created}"
            else:
                assert here <= passed, f"trials came to {where} without a promotion: {here - passed}"
                assert self._stop_once or here == passed, f"promoted trials were lost before {where}: {passed - here}"
            passed = rung.promoted
