"""What holds for searches with a barrier at each rung, whatever happens to their trials and in whichever order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeGuard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.search_ledger import Event, Ledger, events, finish, happen

from rungmaster.master.search.interface import (
    Action,
    Done,
    Entered,
    Goal,
    NotExtendable,
    Promoted,
    SearchContext,
    SearchDecision,
    Searcher,
    Step,
    Train,
    Wait,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.master.search.synchronous.promotions import BarrierPromotions
from rungmaster.master.search.synchronous.searcher import PORTION, SynchronousHalving
from rungmaster.shared.spec.searchers import HyperbandSpec, ShaSpec

goals = st.sampled_from(Goal)
limits = st.one_of(st.none(), st.integers(1, 6))
divisors = st.sampled_from([2, 2, 3, 4, 2.5, 1.75])
shas = st.builds(
    ShaSpec,
    max_trials=st.integers(1, 30),
    max_resource=st.integers(1, 100),
    divisor=divisors,
    max_rungs=st.integers(1, 5),
    max_concurrent_trials=limits,
)
hyperbands = st.builds(
    HyperbandSpec,
    max_resource=st.integers(1, 30),
    divisor=divisors,
    iterations=st.integers(1, 2),
    max_concurrent_trials=limits,
)


@dataclass(frozen=True)
class Case:
    """A search to be made, any number of times."""

    spec: ShaSpec | HyperbandSpec
    goal: Goal
    portion: int

    def fresh(self) -> SynchronousHalving:
        plan = build_searcher(self.spec, SearchContext(self.goal)).plan
        return SynchronousHalving(plan, self.spec.eta, self.goal, self.portion)


cases = st.builds(Case, st.one_of(shas, hyperbands), goals, st.sampled_from([1, 2, 5, PORTION]))
whole_cases = st.builds(Case, st.one_of(shas, hyperbands), goals, st.just(PORTION))


@dataclass
class Rules:
    """The rules of the design over what a ledger holds, found anew each time."""

    case: Case
    ledger: Ledger
    plan: SynchronousHalving = field(init=False)

    def __post_init__(self) -> None:
        self.plan = self.case.fresh()

    def results(self, bracket: int, rung: int) -> list[tuple[float, int]]:
        """Those of a rung, best first."""
        sign = 1 if self.case.goal is Goal.MINIMIZE else -1
        return sorted(
            (math.inf if r.metric is None else sign * r.metric, r.trial)
            for (b, k, _), r in self.ledger.results.items()
            if (b, k) == (bracket, rung)
        )

    def expected(self, bracket: int, rung: int) -> int | None:
        """How many trials a rung waits for."""
        if rung == 0:
            return self.plan.plan[bracket].max_trials
        best = self.best(bracket, rung - 1)
        return None if best is None else len(best)

    def best(self, bracket: int, rung: int) -> list[int] | None:
        """Those that go on, best first; None while the rung waits."""
        results = self.results(bracket, rung)
        if len(results) != self.expected(bracket, rung):
            return None
        most = max(1, math.floor(Fraction(len(results)) / self.case.spec.eta))
        return [trial for key, trial in results[:most] if key != math.inf]

    def promoted(self, bracket: int, rung: int) -> set[int]:
        return {r.trial for (b, k, _), r in self.ledger.results.items() if (b, k) == (bracket, rung) and r.promoted}

    def rungs(self) -> list[tuple[int, int]]:
        """All but the last of each bracket."""
        return [(b, k) for b, bracket in enumerate(self.plan.plan) for k in range(len(bracket.rungs) - 1)]

    def check(self, *, decided: bool) -> None:
        """Only the best are promoted, when all are in; where that is `decided`, all of them, and the others ended."""
        for bracket, rung in self.rungs():
            best = self.best(bracket, rung)
            assert self.promoted(bracket, rung) <= set(best or [])
            if not decided or best is None:
                continue
            assert self.promoted(bracket, rung) == set(best)
            lost = {trial for _, trial in self.results(bracket, rung)} - set(best)
            assert all(self.ledger.trials[trial].ended for trial in lost)

    def waiting(self, bracket: int) -> list[int]:
        """Promoted trials of a bracket that neither train nor have trained for the next rung, best first."""
        for b, rung in self.rungs():
            if b == bracket:
                came = {trial for _, trial in self.results(bracket, rung + 1)} | self.ledger.running.keys()
                waiting = [t for t in self.best(bracket, rung) or [] if t in self.promoted(bracket, rung) - came]
                if waiting:
                    return waiting
        return []

    def left(self, bracket: int) -> int:
        """How many trials of a bracket are still to be made."""
        made = sum(t.bracket == bracket and not t.discarded for t in self.ledger.trials.values())
        return self.plan.plan[bracket].max_trials - made

    def next_work(self) -> tuple[int, int | None] | None:
        """The bracket that has the next work, and which trial that is; None for a new one."""
        limit = self.case.spec.max_concurrent_trials
        if limit is not None and len(self.ledger.running) >= limit:
            return None
        for bracket in range(len(self.plan.plan)):
            if waiting := self.waiting(bracket):
                return bracket, waiting[0]
            if self.left(bracket):
                return bracket, None
        return None


@given(case=whole_cases, happenings=events)
@settings(deadline=None)
def test_every_search_keeps_the_rules_and_ends(case: Case, happenings: list[Event]) -> None:
    searcher, ledger = case.fresh(), Ledger()
    rules = Rules(case, ledger)
    for event in happenings:
        wanted = rules.next_work()
        step = happen(searcher, ledger, event)
        rules.check(decided=True)
        if isinstance(step.answer, Train):
            assert wanted == (step.answer.bracket, None if step.answer.new else step.answer.trial)
        elif isinstance(step.answer, Wait | Done):
            assert wanted is None
    finish(searcher, ledger)
    rules.check(decided=True)


@given(case=cases, happenings=events)
@settings(deadline=None)
def test_nothing_is_lost(case: Case, happenings: list[Event]) -> None:
    """Every trial ends, every rung gets all the trials that it waits for, in portions of whichever size; and a replay's
    own judge objects to no promotion. That nothing is trained twice, the ledger asserts with each event."""
    searcher, ledger = case.fresh(), Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    assert searcher.done
    assert not ledger.running
    assert all(trial.ended for trial in ledger.trials.values())
    rules = Rules(case, ledger)
    rules.check(decided=True)
    for bracket, plan in enumerate(searcher.plan):
        for rung in range(len(plan.rungs)):
            assert len(rules.results(bracket, rung)) == rules.expected(bracket, rung)
    judge = searcher.promotion_rule()
    assert [objection for _, step in ledger.calls for objection in told(judge, step)] == []


def told(judge: BarrierPromotions, step: Step) -> list[str]:
    """What a judge objects to in a step."""
    objections = []
    for effect in step.effects:
        if isinstance(effect, Promoted):
            objections.append(judge.promoted(effect))
        else:
            judge.entered(effect)
    return [objection for objection in objections if objection]


@given(case=cases, happenings=events)
@settings(deadline=None)
def test_a_replay_of_the_events_gives_the_same_search(case: Case, happenings: list[Event]) -> None:
    searcher, ledger = case.fresh(), Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    again = case.fresh()
    for event, step in ledger.calls:
        assert event(again) == step


@given(case=cases, happenings=events, finishing=st.booleans())
@settings(deadline=None, max_examples=60)
def test_a_searcher_restored_at_any_moment_goes_on_as_if_nothing_had_happened(
    case: Case, happenings: list[Event], finishing: bool
) -> None:
    searcher, ledger = case.fresh(), Ledger()
    restored = [ledger.restored(case.fresh())]
    for event in happenings:
        happen(searcher, ledger, event)
        restored.append(ledger.restored(case.fresh()))
    if finishing:
        finish(searcher, ledger)
    for i, again in enumerate(restored):
        for event, step in ledger.calls[i:]:
            assert event(again) == step
        assert again.done == searcher.done
        again.check()


@given(case=cases, happenings=events, changes=st.lists(st.tuples(st.integers(0, 40), limits), max_size=4))
@settings(deadline=None)
def test_a_limit_that_is_changed_holds_from_then_on(
    case: Case, happenings: list[Event], changes: list[tuple[int, int | None]]
) -> None:
    searcher, ledger = case.fresh(), Ledger()
    limit, when = case.spec.max_concurrent_trials, dict(changes)
    for i, event in enumerate(happenings):
        if i in when:
            limit = when[i]
            searcher.limit(limit)
            assert {bracket.max_concurrent_trials for bracket in searcher.plan} == {limit}
        step = happen(searcher, ledger, event)
        assert limit is None or not isinstance(step.answer, Train) or len(ledger.running) <= limit
    restored = case.fresh()
    restored.limit(limit)
    ledger.restored(restored)
    assert restored.next() == searcher.next()


@given(case=cases, happenings=events)
@settings(deadline=None)
def test_maximizing_is_minimizing_the_negative(case: Case, happenings: list[Event]) -> None:
    least, ledger = Case(case.spec, Goal.MINIMIZE, case.portion).fresh(), Ledger()
    most, mirrored = Case(case.spec, Goal.MAXIMIZE, case.portion).fresh(), Ledger()
    for operation, which, beyond, metric in happenings:
        step = happen(least, ledger, (operation, which, beyond, metric))
        mirror = happen(most, mirrored, (operation, which, beyond, -metric))
        assert (mirror.answer, mirror.decisions) == (step.answer, step.decisions)


def sha(max_trials: int, max_resource: int = 9, divisor: float = 3) -> Searcher:
    spec = ShaSpec(max_trials=max_trials, max_resource=max_resource, divisor=divisor)
    return build_searcher(spec, SearchContext(Goal.MINIMIZE))


def begin(searcher: Searcher, number: int) -> None:
    for _ in range(number):
        assert isinstance(searcher.next().answer, Train)


def decision(step: Step) -> SearchDecision:
    assert isinstance(step.answer, SearchDecision)
    return step.answer


def test_the_last_trial_of_a_rung_opens_it_and_continues_where_it_is_if_it_is_among_the_best() -> None:
    searcher = sha(3)
    begin(searcher, 3)
    assert decision(searcher.report(0, 3, 0.3)).reason == "waits at rung 0, where 1 of 3 trials are in"
    assert decision(searcher.report(1, 3, 0.2)).action is Action.PAUSE
    step = searcher.report(2, 3, 0.1)
    assert (decision(step).action, decision(step).target) == (Action.CONTINUE, 9)
    assert decision(step).reason == "rank 1 of 3 at rung 0, the best goes on"
    assert [(other.trial, other.action, other.standing) for other in step.decisions] == [
        (1, Action.STOP, (2, 3, 1)),
        (0, Action.STOP, (3, 3, 1)),
    ]


def test_the_last_trial_of_a_rung_stops_for_good_if_it_is_not_and_the_best_one_gets_its_worker() -> None:
    searcher = sha(3)
    begin(searcher, 3)
    searcher.report(0, 3, 0.1)
    searcher.report(1, 3, 0.2)
    step = searcher.report(2, 3, 0.3)
    assert decision(step).action is Action.STOP
    assert not decision(step).completed
    work = searcher.next().answer
    assert work == Train(0, 0, 1, start=3, target=9, new=False)


def test_a_failure_opens_a_rung_and_of_failures_alone_nobody_goes_on() -> None:
    searcher = sha(2, divisor=2)
    begin(searcher, 2)
    searcher.report(0, 4, math.nan)
    step = searcher.fail(1)
    assert [(each.trial, each.action) for each in step.decisions] == [(0, Action.STOP)]
    assert (
        step.decisions[0].reason
        == "its metric is not finite, which is the worst place of 2 at rung 0, the best goes on"
    )
    assert isinstance(searcher.next().answer, Done)


def test_a_replaced_trial_does_not_count_and_the_rung_waits_for_the_one_in_its_place() -> None:
    searcher = sha(2, divisor=2)
    begin(searcher, 2)
    searcher.discard(0)
    assert decision(searcher.report(1, 4, 0.5)).action is Action.PAUSE
    begin(searcher, 1)
    assert decision(searcher.report(2, 4, 0.4)).action is Action.CONTINUE


def test_promoted_trials_that_are_past_the_next_rung_enter_it_at_once() -> None:
    """All nine report at 9 only: the last report opens every rung, and the best is trained in full."""
    searcher = sha(9)
    begin(searcher, 9)
    for trial in range(8):
        assert decision(searcher.report(trial, 9, trial / 10)).action is Action.PAUSE
    step = searcher.report(8, 9, 0.9)
    assert decision(step).action is Action.STOP
    completed = [each.trial for each in step.decisions if each.completed]
    assert completed == [0]
    assert {each.action for each in step.decisions} == {Action.STOP}
    assert [(e.rung, e.trial) for e in step.effects if isinstance(e, Entered)] == [
        (0, 8),
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
    ]
    assert isinstance(searcher.next().answer, Done)


def test_a_trial_that_reports_continues_where_it_is_also_if_others_open_the_next_rung_for_it() -> None:
    """The last of six is promoted and past rung 1, where it waits for trial 0; which is past it too, and fills it."""
    searcher = sha(6, max_resource=9, divisor=2)
    assert [bracket.rungs for bracket in searcher.plan] == [(2, 4, 9)]
    begin(searcher, 6)
    for trial, resource in enumerate((5, 5, 2, 2, 2)):
        searcher.report(trial, resource, 0.2 + trial / 10)
    step = searcher.report(5, 5, 0.1)
    assert (decision(step).action, decision(step).target) == (Action.CONTINUE, 9)
    assert isinstance(searcher.next().answer, Wait)


def test_hyperband_begins_its_next_bracket_while_a_barrier_is_closed() -> None:
    spec = HyperbandSpec(max_resource=9, divisor=3)
    searcher = build_searcher(spec, SearchContext(Goal.MINIMIZE))
    assert [(bracket.max_trials, bracket.rungs) for bracket in searcher.plan] == [
        (9, (1, 3, 9)),
        (5, (3, 9)),
        (3, (9,)),
    ]
    brackets = [work.bracket for work in (searcher.next().answer for _ in range(10)) if isinstance(work, Train)]
    assert brackets == [0] * 9 + [1]
    for trial in range(9):
        searcher.report(trial, 1, trial)
    work = searcher.next().answer
    assert isinstance(work, Train)
    assert (work.trial, work.bracket) == (0, 0), "what the first bracket promotes goes before the second's new trials"


def test_a_search_with_barriers_takes_no_more_trials() -> None:
    searcher = sha(9)
    with pytest.raises(NotExtendable, match="a rung that had all its trials has compared them and stopped the others"):
        searcher.extend(18)
    assert searcher.plan == sha(9).plan


@pytest.mark.parametrize("resource", [1, 9], ids=["each rung is trained for", "every trial is past every rung"])
def test_a_large_rung_is_decided_in_portions(resource: int) -> None:
    number = 9 * PORTION
    searcher = sha(number)
    begin(searcher, number)
    steps = [searcher.report(trial, resource, trial) for trial in range(number)]
    while not isinstance(steps[-1].answer, Done):
        steps.append(searcher.next())
        work = steps[-1].answer
        if isinstance(work, Train):
            steps.append(searcher.report(work.trial, work.target, work.trial))
    stopped = [each.trial for step in steps for each in (*step.decisions, step.answer) if _stops(each)]
    assert sorted(stopped) == list(range(number)), "about each trial it was decided, once"
    assert max(len(step.decisions) for step in steps) == PORTION
    assert max(len(step.effects) for step in steps) <= 3 * PORTION


def _stops(answer: object) -> TypeGuard[SearchDecision]:
    return isinstance(answer, SearchDecision) and answer.action is Action.STOP
