"""The search by example: what a trial does at a rung, and which trial trains next."""

import math
from fractions import Fraction

import pytest

from rungmaster.master.search.adaptive import AdaptiveAsha
from rungmaster.master.search.interface import (
    Action,
    BracketPlan,
    Done,
    Entered,
    Goal,
    Promoted,
    SearchContext,
    SearchDecision,
    Standing,
    Step,
    Train,
    UnknownTrial,
    Wait,
)
from rungmaster.master.search.registry import BUILDERS, build_searcher
from rungmaster.shared.spec.searchers import SEARCHERS, AdaptiveAshaSpec, AshaSpec


def search(
    rungs: tuple[int, ...] = (1, 2, 4),
    trials: int = 8,
    at_once: int | None = None,
    goal: Goal = Goal.MINIMIZE,
    stop_once: bool = False,
) -> AdaptiveAsha:
    """One bracket with divisor 2."""
    return AdaptiveAsha([BracketPlan(rungs, trials, at_once)], Fraction(2), goal, stop_once=stop_once)


def train(step: Step) -> Train:
    assert isinstance(step.answer, Train), step.answer
    return step.answer


def decision(step: Step) -> SearchDecision:
    assert isinstance(step.answer, SearchDecision), step.answer
    return step.answer


def enter(searcher: AdaptiveAsha, *metrics: float) -> list[SearchDecision]:
    """Starts a new trial for each metric, and reports it at the first rung."""
    decisions = []
    for metric in metrics:
        work = train(searcher.next())
        assert work.new, f"trial {work.trial} was promoted instead"
        decisions.append(decision(searcher.report(work.trial, work.target, metric)))
    return decisions


def test_the_first_trial_at_a_rung_pauses_because_half_of_one_is_none() -> None:
    (only,) = enter(search(), 0.5)
    why = "rank 1 of 1 at rung 0, none goes on yet"
    assert only == SearchDecision(0, Action.PAUSE, reason=why, standing=Standing(rank=1, entered=1, quota=0))


def test_a_trial_in_the_top_of_its_rung_continues_where_it_is() -> None:
    searcher = search()
    _, second = enter(searcher, 0.5, 0.4)
    assert (second.action, second.target, second.standing) == (Action.CONTINUE, 2, Standing(1, 2, quota=1))
    assert second.reason == "rank 1 of 2 at rung 0, the best goes on"


def test_a_paused_trial_is_promoted_when_the_rung_has_grown_enough() -> None:
    searcher = search()
    enter(searcher, 0.4, 0.5)
    step = searcher.next()
    assert step == Step(Train(0, bracket=0, rung=1, start=1, target=2, new=False), (Promoted(0, 0, 0),))


def test_the_highest_rung_is_looked_at_first() -> None:
    searcher = search()
    enter(searcher, 0.5, 0.4)
    searcher.report(1, 2, 0.4)
    for metric in (0.3, 0.31):
        work = train(searcher.next())
        searcher.report(work.trial, 1, metric)
    assert decision(searcher.report(2, 2, 0.5)).action is Action.PAUSE
    work = train(searcher.next())
    assert (work.trial, work.rung, work.start, work.target) == (1, 2, 2, 4)


def test_of_equal_metrics_the_trial_with_the_smaller_number_is_better() -> None:
    searcher = search()
    enter(searcher, 0.5, 0.5)
    assert train(searcher.next()).trial == 0


def test_a_trial_at_the_last_rung_stops_and_is_completed() -> None:
    searcher = search(rungs=(4,))
    step = searcher.report(train(searcher.next()).trial, 4, 0.5)
    reason = "trained to the last rung at 4: rank 1 of 1 at rung 0"
    last = SearchDecision(0, Action.STOP, completed=True, reason=reason, standing=Standing(1, 1, quota=None))
    assert step == Step(last, (Entered(0, 0, 0, 4, 0.5),))


def test_a_report_below_the_target_changes_nothing() -> None:
    searcher = search(rungs=(2, 4))
    searcher.next()
    assert searcher.report(0, 1, 0.5) == Step(SearchDecision(0, Action.CONTINUE, target=2, reason="below its target 2"))


def test_a_coarse_report_enters_every_rung_that_it_passed_until_the_trial_pauses() -> None:
    searcher = search()
    enter(searcher, 0.5, 0.4)
    searcher.report(1, 2, 0.4)
    work = train(searcher.next())
    step = searcher.report(work.trial, 4, 0.3)
    assert step.effects == (
        Entered(0, 0, 2, resource=4, metric=0.3),
        Promoted(0, 0, 2),
        Entered(0, 1, 2, resource=4, metric=0.3),
        Promoted(0, 1, 2),
        Entered(0, 2, 2, resource=4, metric=0.3),
    )
    assert decision(step).completed


def test_a_paused_trial_that_is_past_its_next_rung_enters_it_without_an_assignment() -> None:
    searcher = search()
    work = train(searcher.next())
    assert decision(searcher.report(work.trial, 3, 0.1)).action is Action.PAUSE
    enter(searcher, 0.5)
    step = searcher.next()
    assert step.effects[:2] == (Promoted(0, 0, 0), Entered(0, 1, 0, resource=3, metric=0.1))
    assert [(d.trial, d.action) for d in step.decisions] == [(0, Action.PAUSE)]
    assert train(step).new


def test_a_trial_that_is_promoted_past_its_next_rung_trains_on_from_where_it_is() -> None:
    searcher = search(rungs=(1, 2, 8))
    enter(searcher, 0.4, 0.3)
    searcher.fail(1)
    work = train(searcher.next())
    assert decision(searcher.report(work.trial, 5, 0.35)).action is Action.PAUSE
    enter(searcher, 0.9)
    assert searcher.next() == Step(
        Train(2, bracket=0, rung=2, start=5, target=8, new=False),
        (Promoted(0, 0, 2), Entered(0, 1, 2, resource=5, metric=0.35), Promoted(0, 1, 2)),
    )


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("goal", Goal)
def test_a_result_that_is_not_finite_takes_the_worst_place_and_is_never_promoted(metric: float, goal: Goal) -> None:
    searcher = search(rungs=(1, 2), trials=4, goal=goal)
    assert {d.action for d in enter(searcher, metric, metric, metric)} == {Action.PAUSE}
    (better,) = enter(searcher, 1e300)
    assert (better.action, better.standing) == (Action.CONTINUE, Standing(1, 4, quota=2))
    assert searcher.report(3, 2, metric).effects == (Entered(0, 1, 3, 2, metric=None),)
    assert searcher.next().answer == Done()


def test_a_failed_trial_counts_in_the_rung_it_was_heading_for() -> None:
    searcher = search()
    enter(searcher, 0.4)
    searcher.next()
    assert searcher.fail(1) == Step(None, (Entered(0, 0, 1, resource=0, metric=None),))
    assert train(searcher.next()) == Train(0, 0, rung=1, start=1, target=2, new=False)
    assert searcher.fail(0) == Step(None, (Entered(0, 1, 0, resource=1, metric=None),))


def paused(searcher: AdaptiveAsha, *metrics: float) -> AdaptiveAsha:
    """Lets as many trials as there are pause at the first rung, whose quota is still none."""
    assert {made.action for made in enter(searcher, *metrics)} <= {Action.PAUSE}
    return searcher


def small(*metrics: float, rungs: tuple[int, ...] = (1, 3, 9)) -> AdaptiveAsha:
    """A bracket with divisor 10, all of whose trials wait at the first rung and none in its top."""
    return paused(AdaptiveAsha([BracketPlan(rungs, len(metrics), None)], Fraction(10), Goal.MINIMIZE), *metrics)


def test_the_winner_of_a_bracket_that_fills_no_quota_trains_to_the_end() -> None:
    searcher = small(0.5, 0.4)
    assert not searcher.done
    assert searcher.next() == Step(Train(1, 0, rung=1, start=1, target=3, new=False), (Promoted(0, 0, 1),))
    assert searcher.next().answer == Wait()
    assert decision(searcher.report(1, 3, 0.9)).action is Action.PAUSE
    assert train(searcher.next()) == Train(1, 0, rung=2, start=3, target=9, new=False)
    assert decision(searcher.report(1, 9, 0.9)).completed
    assert searcher.next().answer == Done()


def test_a_bracket_has_no_winner_while_it_may_make_or_train_another_trial() -> None:
    searcher = search(rungs=(1, 8), trials=3)
    paused(searcher, 0.4)
    assert train(searcher.next()).new
    assert train(searcher.next()).new
    assert searcher.next().answer == Wait()
    searcher.fail(1)
    assert train(searcher.next()).trial == 0


def test_a_bracket_has_no_winner_while_one_that_was_promoted_trains() -> None:
    searcher = search(rungs=(1, 2), trials=2)
    _, second = enter(searcher, 0.5, 0.4)
    assert second.action is Action.CONTINUE
    assert searcher.next().answer == Wait()


@pytest.mark.parametrize("metric", [None, math.nan, math.inf])
def test_where_the_winner_fails_the_next_best_goes_on(metric: float | None) -> None:
    searcher = small(0.5, 0.4, 0.6)
    assert train(searcher.next()).trial == 1
    if metric is None:
        searcher.fail(1)
    else:
        searcher.report(1, 3, metric)
    assert train(searcher.next()) == Train(0, 0, rung=1, start=1, target=3, new=False)


def test_a_bracket_in_which_everything_failed_has_no_winner() -> None:
    searcher = small(math.nan, math.nan)
    assert searcher.done
    assert searcher.next().answer == Done()


def test_a_winner_that_is_past_its_next_rung_enters_it_at_once_and_trains_on_from_where_it_is() -> None:
    searcher = AdaptiveAsha([BracketPlan((1, 3, 9), 1, None)], Fraction(10), Goal.MINIMIZE)
    searcher.next()
    searcher.report(0, 5, 0.5)
    step = searcher.next()
    assert step.answer == Train(0, 0, rung=2, start=5, target=9, new=False)
    assert step.effects == (Promoted(0, 0, 0), Entered(0, 1, 0, resource=5, metric=0.5), Promoted(0, 1, 0))


def test_a_winner_that_is_past_the_last_rung_ends_the_search_without_training() -> None:
    searcher = AdaptiveAsha([BracketPlan((1, 3), 1, None)], Fraction(10), Goal.MINIMIZE)
    searcher.next()
    searcher.report(0, 3, 0.5)
    step = searcher.next()
    assert (step.answer, [d.completed for d in step.decisions]) == (Done(), [True])


def test_the_winner_of_one_bracket_comes_before_a_new_trial_of_another() -> None:
    plan = [BracketPlan((1, 8), 1, None), BracketPlan((8,), 2, None)]
    searcher = AdaptiveAsha(plan, Fraction(2), Goal.MINIMIZE)
    for work in (train(searcher.next()), train(searcher.next())):
        searcher.report(work.trial, work.target, 0.5)
    assert train(searcher.next()) == Train(0, 0, rung=1, start=1, target=8, new=False)
    assert train(searcher.next()).new


def test_by_the_rules_of_old_a_bracket_ends_without_a_winner() -> None:
    searcher = small(0.5, 0.4)
    searcher.follow(1)
    assert searcher.done
    assert searcher.next().answer == Done()


def test_a_larger_metric_is_better_where_the_goal_is_to_maximize() -> None:
    assert [d.action for d in enter(search(goal=Goal.MAXIMIZE), 0.4, 0.5)] == [Action.PAUSE, Action.CONTINUE]
    assert [d.action for d in enter(search(goal=Goal.MINIMIZE), 0.4, 0.5)] == [Action.PAUSE, Action.PAUSE]


def test_stop_once_stops_what_is_not_good_enough_and_lets_the_first_go_on() -> None:
    searcher = search(stop_once=True)
    first, second, third = enter(searcher, 0.5, 0.6, 0.4)
    assert (first.action, first.target, first.standing) == (Action.CONTINUE, 2, Standing(1, 1, quota=1))
    assert (second.action, second.completed, second.standing) == (Action.STOP, False, Standing(2, 2, quota=1))
    assert second.reason == "rank 2 of 2 at rung 0, the best goes on"
    assert third.action is Action.CONTINUE


def test_stop_once_stops_the_first_trial_too_where_its_metric_is_not_finite() -> None:
    (only,) = enter(search(stop_once=True), math.nan)
    assert (only.action, only.completed) == (Action.STOP, False)
    assert only.reason == "its metric is not finite, which is the worst place of 1 at rung 0, the best goes on"


def test_a_discarded_trial_is_replaced_under_a_new_number() -> None:
    searcher = search(rungs=(1,), trials=1)
    searcher.next()
    assert searcher.discard(0) == Step(None)
    assert train(searcher.next()) == Train(1, 0, 0, start=0, target=1, new=True)
    searcher.report(1, 1, 0.5)
    assert searcher.next().answer == Done()


def test_a_trial_that_has_entered_a_rung_fails_instead_of_being_discarded() -> None:
    searcher = search()
    enter(searcher, 0.5, 0.4)
    assert searcher.discard(1) == Step(None, (Entered(0, 1, 1, resource=1, metric=None),))


def test_no_more_trials_run_than_may_at_once() -> None:
    searcher = search(at_once=1)
    searcher.next()
    assert searcher.next() == Step(Wait())
    searcher.report(0, 1, 0.5)
    assert train(searcher.next()).trial == 1


def test_the_search_waits_for_running_trials_and_is_done_after_the_last() -> None:
    searcher = search(rungs=(1,), trials=1)
    searcher.next()
    assert searcher.next() == Step(Wait())
    assert not searcher.done
    searcher.report(0, 1, 0.5)
    assert searcher.done
    assert searcher.next() == Step(Done())


@pytest.mark.parametrize("event", [lambda s: s.report(7, 1, 0.5), lambda s: s.fail(7), lambda s: s.discard(7)])
def test_an_event_of_a_trial_that_does_not_run_is_refused_and_changes_nothing(event) -> None:
    searcher = search(trials=2)
    searcher.next()
    with pytest.raises(UnknownTrial, match="trial 7 is not running in this search"):
        event(searcher)
    searcher.check()
    assert train(searcher.next()).trial == 1


def test_new_trials_go_to_the_bracket_that_has_made_the_smallest_part_of_its_own() -> None:
    plan = [BracketPlan((1, 2), 4, None), BracketPlan((2,), 2, None)]
    searcher = AdaptiveAsha(plan, Fraction(2), Goal.MINIMIZE)
    assert [train(searcher.next()).bracket for _ in range(6)] == [0, 1, 0, 0, 1, 0]


def test_of_several_brackets_the_promotion_to_the_largest_resource_comes_first() -> None:
    plan = [BracketPlan((1, 2, 4), 4, None), BracketPlan((2, 4), 4, None)]
    searcher = AdaptiveAsha(plan, Fraction(2), Goal.MINIMIZE)
    works = [train(searcher.next()) for _ in range(4)]
    for work, metric in zip(works, (0.1, 0.1, 0.9, 0.9), strict=True):
        searcher.report(work.trial, work.target, metric)
    assert [(w.bracket, w.target) for w in (train(searcher.next()), train(searcher.next()))] == [(1, 4), (0, 2)]


def test_asha_is_one_bracket_with_as_many_rungs_as_fit() -> None:
    (bracket,) = build_searcher(AshaSpec(max_trials=64, max_resource=27, divisor=3), SearchContext(Goal.MINIMIZE)).plan
    assert bracket == BracketPlan((1, 3, 9, 27), 64, None)


def test_named_brackets_are_ordered_from_most_rungs_to_fewest() -> None:
    spec = AdaptiveAshaSpec(max_trials=50, max_resource=27, divisor=3, bracket_rungs=(2, 3))
    assert [len(bracket.rungs) for bracket in build_searcher(spec, SearchContext(Goal.MINIMIZE)).plan] == [3, 2]


def test_every_searcher_that_a_spec_can_name_is_registered() -> None:
    assert BUILDERS.keys() == SEARCHERS.keys()
