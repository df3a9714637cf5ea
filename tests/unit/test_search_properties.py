"""What holds for every search, whatever happens to its trials and in whichever order."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.search.interface import (
    Action,
    BracketPlan,
    Done,
    Effect,
    Entered,
    Goal,
    Promoted,
    RungRecord,
    SearchContext,
    SearchDecision,
    Searcher,
    Step,
    Train,
    TrialRecord,
    Wait,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec

Event = tuple[str, int, int, float]
"""What happens next: an operation, which of the running trials, how far past or short of its target, and the metric."""

metrics = st.one_of(
    st.integers(0, 8).map(float), st.sampled_from([math.nan, math.inf, -math.inf]), st.floats(-1e6, 1e6, width=32)
)
events = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "next", "report", "report", "report", "fail", "discard"]),
        st.integers(0, 9),
        st.sampled_from([-1, 0, 0, 0, 1, 5, 1000]),
        metrics,
    ),
    min_size=20,
    max_size=150,
)


@st.composite
def specs(draw: st.DrawFn) -> AdaptiveAshaSpec:
    return AdaptiveAshaSpec(
        max_trials=draw(st.integers(4, 30)),
        max_resource=draw(st.integers(1, 100)),
        divisor=draw(st.sampled_from([2, 2, 3, 4, 2.5, 1.75])),
        max_rungs=draw(st.integers(1, 5)),
        mode=draw(st.sampled_from(["aggressive", "standard", "conservative"])),
        max_concurrent_trials=draw(st.one_of(st.none(), st.integers(1, 6))),
        stop_once=draw(st.booleans()),
    )


@dataclass
class Ledger:
    """Keeps what a database would: trials and rung results; and notes every call, to be made again."""

    trials: dict[int, TrialRecord] = field(default_factory=dict)
    results: dict[tuple[int, int, int], RungRecord] = field(default_factory=dict)
    running: dict[int, int] = field(default_factory=dict)
    calls: list[tuple[Callable[[Searcher], Step], Step]] = field(default_factory=list)

    def call(self, searcher: Searcher, event: Callable[[Searcher], Step]) -> Step:
        step = event(searcher)
        self.calls.append((event, step))
        searcher.check()
        if isinstance(step.answer, Train) and step.answer.new:
            trial = step.answer.trial
            assert trial == len(self.trials), "trial numbers are given in order, each once"
            self.trials[trial] = TrialRecord(
                trial,
                step.answer.bracket,
                step.answer.rung,
                0,
                running=True,
                ended=False,
                parent=step.answer.parent,
                start=step.answer.start,
            )
        for effect in step.effects:
            self.note(effect)
        for decision in step.decisions:
            self.decided(decision)
        if isinstance(step.answer, Train):
            self.started(step.answer)
        elif isinstance(step.answer, SearchDecision):
            self.decided(step.answer)
        return step

    def note(self, effect: Effect) -> None:
        place = (effect.bracket, effect.rung, effect.trial)
        trial = self.trials[effect.trial]
        if isinstance(effect, Entered):
            assert place not in self.results, "no trial enters a rung twice"
            self.results[place] = RungRecord(*place, metric=effect.metric, promoted=False)
            self.trials[effect.trial] = replace(trial, rung=effect.rung, resource=effect.resource)
        else:
            assert not self.results[place].promoted, "no trial is promoted twice from a rung"
            self.results[place] = replace(self.results[place], promoted=True)
            self.trials[effect.trial] = replace(trial, rung=effect.rung + 1)

    def started(self, work: Train) -> None:
        record = self.trials[work.trial]
        assert work.trial not in self.running, "no trial is trained twice at once"
        start = record.resource or record.start
        assert (work.bracket, work.rung, work.start) == (record.bracket, record.rung, start)
        assert work.start < work.target
        self.running[work.trial] = work.target
        self.trials[work.trial] = replace(record, running=True)

    def decided(self, decision: SearchDecision) -> None:
        if decision.action is Action.CONTINUE:
            assert decision.target is not None
            self.running[decision.trial] = decision.target
        else:
            self.ended(decision.trial, ended=decision.action is Action.STOP)

    def ended(self, trial: int, ended: bool, discarded: bool = False) -> None:
        self.running.pop(trial, None)
        self.trials[trial] = replace(self.trials[trial], running=False, ended=ended, discarded=discarded)

    def restored(self, fresh: Searcher) -> Searcher:
        fresh.restore(self.trials.values(), reversed(self.results.values()))
        fresh.check()
        return fresh


def happen(searcher: Searcher, ledger: Ledger, event: Event) -> Step:
    """Makes one event happen, as far as it can."""
    operation, which, beyond, metric = event
    if operation == "next" or not ledger.running:
        return ledger.call(searcher, lambda s: s.next())
    trial = sorted(ledger.running)[which % len(ledger.running)]
    if operation == "report":
        resource = max(0, ledger.running[trial] + beyond)
        return ledger.call(searcher, lambda s: s.report(trial, resource, metric))
    if operation == "fail":
        step = ledger.call(searcher, lambda s: s.fail(trial))
        ledger.ended(trial, ended=True)
        return step
    step = ledger.call(searcher, lambda s: s.discard(trial))
    ledger.ended(trial, ended=True, discarded=not step.effects)
    return step


def finish(searcher: Searcher, ledger: Ledger) -> None:
    """Reports every trial at its target until the search is done."""
    for i in range(1000):
        for trial in list(ledger.running):
            happen(searcher, ledger, ("report", sorted(ledger.running).index(trial), 0, float(i * 37 % 11)))
        if isinstance(happen(searcher, ledger, ("next", 0, 0, 0.0)).answer, Done):
            return
    raise AssertionError("the search does not end")


@dataclass
class Oracle:
    """The rules of the design over plain sorted lists."""

    spec: AdaptiveAshaSpec
    goal: Goal
    plan: tuple[BracketPlan, ...]
    rungs: dict[tuple[int, int], list[tuple[float, int]]] = field(default_factory=dict)
    promoted: set[tuple[int, int, int]] = field(default_factory=set)

    def quota(self, entered: int) -> int:
        quota = int(Fraction(entered) / self.spec.eta)
        return max(1, quota) if self.spec.stop_once else quota

    def see(self, step: Step) -> None:
        for effect in step.effects:
            rung = self.rungs.setdefault((effect.bracket, effect.rung), [])
            if isinstance(effect, Entered):
                came_from = (effect.bracket, effect.rung - 1, effect.trial)
                assert effect.rung == 0 or came_from in self.promoted, "only promoted trials come to a higher rung"
                sign = 1 if self.goal is Goal.MINIMIZE else -1
                rung.append((math.inf if effect.metric is None else sign * effect.metric, effect.trial))
                rung.sort()
            else:
                self.see_promotion(effect, rung)

    def see_promotion(self, effect: Promoted, rung: list[tuple[float, int]]) -> None:
        (result,) = [r for r in rung if r[1] == effect.trial]
        assert result[0] != math.inf, "what failed is never promoted"
        on_top = bisect_left(rung, result) < self.quota(len(rung))
        winner = self.winner(effect.bracket)
        assert on_top or winner == effect.trial, "every promoted trial was in the top at that moment, or the winner"
        self.promoted.add((effect.bracket, effect.rung, effect.trial))

    def winner(self, bracket: int) -> int | None:
        """The trial that has to go on so that the bracket ends with one trained in full."""
        plan, last = self.plan[bracket], len(self.plan[bracket].rungs) - 1
        entered = [self.rungs.get((bracket, k), []) for k in range(last + 1)]
        waiting = [
            [r for r in rung if r[0] != math.inf and (bracket, k, r[1]) not in self.promoted]
            for k, rung in enumerate(entered)
        ]
        came = [plan.max_trials, *(sum((bracket, k, r[1]) in self.promoted for r in entered[k]) for k in range(last))]
        if self.spec.stop_once or waiting[last] or came != [len(rung) for rung in entered]:
            return None
        return next((min(rung)[1] for rung in reversed(waiting) if rung), None)

    def promotable(self, bracket: int) -> list[int]:
        """Trials of this bracket that were not promoted, though they are in the top of a rung or the winner."""
        if self.spec.stop_once:
            return []
        winner = self.winner(bracket)
        top = len(self.plan[bracket].rungs) - 1
        return ([] if winner is None else [winner]) + [
            trial
            for k in range(top)
            for key, trial in self.rungs.get((bracket, k), [])[: self.quota(len(self.rungs.get((bracket, k), [])))]
            if key != math.inf and (bracket, k, trial) not in self.promoted
        ]


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events)
@settings(deadline=None)
def test_every_search_keeps_the_rules_and_ends(spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event]) -> None:
    searcher, ledger = build_searcher(spec, SearchContext(goal)), Ledger()
    oracle = Oracle(spec, goal, searcher.plan)
    for event in happenings:
        step = happen(searcher, ledger, event)
        oracle.see(step)
        for b, bracket in enumerate(searcher.plan):
            running = sum(ledger.trials[trial].bracket == b for trial in ledger.running)
            limit = bracket.max_concurrent_trials
            assert limit is None or running <= limit
            if isinstance(step.answer, Wait | Done) and (limit is None or running < limit):
                created = sum(t.bracket == b and not t.discarded for t in ledger.trials.values())
                assert created == bracket.max_trials, "no worker waits while a trial could be made"
                assert not oracle.promotable(b), "no worker waits while one could be promoted"
    seen = len(ledger.calls)
    finish(searcher, ledger)
    for _, step in ledger.calls[seen:]:
        oracle.see(step)
    assert searcher.done
    assert sum(not trial.discarded for trial in ledger.trials.values()) == spec.max_trials
    for b in range(len(searcher.plan)):
        assert not oracle.promotable(b)


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events)
@settings(deadline=None)
def test_every_bracket_ends_with_a_trial_trained_in_full_or_with_none_that_could_be(
    spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event]
) -> None:
    searcher, ledger = build_searcher(spec.model_copy(update={"stop_once": False}), SearchContext(goal)), Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    for b, bracket in enumerate(searcher.plan):
        finite = [r for r in ledger.results.values() if r.bracket == b and r.metric is not None]
        in_full = any(r.rung == len(bracket.rungs) - 1 for r in finite)
        assert in_full or all(r.promoted for r in finite), "a trial waits, and none was trained in full"


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events)
@settings(deadline=None)
def test_a_replay_of_the_events_gives_the_same_search(
    spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event]
) -> None:
    searcher, ledger = build_searcher(spec, SearchContext(goal)), Ledger()
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    again = build_searcher(spec, SearchContext(goal))
    for event, step in ledger.calls:
        assert event(again) == step


@given(spec=specs(), goal=st.sampled_from(Goal), happenings=events, finishing=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_searcher_restored_at_any_moment_goes_on_as_if_nothing_had_happened(
    spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event], finishing: bool
) -> None:
    searcher, ledger = build_searcher(spec, SearchContext(goal)), Ledger()
    restored = [ledger.restored(build_searcher(spec, SearchContext(goal)))]
    for event in happenings:
        happen(searcher, ledger, event)
        restored.append(ledger.restored(build_searcher(spec, SearchContext(goal))))
    if finishing:
        finish(searcher, ledger)
    for i, again in enumerate(restored):
        for event, step in ledger.calls[i:]:
            assert event(again) == step
        assert again.done == searcher.done
        again.check()


@given(spec=specs(), happenings=events)
@settings(deadline=None)
def test_maximizing_is_minimizing_the_negative(spec: AdaptiveAshaSpec, happenings: list[Event]) -> None:
    least, ledger = build_searcher(spec, SearchContext(Goal.MINIMIZE)), Ledger()
    most, mirrored = build_searcher(spec, SearchContext(Goal.MAXIMIZE)), Ledger()
    for operation, which, beyond, metric in happenings:
        step = happen(least, ledger, (operation, which, beyond, metric))
        mirror = happen(most, mirrored, (operation, which, beyond, -metric))
        assert (mirror.answer, mirror.decisions) == (step.answer, step.decisions)
