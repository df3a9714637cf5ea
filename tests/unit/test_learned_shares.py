"""How `mode: learned` shares trials out: as standard before it knows anything, by the results after."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from statistics import fmean, median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.master_harness import Master, make_spec

from rungmaster.master.search.arithmetic import bracket_sizes
from rungmaster.master.search.interface import Goal, SearchContext, Searcher, Train
from rungmaster.master.search.learned_shares import FLOOR, MOST, LearnedShares, best_brackets, first_weights
from rungmaster.master.search.registry import build_searcher
from rungmaster.master.search.rung import WORST, RankedRung, Result
from rungmaster.master.simulation.virtual_time import time_to
from rungmaster.shared.spec.searchers import AdaptiveAshaSpec, Mode

ETA = Fraction(4)
SIZES = (5, 4, 3, 2, 1)
#: Results as (bracket, how many rungs below the highest, key).
Results = list[tuple[int, int, float]]
keys = st.one_of(st.integers(0, 9).map(float), st.just(WORST), st.floats(-1e9, 1e9))
places = st.integers(0, 4).flatmap(lambda bracket: st.tuples(st.just(bracket), st.integers(0, 4 - bracket)))
found = st.lists(st.tuples(places, keys).map(lambda found: (*found[0], found[1])), max_size=120)


def ladders(results: Results, order: Sequence[int] | None = None) -> list[list[RankedRung]]:
    """The rungs of all brackets, lowest first."""
    brackets = [[RankedRung(4**k, ETA, keeps_candidates=False) for k in range(5 - size, 5)] for size in SIZES]
    for trial in range(len(results)) if order is None else order:
        bracket, below, key = results[trial]
        brackets[bracket][-1 - below].enter((key, trial), 4 ** (4 - below))
    return brackets


def shares(results: Results) -> list[float]:
    return LearnedShares(SIZES, ETA).shares(ladders(results))


def searcher(mode: Mode = "learned", trials: int = 100_000) -> Searcher:
    spec = AdaptiveAshaSpec(mode=mode, max_trials=trials, max_resource=256, divisor=4)
    return build_searcher(spec, SearchContext(Goal.MINIMIZE))


def test_before_there_is_evidence_the_resource_is_split_as_in_standard_but_for_the_floor() -> None:
    floor = float(FLOOR) / 5
    assert shares([]) == pytest.approx([(0.95 / 3) + floor] * 3 + [floor] * 2)


def test_the_plan_shares_out_by_what_counts_before_there_is_evidence() -> None:
    weights = [float(weight) for weight in first_weights(SIZES, ETA)]
    assert weights == pytest.approx(LearnedShares(SIZES, ETA).weights(ladders([])))
    plan = searcher().plan
    assert sum(bracket.max_trials for bracket in plan) == 100_000
    for bracket, weight in zip(plan, weights, strict=True):
        assert bracket.max_trials == pytest.approx(100_000 * weight / sum(weights), rel=0.01, abs=1)


def test_new_trials_come_first_in_the_numbers_that_standard_makes() -> None:
    made = {mode: [0] * 5 for mode in ("standard", "learned")}
    for mode, counts in made.items():
        search = searcher("learned" if mode == "learned" else "standard")
        for _ in range(600):
            step = search.next()
            assert isinstance(step.answer, Train)
            counts[step.answer.bracket] += 1
    assert made["learned"][:3] == pytest.approx(made["standard"][:3], rel=0.05, abs=2)


@given(results=found, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_the_order_in_which_results_came_does_not_matter(results: Results, seed: int) -> None:
    order = list(range(len(results)))
    random.Random(seed).shuffle(order)
    learned, other = LearnedShares(SIZES, ETA), LearnedShares(SIZES, ETA)
    assert learned.weights(ladders(results)) == other.weights(ladders(results, order))


@given(results=found)
@settings(deadline=None)
def test_what_was_learned_before_does_not_matter(results: Results) -> None:
    learned = LearnedShares(SIZES, ETA)
    for number in range(len(results)):
        learned.weights(ladders(results[:number]))
    assert learned.weights(ladders(results)) == LearnedShares(SIZES, ETA).weights(ladders(results))


@given(results=found)
@settings(deadline=None)
def test_each_bracket_keeps_its_floor_and_all_is_shared_out(results: Results) -> None:
    parts = shares(results)
    assert all(part >= float(FLOOR) / 5 * (1 - 1e-9) for part in parts)
    assert sum(parts) == pytest.approx(1)


@given(results=st.lists(st.tuples(st.integers(0, 4), keys), max_size=200))
def test_no_more_results_are_looked_at_than_the_best_few(results: list[tuple[int, float]]) -> None:
    taken = 0

    def counted(rung: RankedRung) -> list[Result]:
        return list(rung.results())

    def watched(best: list[Result]) -> Iterator[Result]:
        nonlocal taken
        for result in best:
            taken += 1
            yield result

    order = best_brackets(
        [watched(counted(rungs[-1])) for rungs in ladders([(b, 0, key) for b, key in results])], len(results)
    )
    ranked = sorted((key, trial, bracket) for trial, (bracket, key) in enumerate(results))
    looked_at = ranked[: min(MOST, (len(results) + 3) // 4)]
    assert order == [bracket for key, _, bracket in looked_at if key != WORST]
    assert taken <= MOST + len(SIZES)


def test_a_bracket_whose_results_are_the_best_gets_most() -> None:
    for bracket in range(5):
        results = [(b, 0, float(b != bracket) + n / 100) for b in range(5) for n in range(6)]
        assert max(shares(results)) == shares(results)[bracket] > 0.5


def test_where_no_bracket_s_results_are_better_the_cheapest_get_most() -> None:
    drawn = random.Random(1)
    results = [(b, 0, drawn.random()) for b in range(5) for _ in range(200)]
    assert shares(results)[4] > shares(results)[0]


def below_the_highest(strength: int, seed: int = 0, number: int = 40) -> Results:
    """Results at all rungs but the highest, where those chosen once are the best of `strength` as they were drawn."""
    drawn = random.Random(seed)
    return [
        (bracket, below, min(drawn.random() for _ in range(strength ** (4 - below - bracket))))
        for bracket in range(5)
        for below in range(1, 5 - bracket)
        for _ in range(number)
    ]


def test_lower_rungs_that_tell_the_truth_count_before_a_trial_was_trained_in_full() -> None:
    assert shares(below_the_highest(4))[0] > 0.8


def test_where_the_orders_of_lower_rungs_tell_nothing_further_up_brackets_without_them_get_more() -> None:
    parts = [fmean(parts) for parts in zip(*(shares(below_the_highest(1, seed)) for seed in range(20)), strict=True)]
    assert max(parts[:2]) < parts[2] < parts[3]


def test_results_at_the_highest_rung_outweigh_those_below() -> None:
    full = [(bracket, 0, bracket / 10 + n / 1000) for bracket in (3, 4) for n in range(12)]
    full += [(bracket, 0, 1.0 + n / 1000) for bracket in (0, 1, 2) for n in range(12)]
    parts = shares(below_the_highest(4) + full)
    assert max(parts) == parts[3] > 0.5


def test_results_of_failures_are_not_among_the_best_though_they_count() -> None:
    results = [(0, 0, WORST)] * 8 + [(4, 0, 1.0)] * 2
    assert shares(results)[4] > shares(results)[0]


@pytest.mark.parametrize("rungs", [1, 2, 7, 40])
def test_any_number_of_rungs_will_do(rungs: int) -> None:
    sizes = bracket_sizes("learned", rungs)
    learned = LearnedShares(sizes, Fraction(7, 4))
    brackets = [[RankedRung(256, ETA, keeps_candidates=False) for _ in range(size)] for size in sizes]
    brackets[0][-1].enter((0.5, 1), 256)
    assert all(weight > 0 for weight in learned.weights(brackets))


def test_the_last_result_of_a_pool_lets_the_winner_of_another_bracket_train_on() -> None:
    master = Master()
    master.submit(make_spec({"name": "adaptive_asha", "mode": "learned", "max_trials": 3, "max_resource": 3}))
    one, other = master.worker("one"), master.worker("other")
    first = one.work()
    one.report(first, 1, 0.1)
    one.exit(first)
    held = other.work()
    assert (master.trial(1).bracket_id, held.target) == (1, 3)
    last = one.work()
    one.report(last, 1, 0.2)
    one.exit(last)
    assert one.ask() is None, "a result of the pool is missing, and no trial is in the top third of its rung"
    other.report(held, 3, 0.3)
    winner = one.received().assignments[0]
    assert (winner.lease.trial_id, winner.target) == (0, 3)


def test_learned_finds_a_good_configuration_soon_whether_early_results_tell_the_truth_or_mislead() -> None:
    """A small part of benchmarks/compare_modes.py, which has the figures; virtual time is the same on any machine."""
    aims: list[tuple[str, float, Mode, float]] = [
        ("truthful", 0.0345, "aggressive", 1.1),
        ("crossing", 0.049, "conservative", 1),
    ]
    for curves, error, mode, most in aims:
        own, learned = (
            median(time_to(error, searcher(m), 8, seed, curves, 60_000) for seed in range(5)) for m in (mode, "learned")
        )
        assert learned <= most * own
