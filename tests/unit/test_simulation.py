"""The search in virtual time: the same every time, and its numbers add up."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rungmaster.master.search.interface import Goal, SearchContext
from rungmaster.master.search.registry import build_searcher
from rungmaster.master.simulation.curves import Curves
from rungmaster.master.simulation.virtual_time import Outcome, simulate
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec


def outcome(
    trials: int = 200, workers: int = 8, seed: int = 0, goal: Goal = Goal.MINIMIZE, stop_once: bool = False
) -> Outcome:
    spec = AdaptiveAshaSpec(max_trials=trials, max_resource=81, divisor=3, stop_once=stop_once)
    return simulate(build_searcher(spec, SearchContext(goal)), goal, workers, seed)


def test_the_same_seed_gives_the_same_search_and_another_seed_another() -> None:
    assert outcome(seed=5) == outcome(seed=5)
    assert outcome(seed=5) != outcome(seed=6)


@given(
    trials=st.integers(1, 60), workers=st.integers(1, 20), seed=st.integers(-(2**70), 2**70), stop_once=st.booleans()
)
@settings(deadline=None, max_examples=40)
def test_the_resource_spent_is_what_the_rungs_were_reached_with(
    trials: int, workers: int, seed: int, stop_once: bool
) -> None:
    result = outcome(trials, workers, seed, stop_once=stop_once)
    spent = 0
    for bracket in result.rungs:
        reached = 0
        for rung in bracket:
            spent += rung.entered * (rung.resource - reached)
            reached = rung.resource
    assert result.resource == spent
    assert result.trials == sum(bracket[0].entered for bracket in result.rungs) == trials
    assert 0 < result.utilisation <= 1 + 1e-9
    assert result.best_of_all <= result.best_found


def test_what_is_promoted_from_a_rung_enters_the_next() -> None:
    for bracket in outcome().rungs:
        assert [rung.promoted for rung in bracket] == [*(rung.entered for rung in bracket[1:]), 0]


def test_every_bracket_ends_with_a_trial_trained_in_full() -> None:
    spec = AdaptiveAshaSpec(max_trials=16, max_resource=243, divisor=2)
    found = simulate(build_searcher(spec, SearchContext(Goal.MINIMIZE)), Goal.MINIMIZE, workers=4)
    assert all(bracket[-1].entered >= 1 for bracket in found.rungs)


def test_a_single_worker_is_busy_all_the_time() -> None:
    result = outcome(workers=1)
    assert result.makespan == pytest.approx(result.busy)


def test_more_workers_end_sooner() -> None:
    assert outcome(1000, workers=32).makespan < outcome(1000, workers=4).makespan / 4


def test_maximizing_accuracy_is_minimizing_error() -> None:
    least, most = asdict(outcome()), asdict(outcome(goal=Goal.MAXIMIZE))
    assert least == most


def test_the_search_finds_one_of_the_best_trials_for_a_fraction_of_full_training() -> None:
    result = outcome(trials=1000, workers=50)
    assert result.best_rank <= 50
    assert result.saved > 0.8


def test_a_trial_s_curve_falls_and_depends_on_nothing_but_seed_and_number() -> None:
    curve = Curves(seed=3, max_resource=81).curve(17)
    assert curve == Curves(seed=3, max_resource=81).curve(17)
    errors = [curve.error(resource) for resource in (0, 1, 3, 9, 27, 81)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == curve.start
    assert curve.floor < errors[-1]


def test_curves_cross_so_that_the_first_rung_does_not_tell_everything() -> None:
    curves = [Curves(seed=1, max_resource=81).curve(trial) for trial in range(50)]
    early = sorted(range(50), key=lambda trial: curves[trial].error(1))
    late = sorted(range(50), key=lambda trial: curves[trial].error(81))
    assert early != late
