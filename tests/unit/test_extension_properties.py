"""What holds for every search that is given more trials, at any moment or after its end."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.test_search_properties import Event, Ledger, events, finish, happen, specs

from rungmaster.master.search.interface import Goal, Promoted, SearchContext, Searcher, planned_trials
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec


def fresh(spec: AdaptiveAshaSpec, goal: Goal, max_trials: int | None = None) -> Searcher:
    searcher = build_searcher(spec, SearchContext(goal))
    if max_trials is not None:
        searcher.extend(max_trials)
    return searcher


def created(ledger: Ledger) -> int:
    return sum(not trial.discarded for trial in ledger.trials.values())


@given(
    spec=specs(),
    goal=st.sampled_from(Goal),
    happenings=events,
    steps=st.dictionaries(st.integers(0, 100), st.integers(0, 9), max_size=4),
)
@settings(deadline=None, max_examples=40)
def test_extended_at_any_moments_it_makes_all_trials_and_a_restored_one_goes_on_the_same(
    spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event], steps: dict[int, int]
) -> None:
    searcher, ledger, number = fresh(spec, goal), Ledger(), spec.max_trials
    restored: list[tuple[int, Searcher]] = []
    for i, event in enumerate(happenings):
        if i in steps:
            number += steps[i]
            before = searcher.plan
            searcher.extend(number)
            assert all(b.max_trials >= a.max_trials for a, b in zip(before, searcher.plan, strict=True))
            assert [b.rungs for b in before] == [b.rungs for b in searcher.plan]
            restored.clear()
        happen(searcher, ledger, event)
        restored.append((len(ledger.calls), ledger.restored(fresh(spec, goal, number))))
    finish(searcher, ledger)
    assert created(ledger) == planned_trials(searcher.plan) == number
    for i, again in restored:
        assert again.plan == searcher.plan
        for event, step in ledger.calls[i:]:
            assert event(again) == step
        assert again.done
        again.check()


@given(
    spec=specs(),
    goal=st.sampled_from(Goal),
    happenings=events,
    more=st.integers(0, 30),
    kept=st.sets(st.integers(0, 40)),
    later=events,
)
@settings(deadline=None, max_examples=40)
def test_after_its_end_only_those_are_promoted_that_were_kept_and_a_restored_one_goes_on_the_same(
    spec: AdaptiveAshaSpec, goal: Goal, happenings: list[Event], more: int, kept: set[int], later: list[Event]
) -> None:
    searcher, ledger, number = fresh(spec, goal), Ledger(), spec.max_trials + more
    for event in happenings:
        happen(searcher, ledger, event)
    finish(searcher, ledger)
    waiting = {t.trial for t in ledger.trials.values() if not t.ended}
    for trial in waiting:
        ledger.trials[trial] = replace(ledger.trials[trial], ended=True, kept=trial in kept)
    searcher.extend(number)
    searcher.keep_waiting(kept.__contains__)
    again = ledger.restored(fresh(spec, goal, number))
    seen = len(ledger.calls)
    for event in later:
        happen(searcher, ledger, event)
        searcher.check()
    finish(searcher, ledger)
    assert created(ledger) == number
    for event, step in ledger.calls[seen:]:
        assert event(again) == step
        climbers = {effect.trial for effect in step.effects if isinstance(effect, Promoted)}
        assert not climbers & (waiting - kept)
    again.check()
