"""One bracket of synchronous successive halving (Jamieson & Talwalkar 2016): its rungs, and the trials that climb them.

A trial that enters a rung before the last one pauses. Once all are in, the best ⌊n/η⌋, at least one, are promoted, and
the others stop for good. About a large rung it decides in portions, first those that go on, each in the order of ranks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

from ..asha import Running
from ..interface import Action, BracketPlan, Effect, Entered, Goal, Promoted, SearchDecision, Standing, Step, Train
from ..reasons import go_on, place, trained_to_the_end
from ..rung import WORST, Result, key_of
from .rung import BarrierRung


@dataclass(slots=True)
class PendingStep:
    """What an event has led to so far, and about how many trials that wait it may still decide."""

    left: int
    effects: list[Effect] = field(default_factory=list)
    #: By trial, the last word about it.
    decisions: dict[int, SearchDecision] = field(default_factory=dict)

    def answered(self, trial: int) -> Step:
        """All of it, once it is complete, with the answer about the trial that was asked about."""
        answer = self.decisions.pop(trial)
        return Step(answer, tuple(self.effects), tuple(self.decisions.values()))


class SynchronousBracket:
    """One run of successive halving. Trials that neither run nor wait live on only as results in its rungs."""

    def __init__(self, index: int, plan: BracketPlan, eta: Fraction, goal: Goal) -> None:
        self.index = index
        self.max_trials = plan.max_trials
        self.created = 0
        self.running: dict[int, Running] = {}
        self._sign = goal.sign
        self._top = len(plan.rungs) - 1
        self.rungs = tuple(
            BarrierRung(resource, eta, expected=plan.max_trials if k == 0 else None)
            for k, resource in enumerate(plan.rungs)
        )
        #: The rungs that have all their trials, and not decided about each of them yet.
        self.deciding: list[int] = []

    @property
    def can_create(self) -> bool:
        """Whether some of its trials were not created yet."""
        return self.created < self.max_trials

    @property
    def has_work(self) -> bool:
        """Whether a trial waits for its turn, or can be created."""
        return self.can_create or self.has_promoted

    @property
    def has_promoted(self) -> bool:
        """Whether a promoted trial waits for its turn."""
        return any(rung.queued for rung in self.rungs)

    @property
    def startable(self) -> int:
        """How many trials wait for their turn, can be created, or are to be promoted where a barrier is open."""
        undecided = sum(max(1, self.rungs[k].promotions - self.rungs[k].promoted) for k in self.deciding)
        return self.max_trials - self.created + sum(rung.queued for rung in self.rungs) + undecided

    def work(self, number: int) -> Train:
        """What to train next, where it has work: the best promoted trial, or else a new one, which gets this number."""
        for k, rung in enumerate(self.rungs):
            if rung.queued:
                _, trial = rung.best_promoted()
                return self._train(trial, k + 1, rung.leave(trial), new=False)
        self.created += 1
        return self._train(number, 0, 0, new=True)

    def _train(self, trial: int, k: int, start: int, *, new: bool) -> Train:
        self.running[trial] = Running(k, start)
        return Train(trial, self.index, k, start, target=self.rungs[k].resource, new=new)

    def target(self, trial: int) -> int:
        """Where the rung stands that a running trial heads for."""
        return self.rungs[self.running[trial].rung].resource

    def report(self, trial: int, resource: int, metric: float, step: PendingStep) -> None:
        """A running trial reached its target or more. The last one to come to a rung is the first that is decided
        about, whatever its rank: its worker waits for the answer."""
        k = self.running.pop(trial).rung
        result = (self.key(metric), trial)
        self._enter(k, result, resource, step)
        while k < self._top and self.rungs[k].all_in and self.rungs[k].take_undecided(result):
            self._decide(k, result, step)
            k += 1

    def stay(self, trial: int, metric: float, step: PendingStep) -> None:
        """A trial that has reported just now, and was promoted since, continues where it is."""
        result = (self.key(metric), trial)
        for k, rung in enumerate(self.rungs[:-1]):
            if rung.take_promoted(result):
                self.running[trial] = Running(k + 1, rung.leave(trial))
                goes_on = replace(step.decisions[trial], action=Action.CONTINUE, target=self.target(trial))
                step.decisions[trial] = goes_on

    def fail(self, trial: int, step: PendingStep) -> None:
        """A running trial takes the worst place in the rung it was heading for, and is never promoted."""
        run = self.running.pop(trial)
        self._add(run.rung, (WORST, trial), run.resource, step)

    def discard(self, trial: int) -> None:
        """A running trial that has entered no rung never counted."""
        del self.running[trial]
        self.created -= 1

    def promote(self, step: PendingStep) -> None:
        """Promotes those that go on from rungs which have all their trials, as many as the step has room for."""
        while step.left and (k := next((k for k in self.deciding if self.rungs[k].can_promote), None)) is not None:
            step.left -= 1
            self._decide(k, self.rungs[k].best_undecided(), step)

    def stop(self, step: PendingStep) -> None:
        """Stops those that do not go on, once all the others were promoted, as many as the step has room for."""
        for k in list(self.deciding):
            rung = self.rungs[k]
            while step.left and rung.undecided:
                step.left -= 1
                self._decide(k, rung.best_undecided(), step)
            if not rung.undecided:
                self.deciding.remove(k)

    def _enter(self, k: int, result: Result, resource: int, step: PendingStep) -> None:
        """A trial comes to rung k: it has ended at the last one, and waits at any other."""
        self._add(k, result, resource, step)
        rung, (key, trial) = self.rungs[k], result
        if k < self._top:
            rung.wait(result, resource)
            reason = f"waits at rung {k}, where {len(rung)} of {rung.expected} trials are in"
            step.decisions[trial] = SearchDecision(trial, Action.PAUSE, reason=reason)
            return
        rank = rung.rank(result)
        reason = trained_to_the_end(rung.resource, place(rank, len(rung), k, finite=key != WORST))
        standing = Standing(rank + 1, len(rung), None)
        step.decisions[trial] = SearchDecision(trial, Action.STOP, completed=True, reason=reason, standing=standing)

    def _add(self, k: int, result: Result, resource: int, step: PendingStep) -> None:
        key, trial = result
        rung = self.rungs[k]
        rung.enter(result)
        step.effects.append(Entered(self.index, k, trial, resource, None if key == WORST else self._sign * key))
        if k < self._top and rung.all_in:
            self.deciding.append(k)
            self.expect()

    def expect(self) -> None:
        """Tells each rung how many trials it waits for, once that is known."""
        for lower, upper in pairwise(self.rungs):
            if upper.expected is None and lower.all_in:
                upper.expected = lower.promotions

    def _decide(self, k: int, result: Result, step: PendingStep) -> None:
        """Decides about a trial that waited at rung k, which has all of them. One that is promoted and past the next
        rung already enters it at once."""
        rung, (key, trial) = self.rungs[k], result
        rank, passing = rung.rank(result), rung.passing
        reason = f"{place(rank, len(rung), k, finite=key != WORST)}, {go_on(passing)}"
        standing = Standing(rank + 1, len(rung), passing)
        if not rung.passes(result):
            rung.leave(trial)
            step.decisions[trial] = SearchDecision(trial, Action.STOP, reason=reason, standing=standing)
            return
        step.effects.append(Promoted(self.index, k, trial))
        if (resource := rung.promote(result)) >= self.rungs[k + 1].resource:
            rung.take_promoted(result)
            rung.leave(trial)
            self._enter(k + 1, result, resource, step)
        else:
            step.decisions[trial] = SearchDecision(trial, Action.PAUSE, reason=reason, standing=standing)

    def key(self, metric: float | None) -> float:
        """What a metric is ranked by in the rungs: less is better, whatever the goal."""
        return key_of(metric, self._sign)

    def check(self) -> None:
        """Raises AssertionError where a trial is lost, trains twice, or climbs without having been promoted."""
        assert self.created <= self.max_trials, f"bracket {self.index} made more trials than it may"
        came, expected = self.created, self.max_trials
        for k, rung in enumerate(self.rungs):
            rung.check()
            where = f"rung {k} of bracket {self.index}"
            assert rung.expected == expected, f"{where} waits for {rung.expected} trials instead of {expected}"
            heading = {trial for trial, run in self.running.items() if run.rung == k}
            assert not heading & {*rung.trials()}, f"trials that entered {where} train for it again"
            assert len(rung) + len(heading) == came, f"{where} has {len(rung)} trials and {len(heading)} more of {came}"
            came = rung.promoted - rung.queued
            expected = rung.promotions if rung.all_in and k < self._top else None
        undecided = [k for k, rung in enumerate(self.rungs[:-1]) if rung.all_in and rung.undecided]
        assert self.deciding == undecided, f"bracket {self.index} decides at {self.deciding}, to do is {undecided}"
