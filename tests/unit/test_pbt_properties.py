"""What holds for every search with PBT, whatever happens to its trials and in whichever order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.search_ledger import Event, Ledger, events, finish, happen

from rungmaster.master.search.interface import (
    Action,
    Done,
    Entered,
    Goal,
    Promoted,
    SearchContext,
    SearchDecision,
    Searcher,
    Step,
    Train,
    Wait,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import PbtSpec


@st.composite
def specs(draw: st.DrawFn) -> PbtSpec:
    population, interval = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    return PbtSpec(
        population=population,
        interval=interval,
        max_resource=draw(st.integers(interval, 5 * interval + 2)),
        truncation=draw(st.sampled_from([0.25, 0.5, 0.1, 0.34])),
        max_trials=draw(st.none() | st.integers(population, population + 6)),
        max_concurrent_trials=draw(st.none() | st.integers(1, 6)),
    )


def fresh(spec: PbtSpec, goal: Goal, seed: int = 0) -> Searcher:
    return build_searcher(spec, SearchContext(goal, seed=seed))


@dataclass
class Life:
    """What the rules need to know of one trial."""

    child: bool
    result: float | None = None
    rung: int = -1
    first: int = -1
    resource: int = 0
    state: str = "running"


@dataclass
class Oracle:
    """The rules of the design over plain lists."""

    spec: PbtSpec
    goal: Goal
    limit: int | None
    lives: dict[int, Life] = field(default_factory=dict)
    vacated: int = 0

    def key(self, trial: int) -> tuple[float, int]:
        result = self.lives[trial].result
        assert result is not None
        return (result if self.goal is Goal.MINIMIZE else -result), trial

    def members(self) -> list[int]:
        """Best first."""
        having = [t for t, life in self.lives.items() if life.result is not None and life.state != "ended"]
        return sorted(having, key=self.key)

    def worst(self) -> int:
        truncation = max(Fraction(str(self.spec.truncation)), Fraction(1, self.spec.population))
        return int(len(self.members()) * truncation)

    def donors(self) -> list[int]:
        return [t for t in self.members() if self.lives[t].state != "completed"]

    def budget(self) -> int:
        return (self.spec.max_trials or self.spec.population * len(self.spec.rungs)) - self.spec.population

    def vacant(self) -> int:
        children = sum(life.child for life in self.lives.values() if life.state != "discarded")
        return min(self.vacated, self.budget()) - children

    def first_left(self) -> int:
        made = sum(not life.child for life in self.lives.values() if life.state != "discarded")
        return self.spec.population - made

    def see(self, event: Event | None, step: Step, trial: int | None) -> None:
        """Whether the answer to an event about a trial keeps the rules."""
        if isinstance(step.answer, Train):
            self.see_start(step.answer)
        elif isinstance(step.answer, Wait | Done):
            self.see_nothing(step.answer)
        elif isinstance(step.answer, SearchDecision):
            self.see_decision(step.answer, step)
        elif trial is not None:
            self.see_loss(trial, step)
        running = [life for life in self.lives.values() if life.state == "running"]
        assert self.limit is None or len(running) <= self.limit
        held = [life for life in self.lives.values() if life.state in ("running", "paused", "completed")]
        assert len(held) <= self.spec.population, "the population is never exceeded"
        made = sum(life.state != "discarded" for life in self.lives.values())
        assert made <= self.spec.population + self.budget()

    def see_start(self, train: Train) -> None:
        paused = [(life.resource, t) for t, life in self.lives.items() if life.state == "paused"]
        if not train.new:
            assert (train.start, train.trial) == min(paused), "the one furthest behind trains next"
            assert not self.first_left()
            assert not (self.vacant() > 0 and self.donors()), "children go first"
            self.lives[train.trial].state = "running"
            return
        if train.parent is None:
            assert self.first_left()
            assert (train.rung, train.start) == (0, 0)
        else:
            assert not self.first_left(), "first the population is whole"
            assert self.vacant() > 0
            assert train.parent in self.donors()[: max(1, self.worst())], "a parent is one of the best"
            parent = self.lives[train.parent]
            assert (train.start, train.rung) == (parent.resource, parent.rung + 1)
        self.lives[train.trial] = Life(train.parent is not None)

    def see_nothing(self, answer: Wait | Done) -> None:
        running = sum(life.state == "running" for life in self.lives.values())
        assert isinstance(answer, Wait if running else Done)
        if self.limit is None or running < self.limit:
            assert not self.first_left()
            assert not any(life.state == "paused" for life in self.lives.values()), "no worker waits while one could"
            assert not (self.vacant() > 0 and self.donors())

    def see_decision(self, decision: SearchDecision, step: Step) -> None:
        entered = [effect for effect in step.effects if isinstance(effect, Entered)]
        if not entered:
            assert (decision.action, decision.save) == (Action.CONTINUE, False)
            return
        trial, last, top = decision.trial, entered[-1], len(self.spec.rungs) - 1
        life = self.lives[trial]
        life.first = life.first if life.result is not None else entered[0].rung
        life.result, life.rung, life.resource = last.metric, last.rung, last.resource
        if last.rung == top:
            assert (decision.action, decision.completed) == (Action.STOP, True)
            life.state = "completed"
        elif last.metric is None:
            assert (decision.action, decision.completed) == (Action.STOP, False)
            life.state, self.vacated = "ended", self.vacated + 1
        else:
            self.see_comparison(decision, step, life)

    def see_comparison(self, decision: SearchDecision, step: Step, life: Life) -> None:
        trial, members = decision.trial, self.members()
        is_worst = members.index(trial) >= len(members) - self.worst()
        best = self.donors()[0]
        better = self.key(best) < self.key(trial) and self.lives[best].rung >= life.first
        assert decision.standing is not None
        assert decision.standing[:2] == (members.index(trial) + 1, len(members))
        assert life.resource < self.spec.rungs[life.rung + 1], "it enters every rung that it has reached"
        goes_on = any(e == Promoted(0, life.rung, trial) for e in step.effects)
        if is_worst and better and self.vacated < self.budget():
            assert (decision.action, decision.completed, goes_on) == (Action.STOP, False, False)
            life.state, self.vacated = "ended", self.vacated + 1
            return
        assert decision.action in (Action.CONTINUE, Action.PAUSE)
        assert decision.save == goes_on == (decision.action is Action.CONTINUE)
        paused = [other.resource for other in self.lives.values() if other.state == "paused"]
        behind = min([*paused, math.inf]) < life.resource or self.first_left() > 0 or self.vacant() > 0
        assert behind == (decision.action is Action.PAUSE), "it goes on unless another is behind it"
        if decision.action is Action.PAUSE:
            life.state = "paused"

    def see_loss(self, trial: int, step: Step) -> None:
        if step.enters(trial):
            self.lives[trial].state, self.vacated = "ended", self.vacated + 1
        else:
            self.lives[trial].state = "discarded"


def told(ledger: Ledger, event: Event) -> int | None:
    """The trial that an event is about."""
    operation, which, *_ = event
    if operation == "next" or not ledger.running:
        return None
    return sorted(ledger.running)[which % len(ledger.running)]


@given(spec=specs(), goal=st.sampled_from(Goal), seed=st.integers(0, 99), happenings=events)
@settings(deadline=None)
def test_every_search_keeps_the_rules_and_ends(spec: PbtSpec, goal: Goal, seed: int, happenings: list[Event]) -> None:
    searcher, ledger = fresh(spec, goal, seed), Ledger()
    oracle, rule = Oracle(spec, goal, spec.max_concurrent_trials), searcher.promotion_rule()
    assert searcher.draws
    for event in happenings:
        trial = told(ledger, event)
        oracle.see(event, happen(searcher, ledger, event), trial)
        assert searcher.draws == (oracle.first_left() > 0)
    seen = len(ledger.calls)
    finish(searcher, ledger)
    for _, step in ledger.calls[seen:]:
        oracle.see(None, step, None)
    assert searcher.done
    assert not oracle.first_left()
    completed = sum(life.state == "completed" for life in oracle.lives.values())
    assert (
        completed
        == spec.population
        + sum(life.child for life in oracle.lives.values() if life.state != "discarded")
        - oracle.vacated
    )
    for _, step in ledger.calls:
        for effect in step.effects:
            if isinstance(effect, Entered):
                rule.entered(effect)
            else:
                assert rule.promoted(effect) == ""


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events)
@settings(deadline=None)
def test_a_replay_of_the_events_gives_the_same_search(spec: PbtSpec, goal: Goal, happenings: list[Event]) -> None:
    searcher, ledger = fresh(spec, goal), Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    again = fresh(spec, goal)
    for event, step in ledger.calls:
        assert event(again) == step


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events, finishing=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_searcher_restored_at_any_moment_goes_on_as_if_nothing_had_happened(
    spec: PbtSpec, goal: Goal, happenings: list[Event], finishing: bool
) -> None:
    searcher, ledger = fresh(spec, goal), Ledger()
    restored = [ledger.restored(fresh(spec, goal))]
    for event in happenings:
        happen(searcher, ledger, event)
        restored.append(ledger.restored(fresh(spec, goal)))
    if finishing:
        finish(searcher, ledger)
    for i, again in enumerate(restored):
        for event, step in ledger.calls[i:]:
            assert event(again) == step
        assert again.done == searcher.done
        assert again.draws == searcher.draws
        again.check()


@given(spec=specs(), happenings=events)
@settings(deadline=None)
def test_maximizing_is_minimizing_the_negative(spec: PbtSpec, happenings: list[Event]) -> None:
    least, ledger = fresh(spec, Goal.MINIMIZE), Ledger()
    most, mirrored = fresh(spec, Goal.MAXIMIZE), Ledger()
    for operation, which, beyond, metric in happenings:
        step = happen(least, ledger, (operation, which, beyond, metric))
        mirror = happen(most, mirrored, (operation, which, beyond, -metric))
        assert (mirror.answer, mirror.decisions) == (step.answer, step.decisions)
