"""How `mode: learned` shares trials out: as standard before it knows anything, by the results after."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from statistics import median

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
#: Results at the highest rung as (bracket, key).
Results = list[tuple[int, float]]
keys = st.one_of(st.integers(0, 9).map(float), st.just(WORST), st.floats(-1e9, 1e9))
found = st.lists(st.tuples(st.integers(0, 4), keys), max_size=120)


def tops(results: Sequence[tuple[int, float]], order: Sequence[int] | None = None) -> list[RankedRung]:
    rungs = [RankedRung(256, ETA, keeps_candidates=False) for _ in SIZES]
    for trial in range(len(results)) if order is None else order:
        bracket, key = results[trial]
        rungs[bracket].enter((key, trial), 256)
    return rungs


def shares(results: Sequence[tuple[int, float]]) -> list[float]:
    rungs = tops(results)
    return LearnedShares(SIZES, ETA).shares([rung.results() for rung in rungs], [len(rung) for rung in rungs])


def searcher(mode: Mode = "learned", trials: int = 100_000) -> Searcher:
    spec = AdaptiveAshaSpec(mode=mode, max_trials=trials, max_resource=256, divisor=4)
    return build_searcher(spec, SearchContext(Goal.MINIMIZE))


def test_before_there_is_evidence_the_resource_is_split_as_in_standard_but_for_the_floor() -> None:
    floor = float(FLOOR) / 5
    assert shares([]) == pytest.approx([(0.95 / 3) + floor] * 3 + [floor] * 2)


def test_the_plan_shares_out_by_what_counts_before_there_is_evidence() -> None:
    weights = [float(weight) for weight in first_weights(SIZES, ETA)]
    assert weights == pytest.approx(LearnedShares(SIZES, ETA).weights(tops([])))
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
    assert learned.weights(tops(results)) == other.weights(tops(results, order))


@given(results=found)
@settings(deadline=None)
def test_what_was_learned_before_does_not_matter(results: Results) -> None:
    learned = LearnedShares(SIZES, ETA)
    for number in range(len(results)):
        learned.weights(tops(results[:number]))
    assert learned.weights(tops(results)) == LearnedShares(SIZES, ETA).weights(tops(results))


@given(results=found)
@settings(deadline=None)
def test_each_bracket_keeps_its_floor_and_all_is_shared_out(results: Results) -> None:
    parts = shares(results)
    assert all(part >= float(FLOOR) / 5 * (1 - 1e-9) for part in parts)
    assert sum(parts) == pytest.approx(1)


@given(results=st.lists(st.tuples(st.integers(0, 4), keys), max_size=200))
def test_no_more_results_are_looked_at_than_the_best_few(results: Results) -> None:
    taken = 0

    def counted(rung: RankedRung) -> list[Result]:
        return list(rung.results())

    def watched(best: list[Result]) -> Iterator[Result]:
        nonlocal taken
        for result in best:
            taken += 1
            yield result

    order = best_brackets([watched(counted(rung)) for rung in tops(results)], len(results))
    ranked = sorted((key, trial, bracket) for trial, (bracket, key) in enumerate(results))
    looked_at = ranked[: min(MOST, (len(results) + 1) // 2)]
    assert order == [bracket for key, _, bracket in looked_at if key != WORST]
    assert taken <= MOST + len(SIZES)


def test_a_bracket_whose_results_are_the_best_gets_most() -> None:
    for bracket in range(5):
        results = [(b, float(b != bracket) + n / 100) for b in range(5) for n in range(6)]
        assert max(shares(results)) == shares(results)[bracket] > 0.5


def test_where_no_bracket_s_results_are_better_the_cheapest_get_most() -> None:
    drawn = random.Random(1)
    results = [(b, drawn.random()) for b in range(5) for _ in range(200)]
    assert shares(results)[4] > shares(results)[0]


def test_results_of_failures_are_not_among_the_best_though_they_count() -> None:
    results = [(0, WORST)] * 8 + [(4, 1.0)] * 2
    assert shares(results)[4] > shares(results)[0]


@pytest.mark.parametrize("rungs", [1, 2, 7, 40])
def test_any_number_of_rungs_will_do(rungs: int) -> None:
    sizes = bracket_sizes("learned", rungs)
    learned = LearnedShares(sizes, Fraction(7, 4))
    tops = [RankedRung(256, ETA, keeps_candidates=False) for _ in sizes]
    tops[0].enter((0.5, 1), 256)
    assert all(weight > 0 for weight in learned.weights(tops))


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
        ("truthful", 0.0345, "aggressive", 1.5),
        ("crossing", 0.049, "conservative", 1),
    ]
    for curves, error, mode, most in aims:
        own, learned = (
            median(time_to(error, searcher(m), 8, seed, curves, 60_000) for seed in range(5)) for m in (mode, "learned")
        )
        assert learned <= most * own
