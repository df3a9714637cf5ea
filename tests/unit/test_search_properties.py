"""What holds for every search, whatever happens to its trials and in whichever order."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.search_ledger import Event, Ledger, events, finish, happen

from rungmaster.master.search.interface import (
    BracketPlan,
    Done,
    Entered,
    Goal,
    Promoted,
    SearchContext,
    Step,
    Wait,
)
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec


@st.composite
def specs(draw: st.DrawFn) -> AdaptiveAshaSpec:
    return AdaptiveAshaSpec(
        max_trials=draw(st.integers(4, 30)),
        max_resource=draw(st.integers(1, 100)),
        divisor=draw(st.sampled_from([2, 2, 3, 4, 2.5, 1.75])),
        max_rungs=draw(st.integers(1, 5)),
        mode=draw(st.sampled_from(["aggressive", "standard", "conservative", "learned"])),
        max_concurrent_trials=draw(st.one_of(st.none(), st.integers(1, 6))),
        stop_once=draw(st.booleans()),
    )


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
        last = len(self.plan[bracket].rungs) - 1
        entered = [self.rungs.get((bracket, k), []) for k in range(last + 1)]
        waiting = [
            [r for r in rung if r[0] != math.inf and (bracket, k, r[1]) not in self.promoted]
            for k, rung in enumerate(entered)
        ]
        together = range(len(self.plan)) if self.spec.mode == "learned" else [bracket]
        first = sum(self.plan[b].max_trials - len(self.rungs.get((b, 0), [])) for b in together)
        came = [sum((bracket, k, r[1]) in self.promoted for r in entered[k]) for k in range(last)]
        if self.spec.stop_once or waiting[last] or first or came != [len(rung) for rung in entered[1:]]:
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
            together = range(len(searcher.plan)) if bracket.pooled else [b]
            running = sum(ledger.trials[trial].bracket in together for trial in ledger.running)
            limit = bracket.max_concurrent_trials
            assert limit is None or running <= limit
            if isinstance(step.answer, Wait | Done) and (limit is None or running < limit):
                created = sum(t.bracket in together and not t.discarded for t in ledger.trials.values())
                most = sum(searcher.plan[k].max_trials for k in together)
                assert created == most, "no worker waits while a trial could be made"
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
