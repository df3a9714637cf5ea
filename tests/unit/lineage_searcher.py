"""A searcher whose trials take after each other, as small as can be, to test what a master does for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from rungmaster.master.search.arithmetic import full_resource, within
from rungmaster.master.search.interface import (
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
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
)
from rungmaster.shared.spec.fields import one_of, whole
from rungmaster.shared.spec.searchers import SearcherSpec


class RelaySpec(SearcherSpec):
    """`lines` trials train side by side; one whose result is above 1 at a step is replaced by a child of the best."""

    inherits: ClassVar[bool] = True

    name: Annotated[str, one_of("relay")] = "relay"
    lines: Annotated[int, whole(1, 100)]
    step: Annotated[int, whole(1)] = 10
    steps: Annotated[int, whole(1, 100)] = 3
    children: Annotated[int, whole(0, 1000)] = 100

    @property
    def trials(self) -> int:
        return self.lines + self.children


class Anything:
    """Every promotion is right."""

    def entered(self, result: Entered) -> None:
        pass

    def promoted(self, promotion: Promoted) -> str:
        del promotion
        return ""

    def extended(self, plan: object, kept: object) -> None:
        pass


@dataclass
class Relay:
    """A searcher that replaces trials by children of others."""

    spec: RelaySpec
    sign: float
    at_once: int | None = None
    number: int = 0
    made: int = 0
    running: dict[int, int] = field(default_factory=dict)
    #: The last result of each trial that has one, with its rung.
    results: dict[int, tuple[float, int]] = field(default_factory=dict)
    #: Rungs for which children are to be made.
    wanted: list[int] = field(default_factory=list)
    alive: set[int] = field(default_factory=set)

    @property
    def plan(self) -> tuple[BracketPlan, ...]:
        rungs = tuple(self.spec.step * (k + 1) for k in range(self.spec.steps))
        return (BracketPlan(rungs, self.spec.trials, self.at_once),)

    @property
    def draws(self) -> bool:
        return self.made < self.spec.lines

    @property
    def creates(self) -> bool:
        has_room = self.at_once is None or len(self.running) < self.at_once
        return has_room and (bool(self.wanted) or self.made < self.spec.lines)

    @property
    def startable(self) -> int:
        waiting = len(self.wanted) + max(0, self.spec.lines - self.made)
        return within(self.at_once, len(self.running), waiting)

    def expected_cost(self) -> ExpectedCost:
        full = full_resource(self.plan)
        return ExpectedCost(((self.spec.lines,) * self.spec.steps,), full, full, "nobody is replaced")

    def promotion_rule(self) -> Anything:
        return Anything()

    @property
    def done(self) -> bool:
        return not self.running and self.made >= self.spec.lines and not self.wanted

    def next(self) -> Step:
        if self.at_once is not None and len(self.running) >= self.at_once:
            return Step(Wait())
        if self.wanted:
            rung = self.wanted.pop(0)
            parent = min((self.results[t][0], t) for t in self.alive if t in self.results)[1]
            return self._make(rung, parent)
        if self.made < self.spec.lines:
            return self._make(0, None)
        return Step(Wait() if self.running else Done())

    def _make(self, rung: int, parent: int | None) -> Step:
        trial, self.number, self.made = self.number, self.number + 1, self.made + 1
        self.running[trial] = rung
        self.alive.add(trial)
        target = self.plan[0].rungs[rung]
        start = 0 if parent is None else self.plan[0].rungs[self.results[parent][1]]
        return Step(Train(trial, 0, rung, start=start, target=target, new=True, parent=parent))

    def report(self, trial: int, resource: int, metric: float) -> Step:
        rung = self._rung(trial)
        target = self.plan[0].rungs[rung]
        if resource < target:
            return Step(SearchDecision(trial, Action.CONTINUE, target))
        effects: list[Effect] = [Entered(0, rung, trial, resource, metric if math.isfinite(metric) else None)]
        key = self.sign * metric if math.isfinite(metric) else math.inf
        self.results[trial] = (key, rung)
        if rung + 1 == self.spec.steps:
            del self.running[trial]
            self.alive.remove(trial)
            return Step(SearchDecision(trial, Action.STOP, completed=True), tuple(effects))
        others = [t for t in self.alive if t != trial and self.results.get(t, (math.inf, 0))[0] <= 1]
        if key > 1 and others and self.made < self.spec.trials:
            del self.running[trial]
            self.alive.remove(trial)
            self.wanted.append(rung + 1)
            return Step(SearchDecision(trial, Action.STOP, reason="replaced"), tuple(effects))
        self.running[trial] = rung + 1
        effects.append(Promoted(0, rung, trial))
        return Step(SearchDecision(trial, Action.CONTINUE, self.plan[0].rungs[rung + 1], save=True), tuple(effects))

    def fail(self, trial: int) -> Step:
        rung = self._rung(trial)
        del self.running[trial]
        self.alive.discard(trial)
        self.results[trial] = (math.inf, rung)
        return Step(None, (Entered(0, rung, trial, 0, None),))

    def discard(self, trial: int) -> Step:
        del self.running[trial]
        self.alive.discard(trial)
        self.made -= 1
        return Step(None)

    def _rung(self, trial: int) -> int:
        if trial not in self.running:
            raise UnknownTrial(f"trial {trial} is not running")
        return self.running[trial]

    def restore(self, trials: Iterable[TrialRecord], results: Iterable[RungRecord]) -> None:
        ended: list[int] = []
        children = 0
        for trial in trials:
            self.number = max(self.number, trial.trial + 1)
            self.made += not trial.discarded
            if trial.running:
                self.running[trial.trial] = trial.rung
                self.alive.add(trial.trial)
            elif not trial.discarded:
                ended.append(trial.trial)
            children += trial.parent is not None
        for result in sorted(results, key=lambda each: each.rung):
            key = math.inf if result.metric is None else self.sign * result.metric
            self.results[result.trial] = (key, result.rung)
        last = [self.results[trial] for trial in ended]
        self.wanted = [rung + 1 for key, rung in last if rung + 1 < self.spec.steps and key < math.inf][children:]

    def follow(self, rules: int) -> None:
        pass

    def keep_waiting(self, kept: object) -> None:
        pass

    def extend(self, max_trials: int) -> None:
        raise NotExtendable(f"it makes no {max_trials} trials")

    def limit(self, max_concurrent_trials: int | None) -> None:
        self.at_once = max_concurrent_trials

    def check(self) -> None:
        assert self.running.keys() <= self.alive


def build_relay(spec: RelaySpec, context: SearchContext) -> Relay:
    return Relay(spec, 1.0 if context.goal is Goal.MINIMIZE else -1.0)
