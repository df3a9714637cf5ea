"""PBT by example: who is replaced, by what, and who trains next."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from rungmaster.master.search.interface import (
    Action,
    Done,
    Entered,
    Goal,
    NotExtendable,
    Promoted,
    RungRecord,
    SearchContext,
    SearchDecision,
    Standing,
    Step,
    Train,
    TrialRecord,
    UnknownTrial,
    Wait,
)
from rungmaster.master.search.pbt import Pbt, build_pbt
from rungmaster.master.search.registry import build_searcher
from rungmaster.shared.spec.searchers import PbtSpec


def search(goal: Goal = Goal.MINIMIZE, seed: int = 0, **fields: Any) -> Pbt:
    """A population of four that are compared after 10, 20 and 30."""
    spec = PbtSpec(**{"population": 4, "interval": 10, "max_resource": 30, **fields})
    return build_pbt(spec, SearchContext(goal, seed=seed))


def train(step: Step) -> Train:
    assert isinstance(step.answer, Train), step.answer
    return step.answer


def decision(step: Step) -> SearchDecision:
    assert isinstance(step.answer, SearchDecision), step.answer
    return step.answer


def started(pbt: Pbt, number: int = 4) -> list[Train]:
    return [train(pbt.next()) for _ in range(number)]


def report(pbt: Pbt, resource: int, *metrics: float) -> list[SearchDecision]:
    """Trial 0 reports the first of these metrics, and so on."""
    return [decision(pbt.report(trial, resource, metric)) for trial, metric in enumerate(metrics)]


def test_the_population_starts_from_the_search_space() -> None:
    pbt = search()
    assert pbt.draws
    assert started(pbt) == [Train(trial, 0, 0, 0, 10, new=True) for trial in range(4)]
    assert not pbt.draws
    assert pbt.next() == Step(Wait())


def test_the_rungs_stand_at_the_intervals_and_the_last_at_the_end() -> None:
    assert search(max_resource=30).plan[0].rungs == (10, 20, 30)
    assert search(max_resource=35).plan[0].rungs == (10, 20, 30, 35)
    assert search(interval=30).plan[0].rungs == (30,)
    assert (search().plan[0].max_trials, search(max_trials=5).plan[0].max_trials) == (12, 5)


def test_those_that_are_not_among_the_worst_train_on_and_save() -> None:
    pbt = search()
    started(pbt)
    assert report(pbt, 10, 0.1, 0.2, 0.3) == [
        SearchDecision(
            trial,
            Action.CONTINUE,
            20,
            reason=f"rank {trial + 1} of {trial + 1} by latest results, none is replaced yet",
            standing=Standing(trial + 1, trial + 1, trial + 1),
            save=True,
        )
        for trial in range(3)
    ]


def test_the_worst_stops_and_a_new_trial_goes_on_from_the_best() -> None:
    pbt = search()
    started(pbt)
    worst = report(pbt, 10, 0.1, 0.2, 0.3, 0.4)[3]
    assert worst == SearchDecision(
        3,
        Action.STOP,
        reason="rank 4 of 4 by latest results, the worst is replaced",
        standing=Standing(4, 4, 3),
    )
    assert pbt.next() == Step(Train(4, 0, 1, start=10, target=20, new=True, parent=0))
    assert pbt.next() == Step(Wait())


def test_more_is_better_where_the_goal_is_to_maximize() -> None:
    pbt = search(Goal.MAXIMIZE)
    started(pbt)
    assert [each.action for each in report(pbt, 10, 0.4, 0.3, 0.2, 0.1)][3] is Action.STOP
    assert train(pbt.next()).parent == 0


def test_one_that_was_bad_is_compared_with_the_latest_results_of_all() -> None:
    pbt = search()
    started(pbt)
    first, *_ = report(pbt, 10, 0.4, 0.2, 0.3, 0.1)
    assert first.action is Action.CONTINUE, "when it reported, it was the only one"
    assert decision(pbt.report(0, 20, 0.15)).action is Action.CONTINUE
    assert decision(pbt.report(2, 20, 0.25)).standing == Standing(4, 4, 3)


def test_the_parent_is_one_of_the_best_drawn_by_seed_and_trial() -> None:
    def parent(seed: int) -> int | None:
        pbt = search(population=9, seed=seed)
        started(pbt, 9)
        report(pbt, 10, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
        assert decision(pbt.report(0, 20, 0.9)).action is Action.STOP
        return train(pbt.next()).parent

    found = [parent(seed) for seed in range(40)]
    assert found == [parent(seed) for seed in range(40)]
    assert set(found) == {7, 8}


def test_a_population_of_two_replaces_one_though_a_quarter_of_two_is_none() -> None:
    pbt = search(population=2)
    started(pbt, 2)
    assert [each.action for each in report(pbt, 10, 0.1, 0.2)] == [Action.CONTINUE, Action.STOP]
    assert train(pbt.next()).parent == 0


def test_a_trial_is_trained_to_the_end_and_its_place_is_not_taken() -> None:
    pbt = search(population=2, max_resource=10)
    started(pbt, 2)
    first, last = report(pbt, 10, 0.1, 0.2)
    assert (first.action, first.completed, last.action, last.completed) == (Action.STOP, True, Action.STOP, True)
    assert last.standing == Standing(2, 2, None)
    assert pbt.next() == Step(Done())
    assert pbt.done


def test_nobody_starts_from_a_trial_that_is_trained_in_full() -> None:
    pbt = search(population=2, max_resource=20)
    started(pbt, 2)
    assert decision(pbt.report(0, 20, 0.1)).completed
    last = decision(pbt.report(1, 10, 0.2))
    assert (last.action, last.standing) == (Action.CONTINUE, Standing(2, 2, 2))
    assert last.reason.endswith("the worst is replaced, but nothing better could take its place")


def test_a_report_past_several_intervals_is_one_result() -> None:
    pbt = search()
    started(pbt)
    step = pbt.report(0, 25, 0.5)
    assert step.effects == (
        Entered(0, 0, 0, 25, 0.5),
        Promoted(0, 0, 0),
        Entered(0, 1, 0, 25, 0.5),
        Promoted(0, 1, 0),
    )
    assert decision(step).target == 30


def test_a_report_below_the_target_changes_nothing() -> None:
    pbt = search()
    started(pbt)
    below = decision(pbt.report(0, 9, math.nan))
    assert (below.action, below.target, below.save) == (Action.CONTINUE, 10, False)


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_a_result_that_is_not_finite_stops_its_trial_wherever_it_would_rank(metric: float) -> None:
    pbt = search()
    started(pbt)
    step = pbt.report(0, 10, metric)
    assert (decision(step).action, decision(step).completed) == (Action.STOP, False)
    assert step.effects == (Entered(0, 0, 0, 10, None),)
    assert pbt.next() == Step(Wait()), "there is nobody to start from yet"
    pbt.report(1, 10, 0.5)
    assert train(pbt.next()).parent == 1


def test_the_place_of_a_trial_that_failed_is_taken() -> None:
    pbt = search()
    started(pbt)
    pbt.report(0, 10, 0.1)
    assert pbt.fail(1) == Step(None, (Entered(0, 0, 1, 0, None),))
    assert train(pbt.next()) == Train(4, 0, 1, 10, 20, new=True, parent=0)
    assert pbt.fail(0) == Step(None, (Entered(0, 1, 0, 10, None),))
    assert pbt.next() == Step(Wait()), "who failed is nobody's parent"


def test_where_all_fail_the_search_ends() -> None:
    pbt = search()
    for trial in [each.trial for each in started(pbt)]:
        pbt.fail(trial)
    assert pbt.next() == Step(Done())


def test_a_first_trial_with_invalid_hyperparameters_is_drawn_anew() -> None:
    pbt = search()
    started(pbt)
    assert pbt.discard(2) == Step(None)
    assert pbt.draws
    assert train(pbt.next()) == Train(4, 0, 0, 0, 10, new=True)


def test_a_child_with_invalid_hyperparameters_is_made_anew_and_one_with_a_result_fails() -> None:
    pbt = search()
    started(pbt)
    report(pbt, 10, 0.1, 0.2, 0.3, 0.4)
    child = train(pbt.next())
    assert pbt.discard(child.trial) == Step(None)
    again = train(pbt.next())
    assert (again.trial, again.parent) == (5, 0)
    pbt.report(5, 20, 0.05)
    assert pbt.discard(5).enters(5)


def test_with_fewer_workers_the_one_furthest_behind_trains_next() -> None:
    pbt = search(max_concurrent_trials=1)
    seen = []
    for metric in (0.1, 0.2, 0.3, 0.4, 0.35, 0.1, 0.36, 0.2, 0.3):
        work = train(pbt.next())
        assert pbt.next() == Step(Wait())
        action = decision(pbt.report(work.trial, work.target, metric)).action
        seen.append((work.trial, work.parent, work.start, work.target, action.value))
        if action is Action.CONTINUE:
            assert decision(pbt.report(work.trial, 30, metric)).completed
    assert seen == [
        (0, None, 0, 10, "pause"),
        (1, None, 0, 10, "pause"),
        (2, None, 0, 10, "pause"),
        (3, None, 0, 10, "stop"),
        (4, 0, 10, 20, "pause"),
        (0, None, 10, 20, "pause"),
        (1, None, 10, 20, "stop"),
        (5, 0, 20, 30, "stop"),
        (2, None, 10, 20, "continue"),
    ]


def test_a_child_is_not_replaced_by_another_from_the_same_checkpoint() -> None:
    pbt = search(population=2)
    started(pbt, 2)
    report(pbt, 10, 0.1, 0.2)
    assert train(pbt.next()) == Train(2, 0, 1, 10, 20, new=True, parent=0)
    stays = decision(pbt.report(2, 20, 0.3))
    assert (stays.action, stays.standing) == (Action.CONTINUE, Standing(2, 2, 2))
    pbt.report(0, 20, 0.1)
    assert decision(pbt.report(2, 30, 0.3)).completed


def test_one_that_waited_is_promoted_when_it_trains() -> None:
    pbt = search(max_concurrent_trials=1)
    for metric in (0.4, 0.3, 0.2, 0.1):
        work = train(pbt.next())
        last = decision(pbt.report(work.trial, work.target, metric))
    assert last.action is Action.CONTINUE, "nobody is behind it"
    assert decision(pbt.report(3, 20, 0.1)).reason.endswith("; others are behind it")
    assert pbt.next() == Step(Train(0, 0, 1, 10, 20, new=False), (Promoted(0, 0, 0),))


def test_no_more_trials_are_made_than_may_be() -> None:
    pbt = search(max_trials=5)
    started(pbt)
    assert report(pbt, 10, 0.1, 0.2, 0.3, 0.4)[3].action is Action.STOP
    assert train(pbt.next()).trial == 4
    pbt.report(4, 20, 0.05)
    stays = decision(pbt.report(2, 20, 0.3))
    assert (stays.action, stays.standing) == (Action.CONTINUE, Standing(4, 4, 4))


def test_a_limit_that_is_lowered_lets_those_that_train_go_on() -> None:
    pbt = search()
    started(pbt)
    pbt.limit(1)
    pbt.check()
    assert decision(pbt.report(0, 10, 0.1)).action is Action.CONTINUE
    assert pbt.next() == Step(Wait())


def test_it_cannot_be_given_more_trials() -> None:
    with pytest.raises(NotExtendable, match="it trains a population to the end, and 100 trials would not"):
        search().extend(100)


def test_a_trial_that_does_not_run_is_unknown() -> None:
    pbt = search()
    with pytest.raises(UnknownTrial, match="trial 0 is not running"):
        pbt.report(0, 10, 0.1)
    with pytest.raises(UnknownTrial):
        pbt.fail(0)
    with pytest.raises(UnknownTrial):
        pbt.discard(0)


def test_it_costs_what_its_population_costs_in_full() -> None:
    cost = search().expected_cost()
    assert (cost.entries, cost.resource, cost.full) == (((4, 4, 4),), 120, 120)
    assert cost.traits == "a population of 4 and at most 8 that replace others, interval 10"
    assert "trains on from its parent's resource" in cost.assumption


def test_a_replay_finds_who_was_promoted_though_it_was_to_be_replaced() -> None:
    rule = search().promotion_rule()
    for trial, metric in enumerate((0.1, 0.2, 0.3, 0.4)):
        rule.entered(Entered(0, 0, trial, 10, metric))
    assert [rule.promoted(Promoted(0, 0, trial)) for trial in range(3)] == ["", "", ""]
    assert rule.promoted(Promoted(0, 0, 3)) == "it is promoted at place 4 of 4, of which the worst 1 are replaced"
    rule.entered(Entered(0, 1, 0, 10, None))
    assert "failed or its metric is not finite" in rule.promoted(Promoted(0, 1, 0))


def test_a_trial_that_failed_on_its_way_to_the_last_rung_has_left_its_place() -> None:
    pbt = search(population=2, interval=10, max_resource=20)
    trials = [TrialRecord(0, 0, 1, 10, running=False, ended=True), TrialRecord(1, 0, 1, 10, running=True, ended=False)]
    results = [
        RungRecord(0, 0, 0, 0.1, promoted=True),
        RungRecord(0, 1, 0, None, promoted=False),
        RungRecord(0, 0, 1, 0.2, promoted=True),
    ]
    pbt.restore(trials, results)
    assert train(pbt.next()) == Train(2, 0, 1, 10, 20, new=True, parent=1)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"population": 1}, "population: must be at least 2, got 1"),
        ({"population": 10_001}, "population: must be at most 10000, got 10001"),
        ({"truncation": 0.6}, "truncation: must be at most 0.5, got 0.6"),
        ({"truncation": 0}, "truncation: must be more than 0, got 0"),
        ({"resample": 1.5}, "resample: must be at most 1, got 1.5"),
        ({"interval": 31}, "interval: must be at most max_resource, which is 30; got 31"),
        ({"max_trials": 3}, "max_trials: must be at least the population, which is 4; got 3"),
        (
            {"max_resource": 10_001, "interval": 1},
            "interval: makes 10,001 intervals up to max_resource; there may be 10,000",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        search(**fields)
    assert problem.split(": ", 1)[1] in str(refused.value)


def test_a_spec_names_it() -> None:
    spec = PbtSpec(population=4, interval=10, max_resource=30)
    assert isinstance(build_searcher(spec, SearchContext(Goal.MINIMIZE)), Pbt)
    assert spec.trials == 4
